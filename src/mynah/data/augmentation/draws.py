"""Random numbers that depend on nothing but what they are for and where training stands."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(purpose: str, seed: int, epoch: int, utterance_id: str) -> np.random.Generator:
    """The generator of one purpose for one utterance in one epoch.

    Each augmentation draws from its own, so that turning one on, or drawing one number more
    for it, leaves the draws of the others as they were.

    Args:
        purpose: What is sampled, as ``"noise"``.
        seed: Of the run.
        epoch: Which pass over the data.
        utterance_id: Of the utterance.
    """
    name = hashlib.blake2b(f"{purpose}\0{utterance_id}".encode(), digest_size=8).digest()
    return np.random.default_rng([seed, epoch, int.from_bytes(name)])


def between(generator: np.random.Generator, limits: list[float]) -> float:
    """A number sampled uniformly from [low, high]."""
    low, high = limits
    return low + (high - low) * generator.random()
