"""What a person should know of their settings and that stops nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from mynah.config.checks.augmentation import augmentation_notices
from mynah.config.checks.best_model import steps_text
from mynah.config.checks.mixture import mixture_notices
from mynah.config.checks.models.names import family_named, what_joins, words_unused
from mynah.config.checks.models.precision import precision_notices
from mynah.config.checks.models.tuning import tuning_notices
from mynah.config.naming import one_corpus
from mynah.config.origins import SCHEMA, Origin
from mynah.config.schema import Config, Nature
from mynah.config.settings import in_section, names
from mynah.config.trainer_fields.disposition import UPSTREAM_DISPOSITION
from mynah.config.trainer_fields.installed import upstream_fields
from mynah.config.tuning import tuning


def notices(config: Config, origins: Mapping[str, Origin]) -> list[str]:
    """What a person should know of their settings and that stops nothing, one sentence each.

    Args:
        config: The checked settings.
        origins: The layer that set each of them, by dotted name.
    """
    return list(_notices(config, origins))


def _notices(config: Config, origins: Mapping[str, Origin]) -> Iterator[str]:
    def asked(name: str) -> bool:
        return origins.get(name, SCHEMA).asked

    if said := one_corpus.corpus_notice(origins):
        yield said
    model, training = config.model, config.training
    if config.data.streaming and config.eval_checkpoint is None:
        yield from _length_of_a_stream(training.max_steps, origins)
    named = model.pretrained or model.encoder_model_name or model.decoder_model_name
    lora = [name for name in names(Nature.LORA) if asked(name)]
    if config.eval_checkpoint is None:
        if model.use_lora and not named and asked("model.use_lora"):
            yield "model.use_lora has no effect: nothing pretrained is there to adapt."
        if lora and not named:
            yield f"{_several(lora)} no effect: nothing pretrained is there to adapt."
        elif lora and not model.use_lora and not tuning(model).adapts:
            yield f"{_several(lora)} no effect: model.use_lora is false."
        yield from tuning_notices(config)
        sizes = [name for name in in_section("model.encoder") if asked(name)]
        if sizes and (model.pretrained or model.encoder_model_name):
            yield f"{_several(sizes)} no effect: the encoder is a pretrained one."
        sizes = [name for name in in_section("model.transducer") if asked(name)]
        if sizes and (named or model.family != "transducer"):
            yield f"{_several(sizes)} no effect: no transducer is built from scratch."
        if words_unused(config):
            yield (
                f"model.language_model={model.language_model} has no effect: "
                f"{what_joins(model.language_model)} alone in decoding, and this model is a "
                f"{family_named(config)}."
            )
    yield from _idle_notices(config, asked)
    yield from precision_notices(config)
    yield from augmentation_notices(config, asked)
    yield from mixture_notices(config, asked)
    for size, seconds in (
        ("per_device_train_batch_size", "batch_seconds"),
        ("per_device_eval_batch_size", "eval_batch_seconds"),
    ):
        if asked(f"training.{seconds}") and getattr(training, size) not in (None, "auto"):
            yield f"training.{seconds} has no effect: training.{size} is set."
    if 1 <= (training.max_steps or 0) <= training.warmup_steps and config.eval_checkpoint is None:
        yield (
            f"training.warmup_steps={steps_text(training.warmup_steps)} is not shorter than "
            f"training.max_steps={training.max_steps}: the learning rate never reaches its peak."
        )
    defaults = upstream_fields()
    for name, disposition in UPSTREAM_DISPOSITION.items():
        if (
            disposition.reason.startswith("no effect")
            and asked(f"training.{name}")
            and getattr(training, name) != defaults[name].default
        ):
            yield f"training.{name} has {disposition.reason}."


def _idle_notices(config: Config, asked: Callable[[str], bool]) -> Iterator[str]:
    """Settings of audio that another one leaves without effect."""
    model, data = config.model, config.data
    if model.audio_tail_seconds and asked("model.audio_tail_seconds"):
        if model.audio_window == "native":
            yield "model.audio_tail_seconds has no effect: every clip is padded to 30 s anyway."
        elif not model.pretrained:
            yield "model.audio_tail_seconds has no effect: it is of a Whisper in model.pretrained."
    if data.replay and not model.pretrained:
        yield "data.replay has no effect: model.pretrained names no recognizer that knows more."
    synthesis = [name for name in in_section("data.synthesis") if asked(name)]
    if synthesis and data.dataset_name != "synthetic" and data.format != "synthetic":
        yield f"{_several(synthesis)} no effect: data.dataset_name is {data.dataset_name}."


def _length_of_a_stream(steps: int | None, origins: Mapping[str, Origin]) -> Iterator[str]:
    """That nobody said how long is trained on what does not say how long it is."""
    if origins.get("training.max_steps", SCHEMA).layer == "schema":
        yield (
            f"A stream does not say how many hours it has: {steps or 0:,} steps are trained "
            "(training.max_steps=N decides otherwise)."
        )


def _several(names: list[str]) -> str:
    return f"{', '.join(names)} {'has' if len(names) == 1 else 'have'}"
