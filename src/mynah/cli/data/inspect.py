"""``mynah data inspect``: what is in a corpus, and what looks wrong with it."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mynah.cli.shared.adapters import checkpoint_as_typed
from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser
from mynah.errors import UserError
from mynah.files import display_path

if TYPE_CHECKING:
    from mynah.config.hydra.compose import Composed
    from mynah.config.schema import Config
    from mynah.data.preparation.prepare import PreparedData
    from mynah.models.family import Family

_COMMAND = "mynah data inspect"


def main(arguments: Sequence[str]) -> int:
    """Look at a corpus: a table here, a page and its numbers as files.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    parsed = parser().parse_intermixed_args(arguments)  # settings may stand between flags
    return exit_status(lambda: _inspect(parsed, arguments))


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = CommandParser(
        prog=_COMMAND,
        allow_abbrev=False,
        description="What is in a corpus as a training would have it, and what looks wrong: "
        "hours, speakers, rates, words, and rows to listen to. Writes one HTML page, and all "
        "numbers beside it as JSON.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=(
            "examples:\n"
            "  mynah data inspect recordings/                    a folder\n"
            "  mynah data inspect data=full --sample 2000        listen to 2,000 rows a split\n"
            "  mynah data inspect recordings/ --with outputs/model\n"
        ),
    )
    made.add_argument(
        "settings", nargs="*", help="a corpus's folder, or settings as of mynah train"
    )
    made.add_argument(
        "--with",
        dest="checkpoint",
        metavar="CHECKPOINT",
        help="decode with this model, and list where it recognizes something else",
    )
    made.add_argument(
        "--to",
        metavar="FILE.html",
        help="the page (default: outputs/inspection/CORPUS/inspection.html)",
    )
    made.add_argument(
        "--sample",
        type=int,
        metavar="N",
        help="listen to N rows of a split, sampled evenly, and decode those; what the tables "
        "tell is of all rows",
    )
    made.add_argument("--no-audio", action="store_true", help="do not listen to the audio")
    return made


def _inspect(parsed: argparse.Namespace, arguments: Sequence[str]) -> None:
    from mynah.cli.shared.settings import read_settings

    if parsed.sample is not None and parsed.sample < 1:
        raise UserError(
            "A sample has at least one row.",
            where=f"--sample {parsed.sample}",
            fix="--sample 1000, or leave it out to listen to every row",
        )
    composed = read_settings(parsed.settings, _COMMAND, trains=False)
    config = composed.config
    here = Path.cwd()
    checkpoint = _checkpoint(parsed.checkpoint, here)
    target = None if parsed.to is None else _target(Path(parsed.to).expanduser())

    data = _prepared(composed, here)
    if target is None:
        target = _target(here / "outputs" / "inspection" / _slug(data) / "inspection.html")

    from mynah import console
    from mynah.data.tables import table
    from mynah.inspection.inspect import inspect_corpus
    from mynah.inspection.terminal import show_inspection
    from mynah.inspection.write import write_inspection

    threads = config.data.num_proc or os.cpu_count() or 1
    inspection = inspect_corpus(
        data,
        config,
        cache=table.cache_directory(config.data.dataset_cache_dir, here),
        threads=threads,
        listen=not parsed.no_audio,
        sample=parsed.sample,
        family=None if checkpoint is None else _family(checkpoint, config),
        checkpoint=None if checkpoint is None else str(checkpoint),
    )
    show_inspection(inspection)
    record = write_inspection(
        inspection, target, command=shlex.join([*_COMMAND.split(), *arguments]), threads=threads
    )
    console.say()
    console.say(f"Page: {display_path(target)}")
    console.say(f"Numbers: {display_path(record)}")


def _prepared(composed: Composed, here: Path) -> PreparedData:
    """The corpus; with its own evaluation splits where none was typed and it has no such."""
    from mynah.console import notice
    from mynah.data.preparation.prepare import prepare
    from mynah.data.sources.reading.source import UnknownSplitError

    config = composed.config
    try:
        return prepare(config.data, offline=config.offline, working_directory=here)
    except UnknownSplitError as problem:
        origin = composed.origins.get("data.eval_splits")
        others = [name for name in problem.there if name not in config.data.train_splits]
        of_evaluation = problem.where == "data.eval_splits"
        if not of_evaluation or not others or (origin is not None and origin.typed):
            raise
        notice(f"{problem.what} Looking at: {', '.join(others)} (data.eval_splits)")
        config.data.eval_splits = others
    return prepare(config.data, offline=config.offline, working_directory=here)


def _checkpoint(asked: str | None, here: Path) -> Path | None:
    """The checkpoint that is meant, found and verified before anything expensive.

    Raises:
        UserError: It is none, or damaged.
    """
    if asked is None:
        return None
    from mynah.checkpoints.commit import verify
    from mynah.checkpoints.find import resolve_checkpoint

    with checkpoint_as_typed(f"--with {asked}", "--with "):
        found = resolve_checkpoint(asked, here)
        verify(found)
    return found


def _family(checkpoint: Path, config: Config) -> Family:
    from mynah.machine import device_for, use_threads
    from mynah.models import registry

    use_threads(config)
    family = registry.load_family(checkpoint, offline=config.offline)
    family.model.to(device_for(config))
    return family


def _target(page: Path) -> Path:
    """The page's path, once it is known that it can be written there.

    Raises:
        UserError: It cannot.
    """
    if page.is_dir():
        page = page / "inspection.html"
    if page.suffix.lower() not in (".html", ".htm"):
        raise UserError("The page is an HTML file.", where=f"--to {page}", fix=f"--to {page}.html")
    page = page.absolute()
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=page.parent):
            pass
    except OSError as problem:
        raise UserError(
            f"The page cannot be written: {problem.strerror or problem}.",
            where=display_path(page),
            fix="Name a file in a folder that you may write to: --to inspection.html",
        ) from problem
    return page


def _slug(data: PreparedData) -> str:
    """The corpus's name as a folder's."""
    return re.sub(r"[^\w.-]+", "-", str(data.report.get("corpus", ""))).strip("-.") or "corpus"
