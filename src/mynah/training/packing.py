"""Rows of a language model that hold several utterances, looked at before they are trained on."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mynah import console
from mynah.errors import UserError
from mynah.models.family import Example
from mynah.models.parameters import evaluating
from mynah.training.arguments import mixed_precision

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.models.family import Family

# Of noise that stands in for speech, as long as no encoder is too short for; any text will do.
_SECONDS, _TEXTS = (1.5, 1.1, 1.9), ("one two", "three", "four five six")
_EXACT, _HALF = 1e-5, 2e-2  # differences, relative, in fp32 and in half precision


def pack_sequences(family: Family, config: Config) -> None:
    """Do what ``training.sequence_packing`` asks for, once it is known to change no loss.

    Raises:
        UserError: The model cannot do it, or looks from one utterance of a row into another.
    """
    how = config.training.sequence_packing
    if how is None:
        return
    examples = [_example(family, *one) for one in zip(_SECONDS, _TEXTS, strict=True)]
    exact = all(one.dtype == torch.float32 for one in family.model.parameters())
    precisions: list[tuple[AbstractContextManager[Any], float]] = [
        (nullcontext(), _EXACT if exact else _HALF)
    ]
    if any(mixed := mixed_precision(config, say=False)):
        device = next(family.model.parameters()).device.type
        half = torch.bfloat16 if mixed[0] else torch.float16
        precisions.append((torch.autocast(device, half), _HALF))
    with evaluating(family.model), torch.no_grad():
        for precision, most in precisions:
            _compare(family, examples, how, precision, most)
    console.say(
        f"Rows of several utterances ({how}): a batch of {len(examples)} has the loss of rows of "
        "their own"
    )


def _compare(
    family: Family,
    examples: Sequence[Example],
    how: str,
    precision: AbstractContextManager[Any],
    most: float,
) -> None:
    family.pack_sequences(None)
    with precision:
        apart = _loss(family, examples)
        family.pack_sequences(how)
        together = _loss(family, examples)
    difference = abs(together - apart) / max(abs(apart), 1e-6)
    if not difference <= most:
        raise UserError(
            "This model computes an utterance in another way where others stand before it in its "
            f"row: the loss of {len(examples)} utterances differs by {difference:.1g} of it.",
            where=f"training.sequence_packing={how}",
            fix="leave training.sequence_packing out",
        )


def _loss(family: Family, examples: Sequence[Example]) -> float:
    device = next(family.model.parameters()).device
    batch = {name: tensor.to(device) for name, tensor in family.collate(examples).items()}
    return float(family.loss(family.model, batch).total)


def _example(family: Family, seconds: float, text: str) -> Example:
    samples = round(seconds * family.sample_rate)
    noise = 0.1 * np.random.default_rng(samples).standard_normal(samples, dtype=np.float32)
    return Example(text, family.features(noise), family.labels(text), seconds=seconds)
