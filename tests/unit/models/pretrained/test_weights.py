"""In what precision weights are read, trained, held and saved; attention; every family alike."""

import json

import pytest
import torch
from families import FAMILIES, batch_of, build, loss_of, names, shifted, stored_in
from safetensors.torch import load_file
from tiers import fast_where
from tiny_models import TEXTS, tiny, train
from transcripts import transcribed
from transformers import AutoModelForCTC, AutoModelForSpeechSeq2Seq

from mynah.errors import UserError
from mynah.models import registry
from mynah.models.pretrained import weights

MATRICES = (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Embedding)


def dtypes(model, *, trained):
    return {p.dtype for p in model.parameters() if p.requires_grad == trained}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_file_in_half_precision_is_trained_in_float32(
    family, dtype, checkpoints, clips, tmp_path
):
    made = build(family, lambda kind: stored_in(checkpoints(kind), tmp_path / kind, dtype))
    assert {p.dtype for p in made.model.parameters()} == {torch.float32}
    losses = train(made, batch_of(made, clips[:2]), steps=1)
    assert losses[1] < losses[0]
    assert {p.grad.dtype for p in made.model.parameters() if p.grad is not None} <= {torch.float32}


@pytest.mark.parametrize(
    "family, dtype",
    fast_where(
        lambda family, dtype: family in ("ctc", "speech_llm"),
        [
            *((family, "bfloat16") for family in FAMILIES),
            ("ctc", "float16"),
            ("transducer", "float16"),
        ],
    ),
)
def test_a_frozen_base_is_held_in_less_and_adapted_in_float32(
    family, dtype, checkpoints, clips, tmp_path
):
    made = build(family, checkpoints, use_lora=True, dtype=dtype)
    held = getattr(torch, dtype)
    assert dtypes(made.model, trained=True) == {torch.float32}
    assert dtypes(made.model, trained=False) == {torch.float32, held}
    frozen = {n: p.clone() for n, p in made.model.named_parameters() if not p.requires_grad}
    batch = batch_of(made, clips[:2])
    losses = train(made, batch, steps=2)
    assert losses[-1] < losses[0]
    for name, parameter in made.model.named_parameters():
        if name in frozen:
            assert torch.equal(parameter, frozen[name]), name

    made.save(tmp_path)
    loaded = registry.load_family(tmp_path)
    assert dtypes(loaded.model, trained=False) == {torch.float32, held}
    torch.testing.assert_close(loss_of(loaded, batch), loss_of(made, batch))
    assert transcribed(loaded, clips[:1]) == transcribed(made, clips[:1])


def test_what_is_held_in_less_computes_about_the_same(checkpoints, clips):
    full, held = (build("seq2seq", checkpoints, use_lora=True, dtype=d) for d in (None, "bfloat16"))
    batch = batch_of(full, clips)
    ours, less = loss_of(full, batch), loss_of(held, batch)
    assert ours != less
    torch.testing.assert_close(less, ours, rtol=0.01, atol=0.0)


def test_a_frozen_encoder_alone_is_held_in_less(checkpoints, clips, tmp_path):
    made = build("seq2seq", checkpoints, encoder_tuning="frozen", dtype="bfloat16")
    encoder = made.model.get_encoder()
    inside = {id(p) for p in encoder.parameters()}
    outside = {p.dtype for p in made.model.parameters() if id(p) not in inside}
    matrices = {m.weight.dtype for m in encoder.modules() if isinstance(m, MATRICES)}
    assert (outside, matrices) == ({torch.float32}, {torch.bfloat16})
    train(made, batch_of(made, clips[:2]), steps=1)
    made.save(tmp_path)
    # Plain transformers reads what was trained as it was trained.
    plain = AutoModelForSpeechSeq2Seq.from_pretrained(tmp_path)
    ours = made.model.state_dict()
    for name, tensor in plain.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, ours[name].float()), name
    loaded = registry.load_family(tmp_path)
    assert transcribed(loaded, clips[:1]) == transcribed(made, clips[:1])


