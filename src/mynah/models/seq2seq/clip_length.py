"""How long a clip is for the encoder, and how much may be written of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mynah.models.family import Example
from mynah.models.features.whisper_window import in_windows

# A clip that is not padded to Whisper's window is followed by silence up to a multiple of this:
# clips of one length decode in one batch without padding.
_QUANTUM_SECONDS = 0.5
# Whisper's own limit is 448 tokens in 30 s, and English speech needs 4 tokens a second. Twice
# that limit leaves room for scripts that are written in bytes; what is longer is a loop.
_TOKENS_A_SECOND = 30.0
_TOKENS_OF_ANY_CLIP = 32
_TIMESTAMP_SECONDS = 0.02  # what one of Whisper's timestamp tokens is worth


@dataclass(frozen=True)
class ClipLength:
    """The length of a clip with the silence behind it.

    Attributes:
        is_any_length: Whether clips are not padded to the encoder's window; else they keep their
            length here.
        tail_seconds: Silence behind each clip, as far as the window has room for it.
        sample_rate: Hertz.
        window_samples: Longest clip that the encoder takes, or None.
    """

    is_any_length: bool
    tail_seconds: float
    sample_rate: int
    window_samples: int | None

    def encoded_seconds(self, seconds: float) -> float:
        """What is encoded of a clip of ``seconds``, in seconds."""
        if self.is_any_length:
            return self.samples(round(seconds * self.sample_rate)) / self.sample_rate
        if self.window_samples is None:
            return seconds
        return in_windows(seconds, self.window_samples / self.sample_rate)

    @property
    def described(self) -> str:
        """What is encoded of a clip, in a few words."""
        if not self.is_any_length:
            return "in its window"
        if self.tail_seconds:
            return f"clips with {self.tail_seconds:g} s of silence behind them"
        return "clips as long as they are"

    def samples(self, samples: int) -> int:
        """The length of a clip of so many samples once the silence is behind it."""
        if not self.is_any_length:
            return samples
        quantum = round(_QUANTUM_SECONDS * self.sample_rate)
        wanted = max(samples, 1) + round(self.tail_seconds * self.sample_rate)
        if self.window_samples is not None:
            wanted = max(min(wanted, self.window_samples), samples)
        return -(-wanted // quantum) * quantum


def most_tokens(seconds: float) -> int:
    """How many tokens a transcript of a clip may have: more is a model that repeats itself."""
    return _TOKENS_OF_ANY_CLIP + math.ceil(_TOKENS_A_SECOND * seconds)


def end_timestamp(example: Example, feature_seconds: float | None) -> int:
    """At which of Whisper's timestamps a clip ends, counted from ``<|0.00|>``."""
    seconds = example.seconds
    if seconds is None:
        seconds = len(example.features) * (feature_seconds or 0.0)
    return round(seconds / _TIMESTAMP_SECONDS)
