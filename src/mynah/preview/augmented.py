"""A few utterances before and after augmentation, and what was sampled for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mynah import console
from mynah.data.augmentation.gain import level
from mynah.errors import UserError
from mynah.pages.spectrogram import log_mel

if TYPE_CHECKING:
    from mynah.data.augmentation.chain import Augmentation
    from mynah.data.corpus import Corpus


@dataclass(frozen=True)
class PreviewedClip:
    """A sound as it is played and shown.

    Attributes:
        audio: float32 [samples].
        decibels: Log-mel spectrogram, float32 [frames, bins].
        masked: Which points of it SpecAugment blanks out, bool [frames, bins].
    """

    audio: np.ndarray
    decibels: np.ndarray
    masked: np.ndarray

    @property
    def level_db(self) -> float:
        """Root mean square against full scale, decibels."""
        return 20 * float(np.log10(max(level(self.audio), 1e-6)))


@dataclass(frozen=True)
class Augmented:
    """One utterance in one epoch.

    Attributes:
        id: Of the utterance.
        text: Its transcript.
        sampled: What was sampled for it, as :meth:`Augmentation.describe` says it.
        before: As it was recorded.
        after: As the training takes it.
    """

    id: str
    text: str
    sampled: dict[str, Any]
    before: PreviewedClip
    after: PreviewedClip


def augment_some(
    corpus: Corpus,
    augmentation: Augmentation,
    *,
    utterances: int,
    epoch: int,
    seed: int,
    mel_bins: int,
) -> list[Augmented]:
    """Some utterances of a corpus, the same ones for every epoch.

    Args:
        corpus: Training utterances.
        augmentation: What becomes of them.
        utterances: How many.
        epoch: Which pass over the data.
        seed: Chooses them.
        mel_bins: Of the features that SpecAugment masks.

    Raises:
        UserError: None of them can be read.
    """
    order = np.random.default_rng(seed).permutation(len(corpus))
    made: list[Augmented] = []
    for row in order.tolist():
        if len(made) == utterances:
            break
        utterance = corpus[row]
        try:
            audio = corpus.read_audio(row)
            sampled = augmentation.draw(epoch=epoch, utterance_id=utterance.id)
            altered = augmentation.waveform(audio, sampled)
        except (UserError, ValueError, OSError) as problem:
            console.notice(f"Utterance {utterance.id} is passed over: {problem}")
            continue
        # A factor of the frequencies is said, not drawn: a picture has another mel scale.
        after = log_mel(altered, corpus.sample_rate, mel_bins)
        masked = _masked(augmentation, after.shape, epoch, utterance.id)
        described = augmentation.describe(sampled, epoch=epoch, utterance_id=utterance.id)
        described |= _described(masked)
        before = log_mel(audio, corpus.sample_rate, mel_bins)
        made.append(
            Augmented(
                utterance.id,
                utterance.text,
                described,
                PreviewedClip(audio, before, np.zeros(before.shape, dtype=bool)),
                PreviewedClip(altered, after, masked),
            )
        )
    if not made:
        raise UserError(
            "None of the utterances can be read.",
            where=corpus.name,
            fix="mynah data prepare names what is wrong with each",
        )
    return made


def _described(masked: np.ndarray) -> dict[str, Any]:
    """How much SpecAugment masks, where it does."""
    if not masked.any():
        return {}
    return {
        "spec_augment": {
            "time_masked": round(float(masked.all(axis=1).mean()), 4),
            "frequency_masked": round(float(masked.all(axis=0).mean()), 4),
        }
    }


def _masked(
    augmentation: Augmentation, shape: tuple[int, ...], epoch: int, utterance_id: str
) -> np.ndarray:
    """Where features are masked: the mean of what is given stands there."""
    ramp = _ramp(shape)
    made = augmentation.features(ramp, epoch=epoch, utterance_id=utterance_id, warp=False)
    return np.asarray(made != ramp)


def _ramp(shape: tuple[int, ...]) -> np.ndarray:
    """Numbers that all differ from their mean: what is masked in them shows."""
    ramp = np.arange(1, 1 + int(np.prod(shape)), dtype=np.float64).reshape(shape)
    ramp.flat[0] += 0.25  # the mean then is none of them
    return ramp
