"""``mynah data download CORPUS --to DIR``: a public corpus, checked and unpacked."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser
from mynah.errors import UserError

_MIRROR = "MYNAH_DOWNLOAD_MIRROR"
_TRUE = ("1", "ON", "YES", "TRUE")  # as the hub's library reads its variables


def main(arguments: Sequence[str]) -> int:
    """Download a corpus, or list what can be downloaded.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    parsed = parser().parse_args(arguments)
    return exit_status(lambda: _list(parsed.corpus) if parsed.list else _download(parsed))


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = CommandParser(
        prog="mynah data download",
        description="Download a public corpus, check it and unpack it. What is there already is "
        "not fetched again; what was cut is resumed.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=(
            "examples:\n"
            "  mynah data download --list                        what there is\n"
            "  mynah data download mini_librispeech --to corpora\n"
            "  mynah data download librispeech --to corpora --parts train-clean-100,dev-clean\n"
            "\nproxies: HTTPS_PROXY, HTTP_PROXY, NO_PROXY"
        ),
    )
    made.add_argument("corpus", nargs="?", help="its name, as mini_librispeech")
    made.add_argument("--to", metavar="DIR", help="the folder it is put in")
    made.add_argument("--parts", metavar="A,B", help="parts of it (default: all)")
    made.add_argument("--list", action="store_true", help="list corpora, or one corpus's parts")
    made.add_argument(
        "--mirror",
        metavar="URL",
        default=os.environ.get(_MIRROR),
        help=f"a folder of a server that has the archives (default: ${_MIRROR}, or as published)",
    )
    made.add_argument("--keep-archives", action="store_true", help="keep what was unpacked")
    made.add_argument(
        "--offline",
        action="store_true",
        default=os.environ.get("HF_HUB_OFFLINE", "").upper() in _TRUE,
        help="use archives that lie in DIR, never the network (default: $HF_HUB_OFFLINE)",
    )
    return made


def _download(parsed: argparse.Namespace) -> None:
    from mynah.console import say
    from mynah.data.recipes import find_recipe
    from mynah.data.recipes.installing.install import install_recipe

    if not parsed.corpus:
        raise UserError("Which corpus is to be downloaded?", fix="mynah data download --list")
    recipe = find_recipe(parsed.corpus)
    if not parsed.to:
        raise UserError(
            f"Where is {recipe.title} to be put?",
            where=f"mynah data download {parsed.corpus}",
            fix=f"mynah data download {parsed.corpus} --to corpora",
        )
    directory = Path(parsed.to).expanduser()
    try:
        there = install_recipe(
            recipe,
            directory,
            parts=parsed.parts.split(",") if parsed.parts else None,
            mirror=parsed.mirror,
            keep_archives=parsed.keep_archives,
            offline=parsed.offline,
        )
    except KeyboardInterrupt:
        say("What has come is kept: the same command resumes there.")
        raise
    say()
    say(f"Next: {recipe.next_command(directory, there)}")


def _list(corpus: str | None) -> None:
    from mynah.console import say, table
    from mynah.data.recipes import all_recipes, find_recipe
    from mynah.data.recipes.installing.recipe import size

    if corpus is None:
        rows = []
        for recipe in all_recipes():
            total = size(sum(archive.size_bytes for archive in recipe.archives))
            parts = ", ".join(archive.part for archive in recipe.archives)
            rows.append([recipe.name, total, parts, recipe.licence.partition(",")[0]])
        table("", ["corpus", "download", "parts", "licence"], rows)
        return
    recipe = find_recipe(corpus)
    say(f"{recipe.title}, {recipe.homepage}")
    say(f"Licence: {recipe.licence}")
    table(
        "",
        ["part", "download", "unpacked", "what", "checksum"],
        [
            [
                archive.part,
                size(archive.size_bytes),
                size(archive.unpacked_bytes),
                archive.about,
                archive.checksum.algorithm if archive.checksum else "recorded at first use",
            ]
            for archive in recipe.archives
        ],
    )
