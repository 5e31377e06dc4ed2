"""``mynah transcribe FILES|FOLDER|-``: recordings to transcripts."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mynah.cli.shared.exit_status import OURS, exit_status
from mynah.cli.shared.parser import CommandParser

if TYPE_CHECKING:
    from mynah.config.schema import LaunchConfig

_FORMATS = ("txt", "json", "srt", "vtt", "ctm", "textgrid", "tsv")
_ENDING = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,7}")  # of a file: folders end in .d or .2026 too
_EPILOG = """\
A recording may have any length, rate and number of channels. Transcripts of clips up to the
model's window are those that `mynah eval` measures: with the model's n-grams, adapters and prompt.
Without --model the newest training's model is used, or openai/whisper-tiny.en.

examples:
  mynah transcribe call.wav
  mynah transcribe calls/ --to transcripts --format txt,srt
  mynah transcribe call.wav --channels split --format json
  mynah transcribe talk.mp3 --model openai/whisper-small --language de --to talk.vtt
  mynah transcribe call.wav --model outputs/model model.language_model=none
  mynah transcribe calls/ --to transcripts launch=slurm launch.time=2h
  mynah transcribe calls/ --to transcripts launch=ray launch.address=auto
  cat call.wav | mynah transcribe -
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``): 1 where a part of the recordings
        could not be transcribed.
    """
    from mynah import console

    parsed = parser().parse_intermixed_args(arguments)
    console.use_stderr()
    # What is written to a place continues there where a job was stopped.
    return exit_status(
        lambda: _transcribe(parsed, arguments), requeues=lambda: parsed.to is not None
    )


def _transcribe(parsed: argparse.Namespace, arguments: Sequence[str]) -> int:
    launch = [text for text in parsed.sources if _is_launch(text)]
    sources = [text for text in parsed.sources if not _is_setting(text) and text not in launch]
    if parsed.to is not None:
        _check_ending(parsed.to, sources, parsed.format, arguments)
    where = _where(launch, sources, parsed.to, arguments) if launch else None
    if launch and where is None:
        return 0

    from mynah.cli.shared.submitted import spread_of
    from mynah.config.schema import LaunchConfig
    from mynah.inference.transcribe import TranscriptionRequest, transcribe

    settings = [text for text in parsed.sources if _is_setting(text)]
    request = TranscriptionRequest(
        sources=sources,
        model=parsed.model,
        to=None if parsed.to is None else Path(parsed.to).expanduser(),
        formats=parsed.format,
        settings=settings,
        language=parsed.language,
        context=None if parsed.context is None else Path(parsed.context),
        channels=parsed.channels,
        words=parsed.words,
        revision=parsed.revision,
        offline=parsed.offline,
        device=parsed.device,
        aligner=parsed.aligner,
        overwrite=parsed.overwrite,
    )
    if not request.sources:
        from mynah.errors import UserError

        raise UserError("Which recordings?", fix="mynah transcribe call.wav")
    with spread_of(where or LaunchConfig(), decodes_audio_alone=False) as spread:
        return OURS if transcribe(request, spread) else 0


def _where(
    launch: Sequence[str], sources: Sequence[str], to: str | None, arguments: Sequence[str]
) -> LaunchConfig | None:
    """Where the command runs; None: it was submitted, as its settings of launch ask for.

    Raises:
        UserError: They are wrong, the job cannot be submitted, a recording is not there, or there
            is no place for transcripts.
    """
    from mynah.cli.shared.settings import read_settings
    from mynah.cli.shared.submitted import submit_in_one_process
    from mynah.config.schema.launch import LOCAL
    from mynah.errors import UserError
    from mynah.inference.sources import find_sources

    composed = read_settings(launch, "mynah transcribe", trains=False, submits=True)
    where = composed.config.launch
    if where.launcher == LOCAL:
        return where
    asked = f"launch={where.launcher}"
    if "-" in sources:
        raise UserError("A job has no standard input.", where=asked, fix="name files or folders")
    if to is None:
        raise UserError(
            "A job needs a place for its transcripts.", where=asked, fix="--to transcripts"
        )
    find_sources(sources, leave_out=Path(to).expanduser())
    is_job = submit_in_one_process("transcription", composed, ["transcribe"], arguments)
    return where if is_job else None


def _check_ending(
    to: str, sources: Sequence[str], formats: Sequence[str], arguments: Sequence[str]
) -> None:
    """Refuse the name of a file that is none of a format's, or of one for several recordings.

    Args:
        to: The place, as typed.
        sources: The recordings.
        formats: Those that are asked for.
        arguments: All that was typed.

    Raises:
        UserError: It is one.
    """
    from mynah.cli.shared.corrections import shell
    from mynah.errors import ConfigErrors, UserError
    from mynah.inference.formats import TRANSCRIPT_FORMATS
    from mynah.inference.output import format_of_ending

    path = Path(to).expanduser()
    if to.endswith("/") or path.is_dir() or not _ENDING.fullmatch(path.suffix):
        return
    several = len(sources) > 1 or any(Path(one).expanduser().is_dir() for one in sources)
    named = format_of_ending(path)
    if named is not None and not several:
        return
    stem = to[: -len(path.suffix)]
    if several:
        what = f"{path.name} is the name of a file, and several recordings go to a folder."
        asked = [] if formats or named is None else ["--format", named.name]
        instead = stem
    else:
        suffixes = {one.suffix[1:].lower(): one for one in TRANSCRIPT_FORMATS.values()}
        near = difflib.get_close_matches(path.suffix[1:].lower(), suffixes, n=1)
        name = formats[0] if formats else suffixes[near[0]].name if near else "txt"
        known = ", ".join(one.suffix for one in TRANSCRIPT_FORMATS.values())
        what = f"Transcripts are not written as {path.suffix} files, but as {known}."
        asked = []
        instead = stem if len(formats) > 1 else f"{stem}{TRANSCRIPT_FORMATS[name].suffix}"
    words = [{to: instead, f"--to={to}": f"--to={instead}"}.get(one, one) for one in arguments]
    raise ConfigErrors(
        [UserError(what, where=f"--to {to}")],
        " ".join(["mynah transcribe", *map(shell, [*words, *asked])]),
    )


def _is_launch(text: str) -> bool:
    return text.startswith(("launch=", "launch.")) and "=" in text and not Path(text).exists()


def _is_setting(text: str) -> bool:
    return text.startswith("model.") and "=" in text and not Path(text).exists()


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = CommandParser(
        prog="mynah transcribe",
        description="Write what is said in recordings, by a model's own decoding.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EPILOG,
    )
    add = made.add_argument
    add(
        "sources",
        metavar="FILE|FOLDER|-",
        nargs="+",
        help="recordings, folders of them, or - for standard input; and settings of decoding, as "
        "model.beam_size=20",
    )
    add("--model", metavar="NAME", help="a checkpoint, a folder, or a name of the Hugging Face hub")
    add("--to", metavar="PLACE", help="a folder to write to, or a file for one recording")
    add(
        "--format",
        metavar="NAMES",
        type=_formats,
        default=[],
        help=f"{', '.join(_FORMATS)}; several with commas (default: txt)",
    )
    add("--language", metavar="CODE", help="what is spoken, as de; default: the model's settings")
    add("--context", metavar="FILE", help="names and terms that may be said, a line each")
    add(
        "--channels",
        metavar="WHICH",
        type=_channels,
        default="mix",
        help="mix: their mean; split: each by itself; first; or a number from 1 (default: mix)",
    )
    add("--words", action="store_true", help="times of words in any format that has room")
    add("--aligner", metavar="NAME", help="a CTC model to time the words of a model that does not")
    add("--revision", metavar="NAME", help="branch, tag or commit of a hub model")
    add("--device", metavar="NAME", help="as cpu or cuda:0; default: an accelerator")
    add("--overwrite", action="store_true", help="replace files that are there already")
    add("--offline", action="store_true", help="use nothing that is not on this machine")
    return made


def _formats(text: str) -> list[str]:
    names = [name.strip().lower() for name in text.split(",")]
    for name in names:
        if name not in _FORMATS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(_FORMATS)}")
    return names


def _channels(text: str) -> str | int:
    if text in ("mix", "split"):
        return text
    if text == "first":
        return 0
    if text.isdigit() and int(text) > 0:
        return int(text) - 1
    raise argparse.ArgumentTypeError(f"{text!r} is not mix, split, first or a number from 1")
