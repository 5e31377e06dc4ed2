"""ggml's layout of a Whisper, which whisper.cpp opens.

The file's order is that of whisper.cpp's ``whisper_model_load``: magic, sizes, mel filters, the
tokens as bytes, then each tensor with its name as OpenAI's code has it. Matrices are float16,
rounded once from the weights as they are; whisper.cpp computes in float16 whatever they are.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

import numpy as np

from mynah.errors import UserError
from mynah.export.runtimes import Program
from mynah.export.target import DEFAULTS, GREEDY, DecodingWay, Said, Sample, Target
from mynah.export.whisper import (
    check_whisper,
    greedy_in_window,
    of_whisper,
    run_whisper,
    token_bytes,
)

if TYPE_CHECKING:
    from mynah.models.family import Family

GGML_FILE = "ggml-model.bin"
WHISPER_CPP = Program("whisper.cpp", "whisper_cpp", {"pywhispercpp": "pywhispercpp"})
_VOCABULARIES = (51864, 51865, 51866)  # English, multilingual, with Cantonese
_MAGIC = 0x67676D6C  # "ggml"
_FLOAT32, _FLOAT16 = 0, 1
_POSITIONS = ("encoder.positional_embedding", "decoder.positional_embedding")
_ENDS = {
    "layer_norm": "ln_post",
    "embed_positions.weight": "positional_embedding",
    "embed_tokens": "token_embedding",
}
# transformers' names of a layer's parts, and OpenAI's.
_PARTS = {
    "self_attn.k_proj": "attn.key",
    "self_attn.q_proj": "attn.query",
    "self_attn.v_proj": "attn.value",
    "self_attn.out_proj": "attn.out",
    "self_attn_layer_norm": "attn_ln",
    "encoder_attn.k_proj": "cross_attn.key",
    "encoder_attn.q_proj": "cross_attn.query",
    "encoder_attn.v_proj": "cross_attn.value",
    "encoder_attn.out_proj": "cross_attn.out",
    "encoder_attn_layer_norm": "cross_attn_ln",
    "fc1": "mlp.0",
    "fc2": "mlp.2",
    "final_layer_norm": "mlp_ln",
}

_USAGE = """
from pywhispercpp.model import Model

print(" ".join(segment.text for segment in Model("ggml-model.bin").transcribe("call.wav")))
"""


class Ggml(Target):
    """One file for whisper.cpp, its bindings and its servers."""

    name: ClassVar[str] = "ggml"
    about: ClassVar[str] = "Whisper for whisper.cpp and its bindings, in one file"
    dtypes: ClassVar[tuple[str, ...]] = ("float16",)
    exact: ClassVar[frozenset[str]] = frozenset()
    programs: ClassVar[tuple[Program, ...]] = (WHISPER_CPP,)
    ways: ClassVar[tuple[DecodingWay, ...]] = (GREEDY, DEFAULTS)
    usage: ClassVar[str] = _USAGE

    def check(self, family: Family) -> None:
        check_whisper(family, self.name)
        size = family.model.config.vocab_size
        if size not in _VOCABULARIES:
            raise UserError(
                f"whisper.cpp knows OpenAI's vocabularies alone, of "
                f"{', '.join(map(str, _VOCABULARIES))} tokens, and this one has {size}.",
                where=f"--to {self.name}",
                fix="--to ctranslate2",
            )

    def plain(self, family: Family) -> Family:
        return greedy_in_window(family)

    def write(self, family: Family, folder: Path, dtype: str) -> None:
        whisper = of_whisper(family)
        with (folder / GGML_FILE).open("wb") as handle:
            _write_sizes(handle, whisper.model.config)
            _write_filters(handle, whisper.processor.feature_extractor.mel_filters.T)
            _write_tokens(handle, whisper.tokenizer, whisper.model.config.eos_token_id)
            for name, tensor in _tensors(whisper.model):
                _write_tensor(handle, name, tensor)

    def run(
        self, program: Program, family: Family, folder: Path, samples: Sequence[Sample], *,
        way: DecodingWay, dtype: str,
    ) -> Said:  # fmt: skip
        return run_whisper(
            program, of_whisper(family), folder / GGML_FILE, samples, greedy=way.greedy
        )


def openai_name(name: str) -> str:
    """A tensor of transformers' Whisper by the name that OpenAI's code gives it."""
    name = name.removeprefix("model.")
    layer = re.fullmatch(r"(encoder|decoder)\.layers\.(\d+)\.(.+)\.(weight|bias)", name)
    if layer:
        return f"{layer[1]}.blocks.{layer[2]}.{_PARTS[layer[3]]}.{layer[4]}"
    side, rest = name.split(".", 1)
    if side == "decoder" and rest.startswith("layer_norm."):
        return f"decoder.ln.{rest.rpartition('.')[2]}"
    for theirs, ours in _ENDS.items():
        if rest.startswith(theirs):
            return f"{side}.{ours}{rest[len(theirs) :]}"
    return name  # encoder.conv1.weight and its like


def _tensors(model: Any) -> Iterator[tuple[str, np.ndarray]]:
    """The weights, float32; the last layer is the embeddings and is not written twice."""
    for name, tensor in model.state_dict().items():
        if name != "proj_out.weight":
            yield openai_name(name), tensor.detach().float().cpu().numpy()


def _write_sizes(handle: BinaryIO, config: Any) -> None:
    sizes = (
        _MAGIC, config.vocab_size,
        config.max_source_positions, config.d_model,
        config.encoder_attention_heads, config.encoder_layers,
        config.max_target_positions, config.d_model,
        config.decoder_attention_heads, config.decoder_layers,
        config.num_mel_bins, _FLOAT16,
    )  # fmt: skip
    handle.write(struct.pack("<12i", *sizes))


def _write_filters(handle: BinaryIO, filters: np.ndarray) -> None:
    """Mel filters, [bins, frequencies]."""
    handle.write(struct.pack("<2i", *filters.shape))
    handle.write(np.ascontiguousarray(filters, dtype="<f4").tobytes())


def _write_tokens(handle: BinaryIO, tokenizer: Any, end: int) -> None:
    """The bytes of each token before the end; whisper.cpp names those from there on itself."""
    handle.write(struct.pack("<i", end))
    for written in token_bytes(tokenizer, end):
        handle.write(struct.pack("<i", len(written)) + written)


def _write_tensor(handle: BinaryIO, name: str, tensor: np.ndarray) -> None:
    if name in ("encoder.conv1.bias", "encoder.conv2.bias"):
        tensor = tensor[:, None]  # whisper.cpp adds it to [channels, frames]
    matrix = tensor.ndim > 1 and not name.endswith(".bias") and name not in _POSITIONS
    kind, dtype = (_FLOAT16, "<f2") if matrix else (_FLOAT32, "<f4")
    title = name.encode()
    handle.write(struct.pack("<3i", tensor.ndim, len(title), kind))
    handle.write(struct.pack(f"<{tensor.ndim}i", *reversed(tensor.shape)))
    handle.write(title)
    handle.write(np.ascontiguousarray(tensor, dtype=dtype).tobytes())
