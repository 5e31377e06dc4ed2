"""Silence and strange transcripts: left out where they are a mistake, kept where they are meant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from data_helpers import settings, write_tone

from mynah.data.audio import files
from mynah.data.preparation.prepare import prepare


def _reasons(tmp_path: Path, lines: list[str], **changed: object) -> dict[str, str]:
    (tmp_path / "mine" / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = settings(tmp_path, dataset_name="mine", eval_fraction=0.0, **changed)
    account = prepare(config, working_directory=tmp_path).report["splits"]["train"]
    return {row["id"]: row["reason"] for row in account["dropped_rows"]}


def test_silence_with_a_transcript_is_left_out_and_silence_known_as_such_is_kept(tmp_path: Path):
    write_tone(tmp_path / "mine/one.wav")
    for name in ("mute.wav", "pause.wav"):
        soundfile.write(tmp_path / "mine" / name, np.full(16000, 0.25), 16000)
    listing = ["file_name,text,no_speech", "one.wav,one,", "mute.wav,two,", "pause.wav,,true"]
    assert _reasons(tmp_path, listing) == {"mute.wav": "unreadable"}


def test_the_faintest_sound_that_16_bits_hold_is_not_silence(tmp_path: Path):
    samples = np.zeros(16000, dtype=np.int16)
    samples[8000] = 1
    soundfile.write(tmp_path / "faint.wav", samples, 16000)
    assert files.inspect(tmp_path / "faint.wav", may_be_silent=False)[0] == 1.0
    soundfile.write(tmp_path / "mute.wav", 0 * samples, 16000)
    with pytest.raises(ValueError, match="silent"):
        files.inspect(tmp_path / "mute.wav", may_be_silent=False)


@pytest.fixture
def english(tmp_path: Path) -> list[str]:
    """120 recordings with English transcripts, and one with a Russian one."""
    write_tone(tmp_path / "mine/one.wav")
    rows = [f"one.wav,sentence number {number},en" for number in range(120)]
    return ["file_name,text,language", *rows, "one.wav,красный,{language}"]


def test_a_transcript_in_another_script_is_kept_and_said_or_left_out(
    tmp_path: Path, english: list[str], capsys: pytest.CaptureFixture[str]
):
    english[-1] = english[-1].format(language="en")
    dropped = _reasons(tmp_path, english, on_other_script="drop")
    assert list(dropped.values()) == ["transcript in another script"]
    assert "another script" not in capsys.readouterr().out.split("Left out of")[0]
    assert not _reasons(tmp_path, english)
    said = capsys.readouterr().out
    assert "1 transcripts of train are in a script that hardly any other is in" in said
    assert "one.wav#121 (Cyrillic). data.on_other_script=drop" in said


def test_a_script_that_is_rare_because_its_language_is_stays(tmp_path: Path, english: list[str]):
    english[-1] = english[-1].format(language="ru")
    assert not _reasons(tmp_path, english, on_other_script="drop")
