"""Any causal language model behind an encoder: its own loss, its own end, its new tokens."""

import itertools

import numpy as np
import pytest
import torch
from speech_llms import build, go_on, loss_by_hand, plain_language_model
from tiers import fast_where
from tiny_models import TEXTS, examples, train
from transcripts import transcribed
from transformers import AutoTokenizer

from mynah.errors import UserError
from mynah.models import registry
from mynah.models.speech_llm.prompts import (
    TRANSCRIPT_END,
    end_of_text,
    load_tokenizer,
    prompt_ids,
)
from mynah.models.text.token_loss import IGNORED

LANGUAGE_MODELS = [
    "chat_lm", "base_lm", "gpt2_lm", "opt_lm", "qwen3_lm", "gemma_lm", "qwen2_untied_lm",
    "phi_lm",
]  # fmt: skip


@pytest.mark.parametrize(
    ("decoder", "settings"),
    fast_where(
        lambda decoder, _: decoder in ("chat_lm", "base_lm", "gpt2_lm", "qwen3_lm"),
        [
            ("chat_lm", {"use_lora": True}),
            ("base_lm", {}),
            ("gpt2_lm", {"use_lora": True, "new_tokens": ["<laughter>"]}),
            ("opt_lm", {"decoder_tuning": "frozen"}),
            ("opt_lm", {"use_lora": True}),
            ("qwen3_lm", {"decoder_tuning": "frozen", "new_tokens": ["<laughter>", "<noise>"]}),
            ("gemma_lm", {"use_lora": True, "new_tokens": ["<laughter>"]}),
            ("gemma_lm", {"new_tokens": ["<laughter>"]}),
            ("qwen2_untied_lm", {"use_lora": True}),
            ("phi_lm", {"decoder_tuning": "frozen"}),
        ],
    ),
    ids=str,
)
def test_the_loss_is_that_of_the_plain_language_model(
    decoder, settings, checkpoints, clips, tmp_path
):
    family = build(checkpoints, decoder=decoder, **settings)
    texts = ["call <laughter> anna", *TEXTS[1:]]
    batch = family.collate(examples(family, clips, texts))
    train(family, batch, steps=2)
    with torch.no_grad():
        loss = family.loss(family.model, batch)
    model = plain_language_model(family, checkpoints(decoder), tmp_path)
    total, count = loss_by_hand(family, model, examples(family, clips, texts))
    assert loss.count.item() == count
    assert loss.total.item() / count == pytest.approx(total / count, abs=1e-5)


def test_a_prompt_is_the_same_on_every_day(checkpoints):
    tokenizer = AutoTokenizer.from_pretrained(checkpoints("chat_lm"))
    # As Llama 3.2's own.
    tokenizer.chat_template = (
        "{%- if strftime_now is defined %}{%- set day = strftime_now('%d %b %Y') %}"
        "{%- else %}{%- set day = '26 Jul 2024' %}{%- endif %}"
        "<|im_start|>system\nToday Date: {{ day }}<|im_end|>\n"
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] }}"
        "<|im_end|>\n{% endfor %}"
    )
    before, _ = prompt_ids(tokenizer, "Transcribe.")
    assert "Today Date: 19 Dec 2024<" in tokenizer.decode(before)
    assert end_of_text(tokenizer) == tokenizer.convert_tokens_to_ids("<|im_end|>")


@pytest.mark.parametrize(
    "decoder",
    fast_where(lambda decoder: decoder in ("opt_lm", "gemma_lm"), LANGUAGE_MODELS[2:]),
)
def test_any_language_model_says_the_same_after_loading_and_in_any_batch(
    decoder, checkpoints, clips, tmp_path
):
    family = build(checkpoints, decoder=decoder, use_lora=True)
    train(family, family.collate(examples(family, clips)))
    together = transcribed(family, clips)
    assert any(together)
    assert together == [transcribed(family, [clip])[0] for clip in clips]
    family.save(tmp_path)
    assert transcribed(registry.load_family(tmp_path), clips) == together


