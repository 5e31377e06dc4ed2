"""A training is not resumed from a checkpoint whose state was tampered with; it says so."""

from __future__ import annotations

import json

import pytest
from training_fakes import tiny_config, tiny_train

from mynah.checkpoints import commit
from mynah.errors import UserError

STATE = ("mynah.json", "optimizer.json", "scheduler.json", "trainer_state.json")
CONTENTS = {
    "null": "null",
    "list": "[]",
    "number": "1",
    "text": '"x"',
    "cut": '{"a": ',
    "nothing in it": "{}",
    "deep": "[" * 50_000 + "]" * 50_000,
    "another shape": '{"training": {"settings": 7, "world_size": "x"}, "step": [], "epoch": {}}',
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """The middle of a short training."""
    output = tmp_path_factory.mktemp("training") / "model"
    tiny_train(output, tiny_config(max_steps=4, save_steps=2))
    return output / "checkpoint-2"


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("file", STATE)
def test_state_of_another_shape_is_refused(file, content, checkpoint, tmp_path):
    import shutil

    folder = tmp_path / "model" / "checkpoint-2"
    shutil.copytree(checkpoint, folder)
    matching = [path for path in folder.iterdir() if path.name == file]
    assert matching, file
    (folder / file).write_text(CONTENTS[content])
    # The sums agree: whoever edits a file edits the list too.
    commit.write_sums(folder)
    with pytest.raises(UserError) as caught:
        tiny_train(tmp_path / "model", tiny_config(max_steps=4, save_steps=2), resume=folder)
    assert str(folder) in str(caught.value)
    assert json.loads((checkpoint / "mynah.json").read_text())["step"] == 2
