"""The recordings that are to be cut, each with its transcript, checked before any is decoded."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mynah.data.audio.files import AUDIO_SUFFIXES, recordings_below
from mynah.errors import UserError
from mynah.segmentation import timed_transcripts
from mynah.segmentation.timed_transcripts.entry import TimedTranscript
from mynah.segmentation.transcript import WrittenTranscript, read_transcript

_NAMED = 5  # recordings that an error names


@dataclass(frozen=True)
class LongRecording:
    """A recording with what is said in it.

    Attributes:
        name: Its path below the folder, without the ending: unique.
        path: The file.
        transcript: All that is said, without times; None: ``timed`` has it, or nothing does.
        timed: What is said when.
        digest: Of the transcript's file.
    """

    name: str
    path: Path
    transcript: WrittenTranscript | None = None
    timed: TimedTranscript | None = None
    digest: str = ""

    @property
    def has_transcript(self) -> bool:
        return self.transcript is not None or self.timed is not None


def find_long_recordings(
    source: Path,
    *,
    text: Path | None = None,
    tiers: Sequence[str] = (),
    skip_missing: bool = False,
    leave_out: Path | None = None,
) -> list[LongRecording]:
    """The recordings of a folder, or a single one, with their transcripts.

    A transcript lies beside its recording under the same name: ``.stm``, ``.ctm``, ``.srt``,
    ``.vtt`` or ``.TextGrid`` with times, else ``.txt``.

    Args:
        source: An audio file, or a folder.
        text: The transcript of the single recording; for a folder, one STM or CTM file that
            names its recordings.
        tiers: The tiers of a TextGrid that are meant.
        skip_missing: Recordings without a transcript are not an error.
        leave_out: A folder not to look into.

    Raises:
        UserError: A recording or a transcript is missing, empty or cannot be read.
    """
    if not source.exists():
        raise UserError(f"There is no file or folder {source}.", where=str(source))
    if text is not None and not text.is_file():
        raise UserError(f"There is no transcript {text}.", where=f"--text {text}")
    named = _named(source, leave_out)
    if text is None:
        found = [_with_transcript(name, path, _beside(path), tiers) for name, path in named]
    elif source.is_file():
        found = [_with_transcript(name, path, text, tiers) for name, path in named]
    else:
        found = _of_one_file(named, text, tiers)
    missing = [one.path for one in found if not one.has_transcript]
    if missing and (not skip_missing or len(missing) == len(found)):
        raise _without_transcript(missing, found, source)
    return found


def _named(source: Path, leave_out: Path | None) -> list[tuple[str, Path]]:
    if source.is_file():
        return [(source.stem, source.resolve())]
    files = recordings_below(source, leave_out)
    if not files:
        raise UserError(
            "There are no recordings in this folder.",
            where=str(source),
            fix=f"It takes audio files ({', '.join(sorted(AUDIO_SUFFIXES))}), and beside each "
            "its transcript: NAME.txt, or with times NAME.stm, .ctm, .srt, .vtt, .TextGrid",
        )
    names = [path.relative_to(source).with_suffix("").as_posix() for path in files]
    return [
        (name if names.count(name) == 1 else path.relative_to(source).as_posix(), path.resolve())
        for name, path in zip(names, files, strict=True)
    ]


def _beside(path: Path) -> Path | None:
    """The transcript beside a recording, whatever the case of its ending."""
    there = {
        one.suffix.lower(): one
        for one in sorted(path.parent.glob(f"{_escaped(path.stem)}.*"))
        if one.stem == path.stem and one.is_file()
    }
    wanted = (*timed_transcripts.TIMED_SUFFIXES, ".txt")
    return next((there[suffix] for suffix in wanted if suffix in there), None)


def _escaped(name: str) -> str:
    return "".join(f"[{one}]" if one in "*?[" else one for one in name)


def _with_transcript(
    name: str, path: Path, transcript: Path | None, tiers: Sequence[str]
) -> LongRecording:
    if transcript is None:
        return LongRecording(name, path)
    digest = _digest(transcript, tiers)
    if transcript.suffix.lower() in timed_transcripts.TIMED_SUFFIXES:
        timed = timed_transcripts.read_timed(transcript, tiers=tiers)
        return LongRecording(
            name, path, timed=_of_recording(timed, path, transcript), digest=digest
        )
    read = read_transcript(timed_transcripts.read_text(transcript))
    if not read.words:
        raise UserError("This transcript is empty.", where=str(transcript))
    return LongRecording(name, path, transcript=read, digest=digest)


def _digest(transcript: Path, tiers: Sequence[str]) -> str:
    made = hashlib.blake2b(transcript.read_bytes(), digest_size=16)
    made.update("\0".join(["", *tiers]).encode())
    return made.hexdigest()


def _of_recording(timed: TimedTranscript, path: Path, transcript: Path) -> TimedTranscript:
    """The entries of one recording, where a file names those it is of."""
    names = {entry.recording for entry in timed.entries}
    mine = {name for name in names if Path(name).stem == path.stem or name == path.stem}
    if not mine and len(names) > 1:
        raise UserError(
            f"It is of several recordings, and {path.stem} is none of them: "
            f"{', '.join(sorted(names)[:_NAMED])}.",
            where=str(transcript),
            fix="Name the recordings as the first column does.",
        )
    return _only(timed, mine or names)


def _only(timed: TimedTranscript, names: set[str]) -> TimedTranscript:
    return replace(timed, entries=[one for one in timed.entries if one.recording in names])


def _of_one_file(
    named: Sequence[tuple[str, Path]], text: Path, tiers: Sequence[str]
) -> list[LongRecording]:
    """Recordings whose transcripts are in one file that names them."""
    if text.suffix.lower() not in (".stm", ".ctm"):
        raise UserError(
            f"{text.name} is one transcript, and there is a folder of recordings.",
            where=f"--text {text}",
            fix="Put NAME.txt beside each recording NAME.wav, or give one STM or CTM file",
        )
    timed = timed_transcripts.read_timed(text, tiers=tiers)
    digest = _digest(text, tiers)
    by_name: dict[str, set[str]] = {}
    for entry in timed.entries:
        for name in (entry.recording, _without_ending(entry.recording)):
            by_name.setdefault(name, set()).add(entry.recording)
    exact = {
        name: by_name.get(name) or by_name.get(name.removesuffix(path.suffix), set())
        for name, path in named
    }
    # The last part of a name is enough where it is that of one recording alone.
    by_stem: dict[str, set[str]] = {}
    for recording in {entry.recording for entry in timed.entries}.difference(*exact.values()):
        for last in (Path(recording).name, Path(recording).stem):  # 2024.01 may have no ending
            by_stem.setdefault(last, set()).add(recording)
    alike: dict[str, list[str]] = {}
    for name, path in named:
        alike.setdefault(path.stem, []).append(name)
    found = []
    for name, path in named:
        mine = exact[name] or by_stem.get(path.stem, set())
        made = LongRecording(name, path)
        if mine and len(alike[path.stem]) > 1:
            unknown = [other for other in alike[path.stem] if not exact[other]]
            if not exact[name] and len(unknown) > 1:
                raise _several_of_a_name(path.stem, unknown, text)
            # Earlier versions gave each the segments of all: these are cut again.
            made = replace(made, digest=f"{digest} of {sorted(mine)}")
        elif mine:
            made = replace(made, digest=digest)
        found.append(replace(made, timed=_only(timed, mine)) if mine else made)
    return found


def _without_ending(recording: str) -> str:
    path = Path(recording)
    return path.with_suffix("").as_posix() if path.name else recording


def _several_of_a_name(stem: str, names: Sequence[str], text: Path) -> UserError:
    return UserError(
        f"{stem} may be each of {len(names)} recordings: {', '.join(names[:_NAMED])}.",
        where=str(text),
        fix=f"name them with their folders in its first column, as {names[0]}",
    )


def _without_transcript(
    missing: Sequence[Path], found: Sequence[LongRecording], source: Path
) -> UserError:
    names = ", ".join(path.name for path in missing[:_NAMED])
    more = len(missing) - _NAMED
    fix = "Put NAME.txt beside NAME.wav (or .stm, .ctm, .srt, .vtt, .TextGrid with times)"
    if source.is_file():
        fix += ", or name it with --text FILE"
    elif len(missing) < len(found):
        fix += "; --skip-missing  leaves them out"
    return UserError(
        f"{len(missing)} of {len(found)} recordings have no transcript: {names}"
        + (f" and {more} more." if more > 0 else "."),
        where=str(source),
        fix=fix,
    )