@pytest.mark.parametrize(
    "decoder", fast_where(lambda one: one in LANGUAGE_MODELS[::3], LANGUAGE_MODELS)
)
def test_words_and_their_end_are_targets_and_padding_is_none(decoder, checkpoints, clips):
    family = build(checkpoints, decoder=decoder, decoder_tuning="frozen")
    rows = examples(family, clips, ["nine", *TEXTS])
    batch = family.collate(rows)
    ends = {"gemma_lm": "<end_of_turn>", "opt_lm": "</s>", "phi_lm": TRANSCRIPT_END}
    ends |= {"chat_lm": "<|im_end|>", "qwen3_lm": "<|im_end|>"}
    end = family.tokenizer.get_vocab()[ends.get(decoder, "<|endoftext|>")]
    for labels in batch["labels"]:
        targets = labels[labels != IGNORED].tolist()
        assert targets[-1] == end and targets.count(end) == 1
    family.model.eval()
    with torch.no_grad():
        both = family.loss(family.model, batch)
        alone = [family.loss(family.model, family.collate([row])) for row in rows]
    assert both.count == sum(len(row.labels) for row in rows)
    torch.testing.assert_close(both.total, sum(one.total for one in alone), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("decoder", ["gpt2_lm", "gemma_lm", "phi_lm"])
def test_a_transcript_ends_where_it_was_learned_to(decoder, checkpoints, clips):
    family = build(checkpoints, decoder=decoder, encoder_tuning="full")
    train(family, family.collate(examples(family, clips[:1], ["nine"])), steps=30, rate=1e-2)
    assert transcribed(family, clips[:1]) == ["nine"]


def test_a_transcript_stays_within_the_positions_there_are(checkpoints, clips):
    family = build(checkpoints, decoder="gpt2_lm", generation_max_length=500)
    assert family.model.config.text_config.n_positions == 128
    alone = transcribed(family, [np.tile(clips[0], 7)])  # 10 s
    long = transcribed(family, [np.tile(clips[0], 70)])
    assert alone != [""] and len(long[0]) > len(alone[0])
    assert "128 it can hold" in family.impossible(10 * 16000, [1] * 100)


def test_a_prompt_begins_as_the_tokenizer_begins_and_a_transcript_does_not(checkpoints):
    family = build(checkpoints, decoder="opt_lm")
    start = family.tokenizer.bos_token_id
    assert family.tokenizer("nine")["input_ids"][0] == start
    assert family._before == [start] and start not in family._after
    assert family.labels("nine")[0] != start


def test_a_template_that_knows_of_reasoning_is_asked_for_none(checkpoints):
    family = build(checkpoints, decoder="qwen3_lm")
    assert family.tokenizer.decode(family._after).endswith("<think>\n\n</think>\n\n")


@pytest.mark.parametrize(
    ("decoder", "tuning"),
    fast_where(
        lambda decoder, tuning: decoder == "qwen3_lm" or (decoder, tuning) == ("gpt2_lm", "lora"),
        itertools.product(["gpt2_lm", "gemma_lm", "qwen3_lm", "phi_lm"], ["frozen", "lora"]),
    ),
)
def test_of_new_tokens_exactly_the_new_rows_are_trained(
    decoder, tuning, checkpoints, clips, tmp_path
):
    family = build(
        checkpoints, decoder=decoder, decoder_tuning=tuning, new_tokens=["<laughter>", "<noise>"]
    )
    before = {name: tensor.clone() for name, tensor in family.model.state_dict().items()}
    texts = ["<laughter> nine", "ten <noise>", *TEXTS]
    train(family, family.collate(examples(family, clips, texts)))
    changed = {n for n, t in family.model.state_dict().items() if not torch.equal(t, before[n])}
    kinds = {name.split(".")[0] if ".lora_" not in name else "lora" for name in changed}
    assert kinds == {"projector", "new_tokens", *(["lora"] if tuning == "lora" else [])}
    rows = family.model.new_tokens
    assert all(
        (rows.state_dict()[name][:2] != before[f"new_tokens.{name}"][:2])
        .reshape(2, -1)
        .any(1)
        .all()
        for name in rows.state_dict()
    )
    table = {part: trained for part, _, trained in family.parameter_table()}
    assert table["new_tokens"] == sum(p.numel() for p in rows.parameters()) > 0
    assert table["language_model"] == sum(
        p.numel() for n, p in family.model.language_model.named_parameters() if ".lora_" in n
    )
    family.save(tmp_path)
    loaded = registry.load_family(tmp_path)
    assert transcribed(loaded, clips) == transcribed(family, clips)
    assert loaded.labels("<laughter>") == family.labels("<laughter>")
    for name, tensor in loaded.model.new_tokens.state_dict().items():
        assert torch.equal(tensor, rows.state_dict()[name])


def test_a_new_token_is_one_token_and_is_written(checkpoints, clips):
    family = build(checkpoints, decoder="gpt2_lm", encoder_tuning="full", new_tokens=["<laughter>"])
    assert len(family.labels("<laughter>")) == 2  # and the end
    train(family, family.collate(examples(family, clips[:1], ["nine<laughter>"])), 30, 1e-2)
    assert transcribed(family, clips[:1]) == ["nine<laughter>"]


def test_a_checkpoint_without_its_new_rows_is_refused(checkpoints, tmp_path):
    build(checkpoints, use_lora=True, new_tokens=["<laughter>"]).save(tmp_path)
    (tmp_path / "new_tokens.safetensors").unlink()
    with pytest.raises(UserError, match="missing"):
        registry.load_family(tmp_path)


def test_a_language_model_trained_in_full_has_its_new_rows_itself(checkpoints, clips, tmp_path):
    first = build(checkpoints, decoder_tuning="frozen", new_tokens=["<laughter>"])
    train(first, first.collate(examples(first, clips, ["<laughter>", *TEXTS])))
    first.save(tmp_path)
    family = go_on(tmp_path, decoder_tuning="full")
    assert family.model.new_tokens is None
    assert transcribed(family, clips) == transcribed(first, clips)
    with pytest.raises(UserError, match="no token '<noise>'"):
        go_on(tmp_path, new_tokens=["<noise>"])


def test_what_ends_a_text_follows_from_the_template(checkpoints):
    from mynah.models.pretrained import hub

    ends = {
        kind: end_of_text(load_tokenizer(hub.checkpoint(checkpoints(kind))))
        for kind in LANGUAGE_MODELS
    }
    assert ends["gemma_lm"] == 4 and ends["phi_lm"] is None
    assert all(ends[kind] is not None for kind in LANGUAGE_MODELS[:-1])


@pytest.mark.parametrize(
    "decoder", fast_where(lambda one: one in LANGUAGE_MODELS[::3], LANGUAGE_MODELS)
)
def test_a_token_is_decoded_from_what_is_kept_of_those_before(decoder, checkpoints):
    model = build(checkpoints, decoder=decoder).model
    lengths = []
    model.language_model.register_forward_pre_hook(
        lambda module, _, named: lengths.append(named["inputs_embeds"].shape[1]), with_kwargs=True
    )
    width = model.language_model.get_input_embeddings().weight.shape[1]
    model.eval().greedy(torch.randn(2, 5, width), end=-1, max_tokens=4)
    assert lengths == [5, 1, 1, 1]
