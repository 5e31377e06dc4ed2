"""Settings of augmentation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mynah.config.schema.nature import Nature
from mynah.config.schema.setting import section, setting

ROOM_PROBABILITY = 0.5  # where room_folder is set and room_probability is not


@dataclass
class SpecAugmentConfig:
    """SpecAugment on log-mel features, Park et al. 2019, arXiv 1904.08779."""

    time_masks: int | None = setting(
        0,
        "Time masks an utterance; 0 turns them off; null: none for the embedded corpus, 2 for "
        "others.",
        nature=Nature.STEP,
        minimum=0,
        derived="follows from the corpus",
    )
    time_mask_fraction: float = setting(
        0.05,
        "Longest time mask as a share of the utterance.",
        nature=Nature.STEP,
        minimum=0.0,
        maximum=1.0,
    )
    frequency_masks: int | None = setting(
        0,
        "Frequency masks an utterance; 0 turns them off; null: as time_masks.",
        nature=Nature.STEP,
        minimum=0,
        derived="follows from the corpus",
    )
    frequency_mask_bins: int = setting(
        27, "Widest frequency mask.", nature=Nature.STEP, unit="mel bins", minimum=0
    )
    probability: float = setting(
        1.0,
        "Share of the utterances that are masked.",
        nature=Nature.STEP,
        minimum=0.0,
        maximum=1.0,
    )


@dataclass
class AugmentationConfig:
    """Changes made to training audio alone, each a function of (seed, epoch, utterance)."""

    # 1. Speed
    speed_factors: list[float] = setting(
        [],
        "Speed perturbation: each utterance draws one of these factors; empty: off.",
        nature=Nature.STEP,
    )
    speed_probability: float = setting(
        1.0,
        "Share of the utterances that draw a speed factor.",
        nature=Nature.STEP,
        minimum=0.0,
        maximum=1.0,
    )

    # 2. Rooms
    room_probability: float | None = setting(
        None,
        "Share of the utterances that are placed in a room; null: 0.5 where room_folder is set, "
        "else 0.",
        nature=Nature.STEP,
        minimum=0.0,
        maximum=1.0,
    )
    room_folder: str | None = setting(
        None,
        "Folder of room impulse responses, looked through with the folders below it; null: rooms "
        "are simulated (image-source method).",
        nature=Nature.STEP | Nature.PATH,
    )
    simulated_rooms: int = setting(
        200,
        "Rooms that are simulated; an utterance draws one of them.",
        nature=Nature.STEP,
        unit="rooms",
        minimum=1,
    )
    room_size_meters: list[float] = setting(
        [3.0, 10.0],
        "Length and width of a simulated room, sampled from [low, high].",
        nature=Nature.STEP,
        unit="metres",
    )
    room_rt60_seconds: list[float] = setting(
        [0.2, 0.8],
        "Reverberation time of a simulated room, in which a sound falls by 60 decibels, sampled "
        "from [low, high].",
        nature=Nature.STEP,
        unit="seconds",
    )
    room_distance_meters: list[float] = setting(
        [0.5, 3.0],
        "Distance of the microphone in a simulated room, sampled from [low, high].",
        nature=Nature.STEP,
        unit="metres",
    )

    # 3. Gain
    gain_db: float = setting(
        0.0,
        "Gain sampled uniformly from -gain_db to +gain_db; what exceeds full scale is scaled down "
        "as a whole.",
        nature=Nature.STEP,
        unit="decibels",
        minimum=0.0,
        maximum=60.0,
    )
    gain_probability: float = setting(
        1.0,
        "Share of the utterances whose gain is changed.",
        nature=Nature.STEP,
        minimum=0.0,
        maximum=1.0,
    )

    # 4. Noise
    noise_snr_db: list[float] = setting(
        [],
        "Noise at a signal-to-noise ratio sampled from [low, high]; empty: off.",
        nature=Nature.STEP,
        unit="decibels",
    )
    noise_folder: str | None = setting(
        None,
        "Folder of recorded noise, looked through with the folders below it; null: the noise is "
        "made, between white and pink.",
        nature=Nature.STEP | Nature.PATH,
    )
    noise_sources: int = setting(
        1,
        "Pieces of recorded noise mixed together, sampled from 1 to this; of speech, several "
        "make babble.",
        nature=Nature.STEP,
        minimum=1,
        maximum=32,
    )
    noise_probability: float = setting(
        1.0, "Share of the utterances that get noise.", nature=Nature.STEP, minimum=0.0, maximum=1.0
    )

    # 5. Telephone
    telephone_probability: float = setting(
        0.0,
        "Share of the utterances that pass through a telephone: 300 to 3400 hertz and the "
        "8-bit companding of G.711, mu-law or A-law.",
        nature=Nature.STEP,
        minimum=0.0,
        maximum=1.0,
    )

    # 6. On the features: voices
    vocal_tract_factors: list[float] = setting(
        [],
        "Vocal tract length perturbation: an utterance's frequencies are multiplied by a factor "
        "sampled from [low, high]; pitch and tempo stay; empty: off.",
        nature=Nature.STEP,
    )
    vocal_tract_probability: float = setting(
        1.0,
        "Share of the utterances whose frequencies are multiplied.",
        nature=Nature.STEP,
        minimum=0.0,
        maximum=1.0,
    )

    # 7. Masks on the features
    spec_augment: SpecAugmentConfig = section(SpecAugmentConfig, "SpecAugment.")

    # 8. When they begin
    warmup_epochs: int = setting(
        0,
        "Epochs over which augmentation begins: in the first no utterance is changed, then a share "
        "that rises linearly; a model from scratch learns its first letters sooner.",
        nature=Nature.STEP,
        unit="epochs",
        minimum=0,
    )

    # 9. Those of plug-ins
    options: dict[str, Any] = setting(
        {},
        "Augmentations of plug-ins that are on, by name, each with settings of its own, as "
        "{reverse: {probability: 0.2}}.",
        nature=Nature.STEP,
    )
