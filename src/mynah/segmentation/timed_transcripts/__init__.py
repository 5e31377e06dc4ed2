"""Transcripts that say when each part is spoken: STM, CTM, SRT, VTT and TextGrid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mynah.data.sources.reading.lines import likely_encoding
from mynah.errors import UserError
from mynah.segmentation.timed_transcripts import ctm, srt, stm, textgrid, vtt
from mynah.segmentation.timed_transcripts.entry import TimedTranscript

# What reads a file of each suffix: its text, its name for messages, the tiers asked for.
_PARSERS: dict[str, Callable[[str, str, Sequence[str]], TimedTranscript]] = {
    ".stm": lambda text, where, _: stm.parse(text, where),
    ".ctm": lambda text, where, _: ctm.parse(text, where),
    ".srt": lambda text, where, _: srt.parse(text, where),
    ".vtt": lambda text, where, _: vtt.parse(text, where),
    ".textgrid": textgrid.parse,
}
TIMED_SUFFIXES = tuple(_PARSERS)


def read_timed(path: Path, *, tiers: Sequence[str] = ()) -> TimedTranscript:
    """Read a timed transcript in the format that its suffix names.

    Args:
        path: The file.
        tiers: The tiers of a TextGrid that are meant; none: the one that holds utterances.

    Raises:
        UserError: It cannot be read; the message names the line.
    """
    return _PARSERS[path.suffix.lower()](read_text(path), str(path), tiers)


def read_scored(path: Path) -> TimedTranscript:
    """Read an STM or CTM file to score it: unknown words and gaps count, as to sclite.

    Raises:
        UserError: It cannot be read; the message names the line.
    """
    parse = stm.parse if path.suffix.lower() == ".stm" else ctm.parse
    return parse(read_text(path), str(path), scored=True)


def read_text(path: Path) -> str:
    """A text file in UTF-8, or in UTF-16 where its first bytes say so.

    Raises:
        UserError: It cannot be opened or is in another encoding.
    """
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise UserError(f"It cannot be read: {problem.strerror}.", where=str(path)) from None
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as problem:
        line = content[: problem.start].count(b"\n") + 1
        raise UserError(
            f"It is not in {encoding.removesuffix('-sig').upper()}.",
            where=f"{path}, line {line}",
            fix=f"iconv -f {likely_encoding(content)} -t utf-8 {path.name} > converted"
            f"{path.suffix}  (or from the encoding that it was saved in)",
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
