"""Utterances in one row of a language model: the loss and gradient of rows of their own."""

import dataclasses
import json
import sys
from pathlib import Path

import pytest
import torch
from tiny_models import TEXTS, examples, tiny
from transformers import Qwen3Config

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from speech_llms import build

from mynah.errors import UserError
from mynah.models import registry
from mynah.models.pretrained import hub
from mynah.models.speech_llm.network import AUDIO_TOKEN
from mynah.models.text import packed_attention, packing
from mynah.models.text.token_loss import IGNORED

WAYS = (packing.MASK, packing.VARLEN)
ROWS = [([1, 2], [3]), ([4], [5, 6])]  # of (what is given, what is learned)
KINDS = (
    "qwen3_asr", "voxtral", "glmasr", "qwen2_audio", "audioflamingo3", "qwen2_5_omni_thinker",
)  # fmt: skip
# Whose encoders see the padding, or are given noise.
BLIND = ("granite_speech", "granite_speech_plus", "phi4_multimodal", "fun_asr_nano")


def of_transformers(family, batches, *, ids="input_ids", weights=None):
    """Loss, count and gradients of transformers' own forward pass, an utterance at a time.

    Args:
        family: Its model is used, and nothing else of it.
        batches: One padded batch of one utterance each.
        ids: Where the tokens are.
        weights: What each utterance counts.
    """
    family.model.eval().zero_grad()
    total, count = 0.0, 0.0
    for number, batch in enumerate(batches):
        labels = batch["labels"]
        inputs = {k: v for k, v in batch.items() if k not in ("labels", "weights")}
        if ids == "inputs_embeds":
            audio = family.model.audio_vectors(
                *(inputs[name] for name in ("input_features", "feature_lengths", "audio_frames"))
            )
            tokens = inputs["input_ids"]
            embedded = family.model.language_model.get_input_embeddings()(tokens.clamp(min=0))
            embedded[tokens == AUDIO_TOKEN] = audio
            own = family.model.language_model(inputs_embeds=embedded, labels=labels).loss
        else:
            own = family.model(**inputs, labels=labels).loss
        tokens, weight = int((labels != IGNORED).sum()), weights[number] if weights else 1.0
        (own * tokens * weight).backward()
        total, count = total + own.item() * tokens * weight, count + tokens * weight
    return total, count, gradients_of(family.model)


def gradients_of(model):
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def padded(family, rows):
    family.model.eval().zero_grad()
    loss = family.loss(family.model, family.collate(rows))
    loss.total.backward()
    return loss.total.item(), loss.count.item(), gradients_of(family.model)


def of_packed(family, rows, how):
    family.pack_sequences(how)
    batch = family.collate(rows)
    assert len(batch["input_ids"]) == 1 and (batch["labels"] != IGNORED).any()
    family.model.eval().zero_grad()
    loss = family.loss(family.model, batch)
    loss.total.backward()
    return loss.total.item(), loss.count.item(), gradients_of(family.model)


def assert_same(found, expected):
    (total, count, gradients), (own, tokens, reference) = found, expected
    assert total == pytest.approx(own, rel=1e-5) and count == pytest.approx(tokens)
    assert gradients.keys() == reference.keys() and gradients
    full = torch.stack([value.norm() for value in reference.values()]).norm()
    for name, value in reference.items():
        torch.testing.assert_close(gradients[name], value, rtol=1e-5, atol=1e-5 * float(full))


def test_positions_begin_again_and_labels_stay_in_their_text():
    packed = packing.pack(ROWS)
    assert packed["input_ids"].tolist() == [[1, 2, 3, 4, 5, 6]]
    assert packed["position_ids"].tolist() == [[0, 1, 2, 0, 1, 2]]
    assert packed["labels"].tolist() == [[IGNORED, IGNORED, 3, IGNORED, 5, 6]]
    targets = packing.PackedTargets.of(packed)
    assert targets.labels.tolist() == [[3, 5, 6]] and targets.before.tolist() == [1, 3, 4]
    assert targets.per_text(torch.tensor([[0.5, 1.0, 2.0]])).tolist() == [0.5, 3.0]


