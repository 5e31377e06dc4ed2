"""Sizes that go together, and names that say one model."""

from __future__ import annotations

from pathlib import Path

from mynah.config.checks.checker import Checker
from mynah.config.naming.context_file import is_empty
from mynah.config.naming.language_model import ARPA, NONE, TEXT, WORDS, is_file, is_valid
from mynah.config.naming.n_best import refusal
from mynah.config.origins import SCHEMA
from mynah.config.schema import Config
from mynah.storage.address import is_address

_WITH_A_BEAM = ("auto", "ctc", "transducer")  # families that a language model of words may join


def check_encoder(checker: Checker) -> None:
    """Report sizes of an encoder that do not fit together."""
    encoder = checker.config.model.encoder
    if encoder.hidden_size % encoder.heads:
        fitting = -(-encoder.hidden_size // encoder.heads) * encoder.heads
        checker.wrong(
            "model.encoder.hidden_size",
            f"model.encoder.hidden_size={encoder.hidden_size} cannot be shared out to "
            f"model.encoder.heads={encoder.heads}.",
            f"model.encoder.hidden_size={fitting}",
        )
    if encoder.conv_kernel_size % 2 == 0:
        checker.wrong(
            "model.encoder.conv_kernel_size",
            "model.encoder.conv_kernel_size must be odd: as many frames before as after.",
            f"model.encoder.conv_kernel_size={encoder.conv_kernel_size + 1}",
        )
    factor = encoder.subsampling_factor
    if factor & (factor - 1):
        checker.wrong(
            "model.encoder.subsampling_factor",
            f"model.encoder.subsampling_factor is a power of two, not {factor}.",
            f"model.encoder.subsampling_factor={1 << (factor.bit_length() - 1)}",
        )


def check_model_names(checker: Checker) -> None:
    """Report names that say two models, or half of one."""
    model = checker.config.model
    parts = [n for n in ("encoder_model_name", "decoder_model_name") if getattr(model, n)]
    if model.pretrained and parts:
        checker.wrong(
            f"model.{parts[0]}",
            f"model.pretrained names a full recognizer, and model.{parts[0]} a part of another.",
            f"model.{parts[0]}=null",
        )
    if model.family == "ctc" and model.decoder_model_name:
        checker.wrong(
            "model.family",
            "A CTC model has no language model behind it, and model.decoder_model_name names one.",
            "model.family=auto",
        )
    if model.family in ("seq2seq", "audio_llm") and not (
        model.pretrained or parts or checker.config.eval_checkpoint
    ):
        checker.wrong(
            "model.family",
            f"family {model.family} is trained from pretrained weights: model.pretrained.",
            "model.family=auto",
        )
    if model.family == "speech_llm" and not model.decoder_model_name and not model.pretrained:
        checker.wrong(
            "model.family",
            "family speech_llm needs a language model: model.decoder_model_name.",
            "model.family=auto",
        )


def check_language_model(checker: Checker) -> None:
    """Only labels that follow the sound are joined by a language model of words in decoding."""
    model = checker.config.model
    if not is_valid(model.language_model):
        checker.wrong(
            "model.language_model",
            f"model.language_model takes words, none, FILE{ARPA} or FILE{TEXT}, not "
            f"{model.language_model}.",
            f"model.language_model={WORDS}",
        )
        return
    _check_files(checker)
    if checker.config.eval_checkpoint is not None:
        return  # which family it is, the checkpoint says
    asked = checker.origins.get("model.language_model", SCHEMA).asked
    if asked and words_unused(checker.config):
        checker.wrong(
            "model.language_model",
            f"{what_joins(model.language_model)} alone in decoding, and this model is a "
            f"{family_named(checker.config)}.",
            "model.language_model=none",
        )


def check_n_best(checker: Checker) -> None:
    """Several hypotheses are asked of a model that gives them: its family may tell."""
    config = checker.config
    family = family_named(config)
    if family == "auto" and not (config.model.pretrained or config.model.encoder_model_name):
        family = "ctc"
    if config.eval_checkpoint is None and (no := refusal(family, config.evaluation.n_best)):
        checker.wrong("evaluation.n_best", no.what, no.fix)


def _check_files(checker: Checker) -> None:
    """What joins in decoding is there, and hot words have a beam to join."""
    model, origins = checker.config.model, checker.origins
    named = {"context_file": model.context_file}
    if is_file(model.language_model):
        named["language_model"] = model.language_model
    for name, value in named.items():
        if value is None or is_address(value) or not origins.get(f"model.{name}", SCHEMA).asked:
            continue
        nothing = f"model.{name}={NONE if name == 'language_model' else 'null'}"
        if not Path(value).expanduser().is_file():
            checker.wrong(f"model.{name}", f"There is no file {value}.", nothing)
        elif name == "context_file" and is_empty(Path(value).expanduser()):
            checker.wrong("model.context_file", f"The list {value} has no word.", nothing)
        elif (
            name == "context_file"
            and checker.config.eval_checkpoint is None
            and family_named(checker.config) not in (*_WITH_A_BEAM, "seq2seq")
        ):
            checker.wrong(
                "model.context_file",
                "A list of words is for CTC models, transducers and Whisper, and this model is a "
                f"{family_named(checker.config)}.",
                nothing,
            )


def family_named(config: Config) -> str:
    """The family, as far as the settings tell it."""
    model = config.model
    return "speech_llm" if model.family == "auto" and model.decoder_model_name else model.family


def what_joins(language_model: str) -> str:
    """What a language model is and joins: a transducer has learned its training's words itself."""
    if language_model == WORDS:
        return "N-grams of the training transcripts join CTC models"
    return "A language model of words joins CTC models and transducers"


def words_unused(config: Config) -> bool:
    """Whether a language model of words is asked for that the family has no place for."""
    model, family = config.model, family_named(config)
    if model.language_model == WORDS:
        return family not in ("auto", "ctc")
    rescores = family == "seq2seq" and config.evaluation.n_best and is_file(model.language_model)
    return model.language_model != NONE and family not in _WITH_A_BEAM and not rescores
