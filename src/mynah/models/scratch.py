"""The FastConformer encoder from scratch: its features and its first weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mynah.errors import UserError

if TYPE_CHECKING:
    from mynah.config.schema import EncoderConfig

# The last matrix of each branch of a layer (feed-forward, attention, convolution), as
# transformers' encoders call it.
_BRANCH_ENDS = (
    ".linear2", ".output_dense", ".output.dense",
    ".o_proj", ".out_proj", ".linear_out",
    ".pointwise_conv2", ".pointwise_lin2",
)  # fmt: skip
_BRANCH_SHARE = 0.1


def fastconformer_config(sizes: EncoderConfig) -> Any:
    """transformers' configuration of an encoder of these sizes.

    Raises:
        UserError: The width cannot be shared by the attention heads.
    """
    from transformers import ParakeetEncoderConfig

    if sizes.hidden_size % sizes.heads:
        raise UserError(
            f"A width of {sizes.hidden_size} cannot be shared by {sizes.heads} attention heads.",
            where="model.encoder.heads",
            fix="Make model.encoder.hidden_size a multiple of model.encoder.heads.",
        )
    return ParakeetEncoderConfig(
        **conformer_layers(sizes),
        subsampling_factor=sizes.subsampling_factor,
        subsampling_conv_channels=sizes.subsampling_channels,
        dropout=sizes.dropout,
        layerdrop=0.0,
        attention_bias=False,
        convolution_bias=False,
        scale_input=False,
    )


def conformer_layers(sizes: EncoderConfig) -> dict[str, Any]:
    """What all of transformers' conformers over log-mel features call alike."""
    return {
        "hidden_size": sizes.hidden_size,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "intermediate_size": sizes.feed_forward_size,
        "conv_kernel_size": sizes.conv_kernel_size,
        "num_mel_bins": sizes.mel_bins,
        "activation_dropout": sizes.dropout,
        "attention_dropout": sizes.dropout,
    }


def log_mel_extractor(mel_bins: int, sample_rate: int) -> Any:
    """Log-mel features over windows of 25 ms every 10 ms, at any sample rate."""
    from transformers import ParakeetFeatureExtractor

    window = sample_rate // 40
    return ParakeetFeatureExtractor(
        feature_size=mel_bins,
        sampling_rate=sample_rate,
        hop_length=sample_rate // 100,
        win_length=window,
        n_fft=1 << (window - 1).bit_length(),  # the next power of two
    )


def spread_weights(model: Any) -> None:
    """Draw the weights so that a layer's output has the size of its input, whatever its width.

    transformers draws all with one deviation, 0.02, meant for widths near 1,000: a narrow
    encoder then starts with signals that fade from layer to layer, and learns late.

    What a branch of an encoder layer adds begins at a tenth of that, so a layer passes on what
    it is given until it has learned what to add, as with LayerScale (Touvron et al. 2021, arXiv
    2103.17239). With branches at their full size it depends on the seed how long CTC takes until
    it begins to write (docs/results.md has the losses).
    """
    import torch

    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear | torch.nn.Conv1d | torch.nn.Conv2d):
            fan_in = module.weight[0].numel()
            share = _BRANCH_SHARE if name.endswith(_BRANCH_ENDS) else 1.0
            torch.nn.init.trunc_normal_(module.weight, std=share * fan_in**-0.5)
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)