def test_a_token_sees_those_before_it_in_its_text_alone():
    mask = packing.attention_mask(torch.tensor([2, 3]), packing.MASK)
    assert mask[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 0, 1, 1, 0],
        [0, 0, 1, 1, 1],
    ]


@pytest.mark.parametrize(
    ("how", "settings"),
    [
        (packing.VARLEN, {"use_lora": True}),
        pytest.param(packing.MASK, {"use_lora": True}, marks=pytest.mark.long),
        *(pytest.param(how, {"encoder_tuning": "full", **more}, marks=pytest.mark.long)
          for how in WAYS for more in ({}, {"decoder": "base_lm"})),
    ],
)  # fmt: skip
def test_an_encoder_before_a_language_model_learns_what_transformers_says(
    how, settings, checkpoints, clips
):
    family = build(checkpoints, **settings)
    with torch.no_grad():  # LoRA's second matrices begin at zero, and so would a gradient
        for name, parameter in family.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.05)
    weights = [1.0, 0.5, 0.25, 0.0]
    rows = [
        dataclasses.replace(row, weight=weight)
        for row, weight in zip(examples(family, clips), weights, strict=True)
    ]
    apart = [family.collate([row]) for row in rows]
    expected = of_transformers(family, apart, ids="inputs_embeds", weights=weights)
    assert_same(of_packed(family, rows, how), expected)


@pytest.mark.long
@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_audio_llm_learns_what_transformers_says(how, kind, checkpoints, clips):
    torch.manual_seed(0)
    config = tiny(pretrained=str(checkpoints(kind)))
    family = registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)
    rows = [dataclasses.replace(row, language="en") for row in examples(family, clips)]
    expected = of_transformers(family, [family.collate([row]) for row in rows])
    assert_same(of_packed(family, rows, how), expected)


@pytest.mark.long
@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("kind", BLIND)
def test_an_audio_llm_learns_from_packed_rows_what_it_does_from_padded_ones(
    how, kind, checkpoints, clips
):
    torch.manual_seed(0)
    family = registry.build(
        tiny(pretrained=str(checkpoints(kind))), texts=TEXTS, sample_rate=16000, offline=True
    )
    rows = [dataclasses.replace(row, language="en") for row in examples(family, clips)]
    expected = padded(family, rows)
    assert_same(of_packed(family, rows, how), expected)


@pytest.mark.long
@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("decoder", ["gpt2_lm", "opt_lm", "qwen3_lm", "qwen2_untied_lm", "phi_lm"])
def test_any_language_model_learns_from_packed_rows_what_it_does_from_padded_ones(
    how, decoder, checkpoints, clips
):
    family = build(checkpoints, decoder=decoder, use_lora=True)
    rows = examples(family, clips)
    expected = padded(family, rows)
    assert_same(of_packed(family, rows, how), expected)


@pytest.mark.long
def test_a_ctc_head_counts_in_packed_rows_as_in_padded_ones(checkpoints, clips):
    family = build(checkpoints, ctc_head_weight=0.3, encoder_tuning="full")
    rows = examples(family, clips)
    expected = padded(family, rows)
    assert any("ctc_head" in name for name in expected[2])
    assert_same(of_packed(family, rows, packing.MASK), expected)


