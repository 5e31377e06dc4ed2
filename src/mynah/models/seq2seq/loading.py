"""How models of AutoModelForSpeechSeq2Seq are loaded, frozen and used."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mynah import console
from mynah.config.tuning import FROZEN, tuning_of_recognizer
from mynah.errors import UserError
from mynah.models.lora import adapters
from mynah.models.pretrained import hub, hub_errors, weights
from mynah.models.pretrained.part import PretrainedPart
from mynah.models.pretrained.usage import RecordedUsage, record_generation
from mynah.models.seq2seq.registry import architecture_of

if TYPE_CHECKING:
    from mynah.config.schema import ModelConfig
    from mynah.config.tuning import Tuning
    from mynah.models.seq2seq.prompts import Prompts

NATIVE, CLIP = "native", "clip"
_NO_LENGTH = (None, 20)  # transformers' max_length where nobody set one
MOST_TOKENS = 448  # prompt and transcript, where no configuration has a limit


@dataclass(frozen=True)
class Seq2SeqUsage(RecordedUsage):
    """How a model is used: recorded in its checkpoint, for who loads it.

    Attributes:
        audio_window: ``"native"``: Whisper's input is padded to its 30 s; ``"clip"``: it is not.
        audio_tail_seconds: Silence behind a clip that is not padded to the window.
        timestamps: Whether it writes when a text begins and ends.
        language: ``model.language``.
        task: ``model.task``.
        generation_max_length: ``model.generation_max_length``.
    """

    audio_window: str = NATIVE
    audio_tail_seconds: float = 0.0
    timestamps: bool = False
    language: str | None = None
    task: str | None = None
    generation_max_length: int | None = None

    def untuned(self, config: Any) -> Seq2SeqUsage:
        """This usage with the audio as weights take it by themselves.

        Args:
            config: The model's configuration, which records how they were trained where that was
                not Whisper's native way.
        """
        own = Seq2SeqUsage.of(config)
        return replace(
            own,
            timestamps=self.timestamps,
            language=self.language,
            task=self.task,
            generation_max_length=self.generation_max_length,
        )


def record_use(model: Any, usage: Seq2SeqUsage, prompts: Prompts) -> None:
    """Write how a model is used into its configurations; plain transformers honours what it knows.

    Args:
        model: The model, not wrapped.
        usage: What it was asked for.
        prompts: What its decoder is conditioned on.
    """
    usage.record(model)
    settings = model.generation_config
    positions = target_positions(model.config)
    settings.max_length = generation_limit(model) or positions or MOST_TOKENS
    most = usage.generation_max_length
    longest = min(settings.max_length, positions or settings.max_length)
    if most is not None and len(prompts.ids("")) + most >= longest:
        most = None  # max_length says it, with the prompt
    record_generation(settings, beams=beams_of(model), most_new_tokens=most)
    for name, value in prompts.recorded().items():
        if value is not None:
            setattr(settings, name, value)
        elif hasattr(settings, name):
            delattr(settings, name)


def usage_of(config: ModelConfig, recorded: Seq2SeqUsage) -> Seq2SeqUsage:
    """What the settings ask for; what a checkpoint was trained with where they leave it open."""
    window, tail = config.audio_window, config.audio_tail_seconds
    usage = Seq2SeqUsage(
        audio_window=recorded.audio_window if window == "auto" else window,
        audio_tail_seconds=recorded.audio_tail_seconds if tail is None else tail,
        timestamps=config.timestamps,
        language=config.language,
        task=config.task,
        generation_max_length=config.generation_max_length,
    )
    if tail and window == "auto" and usage.audio_window == NATIVE:
        console.notice(
            "model.audio_tail_seconds has no effect: these weights take every clip padded to their "
            "window (model.audio_window=clip: as long as it is)."
        )
    return usage


def check_seq2seq(config: ModelConfig, part: PretrainedPart) -> None:
    """Find what is wrong with the settings or the small files before weights are loaded.

    Raises:
        UserError: The architecture does not have what is asked for, or has no tokenizer.
    """
    kind = hub.model_type(part)
    load_processor(part, kind)
    if config.audio_tail_seconds and not architecture_of(kind).has_window:
        raise UserError(
            f"{part.name} is a {kind}, which has no window: a clip needs no silence behind it.",
            where=f"model.audio_tail_seconds={config.audio_tail_seconds:g}",
            fix="model.audio_tail_seconds=null",
        )
    if config.timestamps and not architecture_of(kind).writes_times:
        raise _no_times(f"{part.name} is a {kind}, which writes no timestamps.")


def prompts_for(
    model: Any, processor: Any, *, language: str | None, task: str | None, timed: bool
) -> Prompts:
    """The prompts of a model of AutoModelForSpeechSeq2Seq.

    Args:
        model: The model, with its generation config.
        processor: Its processor, or what holds its ``tokenizer``.
        language, task, timed: As :class:`~mynah.models.seq2seq.architecture.MakesPrompts` has them.

    Raises:
        UserError: The model does not support this language or task, or writes no timestamps.
    """
    kind: str = model.config.model_type
    architecture = architecture_of(kind)
    if timed and not architecture.writes_times:
        raise _no_times(f"A {kind} writes no timestamps.")
    return architecture.prompts(model, processor, language, task, timed=timed)


def _no_times(what: str) -> UserError:
    return UserError(what, where="model.timestamps", fix="model.timestamps=false")


def load_seq2seq(part: PretrainedPart, config: Any) -> Any:
    """The model in fp32, whatever precision its file has, every weight accounted for.

    Args:
        part: Where it is.
        config: Its configuration.

    Raises:
        UserError: It is not to be had, or its weights are not intact.
    """
    from transformers import AutoModelForSpeechSeq2Seq

    from mynah.models.patches import fastconformer, padding, whisper_length

    model = weights.load_weights(AutoModelForSpeechSeq2Seq, part, config=config)
    fastconformer.install_fastconformer(model)
    padding.install_padding(model)
    whisper_length.install_true_length(model)
    return model


def load_processor(part: PretrainedPart, kind: str) -> Any:
    """The model's processor, with its ``feature_extractor`` and ``tokenizer``.

    Raises:
        UserError: It has none.
    """
    found = _load_processor(part, kind)
    tokenizer = getattr(found, "tokenizer", None)
    # Where there are no files of one, transformers makes a tokenizer without any pieces.
    if tokenizer is None or not set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens):
        raise hub_errors.no_tokenizer(part.name, part.setting)
    return found


def _load_processor(part: PretrainedPart, kind: str) -> Any:
    try:
        with hub.quiet():
            return architecture_of(kind).processor(part)
    except ImportError as error:
        if "sentencepiece" not in str(error).lower():
            raise
        raise UserError(
            f"The tokenizer of {part.name} needs sentencepiece, which is not installed.",
            where=part.setting,
            fix="pip install sentencepiece",
        ) from None
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"{part.name} has no processor: {str(error).splitlines()[0]}",
            where=part.setting,
            fix="Name a recognizer with its tokenizer and preprocessor_config.json.",
        ) from None


def tuned_seq2seq(model: Any, config: ModelConfig, part: PretrainedPart) -> Any:
    """The model with what of it is not to learn frozen, and LoRA where the settings ask for it."""
    learns = tuning_of_recognizer(config)
    freeze_seq2seq(model, learns)
    if not learns.adapts:
        return model
    return adapters.add_lora(
        model,
        replace(config, lora_target_modules=seq2seq_lora_targets(model, config)),
        base=part.lasting_name,
        revision=hub.lasting_revision(part),
    )


def freeze_seq2seq(model: Any, learns: Tuning) -> None:
    """Choose what of a pretrained model is trained.

    Args:
        model: The model, all of it trainable or as it was loaded.
        learns: What is done with its encoder and its decoder. A trained encoder keeps what its
            authors keep: Whisper's sinusoids, and wav2vec2's convolutions over samples
            (arXiv 2006.11477).
    """
    for path in architecture_of(model.config.model_type).fixed:
        model.get_encoder().get_submodule(path).requires_grad_(False)
    if hasattr(model, "freeze_feature_encoder"):
        model.freeze_feature_encoder()
    inside = {id(parameter) for parameter in model.get_encoder().parameters()}
    for parameter in model.parameters():
        part = learns.encoder if id(parameter) in inside else learns.decoder
        if part == FROZEN:
            parameter.requires_grad_(False)


def seq2seq_lora_targets(model: Any, config: ModelConfig) -> list[str] | None:
    """``lora_target_modules``, or the linear layers; of a part that is not frozen alone.

    Raises:
        UserError: A target names no module that LoRA can adapt in such a part.
    """
    learns, targets = tuning_of_recognizer(config), config.lora_target_modules
    if FROZEN not in (learns.encoder, learns.decoder):
        return targets
    paths, frozen = adapters.by_frozen(model, adapters.adaptable_modules(model), learns)
    return paths if targets is None else adapters.matching(targets, paths, frozen=frozen)


def target_positions(config: Any) -> int | None:
    """Most tokens that the decoder holds, prompt included, or None where it has no limit."""
    for part in (config, getattr(config, "decoder_config", None), getattr(config, "decoder", None)):
        for name in ("max_target_positions", "max_position_embeddings", "n_positions"):
            if (found := getattr(part, name, None)) is not None:
                return int(found)
    return None


def generation_limit(model: Any) -> int | None:
    """Most tokens that a transcript may have by the checkpoint's own generation config."""
    found = getattr(model.generation_config, "max_length", None)
    return None if found in _NO_LENGTH else int(found)


def suppressed(model: Any) -> list[int]:
    """Token ids that its generation never writes."""
    return list(weights.own(model).generation_config.suppress_tokens or ())


def beams_of(model: Any) -> int:
    """Hypotheses that its generation keeps at each step."""
    return int(model.generation_config.num_beams or 1)


def end_token(model: Any) -> int:
    """The token that ends a transcript.

    Raises:
        UserError: No configuration says it.
    """
    for config in (model.generation_config, model.config, model.config.get_text_config()):
        found = getattr(config, "eos_token_id", None)
        if found is not None:
            return int(found[0] if isinstance(found, list) else found)
    raise UserError(
        "The model's configuration does not say which token ends a transcript.",
        where="model.pretrained",
        fix="Set eos_token_id in its config.json, or name another model.",
    )
