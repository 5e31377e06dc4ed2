"""CTC models with their processors: from scratch, or pretrained and adapted to the corpus."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mynah import console
from mynah.config.tuning import FROZEN
from mynah.errors import UserError
from mynah.models.ctc import scratch
from mynah.models.features.frontends import frontend_class, frontend_for
from mynah.models.pretrained import hub, weights
from mynah.models.pretrained.part import PretrainedPart
from mynah.models.text.labeller import Labeller
from mynah.models.text.tokenizers import load_ctc_tokenizer, train_tokenizer

if TYPE_CHECKING:
    from mynah.config.schema import ModelConfig
    from mynah.config.tuning import Tuning

HEADS = ("lm_head", "ctc_head", "ctc")  # names of the last layer in transformers' CTC classes
# Granite Speech 5 reads its labels in the middle of its encoder, by its last layer's weights,
# and feeds them back.
_IN_THE_MIDDLE = ("encoder.out", "encoder.out_mid")
_LETTERS_PER_SECOND = 15  # that people say; of frames of 80 ms there are fewer


@dataclass(frozen=True)
class CTCParts:
    """A CTC model, what prepares its input, and where its weights are from.

    Attributes:
        new_head: Whether its last layer was initialized behind pretrained ones.
    """

    model: Any
    extractor: Any
    tokenizer: Any
    revisions: dict[str, str]
    new_head: bool = False


def ctc_from_scratch(config: ModelConfig, texts: Sequence[str], sample_rate: int) -> CTCParts:
    """``config.architecture`` of the sizes in ``config.encoder``, its tokenizer trained on
    ``texts``."""
    tokenizer = train_tokenizer(texts, kind=config.tokenizer, vocab_size=config.vocab_size)
    model, extractor = scratch.build_from_scratch(
        config.architecture,
        config.encoder,
        labels=len(tokenizer),
        blank=tokenizer.pad_token_id,
        sample_rate=sample_rate,
    )
    return CTCParts(model, extractor, tokenizer, {})


def ctc_from_pretrained(
    config: ModelConfig, part: PretrainedPart, texts: Sequence[str], sample_rate: int
) -> CTCParts:
    """Any checkpoint of AutoModelForCTC, or a speech encoder that gets a new head.

    A checkpoint that was never trained to recognize (as wav2vec2-base), has no tokenizer, or is
    to have another (``model.new_tokenizer``), gets a tokenizer trained on ``texts`` and a head
    to match, and says so.

    Raises:
        UserError: It cannot be had, takes another sample rate, or can write no transcript.
    """
    extractor = hub.feature_extractor(part, sample_rate)
    written = hub.load_config(part)
    own = _own_tokenizer(part) if _has_head(written) else None
    revisions = {part.name: hub.commit_of(part)}
    if own is not None and config.new_tokenizer is None:
        model = load_ctc_base(part, written, new_head=False)
        frames_per_second = frontend_for(extractor, model).output_length(sample_rate)
        better = "bpe" if frames_per_second < _LETTERS_PER_SECOND else "character"
        Labeller(own, written.pad_token_id).say_what_is_missing(
            texts, instead=f"model.new_tokenizer={better}"
        )
        return CTCParts(model, extractor, own, revisions)
    kind = config.new_tokenizer or config.tokenizer
    tokenizer = train_tokenizer(texts, kind=kind, vocab_size=config.vocab_size)
    if own is None:
        console.notice(
            f"{part.name} has no head that recognizes: it gets a new one, over "
            f"{len(tokenizer)} {kind} pieces trained on this corpus."
        )
    else:
        console.notice(
            f"{part.name} gets a new tokenizer of {len(tokenizer)} {kind} pieces trained on "
            f"this corpus, in place of its own of {len(own)}, and a newly initialized last layer "
            "over them: it keeps its encoder and learns again how to write, for a language or "
            "script that its own cannot."
        )
    for one in (written, getattr(written, "encoder_config", None)):
        if one is not None and hasattr(one, "vocab_size"):
            one.vocab_size = len(tokenizer)
    written.pad_token_id = tokenizer.pad_token_id
    model = load_ctc_base(part, written, new_head=True)
    _draw(model, label_layers(model))
    return CTCParts(model, extractor, tokenizer, revisions, new_head=True)


def load_ctc_base(part: PretrainedPart, config: Any, *, new_head: bool) -> Any:
    """A CTC model with pretrained weights in fp32, whatever precision they are stored in.

    Args:
        part: Where the weights are.
        config: Its configuration, possibly with another vocabulary.
        new_head: Whether the last layer may be missing in the file, and is initialized.

    Raises:
        UserError: Other weights than the head are missing.
    """
    from transformers import AutoModelForCTC

    if not new_head:
        return weights.load_weights(AutoModelForCTC, part, config=config)
    # What a checkpoint that never recognized has behind its encoder is of no use.
    new = (*HEADS, *_IN_THE_MIDDLE)
    return weights.load_weights(
        AutoModelForCTC, part, config=config, initialized=new, dropped=("",)
    )


def head_of(model: Any) -> str:
    """Name of the last layer, which turns encoder frames into labels."""
    return next(name for name in HEADS if hasattr(model, name))


def last_layer(model: Any) -> Any:
    """The layer that turns encoder frames into labels, of a model that may have an adapter."""
    own = weights.own(model)
    return getattr(own, head_of(own))


def check_intermediate(config: ModelConfig, kind: str) -> None:
    """Find out whether labels can be read halfway up the layers, where that is asked for.

    Args:
        config: The ``model`` section.
        kind: The architecture, by transformers' name.

    Raises:
        UserError: It is not a FastConformer.
    """
    if config.ctc_intermediate and kind != "parakeet_ctc":
        raise UserError(
            "Labels are read halfway up the layers of a FastConformer alone, and this model is "
            f"of the architecture {kind}.",
            where=f"model.ctc_intermediate={config.ctc_intermediate:g}",
            fix="model.ctc_intermediate=0",
        )


def label_layers(model: Any) -> list[str]:
    """Paths of all layers that are as wide as there are labels, the head first."""
    return [head_of(model), *(path for path in _IN_THE_MIDDLE if _submodule(model, path))]


def untie(model: Any) -> None:
    """Give the head weights of its own where it shares them with a layer in the middle.

    Where it is trained in full beside LoRA, it leaves the frozen one behind, and must not be
    taken for the same when the model is saved.
    """
    from torch import nn

    if len(label_layers(model)) == 1 or not model.config.tie_word_embeddings:
        return
    head = model.get_submodule(head_of(model))
    for name, parameter in list(head.named_parameters()):
        setattr(head, name, nn.Parameter(parameter.detach().clone()))
    model.config.tie_word_embeddings = False


def _submodule(model: Any, path: str) -> Any:
    try:
        return model.get_submodule(path)
    except AttributeError:
        return None


def _draw(model: Any, paths: Sequence[str]) -> None:
    """Initialize layers again, as wide as the file's by chance though they may be."""
    from torch import nn

    for path in paths:
        layer = model.get_submodule(path)
        nn.init.normal_(layer.weight, std=model.config.initializer_range)
        nn.init.zeros_(layer.bias)


