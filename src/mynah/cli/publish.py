"""``mynah publish MODEL NAME``: a model to the Hugging Face hub."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser

_EPILOG = """\
What goes is shown first and asked for: weights, configuration, tokenizer and a model card. Never
the state of the optimizer, transcripts, lists of data or word n-grams of transcripts. A new
repository is private.

examples:
  mynah publish outputs/model anna/whisper-calls --dry-run          show it, send nothing
  mynah publish outputs/model anna/whisper-calls --license mit
  mynah publish outputs/model anna/whisper-calls --license cc-by-4.0 --public
"""


def main(arguments: Sequence[str]) -> int:
    """Publish one model.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    parsed = parser().parse_args(arguments)
    return exit_status(lambda: _publish(parsed))


def _publish(parsed: argparse.Namespace) -> None:
    from mynah.publishing.publish import PublishingRequest, publish

    publish(
        PublishingRequest(
            model=parsed.model,
            name=parsed.name,
            licence=parsed.license,
            results=parsed.results,
            public=parsed.public,
            yes=parsed.yes,
            dry_run=parsed.dry_run,
        )
    )


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = CommandParser(
        prog="mynah publish",
        allow_abbrev=False,
        description="Publish a model on the Hugging Face hub, with a card of what is known of it.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EPILOG,
    )
    add = made.add_argument
    add("model", help="a checkpoint, or a run's directory")
    add("name", help="the repository, as owner/name")
    add("--license", metavar="ID", type=_licence, help="the hub's name of its licence, as mit")
    add(
        "--results",
        metavar="RUN",
        type=Path,
        action="append",
        default=[],
        help="a run that measured it (default: its training); may be given again",
    )
    add("--public", action="store_true", help="everybody may see it")
    add("--yes", action="store_true", help="do not ask")
    add("--dry-run", action="store_true", help="show what would go, and send nothing")
    return made


def _licence(text: str) -> str:
    if not text.replace("-", "").replace(".", "").isalnum() or text != text.lower():
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a name that the hub has, as mit, apache-2.0 or cc-by-4.0"
        )
    return text
