"""CTC models initialized at random in the shape of any architecture of AutoModelForCTC.

Each function maps the sizes of ``model.encoder`` to one architecture's configuration; what
they leave out is as that architecture's authors have it. Dropout of entire layers and masking
inside the model are off: augmentation is the data's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mynah.config.checks.models.architectures import SIZED_ARCHITECTURES
from mynah.models import scratch

if TYPE_CHECKING:
    from mynah.config.schema import EncoderConfig

_POSITION_KERNEL = 128  # frames that wav2vec2's positional convolution sees
_POSITION_GROUPS = 16


def build_from_scratch(
    architecture: str, sizes: EncoderConfig, *, labels: int, blank: int, sample_rate: int
) -> tuple[Any, Any]:
    """A model and the feature extractor before it.

    Args:
        architecture: A name of ``config.architectures.ARCHITECTURES``.
        sizes: The ``model.encoder`` section, checked.
        labels: Tokens of the tokenizer, the blank among them.
        blank: The blank's token id.
        sample_rate: Hertz of the audio.
    """
    head = {"vocab_size": labels, "pad_token_id": blank}
    model, extractor = _BUILDERS[architecture](architecture, sizes, head, sample_rate)
    scratch.spread_weights(model)
    return model, extractor


def _parakeet(_: str, sizes: EncoderConfig, head: dict[str, Any], rate: int) -> tuple[Any, Any]:
    from transformers import ParakeetCTCConfig, ParakeetForCTC

    config = ParakeetCTCConfig(**head, encoder_config=scratch.fastconformer_config(sizes))
    return ParakeetForCTC(config), scratch.log_mel_extractor(sizes.mel_bins, rate)


def _of_samples(
    architecture: str, sizes: EncoderConfig, head: dict[str, Any], rate: int
) -> tuple[Any, Any]:
    """wav2vec2 and its relatives, with layer norm: what they say does not depend on padding."""
    from transformers import CONFIG_MAPPING, AutoModelForCTC, Wav2Vec2FeatureExtractor

    kernels, strides = _convolutions(sizes.subsampling_factor * rate // 100)
    settings: dict[str, Any] = {
        **head,
        **_layers(sizes),
        "conv_kernel": kernels,
        "conv_stride": strides,
        "feat_extract_norm": "layer",
        "do_stable_layer_norm": True,
        "conv_bias": True,
        "num_conv_pos_embeddings": _POSITION_KERNEL,
        "num_conv_pos_embedding_groups": math.gcd(sizes.hidden_size, _POSITION_GROUPS),
    }
    if architecture == "data2vec-audio":  # five short positional convolutions, layer norm alone
        del settings["feat_extract_norm"], settings["do_stable_layer_norm"]
        del settings["num_conv_pos_embeddings"]
    elif architecture in ("sew", "sew-d"):
        # Behind each layer that folds, one that does not; the transformer runs at half the rate.
        kernels = [kernels[0], *(one for kernel in kernels[1:] for one in (kernel, 1))]
        strides = [strides[0], *(one for stride in strides[1:] for one in (stride, 1))]
        settings |= {"conv_kernel": kernels, "conv_stride": strides}
        del settings["do_stable_layer_norm"]
    elif architecture == "wav2vec2-conformer":
        settings["conv_depthwise_kernel_size"] = sizes.conv_kernel_size
        settings["conformer_conv_dropout"] = sizes.dropout
        del settings["do_stable_layer_norm"]
    settings["conv_dim"] = [sizes.subsampling_channels] * len(settings["conv_kernel"])
    model = AutoModelForCTC.from_config(CONFIG_MAPPING[architecture](**settings))
    return model, Wav2Vec2FeatureExtractor(sampling_rate=rate, return_attention_mask=True)


def _convolutions(samples: int) -> tuple[list[int], list[int]]:
    """Kernels and strides of wav2vec2's convolutions that fold ``samples`` into one frame.

    Its own fold 320: kernels 10, 3, 3, 3, 3, 2, 2 and strides 5, 2, 2, 2, 2, 2, 2.
    """
    halvings = (samples // 5).bit_length() - 1
    kernels = [10, *([3] * min(halvings, 4)), *([2] * (halvings - 4))]
    return kernels, [5] + [2] * halvings


def _layers(sizes: EncoderConfig) -> dict[str, Any]:
    """What all of transformers' relatives of wav2vec2 call alike."""
    return {
        "hidden_size": sizes.hidden_size,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "intermediate_size": sizes.feed_forward_size,
        "hidden_dropout": sizes.dropout,
        "attention_dropout": sizes.dropout,
        "activation_dropout": sizes.dropout,
        "feat_proj_dropout": sizes.dropout,
        "final_dropout": sizes.dropout,
        "layerdrop": 0.0,
        "apply_spec_augment": False,
        "mask_time_prob": 0.0,
    }