def freeze_ctc(model: Any, learns: Tuning) -> None:
    """Choose what of a pretrained model is trained.

    Args:
        model: A CTC model.
        learns: What is done with its encoder and with its head (``decoder``). A trained encoder
            keeps the convolutions over samples, as wav2vec2's authors do (arXiv 2006.11477).
    """
    heads = tuple(f"{path}." for path in label_layers(model))
    if hasattr(model, "freeze_feature_encoder"):
        model.freeze_feature_encoder()
    for name, parameter in model.named_parameters():
        part = learns.decoder if name.startswith(heads) else learns.encoder
        if part == FROZEN:
            parameter.requires_grad_(False)


def recognizes(part: PretrainedPart) -> bool:
    """Whether a pretrained part was trained to recognize: it has a head and a tokenizer.

    Raises:
        UserError: It cannot be had.
    """
    return _has_head(hub.load_config(part)) and _own_tokenizer(part) is not None


def make_processor(extractor: Any, tokenizer: Any) -> Any:
    """The processor that ``AutoProcessor`` finds again beside the model."""
    import transformers

    name = frontend_class(extractor).ctc_processor
    assert name is not None, type(extractor).__name__
    kind = getattr(transformers, name)
    # Parakeet's needs to know that equal labels collapse; others know no such argument.
    known = inspect.signature(kind.__init__).parameters
    return kind(
        extractor, tokenizer, **({"decoder_type": "ctc"} if "decoder_type" in known else {})
    )


def _has_head(config: Any) -> bool:
    return any(name.endswith("ForCTC") for name in config.architectures or ())


def _own_tokenizer(part: PretrainedPart) -> Any:
    try:
        return load_ctc_tokenizer(hub.local_place(part), **hub.options(part))
    except (OSError, ValueError, TypeError):
        return None
