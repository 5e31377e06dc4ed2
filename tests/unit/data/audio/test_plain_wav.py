"""WAV files that are looked at without a decoder: libsndfile reads each of them, and the same."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest
import soundfile

from mynah.data.audio import files, wav

NOISE = np.random.default_rng(0).normal(0, 0.1, 4000)
TAGS = b"LIST\x1a\0\0\0INFOISFT\x0e\0\0\0Lavf58.76.100\0"


def written(sound=NOISE, rate=16000, subtype="PCM_16", form="WAV", tags=b""):
    held = io.BytesIO()
    soundfile.write(held, sound, rate, format=form, subtype=subtype)
    content = held.getvalue()
    size = (len(content) + len(tags) - 8).to_bytes(4, "little")
    return content[:4] + size + content[8:36] + tags + content[36:] if tags else content


@pytest.mark.parametrize("tags", [b"", TAGS], ids=["bare", "by FFmpeg"])
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_plain_files_give_what_libsndfile_decodes(rate, tags):
    content = written(rate=rate, tags=tags)
    found = wav.plain_samples(content)
    sound, right = soundfile.read(io.BytesIO(content), dtype="int16")
    assert found is not None and found[0] == right == rate
    assert np.array_equal(found[1], sound)


@pytest.mark.parametrize(
    "content",
    [
        written(NOISE.reshape(-1, 2)),
        written(subtype="PCM_24"),
        written(subtype="FLOAT"),
        written(subtype="ULAW"),
        written(form="WAVEX"),
        written(form="FLAC"),
        written(tags=TAGS[:-2] + b"\0LIST"),
        written(tags=TAGS.replace(b"\x0e", b"\x06")),
        written()[:24] + bytes(8) + written()[32:],  # no hertz
        written()[:-2],
        written() + written(),
        written()[:44],
        b"",
    ],
)
def test_what_is_not_plain_is_left_to_the_decoder(content):
    assert wav.plain_samples(content) is None


def test_whatever_is_wrong_in_a_header_libsndfile_agrees_or_is_asked():
    draw = random.Random(0)
    plain = 0
    for number in range(4000):
        content = bytearray(written(NOISE[: draw.choice([1, 50])], tags=draw.choice([b"", TAGS])))
        for _ in range(number % 3):
            place = draw.randrange(min(90, len(content)))
            content[place] = draw.choice([0, 1, 2, 0x7F, 0x80, 0xFF, 0x20])
        del content[draw.choice([len(content), len(content), draw.randrange(200)]) :]
        found = wav.plain_samples(bytes(content))
        if found is not None:
            plain += 1
            sound, rate = soundfile.read(io.BytesIO(bytes(content)), dtype="int16")
            assert rate == found[0] and np.array_equal(sound, found[1]), bytes(content[:90])
    assert 1000 < plain < 3000


def test_length_and_digest_hang_on_no_way_of_reading(tmp_path, monkeypatch):
    (tmp_path / "a.wav").write_bytes(written(tags=TAGS))
    quickly = files.inspect(tmp_path / "a.wav", may_be_silent=False)
    assert quickly[0] == 0.25
    monkeypatch.setattr(wav, "plain_samples", lambda content: None)
    assert files.inspect(tmp_path / "a.wav", may_be_silent=False) == quickly
    monkeypatch.setattr(files, "_HELD_BYTES", 100)  # a long one, block by block
    assert files.inspect(tmp_path / "a.wav", may_be_silent=False) == quickly


def test_one_value_alone_is_silence_and_any_other_is_not():
    still = np.full(4000, 0.25)
    assert files.inspect(written(still))[0] == 0.25
    with pytest.raises(ValueError, match="it is silent"):
        files.inspect(written(still), may_be_silent=False)
    still[2000] += 1 / 32768
    assert files.inspect(written(still), may_be_silent=False)[0] == 0.25
