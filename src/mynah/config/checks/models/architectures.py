"""Which sizes each architecture that is initialized at random can take, known without torch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mynah.config.origins import SCHEMA

if TYPE_CHECKING:
    from mynah.config.checks.checker import Checker
    from mynah.config.schema import ModelConfig

FASTCONFORMER = "fastconformer"

_NO_CONVOLUTION = "its layers have no convolution"
_HEARS_SAMPLES = "it takes samples, no mel features"
_FACTORS = (2, 4, 8, 16)


@dataclass(frozen=True)
class SizedArchitecture:
    """What a kind of encoder can be built with.

    Attributes:
        hears_samples: Whether it takes the waveform, in 5 × 2 × 2 × ... samples a frame.
        factors: Values of ``model.encoder.subsampling_factor``.
        lacks: Sizes of ``model.encoder`` that it does not have, with the reason.
        rates: Sample rates it can be built for, in hertz; empty: any.
        even: Whether the width of an attention head is even, for positions that rotate or swing.
        layers_subsample: Whether its first layers subsample, each by 2.
    """

    hears_samples: bool = False
    factors: tuple[int, ...] = _FACTORS
    lacks: dict[str, str] = field(default_factory=dict)
    rates: tuple[int, ...] = ()
    even: bool = False
    layers_subsample: bool = False

    def fewest_layers(self, factor: int) -> int:
        """Layers that are needed to fold ``factor`` feature frames into one."""
        return max(2, int(math.log2(factor)) - 1) if self.layers_subsample else 1


def _of_samples(**changes: object) -> SizedArchitecture:
    settings: dict[str, object] = {
        "hears_samples": True,
        "lacks": {"mel_bins": _HEARS_SAMPLES, "conv_kernel_size": _NO_CONVOLUTION},
        "rates": (8000, 16000, 32000),
    }
    return SizedArchitecture(**(settings | changes))  # type: ignore[arg-type]


# By the name that transformers gives each, its ``model_type``.
SIZED_ARCHITECTURES: dict[str, SizedArchitecture] = {
    FASTCONFORMER: SizedArchitecture(),
    "parakeet_ctc": SizedArchitecture(),
    "wav2vec2": _of_samples(),
    "hubert": _of_samples(),
    "wavlm": _of_samples(),
    "unispeech": _of_samples(),
    "unispeech-sat": _of_samples(),
    "data2vec-audio": _of_samples(),
    "sew": _of_samples(),
    "sew-d": _of_samples(),
    "wav2vec2-conformer": _of_samples(lacks={"mel_bins": _HEARS_SAMPLES}, even=True),
    "wav2vec2-bert": SizedArchitecture(
        lacks={"subsampling_channels": "it folds feature frames without convolutions"},
        rates=(16000,),
    ),
    "lasr_ctc": SizedArchitecture(factors=(4, 16), rates=(16000,), even=True),
    "granite_speech5_ctc": SizedArchitecture(
        lacks={"subsampling_channels": "its layers subsample"}, layers_subsample=True
    ),
}


def check_architecture(checker: Checker) -> None:
    """Report an architecture that is not built here, and sizes that it cannot take."""
    config = checker.config
    model = config.model
    named = model.pretrained or model.encoder_model_name
    if config.eval_checkpoint is not None:
        return
    if not named and model.architecture in (FASTCONFORMER, "parakeet_ctc"):
        _check_mel_bins(checker)
    if model.architecture == FASTCONFORMER:
        return
    family = "speech_llm" if model.decoder_model_name else model.family
    if named or family not in ("auto", "ctc"):
        why = (
            f"{named} is what is trained"
            if named
            else f"a {family} built from scratch has a FastConformer"
        )
        checker.wrong(
            "model.architecture",
            f"model.architecture={model.architecture} is of a CTC model trained from scratch, and "
            f"{why}.",
            f"model.architecture={FASTCONFORMER}",
        )
        return
    _check_sizes(checker, SIZED_ARCHITECTURES[model.architecture])


def _check_sizes(checker: Checker, found: SizedArchitecture) -> None:
    """Report sizes that an architecture cannot take."""
    config = checker.config
    model = config.model
    for name, reason in found.lacks.items():
        setting = f"model.encoder.{name}"
        if checker.origins:
            asked = checker.origins.get(setting, SCHEMA).asked
        else:
            asked = getattr(model.encoder, name) != getattr(type(model.encoder)(), name)
        if asked:
            checker.wrong(
                setting, f"A {model.architecture} cannot take {setting}: {reason}.", remove=True
            )
    factor = model.encoder.subsampling_factor
    if factor not in found.factors:
        checker.wrong(
            "model.encoder.subsampling_factor",
            f"A {model.architecture} subsamples twice by one stride, so its factor is one of "
            f"{', '.join(map(str, found.factors))}, not {factor}.",
            f"model.encoder.subsampling_factor={min(found.factors, key=lambda f: abs(f - factor))}",
        )
    if model.encoder.layers < (needed := found.fewest_layers(factor)):
        checker.wrong(
            "model.encoder.layers",
            f"A {model.architecture} that folds {factor} frames into one needs {needed} layers or "
            "more: the first ones halve the frames, the middle one reads the labels so far.",
            f"model.encoder.layers={needed}",
        )
    if found.even and (model.encoder.hidden_size // model.encoder.heads) % 2:
        checker.wrong(
            "model.encoder.hidden_size",
            f"The positions of a {model.architecture} need an even width for each attention "
            f"head: {model.encoder.hidden_size} / {model.encoder.heads} is odd.",
            f"model.encoder.hidden_size={2 * model.encoder.hidden_size}",
        )
    rate = config.data.sample_rate
    if found.rates and rate not in found.rates:
        checker.wrong(
            "data.sample_rate",
            f"A {model.architecture} is built for {', '.join(map(str, found.rates))} Hz, and "
            f"data.sample_rate is {rate}.",
            "data.sample_rate=16000",
        )


def _check_mel_bins(checker: Checker) -> None:
    """A FastConformer's subsampling folds mel bins as it folds frames."""
    encoder = checker.config.model.encoder
    factor = encoder.subsampling_factor
    if encoder.mel_bins % factor and not factor & (factor - 1):
        checker.wrong(
            "model.encoder.mel_bins",
            f"A FastConformer folds {factor} mel bins into one as it does frames, and "
            f"{encoder.mel_bins} is not a multiple of that.",
            f"model.encoder.mel_bins={-(-encoder.mel_bins // factor) * factor}",
        )


def check_new_tokenizer(checker: Checker) -> None:
    """Report a new tokenizer that is asked for where none is replaced."""
    config = checker.config
    model = config.model
    if model.new_tokenizer is None or config.eval_checkpoint is not None:
        return
    if why := next(_no_replacement(model), None):
        checker.wrong(
            "model.new_tokenizer",
            f"model.new_tokenizer replaces the tokenizer of a pretrained CTC model, and {why}.",
            "model.new_tokenizer=null",
        )


def _no_replacement(model: ModelConfig) -> Iterator[str]:
    if model.decoder_model_name:
        yield f"the text is written by {model.decoder_model_name}, with its own tokenizer"
    if model.family not in ("auto", "ctc"):
        yield f"model.family is {model.family}"
    if not (model.pretrained or model.encoder_model_name):
        yield "nothing pretrained is named: model.tokenizer says what is trained then"
