"""Sizes of what a recognizer is built of: encoder, transducer's networks, projector."""

from __future__ import annotations

from dataclasses import dataclass

from mynah.config.schema.nature import Nature
from mynah.config.schema.setting import setting


@dataclass
class EncoderConfig:
    """Sizes of an encoder built from scratch: a FastConformer (arXiv 2305.05084), or what
    `architecture` says."""

    hidden_size: int = setting(176, "Width of a layer.", nature=Nature.STEP, minimum=8)
    layers: int = setting(8, "Conformer layers.", nature=Nature.STEP, minimum=1)
    heads: int = setting(4, "Attention heads; divides hidden_size.", nature=Nature.STEP, minimum=1)
    feed_forward_size: int = setting(
        704, "Width inside a feed-forward block.", nature=Nature.STEP, minimum=8
    )
    conv_kernel_size: int = setting(
        9, "Frames the depthwise convolution sees; odd.", nature=Nature.STEP, minimum=1
    )
    subsampling_factor: int = setting(
        4,
        "Feature frames (10 ms) folded into one encoder frame; a power of two.",
        nature=Nature.STEP,
        minimum=2,
        maximum=16,
    )
    subsampling_channels: int = setting(
        64, "Channels of the subsampling convolutions.", nature=Nature.STEP, minimum=1
    )
    mel_bins: int = setting(
        80, "Mel filters of the features.", nature=Nature.STEP, unit="mel bins", minimum=8
    )
    dropout: float = setting(
        0.1, "Dropout in the layers.", nature=Nature.STEP, minimum=0.0, maximum=0.9
    )


@dataclass
class TransducerConfig:
    """What follows the encoder of a transducer built from scratch."""

    hidden_size: int = setting(
        256,
        "Width of the prediction network and of the joint network.",
        nature=Nature.STEP,
        minimum=8,
    )
    prediction_layers: int = setting(
        1,
        "LSTM layers of the prediction network, which reads the labels so far.",
        nature=Nature.STEP,
        minimum=1,
    )
    max_duration: int = setting(
        0,
        "0: an RNN-T; otherwise a TDT, whose labels and blanks last up to this many encoder "
        "frames, e.g. 4: faster to decode.",
        nature=Nature.STEP,
        unit="encoder frames",
        minimum=0,
        maximum=32,
    )


@dataclass
class ProjectorConfig:
    """What joins a speech encoder to a language model."""

    stack: int = setting(
        5,
        "Encoder frames joined into one vector of the language model.",
        nature=Nature.STEP,
        minimum=1,
    )
    hidden_size: int = setting(
        2048, "Width of the projector's hidden layer.", nature=Nature.STEP, minimum=8
    )
