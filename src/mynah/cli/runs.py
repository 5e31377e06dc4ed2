"""``mynah runs``: all runs below a folder as a table."""

from __future__ import annotations

import argparse
import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mynah.cli.shared.exit_status import exit_status
from mynah.errors import UserError
from mynah.files import display_path

if TYPE_CHECKING:
    from mynah.runs.listing import ListedRun

_COMMAND = "mynah runs"
_SHOWN_SETTINGS = 4  # columns of settings on a terminal; the CSV file has all
_EPILOG = """\
examples:
  mynah runs                                    those of outputs/
  mynah runs --best                             the best first
  mynah runs --where model.lora_r=8 --csv runs.csv
"""


def main(arguments: Sequence[str]) -> int:
    """List runs.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    parsed = parser().parse_args(arguments)
    return exit_status(lambda: _list(parsed))


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = argparse.ArgumentParser(
        prog=_COMMAND,
        allow_abbrev=False,
        description="All runs and jobs of sweeps below a folder: status, time, the settings that "
        "differ, and error rates with their intervals.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EPILOG,
    )
    add = made.add_argument
    add("folder", nargs="?", default="outputs", help="where to look (default: outputs)")
    add("--best", action="store_true", help="the best first, of those on the same utterances")
    add("--split", metavar="NAME", help="the split whose rates are shown (default: the first)")
    add(
        "--where",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="only runs with this setting; several times: with all of them",
    )
    add("--csv", metavar="FILE", help="write the table, with every setting that differs")
    return made


def _list(parsed: argparse.Namespace) -> None:
    from mynah import console
    from mynah.runs.listing import best_first, differing, list_runs

    folder = Path(parsed.folder).expanduser()
    if not folder.is_dir():
        raise UserError(
            f"There is no folder {folder}.", where=f"{_COMMAND} {folder}", fix="mynah runs FOLDER"
        )
    wanted = [_condition(text) for text in parsed.where]
    runs = [
        run
        for run in list_runs(folder)
        if all(run.settings.get(name, _NONE) == value for name, value in wanted)
    ]
    if not runs:
        raise UserError(
            f"There is no run in {folder}" + (" with these settings." if wanted else "."),
            where=f"{_COMMAND} {folder}",
            fix="leave --where out" if wanted else "mynah train  makes one",
        )
    others: list[ListedRun] = []
    if parsed.best:
        runs, others = best_first(runs, parsed.split)
    every = [*runs, *others]
    names = differing(every)
    label = next((rate.label for run in every if (rate := run.rate(parsed.split))), "rate")
    shown = names[:_SHOWN_SETTINGS]
    console.table(
        f"{len(every)} {'run' if len(every) == 1 else 'runs'} in {display_path(folder)}"
        + (", the best first" if parsed.best else ""),
        ["run", "status", "minutes", *shown, "split", f"{label} [95 % interval]"],
        [_cells(run, folder, shown, parsed.split) for run in every],
    )
    if len(names) > len(shown):
        console.say(f"They differ in {len(names) - len(shown)} settings more; --csv FILE has all.")
    if others:
        console.say(
            f"{len(others)} of them, at the end, were measured on other utterances, or not at all."
        )
    if parsed.csv:
        target = Path(parsed.csv).expanduser()
        _write_csv(target, every, names)
        console.say(f"Table: {display_path(target)}")


_NONE = object()


def _condition(text: str) -> tuple[str, object]:
    """A setting and the value that is asked for.

    Raises:
        UserError: It is not ``key=value``, or there is no such setting.
    """
    import yaml

    from mynah.config.settings import all_settings, nearest

    name, equals, value = text.partition("=")
    if not equals:
        raise UserError(
            "A condition is a setting and its value.",
            where=f"--where {text}",
            fix="--where model.lora_r=8",
        )
    if name not in all_settings():
        near = nearest(name)
        raise UserError(
            f"There is no setting {name}.",
            where=f"--where {text}",
            fix=f"--where {near[0]}={value}" if near else "mynah config explain  lists them",
        )
    try:
        return name, yaml.safe_load(value)
    except yaml.YAMLError:
        return name, value


def _cells(run: ListedRun, folder: Path, names: Sequence[str], split: str | None) -> list[str]:
    from mynah.config.values import typed

    rate = run.rate(split)
    return [
        str(run.directory.relative_to(folder)),
        run.status,
        "–" if math.isnan(run.minutes) else f"{run.minutes:.1f}",
        *(typed(run.settings.get(name)) if run.settings else "–" for name in names),
        "–" if rate is None else rate.split,
        "–" if rate is None else rate.shown,
    ]


def _write_csv(target: Path, runs: Sequence[ListedRun], names: Sequence[str]) -> None:
    """A line a run and split; shares as fractions."""
    from mynah.config.values import typed
    from mynah.files import write_text

    content = io.StringIO(newline="")
    writer = csv.writer(content)
    columns = ["run", "status", "started", "minutes", *names]
    writer.writerow([*columns, "split", "metric", "value", "low", "high"])
    for run in runs:
        cells = [
            str(run.directory),
            run.status,
            "" if run.started is None else run.started.isoformat(),
            _number(run.minutes),
            *(typed(run.settings.get(name)) if run.settings else "" for name in names),
        ]
        for rate in run.rates:
            numbers = (rate.value, rate.low, rate.high)
            writer.writerow([*cells, rate.split, rate.label, *map(_number, numbers)])
        if not run.rates:
            writer.writerow([*cells, "", "", "", "", ""])
    write_text(target, [content.getvalue()])


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"
