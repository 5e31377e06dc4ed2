"""A model in use: recordings to transcripts, by the decoding that its error rate was measured with.

recognizer = mynah.load("outputs/model")
print(recognizer.transcribe("call.wav").text)
"""

from __future__ import annotations

import collections
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mynah.errors import UserError
from mynah.inference import decoding
from mynah.inference.decoding import RecordingPart
from mynah.inference.long_form import Cutting, LongForm
from mynah.inference.recording import OpenRecording
from mynah.inference.sound import AudioInput, Sound, channels_of
from mynah.inference.transcription import Guarded, Segment, Transcription
from mynah.inference.voice_activity import detector, is_silent, nobody_speaks
from mynah.models.transcript import Clip

if TYPE_CHECKING:
    from mynah.checkpoints.clip_lengths import ClipLengths
    from mynah.inference.confidence.calibration import Calibration
    from mynah.models.ctc.family import CTC
    from mynah.models.family import Family

# What is taken at once of a model that takes more: nobody's training clips are longer, and what is
# said in minutes is more tokens than model.generation_max_length lets an audio LLM write.
LONGEST_SECONDS = 40.0
_READ_AHEAD = 8  # recordings
_READERS = 4
_BATCHES_AT_ONCE = 2  # whose pieces are sorted by length together


@dataclass(frozen=True)
class Batching:
    """How much is decoded at once; transcripts do not depend on it.

    Attributes:
        seconds: Padded audio in a batch.
        size: Clips in a batch, at most.
    """

    seconds: float = 240.0
    size: int = 16


