"""Which splits of a corpus of the hub are measured at the end of a training: those that it has, and
without a network those that are here."""

from __future__ import annotations

import hub_server
import pytest
import standin_corpora
from machines import Machine
from workspaces import SMALL, assert_measured, assert_refused, run_directories

_FULL, _WITHOUT = "openslr/librispeech_asr", "anna/no-test-split"
_TRAINING = SMALL.replace("data.synthesis.train_sentences=24", "data.train_splits=[train.100]")


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    cache = tmp_path_factory.mktemp("served")
    standin_corpora.install_librispeech(cache, _FULL)
    snapshot = standin_corpora.install_librispeech(cache, _WITHOUT)
    for test in snapshot.glob("*/test/*.parquet"):
        test.unlink()
    with hub_server.serving(cache) as served:
        yield served


def train(machine: Machine, name: str, *more: str):
    """A training on a corpus of the hub: how it ended, and what it fetched of that."""
    words = f"train data.dataset_name={name} data.dataset_configs=[clean] {_TRAINING}"
    done = machine.mynah(*words.split(), *more)
    return done, [one for one in machine.hub.given() if one.endswith(".parquet")]


def test_a_test_split_that_is_not_here_is_left_out_without_a_network(hub, tmp_path):
    machine = Machine(tmp_path, hub)
    done, fetched = train(machine, _FULL, "data.test_splits=[]")
    assert done.returncode == 0, done.stdout + done.stderr
    assert fetched == ["clean/train.100/0000.parquet", "clean/validation/0000.parquet"]
    done, _ = train(machine, _FULL, "offline=true")
    assert done.returncode == 0, done.stdout + done.stderr
    assert machine.hub.asked == []
    assert_measured(run_directories(tmp_path)[-1], {"validation": 4})
    # Who names it wants it.
    done, _ = train(machine, _FULL, "offline=true", "data.test_splits=[test]")
    assert_refused(done, "clean/test/0000.parquet is not on this machine", "mynah prefetch")


@pytest.mark.long
def test_one_that_the_hub_has_is_fetched_and_measured(hub, tmp_path):
    done, fetched = train(Machine(tmp_path, hub), _FULL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "clean/test/0000.parquet" in fetched
    assert_measured(run_directories(tmp_path)[-1], {"validation": 4, "test": 4})


@pytest.mark.long
def test_a_corpus_of_the_hub_without_a_test_split_is_measured_on_its_validation(hub, tmp_path):
    machine = Machine(tmp_path, hub)
    done, _ = train(machine, _WITHOUT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_measured(run_directories(tmp_path)[-1], {"validation": 4})
    done, _ = train(machine, _WITHOUT, "data.test_splits=[test]")
    assert_refused(done, f"{_WITHOUT} has no split 'test'", "data.test_splits")
