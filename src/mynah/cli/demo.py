"""``mynah demo [MODEL …]``: a page to speak to models."""

from __future__ import annotations

import argparse
import getpass
import importlib.util
from collections.abc import Sequence
from pathlib import Path

from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser

_COMMAND = "mynah demo"
_MOST_MODELS = 2
_EPILOG = """\
What is recorded is gone with the page, but for what is kept: corrected texts with their recordings
are a folder that data.dataset_name takes.

examples:
  mynah demo                                         the newest training's model
  mynah demo outputs/model openai/whisper-tiny.en    side by side
  mynah demo outputs/model --keep corrections
"""


def main(arguments: Sequence[str]) -> int:
    """Show the page until a signal comes.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    parsed = parser().parse_args(arguments)
    return exit_status(lambda: _demo(parsed))


def _demo(parsed: argparse.Namespace) -> None:
    from mynah.errors import UserError
    from mynah.inference.load import default_model, load

    if len(parsed.models) > _MOST_MODELS:
        raise UserError(
            f"{len(parsed.models)} models do not fit side by side.",
            where=_COMMAND,
            fix="name one or two; mynah compare takes any number of measured ones",
        )
    if importlib.util.find_spec("gradio") is None:
        raise UserError(
            "The page needs a package that is not installed: gradio.",
            where=_COMMAND,
            fix='pip install "mynah-asr[demo]"',
        )
    if parsed.host not in ("127.0.0.1", "localhost", "::1") and not parsed.open:
        raise UserError(
            "Anybody who reaches this address could use the page.",
            where=f"--host {parsed.host}",
            fix="--open  lets everybody in",
        )
    models = parsed.models or [default_model(Path.cwd())]
    recognizers = [
        load(name, offline=parsed.offline, device=parsed.device, aligner=parsed.aligner)
        for name in models
    ]

    from mynah.serving.demo import DemoOptions, show

    options = DemoOptions(
        keep=parsed.keep.expanduser(),
        host=parsed.host,
        port=parsed.port,
        speaker=parsed.speaker or getpass.getuser(),
    )
    show(recognizers, options)


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = CommandParser(
        prog=_COMMAND,
        allow_abbrev=False,
        description="Show a page that transcribes what is said into a microphone, or a file.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EPILOG,
    )
    add = made.add_argument
    add("models", nargs="*", metavar="MODEL", help="checkpoints, folders or hub names; one or two")
    add(
        "--keep",
        type=Path,
        default=Path("corrections"),
        metavar="FOLDER",
        help="of corrected recordings (default: corrections)",
    )
    add("--speaker", metavar="NAME", help="who speaks in them (default: the user's name)")
    add("--host", default="127.0.0.1", metavar="ADDRESS", help="default: this machine alone")
    add("--port", type=int, default=7860, metavar="NUMBER", help="default: 7860; 0: any free")
    add("--open", action="store_true", help="though other machines can connect")
    add("--aligner", metavar="NAME", help="a CTC model to time the words of a model that does not")
    add("--device", metavar="NAME", help="as cpu or cuda:0; default: an accelerator")
    add("--offline", action="store_true", help="use nothing that is not on this machine")
    return made
