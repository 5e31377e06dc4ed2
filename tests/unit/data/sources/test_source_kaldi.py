"""Kaldi's data directories in the layout of its documentation."""

import io

import numpy as np
import pytest
import soundfile
from data_helpers import settings, tone, write_tone
from source_helpers import opened, rows_of, write_lines

from mynah.data.audio import files as audio_files
from mynah.data.preparation.prepare import prepare
from mynah.errors import UserError


def write_directory(folder, **files):
    for name, lines in files.items():
        write_lines(folder / name.replace("wav_scp", "wav.scp"), *lines)
    return folder


def test_segments_cut_utterances_with_their_texts_and_speakers(tmp_path):
    file = write_tone(tmp_path / "audio" / "call.flac", 5.0)
    for name in ("train", "dev"):
        write_directory(
            tmp_path / "kaldi" / "data" / name,
            wav_scp=[f"call-1 {file}"],
            segments=["call-1-ann-1 call-1 0.5 1.75", "call-1-bob-2 call-1 2 -1"],
            text=["call-1-ann-1 i would like", "call-1-bob-2 which  day"],
            utt2spk=["call-1-ann-1 ann", "call-1-bob-2 bob"],
            utt2lang=["call-1-ann-1 en", "call-1-bob-2 en"],
        )
    source = opened(tmp_path, "kaldi")
    assert source.format == "kaldi" and source.splits() == ["dev", "train"] and source.has_splits
    first, second = rows_of(source, "validation")
    assert (first.id, first.text, first.speaker, first.language) == (
        "call-1-ann-1", "i would like", "ann", "en",
    )  # fmt: skip
    assert (first.offset_seconds, first.duration_seconds) == (0.5, 1.25)
    assert (second.offset_seconds, second.duration_seconds) == (2.0, None)
    assert second.text == "which day" and second.path == str(file)


def test_a_directory_alone_is_all_there_is(tmp_path):
    write_tone(tmp_path / "mine" / "wavs" / "a.wav")
    write_directory(tmp_path / "mine", wav_scp=["a wavs/a.wav", "b wavs/b.wav"], text=["a hello"])
    source = opened(tmp_path, "mine")
    assert source.splits() == ["train"] and not source.has_splits
    assert [(row.id, row.text) for row in rows_of(source)] == [("a", "hello"), ("b", None)]


@pytest.mark.parametrize(
    "command",
    [
        "sph2pipe -f wav -p -c 1 /swbd/sw02001.sph |",
        "flac -c -d -s /LibriSpeech/84-121123-0000.flac |",
        "touch PWNED |",
        "| touch PWNED",
    ],
)
def test_a_command_is_refused_with_the_way_out_and_never_run(tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_directory(tmp_path / "mine", wav_scp=["a /a.wav", f"b {command}"], text=["a hello"])
    with pytest.raises(UserError, match="runs no command") as caught:
        rows_of(opened(tmp_path, "mine"))
    reported = str(caught.value)
    assert "wav.scp, line 2" in reported and "wav-copy scp:wav.scp" in reported
    if "/" in command:
        assert command.split()[-2] in caught.value.fix  # the file to name in its place
    assert not list(tmp_path.rglob("PWNED"))


def test_recordings_in_an_archive_are_read_in_their_places(tmp_path):
    sounds = {name: tone(0.5, hertz=hertz) for name, hertz in (("a", 300.0), ("b", 500.0))}
    archive, lines = b"", []
    for name, sound in sounds.items():
        held = io.BytesIO()
        soundfile.write(held, sound, 16000, format="WAV", subtype="FLOAT")
        archive += f"{name} ".encode()
        lines.append(f"{name} {tmp_path / 'wav.ark'}:{len(archive)}")
        archive += held.getvalue()
    (tmp_path / "wav.ark").write_bytes(archive)
    write_directory(tmp_path / "mine", wav_scp=lines, text=["a one", "b two"])
    for row in rows_of(opened(tmp_path, "mine")):
        recording = audio_files.read(
            row.path, 16000, byte_offset=row.byte_offset, byte_length=row.byte_length
        )
        assert np.array_equal(recording, sounds[row.id])
    config = settings(tmp_path, dataset_name="mine", eval_splits=None, eval_fraction=0.0)
    train = prepare(config, working_directory=tmp_path).train
    assert np.array_equal(train.read_audio(1), sounds["b"])
    write_directory(tmp_path / "mine", wav_scp=[lines[0] + "1"])
    with pytest.raises(UserError, match="not the start of a WAV file"):
        rows_of(opened(tmp_path, "mine"))


def test_the_sides_of_a_call_are_its_channels(tmp_path):
    stereo = np.stack([tone(1.0, hertz=300), tone(1.0, hertz=600)], axis=1)
    soundfile.write(tmp_path / "call.wav", stereo, 16000)
    soundfile.write(tmp_path / "b-side.wav", stereo[:, 1], 16000)
    write_directory(
        tmp_path / "mine",
        wav_scp=[f"c-A {tmp_path}/call.wav", f"c-B {tmp_path}/call.wav",
                 f"d-B {tmp_path}/b-side.wav"],
        reco2file_and_channel=["c-A call A", "c-B call B", "d-B d B"],
        text=["c-A hello", "c-B hi", "d-B hi"],
    )  # fmt: skip
    for policy in ("mix", "first", "split"):
        rows = rows_of(opened(tmp_path, "mine", channels=policy))
        # The last was taken out of a call before: a file of one channel has no second.
        assert [(row.id, row.channel, row.text) for row in rows] == [
            ("c-A", 0, "hello"), ("c-B", 1, "hi"), ("d-B", 0, "hi"),
        ]  # fmt: skip


def test_a_text_without_a_recording_is_counted_and_named(tmp_path):
    write_tone(tmp_path / "mine" / "a.wav")
    write_directory(tmp_path / "mine", wav_scp=["a a.wav"], text=["a hello", "ghost boo"])
    config = settings(tmp_path, dataset_name="mine", eval_splits=None, eval_fraction=0.0)
    account = prepare(config, working_directory=tmp_path).report["splits"]["train"]
    assert account["kept"] == 1 and account["dropped_rows"][0]["id"] == "ghost"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"wav_scp": ["a a.wav", "a b.wav"]}, r"twice, first on line 1[\s\S]*line 2"),
        ({"segments": ["u a 1.0"]}, r"four fields[\s\S]*line 1"),
        ({"segments": ["u a 2.0 1.0"]}, r"no later than it begins[\s\S]*line 1"),
        ({"segments": ["u nobody 0 1"]}, "no recording nobody"),
        ({"segments": ["u a zero 1"]}, "not a number of seconds"),
        ({"reco2file_and_channel": ["a a"]}, "three fields"),
        ({"reco2file_and_channel": ["a a Z"]}, "not a channel"),
        ({"wav_scp": ["a wav.ark:" + "9" * 19]}, "19 digits"),
        ({"wav_scp": ["b b.wav", "a wav.ark:" + "9" * 5000]}, "(?s)5000 digits.*wav.scp, line 2"),
        ({"wav_scp": ["a http://x/a.wav"]}, "nothing is fetched"),
        ({"wav_scp": ["a ../../a.wav"]}, "leads out of the corpus"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, files, message):
    write_directory(tmp_path / "mine", wav_scp=["a a.wav"], text=["a hello"])
    write_directory(tmp_path / "mine", **files)
    with pytest.raises(UserError, match=message):
        rows_of(opened(tmp_path, "mine"))
