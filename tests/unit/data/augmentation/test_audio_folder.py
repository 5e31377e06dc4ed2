"""A folder to augment with: what is in it, what is left out, and when it is another one."""

import shutil

import numpy as np
import pytest
import soundfile
from data_helpers import tone, write_tone

from mynah.data.augmentation.audio_folder import open_folder
from mynah.errors import UserError


def opened(path):
    return open_folder(path, "data.augmentation.noise_folder", "noise")


def test_audio_is_found_in_every_folder_below_in_a_fixed_order(tmp_path):
    for name in ("z.wav", "a/b/c.flac", "a/x.OGG", "m.mp3"):
        write_tone(tmp_path / name, 0.5)
    (tmp_path / "README.txt").write_text("noise")
    write_tone(tmp_path / "._hidden.wav")
    found = opened(tmp_path)
    assert found.files == ("a/b/c.flac", "a/x.OGG", "m.mp3", "z.wav")
    assert np.allclose(found.seconds, 0.5, atol=0.06) and not found.dropped


def test_what_cannot_be_used_is_named_with_its_reason(tmp_path, capsys):
    write_tone(tmp_path / "good.wav", 2.0)
    (tmp_path / "text.wav").write_text("this is not audio\n" * 20)
    (tmp_path / "empty.flac").touch()
    soundfile.write(tmp_path / "silent.wav", np.zeros(40_000), 16000)
    cut = write_tone(tmp_path / "cut.wav", 2.0)
    cut.write_bytes(cut.read_bytes()[:20_000])
    found = opened(tmp_path)
    assert found.files == ("good.wav",)
    names = {name for name, _ in found.dropped}
    assert names == {"text.wav", "empty.flac", "silent.wav", "cut.wav"}
    said = capsys.readouterr().out
    for name, reason in found.dropped:
        assert name in said and reason in said
    assert "silent" in dict(found.dropped)["silent.wav"]


def test_silence_at_the_beginning_is_not_a_reason(tmp_path):
    soundfile.write(tmp_path / "late.wav", np.concatenate([np.zeros(32_000), tone(0.5)]), 16000)
    assert opened(tmp_path).files == ("late.wav",)


def test_a_folder_without_usable_audio_is_an_error(tmp_path):
    with pytest.raises(UserError, match="There is no audio in") as caught:
        opened(tmp_path)
    assert caught.value.where == f"data.augmentation.noise_folder={tmp_path}"
    (tmp_path / "text.wav").write_text("text")
    with pytest.raises(UserError, match=r"none can be used; text\.wav"):
        opened(tmp_path)
    with pytest.raises(UserError, match="There is no folder"):
        opened(tmp_path / "nowhere")


def test_the_fingerprint_is_of_what_is_in_the_folder_and_not_of_where_it_lies(tmp_path):
    for number in range(3):
        write_tone(tmp_path / "a" / f"{number}.wav", 0.2, hertz=200 + number)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    first = opened(tmp_path / "a").fingerprint
    assert opened(tmp_path / "b").fingerprint == first
    write_tone(tmp_path / "b" / "1.wav", 0.2, hertz=777)  # as long, another sound
    changed = opened(tmp_path / "b").fingerprint
    (tmp_path / "a" / "2.wav").unlink()
    assert len({first, changed, opened(tmp_path / "a").fingerprint}) == 3
