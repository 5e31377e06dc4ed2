"""The configuration reference, from the schema: ``python -m mynah.config.reference PATH``."""

from __future__ import annotations

import dataclasses
import sys
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mynah.config.schema import Config
from mynah.config.settings import Setting, all_settings, describe_values
from mynah.config.trainer_fields.disposition import GONE, UPSTREAM_DISPOSITION
from mynah.config.values import typed

_HEAD = """\
# Configuration reference

Every setting, generated from `src/mynah/config/schema/` (`hatch run docs`); do not edit by hand.

The defaults here are the schema's. The groups in `configs/hydra/` set others: `mynah config
explain` shows the effective value of each setting and the file and line that set it, and
`--cfg job` the full configuration. A value is set in YAML, by an experiment, or on the command
line:

```bash
python src/train_hydra.py training.learning_rate=1e-4 model.encoder.layers=6
mynah train training.learning_rate=1e-4 model.encoder.layers=6     # the same, installed
```

`null` means that nothing is set. Lists are written `[a, b]`, pairs `{name: value}`. An interval of
steps below 1 is a share of all steps.
"""

_UPSTREAM_HEAD = """\
## transformers.TrainingArguments

`training` takes every field of the installed `transformers.TrainingArguments` by its own name. Each
is **honoured** (handed on as it is), **translated** (it means what is written here), or **refused**
(setting it to anything but its default is an error that says why). Nothing is dropped in silence.
"""

_GONE_HEAD = """\
### Names that transformers has removed

Each is an error that says what became of it.
"""


def reference() -> str:
    """The full page as Markdown."""
    parts = [_HEAD, *_sections(Config, ""), _UPSTREAM_HEAD, _upstream_table(), _GONE_HEAD]
    return "\n".join([*parts, _gone_table()])


def _sections(cls: type, prefix: str) -> Iterator[str]:
    """A part for each dataclass: its heading, its docstring, a table of its own settings."""
    settings = all_settings()
    own = [
        settings[f"{prefix}{found.name}"]
        for found in dataclasses.fields(cls)
        if f"{prefix}{found.name}" in settings and not _only_upstream(prefix, found)
    ]
    about = " ".join((cls.__doc__ or "").split())
    level = "##" if "." not in prefix[:-1] else "###"
    yield f"{level} {prefix[:-1] or 'The root'}\n\n{about}\n"
    if own:
        rows = [_row(setting) for setting in own]
        yield _table(["setting", "takes", "default", "meaning"], rows)
    for setting in own:
        if setting.record is not None:
            yield _record_section(setting, f"{level}#")
    hints = typing.get_type_hints(cls)
    for found in dataclasses.fields(cls):
        if dataclasses.is_dataclass(hints[found.name]):
            yield from _sections(typing.cast(type, hints[found.name]), f"{prefix}{found.name}.")


def _record_section(setting: Setting, level: str) -> str:
    """The settings of each entry of a mapping."""
    about = " ".join((setting.metadata["record"].__doc__ or "").split())
    rows = [
        _row(dataclasses.replace(found, name=f"{setting.name}.NAME.{name}"))
        for name, found in (setting.record or {}).items()
    ]
    table = _table(["setting", "takes", "default", "meaning"], rows)
    return f"{level} {setting.name}.NAME\n\n{about}\n\n{table}"


def _only_upstream(prefix: str, found: dataclasses.Field[Any]) -> bool:
    """Whether a field is in the table of TrainingArguments alone."""
    disposition = UPSTREAM_DISPOSITION.get(found.name) if prefix == "training." else None
    refused = disposition is not None and disposition.kind == "refused"
    return bool(found.metadata.get("upstream")) or refused


def _row(setting: Setting) -> list[str]:
    takes = describe_values(setting)
    metadata = setting.metadata
    if setting.choices:
        takes = ", ".join(f"`{choice}`" for choice in setting.choices)
        if type(None) in typing.get_args(setting.type):
            takes += " or `null`"
    low, high = metadata.get("minimum"), metadata.get("maximum")
    if low is not None and high is not None:
        takes += f", {typed(low)} to {typed(high)}"
    elif low is not None:
        takes += f", at least {typed(low)}"
    elif high is not None:
        takes += f", at most {typed(high)}"
    if metadata.get("unit"):
        takes += f" ({metadata['unit']})"
    return [f"`{setting.name}`", takes, f"`{typed(setting.default)}`", metadata["help"]]


def _upstream_table() -> str:
    rows = []
    for name in sorted(UPSTREAM_DISPOSITION):
        disposition = UPSTREAM_DISPOSITION[name]
        default = typed(all_settings()[f"training.{name}"].default)
        what = disposition.kind + (f": {disposition.reason}" if disposition.reason else "")
        rows.append([f"`training.{name}`", f"`{default}`" if default else "", what])
    return _table(["setting", "default", "what becomes of it"], rows)


def _gone_table() -> str:
    rows = [
        [f"`{name}`", f"`{gone.instead.format(value='…')}`" if gone.instead else "", gone.reason]
        for name, gone in sorted(GONE.items())
    ]
    return _table(["name", "instead", "why"], rows)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[Any]) -> str:
        return f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in cells)} |"

    return "\n".join([line(header), line(["---"] * len(header)), *map(line, rows), ""])


def main(arguments: Sequence[str]) -> int:
    """Write the page to the path given."""
    path = Path(arguments[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(reference(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
