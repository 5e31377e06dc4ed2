"""A corrected command that is printed works when it is pasted: it leads to no next mistake."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from mynah.cli.command_line import CommandLine
from mynah.cli.settings import read_settings
from mynah.config.hydra.compose import compose
from mynah.config.hydra.flags import parse_flags
from mynah.config.settings import all_settings
from mynah.errors import ConfigErrors


def _typed(arguments: list[str]) -> str | None:
    """The command that is printed for these arguments; None where nothing is wrong."""
    line = CommandLine(arguments, "mynah train")
    flags, overrides = parse_flags(arguments)
    try:
        line._compose(flags, overrides)
    except ConfigErrors as problem:
        command = problem.command
        assert command is not None, str(problem)
        return command
    return None


def _wrong_values() -> list[str]:
    """For each setting with a range or choices a value outside, and for lists one that is none."""
    wrong = []
    for name, setting in all_settings().items():
        low, high = setting.metadata.get("minimum"), setting.metadata.get("maximum")
        if setting.choices:
            wrong.append(f"{name}=no_such_choice")
        if low is not None:
            wrong.append(f"{name}={low - 1:g}")
        if high is not None:
            wrong.append(f"{name}={high + 1:g}")
    return wrong


MISTAKES = [
    *_wrong_values(),
    "data.streaming=true",
    "training.eval_strategy=no",
    "training.save_strategy=no",
    "training.eval_steps=7",
    "training.max_steps=0",
    "training.max_time=soon",
    "training.optim=adaam",
    "training.report_to=[tensorbord]",
    "training.bf16=yes",
    "training.warmup_ratio=0.1",
    "training.evaluation_strategy=steps",
    "data.eval_splits=[]",
    "data.eval_splits=train[:5]",
    "data.train_splits=[]",
    "data.dataset_name=it's",
    "data.max_audio_seconds=0.05",
    "data.max_text_word=3",
    "model.encoder.hidden_size=177",
    "model.encoder.conv_kernel_size=8",
    "model.encoder.subsampling_factor=6",
    "model.encoder_tuning=frozen",
    "model.quantization=4bit",
    "model.architecture=wav2vec2",
    "modle=small",
    "model=smal",
    "experiments=test",
    "+experiments=tset",
]  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_printed_command_works(mistake):
    command = _typed([mistake])
    if command is not None:
        program, *arguments = shlex.split(command)
        assert program == "mynah"
        assert _typed(arguments[1:]) is None, command


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("data.eval_splits=test", ["test"]),
        ("data.eval_splits=[a,b]", ["a", "b"]),
        ("data.eval_splits=null", None),
        ("data.eval_splits='test[:5]'", ["test[:5]"]),
        ("data.eval_splits=auto", ["auto"]),
    ],
)
def test_one_split_stands_for_a_list_of_one(typed, value):
    assert compose([typed]).config.data.eval_splits == value


def test_swept_lists_are_written_in_brackets():
    command = _typed(["-m", "data.eval_splits=a,b"])
    assert command == "mynah train -m 'data.eval_splits=[a],[b]'"
    assert _typed(shlex.split(command)[2:]) is None


@pytest.mark.parametrize("path", ["a=b", "runs/a=b/model", "./a=b"])
def test_a_checkpoint_s_path_may_hold_an_equals_sign(path):
    assert compose([f"eval_checkpoint={path}"]).config.eval_checkpoint == path


def test_data_that_nothing_is_measured_on_are_prepared_without_a_word_on_training(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("recordings").mkdir()
    composed = read_settings(
        ["recordings", "data.eval_splits=[]"], "mynah data prepare", trains=False
    )
    assert composed.config.data.eval_splits == []
    with pytest.raises(ConfigErrors, match="nothing to evaluate on"):
        read_settings(["recordings", "data.eval_splits=[]"], "mynah prefetch")
