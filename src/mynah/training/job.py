"""One training: what is trained, on what, how, and where its checkpoints go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

from mynah.data.positions import Key
from mynah.training.arguments import steps_per_epoch, steps_total

if TYPE_CHECKING:
    from mynah.checkpoints.clip_lengths import ClipLengths
    from mynah.config.schema import Config
    from mynah.data.augmentation.chain import Augmentation
    from mynah.data.positions import Batches
    from mynah.data.utterances import TrainingData
    from mynah.models.family import Family


@dataclass(frozen=True)
class Job(Generic[Key]):
    """What the parts of a training share, and none of them changes.

    Attributes:
        family: The model; trained in place.
        corpus: Training utterances, a table or a stream.
        plan: Which rows make which batch of this rank.
        config: The checked settings.
        augmentation: Of the training audio.
        output_directory: Where ``checkpoint-N`` go, and at the end the best model.
        evaluate: Measures the model at a step: error rates by name, as ``eval_wer``.
        on_first_checkpoint: Called once, after the first checkpoint of this call is complete.
        on_commit: Called on the first rank after each checkpoint is complete.
        extra_files: Text files written into every checkpoint, by name.
        settings: What a resumed training must share with this one, by name.
        clips: Lengths of the training utterances, which checkpoints say; None: not known.
        measured_by: What its scores depend on besides the model, by name.
    """

    family: Family
    corpus: TrainingData[Key]
    plan: Batches[Key]
    config: Config
    augmentation: Augmentation
    output_directory: Path
    evaluate: Callable[[int], Mapping[str, float]]
    on_first_checkpoint: Callable[[], None]
    on_commit: Callable[[], None] | None
    extra_files: Mapping[str, str]
    settings: Mapping[str, Any]
    clips: ClipLengths | None = None
    measured_by: Mapping[str, Any] = field(default_factory=dict)

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps of one epoch."""
        return steps_per_epoch(self.plan, self.config)

    @property
    def steps_total(self) -> int:
        """Optimizer steps of the full training."""
        return steps_total(self.plan, self.config)
