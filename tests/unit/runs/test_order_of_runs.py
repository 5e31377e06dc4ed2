"""Which run is the last one: by the order in which they began, whatever clocks say."""

import json
import os
from pathlib import Path

import pytest

from mynah.checkpoints import find
from mynah.checkpoints.commit import write_sums
from mynah.config.schema import Config
from mynah.errors import UserError
from mynah.runs import directory as runs_directory
from mynah.runs.record import RunRecord, identity, read_record


def trained(outputs: Path, name: str, steps: list[int], changed: float, config: Config) -> Path:
    """A run that began now and saved at some steps, at a time that a clock made up."""
    run = outputs / name
    run.mkdir(parents=True, exist_ok=True)
    record = RunRecord.start(run, config, runs_directory.next_order(outputs))
    for step in steps:
        checkpoint = run / "model" / f"checkpoint-{step}"
        checkpoint.mkdir(parents=True, exist_ok=True)
        (checkpoint / "config.json").write_text("{}")
        write_sums(checkpoint)
        for path in (checkpoint / "SHA256SUMS", checkpoint):
            os.utime(path, (changed, changed))
        changed -= 60  # the clock runs backwards
    record.finish("done")
    return run


def last(outputs: Path, config: Config) -> str:
    return str(find.find_last(outputs, identity(config)).relative_to(outputs))


@pytest.mark.parametrize("now", [1_000_000.0, 2_000_000.0, 3_000_000.0])
def test_last_is_the_run_that_began_last_though_a_clock_was_set_back(tmp_path, now):
    config = Config()
    trained(tmp_path, "day/one", [5, 10], 2_000_000.0, config)
    trained(tmp_path, "day/two", [2, 4], now, config)
    assert last(tmp_path, config) == "day/two/model/checkpoint-4"


def test_a_run_that_was_resumed_is_the_last_again(tmp_path):
    config = Config()
    trained(tmp_path, "day/one", [5], 3_000_000.0, config)
    trained(tmp_path, "day/two", [8], 2_000_000.0, config)
    trained(tmp_path, "day/one", [10], 1_000_000.0, config)
    assert last(tmp_path, config) == "day/one/model/checkpoint-10"
    orders = [read_record(tmp_path / "day" / name)["order"] for name in ("one", "two")]
    assert orders == [3, 2]


def test_a_run_of_a_version_that_did_not_count_comes_before_those_that_did(tmp_path):
    config = Config()
    old = trained(tmp_path, "day/old", [9], 9_000_000.0, config)
    written = json.loads((old / "run.json").read_text())
    del written["order"]
    (old / "run.json").write_text(json.dumps(written))
    trained(tmp_path, "day/new", [1], 1_000_000.0, config)
    assert last(tmp_path, config) == "day/new/model/checkpoint-1"


def test_checkpoints_are_named_newest_first_by_the_same_order(tmp_path):
    trained(tmp_path / "outputs", "day/one", [5], 3_000_000.0, Config())
    trained(tmp_path / "outputs", "day/two", [2, 4], 2_000_000.0, Config())
    with pytest.raises(UserError) as problem:
        find.resolve_checkpoint("outputs/none", tmp_path)
    named = [line.split("=")[1] for line in str(problem.value.fix).splitlines()[1:]]
    assert named == [
        f"outputs/day/{place}" for place in (
            "two/model/checkpoint-4", "two/model/checkpoint-2", "one/model/checkpoint-5",
        )
    ]  # fmt: skip
