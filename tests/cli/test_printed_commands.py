"""A corrected command that is printed works when it is pasted: it leads to no next mistake."""

from __future__ import annotations

import shlex
from functools import cache
from pathlib import Path

import pytest

from mynah.cli.shared.command_line import CommandLine
from mynah.cli.shared.settings import read_settings
from mynah.config.hydra.compose import compose
from mynah.config.hydra.flags import parse_flags
from mynah.config.settings import all_settings
from mynah.errors import ConfigErrors


def _mistake(arguments: list[str]) -> ConfigErrors | None:
    """What `mynah train` answers to these arguments; None where nothing is wrong."""
    line = CommandLine(arguments, "mynah train")
    try:
        flags, overrides = parse_flags(arguments)
        line._compose(flags, overrides)
    except ConfigErrors as problem:
        return problem if problem.command else line.with_command(problem.errors)
    return None


def _typed(arguments: list[str]) -> str | None:
    """The command that is printed for these arguments; None where nothing is wrong."""
    problem = _mistake(arguments)
    if problem is None:
        return None
    assert problem.command is not None, str(problem)
    return problem.command


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


# For each kind of setting: what is not of its type, or not in its range.
NO_VALUES = ("nosuch", "nan", "null", "[a,b]", "-7")
# Names of plug-ins, and of a bucket of one's own: what to type nobody else knows.
_OF_OTHERS = {"data.augmentation.options", "evaluation.options", "training.mirror"}


@cache
def _one_of_each_kind() -> list[str]:
    """A setting of each type, range and kind of choices."""
    kinds = {}
    for name, setting in all_settings().items():
        known = {key: setting.metadata.get(key) for key in ("minimum", "maximum", "words")}
        kind = (str(setting.type), bool(setting.choices), setting.default is None, str(known))
        kinds.setdefault(kind, name)
    return [name for name in kinds.values() if name not in _OF_OTHERS]


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(all_settings().keys() - _OF_OTHERS))
def test_whatever_is_typed_for_a_setting_the_printed_command_works(name):
    for value in NO_VALUES:
        command = _typed([f"{name}={value}"])
        if command is not None:
            assert _mistake(shlex.split(command)[2:]) is None, (value, command)


@pytest.mark.parametrize(
    "name",
    [*_one_of_each_kind(), "training.eval_steps", "training.save_steps", "training.eval_strategy"],
)
def test_of_each_kind_of_setting_the_printed_command_works(name):
    command = _typed([f"{name}='it''s'"])
    assert command is not None and _mistake(shlex.split(command)[2:]) is None, command


@pytest.mark.parametrize(
    "arguments",
    [
        ["training.save_steps=nan", "training.eval_steps=9"],
        ["training.eval_strategy=never", "+experiments=tset"],
        ["--learning-rate", "nan", "model=smal"],
        ["training.max_steps=0", "training.num_train_epochs=0", "data.min_audio_seconds=1e30"],
        [
            "model=large",
            "model.use_lora=maybe",
            "training.save_strategy=best",
            "data.train_split=x",
        ],
    ],
)
def test_of_several_mistakes_at_once_the_printed_command_works(arguments):
    command = _typed(arguments)
    assert command is not None and _mistake(shlex.split(command)[2:]) is None, command


def test_a_mistake_of_a_file_leaves_the_command_line_s_correction(tmp_path, monkeypatch):
    (tmp_path / "experiments").mkdir()
    file = tmp_path / "experiments" / "mine.yaml"
    file.write_text("# @package _global_\ntraining:\n  max_stebs: 3\n")
    arguments = ["--config-dir", str(tmp_path), "+experiments=mine", "training.learning_rate=30"]
    problem = _mistake(arguments)
    assert problem is not None and len(problem.errors) == 2
    assert shlex.split(str(problem.command))[2:] == [*arguments[:3], "training.learning_rate=1"]


@pytest.mark.parametrize(
    "mistake",
    [
        *MISTAKES,
        *(pytest.param(one, marks=pytest.mark.long) for one in _wrong_values()),
    ],
)
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
