"""A Whisper in ggml's layout, read back by the order that whisper.cpp's loader reads it in."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from mynah.errors import UserError
from mynah.export import ggml
from mynah.models.seq2seq.family import Seq2Seq

# OpenAI's own names (whisper/model.py), for a model with one layer on each side.
_ATTENTION = ["query.weight", "query.bias", "key.weight", "value.weight", "value.bias",
              "out.weight", "out.bias"]  # fmt: skip
_BLOCK = [*(f"attn.{one}" for one in _ATTENTION), "attn_ln.weight", "attn_ln.bias",
          "mlp.0.weight", "mlp.0.bias", "mlp.2.weight", "mlp.2.bias",
          "mlp_ln.weight", "mlp_ln.bias"]  # fmt: skip
_CROSS = [*(f"cross_attn.{one}" for one in _ATTENTION), "cross_attn_ln.weight",
          "cross_attn_ln.bias"]  # fmt: skip
_OUTSIDE = {
    "encoder.conv1.weight", "encoder.conv1.bias", "encoder.conv2.weight", "encoder.conv2.bias",
    "encoder.positional_embedding", "encoder.ln_post.weight", "encoder.ln_post.bias",
    "decoder.positional_embedding", "decoder.token_embedding.weight",
    "decoder.ln.weight", "decoder.ln.bias",
}  # fmt: skip


def read(path):
    """Sizes, filters, tokens and tensors, as ``whisper_model_load`` takes them."""
    data = path.read_bytes()
    at = 0

    def numbers(count):
        nonlocal at
        at += 4 * count
        return struct.unpack_from(f"<{count}i", data, at - 4 * count)

    def taken(size):
        nonlocal at
        at += size
        return data[at - size : at]

    sizes = numbers(12)
    rows, columns = numbers(2)
    filters = np.frombuffer(taken(4 * rows * columns), "<f4").reshape(rows, columns)
    tokens = [taken(numbers(1)[0]) for _ in range(numbers(1)[0])]
    tensors = {}
    while at < len(data):
        dimensions, length, kind = numbers(3)
        shape = numbers(dimensions)[::-1]
        name = taken(length).decode()
        dtype = {0: "<f4", 1: "<f2"}[kind]
        size = int(np.prod(shape)) * int(dtype[-1])
        tensors[name] = np.frombuffer(taken(size), dtype).reshape(shape)
    return sizes, filters, tokens, tensors


@pytest.fixture(scope="module")
def written(checkpoints, tmp_path_factory):
    family = Seq2Seq.load(checkpoints("whisper_asr"))
    folder = tmp_path_factory.mktemp("ggml")
    ggml.Ggml().write(family, folder, "float16")
    return family, read(folder / ggml.GGML_FILE)


def test_its_sizes_are_those_of_the_model(written):
    family, (sizes, filters, _, _) = written
    config = family.model.config
    assert sizes[0] == 0x67676D6C
    assert sizes[1] == config.vocab_size
    assert sizes[3] == sizes[7] == config.d_model
    assert (sizes[5], sizes[9]) == (config.encoder_layers, config.decoder_layers)
    assert sizes[10] == config.num_mel_bins == len(filters)
    assert filters.shape[1] == 201  # frequencies of 400 samples


def test_it_holds_each_tensor_once_by_openais_name(written):
    family, (_, _, _, tensors) = written
    layers = family.model.config.encoder_layers
    expected = set(_OUTSIDE)
    for layer in range(layers):
        expected |= {f"encoder.blocks.{layer}.{one}" for one in _BLOCK}
        expected |= {f"decoder.blocks.{layer}.{one}" for one in (*_BLOCK, *_CROSS)}
    assert set(tensors) == expected


def test_a_matrix_is_rounded_once_and_a_vector_not_at_all(written):
    family, (_, _, _, tensors) = written
    weights = family.model.state_dict()
    query = weights["model.decoder.layers.0.encoder_attn.q_proj.weight"].numpy()
    assert np.array_equal(tensors["decoder.blocks.0.cross_attn.query.weight"], query.astype("<f2"))
    norm = weights["model.encoder.layer_norm.bias"].numpy()
    assert np.array_equal(tensors["encoder.ln_post.bias"], norm)
    positions = weights["model.encoder.embed_positions.weight"].numpy()
    assert np.array_equal(tensors["encoder.positional_embedding"], positions)
    bias = weights["model.encoder.conv1.bias"].numpy()
    assert np.array_equal(tensors["encoder.conv1.bias"], bias[:, None])


def test_a_vocabulary_that_whisper_cpp_does_not_know_is_refused(written):
    family, _ = written
    with pytest.raises(UserError) as refused:
        ggml.Ggml().check(family)
    assert str(family.model.config.vocab_size) in refused.value.what
