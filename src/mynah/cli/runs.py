"""``mynah runs``: all runs below a folder as a table, and what one does with them."""

from __future__ import annotations

import argparse
import csv
import importlib
import io
import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser
from mynah.errors import UserError
from mynah.files import display_path

if TYPE_CHECKING:
    from mynah.runs.listing import ListedRun
    from mynah.runs.rates import RateChange

    Changes = Mapping[tuple[Path, str], RateChange]  # of runs and their splits

_COMMAND = "mynah runs"
_ACTIONS = {"tag": "mynah.cli.runs_tag", "remove": "mynah.cli.runs_remove"}
_SHOWN_SETTINGS = 4  # columns of settings on a terminal; the CSV file and the page have all
_EPILOG = """\
examples:
  mynah runs                                    those of outputs/
  mynah runs --best                             the best first
  mynah runs --where model.lora_r=8 --csv runs.csv
  mynah runs --baseline outputs/2026-11-22/14-03-11 --page runs.html
  mynah runs tag outputs/2026-11-22/14-03-11 good --note "for the demo"
  mynah runs remove outputs/2026-11-22/14-03-11
"""


def main(arguments: Sequence[str]) -> int:
    """List runs, tag one, or remove some.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    if arguments and arguments[0] in _ACTIONS:
        return int(importlib.import_module(_ACTIONS[arguments[0]]).main(arguments[1:]))
    parsed = parser().parse_args(arguments)
    return exit_status(lambda: _list(parsed, arguments))


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = CommandParser(
        prog=_COMMAND,
        allow_abbrev=False,
        description="All runs and jobs of sweeps below a folder: status, time, tags, the settings "
        "that differ, and error rates with their intervals. `mynah runs tag` and `mynah runs "
        "remove` change one.",
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
    add("--tag", metavar="TAG", action="append", default=[], help="only runs with this tag")
    add("--baseline", metavar="RUN", help="a run that the others' rates are compared with")
    add("--csv", metavar="FILE", help="write the table, with every setting that differs")
    add("--page", metavar="FILE.html", help="write it as a page that is sorted by a click")
    return made


def _list(parsed: argparse.Namespace, arguments: Sequence[str]) -> None:
    from mynah import console
    from mynah.files import write_text
    from mynah.runs.listing import best_first, differing
    from mynah.runs.page import runs_page

    folder = Path(parsed.folder).expanduser()
    runs = _wanted(parsed, folder)
    others: list[ListedRun] = []
    if parsed.best:
        runs, others = best_first(runs, parsed.split)
    every = [*runs, *others]
    names = differing(every)
    changes = None if parsed.baseline is None else _changes(parsed.baseline, every)
    _show(parsed, folder, every, names, changes)
    if len(names) > _SHOWN_SETTINGS:
        more = len(names) - _SHOWN_SETTINGS
        console.say(f"They differ in {more} settings more; --csv FILE and --page FILE have all.")
    if others:
        console.say(
            f"{len(others)} of them, at the end, were measured on other utterances, or not at all."
        )
    if changes:
        console.say(_note(list(changes.values())))
    if parsed.csv:
        target = Path(parsed.csv).expanduser()
        _write_csv(target, every, names, changes)
        console.say(f"Table: {display_path(target)}")
    if parsed.page:
        target = Path(parsed.page).expanduser()
        command = shlex.join([*_COMMAND.split(), *arguments])
        page = runs_page(every, names, folder=folder, command=command, changes=changes)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_text(target, [page])
        console.say(f"Page: {display_path(target)}")


def _wanted(parsed: argparse.Namespace, folder: Path) -> list[ListedRun]:
    from mynah.runs.condition import Condition
    from mynah.runs.listing import list_runs

    if not folder.is_dir():
        raise UserError(
            f"There is no folder {folder}.", where=f"{_COMMAND} {folder}", fix="mynah runs FOLDER"
        )
    wanted = [Condition.typed(text) for text in parsed.where]
    runs = [
        run
        for run in list_runs(folder)
        if all(condition.holds(run) for condition in wanted)
        and set(parsed.tag) <= set(run.notes.tags)
    ]
    if not runs:
        chosen = [("--where", wanted), ("--tag", parsed.tag)]
        asked = [flag for flag, given in chosen if given]
        kinds = {"--where": " with these settings", "--tag": " with these tags"}
        raise UserError(
            f"There is no run in {folder}{''.join(kinds[flag] for flag in asked)}.",
            where=f"{_COMMAND} {folder}",
            fix=f"leave {asked[0]} out" if asked else "mynah train  makes one",
        )
    return runs


def _changes(typed: str, runs: Sequence[ListedRun]) -> Changes:
    """What the rates of runs are more than those of a run, by run and split; of the run itself
    and of those on other utterances nothing.

    Raises:
        UserError: It was not measured.
    """
    from mynah.evaluation.comparing.baseline_run import BaselineRun

    baseline = BaselineRun(Path(typed).expanduser())
    return {
        (run.directory, rate.split): change
        for run in runs
        if not baseline.is_run(run)
        for rate in run.rates
        if (change := baseline.change(run, rate)) is not None
    }


def _note(changes: Sequence[RateChange]) -> str:
    """What the changes are, in a sentence or two."""
    paired = sum(one.paired for one in changes)
    kept = "what their runs recognized is not kept"
    if not paired:
        return f"Changes are differences of two values, unpaired: {kept}."
    said = "Changes are of the same utterances, paired, each with its own 95 % interval"
    if paired > 1:
        said += ", not corrected for being many"
    said += "; mynah compare RUN ANOTHER  says more."
    if paired < len(changes):
        said += f" {len(changes) - paired} are unpaired: {kept}."
    return said


def _show(
    parsed: argparse.Namespace,
    folder: Path,
    runs: Sequence[ListedRun],
    names: Sequence[str],
    changes: Changes | None,
) -> None:
    from mynah import console

    label = next((rate.label for run in runs if (rate := run.rate(parsed.split))), "rate")
    shown = names[:_SHOWN_SETTINGS]
    tags = any(run.notes.tags for run in runs)
    based = any(not math.isnan(rate.base) for run in runs for rate in run.rates)
    console.table(
        f"{len(runs)} {'run' if len(runs) == 1 else 'runs'} in {display_path(folder)}"
        + (", the best first" if parsed.best else ""),
        [
            "run",
            "status",
            "minutes",
            *(["tags"] if tags else []),
            *shown,
            "split",
            f"{label} [95 % interval]",
            *(["base"] if based else []),
            *(["change"] if changes is not None else []),
        ],
        [
            _cells(run, folder, shown, parsed.split, tags=tags, based=based, changes=changes)
            for run in runs
        ],
    )
    if based and any(rate.base_change is not None for run in runs for rate in run.rates):
        console.say("In parentheses behind a base's rate: what tuning changed, paired.")
    for run in runs:
        if run.notes.note:
            console.say(f"{run.name(folder)}: {run.notes.note}")


def _cells(
    run: ListedRun,
    folder: Path,
    names: Sequence[str],
    split: str | None,
    *,
    tags: bool,
    based: bool,
    changes: Changes | None,
) -> list[str]:
    from mynah.config.values import typed

    rate = run.rate(split)
    cells = [run.name(folder), run.shown_status]
    cells.append("–" if math.isnan(run.minutes) else f"{run.minutes:.1f}")
    cells += [", ".join(run.notes.tags)] if tags else []
    cells += [typed(run.settings.get(name)) if run.settings else "–" for name in names]
    cells += ["–", "–"] if rate is None else [rate.split, rate.shown]
    cells += ["–" if rate is None else rate.base_shown] if based else []
    if changes is not None:
        change = None if rate is None else changes.get((run.directory, rate.split))
        cells.append("–" if rate is None or change is None else rate.changed(change))
    return cells


def _write_csv(
    target: Path,
    runs: Sequence[ListedRun],
    names: Sequence[str],
    changes: Changes | None,
) -> None:
    """A line a run and split; shares as fractions."""
    from mynah.config.values import typed
    from mynah.files import write_text

    content = io.StringIO(newline="")
    writer = csv.writer(content)
    columns = ["run", "status", "started", "minutes", "tags", "note", "data", "model", *names]
    measured = ["split", "metric", "value", "low", "high", "base", "base_utterances"]
    measured += ["base_change", "base_change_low", "base_change_high"]
    compared = ["change", "change_low", "change_high", "change_p_value", "change_paired"]
    measured += compared if changes is not None else []
    writer.writerow([*columns, *measured])
    for run in runs:
        cells = [
            str(run.directory),
            run.status,
            "" if run.started is None else run.started.isoformat(),
            _number(run.minutes),
            " ".join(run.notes.tags),
            run.notes.note,
            run.data,
            run.model,
            *(typed(run.settings.get(name)) if run.settings else "" for name in names),
        ]
        for rate in run.rates:
            numbers = [rate.value, rate.low, rate.high, rate.base]
            found = [*map(_number, numbers), str(rate.base_utterances or "")]
            found += _numbers(rate.base_change)[:3]
            if changes is not None:
                found += _numbers(changes.get((run.directory, rate.split)))
            writer.writerow([*cells, rate.split, rate.label, *found])
        if not run.rates:
            writer.writerow([*cells, *("" for _ in measured)])
    write_text(target, [content.getvalue()])


def _numbers(change: RateChange | None) -> list[str]:
    if change is None:
        return [""] * 5
    numbers = (change.value, change.low, change.high, change.p_value)
    return [*map(_number, numbers), "yes" if change.paired else "no"]


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"
