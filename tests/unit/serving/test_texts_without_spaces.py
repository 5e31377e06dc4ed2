"""What a client and a page show of scripts without spaces; the right texts are typed."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec

import httpx2
import pytest
from served import Listener, served

from mynah.inference.transcription import Segment, TimedWord, Transcription
from mynah.serving.coloured import coloured


def segment(start, end, text, words):
    step = (end - start) / len(words)
    timed = [TimedWord(one, start + n * step, start + (n + 1) * step, 0.9)
             for n, one in enumerate(words)]  # fmt: skip
    return Segment(start, end, text, tuple(timed))


CHINESE = [
    segment(0.0, 1.0, "今天天气", ["今", "天", "天", "气"]),
    segment(2.0, 3.0, "很好。", ["很", "好。"]),
    segment(4.0, 5.0, "用 iPhone 打", ["用", "iPhone", "打"]),
]
# The second begins where the first was cut, the third behind a pause.
THAI = [
    segment(0.0, 1.0, "ที่นี่", ["ที่", "นี่"]),
    segment(1.0, 2.0, "ดี", ["ดี"]),
    segment(3.0, 4.0, "มาก", ["ม", "า", "ก"]),
]
ENGLISH = [segment(0.0, 1.0, "call <b>", ["call", "<b>"]), segment(1.0, 2.0, "now", ["now"])]
TEXTS = [
    (CHINESE, "今天天气很好。用 iPhone 打"),
    (THAI, "ที่นี่ดี มาก"),
    (ENGLISH, "call <b> now"),
]


@pytest.mark.parametrize(("segments", "text"), TEXTS)
def test_a_page_has_spaces_where_the_text_has_them(segments, text):
    shown = coloured(Transcription(text, tuple(segments), 5.0))
    assert shown.count("<span") == sum(len(one.words) for one in segments)
    plain = re.sub(r"<[^>]*>", "", shown)
    assert plain == text.replace("<", "&lt;").replace(">", "&gt;")


@pytest.mark.parametrize(("segments", "text"), TEXTS)
def test_the_deltas_of_a_stream_are_its_text(segments, text, recording):
    class Speaker(Listener):
        def stream_file(self, audio, **_):
            yield from segments
            return Transcription(text, tuple(segments), 5.0)

    with served(Speaker()) as address:
        found = httpx2.post(
            f"{address}/v1/audio/transcriptions",
            files={"file": ("call.wav", recording(6.0, 0))},
            data={"model": "tiny", "stream": "true"},
        ).text
    events = [json.loads(line) for line in re.findall(r"data: (\{.*)", found)]
    assert "".join(one["delta"] for one in events if "delta" in one) == text
    assert [one["text"] for one in events if one["type"].endswith("done")] == [text]


@pytest.mark.skipif(find_spec("gradio") is None, reason="needs the extra demo")
def test_a_recording_that_cannot_be_kept_is_said_and_kept_at_the_next_try(tmp_path, recording):
    """A person has changed the list meanwhile, and changes it back."""
    from mynah.recording.voice_folder import VoiceFolder
    from mynah.serving.demo import Corrections

    (tmp_path / "call.wav").write_bytes(recording(1.0, 0))
    corrections = Corrections(VoiceFolder(tmp_path / "kept"), "anna")
    listing = tmp_path / "kept" / "metadata.csv"
    listing.parent.mkdir()
    listing.write_text("file_name,sentence\n1.wav,mine\n")
    said = corrections.keep(str(tmp_path / "call.wav"), "call anna")
    assert said.startswith("It cannot be kept: ") and "another kind" in said
    assert listing.read_text() == "file_name,sentence\n1.wav,mine\n"
    listing.unlink()
    assert "Kept as 0001.wav" in corrections.keep(str(tmp_path / "call.wav"), "call anna")
