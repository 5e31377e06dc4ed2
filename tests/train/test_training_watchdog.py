"""A loader that is stuck ends a training with a message, and does not hang it."""

from __future__ import annotations

import os

import pytest
from training_fakes import TinyCorpus, tiny_config, tiny_train

from mynah.checkpoints.commit import intact_checkpoints
from mynah.errors import UserError


class StuckCorpus(TinyCorpus):
    """Reading one row opens a pipe that nobody writes to."""

    def __init__(self, pipe, row=7):
        super().__init__()
        self.pipe, self.row = pipe, row

    def read_audio(self, row):
        if row == self.row:
            with open(self.pipe, "rb") as file:  # noqa: PTH123 - as a decoder opens it
                file.read()
        return super().read_audio(row)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_stuck_read_is_named_and_ends_the_training(tmp_path, workers, capsys):
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    config = tiny_config(
        loader_timeout_seconds=1.0, dataloader_num_workers=workers, save_steps=1, eval_steps=1
    )
    with pytest.raises(UserError, match="reading is stuck") as caught:
        tiny_train(tmp_path / "model", config, corpus=StuckCorpus(pipe))
    assert "utterance-" in caught.value.where
    assert "resume_from_checkpoint=last" in caught.value.fix
    assert "Waiting for data since" in capsys.readouterr().out
    full = intact_checkpoints(tmp_path / "model")
    assert all(path.name.startswith("checkpoint-") for path in full)


def test_a_training_that_gets_its_batches_is_left_alone(tmp_path):
    _, result = tiny_train(tmp_path / "model", tiny_config(loader_timeout_seconds=30.0))
    assert result.steps == 8
    _, result = tiny_train(tmp_path / "unwatched", tiny_config(loader_timeout_seconds=0.0))
    assert result.steps == 8
