"""``mynah migrate``: a legacy JSON file as the experiment YAML that means the same."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from mynah.config.hydra.compose import compose
from mynah.config.legacy.files import Experiment, read_legacy, report
from mynah.config.values import argument
from mynah.errors import ConfigErrors, UserError

USAGE = "mynah migrate FILE.json [-o experiments/NAME.yaml]   (-o -: print it)"
_EXPERIMENTS = Path("configs/hydra/experiments")
_IN_A_CLONE = "python src/train_hydra.py"


def migrate(argv: Sequence[str]) -> None:
    """Write the experiment, and print what became of every key.

    Args:
        argv: FILE.json, and where wanted ``-o TARGET``.

    Raises:
        UserError: The file is wrong, or the target exists or could not be found as an
            experiment.
    """
    file, target = _arguments(argv)
    experiment = read_legacy(file)
    try:
        compose(experiment.overrides)
    except ConfigErrors as problem:
        raise experiment.in_terms_of_the_file(problem) from problem
    if target == "-":
        sys.stdout.write(to_yaml(experiment, file.stem))
        return
    path = Path(target) if target else _EXPERIMENTS / f"{_name(file)}.yaml"
    _check_target(path, file)
    header = experiment_command(path, _IN_A_CLONE)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as handle:  # never over a file that is there
            handle.write(to_yaml(experiment, path.stem, header))
    except FileExistsError as problem:
        raise _exists(path, file) from problem
    except OSError as problem:
        raise UserError(
            f"{path} cannot be written: {problem.strerror or problem}.",
            fix=_again(file, Path("ELSEWHERE", "experiments", path.name)),
        ) from problem
    report(experiment)
    from mynah import console

    program = _IN_A_CLONE if Path("src/train_hydra.py").is_file() else "mynah train"
    console.say(f"Written: {path}")
    console.say(f"Run it:  {experiment_command(path, program)}")


def to_yaml(experiment: Experiment, name: str, command: str | None = None) -> str:
    """The experiment's file: header with its command, groups, settings, what was left out."""
    lines = [
        "# @package _global_",
        "#",
        f"# What {Path(experiment.source).name} said, written by `mynah migrate`.",
        "#",
        f"#   {command or f'{_IN_A_CLONE} {_chosen(name)}'}",
        "",
        "defaults:  # what the file does not say comes from these",
        *(f"  - override /{group}: {option}" for group, option in experiment.groups.items()),
    ]
    comments = {setting: reason for setting, _, reason in experiment.implied}
    for found in experiment.fates:
        for setting, _ in found.settings:
            if found.kind != "honoured":
                comments[setting] = f"{found.kind} from {found.key}: {found.reason}"
    tree: dict[str, Any] = {}
    for setting, value in experiment.settings.items():
        *sections, leaf = setting.split(".")
        place = tree
        for section in sections:
            place = place.setdefault(section, {})
        place[leaf] = _Leaf(value, comments.get(setting))
    for section in sorted(tree, key=lambda name: isinstance(tree[name], dict)):
        lines += ["", *_branch({section: tree[section]}, 0)]
    dropped = [found for found in experiment.fates if not found.settings]
    if dropped:
        lines += ["", f"# In {Path(experiment.source).name}, and without effect here:"]
        lines += [
            # A key too may have line ends.
            f"#   {json.dumps(found.key, ensure_ascii=False)[1:-1]}: "
            f"{json.dumps(found.value, ensure_ascii=False)}  ({found.reason})"
            for found in dropped
        ]
    return "\n".join([*lines, ""])


def experiment_command(path: Path, program: str) -> str:
    """The command that runs the experiment in a file.

    Args:
        path: The file.
        program: What is typed before its arguments.
    """
    folder = path.absolute().parent.parent
    if folder == (Path.cwd() / _EXPERIMENTS.parent):
        return f"{program} {_chosen(path.stem)}"
    shown = shlex.quote(str(path.parent.parent))
    return f"{program} --config-dir {shown} {_chosen(path.stem)}"


def _chosen(name: str) -> str:
    return shlex.quote(argument("+experiments", name))


def _again(file: Path, target: Path) -> str:
    return shlex.join(["mynah", "migrate", str(file), "-o", str(target)])


class _Leaf:
    def __init__(self, value: Any, comment: str | None) -> None:
        self.value = value
        self.comment = comment


def _branch(tree: dict[str, Any], depth: int) -> list[str]:
    lines = []
    for name, below in tree.items():
        if isinstance(below, dict):
            lines += [f"{'  ' * depth}{name}:", *_branch(below, depth + 1)]
        else:
            text = f"{'  ' * depth}{name}: {_yaml_value(below.value)}"
            lines.append(f"{text}  # {below.comment}" if below.comment else text)
    return lines


def _yaml_value(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def _arguments(argv: Sequence[str]) -> tuple[Path, str | None]:
    files, target = [], None
    rest = list(argv)
    while rest:
        token = rest.pop(0)
        if token in ("-o", "--output") and rest:
            target = rest.pop(0)
        elif token.startswith("--output="):
            target = token.partition("=")[2]
        elif token.startswith("-"):
            raise UserError(f"{token} is not a flag of this command.", fix=USAGE)
        else:
            files.append(token)
    if len(files) != 1:
        raise UserError("One JSON file is to be named.", fix=USAGE)
    return Path(files[0]), target


def _name(file: Path) -> str:
    """The file's name as Hydra takes an experiment's."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", file.stem).strip("_") or "experiment"


def _check_target(path: Path, file: Path) -> None:
    if path.exists():
        raise _exists(path, file)
    if path.suffix != ".yaml" or path.absolute().parent.name != "experiments":
        raise UserError(
            "An experiment is a .yaml file in a folder named experiments.",
            where=f"-o {path}",
            fix=_again(file, path.parent / "experiments" / f"{path.stem}.yaml"),
        )


def _exists(path: Path, file: Path) -> UserError:
    number = 2
    while (other := path.with_name(f"{path.stem}_{number}.yaml")).exists():
        number += 1
    return UserError(
        f"{path} exists; it was left as it is.",
        fix=_again(file, other),
    )
