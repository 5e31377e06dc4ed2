"""What a person does wrong with a packed corpus, and what is said of it."""

from __future__ import annotations

import pytest
from data_helpers import settings
from packed_corpora import pack, write_corpus

from mynah.data.preparation.prepare import prepare
from mynah.errors import UserError


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("mine") / "corpus")


def test_a_packed_corpus_without_its_list_is_not_read_as_another_format(corpus, tmp_path):
    shards = tmp_path / "shards"
    assert pack(corpus, shards) == 0
    (shards / "pack.json").unlink()
    with pytest.raises(UserError, match=r"list of shards is missing: pack\.json") as problem:
        prepare(settings(tmp_path, path=str(shards)), working_directory=tmp_path)
    assert "copy it again" in problem.value.fix


def test_a_packing_that_fails_leaves_no_lock(corpus, tmp_path, capsys):
    to = tmp_path / "shards"
    to.mkdir()
    (to / "other.txt").touch()
    assert pack(corpus, to) == 2
    assert "is not empty" in capsys.readouterr().err
    assert sorted(one.name for one in tmp_path.iterdir() if "lock" in one.name) == []


@pytest.mark.parametrize("below", ["", "shards"])
def test_shards_are_not_written_to_or_below_a_file(corpus, tmp_path, capsys, below):
    (tmp_path / "file.csv").touch()
    assert pack(corpus, tmp_path / "file.csv" / below) == 2
    assert "is a file, and nothing can lie in it" in capsys.readouterr().err
