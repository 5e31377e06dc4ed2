"""All settings of Mynah: name, type, unit, default, range and help, in one typed tree.

YAML files, the command line, experiments, legacy JSON and the Python API all end in
:class:`Config`. One file holds one section. Nothing here imports torch or transformers: the
names of ``transformers.TrainingArguments`` are read from its source
(``trainer_fields/``).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mynah.config.schema.augmentation import AugmentationConfig, SpecAugmentConfig
from mynah.config.schema.data import DataConfig, MixtureEntry
from mynah.config.schema.evaluation import EvaluationConfig
from mynah.config.schema.launch import LaunchConfig
from mynah.config.schema.model import ModelConfig
from mynah.config.schema.nature import Nature
from mynah.config.schema.parts import EncoderConfig, ProjectorConfig, TransducerConfig
from mynah.config.schema.setting import setting
from mynah.config.schema.sweep import SweepConfig
from mynah.config.schema.synthesis import SynthesisConfig
from mynah.config.schema.training import TrainingConfig

__all__ = [
    "AugmentationConfig",
    "Config",
    "DataConfig",
    "EncoderConfig",
    "EvaluationConfig",
    "LaunchConfig",
    "MixtureEntry",
    "ModelConfig",
    "Nature",
    "ProjectorConfig",
    "SpecAugmentConfig",
    "SweepConfig",
    "SynthesisConfig",
    "TrainingConfig",
    "TransducerConfig",
    "setting",
]


@dataclass
class Config:
    """One run: everything that decides what it does."""

    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    sweep: SweepConfig = field(default_factory=SweepConfig)
    launch: LaunchConfig = field(default_factory=LaunchConfig)
    eval_checkpoint: str | None = setting(
        None,
        "Measure this model instead of training: a checkpoint, a run's directory, or a recognizer "
        "as it is (a folder of transformers or CTranslate2, or a hub name).",
        nature=Nature.RUN,
    )
    resume_from_checkpoint: str | None = setting(
        None,
        "Resume from here: a checkpoint, a run's directory, `last` (the newest intact checkpoint "
        "of the run with this data, model and seed), or `auto` (last, or a new run where there is "
        "none).",
        nature=Nature.RUN,
    )
    offline: bool = setting(
        False, "Never use the network: what is not on this machine is an error.", nature=Nature.RUN
    )
