"""The official client library of OpenAI works against the server unchanged."""

from __future__ import annotations

import io
from dataclasses import replace

import httpx2
import numpy as np
import openai
import pysubs2
import pytest
import soundfile
import webvtt
from served import Listener, said, served

import mynah
from mynah.data.audio import files
from mynah.inference import voice_activity
from mynah.inference.transcription import Guarded
from mynah.models import registry
from mynah.models.transcript import Clip

TOKEN = "a-token-of-this-test"


@pytest.fixture(scope="module")
def address(checkpoints):
    """A server of a random CTC model that asks for a token."""
    with served(mynah.load(checkpoints("hubert_ctc"), offline=True), token=TOKEN) as found:
        yield found


@pytest.fixture(scope="module")
def client(address):
    with openai.OpenAI(base_url=f"{address}/v1", api_key=TOKEN, max_retries=0) as found:
        yield found


@pytest.fixture(scope="module")
def clip(recording):
    return recording(1.5, seed=1)


@pytest.fixture(scope="module")
def expected(checkpoints, clip):
    """What the model makes of the clip, by the family's own decoding."""
    family = registry.load_family(checkpoints("hubert_ctc"), offline=True)
    (found,) = family.transcribe([Clip(files.read(clip, family.sample_rate))])
    assert found.text
    return found.text


def asked(client, clip, **fields):
    return client.audio.transcriptions.create(model="tiny", file=("call.wav", clip), **fields)


def test_the_models_are_listed(client):
    assert [one.id for one in client.models.list()] == ["tiny"]
    assert client.models.retrieve("tiny").object == "model"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("large")


def test_json_holds_the_transcript(client, clip, expected):
    found = asked(client, clip)
    assert found.text == expected
    assert (found.usage.type, found.usage.seconds) == ("duration", 2)


def test_verbose_json_holds_segments_and_words(client, clip, expected):
    found = asked(
        client,
        clip,
        response_format="verbose_json",
        timestamp_granularities=["segment", "word"],
    )
    assert (found.text, found.duration, found.task) == (expected, 1.5, "transcribe")
    (segment,) = found.segments
    assert (segment.id, segment.start, segment.end, segment.text) == (0, 0.0, 1.5, expected)
    assert segment.avg_logprob < 0 and segment.tokens and segment.compression_ratio > 0
    assert [one.word for one in found.words] == expected.split()
    assert all(0 <= one.start <= one.end <= 1.5 for one in found.words)


def test_verbose_json_without_granularities_has_segments_alone(client, clip):
    found = asked(client, clip, response_format="verbose_json")
    assert found.words is None and len(found.segments) == 1


def test_text_and_subtitles_are_text(client, clip, expected):
    assert asked(client, clip, response_format="text") == f"{expected}\n"
    srt = pysubs2.SSAFile.from_string(asked(client, clip, response_format="srt"), format_="srt")
    assert " ".join(one.plaintext for one in srt) == expected
    vtt = webvtt.from_buffer(io.StringIO(asked(client, clip, response_format="vtt")))
    assert " ".join(one.text for one in vtt) == expected


def test_a_stream_of_a_clip_is_one_piece(client, clip, expected):
    delta, done = asked(client, clip, stream=True)
    assert (delta.type, delta.delta) == ("transcript.text.delta", expected)
    assert (done.type, done.text) == ("transcript.text.done", expected)


def test_a_stream_of_a_long_recording_comes_in_pieces_that_make_its_transcript(
    client, recording, monkeypatch
):
    monkeypatch.setattr(voice_activity, "silero_file", lambda: None)  # noise is not speech to it
    noise, _ = soundfile.read(io.BytesIO(recording(5.0, seed=1)), dtype="int16")
    held = io.BytesIO()
    soundfile.write(held, np.tile(np.pad(noise, (0, 32000)), 18), 16000, format="WAV")
    *deltas, done = asked(client, held.getvalue(), stream=True)
    # Bursts 7 s apart make pieces up to 36 s, as a pretrained model takes them: 5, 5, 5 and 3.
    assert len(deltas) == 4 and {one.type for one in deltas} == {"transcript.text.delta"}
    text = "".join(one.delta for one in deltas)
    assert text == done.text == asked(client, held.getvalue()).text
    assert done.usage.seconds == 18 * 7


def test_the_end_of_a_stream_says_what_misses_a_part_and_the_client_reads_it(clip):
    class Cut(Listener):
        def transcribe_many(self, audios, **asked):
            for one in super().transcribe_many(audios, **asked):
                yield replace(one, guarded=Guarded(texts_cut=1, cut_short=1))

    found = []
    for recognizer in (Cut(), Listener()):
        with (
            served(recognizer) as address,
            openai.OpenAI(base_url=f"{address}/v1", api_key=TOKEN, max_retries=0) as client,
        ):
            found.append(list(asked(client, clip, stream=True))[-1])
    cut, entire = found
    assert cut.type == "transcript.text.done" and cut.text == said(clip)
    assert cut.model_extra == {"mynah_incomplete": ["text", "recording"]}
    assert entire.model_extra == {}


@pytest.mark.parametrize("key", ["another", f"{TOKEN}x", TOKEN[:-1]])
def test_a_wrong_token_is_an_authentication_error(address, key):
    with (
        openai.OpenAI(base_url=f"{address}/v1", api_key=key, max_retries=0) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.models.list()


def test_a_token_of_any_bytes_is_wrong(address):
    for sent in (b"Bearer \xff\xfe", "Bearer ключ".encode(), b"Basic " + TOKEN.encode(), TOKEN):
        found = httpx2.get(f"{address}/v1/models", headers={"Authorization": sent})
        assert found.status_code == 401


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"temperature": 0.5}, "temperature"),
        ({"response_format": "diarized_json"}, "verbose_json"),
        ({"timestamp_granularities": ["word"]}, "verbose_json"),
        ({"stream": True, "response_format": "srt"}, "json or text"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(client, clip, fields, said):
    with pytest.raises(openai.BadRequestError, match=said) as found:
        asked(client, clip, **fields)
    assert found.value.param.removesuffix("[]") in fields


def test_an_unknown_model_is_not_found(client, clip):
    with pytest.raises(openai.NotFoundError, match="there is: tiny") as found:
        client.audio.transcriptions.create(model="whisper-1", file=("call.wav", clip))
    assert found.value.code == "model_not_found"


def test_what_holds_no_sound_is_refused_with_the_reason(client, recording):
    import random

    noise = random.Random(0).randbytes(10_000)
    cut = recording(2.0, 1)[:20]
    for content in (noise, b"", b"<html>404</html>", bytes(5000), b"fLaC" + noise, cut):
        with pytest.raises(openai.BadRequestError) as found:
            asked(client, content)
        assert found.value.param == "file"
        message = found.value.message.replace("WAV/W64/RF64", "")
        assert "/" not in message and "0x" not in message
