"""The memory that a training takes, by arithmetic: before anything is downloaded or built.

    frozen weights x their bytes
    + trained weights x 4 x (weight + gradient + optimizer's states + its update)
    + what each layer keeps for the backward pass + logits

The last line is that of Korthikanti et al. 2022 (arXiv 2205.05198, section 4.1): a Transformer
layer keeps a fixed number of values for each value of its width and each frame, and one that
keeps its attention scores a few more for each pair of frames. Once there are audio and a model,
a run measures instead (``mynah.training.sizing.estimate``).
"""

from __future__ import annotations

from dataclasses import dataclass

# Values an optimizer keeps for each one that it trains; a name that is not here keeps two.
_STATES = {
    "sgd": 1, "adagrad": 1, "rmsprop": 2, "lion_32bit": 1, "paged_lion_32bit": 1,
    "adafactor": 0.1, "adamw_bnb_8bit": 0.5, "adamw_8bit": 0.5, "paged_adamw_8bit": 0.5,
    "lion_8bit": 0.25, "paged_lion_8bit": 0.25, "rmsprop_bnb_8bit": 0.25, "ademamix": 3,
}  # fmt: skip
_TWO_MOMENTS = 2  # AdamW and its family

MASTER_BYTES = 4  # what is trained is float32 whatever the file holds
ADAPTED_KEEPS = 1.5  # a layer with LoRA's dropout keeps that much more: measured, see the tests
LOGIT_COPIES = 3  # logits, their softmax, their gradient
PROCESS_BYTES = int(0.7 * 2**30)  # Python, torch and a GPU's context


@dataclass(frozen=True)
class BatchShape:
    """What a training step sees.

    Attributes:
        clips: Clips in it.
        seconds: Length of each.
        tokens: Tokens of each transcript, prompt included.
    """

    clips: int = 4
    seconds: float = 10.0
    tokens: int = 50


@dataclass(frozen=True)
class Stack:
    """Equal layers of a model, as memory sees them.

    Attributes:
        parameters: Weights, embeddings and all else of the part.
        layers: How many layers there are.
        width: Values that go from layer to layer for each frame or token.
        keeps: Values kept for the backward pass, for each value of the width.
        frame_rate: Frames, or vectors that stand for audio, a second.
        reads_text: Whether transcript and prompt go through it too.
        heads: Attention heads whose scores are kept; 0 where the kernel keeps none.
        score_copies: How many times they are kept.
        window_seconds: What every clip is padded to; None: nothing.
        front: Values that what comes before the layers keeps, a second.
        adaptable: Sum of input and output widths over the linear layers of one layer, which is
            what a rank of LoRA costs.
        vocabulary: Tokens it writes.
        attended_rate: Frames a second of another part that it attends to: it keeps two values of
            its width, key and value, for each of them.
        is_lattice: Whether it writes at every frame after every token, as a transducer's joint.
    """

    parameters: int
    layers: int
    width: int
    keeps: float
    frame_rate: float = 0.0
    reads_text: bool = False
    heads: int = 0
    score_copies: float = 3.0
    window_seconds: float | None = None
    front: float = 0.0
    adaptable: int = 0
    vocabulary: int = 0
    attended_rate: float = 0.0
    is_lattice: bool = False

    def kept_values(self, batch: BatchShape) -> float:
        """Values kept for the backward pass of one batch, logits apart."""
        seconds = self.window_seconds or batch.seconds
        frames = self.frame_rate * seconds + (batch.tokens if self.reads_text else 0)
        scores = self.score_copies * self.heads * frames
        attended = 2 * self.attended_rate * seconds * self.width
        layers = self.layers * (frames * (self.keeps * self.width + scores) + attended)
        return batch.clips * (layers + self.front * seconds)

    def logits(self, batch: BatchShape) -> float:
        """Values of the logits of one batch: of the tokens, of each frame of a CTC head, or of
        each pair of both."""
        frames = self.frame_rate * batch.seconds
        units = batch.tokens if self.reads_text else frames
        if self.is_lattice:
            units = frames * (batch.tokens + 1)
        return float(batch.clips * units * self.vocabulary)


def kept_states(optimizer: str | None) -> float:
    """Values that an optimizer keeps for each value that it trains."""
    return _STATES.get(optimizer or "", _TWO_MOMENTS)


def trained_bytes(parameters: float, optimizer: str | None) -> float:
    """Bytes of weights that are trained, with gradient, optimizer's state and its update."""
    return MASTER_BYTES * parameters * (3 + kept_states(optimizer))


def full_bytes(
    trained: list[Stack],
    frozen: list[Stack],
    batch: BatchShape,
    *,
    optimizer: str = "adamw_torch",
    frozen_weight_bytes: int = MASTER_BYTES,
    value_bytes: int = MASTER_BYTES,
) -> int:
    """Bytes of a training of all weights of ``trained``, behind what is left as it is.

    Args:
        trained: What learns.
        frozen: What comes before it and keeps nothing for a backward pass.
        batch: What a step sees.
        optimizer: The name in ``training.optim``.
        frozen_weight_bytes: Of each frozen weight (``model.dtype``).
        value_bytes: Of each value kept for the backward pass; 2 with ``training.bf16``.
    """
    weights = trained_bytes(sum(part.parameters for part in trained), optimizer)
    weights += frozen_weight_bytes * sum(part.parameters for part in frozen)
    kept = value_bytes * sum(part.kept_values(batch) for part in trained)
    return int(PROCESS_BYTES + weights + kept + _logit_bytes(trained, batch))


def lora_bytes(
    adapted: list[Stack],
    frozen: list[Stack],
    batch: BatchShape,
    *,
    rank: int,
    trained_beside: int = 0,
    optimizer: str = "adamw_torch",
    frozen_weight_bytes: int = MASTER_BYTES,
    value_bytes: int = MASTER_BYTES,
) -> int:
    """Bytes of a training of low-rank matrices alone.

    Args:
        adapted: What gets LoRA on each of its linear layers.
        frozen: What comes before it and keeps nothing for a backward pass.
        batch: What a step sees.
        rank: Of the matrices.
        trained_beside: Parameters that are trained in full, as a projector's.
        optimizer: The name in ``training.optim``.
        frozen_weight_bytes: Of each frozen weight (``model.dtype``).
        value_bytes: Of each value kept for the backward pass; 2 with ``training.bf16``.
    """
    matrices = sum(rank * part.layers * part.adaptable for part in adapted)
    weights = trained_bytes(matrices + trained_beside, optimizer)
    weights += frozen_weight_bytes * sum(part.parameters for part in [*adapted, *frozen])
    kept = value_bytes * ADAPTED_KEEPS * sum(part.kept_values(batch) for part in adapted)
    return int(PROCESS_BYTES + weights + kept + _logit_bytes(adapted, batch))


def _logit_bytes(parts: list[Stack], batch: BatchShape) -> float:
    return MASTER_BYTES * LOGIT_COPIES * sum(part.logits(batch) for part in parts)