def _w2v_bert(_: str, sizes: EncoderConfig, head: dict[str, Any], rate: int) -> tuple[Any, Any]:
    """The extractor stacks two frames; what more is folded, adapter layers of stride 2 fold."""
    from transformers import SeamlessM4TFeatureExtractor, Wav2Vec2BertConfig, Wav2Vec2BertForCTC

    folding = int(math.log2(sizes.subsampling_factor)) - 1
    config = Wav2Vec2BertConfig(
        **head,
        **_layers(sizes),
        feature_projection_input_dim=2 * sizes.mel_bins,
        conv_depthwise_kernel_size=sizes.conv_kernel_size,
        conformer_conv_dropout=sizes.dropout,
        add_adapter=folding > 0,
        num_adapter_layers=max(folding, 1),
        output_hidden_size=sizes.hidden_size,
    )
    extractor = SeamlessM4TFeatureExtractor(
        feature_size=sizes.mel_bins, num_mel_bins=sizes.mel_bins, sampling_rate=rate
    )
    return Wav2Vec2BertForCTC(config), extractor


def _lasr(_: str, sizes: EncoderConfig, head: dict[str, Any], rate: int) -> tuple[Any, Any]:
    from transformers import LasrCTCConfig, LasrEncoderConfig, LasrFeatureExtractor, LasrForCTC

    encoder = LasrEncoderConfig(
        **scratch.conformer_layers(sizes),
        subsampling_conv_channels=sizes.subsampling_channels,
        subsampling_conv_stride=math.isqrt(sizes.subsampling_factor),
        dropout=sizes.dropout,
        layerdrop=0.0,
        # Google's 0.01 follows a model that starts from nothing hundreds of steps late.
        batch_norm_momentum=0.1,
    )
    extractor = LasrFeatureExtractor(feature_size=sizes.mel_bins, sampling_rate=rate)
    return LasrForCTC(LasrCTCConfig(**head, encoder_config=encoder)), extractor


def _granite(_: str, sizes: EncoderConfig, head: dict[str, Any], rate: int) -> tuple[Any, Any]:
    """The extractor stacks two frames; what more is folded, the first layers fold by 2 each."""
    from transformers import (
        GraniteSpeech5CTCConfig,
        GraniteSpeech5EncoderConfig,
        GraniteSpeech5ForCTC,
    )

    from mynah.models.features.granite import GraniteSpeech5FeatureExtractor

    window = rate // 40
    encoder = GraniteSpeech5EncoderConfig(
        vocab_size=head["vocab_size"],
        **scratch.conformer_layers(sizes),
        subsample_layers=list(range(int(math.log2(sizes.subsampling_factor)) - 1)),
    )
    extractor = GraniteSpeech5FeatureExtractor(
        num_mel_bins=sizes.mel_bins,
        sampling_rate=rate,
        n_fft=1 << (window - 1).bit_length(),  # the next power of two
        win_length=window,
        hop_length=rate // 100,
    )
    return GraniteSpeech5ForCTC(GraniteSpeech5CTCConfig(**head, encoder_config=encoder)), extractor


_Builder = Callable[[str, "EncoderConfig", dict[str, Any], int], tuple[Any, Any]]
_BUILDERS: dict[str, _Builder] = {
    name: _of_samples if found.hears_samples else _parakeet
    for name, found in SIZED_ARCHITECTURES.items()
} | {
    "wav2vec2-bert": _w2v_bert,
    "lasr_ctc": _lasr,
    "granite_speech5_ctc": _granite,
}
