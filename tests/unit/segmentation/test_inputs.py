"""Which segments of one STM file are of which recording of a folder."""

from __future__ import annotations

import pytest

from mynah.errors import UserError
from mynah.segmentation.inputs import find_long_recordings


def texts(tmp_path, files, named, **settings):
    """{recording: its segments} of a folder; each segment says what its recording is called."""
    for name in files:
        file = tmp_path / "calls" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
    segments = [
        f"{name} 1 anna {place}.0 {place}.5 of {name}\n" for place, name in enumerate(named)
    ]
    (tmp_path / "all.stm").write_text("".join(segments))
    found = find_long_recordings(tmp_path / "calls", text=tmp_path / "all.stm", **settings)
    return {one.name: [e.text for e in one.timed.entries] if one.timed else None for one in found}


def test_recordings_of_one_name_in_two_folders_have_the_segments_of_their_own(tmp_path):
    found = texts(tmp_path, ["a/talk.wav", "b/talk.wav"], ["a/talk", "b/talk.wav"])
    assert found == {"a/talk": ["of a/talk"], "b/talk": ["of b/talk.wav"]}


def test_segments_of_another_folder_are_not_a_recordings(tmp_path):
    found = texts(tmp_path, ["a/talk.wav", "b/talk.wav"], ["a/talk"], skip_missing=True)
    assert found == {"a/talk": ["of a/talk"], "b/talk": None}
    found = texts(tmp_path / "2", ["talk.wav", "b/talk.wav"], ["talk"], skip_missing=True)
    assert found == {"talk": ["of talk"], "b/talk": None}


def test_a_name_that_may_be_each_of_several_recordings_is_refused(tmp_path):
    with pytest.raises(UserError, match="talk may be each of 2 recordings: a/talk, b/talk"):
        texts(tmp_path, ["a/talk.wav", "b/talk.wav"], ["talk"])


@pytest.mark.parametrize(
    ("file", "named"),
    [("talk.wav", "/elsewhere/talk.sph"), ("a/talk.wav", "talk"), ("talk.1.wav", "talk.1"),
     ("talk.wav", "talk.wav"), ("a/talk.1.wav", "talk.1"), ("a/talk.1.wav", "x/talk.1")],
)  # fmt: skip
def test_the_last_part_of_a_name_is_enough_for_the_only_recording_of_it(tmp_path, file, named):
    found = texts(tmp_path, [file, "other.wav"], [named, "other"])
    assert found[file.removesuffix(".wav")] == [f"of {named}"]
