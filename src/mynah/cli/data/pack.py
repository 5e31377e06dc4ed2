"""``mynah data pack CORPUS --to DIR``: tar shards of one size with an index beside each."""

from __future__ import annotations

import argparse
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser
from mynah.cli.shared.places import check_folder
from mynah.errors import UserError
from mynah.storage.address import is_address, masked

if TYPE_CHECKING:
    from mynah.config.schema import DataConfig
    from mynah.data.packed.layout import Pack
    from mynah.data.sources.reading.source import Source
    from mynah.data.tables.table import Table

_COMMAND = "mynah data pack"
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]?)B?", re.IGNORECASE)
_LEAST_BYTES = 10_000


def main(arguments: Sequence[str]) -> int:
    """Pack a corpus.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    parsed = parser().parse_intermixed_args(arguments)  # settings may stand between flags
    return exit_status(lambda: _pack(parsed))


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = CommandParser(
        prog=_COMMAND,
        description="Write a corpus as tar shards with an index: a training opens them in seconds "
        "at any size, with the rows, the order and the weights of the corpus itself. Others read "
        "them as WebDataset. What was interrupted is resumed.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=(
            "examples:\n"
            "  mynah data pack ./my_recordings --to shards\n"
            "  mynah data pack data.dataset_name=an4 data.path=./an4 --to shards\n"
            "  mynah data pack ./calls --to shards --splits train,dev --shard-size 500M\n"
            "  mynah train data.dataset_name=shards\n"
        ),
    )
    made.add_argument(
        "settings", nargs="*", help="a folder, and settings as mynah train takes them"
    )
    made.add_argument("--to", metavar="DIR", required=True, help="the folder of the shards")
    made.add_argument("--splits", metavar="A,B", help="splits to pack (default: all)")
    made.add_argument(
        "--shard-size",
        type=_bytes,
        default="1G",
        metavar="SIZE",
        help="how large a shard is at most, as 500M (default: %(default)s)",
    )
    return made


def _bytes(text: str) -> int:
    found = _SIZE.fullmatch(text.strip())
    size = int(float(found[1]) * _UNITS[found[2].upper()]) if found else 0
    if size < _LEAST_BYTES:
        raise argparse.ArgumentTypeError(f"{text} is not a size of 10K or more, as 500M or 2G")
    return size


def _pack(parsed: argparse.Namespace) -> None:
    from mynah import console
    from mynah.cli.shared.settings import read_settings
    from mynah.config.checkpointed import with_absolute_paths
    from mynah.data.packed.pack import Packing, pack
    from mynah.data.sources import open_source
    from mynah.data.sources.reading.source import Place

    here = Path.cwd()
    config = with_absolute_paths(
        read_settings(parsed.settings, _COMMAND, trains=False).config, here
    )
    if config.data.mixture:
        raise UserError(
            "Each corpus of a mixture is packed by itself.",
            where="data.mixture",
            fix=f"{_COMMAND} CORPUS --to shards, then name the shards in data.mixture",
        )
    to = _target(parsed.to, here, config.data.path or config.data.dataset_name)
    processes = config.data.num_proc or os.cpu_count() or 1
    place = Place.of(config.data, here, processes=processes, offline=config.offline)
    source = open_source(config.data, place)
    packing = Packing(
        corpus=source.name,
        root=source.identity,
        has_splits=source.has_splits,
        statement=source.statement(),
        tables=_tables(source, parsed.splits),
        channels=_channels(source, config.data),
        to=to,
        shard_bytes=parsed.shard_size,
        processes=processes,
        command=_typed(parsed),
    )
    try:
        made = pack(packing)
    except KeyboardInterrupt:
        console.say("Finished shards are kept: the same command resumes there.")
        raise
    _show(made)
    console.say(f"Next: mynah train data.dataset_name={shlex.quote(parsed.to)}")


def _target(typed: str, here: Path, corpus: str) -> Path:
    """The folder of the shards.

    Raises:
        UserError: It is not on this machine, or lies in the corpus, which would read it as rows.
    """
    if is_address(typed):
        raise UserError(
            "Shards are written to a folder of this machine.",
            where=f"--to {masked(typed)}",
            fix="name a folder, and copy it to the bucket when it is complete",
        )
    to = here / Path(typed).expanduser()
    check_folder(to, f"--to {typed}", "name a folder for the shards, as --to shards")
    root = here / Path(corpus).expanduser()
    if root.is_dir() and to.resolve().is_relative_to(root.resolve()):
        raise UserError(
            "The folder for the shards lies in the corpus, which would have it among its rows.",
            where=f"--to {typed}",
            fix="name a folder beside the corpus",
        )
    return to


def _tables(source: Source, wanted: str | None) -> dict[str, Table]:
    """The prepared table of each part of the splits that are wanted."""
    names = source.splits() if wanted is None else [one.strip() for one in wanted.split(",")]
    parts = {part.name: part for name in names for part in source.parts(name)}
    return {name: source.table(part) for name, part in parts.items()}


def _channels(source: Source, data: DataConfig) -> str:
    """How channels are read: where the corpus is packed already, as they were then."""
    from mynah.data.sources.packed import PackedSource

    return source.channels if isinstance(source, PackedSource) else data.channels


def _typed(parsed: argparse.Namespace) -> str:
    """The command that was typed, to paste it again."""
    words = [*parsed.settings, "--to", parsed.to]
    if parsed.splits:
        words += ["--splits", parsed.splits]
    return shlex.join([*_COMMAND.split(), *words, "--shard-size", str(parsed.shard_size)])


def _show(pack: Pack) -> None:
    from mynah import console

    rows = [
        [
            split.name,
            f"{split.rows:,}",
            f"{split.statistics.seconds / 3600:.2f}",
            f"{len(split.shards):,}",
            f"{sum(shard.bytes for shard in split.shards) / 1e9:.3f} GB",
            f"{len(split.statistics.characters):,}",
            f"{split.unreadable:,}",
        ]
        for split in pack.splits.values()
    ]
    columns = ["split", "rows", "hours", "shards", "size", "characters", "unreadable"]
    console.table(f"Packed {pack.corpus}", columns, rows)
