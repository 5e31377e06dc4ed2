"""Parts of recordings decoded in batches, as an evaluation decodes its utterances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mynah.errors import UserError
from mynah.evaluation.decoding.decode import rows_by_length, without_a_trace
from mynah.inference import word_times
from mynah.inference.transcription import Guarded, Segment, TimedWord
from mynah.machine import is_out_of_memory, too_long
from mynah.models.text import loops
from mynah.models.text.units import ideographs
from mynah.models.transcript import Clip, Transcript, joined

if TYPE_CHECKING:
    from mynah.inference.confidence.calibration import Calibration
    from mynah.models.ctc.family import CTC
    from mynah.models.family import Family

_FOLLOW_FRAMES = ("ctc", "transducer")  # families that can say nothing without sound for it
# People speak some 14 characters a second: a piece with far fewer is decoded again in halves, and
# what is much longer then is taken: a decoder that stopped early left out the rest of its window.
_FEW_CHARACTERS_A_SECOND = 9.0
# The same part of Mandarin's 5.18 syllables a second, an ideograph each (Pellegrino, Coupé, Marsico
# 2011, A cross-language perspective on speech information rate; Japanese has 7.84).
_FEW_IDEOGRAPHS_A_SECOND = 3.3
_STOPS_EARLY_SECONDS = 8.0  # of a piece in which there is something to leave out
_MUCH_LONGER = 1.3
_LEAST_HALF_SECONDS = 1.0  # of a piece that is decoded again in halves


class RecordingPart:
    """What is decoded at once: a clip, or a piece of a long recording.

    Attributes:
        clip: The sound; None once it is decoded.
        seconds: How long it is.
        start_seconds: Where it begins in the recording.
        overlap_seconds: What of its beginning is the end of the part before too.
        channel: The channel it is of, or None.
        is_piece: Whether it is of a longer recording; a clip's text is left as it is measured.
        is_continued: Whether the next part begins inside it.
        error: Why it could not be decoded, or None.
        guarded: What was cut of its text, or is doubtful.
    """

    def __init__(
        self,
        clip: Clip,
        sample_rate: int,
        *,
        start_seconds: float = 0.0,
        overlap_seconds: float = 0.0,
        channel: int | None = None,
        is_piece: bool = False,
        is_continued: bool = False,
    ) -> None:
        self.clip: Clip | None = clip
        self.seconds = len(clip.audio) / sample_rate
        self.start_seconds = start_seconds
        self.overlap_seconds = overlap_seconds
        self.channel = channel
        self.is_piece = is_piece
        self.is_continued = is_continued
        self.error: str | None = None
        self.guarded = Guarded()
        self._transcript: Transcript | None = None
        self._words: tuple[TimedWord, ...] | None = None

    @property
    def is_done(self) -> bool:
        return self._transcript is not None or self.error is not None

    @property
    def language(self) -> str | None:
        return None if self._transcript is None else self._transcript.language

    def fail(self, problem: Exception) -> None:
        """Note why it could not be decoded."""
        named = problem.what if isinstance(problem, UserError) else None
        if is_out_of_memory(problem):
            named = too_long(self.seconds, problem)
        self.error = named or f"{type(problem).__name__}: {problem}".splitlines()[0][:300]
        self.clip = None

    def settle(
        self, transcript: Transcript, words: tuple[TimedWord, ...] | None, guarded: Guarded
    ) -> None:
        """Take its transcript; its sound is let go."""
        self._transcript, self._words, self.guarded = transcript, words, guarded
        self.clip = None

    def segment(self) -> Segment | None:
        """Its transcript at its place in the recording; None where there is none yet."""
        if self._transcript is None:
            return None
        start = self.start_seconds
        words = self._words
        return Segment(
            start,
            start + self.seconds,
            self._transcript.text,
            words=None if words is None else tuple(word_times.shifted(words, start)),
            channel=self.channel,
            log_probability=self._transcript.log_probability,
            tokens=self._transcript.tokens,
        )


def invents(family: Family) -> bool:
    """Whether a model may write words without sound for them, as one that follows its text."""
    return family.name not in _FOLLOW_FRAMES


def decode_parts(
    family: Family,
    parts: Sequence[RecordingPart],
    *,
    batch_seconds: float,
    batch_size: int,
    words: bool,
    aligner: CTC | None = None,
    calibration: Calibration | None = None,
) -> None:
    """Decode parts, those of similar length together; a failure costs only the part it is in.

    Args:
        family: The model.
        parts: What is to be decoded; each is settled, or failed.
        batch_seconds: Padded audio in a batch.
        batch_size: Parts in a batch, at most.
        words: Whether words get their times.
        aligner: A CTC model that times the words of a model that does not.
        calibration: What makes confidences of the model's probabilities of words.
    """
    if not parts:
        return
    with without_a_trace(family.model):
        batches = rows_by_length([part.seconds for part in parts], batch_seconds=batch_seconds)
        for rows in batches:
            for first in range(0, len(rows), batch_size):
                batch = [parts[row] for row in rows[first : first + batch_size]]
                _batch(family, batch, words, aligner, calibration)


def _batch(
    family: Family,
    parts: Sequence[RecordingPart],
    words: bool,
    aligner: CTC | None,
    calibration: Calibration | None,
) -> None:
    """One batch; where it fails, each half of it."""
    if _settled(family, parts, words, aligner, calibration):
        return
    middle = len(parts) // 2  # here nothing of the attempt is held any more
    for half in (parts[:middle], parts[middle:]) if middle else ():
        _batch(family, half, words, aligner, calibration)


def _settled(
    family: Family,
    parts: Sequence[RecordingPart],
    words: bool,
    aligner: CTC | None,
    calibration: Calibration | None,
) -> bool:
    """Whether a batch could be decoded; of a single part it is noted why not."""
    clips = [part.clip for part in parts if part.clip is not None]
    try:
        transcripts = family.transcribe(clips)
        if len(transcripts) != len(clips):
            raise RuntimeError(f"{len(clips)} clips were given {len(transcripts)} transcripts")
        settled = [
            _guarded(family, part.is_piece, clip, transcript)
            for part, clip, transcript in zip(parts, clips, transcripts, strict=True)
        ]
        kept = [transcript for transcript, _ in settled]
        timed: Sequence[tuple[TimedWord, ...] | None] = [None] * len(clips)
        if words:
            timed = word_times.timed(family, clips, kept, aligner, calibration)
    except Exception as problem:
        if len(parts) == 1:
            parts[0].fail(problem)
        return False
    for part, (transcript, guarded), found in zip(parts, settled, timed, strict=True):
        part.settle(transcript, found, guarded)
    return True


def _guarded(
    family: Family, is_piece: bool, clip: Clip, transcript: Transcript
) -> tuple[Transcript, Guarded]:
    """The transcript without the loops of a decoder, and whether it is cut."""
    found, guarded = _without_loops(family, is_piece, clip, transcript)
    is_cut = found.is_cut and not loops.is_loop(found.text)  # of a loop no text is missing
    return found, guarded + Guarded(texts_cut=int(is_cut))


def _without_loops(
    family: Family, is_piece: bool, clip: Clip, transcript: Transcript
) -> tuple[Transcript, Guarded]:
    """The transcript without the loops of a decoder; of a clip up to the model's window it stays
    what an evaluation measures, and the loop is counted."""
    if not invents(family):
        return transcript, Guarded()
    if not loops.is_loop(transcript.text):
        return _continued(family, clip, transcript) if is_piece else (transcript, Guarded())
    if not is_piece:
        return transcript, Guarded(loops_left=1)
    halves = _halves(clip, family.sample_rate)
    again = joined(family.transcribe(halves)) if halves else transcript
    if loops.is_loop(again.text):
        again = Transcript(loops.cut_loops(again.text), language=again.language)
    return again, Guarded(loops_cut=1)


def _continued(family: Family, clip: Clip, transcript: Transcript) -> tuple[Transcript, Guarded]:
    """The transcript of a piece, decoded in halves where the decoder seems to have stopped."""
    seconds = len(clip.audio) / family.sample_rate
    if not _is_little(transcript.text, seconds) or seconds < _STOPS_EARLY_SECONDS:
        return transcript, Guarded()
    halves = _halves(clip, family.sample_rate)
    found = zip(halves, family.transcribe(halves), strict=True)
    again = joined([_continued(family, half, one)[0] for half, one in found])
    longer = len(again.text) > _MUCH_LONGER * len(transcript.text)
    if not longer or loops.is_loop(again.text):
        return transcript, Guarded()
    return again, Guarded(stops_continued=1)


def _is_little(text: str, seconds: float) -> bool:
    """Whether a text takes much less time to say than so many seconds."""
    dense = ideographs(text)
    others = len(text) - dense
    return others / _FEW_CHARACTERS_A_SECOND + dense / _FEW_IDEOGRAPHS_A_SECOND < seconds


def _halves(clip: Clip, sample_rate: int) -> list[Clip]:
    """A clip cut where it is quietest in its middle third; nothing where it is too short."""
    audio = clip.audio
    if len(audio) < 2 * _LEAST_HALF_SECONDS * sample_rate:
        return []
    frame = sample_rate // 20
    first = len(audio) // 3
    middle = audio[first : first + len(audio) // 3]
    rows = middle[: len(middle) // frame * frame].reshape(-1, frame)
    at = first + int(np.square(rows).mean(axis=1).argmin()) * frame + frame // 2
    return [Clip(piece, clip.language, clip.context) for piece in (audio[:at], audio[at:])]
