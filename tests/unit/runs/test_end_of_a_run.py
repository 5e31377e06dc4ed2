"""How a run ended is written down, and what cannot be written hides nothing."""

from __future__ import annotations

import errno

import pytest

from mynah.config.schema import Config
from mynah.runs import record
from mynah.stopping.signals import Interrupted


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError("the first"), "failed"), (Interrupted("SIGTERM"), "interrupted")],
)
def test_the_end_is_in_the_record(tmp_path, error, status):
    with pytest.raises(type(error)), record.RunRecord.of_run(tmp_path, Config()):
        raise error
    assert record.read_record(tmp_path)["status"] == status


@pytest.mark.parametrize("error", [ValueError("the first"), Interrupted("SIGTERM")])
def test_a_record_that_cannot_be_written_hides_no_error_and_leaves_no_lock(
    tmp_path, monkeypatch, error
):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with (
        monkeypatch.context() as patch,
        pytest.raises(type(error)) as caught,
        record.RunRecord.of_run(tmp_path, Config()),
    ):
        patch.setattr(record, "write_json", full)
        raise error
    assert caught.value is error
    record.RunRecord.start(tmp_path, Config()).finish("done")  # nothing holds its model directory
