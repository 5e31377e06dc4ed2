"""Work in parts: what other processes check and transcribe is what one process makes of it."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import soundfile

from mynah.data.preparation.checking import checked_table
from mynah.data.row import Row
from mynah.errors import UserError
from mynah.inference.parts import Asked, LoadedBy, in_parts, parts_of

RATE = 8000


class Elsewhere:
    """Does pieces as another process would, the last one first."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def each(self, work, pieces):
        for number in reversed(range(len(pieces))):
            sent = pickle.loads(pickle.dumps((work, pieces[number])))
            self.sizes.append(len(pickle.dumps(sent)))
            yield number, sent[0](sent[1])


@pytest.fixture
def rows(tmp_path):
    """1,201 rows of three files, one of which cannot be read."""
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32) * 0.1
    for name in ("a", "b"):
        soundfile.write(tmp_path / f"{name}.wav", noise, RATE)
        noise = noise[::-1]
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    names = ["a", "b", "broken"]
    return [
        Row(id=f"{number}", path=str(tmp_path / f"{names[number % 3]}.wav"), text=f"row {number}",
            source="test")
        for number in range(1201)
    ]  # fmt: skip


def made(rows, cache, **more):
    return checked_table(rows, name="test", description="test", cache=cache, processes=2, **more)


def test_shards_that_are_checked_elsewhere_are_those_of_one_process_byte_for_byte(rows, tmp_path):
    here, there = made(rows, tmp_path / "here"), made(rows, tmp_path / "there", spread=Elsewhere())
    assert len(here.shards) == 3  # of 500 rows, 500 and 201
    assert [path.name for path in here.shards] == [path.name for path in there.shards]
    for one, other in zip(here.shards, there.shards, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert here.fingerprint == there.fingerprint
    errors = here.arrow.column("error").to_pylist()
    assert [bool(error) for error in errors] == [number % 3 == 2 for number in range(1201)]


def test_only_missing_shards_are_checked_elsewhere(rows, tmp_path):
    made(rows, tmp_path)
    (table,) = [path for path in tmp_path.glob("test-*") if path.is_dir()]
    (table / "shard-00001.arrow").unlink()
    spread = Elsewhere()
    made(rows, tmp_path, spread=spread)
    assert len(spread.sizes) == 1


def test_a_recording_that_ends_a_preparation_ends_it_elsewhere_too(rows, tmp_path):
    with pytest.raises(UserError, match="training utterance 1001 cannot be read"):
        made(rows, tmp_path, spread=Elsewhere(), stop_at_error=True)  # the last shard comes first


def test_a_shard_that_this_machine_does_not_see_is_said(rows, tmp_path):
    class Lost(Elsewhere):
        def each(self, work, pieces):
            for number, found in super().each(work, pieces):
                pieces[number].path.unlink()
                yield number, found

    with pytest.raises(UserError, match="where this machine does not see it"):
        made(rows, tmp_path, spread=Lost())


def test_recordings_are_cut_into_parts_of_four_minutes_or_more_in_their_order(tmp_path):
    paths = [tmp_path / f"{number}.wav" for number in range(10)]
    # 100 + 120 fit into four minutes, 160 more do not; 400 are a part by themselves.
    seconds = [100.0, 120.0, 160.0, 400.0, 40.0, 40.0, 40.0, 40.0, 40.0, 40.0]
    parts = parts_of(paths, seconds, LoadedBy("model"), Asked())
    assert [len(part.paths) for part in parts] == [2, 1, 1, 6]
    assert [path for part in parts for path in part.paths] == paths


def test_transcripts_come_in_the_order_of_the_recordings_whichever_part_is_done_first(tmp_path):
    paths = [tmp_path / f"{number}.wav" for number in range(6)]
    parts = parts_of(paths, [200.0] * 6, LoadedBy("model"), Asked())

    class Stub(Elsewhere):
        def each(self, work, pieces):
            for number in reversed(range(len(pieces))):
                yield number, [path.name for path in pieces[number].paths]

    assert list(in_parts(Stub(), parts)) == [f"{number}.wav" for number in range(6)]
