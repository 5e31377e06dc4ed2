"""Floating point operations of a training step of a speech LLM, by its sizes: model FLOPs.

What the arithmetic of the model needs, whatever a program does beside it (padding, activations
computed again, copies): a multiplication and an addition are two. Of a frozen weight the backward
pass needs the gradient of what goes in, and none of the weight: 4 operations a weight and token,
where a trained one needs 6. Norms, activations and softmax, under 1 %, are left out, as is usual
(PaLM, arXiv 2204.02311, appendix B).
"""

from __future__ import annotations

from dataclasses import dataclass

FORWARD, INPUT, WEIGHT = 2, 2, 2  # operations a weight and token: forward, each half of backward

# Dense bfloat16 with float32 sums, FLOP/s, by the vendor's data sheets; by what a GPU's name holds.
PEAKS = {
    "H100 PCIe": 756e12,
    "H100 NVL": 835e12,
    "H100": 989e12,
    "H200": 989e12,
    "GH200": 989e12,
    "B200": 2250e12,
    "A100": 312e12,
    "L40S": 362e12,
}


def peak_of(name: str) -> float | None:
    """A GPU's peak in bfloat16, FLOP/s; None of one that is not listed."""
    return next((peak for part, peak in PEAKS.items() if part in name), None)


@dataclass(frozen=True)
class Layers:
    """A stack of transformer blocks.

    Attributes:
        layers: How many.
        width: Of a token.
        weights: Of the linear layers of one block.
    """

    layers: int
    width: int
    weights: int

    def linear(self, tokens: int, a_weight: int) -> int:
        """Operations of the linear layers on so many tokens."""
        return a_weight * self.layers * self.weights * tokens

    def attention(self, rows: int, length: int, passes: int) -> int:
        """Operations of the scores and of their sums, [rows, length]; a backward pass is two.

        The full square is counted, also where a mask leaves half of it: as kernels' own counts do.
        """
        return passes * 2 * 2 * self.layers * rows * length * length * self.width


def whisper_layers(layers: int, width: int, inner: int) -> Layers:
    """The blocks of a Whisper's encoder."""
    return Layers(layers, width, 4 * width * width + 2 * width * inner)


def llama_layers(layers: int, width: int, inner: int, kv_width: int) -> Layers:
    """The blocks of a Llama."""
    return Layers(layers, width, 2 * width * width + 2 * width * kv_width + 3 * width * inner)


def lora_weights(layers: int, width: int, inner: int, kv_width: int, rank: int) -> int:
    """Weights of LoRA on every linear layer of a Llama's blocks."""
    sides = 2 * (width + width) + 2 * (width + kv_width) + 3 * (width + inner)
    return layers * rank * sides


@dataclass(frozen=True)
class LoraStep:
    """One training step of a frozen encoder, a trained projector and a Llama with LoRA.

    Attributes:
        encoder: The encoder's blocks.
        stem: Weights of its convolutions, times the positions of each a frame.
        language_model: The language model's blocks.
        vocabulary: Rows of its head.
        lora: Weights of the LoRA matrices.
        stack: Encoder frames that are one vector.
        projector: Width of the projector's hidden layer.
    """

    encoder: Layers
    stem: int
    language_model: Layers
    vocabulary: int
    lora: int
    stack: int
    projector: int

    def flops(self, *, rows: int, frames: int, length: int, scored: int) -> int:
        """Operations of a step.

        Args:
            rows: Utterances.
            frames: Of the encoder, of each.
            length: Tokens of the language model of each: prompt, audio, text.
            scored: Positions of each whose logits are computed.
        """
        vectors = rows * -(-frames // self.stack)
        tokens = rows * length
        model = self.language_model
        trained, frozen = FORWARD + INPUT + WEIGHT, FORWARD + INPUT
        first = self.encoder.width * self.stack * self.projector  # its input is frozen
        second = self.projector * model.width
        return (
            self.encoder.linear(rows * frames, FORWARD)
            + self.encoder.attention(rows, frames, 1)
            + FORWARD * self.stem * rows * frames
            + vectors * ((FORWARD + WEIGHT) * first + trained * second)
            + model.linear(tokens, frozen)
            + model.attention(rows, length, 3)
            + trained * self.lora * tokens
            + frozen * self.vocabulary * model.width * rows * scored
        )
