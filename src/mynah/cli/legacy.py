"""The command line of ``src/train.py``: a legacy JSON file, run as it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mynah.cli.shared.command_line import command_line
from mynah.cli.shared.entry import job
from mynah.cli.shared.exit_status import exit_status
from mynah.config.hydra.compose import compose
from mynah.config.legacy.files import read_legacy, report
from mynah.config.settings import find
from mynah.config.values import argument
from mynah.errors import ConfigErrors, UserError

_USAGE = "python src/train.py FILE.json [--eval CHECKPOINT] [KEY=VALUE ...]"
_TAKE_A_VALUE = (
    "--cfg", "-c", "--info", "-i", "--package", "-p", "--config-dir", "-cd", "--config-name", "-cn",
    "--config-path", "-cp",
)  # fmt: skip


def train_command(argv: Sequence[str]) -> int:
    """``python src/train.py``: train as a legacy file says, or measure a checkpoint.

    Args:
        argv: FILE.json, and where wanted ``--eval CHECKPOINT`` and overrides.

    Returns:
        The exit status.
    """

    def run() -> int:
        typed, flags, overrides = _arguments(argv)
        experiment = read_legacy(Path(typed))
        try:
            compose(experiment.overrides)
        except ConfigErrors as problem:
            raise experiment.in_terms_of_the_file(problem) from problem
        if not flags:
            report(experiment)
        return command_line(
            job,
            [*flags, *experiment.overrides, *overrides],
            program="python src/train_hydra.py",
        )

    def requeues() -> bool:
        typed, _, overrides = _arguments(argv)
        experiment = read_legacy(Path(typed))
        return compose([*experiment.overrides, *overrides]).config.training.requeue

    return exit_status(run, requeues=requeues)


def _arguments(argv: Sequence[str]) -> tuple[str, list[str], list[str]]:
    """The file, flags for Hydra, and overrides."""
    files: list[str] = []
    flags: list[str] = []
    overrides: list[str] = []
    rest = list(argv)
    while rest:
        token = rest.pop(0)
        name, equals, value = token.partition("=")
        if name == "--eval":
            if not equals and not rest:
                raise UserError("--eval needs a checkpoint behind it.", fix=_USAGE)
            overrides.append(argument("eval_checkpoint", value if equals else rest.pop(0)))
        elif token.startswith("-"):
            flags.append(token)
            if token in _TAKE_A_VALUE and rest:
                flags.append(rest.pop(0))
        elif equals and find(name.lstrip("+")) is not None:
            overrides.append(token)  # whatever its value ends in
        elif token.endswith(".json") or (not files and not equals):
            files.append(token)
        else:
            overrides.append(token)
    if len(files) != 1:
        what = "No file was named." if not files else f"One file at a time: {', '.join(files)}."
        known = sorted(Path("configs/experiments").glob("*.json"))
        fix = _USAGE + (f"\n         there are: {', '.join(map(str, known))}" if known else "")
        raise UserError(what, fix=fix)
    return files[0], flags, overrides
