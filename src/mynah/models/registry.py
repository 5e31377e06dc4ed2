"""From settings or a checkpoint's directory to a family."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah.models.family import Family

if TYPE_CHECKING:
    from mynah.config.schema import ModelConfig


def build(config: ModelConfig, *, texts: Iterable[str], sample_rate: int, offline: bool) -> Family:
    """The family that ``config`` asks for, drawn from scratch or with pretrained weights.

    Args:
        config: The ``model`` section.
        texts: Training transcripts; they train a tokenizer where one is needed.
        sample_rate: Hertz of the audio that the model is to hear.
        offline: Load nothing that is not on this machine.

    Raises:
        UserError: A name cannot be loaded, or settings do not fit the model.
    """
    from mynah.models.ctc import CTC

    return CTC.build(config, texts=texts, sample_rate=sample_rate, offline=offline)


def load(directory: Path, *, offline: bool = False) -> Family:
    """The family of a checkpoint, with its weights, strictly.

    Raises:
        UserError: The directory is no checkpoint, or its weights do not fit.
    """
    from mynah.models.ctc import CTC

    return CTC.load(directory, offline=offline)


def check_contradictions(directory: Path, typed_model_settings: dict[str, Any]) -> None:
    """Raise where a typed ``model.*`` setting says otherwise than the checkpoint."""
