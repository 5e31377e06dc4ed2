"""The variables of a ``WhisperSpec`` as tensors of ``WhisperForConditionalGeneration``.

CTranslate2 holds query, key and value as one matrix, and the embeddings as an alias of what the
output is multiplied by (ctranslate2, converters/transformers.py, WhisperLoader).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from mynah.models.pretrained.ctranslate2.model_file import ModelFile, Variable

SPEC, REVISION = "WhisperSpec", 3
_FLOATS = ("float32", "float16", "bfloat16")
_GELU = 3  # Activation in ctranslate2's specs/common_spec.py
# Numbers that say how the decoder computes; these are Whisper's. None: any value.
_NUMBERS: dict[str, int | None] = {
    "decoder/activation": _GELU,
    "decoder/alibi": 0,
    "decoder/alibi_use_positive_positions": 0,
    "decoder/alignment_heads": None,
    "decoder/alignment_layer": None,
    "decoder/num_heads": None,
    "decoder/pre_norm": 1,
    "decoder/scale_alibi": 0,
    "decoder/scale_embeddings": 0,
    "decoder/start_from_zero_embedding": 0,
    "encoder/num_heads": None,
}
_NORM = {"gamma": "weight", "beta": "bias"}
_LAYER_NORM = "layer_norm"


@dataclass(frozen=True)
class WhisperSizes:
    """The sizes of a Whisper, as its tensors have them.

    Attributes:
        width: Of the vectors in encoder and decoder.
        encoder_layers: Blocks of the encoder.
        decoder_layers: Blocks of the decoder.
        encoder_heads: Attention heads of the encoder's blocks.
        decoder_heads: Attention heads of the decoder's blocks.
        encoder_inner: Width between the two layers after the encoder's attention.
        decoder_inner: The same of the decoder.
        mel_bins: Of the input.
        source_positions: Encoder frames that it has positions for: half its window's frames.
        target_positions: Tokens that the decoder has positions for, prompt included.
        vocabulary: Tokens.
    """

    width: int
    encoder_layers: int
    decoder_layers: int
    encoder_heads: int
    decoder_heads: int
    encoder_inner: int
    decoder_inner: int
    mel_bins: int
    source_positions: int
    target_positions: int
    vocabulary: int


def whisper_tensors(file: ModelFile) -> tuple[WhisperSizes, dict[str, Variable]]:
    """All tensors of a Whisper, by transformers' names, each of the shape that its sizes ask for.

    Args:
        file: A ``model.bin``.

    Raises:
        ValueError: It is not a Whisper, or quantized, or variables are missing, left over, or of
            another shape; the text ends a sentence that begins with the file's name.
    """
    if (file.spec, file.revision) != (SPEC, REVISION):
        raise ValueError(
            f"holds a {file.spec} of revision {file.revision}, and {SPEC} of revision {REVISION} "
            "is what can be read"
        )
    _check_not_quantized(file.variables)
    variables = _Variables(file)
    sizes = variables.sizes()
    found = dict(_encoder(variables, sizes)) | dict(_decoder(variables, sizes))
    variables.check_all_used()
    for name, tensor in found.items():
        _check_values(name, tensor)
    return sizes, found


def _check_not_quantized(variables: Mapping[str, Variable]) -> None:
    """Raise where matrices are held as integers."""
    for name, one in variables.items():
        if one.shape and one.dtype not in _FLOATS:
            raise ValueError(
                f"is quantized to {one.dtype}, as {name}: its weights are rounded, and neither a "
                "training nor an error rate would be that of the model. Convert the model again "
                "with --quantization float16"
            )


class _Variables:
    """The variables of a file, each to be used."""

    def __init__(self, file: ModelFile) -> None:
        self._held = {name: one for name, one in file.variables.items() if one.shape}
        self._aliases = dict(file.aliases)
        self._used: set[str] = set()
        self._numbers = {name: one for name, one in file.variables.items() if not one.shape}
        for name, one in self._numbers.items():
            if name not in _NUMBERS:
                raise ValueError(f"holds {name}, which no Whisper has")
            expected = _NUMBERS[name]
            if expected is not None and one.number != expected:
                raise ValueError(f"says {name}={one.number}, and a Whisper has {expected}")

    def take(self, name: str, *shape: int) -> Variable:
        """A variable of this shape."""
        found = self._any(name)
        if found.shape != shape:
            raise ValueError(
                f"does not fit together: {name} is {list(found.shape)} and should be {list(shape)}"
            )
        return found

    def _any(self, name: str) -> Variable:
        held = self._aliases.get(name, name)
        if held not in self._held:
            raise ValueError(f"is not complete: {name} is missing")
        self._used |= {name, held}
        return self._held[held]

    def check_all_used(self) -> None:
        left = sorted({*self._held, *self._aliases} - self._used)
        if left:
            raise ValueError(f"holds {left[0]}, which no Whisper has")

    def sizes(self) -> WhisperSizes:
        bins = self._shape("encoder/conv1/weight", 3)[1]
        positions, width = self._shape("encoder/position_encodings/encodings", 2)
        return WhisperSizes(
            width=width,
            encoder_layers=self._layers("encoder"),
            decoder_layers=self._layers("decoder"),
            encoder_heads=self._heads("encoder", width),
            decoder_heads=self._heads("decoder", width),
            encoder_inner=self._shape("encoder/layer_0/ffn/linear_0/weight", 2)[0],
            decoder_inner=self._shape("decoder/layer_0/ffn/linear_0/weight", 2)[0],
            mel_bins=bins,
            source_positions=positions,
            target_positions=self._shape("decoder/position_encodings/encodings", 2)[0],
            vocabulary=self._shape("decoder/embeddings/weight", 2)[0],
        )

    def _shape(self, name: str, dimensions: int) -> tuple[int, ...]:
        shape = self._any(name).shape
        if len(shape) != dimensions:
            raise ValueError(f"does not fit together: {name} has {len(shape)} dimensions")
        if 0 in shape:
            raise ValueError(f"does not fit together: {name} is empty")
        return shape

    def _layers(self, side: str) -> int:
        names = {*self._held, *self._aliases}
        found = {one.split("/")[1] for one in names if one.startswith(f"{side}/layer_")}
        return len(found - {_LAYER_NORM})

    def _heads(self, side: str, width: int) -> int:
        name = f"{side}/num_heads"
        if name not in self._numbers:
            raise ValueError(f"is not complete: {name} is missing")
        heads = self._numbers[name].number
        if not isinstance(heads, int) or heads < 1 or width % heads:
            raise ValueError(f"does not fit together: {heads} heads share a width of {width}")
        return heads


def _encoder(variables: _Variables, sizes: WhisperSizes) -> Iterator[tuple[str, Variable]]:
    width, kernel = sizes.width, 3
    to = "model.encoder"
    for name, inputs in (("conv1", sizes.mel_bins), ("conv2", width)):
        yield f"{to}.{name}.weight", variables.take(f"encoder/{name}/weight", width, inputs, kernel)
        yield f"{to}.{name}.bias", variables.take(f"encoder/{name}/bias", width)
    yield (
        f"{to}.embed_positions.weight",
        variables.take("encoder/position_encodings/encodings", sizes.source_positions, width),
    )
    for layer in range(sizes.encoder_layers):
        source, target = f"encoder/layer_{layer}", f"{to}.layers.{layer}"
        yield from _self_attention(variables, source, target, width)
        yield from _feed_forward(variables, source, target, width, sizes.encoder_inner)
    yield from _norm(variables, "encoder", f"{to}.layer_norm", width)


def _decoder(variables: _Variables, sizes: WhisperSizes) -> Iterator[tuple[str, Variable]]:
    width, to = sizes.width, "model.decoder"
    embeddings = variables.take("decoder/embeddings/weight", sizes.vocabulary, width)
    if variables.take("decoder/projection/weight", sizes.vocabulary, width) != embeddings:
        raise ValueError("holds an output layer that is not its embeddings, as every Whisper's is")
    yield f"{to}.embed_tokens.weight", embeddings
    yield (
        f"{to}.embed_positions.weight",
        variables.take("decoder/position_encodings/encodings", sizes.target_positions, width),
    )
    for layer in range(sizes.decoder_layers):
        source, target = f"decoder/layer_{layer}", f"{to}.layers.{layer}"
        yield from _self_attention(variables, source, target, width)
        yield from _cross_attention(variables, source, target, width)
        yield from _feed_forward(variables, source, target, width, sizes.decoder_inner)
    yield from _norm(variables, "decoder", f"{to}.layer_norm", width)


def _self_attention(
    variables: _Variables, source: str, target: str, width: int
) -> Iterator[tuple[str, Variable]]:
    at, to = f"{source}/self_attention", f"{target}.self_attn"
    yield from _split(variables, f"{at}/linear_0", to, ("q_proj", "k_proj", "v_proj"), width)
    yield from _linear(variables, f"{at}/linear_1", f"{to}.out_proj", width, width)
    yield from _norm(variables, at, f"{target}.self_attn_layer_norm", width)


def _cross_attention(
    variables: _Variables, source: str, target: str, width: int
) -> Iterator[tuple[str, Variable]]:
    at, to = f"{source}/attention", f"{target}.encoder_attn"
    yield from _linear(variables, f"{at}/linear_0", f"{to}.q_proj", width, width)
    yield from _split(variables, f"{at}/linear_1", to, ("k_proj", "v_proj"), width)
    yield from _linear(variables, f"{at}/linear_2", f"{to}.out_proj", width, width)
    yield from _norm(variables, at, f"{target}.encoder_attn_layer_norm", width)


def _feed_forward(
    variables: _Variables, source: str, target: str, width: int, inner: int
) -> Iterator[tuple[str, Variable]]:
    at = f"{source}/ffn"
    yield from _linear(variables, f"{at}/linear_0", f"{target}.fc1", inner, width)
    yield from _linear(variables, f"{at}/linear_1", f"{target}.fc2", width, inner)
    yield from _norm(variables, at, f"{target}.final_layer_norm", width)


def _linear(
    variables: _Variables, source: str, target: str, outputs: int, inputs: int
) -> Iterator[tuple[str, Variable]]:
    yield f"{target}.weight", variables.take(f"{source}/weight", outputs, inputs)
    yield f"{target}.bias", variables.take(f"{source}/bias", outputs)


def _norm(
    variables: _Variables, source: str, target: str, width: int
) -> Iterator[tuple[str, Variable]]:
    for theirs, ours in _NORM.items():
        yield f"{target}.{ours}", variables.take(f"{source}/{_LAYER_NORM}/{theirs}", width)


def _split(
    variables: _Variables, source: str, target: str, parts: tuple[str, ...], width: int
) -> Iterator[tuple[str, Variable]]:
    """A matrix and a bias that hold several one after the other."""
    weight = variables.take(f"{source}/weight", len(parts) * width, width)
    bias = variables.take(f"{source}/bias", len(parts) * width)
    for number, part in enumerate(parts):
        rows = (number * width, (number + 1) * width)
        yield f"{target}.{part}.weight", weight.rows(*rows)
        held = bias.rows(*rows)
        if part != "k_proj":
            yield f"{target}.{part}.bias", held
        elif _values(held).any():
            raise ValueError(f"has a bias in {source} for its keys, which no Whisper has")


def _values(tensor: Variable) -> np.ndarray:
    """The numbers of a tensor, flat; those of a bfloat16 as float32."""
    if tensor.dtype == "bfloat16":
        upper = np.frombuffer(tensor.data, dtype="<u2").astype(np.uint32)
        return (upper << 16).view(np.float32)
    return np.frombuffer(tensor.data, dtype="<f4" if tensor.dtype == "float32" else "<f2")


def _check_values(name: str, tensor: Variable) -> None:
    if not np.isfinite(_values(tensor)).all():
        raise ValueError(f"is damaged: {name} holds what is not a number")
