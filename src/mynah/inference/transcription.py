"""What a recognizer makes of a recording."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TimedWord:
    """A word, or a character of a script without spaces, with when it is spoken.

    Attributes:
        text: The word as the transcript has it.
        start_seconds: Where it begins in the recording.
        end_seconds: Where it ends.
        confidence: How likely it is right, 0 to 1; None where that is not known.
    """

    text: str
    start_seconds: float
    end_seconds: float
    confidence: float | None = None


@dataclass(frozen=True)
class Segment:
    """A stretch of a recording that was decoded at once.

    Attributes:
        start_seconds: Where it begins in the recording.
        end_seconds: Where it ends.
        text: What is said in it, as the model writes it.
        words: Its words with their times; None where they were not asked for, or the model
            does not tell.
        channel: The channel it is on, counted from 0; None: of all, mixed.
        log_probability: Natural logarithm of the probability of the decoding's steps; None
            where decoding does not follow one path.
        tokens: Ids of the tokens that the text is decoded from; none where words were moved to
            a neighbour that overlaps.
    """

    start_seconds: float
    end_seconds: float
    text: str
    words: tuple[TimedWord, ...] | None = None
    channel: int | None = None
    log_probability: float | None = None
    tokens: tuple[int, ...] = ()


@dataclass(frozen=True)
class Guarded:
    """What was kept out of a transcript, or stands in it and is doubtful.

    Attributes:
        silent_seconds: Sound without speech that was not decoded.
        loops_cut: Stretches in which the model repeated itself, decoded again or cut.
        loops_left: Clips up to the model's window whose text repeats itself: it is left as it
            is measured.
        stops_continued: Pieces that the model stopped writing early, decoded again in halves.
        texts_cut: Texts that have as many tokens as they may have and no end, but for loops.
        cut_short: Recordings that end before their header says, decoded as far as they go.
    """

    silent_seconds: float = 0.0
    loops_cut: int = 0
    loops_left: int = 0
    stops_continued: int = 0
    texts_cut: int = 0
    cut_short: int = 0

    @property
    def incomplete(self) -> tuple[str, ...]:
        """What is missing a part: ``text``, ``recording``, or nothing."""
        found = {"text": self.texts_cut, "recording": self.cut_short}
        return tuple(name for name, count in found.items() if count)

    def __add__(self, other: Guarded) -> Guarded:
        return Guarded(
            self.silent_seconds + other.silent_seconds,
            self.loops_cut + other.loops_cut,
            self.loops_left + other.loops_left,
            self.stops_continued + other.stops_continued,
            self.texts_cut + other.texts_cut,
            self.cut_short + other.cut_short,
        )


@dataclass(frozen=True)
class Transcription:
    """What a recognizer makes of one recording.

    Attributes:
        text: All of it; of a clip up to the model's window exactly what ``mynah eval`` measures.
        segments: The stretches that were decoded, by their start.
        duration_seconds: How long the recording is.
        language: ISO 639-1 code that the model was conditioned on; None where on none.
        source: The file, "" where samples or bytes were given.
        guarded: What was kept out of it, or is doubtful.
        error: Why there is no transcript; None where there is one.
    """

    text: str
    segments: tuple[Segment, ...]
    duration_seconds: float
    language: str | None = None
    source: str = ""
    guarded: Guarded = Guarded()
    error: str | None = None

    @property
    def words(self) -> tuple[TimedWord, ...] | None:
        """The words of all segments; None where one of them has no times."""
        found: list[TimedWord] = []
        for segment in self.segments:
            if segment.words is None:
                return None
            found += segment.words
        return tuple(found)