class Recognizer:
    """A loaded model that transcribes; ``mynah.load`` makes one.

    May be used from several threads: they take turns.

    Args:
        family: The model with its decoding configured, on its device.
        name: What it was loaded from, for messages.
        language: ISO 639-1 code of what is spoken, where no call says another; "": not known.
        tuned: Whether it was trained here, on clips of single utterances.
        batching: How much is decoded at once.
        aligner: A CTC model that times the words of a model that does not.
        calibration: What makes confidences of the model's probabilities of words; None: words
            have no confidence.
        clips: Lengths of the clips that it was trained on; None: not known.

    Attributes:
        family: The model.
        name: What it was loaded from.
        calibration: What makes confidences of its probabilities of words, or None.
    """

    def __init__(
        self,
        family: Family,
        *,
        name: str,
        language: str = "",
        tuned: bool = True,
        batching: Batching | None = None,
        aligner: CTC | None = None,
        calibration: Calibration | None = None,
        clips: ClipLengths | None = None,
    ) -> None:
        self.family = family
        self.name = name
        self._language = language
        self._batching = batching or Batching()
        self._aligner = aligner
        self.calibration = calibration
        longest = self.window_seconds
        joined = 0.0 if tuned else 0.9 * longest
        self._cutting = Cutting(longest, joined_seconds=joined, clips=clips)
        self._lock = threading.Lock()

    @property
    def sample_rate(self) -> int:
        """Hertz of the sound that the model takes."""
        return self.family.sample_rate

    @property
    def window_seconds(self) -> float:
        """Longest clip that is decoded at once; a longer one is cut."""
        samples = self.family.window_samples
        window = LONGEST_SECONDS if samples is None else samples / self.sample_rate
        return min(window, LONGEST_SECONDS)

    def describe_decoding(self) -> str:
        """How transcripts are found, in a few words."""
        return self.family.describe_decoding()

    def transcribe(
        self,
        audio: AudioInput,
        *,
        sample_rate: int | None = None,
        language: str | None = None,
        context: str = "",
        channels: str | int = "mix",
        words: bool = False,
    ) -> Transcription:
        """The transcript of one recording of any length.

        Args:
            audio: A path, the bytes of an audio file, or samples: floats of full scale 1 or
                integers, [samples] or [samples, channels].
            sample_rate: Hertz of samples; None: ``sample_rate``. A file says its own.
            language: ISO 639-1 code of what is spoken; None: that of the model's settings.
            context: Names and terms that may be said, parted by commas; models that take none
                make the same of any.
            channels: ``mix``: their mean; ``split``: each by itself; or a channel's number.
            words: Whether words get their times, where the model tells them.

        Raises:
            UserError: It cannot be read, or the model does not know the language.
        """
        (found,) = self.transcribe_many(
            [audio],
            sample_rate=sample_rate,
            language=language,
            context=context,
            channels=channels,
            words=words,
        )
        if found.error is not None:
            raise _unreadable(found.error, found.source)
        return found

    def transcribe_many(
        self,
        audios: Iterable[AudioInput],
        *,
        sample_rate: int | None = None,
        language: str | None = None,
        context: str = "",
        channels: str | int = "mix",
        words: bool = False,
    ) -> Iterator[Transcription]:
        """The transcripts of many recordings, in their order, decoded together.

        Recordings are read ahead, and their pieces decoded in batches of similar length. One that
        cannot be read or decoded has an ``error`` and costs only itself.

        Args:
            audios: As ``transcribe`` takes them; so are the others.

        Raises:
            UserError: The model does not know the language.
        """
        spoken = self._spoken(language)
        rate = sample_rate or self.sample_rate
        group = _BATCHES_AT_ONCE * self._batching.seconds
        waiting: list[RecordingPart] = []
        open_: collections.deque[OpenRecording] = collections.deque()

        def decode() -> Iterator[Transcription]:
            self._decode(waiting, words=words)
            waiting.clear()
            while open_ and open_[0].is_done:
                yield open_.popleft().transcription()

        for recording, sounds in self._opened(audios, rate, channels):
            open_.append(recording)
            try:
                for part in self._parts(recording, sounds, spoken, context):
                    recording.add(part)
                    waiting.append(part)
                    if sum(one.seconds for one in waiting) >= group:
                        yield from decode()
            except (ValueError, OSError, UserError) as problem:
                recording.fail(problem)
            recording.is_read = True
        yield from decode()

    def stream_file(
        self,
        audio: AudioInput,
        *,
        sample_rate: int | None = None,
        language: str | None = None,
        context: str = "",
        channel: int | None = None,
        words: bool = False,
        together_seconds: float = 0.0,
        check: Callable[[float], None] | None = None,
    ) -> Generator[Segment, None, Transcription]:
        """The segments of one recording, each as soon as it is decoded.

        Args:
            audio: As ``transcribe`` takes it; so are the others, but for:
            channel: Which channel is meant; None: the mean of all.
            together_seconds: Most audio of the pieces that are decoded in one batch; 0: of one.
            check: Called with the seconds that are read so far, before more is read or decoded;
                what it raises ends the work.

        Returns:
            The transcript, once all segments are given.

        Raises:
            UserError: It cannot be read, or the model does not know the language.
        """
        spoken = self._spoken(language)
        sound = Sound(audio, sample_rate or self.sample_rate, channel)
        recording = OpenRecording(sound.source)
        shown = 0
        waiting: list[RecordingPart] = []
        try:
            opened = sound.open(self.sample_rate, self._longest_samples)
            recording.guard(Guarded(cut_short=int(sound.is_cut_short)))
            if check is not None:
                opened = _checked(opened, self.sample_rate, check)
            for part in self._parts(recording, [(sound, opened)], spoken, context):
                recording.add(part)
                waiting.append(part)
                if sum(one.seconds for one in waiting) < together_seconds:
                    continue
                self._decode(waiting, words=words)
                waiting.clear()
                if recording.error is not None:
                    break
                settled = recording.segments()
                if part.is_continued:  # its segment ends where that of the next part begins
                    settled = settled[:-1]
                yield from settled[shown:]
                shown = max(shown, len(settled))
                if check is not None:
                    check(part.start_seconds)
            self._decode(waiting, words=words)
        except (ValueError, OSError) as problem:
            recording.fail(problem)
        if recording.error is not None:
            raise _unreadable(recording.error, sound.source)
        yield from recording.segments()[shown:]
        return recording.transcription()

    def _spoken(self, language: str | None) -> str:
        """What is spoken: what a call says, or else the model's settings.

        Raises:
            UserError: The model does not know it.
        """
        spoken = self._language if language is None else language
        if spoken:
            self.family.check_languages({spoken})
        return spoken

    @property
    def _longest_samples(self) -> int:
        return round(self.window_seconds * self.sample_rate)

    def _opened(
        self, audios: Iterable[AudioInput], rate: int, channels: str | int
    ) -> Iterator[tuple[OpenRecording, Sequence[tuple[Sound, np.ndarray | Iterator[np.ndarray]]]]]:
        """Recordings with the sound of their channels, read ahead by threads, in order."""

        def opened(
            audio: AudioInput,
        ) -> tuple[OpenRecording, list[tuple[Sound, np.ndarray | Iterator[np.ndarray]]]]:
            recording = OpenRecording(Sound(audio, rate).source)
            try:
                sounds = channels_of(audio, rate, channels)
                longest = self._longest_samples
                found = [(one, one.open(self.sample_rate, longest)) for one in sounds]
                recording.guard(Guarded(cut_short=int(sounds[0].is_cut_short)))
                return recording, found
            except (ValueError, OSError, UserError) as problem:
                recording.fail(problem)
                return recording, []

        ahead: collections.deque[Future] = collections.deque()  # type: ignore[type-arg]
        with ThreadPoolExecutor(_READERS) as pool:
            for audio in audios:
                ahead.append(pool.submit(opened, audio))
                if len(ahead) > _READ_AHEAD:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def _parts(
        self,
        recording: OpenRecording,
        sounds: Sequence[tuple[Sound, np.ndarray | Iterator[np.ndarray]]],
        language: str,
        context: str,
    ) -> Iterator[RecordingPart]:
        """What is decoded of a recording: all of it, or pieces of what is too long."""
        rate, invents = self.sample_rate, decoding.invents(self.family)
        for sound, audio in sounds:
            if isinstance(audio, np.ndarray):
                seconds = len(audio) / rate
                recording.lasts(seconds)
                if is_silent(audio) or (invents and nobody_speaks(audio, rate)):
                    recording.guard(Guarded(silent_seconds=seconds))
                    continue
                yield RecordingPart(Clip(audio, language, context), rate, channel=sound.channel)
                continue
            long = LongForm(rate, self._cutting, detector(rate))
            for piece in long.pieces(audio):
                yield RecordingPart(
                    Clip(piece.audio, language, context),
                    rate,
                    start_seconds=piece.start_seconds,
                    overlap_seconds=piece.overlap_seconds,
                    channel=sound.channel,
                    is_piece=True,
                    is_continued=piece.is_continued,
                )
            recording.lasts(long.seconds)
            recording.guard(Guarded(silent_seconds=long.silent_seconds))

    def _decode(self, parts: Sequence[RecordingPart], *, words: bool) -> None:
        with self._lock:
            decoding.decode_parts(
                self.family,
                parts,
                batch_seconds=self._batching.seconds,
                batch_size=self._batching.size,
                words=words,
                aligner=self._aligner,
                calibration=self.calibration,
            )


def _unreadable(reason: str, source: str) -> UserError:
    return UserError(f"This cannot be transcribed: {reason}.", where=source or None)


def _checked(
    audio: np.ndarray | Iterator[np.ndarray], sample_rate: int, check: Callable[[float], None]
) -> np.ndarray | Iterator[np.ndarray]:
    """The same sound; its length so far is looked at before it is used."""
    if isinstance(audio, np.ndarray):
        check(len(audio) / sample_rate)
        return audio

    def blocks() -> Iterator[np.ndarray]:
        samples = 0
        for block in audio:
            samples += len(block)
            check(samples / sample_rate)
            yield block

    return blocks()
