"""What a run says of its model before anything is spent."""

from __future__ import annotations

import numpy as np
import pytest

from mynah.runs.summary import Outlook, eval_command, summarize


class Hour:
    """Two utterances of half an hour."""

    durations = np.array([1800.0, 1800.0])

    def __len__(self) -> int:
        return 2


@pytest.mark.parametrize(
    "parts, rows",
    [
        ([("model", 1000, 10)], []),
        ([("encoder", 600, 600), ("projector", 400, 400)], []),
        ([("encoder", 900, 0), ("projector", 100, 100)], ["encoder", "projector"]),
    ],
)
def test_parts_have_rows_where_there_are_several_and_not_all_is_trained(parts, rows, capsys):
    summarize(
        Outlook(
            model="a model", parameters=parts, training=Hour(), hours=1.0,
            streamed=False, evaluation={}, tests={}, steps=3, batches_per_epoch=2, padding=0.01,
            device="CPU", seconds_per_step=20.0, peak_bytes=2.0**30,
        )
    )  # fmt: skip
    said = capsys.readouterr().out
    shown = [line.split("│")[1].strip() for line in said.splitlines() if line.startswith("│")]
    assert shown[1 : 1 + len(rows)] == rows and shown[1 + len(rows)] == "training"
    assert f"a model: 1,000 parameters, {sum(part[2] for part in parts):,} trained" in said
    assert "1.0 minutes of training" in said and "2 utterances, 1.00 h" in said


@pytest.mark.parametrize(
    ("script", "checkpoint", "command"),
    [
        ("src/train_hydra.py", "out/a", "python src/train_hydra.py eval_checkpoint=out/a"),
        ("src/train.py", "out/a", "python src/train_hydra.py eval_checkpoint=out/a"),
        (
            "/my x/src/train_hydra.py",
            "out/a",
            "python '/my x/src/train_hydra.py' eval_checkpoint=out/a",
        ),
        (
            "src/train_hydra.py",
            "my out/a=1",
            "python src/train_hydra.py 'eval_checkpoint=\"my out/a=1\"'",
        ),
        ("/env/bin/mynah", "my out/a", "mynah eval 'my out/a'"),
        ("/env/lib/mynah/cli/__main__.py", "out/a", "mynah eval out/a"),
    ],
)
def test_the_command_that_measures_again_can_be_pasted(monkeypatch, script, checkpoint, command):
    monkeypatch.delenv("HATCH_ENV_ACTIVE", raising=False)
    monkeypatch.setattr("sys.argv", [script])
    assert eval_command(checkpoint) == command
