"""The scan of the audio: once for each content, resumed, and never wrong for a cache."""

from __future__ import annotations

import numpy as np
import pytest
from inspected_corpora import RATE, babble

from mynah.data.signals import audio_scan
from mynah.data.signals.audio_scan import chosen_rows, scan
from mynah.data.signals.scan_cache import ScanCache
from mynah.data.signals.signal_facts import FACTS, measure
from mynah.errors import UserError


class FakeCorpus:
    """Recordings by number; ``read_rows`` lists which were decoded."""

    name, sample_rate = "train", RATE

    def __init__(self, seeds: list[int], broken: frozenset[int] = frozenset()) -> None:
        self.seeds, self.broken = seeds, broken
        self.digests = [f"content-{seed}" for seed in seeds]
        self.read_rows: list[int] = []

    def read_as_recorded(self, row: int) -> tuple[np.ndarray, int]:
        self.read_rows.append(row)
        if row in self.broken:
            raise UserError("it is cut off\n  where: there")
        return babble(0.2, self.seeds[row]), RATE


def facts_of(found, position):
    return [found.facts[name][position] for name in FACTS]


def expected(seed):
    return [getattr(measure(babble(0.2, seed), RATE), name) for name in FACTS]


def test_every_row_has_the_facts_of_its_own_recording(tmp_path):
    corpus = FakeCorpus([5, 3, 9])
    found = scan(corpus, np.arange(3), cache=tmp_path, threads=2)
    for position, seed in enumerate(corpus.seeds):
        assert facts_of(found, position) == pytest.approx(expected(seed))


def test_a_second_scan_decodes_only_what_is_new_whatever_the_order(tmp_path):
    scan(FakeCorpus([1, 2, 3]), np.arange(3), cache=tmp_path, threads=2)
    corpus = FakeCorpus([3, 7, 1])
    found = scan(corpus, np.arange(3), cache=tmp_path, threads=2)
    assert corpus.read_rows == [1]
    assert found.measured == 1
    for position, seed in enumerate(corpus.seeds):
        assert facts_of(found, position) == pytest.approx(expected(seed))


def test_an_interrupted_scan_resumes_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(audio_scan, "_AT_ONCE", 4)
    corpus = FakeCorpus(list(range(10)))
    full = corpus.read_as_recorded

    def interrupted(row):
        if row == 6:
            raise KeyboardInterrupt
        return full(row)

    corpus.read_as_recorded = interrupted
    with pytest.raises(KeyboardInterrupt):
        scan(corpus, np.arange(10), cache=tmp_path, threads=1)
    again = FakeCorpus(list(range(10)))
    scan(again, np.arange(10), cache=tmp_path, threads=1)
    assert again.read_rows == [4, 5, 6, 7, 8, 9]


def test_a_recording_that_cannot_be_read_is_named_and_tried_again(tmp_path):
    for _ in range(2):
        corpus = FakeCorpus([1, 2], broken=frozenset({1}))
        found = scan(corpus, np.arange(2), cache=tmp_path, threads=2)
        assert found.errors == {1: "it is cut off"}
        assert 1 in corpus.read_rows
        assert np.isnan(found.facts["level_db"][1])


def test_recordings_without_a_digest_are_measured_and_not_mistaken_for_each_other(tmp_path):
    corpus = FakeCorpus([4, 8])
    corpus.digests = ["", ""]
    found = scan(corpus, np.arange(2), cache=tmp_path, threads=2)
    assert facts_of(found, 0) == pytest.approx(expected(4))
    assert facts_of(found, 1) == pytest.approx(expected(8))


def test_a_damaged_cache_is_made_again(tmp_path, capsys):
    with ScanCache(tmp_path) as cache:
        cache.path.write_bytes(b"no database at all" * 100)
    found = scan(FakeCorpus([1]), np.arange(1), cache=tmp_path, threads=1)
    assert facts_of(found, 0) == pytest.approx(expected(1))
    assert "measured again" in capsys.readouterr().out


def test_a_cache_that_cannot_be_written_is_the_users_to_fix(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(UserError, match="cannot be kept") as problem:
        scan(FakeCorpus([1]), np.arange(1), cache=tmp_path / "file", threads=1)
    assert "--no-audio" in problem.value.fix


def test_a_sample_is_taken_evenly_and_always_the_same():
    rows = chosen_rows(10_000, 500)
    assert len(np.unique(rows)) == 500
    assert (np.diff(rows) > 0).all()
    assert np.histogram(rows, bins=5, range=(0, 10_000))[0].min() > 70
    assert (rows == chosen_rows(10_000, 500)).all()
    assert chosen_rows(3, 500).tolist() == chosen_rows(3, None).tolist() == [0, 1, 2]