def test_an_autocast_that_is_asked_for_counts_more(checkpoints):
    made = build("ctc", checkpoints, use_lora=True, dtype="bfloat16")
    seen = []
    made.model.get_base_model().hubert.register_forward_pre_hook(
        lambda *_: seen.append(torch.get_autocast_dtype("cpu"))
    )
    samples = torch.zeros(1, 4000)
    made.model(input_values=samples)
    with torch.autocast("cpu", torch.float16):
        made.model(input_values=samples)
    assert seen == [torch.bfloat16, torch.float16]
    assert not torch.is_autocast_enabled("cpu")


def test_an_error_within_leaves_no_autocast_behind(checkpoints):
    made = build("ctc", checkpoints, use_lora=True, dtype="bfloat16")
    with pytest.raises(Exception, match=r"size|dimension|shape|expected|[Ii]nput"):
        made.model(input_values=torch.zeros(1, 2, 3, 4))
    assert not torch.is_autocast_enabled("cpu")


def test_more_training_in_float32_forgets_what_was_held_in_less(checkpoints, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    build("ctc", checkpoints, use_lora=True, dtype="bfloat16").save(first)
    assert json.loads((first / "config.json").read_text())["mynah_dtype"] == "bfloat16"
    again = registry.build(
        tiny(pretrained=str(first), use_lora=True), texts=TEXTS, sample_rate=16000, offline=True
    )
    assert dtypes(again.model, trained=False) == {torch.float32}
    again.save(second)
    assert "mynah_dtype" not in json.loads((second / "config.json").read_text())


def test_a_checkpoint_is_taken_over_bit_for_bit_where_its_base_is_held_in_less(
    checkpoints, tmp_path
):
    made = shifted(build("ctc", checkpoints, use_lora=True, dtype="bfloat16"))
    made.save(tmp_path)
    other = build("ctc", checkpoints, use_lora=True, dtype="bfloat16")
    weights.take_weights(other.model, type(other).load(tmp_path).model)
    ours = made.model.state_dict()
    for name, tensor in other.model.state_dict().items():
        if "original_module" not in name:
            assert torch.equal(tensor, ours[name]), name


@pytest.mark.parametrize(
    "family, attention", [*((family, "eager") for family in FAMILIES), ("ctc", "sdpa")]
)
def test_the_attention_asked_for_is_the_one_that_runs(family, attention, checkpoints):
    made = build(family, checkpoints, attn_implementation=attention)
    parts = [
        m for m in made.model.modules() if hasattr(m, "_supports_sdpa") and m is not made.model
    ]
    asked = {part.config._attn_implementation for part in parts if part._supports_sdpa}
    assert asked == {attention}


@pytest.mark.parametrize("family", FAMILIES)
def test_an_attention_that_is_not_there_is_refused_with_those_that_are(family, checkpoints):
    config = tiny(**names(family, checkpoints), attn_implementation="flashy")
    with pytest.raises(UserError) as caught:
        registry.check_model(config, sample_rate=16000, offline=True)
    assert "'flashy'" in str(caught.value) and "it has: eager, sdpa" in str(caught.value)


def test_an_attention_whose_package_is_missing_is_refused(checkpoints):
    config = tiny(**names("ctc", checkpoints), attn_implementation="flash_attention_2")
    with pytest.raises(UserError, match="flash_attn, which is not installed"):
        registry.check_model(config, sample_rate=16000, offline=True)


def test_a_checkpoint_is_measured_with_the_attention_asked_for(checkpoints, tmp_path):
    build("ctc", checkpoints, use_lora=True).save(tmp_path)
    loaded = registry.load_family(tmp_path, attention="eager")
    assert loaded.model.get_base_model().hubert.config._attn_implementation == "eager"
    with pytest.raises(UserError, match="no attention called 'flashy'"):
        registry.load_family(tmp_path, attention="flashy")


def test_nothing_is_held_in_less_unasked(checkpoints, tmp_path):
    made = build("ctc", checkpoints, use_lora=True)
    assert not made.model.get_base_model()._forward_pre_hooks
    made.save(tmp_path)
    assert {t.dtype for t in load_file(tmp_path / "adapter_model.safetensors").values()} == {
        torch.float32
    }
    assert AutoModelForCTC.from_pretrained(checkpoints("hubert_ctc")).dtype == torch.float32
