"""data.channels: recordings with several channels."""

import numpy as np
import pytest
import soundfile
from data_helpers import settings, tone, write_tone
from source_helpers import opened, rows_of, write_json_lines, write_lines

from mynah.data.preparation.prepare import prepare
from mynah.errors import UserError

LEFT, RIGHT = tone(1.0, hertz=300), tone(1.0, hertz=600)


@pytest.fixture
def call(tmp_path):
    (tmp_path / "mine").mkdir()
    soundfile.write(tmp_path / "mine" / "call.wav", np.stack([LEFT, RIGHT], axis=1), 16000)
    write_tone(tmp_path / "mine" / "mono.wav")
    return tmp_path / "mine"


def audio(tmp_path, policy):
    config = settings(
        tmp_path, dataset_name="mine", eval_splits=None, eval_fraction=0.0, channels=policy
    )
    train = prepare(config, working_directory=tmp_path).train
    return {name: (text, train.read_audio(row)) for row, (name, text) in
            enumerate(zip(train.ids, train.texts, strict=True))}  # fmt: skip


def test_channels_are_mixed_or_the_first_is_taken(tmp_path, call):
    write_lines(call / "metadata.csv", "file_name,text", "call.wav,hello hi", "mono.wav,x")
    text, sound = audio(tmp_path, "mix")["call.wav"]
    assert text == "hello hi" and np.allclose(sound, (LEFT + RIGHT) / 2, atol=1e-3)
    assert np.allclose(audio(tmp_path, "first")["call.wav"][1], LEFT, atol=1e-3)


def test_each_side_with_a_transcript_of_its_own_is_an_utterance(tmp_path, call):
    header = "file_name,text_0,text_1,speaker_0,speaker_1"
    write_lines(call / "metadata.csv", header, "call.wav,hello,hi,agent,ann")
    found = audio(tmp_path, "split")
    assert {name: text for name, (text, _) in found.items()} == {
        "call.wav-ch0": "hello", "call.wav-ch1": "hi",
    }  # fmt: skip
    assert np.allclose(found["call.wav-ch0"][1], LEFT, atol=1e-3)
    assert np.allclose(found["call.wav-ch1"][1], RIGHT, atol=1e-3)
    rows = rows_of(opened(tmp_path, "mine", channels="split"))
    assert [row.speaker for row in rows] == ["agent", "ann"]
    (row,) = rows_of(opened(tmp_path, "mine", channels="first"))
    assert (row.text, row.channel) == ("hello", 0)
    with pytest.raises(UserError, match="a transcript for each channel") as caught:
        rows_of(opened(tmp_path, "mine", channels="mix"))
    assert "data.channels=split" in str(caught.value)


def test_a_list_of_transcripts_is_one_for_each_channel(tmp_path, call):
    write_json_lines(call / "metadata.jsonl", {"audio": "call.wav", "text": ["hello", "hi"]})
    rows = rows_of(opened(tmp_path, "mine", channels="split"))
    assert [(row.text, row.channel) for row in rows] == [("hello", 0), ("hi", 1)]


@pytest.mark.parametrize("policy", ["mix", "first", "split"])
def test_a_row_that_names_its_channel_is_read_from_it(tmp_path, call, policy):
    write_lines(call / "metadata.csv", "file_name,channel,text", "call.wav,B,hi", "call.wav,0,yo")
    rows = rows_of(opened(tmp_path, "mine", channels=policy))
    assert [(row.channel, row.text) for row in rows] == [(1, "hi"), (0, "yo")]


def test_one_transcript_of_two_channels_cannot_be_split(tmp_path, call):
    write_lines(call / "metadata.csv", "file_name,text", "mono.wav,x", "call.wav,hello hi")
    with pytest.raises(UserError, match="2 channels and one transcript") as caught:
        rows_of(opened(tmp_path, "mine", channels="split"))
    assert "text_0 and text_1" in str(caught.value) and "data.channels=mix" in str(caught.value)


def test_recordings_without_words_are_split_too(tmp_path, call):
    write_lines(
        call / "metadata.csv", "file_name,text,no_speech", "call.wav,,true", "mono.wav,x,",
        "missing.wav,y,",
    )  # fmt: skip
    rows = rows_of(opened(tmp_path, "mine", channels="split"))
    assert [(row.id, row.channel) for row in rows] == [
        ("call.wav-ch0", 0), ("call.wav-ch1", 1), ("mono.wav", None), ("missing.wav", None),
    ]  # fmt: skip


def test_the_two_sides_of_a_call_are_not_duplicates(tmp_path, call):
    write_lines(call / "metadata.csv", "file_name,channel,text", "call.wav,0,hi", "call.wav,1,hi")
    config = settings(
        tmp_path, dataset_name="mine", eval_splits=None, eval_fraction=0.0, on_duplicates="drop"
    )
    assert len(prepare(config, working_directory=tmp_path).train) == 2
