"""What `mynah lm` leaves where the disk fills up in the middle: the model, or nothing and a reason.

A limit on the size of files fails as a full disk does, in whatever write reaches it.
"""

from __future__ import annotations

import dataclasses
import random
import resource
from contextlib import contextmanager

import numpy as np
import pytest

from mynah.cli import lm
from mynah.cli.main import main
from mynah.errors import UserError
from mynah.models.fusion.ngram_counts import NgramCounts

WORDS = [f"word{number}" for number in range(60)]


@contextmanager
def files_up_to(size_bytes):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def estimate(tmp_path, monkeypatch, capsys):
    """Types the command, with temporary files in a folder; its status and what it said."""
    chosen = random.Random(1)
    lines = [" ".join(chosen.choices(WORDS, k=8)) for _ in range(600)]
    (tmp_path / "text.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "tmp").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))

    def type_(to):
        status = main(["lm", "text.txt", "--to", to])
        return status, capsys.readouterr().err

    return type_


def test_a_model_that_does_not_fit_is_not_there(estimate, tmp_path):
    assert estimate("complete.arpa")[0] == 0
    size = (tmp_path / "complete.arpa").stat().st_size
    for allowed in (10_000, size - 1):
        with files_up_to(allowed):
            status, err = estimate("cut.arpa")
        assert status == 2
        assert "The language model cannot be written" in err and "--to cut.arpa" in err
        assert "resume" not in err and len(err.splitlines()) <= 4
        assert {one.name for one in tmp_path.iterdir()} == {"complete.arpa", "text.txt", "tmp"}
    with files_up_to(size):
        assert estimate("again.arpa")[0] == 0
    assert (tmp_path / "again.arpa").read_bytes() == (tmp_path / "complete.arpa").read_bytes()


def test_counts_that_do_not_fit_end_the_command(estimate, tmp_path, monkeypatch):
    limits_of = lm.limits_of
    monkeypatch.setattr(
        lm, "limits_of", lambda parsed: dataclasses.replace(limits_of(parsed), in_memory=2000)
    )
    with files_up_to(20_000):
        status, err = estimate("cut.arpa")
    assert status == 2, err
    assert "The counts of n-grams cannot be written: File too large" in err and "TMPDIR" in err
    assert not (tmp_path / "cut.arpa").exists() and not list((tmp_path / "tmp").iterdir())
    assert estimate("complete.arpa")[0] == 0


def test_the_last_hundred_bytes_of_the_counts_are_missed_too(tmp_path):
    ngrams = np.arange(3000, dtype=np.uint32).reshape(1000, 3)
    counted = NgramCounts(tmp_path / "3-grams", 3, 1000)
    # A trigram takes three words of 4 bytes and two counts of 8.
    with files_up_to(28 * 1000 - 100), pytest.raises(UserError, match="File too large"):
        counted.add(ngrams, np.ones((1000, 2), np.int64))
