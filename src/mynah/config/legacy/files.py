"""Legacy JSON files: read, accounted for key by key, and given as settings."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mynah.config.legacy.keys import Fate, base_groups, fate, nearest_key, settled
from mynah.config.mistakes.way_out import way_out
from mynah.config.mistakes.yaml_file import load_yaml
from mynah.config.plugins.metrics import LOSS
from mynah.config.settings import find
from mynah.config.values import argument, typed, value_mistake
from mynah.errors import ConfigError, ConfigErrors, UserError

_TRANSFORMERS_DEFAULT = "not in the file: transformers' own default, which it relied on"


@dataclass(frozen=True)
class Experiment:
    """What a legacy file means.

    Attributes:
        source: The file, as typed.
        fates: What becomes of each key, in the file's order.
        lines: The line of each key, from 1.
        groups: The groups that say what the file does not.
        implied: Settings that follow from what the file leaves out, with the reason.
    """

    source: str
    fates: tuple[Fate, ...]
    lines: dict[str, int] = field(repr=False)
    groups: dict[str, str]
    implied: tuple[tuple[str, Any, str], ...] = ()

    @property
    def settings(self) -> dict[str, Any]:
        """All settings by dotted name."""
        own = {name: value for found in self.fates for name, value in found.settings}
        return {name: value for name, value, _ in self.implied} | own

    @property
    def overrides(self) -> list[str]:
        """The file as arguments of ``train_hydra.py``."""
        chosen = [f"{group}={name}" for group, name in self.groups.items() if name != "default"]
        return chosen + [_argument(name, value) for name, value in self.settings.items()]

    def where(self, key: str) -> str:
        return f"{self.source}:{self.lines[key]}"

    def in_terms_of_the_file(self, problem: ConfigErrors) -> ConfigErrors:
        """Mistakes that were found in the overrides, reported as what stands in the file."""
        by_text = {}
        for found in self.fates:
            for name, value in found.settings:
                by_text[f"command line: {_argument(name, value)}"] = found
        errors: list[UserError] = []
        for error in problem.errors:
            blamed = by_text.get(error.where or "")
            if blamed is None:
                errors.append(error)
                continue
            instead = getattr(error, "instead", None)
            fix = error.fix
            if instead:
                fix = f"write {_as_json(instead, blamed)} in {self.source}"
            errors.append(ConfigError(error.what, where=self.where(blamed.key), fix=fix))
        return ConfigErrors(errors)


def read_legacy(path: Path, shown: str | None = None) -> Experiment:
    """Read a legacy file and account for each of its keys.

    Args:
        path: The file.
        shown: How it is called in messages; None: as ``path``.

    Raises:
        UserError: It cannot be read, is not a flat JSON object, or has unknown keys.
        ConfigErrors: Values of the wrong type or out of range.
    """
    source = shown or str(path)
    text = _text_of(path, source)
    content = _parse(text, source)
    lines = _lines_of(text, content)
    fates, unknown = [], []
    for key, value in content.items():
        found = fate(key, value, content)
        if found is None:
            unknown.append(key)
        else:
            fates.append(found)
    if unknown:
        raise ConfigErrors(
            [_unknown(key, content[key], f"{source}:{lines[key]}") for key in unknown]
        )
    made = Experiment(source, tuple(settled(fates)), lines, base_groups(content), _implied(content))
    mistakes = [error for found in fates for error in _value_mistakes(found, made)]
    if mistakes:
        raise ConfigErrors(mistakes)
    return made


def report(experiment: Experiment) -> None:
    """Print what becomes of every key."""
    from mynah import console

    rows = [[found.key, found.kind, _becomes(found)] for found in experiment.fates]
    rows += [
        ["(not in the file)", "implied", f"{_argument(name, value)}: {reason}"]
        for name, value, reason in experiment.implied
    ]
    console.table(
        f"{experiment.source}: {len(experiment.fates)} keys",
        ["key", "is", "value, or what it is now"],
        rows,
    )
    groups = " ".join(f"{group}={name}" for group, name in experiment.groups.items())
    console.say(f"What the file does not say comes from {groups}.")


def _text_of(path: Path, source: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as problem:
        beside = sorted(found.name for found in path.parent.glob("*.json"))
        there = f"there are in {path.parent}: {', '.join(beside)}" if beside else None
        raise UserError(f"There is no file {source}.", fix=there) from problem
    except IsADirectoryError as problem:
        raise UserError(f"{source} is a directory.", fix="name a JSON file in it") from problem
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "it is not UTF-8 text"
        raise UserError(f"{source} cannot be read: {reason}.") from problem


def _parse(text: str, source: str) -> dict[str, Any]:
    duplicates: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in found]
        duplicates.extend(key for key in dict.fromkeys(keys) if keys.count(key) > 1)
        return dict(found)

    def constant(name: str) -> float:
        raise UserError(f"{name} is not a number that a setting can have.", where=source)

    if Path(source).suffix in (".yaml", ".yml"):
        name = Path(source).stem
        raise UserError(
            f"{source} is YAML; this command takes legacy JSON files.",
            fix=f"python src/train_hydra.py +experiments={name}",
        )
    try:
        content = json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except json.JSONDecodeError as problem:
        raise UserError(
            f"The JSON is broken: {_syntax_mistake(text, problem)}.",
            where=f"{source}:{problem.lineno}",
            fix=f"fix the line: {text.splitlines()[problem.lineno - 1].strip()}"
            if text.strip()
            else "the file is empty",
        ) from problem
    if not isinstance(content, dict):
        raise UserError(
            "The file is not a JSON object.", where=source, fix='write {"key": value, ...}'
        )
    if duplicates:
        key = duplicates[0]
        at = [
            text[: m.start()].count("\n") + 1
            for m in re.finditer(re.escape(json.dumps(key)) + r"\s*:", text)
        ]
        raise UserError(
            f'The key "{key}" stands there more than once.',
            where=f"{source}, lines {', '.join(map(str, at))}" if at else source,
            fix="keep the one that is meant",
        )
    return content


def _syntax_mistake(text: str, problem: json.JSONDecodeError) -> str:
    before = text[: problem.pos].rstrip()
    after = text[problem.pos :].lstrip()
    if "trailing comma" in problem.msg or (before.endswith(",") and after[:1] in ("}", "]")):
        return "a comma stands before the closing bracket"
    if after.startswith(("//", "/*", "#")):
        return "JSON has no comments"
    if after.startswith("'"):
        return "JSON has double quotes alone"
    for word in ("True", "False", "None"):
        if after.startswith(word):
            return f"it is {word.lower() if word != 'None' else 'null'} in JSON, not {word}"
    return f"{problem.msg[0].lower()}{problem.msg[1:]}, column {problem.colno}"


def _lines_of(text: str, content: dict[str, Any]) -> dict[str, int]:
    """The line of each key of the object, from 1."""
    decoder = json.JSONDecoder()
    skip = re.compile(r"[\s,:]*")
    position = text.index("{") + 1
    lines = {}
    for _ in content:
        position = skip.match(text, position).end()  # type: ignore[union-attr]
        line = text.count("\n", 0, position) + 1
        key, position = decoder.raw_decode(text, position)
        position = skip.match(text, position).end()  # type: ignore[union-attr]
        _, position = decoder.raw_decode(text, position)
        lines[key] = line
    return lines


def _unknown(key: str, value: Any, where: str) -> ConfigError:
    if isinstance(value, dict):
        return ConfigError(
            f'"{key}" holds an object; a legacy file is flat.',
            where=where,
            fix="write its keys beside the others",
        )
    near = nearest_key(key)
    return ConfigError(
        f'The key "{key}" is unknown.',
        where=where,
        fix=f"did you mean {' or '.join(map(json.dumps, near))}?" if near else "remove it",
    )


def _value_mistakes(found: Fate, experiment: Experiment) -> list[ConfigError]:
    errors = []
    for name, value in found.settings:
        setting = find(name)
        assert setting is not None, name
        mistake = value_mistake(setting, name, value)
        if mistake is not None:
            written = _as_json(f"{name}={mistake.instead}", found)
            fix = way_out(mistake, setting, json.dumps(found.key), written)
            errors.append(ConfigError(mistake.what, where=experiment.where(found.key), fix=fix))
    return errors


def _implied(content: dict[str, Any]) -> tuple[tuple[str, Any, str], ...]:
    """What a missing key meant to the legacy trainer, where our groups mean another thing.

    It handed its keys to TrainingArguments, where the best checkpoint is not chosen unless
    asked for; our groups do, and then saving has to go with measuring. Where it is asked for,
    the evaluation loss chooses it, unless another metric is named.
    """
    name, metric = "load_best_model_at_end", "metric_for_best_model"
    if content.get(name) and metric not in content:
        return ((f"training.{metric}", LOSS, _TRANSFORMERS_DEFAULT),)
    steps = ("eval_strategy", "evaluation_strategy", "save_strategy", "eval_steps", "save_steps")
    if name in content or not any(key in content for key in steps):
        return ()
    return ((f"training.{name}", False, _TRANSFORMERS_DEFAULT),)


def _argument(name: str, value: Any) -> str:
    if isinstance(value, float) and value == value:
        return f"{name}={value!r}"
    return argument(name, value)


def _as_json(instead: str, found: Fate) -> str:
    """``training.max_steps=5 …`` as it is written in the file."""
    name, _, value = instead.partition("=")
    same = [key for key, _ in found.settings if key == name]
    key = found.key if same else name.rpartition(".")[2]
    if re.fullmatch(r"\[.*\]", value):
        value = json.dumps(load_yaml(value), ensure_ascii=False)
    elif not re.fullmatch(r"true|false|null|[-+0-9.eE]+", value):
        value = json.dumps(value)
    return f'"{key}": {value}'


def _becomes(found: Fate) -> str:
    if found.kind == "honoured":
        return typed(found.value)
    made = ", ".join(_argument(name, value) for name, value in found.settings)
    return ": ".join(part for part in (made, found.reason) if part)
