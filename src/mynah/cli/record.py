"""``mynah record SENTENCES --to FOLDER``: one's own voice as a corpus."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Sequence
from pathlib import Path

from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser

_EPILOG = """\
Each sentence is shown, recorded and measured: what is clipped, too quiet or too short is said
before it is kept. The same command resumes where it was left.

examples:
  mynah record sentences.txt --to my_voice
  mynah record sentences.txt --to my_voice --speaker anna --device "USB"
  mynah record --list-devices
"""


def main(arguments: Sequence[str]) -> int:
    """Record until all sentences are, or whoever reads them ends it.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    parsed = parser().parse_args(arguments)
    return exit_status(lambda: _record(parsed))


def _record(parsed: argparse.Namespace) -> None:
    from mynah import console
    from mynah.errors import UserError
    from mynah.recording.microphone import find_microphone, listed_devices

    if parsed.list_devices:
        for line in listed_devices() or ["There is no microphone."]:
            console.say(line)
        return
    if parsed.sentences is None or parsed.to is None:
        raise UserError(
            "Which sentences, and where to?", fix="mynah record sentences.txt --to my_voice"
        )

    from mynah.recording.session import Session, check_device_rate, read_sentences, record_session
    from mynah.recording.voice_folder import VoiceFolder

    check_device_rate(parsed.rate)
    session = Session(
        sentences=read_sentences(parsed.sentences.expanduser()),
        folder=VoiceFolder(parsed.to.expanduser()),
        microphone=find_microphone(parsed.device),
        speaker=parsed.speaker or getpass.getuser(),
        rate=parsed.rate,
        ask=input,
    )
    record_session(session)


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = CommandParser(
        prog="mynah record",
        allow_abbrev=False,
        description="Record sentences that are read aloud, as a corpus to train on.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EPILOG,
    )
    add = made.add_argument
    add("sentences", nargs="?", type=Path, help="a text file with a sentence on each line")
    add("--to", type=Path, metavar="FOLDER", help="where they are kept")
    add("--speaker", metavar="NAME", help="who reads (default: the user's name)")
    add(
        "--device",
        metavar="NAME",
        help="a microphone's name or number, or recordings that stand for one: a file or a folder",
    )
    add("--rate", type=int, default=16000, metavar="HERTZ", help="sample rate (default: 16000)")
    add("--list-devices", action="store_true", help="show the microphones of this machine")
    return made