def test_torchs_kernel_is_asked_for_the_attention_of_each_text(monkeypatch):
    """The kernel itself is CUDA's, and is stood in for by what it is documented to compute."""
    asked = []

    def varlen_attn(query, key, value, starts, of_keys, longest, longest_key, **rest):
        asked.append((starts.dtype, starts.tolist(), of_keys.tolist(), longest, longest_key))
        assert rest.pop("window_size") == (-1, 0) and rest.pop("enable_gqa")
        places = zip(starts.tolist()[:-1], starts.tolist()[1:], strict=True)
        parts = []
        for start, end in places:
            some = [one[start:end].transpose(0, 1) for one in (query, key, value)]
            weights = some[0] @ some[1].repeat_interleave(2, 0).transpose(1, 2) * rest["scale"]
            weights = weights.masked_fill(~torch.ones_like(weights).bool().tril(), -torch.inf)
            parts.append((weights.softmax(-1) @ some[2].repeat_interleave(2, 0)).transpose(0, 1))
        return torch.cat(parts)

    from torch.nn.attention import varlen

    monkeypatch.setattr(varlen, "varlen_attn", varlen_attn)
    torch.manual_seed(0)
    query = torch.randn(1, 4, 5, 8)
    key, value = torch.randn(1, 2, 5, 8), torch.randn(1, 2, 5, 8)
    lengths = torch.tensor([2, 3])
    mask = packing.attention_mask(lengths, packing.VARLEN)
    of_each, _ = packed_attention._attend(None, query, key, value, mask, scaling=0.3)
    of_kernel = packed_attention._kernel(
        query, key, value, lengths.int(), scaling=0.3, dtype=torch.float32
    )
    torch.testing.assert_close(of_kernel, of_each, rtol=1e-5, atol=1e-6)
    assert asked == [(torch.int32, [0, 2, 5], [0, 2, 5], 3, 3)]


def test_rows_that_are_not_packed_are_sdpas(checkpoints, clips):
    """A model that was made ready for packed rows decodes as before."""
    family = build(checkpoints)
    row = examples(family, clips)[:1]
    before = family.loss(family.model.eval(), family.collate(row)).total.item()
    family.pack_sequences(packing.VARLEN)
    family.pack_sequences(None)
    assert family.loss(family.model, family.collate(row)).total.item() == before


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"use_sliding_window": True, "sliding_window": 64, "max_window_layers": 0}, "sliding"),
        ({"layer_types": ["full_attention", "linear_attention"]}, "linear_attention"),
    ],
)
def test_what_looks_at_a_row_in_another_way_is_refused_by_name(fields, said):
    config = Qwen3Config(num_hidden_layers=2)
    for name, value in fields.items():
        setattr(config, name, value)
    if "use_sliding_window" in fields:
        config.layer_types = ["sliding_attention", "full_attention"]
    with pytest.raises(UserError, match=f"some/model .qwen3..*{said}"):
        packed_attention.check(config, packing.MASK, "some/model")


@pytest.mark.long
@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize(
    ("kind", "rate", "said"),
    [
        ("gemma_lm", 16000, "sliding_attention"),
        ("moss_transcribe_diarize", 16000, "cannot be given the positions"),
        ("vibevoice_asr", 24000, "cannot be given the positions"),
    ],
)
def test_models_that_cannot_pack_are_refused_by_name(how, kind, rate, said, checkpoints):
    if kind.endswith("_lm"):
        family = build(checkpoints, decoder=kind, use_lora=True)
    else:
        config = tiny(pretrained=str(checkpoints(kind)))
        family = registry.build(config, texts=TEXTS, sample_rate=rate, offline=True)
    with pytest.raises(UserError, match=said):
        family.pack_sequences(how)


def test_another_kernel_is_refused_by_name(checkpoints):
    family = build(checkpoints)
    family.model.language_model.set_attn_implementation("eager")
    with pytest.raises(UserError, match="eager"):
        family.pack_sequences(packing.MASK)


def test_a_checkpoint_of_ours_is_looked_at_before_it_is_loaded(checkpoints, tmp_path):
    family = build(checkpoints)
    family.save(tmp_path)
    config = tiny(pretrained=str(tmp_path))
    checked = registry.check_model(config, sample_rate=16000, offline=True)
    assert checked.packing(packing.MASK) is checked
    written = json.loads((tmp_path / "config.json").read_text())
    written["text_config"] |= {"layer_types": ["linear_attention"] * 2}
    (tmp_path / "config.json").write_text(json.dumps(written))
    with pytest.raises(UserError, match="linear_attention"):
        type(family).check_packing(packing.MASK, {"pretrained": hub.checkpoint(tmp_path)})
