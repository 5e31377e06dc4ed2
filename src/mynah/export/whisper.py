"""What the layouts for Whisper share: who fits, and how their programs decode."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah.export.runtimes import Program, start
from mynah.export.target import Said, Sample, check_holds

if TYPE_CHECKING:
    import numpy as np

    from mynah.models.family import Family
    from mynah.models.seq2seq.family import Seq2Seq


def check_whisper(family: Family, target: str) -> None:
    """Find a model that is not a Whisper.

    Raises:
        UserError: It is not one; the layouts that hold it are named.
    """
    check_holds(target, "Whisper", family, fits=is_whisper(family))


def is_whisper(family: Family) -> bool:
    """Whether a model is one, adapted or not."""
    return bool(family.model.config.model_type == "whisper")


def greedy_in_window(family: Family) -> Seq2Seq:
    """A Whisper as other programs run it: the likeliest token at each step, padded to 30 s."""
    from mynah.models.seq2seq.family import Seq2Seq
    from mynah.models.seq2seq.loading import NATIVE

    assert isinstance(family, Seq2Seq)
    usage = dataclasses.replace(family.usage, audio_window=NATIVE, timestamps=False)
    family.model.generation_config.num_beams = 1
    return Seq2Seq(family.model, family.processor, usage, revisions=family.base_revisions())


def of_whisper(family: Family) -> Seq2Seq:
    """A family that :func:`check_whisper` let pass."""
    from mynah.models.seq2seq.family import Seq2Seq

    assert isinstance(family, Seq2Seq)
    return family


def sample_languages(family: Seq2Seq, samples: Sequence[Sample]) -> list[str]:
    """The language a program is given for each recording, "" where it is to find out itself."""
    if not family.prompts.languages:
        return ["en"] * len(samples)
    return [sample.language or family.usage.language or "" for sample in samples]


def token_bytes(tokenizer: Any, end: int) -> list[bytes]:
    """What each token before the end writes, in bytes."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    letters = {letter: byte for byte, letter in bytes_to_unicode().items()}
    tokens = tokenizer.convert_ids_to_tokens(range(end))
    return [bytes(letters[letter] for letter in token) for token in tokens]


def window_features(family: Seq2Seq, audio: np.ndarray) -> np.ndarray:
    """What the encoder takes of a recording: float32 [bins, frames] of a full window."""
    window = family.frontend.max_features
    assert window is not None
    padded = family.frontend.pad([family.features(audio)], window)["input_features"]
    found: np.ndarray = padded[0].numpy().T
    return found


def run_whisper(
    program: Program, family: Seq2Seq, target: Path, samples: Sequence[Sample], **more: Any
) -> Said:
    """What a program of Whisper's makes of recordings, each in its language.

    Args:
        program: It.
        family: The model that was written.
        target: What the program loads.
        samples: The recordings.
        more: What else the program is given.
    """
    lines, _ = start(
        program,
        target,
        audios=[sample.audio for sample in samples],
        languages=sample_languages(family, samples),
        task=family.usage.task or "transcribe",
        **more,
    )
    return Said([line["text"] for line in lines], sum(line["seconds"] for line in lines))
