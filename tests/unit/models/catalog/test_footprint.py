"""The arithmetic of memory, against what transformers' own classes and peft really keep."""

from __future__ import annotations

import pytest
import torch
import transformers

from mynah.models.catalog import entries, footprint
from mynah.models.catalog.entry import BATCH
from mynah.models.catalog.footprint import BatchShape, Stack

_WIDTH = 64
_FRAMES = 60


def _kept_values(model, run) -> float:
    """Values of all tensors that are kept for the backward pass, parameters apart."""
    own = {p.untyped_storage().data_ptr() for p in [*model.parameters(), *model.buffers()]}
    kept, alive = {}, []

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)  # so that no other tensor gets its place
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        run(model.train())
    return sum(kept.values()) / 4


def _of_one_layer(build, run) -> float:
    return (_kept_values(build(3), run) - _kept_values(build(1), run)) / 2


def _whisper_encoder(layers):
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    return WhisperEncoder(
        transformers.WhisperConfig(
            d_model=_WIDTH,
            encoder_layers=layers,
            encoder_attention_heads=4,
            encoder_ffn_dim=4 * _WIDTH,
            max_source_positions=_FRAMES,
        )
    )


def _whisper_decoder(layers):
    from transformers.models.whisper.modeling_whisper import WhisperDecoder

    return WhisperDecoder(
        transformers.WhisperConfig(
            d_model=_WIDTH,
            decoder_layers=layers,
            decoder_attention_heads=4,
            decoder_ffn_dim=4 * _WIDTH,
        )
    )


def _fastconformer(layers):
    from transformers.models.parakeet.modeling_parakeet import ParakeetEncoder

    return ParakeetEncoder(
        transformers.ParakeetEncoderConfig(
            hidden_size=_WIDTH,
            num_hidden_layers=layers,
            num_attention_heads=4,
            intermediate_size=4 * _WIDTH,
            subsampling_conv_channels=8,
            layerdrop=0.0,
        )
    )


def _llama(layers):
    return transformers.LlamaModel(
        transformers.LlamaConfig(
            vocab_size=8,
            hidden_size=_WIDTH,
            intermediate_size=4 * _WIDTH,
            num_hidden_layers=layers,
            num_attention_heads=4,
            num_key_value_heads=4,
        )
    )


def _entry(preset):
    return next(entry for entry in entries.ENTRIES if entry.preset == preset)


def _of(stack: Stack, **changes) -> Stack:
    """One layer of the same kind, as wide as the layers here; one frame a second."""
    return Stack(0, 1, _WIDTH, stack.keeps, **{"frame_rate": 1.0, **changes})


_ONE_CLIP = BatchShape(clips=1, seconds=_FRAMES, tokens=10)
_LISTENING = torch.randn(1, _FRAMES, _WIDTH)


@pytest.mark.parametrize(
    ("build", "run", "stack"),
    [
        (
            _whisper_encoder,
            lambda model: model(torch.randn(1, 80, 2 * _FRAMES)),
            _of(_entry("whisper_small").encoder),
        ),
        (
            _whisper_decoder,
            lambda model: model(
                input_ids=torch.ones(1, 10, dtype=torch.long),
                encoder_hidden_states=_LISTENING,
                use_cache=False,
            ),
            _of(
                _entry("whisper_small").decoder, frame_rate=0.0, reads_text=True, attended_rate=1.0
            ),
        ),
        (
            _fastconformer,
            lambda model: model(torch.randn(1, 8 * _FRAMES, 80)),
            _of(_entry("parakeet_ctc").encoder, heads=4),
        ),
        (
            _llama,
            lambda model: model(
                input_ids=torch.ones(1, _FRAMES, dtype=torch.long), use_cache=False
            ),
            _of(_entry("whisper_smollm2_1_7b").decoder),
        ),
    ],
    ids=["whisper's encoder", "whisper's decoder", "parakeet", "llama"],
)
def test_a_layer_keeps_what_the_catalogue_says(build, run, stack):
    assert stack.kept_values(_ONE_CLIP) == pytest.approx(_of_one_layer(build, run), rel=0.1)


def test_lora_keeps_no_more_than_is_reckoned_for_it():
    from peft import LoraConfig, get_peft_model

    def run(model):
        frames = torch.randn(1, _FRAMES, _WIDTH, requires_grad=True)
        model(inputs_embeds=frames, use_cache=False)

    def adapted(layers):
        lora = LoraConfig(r=4, lora_dropout=0.05, target_modules="all-linear")
        return get_peft_model(_llama(layers), lora)

    full = _of(_entry("whisper_smollm2_1_7b").decoder).kept_values(_ONE_CLIP)
    measured = _of_one_layer(adapted, run)
    assert full < measured <= footprint.ADAPTED_KEEPS * full


def test_lora_matrices_are_as_many_as_peft_makes():
    from peft import LoraConfig, get_peft_model

    with torch.device("meta"):
        config = transformers.WhisperConfig(
            vocab_size=51_865, d_model=768, encoder_layers=12, decoder_layers=12,
            encoder_attention_heads=12, decoder_attention_heads=12, encoder_ffn_dim=3072,
            decoder_ffn_dim=3072,
        )  # fmt: skip
        model = transformers.WhisperForConditionalGeneration(config)
        entry = _entry("whisper_small")
        assert sum(p.numel() for p in model.parameters()) == entry.parameters
        names = ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"]
        adapted = get_peft_model(model, LoraConfig(r=32, target_modules=names))
    matrices = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    assert matrices == sum(
        32 * part.layers * part.adaptable for part in (entry.encoder, entry.decoder)
    )


def test_weights_that_learn_take_gradient_state_and_update_those_that_do_not_take_themselves():
    part = Stack(1_000_000, 0, 0, keeps=0)
    silent = BatchShape(clips=0, seconds=0, tokens=0)
    base = footprint.PROCESS_BYTES
    assert footprint.full_bytes([part], [], silent) - base == 20_000_000
    assert footprint.full_bytes([part], [], silent, optimizer="sgd") - base == 16_000_000
    frozen = footprint.full_bytes([], [part], silent, frozen_weight_bytes=2)
    assert frozen - base == 2_000_000


@pytest.mark.parametrize("entry", entries.ENTRIES, ids=lambda entry: entry.preset)
def test_less_precision_never_takes_more(entry):
    assert entry.lora_bytes(frozen_weight_bytes=2, value_bytes=2) < entry.lora_bytes()
    assert entry.full_bytes() > 4 * entry.parameters
    assert BATCH.clips * BATCH.seconds == 40  # what the help says
