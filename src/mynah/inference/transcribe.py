"""``mynah transcribe``: recordings to transcripts.

Names -> recordings -> a recognizer -> transcripts -> files or the screen.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mynah import console
from mynah.checkpoints import find
from mynah.config.values import argument
from mynah.data.audio import files
from mynah.errors import UserError
from mynah.files import display_path, sha256
from mynah.inference.formats import TRANSCRIPT_FORMATS
from mynah.inference.output import File, Folder, Output, Screen, format_of_ending
from mynah.inference.sources import RecordingSource, find_sources
from mynah.inference.transcription import Guarded, Transcription
from mynah.machine import TOO_LONG
from mynah.models.transcript import cut_notice
from mynah.ranks.spread import Spread

if TYPE_CHECKING:
    from mynah.inference.formats.format import Format
    from mynah.inference.parts import Asked, LoadedBy
    from mynah.inference.recognizer import Recognizer


_WITH_A_BEAM = ("ctc", "transducer")
_LESS_MEMORY = (
    "fewer beams (model.beam_size) or a smaller model take less, and --device cpu takes the "
    "machine's memory in the place of a GPU's"
)


@dataclass(frozen=True)
class TranscriptionRequest:
    """What is to be transcribed, and how.

    Attributes:
        sources: Files, folders, or ``-``.
        model: A checkpoint, a folder or a hub name; None: the newest training's, or the base.
        to: The folder to write to, or of one recording a file; None: standard output.
        formats: Names of formats; none: text, or what the ending of ``to`` names.
        settings: Settings of decoding, as ``model.beam_size=20``.
        language: ISO 639-1 code of what is spoken; None: as the model's settings say.
        context: A file of names and terms that may be said, a line each.
        channels: ``mix``, ``split`` or a channel's number.
        words: Whether words get their times though no format asks for them.
        revision: Branch, tag or commit of a hub model.
        offline: Load nothing that is not on this machine.
        device: As torch names it; None: an accelerator where there is one.
        aligner: A CTC model that times the words of a model that does not.
        overwrite: Whether files may be replaced.
    """

    sources: Sequence[str]
    model: str | None = None
    to: Path | None = None
    formats: Sequence[str] = ()
    settings: Sequence[str] = ()
    language: str | None = None
    context: Path | None = None
    channels: str | int = "mix"
    words: bool = False
    revision: str | None = None
    offline: bool = False
    device: str | None = None
    aligner: str | None = None
    overwrite: bool = False


def transcribe(request: TranscriptionRequest, spread: Spread | None = None) -> int:
    """Transcribe what was named; what was transcribed in the same way before is passed over.

    Args:
        request: What, and how.
        spread: Where parts of the recordings are transcribed; None: here.

    Returns:
        How many recordings could not be transcribed; each is named.

    Raises:
        UserError: Anything that is the user's to fix before a recording is decoded, or not one
            recording could be.
    """
    from mynah.inference.load import default_model
    from mynah.inference.parts import Asked, LoadedBy

    sources = find_sources(request.sources, leave_out=request.to)
    context = _context(request.context)
    model = request.model or default_model(Path.cwd())
    output = _output(request, sources, model, context)
    waiting = [one for one in sources if not output.is_done(one)]
    if len(waiting) < len(sources):
        console.say(f"{len(sources) - len(waiting)} of {len(sources)} recordings are done already.")
    if not waiting:
        return 0
    settings = list(request.settings)
    if request.language is not None:
        settings.append(argument("model.language", request.language))
    loaded = LoadedBy(
        model,
        tuple(settings),
        request.revision,
        request.offline,
        request.device,
        request.aligner,
    )
    words = any(one.needs_words for one in _formats(request, sources))
    asked = Asked(context, request.channels, request.words or words)
    return _run(request, waiting, output, lambda seconds: _found(
        request, waiting, seconds, loaded, asked, spread
    ))  # fmt: skip


def _found(
    request: TranscriptionRequest,
    sources: Sequence[RecordingSource],
    seconds: Sequence[float],
    model: LoadedBy,
    asked: Asked,
    spread: Spread | None,
) -> Iterator[Transcription]:
    """The transcripts of recordings, in their order."""
    from mynah.inference.parts import in_parts, parts_of

    paths = [one.path for one in sources if one.path is not None]
    if spread is not None:
        console.say(f"Transcribing with {model.model}")
        return in_parts(spread, parts_of(paths, seconds, model, asked))
    recognizer = model.load()
    console.say(f"Transcribing with {model.model}: {recognizer.describe_decoding()}")
    _say_what_is_not_used(recognizer, request)
    if len(paths) == len(sources):
        # What is decoded together decides the last digit of a confidence: it is the same wherever
        # the parts are transcribed.
        parts = parts_of(paths, seconds, model, asked)
        return itertools.chain.from_iterable(part.transcripts(recognizer) for part in parts)
    return recognizer.transcribe_many(
        (one.content() for one in sources),
        context=asked.context,
        channels=asked.channels,
        words=asked.words,
    )


def _run(
    request: TranscriptionRequest,
    sources: Sequence[RecordingSource],
    output: Output,
    transcripts: Callable[[Sequence[float]], Iterator[Transcription]],
) -> int:
    """Decode and write; the recordings that fail are named at once."""
    started = time.perf_counter()
    total, lengths = _lengths(sources)
    found = transcripts(lengths)
    seconds, guarded, failed = 0.0, Guarded(), []
    doubtful = _Doubtful()
    with console.progress("Transcribing", total, "s") as advance:
        for source, length, transcription in zip(sources, lengths, found, strict=True):
            if transcription.error is not None:
                failed.append((source, transcription.error))
                if len(sources) > 1:
                    console.error(f"{source.label}: {transcription.error}")
            else:
                output.add(source, transcription)
                seconds += transcription.duration_seconds
                guarded += transcription.guarded
                doubtful.add(source.label, transcription.guarded)
            advance(length)
    if len(failed) == len(sources):
        source, reason = failed[0]
        raise UserError(
            f"This cannot be transcribed: {reason}."
            if len(sources) == 1
            else f"Not one of the {len(sources)} recordings could be transcribed: {reason}.",
            where=source.label,
            fix=_LESS_MEMORY
            if TOO_LONG in reason
            else "see that it is a recording, and that a player plays it",
        )
    elapsed = time.perf_counter() - started
    for line in _summary(len(sources) - len(failed), seconds, elapsed, guarded):
        console.say(line)
    for text in doubtful.notices():
        console.notice(text)
    if any(TOO_LONG in reason for _, reason in failed):
        console.notice(f"Of what is {TOO_LONG}: {_LESS_MEMORY}.")
    if request.to is not None:
        console.say(f"Transcripts: {display_path(request.to)}")
    return len(failed)


def _output(
    request: TranscriptionRequest, sources: Sequence[RecordingSource], model: str, context: str
) -> Output:
    formats = _formats(request, sources)
    to = request.to
    if to is None:
        if len(formats) > 1:
            raise UserError(
                "Several formats are files, one each.",
                where=f"--format {','.join(request.formats)}",
                fix=f"--format {','.join(request.formats)} --to transcripts",
            )
        screen = Screen(formats[0], several=len(sources) > 1)
        screen.check()
        return screen
    named = _format_of_file(request, sources)
    if named is not None:
        if request.formats and list(request.formats) != [named.name]:
            raise UserError(
                f"{to.name} is a file of the format {named.name}.",
                where=f"--format {','.join(request.formats)}",
                fix=f"--format {named.name}, or a folder with --to",
            )
        return File(to, named, overwrite=request.overwrite)
    settings = {
        "model": _identity(model),
        "revision": request.revision,
        "settings": list(request.settings),
        "files": _digests(model, request.settings),
        "language": request.language,
        "context": context,
        "channels": request.channels,
        "words": request.words,
        "aligner": None if request.aligner is None else _identity(request.aligner),
    }
    folder = Folder(to, formats, settings, overwrite=request.overwrite)
    folder.check(sources)
    return folder


def _formats(request: TranscriptionRequest, sources: Sequence[RecordingSource]) -> list[Format]:
    """What is written: by the ending of a single file, as asked for, or text."""
    named = _format_of_file(request, sources)
    if named is not None:
        return [named]
    return [TRANSCRIPT_FORMATS[name] for name in request.formats] or [TRANSCRIPT_FORMATS["txt"]]


def _format_of_file(
    request: TranscriptionRequest, sources: Sequence[RecordingSource]
) -> Format | None:
    """The format of the file that one recording goes to; None: it does not go to a file."""
    to = request.to
    return None if to is None or len(sources) != 1 or to.is_dir() else format_of_ending(to)


def _digests(model: str, settings: Sequence[str]) -> dict[str, str]:
    """Of the files beside the model that decoding reads, by their names: SHA-256 of the content.

    A language model that only the checkpoint names is not read: it has the n-grams of its own.

    Raises:
        UserError: A setting is wrong, or the model's own cannot be read.
    """
    from mynah.config.checkpointed import CONFIG_FILE
    from mynah.config.naming.language_model import is_file
    from mynah.config.recorded import read_recorded
    from mynah.inference.load import composed_with

    names: set[str | None] = set()
    if settings:
        typed = composed_with(model, settings).config.model
        names |= {typed.context_file, typed.language_model if is_file(typed.language_model) else ""}
    if Path(model).expanduser().exists():
        checkpoint, _ = find.checkpoint_or_plain(model, Path.cwd(), setting="--model")
        if checkpoint is not None and (checkpoint / CONFIG_FILE).is_file():
            names.add(read_recorded(checkpoint / CONFIG_FILE).model.context_file)
    found: dict[str, str] = {}
    for name in filter(None, names):
        with contextlib.suppress(OSError):  # said where it is read
            found[name] = sha256(Path(name))
    return found


def _identity(model: str) -> list[object]:
    """What tells a model from another, and from another training of itself."""
    weights = sorted(Path(model).expanduser().glob("*.safetensors"))
    return [model, *([one.name, one.stat().st_size, one.stat().st_mtime_ns] for one in weights)]


def _context(path: Path | None) -> str:
    """The names and terms of a file, parted by commas.

    Raises:
        UserError: It cannot be read.
    """
    if path is None:
        return ""
    try:
        lines = path.expanduser().read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "it is not in UTF-8"
        raise UserError(
            f"The names and terms cannot be read: {reason}.",
            where=f"--context {path}",
            fix="a text file with a name or a term on each line",
        ) from None
    return ", ".join(line.strip() for line in lines if line.strip())


def _say_what_is_not_used(recognizer: Recognizer, request: TranscriptionRequest) -> None:
    family = recognizer.family.name
    if request.context is not None and not recognizer.family.takes_context:
        instead = "; model.context_file=FILE makes hot words of it" * (family in _WITH_A_BEAM)
        console.notice(
            f"--context has no effect: a model of the family {family} takes none{instead}."
        )
    if request.language is not None and family in ("ctc", "speech_llm"):
        console.notice(f"--language has no effect: a model of the family {family} takes none.")


def _lengths(sources: Sequence[RecordingSource]) -> tuple[int | None, list[float]]:
    """Seconds of all recordings, and of each; None where the header of one does not tell."""

    def length(source: RecordingSource) -> float | None:
        if source.path is None:
            return None
        try:
            return files.probe(source.path).duration_seconds
        except (ValueError, OSError, UserError):
            return 0.0  # named as unreadable when its turn comes

    found = [length(source) for source in sources]
    known = [one for one in found if one is not None]
    total = round(sum(known)) if len(known) == len(found) else None
    return total, [one or 0.0 for one in found]


class _Doubtful:
    """The recordings whose transcripts a person should look at, by why."""

    def __init__(self) -> None:
        self._looping: list[str] = []
        self._cut: list[str] = []
        self._short: list[str] = []

    def add(self, label: str, guarded: Guarded) -> None:
        """Take note of a recording that was transcribed."""
        for count, names in (
            (guarded.loops_left, self._looping),
            (guarded.texts_cut, self._cut),
            (guarded.cut_short, self._short),
        ):
            if count:
                names.append(label)

    def notices(self) -> Iterator[str]:
        """A sentence for each reason that there is."""
        if self._looping:
            yield (
                f"{len(self._looping)} transcripts repeat themselves, and are left as they are "
                f"measured: {_first(self._looping)}"
            )
        if self._cut:
            yield cut_notice(self._cut)
        if self._short:
            one = len(self._short) == 1
            which = "recording is" if one else "recordings are"
            file = "its file ends before its header" if one else "their files end before the header"
            yield (
                f"{len(self._short)} {which} cut short ({file} says) and transcribed up to there: "
                f"{_first(self._short)}"
            )


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (" and more" if len(names) > 3 else "")


def _summary(count: int, seconds: float, elapsed: float, guarded: Guarded) -> Iterator[str]:
    recordings = "1 recording" if count == 1 else f"{count:,} recordings"
    yield (
        f"{recordings}, {_duration(seconds)} of audio in {_duration(elapsed)} "
        f"({seconds / max(elapsed, 1e-9):,.1f} x real time)"
    )
    if guarded.silent_seconds >= 1:
        yield f"{_duration(guarded.silent_seconds)} without speech were not decoded."
    if guarded.stops_continued:
        yield f"{guarded.stops_continued} pieces in which the model stopped early were continued."
    if guarded.loops_cut:
        yield f"{guarded.loops_cut} pieces in which the model repeated itself were decoded again."


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.2f} h"
