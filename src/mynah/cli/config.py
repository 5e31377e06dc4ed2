"""``mynah config``: the effective settings, who set each, and what differs."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path

from mynah.cli.shared.command_line import CommandLine
from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser
from mynah.config.effective import values
from mynah.config.hydra.compose import Composed, compose, prepare_hydra
from mynah.config.hydra.config_files import EXPERIMENTS, ConfigFiles
from mynah.config.hydra.search_path import config_directories
from mynah.config.mistakes.yaml_file import read_yaml
from mynah.config.origins import Origin
from mynah.config.recorded import read_recorded
from mynah.config.schema import Config
from mynah.config.settings import all_sections, all_settings, nearest
from mynah.config.values import typed
from mynah.errors import ConfigError, ConfigErrors, UserError

_OVERRIDES = "settings as key=value, group=option, +experiments=name; flags as --cfg job"
_STYLES = {"command line": "bold green", "experiment": "cyan", "group": "blue", "schema": "dim"}
_RUN_FILES = ("config.yaml", "model/config.yaml", ".hydra/config.yaml")


def main(arguments: Sequence[str]) -> int:
    """Run ``explain`` or ``diff``.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    parsed = parser().parse_args(arguments)
    directory = Path(parsed.config_dir) if parsed.config_dir else None
    if parsed.action == "explain":
        return exit_status(
            lambda: explain(parsed.overrides, only=parsed.only, config_dir=directory)
        )
    return exit_status(lambda: diff(parsed.first, parsed.second, config_dir=directory))


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = CommandParser(
        prog="mynah config", description="Explain a configuration, or compare two."
    )
    actions = made.add_subparsers(dest="action", metavar="ACTION", required=True)
    explained = actions.add_parser(
        "explain", help="every effective value and the layer that set it"
    )
    explained.add_argument("overrides", nargs="*", help=_OVERRIDES)
    explained.add_argument("--only", metavar="KEY", help="only settings below KEY, as training")
    compared = actions.add_parser("diff", help="what differs between two runs or experiments")
    compared.add_argument("first", help="a run's directory, an experiment, or a YAML file")
    compared.add_argument("second", help="the same")
    for action in (explained, compared):
        action.add_argument("--config-dir", metavar="DIR", help="more groups and experiments")
    return made


def explain(
    overrides: Sequence[str], *, only: str | None = None, config_dir: Path | None = None
) -> None:
    """Print every effective value with the layer that set it.

    Args:
        overrides: Arguments as ``mynah train`` takes them.
        only: Only settings of this name or below it, as ``training``.
        config_dir: A further directory with groups and experiments.

    Raises:
        UserError: A mistake in the configuration, or nothing of the name ``only``.
    """
    composed = _compose(overrides, config_dir)
    if only is not None:
        only = only.rstrip(".*")
        if only not in all_settings() and only not in all_sections():
            near = nearest(only) or sorted(all_sections())
            raise UserError(
                f"There is no setting {only}. Nearest: {', '.join(near[:3])}.",
                where=f"--only {only}",
                fix=f"mynah config explain --only {near[0]}",
            )
    rows = [
        (name, value, composed.origins[name])
        for name, value in values(composed.config).items()
        if only is None or name == only or name.startswith(f"{only}.")
    ]
    _print(
        ["setting", "value", "set by"],
        [[name, typed(value), _set_by(origin)] for name, value, origin in rows],
        [_STYLES[origin.layer] for _name, _value, origin in rows],
    )


def _compose(overrides: Sequence[str], config_dir: Path | None) -> Composed:
    if config_dir is not None and not config_dir.is_dir():
        raise UserError(f"There is no directory {config_dir}.", where=f"--config-dir {config_dir}")
    try:
        return compose(overrides, config_dir=config_dir)
    except ConfigErrors as problem:
        line = CommandLine(list(overrides), "mynah config explain")
        raise line.with_command(problem.errors) from problem


def _set_by(origin: Origin) -> str:
    if origin.layer == "schema":
        return origin.detail
    if origin.layer == "command line":
        return f"command line: {origin.detail}"
    return origin.place


def diff(first: str, second: str, *, config_dir: Path | None = None) -> None:
    """Print what differs between two configurations.

    Args:
        first: A run's directory, an experiment's name, or a YAML file.
        second: The same.
        config_dir: A further directory with groups and experiments.

    Raises:
        UserError: One of them cannot be found or read.
    """
    before, after = (values(_load(name, config_dir)) for name in (first, second))
    rows = [
        [name, typed(before[name]), typed(after[name])]
        for name in before
        if before[name] != after[name]
    ]
    if not rows:
        print("No setting differs.")
        return
    _print(["setting", first, second], rows, [""] * len(rows))


def _load(name: str, config_dir: Path | None) -> Config:
    path = Path(name)
    if path.is_dir():
        for inside in _RUN_FILES:
            if (path / inside).is_file():
                return read_recorded(path / inside, composed=inside.startswith(".hydra"))
        raise UserError(
            f"{name} is not a run's directory: it holds no config.yaml.",
            where=name,
            fix="name a directory as outputs/2026-11-22/14-03-11",
        )
    if path.is_file():
        read = read_yaml(path)
        if read.errors:
            raise ConfigErrors(read.errors)
        if not read.defaults and read.package is None:
            return read_recorded(path)
        folder = path.resolve().parent
        return compose([f"+{folder.name}={path.stem}"], config_dir=folder.parent).config
    prepare_hydra()
    experiments = ConfigFiles(config_directories(config_dir)).options(EXPERIMENTS)
    if name in experiments:
        return compose([f"+{EXPERIMENTS}={name}"], config_dir=config_dir).config
    close = difflib.get_close_matches(name, experiments, n=1)
    raise ConfigError(
        f"There is no run, experiment or file {name}."
        + (f" Nearest: {close[0]}." if close else ""),
        where=name,
        fix=f"the experiments are {', '.join(experiments)}",
    )


def _print(header: Sequence[str], rows: Sequence[Sequence[str]], styles: Sequence[str]) -> None:
    """A table on a terminal; elsewhere columns that line up and can be searched with grep."""
    if not sys.stdout.isatty():
        widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header) - 1)]
        for row in [header, *rows]:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
            print("  ".join([*cells, row[-1]]).rstrip())
        return
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from mynah.console import print_table

    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for name in header:
        table.add_column(name)
    for row, style in zip(rows, styles, strict=True):
        table.add_row(Text(row[0]), Text(row[1]), *(Text(cell, style=style) for cell in row[2:]))
    print_table(table)
