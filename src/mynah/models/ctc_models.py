"""CTC models with their processors: drawn from scratch, or pretrained and made fit the corpus."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mynah import console
from mynah.config.tuning import FROZEN
from mynah.models import hub, scratch, weights
from mynah.models.tokenizers import train_tokenizer

if TYPE_CHECKING:
    from mynah.config.schema import ModelConfig
    from mynah.config.tuning import Tuning

HEADS = ("lm_head", "ctc_head", "ctc")  # names of the last layer in transformers' CTC classes


@dataclass(frozen=True)
class Parts:
    """A CTC model, what prepares its input, and where its weights are from."""

    model: Any
    extractor: Any
    tokenizer: Any
    revisions: dict[str, str]


def from_scratch(config: ModelConfig, texts: Sequence[str], sample_rate: int) -> Parts:
    """A FastConformer of the sizes in ``config.encoder``, its tokenizer trained on ``texts``."""
    from transformers import ParakeetCTCConfig, ParakeetForCTC

    encoder = scratch.fastconformer_config(config.encoder)
    tokenizer = train_tokenizer(texts, kind=config.tokenizer, vocab_size=config.vocab_size)
    model = ParakeetForCTC(
        ParakeetCTCConfig(
            vocab_size=len(tokenizer),
            pad_token_id=tokenizer.pad_token_id,
            encoder_config=encoder,
        )
    )
    scratch.spread_weights(model)
    extractor = scratch.log_mel_extractor(config.encoder.mel_bins, sample_rate)
    return Parts(model, extractor, tokenizer, {})


def from_pretrained(
    config: ModelConfig, source: hub.Source, texts: Sequence[str], sample_rate: int
) -> Parts:
    """Any checkpoint of AutoModelForCTC, or a speech encoder that gets a new head.

    A checkpoint that was never trained to recognize (as wav2vec2-base), or has no
    tokenizer, gets a tokenizer trained on ``texts`` and a head to match, and says so.
    """
    extractor = hub.feature_extractor(source, sample_rate)
    written = hub.load_config(source)
    tokenizer = _own_tokenizer(source) if _has_head(written) else None
    if new_head := tokenizer is None:
        tokenizer = train_tokenizer(texts, kind=config.tokenizer, vocab_size=config.vocab_size)
        written.vocab_size = len(tokenizer)
        written.pad_token_id = tokenizer.pad_token_id
        console.notice(
            f"{source.name} has no head that recognizes: it gets a new one, over "
            f"{len(tokenizer)} {config.tokenizer} pieces trained on this corpus."
        )
    model = load_base(source, written, new_head=new_head)
    return Parts(model, extractor, tokenizer, {source.name: hub.commit_of(source)})


def load_base(source: hub.Source, config: Any, *, new_head: bool) -> Any:
    """A CTC model with pretrained weights in fp32, whatever precision they are stored in.

    Args:
        source: Where the weights are.
        config: Its configuration, possibly with another vocabulary.
        new_head: Whether the last layer may be missing in the file, and is drawn.

    Raises:
        UserError: Other weights than the head are missing.
    """
    from transformers import AutoModelForCTC

    if not new_head:
        return weights.load(AutoModelForCTC, source, config=config)
    # What a checkpoint that never recognized has behind its encoder is of no use.
    drawn = (*HEADS, *_IN_THE_MIDDLE)
    return weights.load(AutoModelForCTC, source, config=config, drawn=drawn, dropped=("",))


def head_of(model: Any) -> str:
    """Name of the last layer, which turns encoder frames into labels."""
    return next(name for name in HEADS if hasattr(model, name))


def freeze(model: Any, learns: Tuning) -> None:
    """Choose what of a pretrained model is trained.

    Args:
        model: A CTC model.
        learns: What is done with its encoder and with its head (``decoder``). A trained encoder
            keeps the convolutions over samples, as wav2vec2's authors do (arXiv 2006.11477).
    """
    head = head_of(model)
    if hasattr(model, "freeze_feature_encoder"):
        model.freeze_feature_encoder()
    for name, parameter in model.named_parameters():
        part = learns.decoder if name.startswith(f"{head}.") else learns.encoder
        if part == FROZEN:
            parameter.requires_grad_(False)


def recognizes(source: hub.Source) -> bool:
    """Whether a pretrained part was trained to recognize: it has a head and a tokenizer.

    Raises:
        UserError: It cannot be had.
    """
    return _has_head(hub.load_config(source)) and _own_tokenizer(source) is not None


def make_processor(extractor: Any, tokenizer: Any) -> Any:
    """The processor that ``AutoProcessor`` finds again beside the model."""
    import transformers

    kinds = {
        "ParakeetFeatureExtractor": "ParakeetProcessor",
        "LasrFeatureExtractor": "LasrProcessor",
        "GraniteSpeech5FeatureExtractor": "GraniteSpeech5Processor",
        "SeamlessM4TFeatureExtractor": "Wav2Vec2BertProcessor",
        "Wav2Vec2FeatureExtractor": "Wav2Vec2Processor",
    }
    kind = getattr(transformers, kinds[type(extractor).__name__])
    # Parakeet's needs to know that equal labels collapse; others know no such argument.
    known = inspect.signature(kind.__init__).parameters
    return kind(
        extractor, tokenizer, **({"decoder_type": "ctc"} if "decoder_type" in known else {})
    )


def _has_head(config: Any) -> bool:
    return any(name.endswith("ForCTC") for name in config.architectures or ())


def _own_tokenizer(source: hub.Source) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(source.name, **source.options())
    except (OSError, ValueError, TypeError):
        return None
