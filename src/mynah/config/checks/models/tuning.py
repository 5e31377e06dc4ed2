"""What is asked of how parts learn: parts that are there, and what does not contradict itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mynah.config.checks.checker import Checker
from mynah.config.schema import Config, ModelConfig
from mynah.config.tuning import (
    FROZEN,
    FULL,
    LORA,
    PARTS,
    Tuning,
    target_of,
    tuning,
    tuning_of_parts,
    tuning_of_recognizer,
)
from mynah.config.values import argument


def check_tuning(checker: Checker) -> None:
    """Report what is asked of parts that are not there, or that contradicts itself."""
    model = checker.config.model
    if checker.config.eval_checkpoint is not None:
        return
    # A folder may be a speech_llm of our own, which has every part.
    in_parts = bool(model.decoder_model_name)
    folder = bool(model.pretrained and Path(model.pretrained).is_dir())
    may_have_parts = in_parts or folder or model.family == "audio_llm"
    named = model.pretrained or model.encoder_model_name
    if model.encoder_tuning == FROZEN and not named:
        checker.wrong(
            "model.encoder_tuning",
            "The encoder starts at random, so it has to learn: nothing pretrained is named.",
            "model.encoder_tuning=full",
        )
    if in_parts and not model.encoder_model_name and model.encoder_tuning == LORA:
        checker.wrong(
            "model.encoder_tuning",
            "LoRA adapts pretrained weights, and the encoder is not pretrained: "
            "model.encoder_model_name is null.",
            "model.encoder_tuning=full",
        )
    _check_lora(checker)
    if in_parts:
        _check_parts(checker)
    elif not may_have_parts:
        for one in recognizer_mistakes(model):
            checker.wrong(f"model.{one.name}", one.what, one.instead, remove=one.instead is None)


@dataclass(frozen=True)
class TuningMistake:
    """A setting of ``model`` that does not apply.

    Attributes:
        name: The setting, as ``encoder_tuning``.
        what: Why, one sentence.
        instead: The argument that fixes it; None: it is to be left out.
    """

    name: str
    what: str
    instead: str | None = None


def recognizer_mistakes(model: ModelConfig) -> Iterator[TuningMistake]:
    """What does not apply to a recognizer without a projector and a language model behind it.

    Args:
        model: The ``model`` section.
    """
    if model.projector_tuning:
        yield TuningMistake(
            "projector_tuning",
            "Only a speech encoder before a language model has a projector: "
            "model.decoder_model_name names none. (For a speech LLM of transformers, add "
            "model.family=audio_llm.)",
            "model.projector_tuning=null",
        )
    if model.pretrained or model.encoder_model_name:
        yield from _contradictions(model)
    for name, what in (("ctc_head_weight", "CTC head beside it"), ("new_tokens", "new tokens")):
        if getattr(model, name):
            yield TuningMistake(
                name,
                f"A language model is what has {what}, and model.decoder_model_name names none.",
            )


def _check_lora(checker: Checker) -> None:
    """What the matrices begin as."""
    model = checker.config.model
    if model.lora_init_weights == "orthogonal" and model.lora_r % 2 and tuning(model).adapts:
        checker.wrong(
            "model.lora_r",
            f"Orthogonal matrices need an even rank, and model.lora_r is {model.lora_r}.",
            f"model.lora_r={model.lora_r + 1}",
        )


def _check_parts(checker: Checker) -> None:
    """Speech encoder, projector and language model."""
    model = checker.config.model
    parts = tuning_of_parts(model)
    new = model.ctc_head_weight or model.new_tokens
    if parts.encoder == parts.projector == parts.decoder == FROZEN and not new:
        checker.wrong(
            "model.decoder_tuning",
            "Nothing would be trained: encoder, projector and language model are frozen.",
            "model.projector_tuning=full",
        )
    for target in model.lora_target_modules or ():
        part, _ = target_of(target)
        if parts.adapts and part is not None and getattr(parts, part) != LORA:
            checker.wrong(
                "model.lora_target_modules",
                f"{target} is to be adapted, and the {part} is not: model.{part}_tuning is "
                f"{getattr(parts, part)}.",
                [
                    argument("model.lora_target_modules", model.lora_target_modules),
                    f"model.{part}_tuning=lora",
                ],
            )


def _contradictions(model: ModelConfig) -> Iterator[TuningMistake]:
    """A full recognizer has two parts, and no adapter keeps what is trained in full."""
    parts = tuning_of_recognizer(model)
    if parts.encoder == parts.decoder == FROZEN:
        yield TuningMistake(
            "decoder_tuning",
            "Nothing would be trained: the encoder and what follows it are frozen.",
            "model.decoder_tuning=full",
        )
    elif {parts.encoder, parts.decoder} == {LORA, FULL}:
        name = "encoder_tuning" if parts.encoder == FULL else "decoder_tuning"
        yield TuningMistake(
            name,
            "A full recognizer is adapted with LoRA or trained in full, not one part so and the "
            f"other so: model.encoder_tuning is {parts.encoder}, model.decoder_tuning "
            f"{parts.decoder}.",
            f"model.{name}=lora",
        )


def tuning_notices(config: Config) -> Iterator[str]:
    """What a person should know of how the parts learn, one sentence each."""
    model = config.model
    named = model.pretrained or model.encoder_model_name or model.decoder_model_name
    if not named:
        for part in PARTS:
            if getattr(model, f"{part}_tuning") == LORA:
                yield f"model.{part}_tuning=lora has no effect: nothing pretrained is there."
    elif model.use_lora and not tuning(model).adapts:
        yield "model.use_lora has no effect: model.*_tuning says otherwise of each part."
    parts = tuning(model) if named else Tuning(FULL, FULL, FULL)
    complete = not model.decoder_model_name
    for part in PARTS:
        if getattr(config.training, f"{part}_learning_rate") is None:
            continue
        if getattr(parts, part) == FROZEN and not (part == "decoder" and model.new_tokens):
            yield f"training.{part}_learning_rate has no effect: that part is frozen."
        elif part == "projector" and complete and not model.pretrained:
            yield "training.projector_learning_rate has no effect: there is no projector."
