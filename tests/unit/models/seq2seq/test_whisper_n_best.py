"""Several hypotheses of a Whisper: transformers' own, with the probability of their tokens."""

from __future__ import annotations

import pytest
import torch
from tiny_models import TEXTS, tiny
from transformers import WhisperForConditionalGeneration

from mynah.models import registry
from mynah.models.transcript import Clip


@pytest.fixture
def family(checkpoints):
    torch.manual_seed(0)
    config = tiny(language="en", pretrained=str(checkpoints("whisper_asr")))
    return registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)


STEPS = 8  # of tiny()


def beam_by_hand(model, inputs, prompt, size):
    """The hypotheses that stay of all continuations, step by step, for a model that never ends."""
    settings = model.generation_config
    beams = [((), 0.0)]
    for step in range(STEPS):
        longer = []
        for tokens, score in beams:
            with torch.no_grad():
                logits = model(
                    input_features=inputs, decoder_input_ids=torch.tensor([[*prompt, *tokens]])
                ).logits[0, -1]
            each = logits.log_softmax(-1)
            each[settings.suppress_tokens] = -torch.inf
            if step == 0:
                each[settings.begin_suppress_tokens] = -torch.inf
            if size == 1:  # one beam is scored as greedy decoding is: among what may follow
                each = each.log_softmax(-1)
            longer += [((*tokens, n), score + one) for n, one in enumerate(each.tolist())]
        beams = sorted(longer, key=lambda one: -one[1])[:size]
    return beams


@pytest.mark.parametrize("size", [1, 5])
def test_hypotheses_are_those_that_stay_in_a_beam_with_their_probability(
    family, checkpoints, clips, size
):
    plain = WhisperForConditionalGeneration.from_pretrained(checkpoints("whisper_asr")).eval()
    for model in (family.model, plain):
        settings = model.generation_config
        settings.suppress_tokens = [*(settings.suppress_tokens or []), plain.config.eos_token_id]
        settings.begin_suppress_tokens = settings.begin_suppress_tokens or []
    found = family.n_best([Clip(clip) for clip in clips[:2]], size)
    for clip, ours in zip(clips, found, strict=False):
        inputs = family.processor(clip, sampling_rate=16000, return_tensors="pt").input_features
        right = beam_by_hand(plain, inputs, family.prompts.ids("en"), size)
        assert [one.tokens for one in ours] == [tokens for tokens, _ in right]
        assert all(one.is_cut for one in ours)  # for it never ends
        scores = [score for _, score in right]
        assert [one.log_probability for one in ours] == pytest.approx(scores, rel=1e-4)
        (alone,) = family.n_best([Clip(clip)], size)
        assert [one.tokens for one in alone] == [one.tokens for one in ours]
        # The likeliest is what transformers' own writes; the others it does not give.
        ids = plain.generate(
            inputs, language="en", task="transcribe", num_beams=size, max_new_tokens=STEPS
        )
        assert tuple(ids[0].tolist())[-STEPS:] == ours[0].tokens


@pytest.mark.parametrize("size", [1, 5])
def test_of_hypotheses_that_end_the_end_counts(family, clips, size):
    model = family.model.eval()
    (found,) = family.n_best([Clip(clips[0])], size)
    prompt, end = family.prompts.ids("en"), model.config.eos_token_id
    inputs = family._inputs([family.features(clips[0])], len(family.features(clips[0])))
    for one in found:
        tokens = [*one.tokens, *([end] if len(one.tokens) < STEPS else [])]
        with torch.no_grad():
            logits = model(
                input_features=inputs["input_features"],
                decoder_input_ids=torch.tensor([[*prompt, *tokens[:-1]]]),
            ).logits[0, len(prompt) - 1 :]
        each = logits.log_softmax(-1)[range(len(tokens)), tokens]
        assert one.log_probability == pytest.approx(each.sum().item(), rel=1e-3)
        assert one.is_cut == (tokens[-1] != end)


def test_a_clip_too_short_has_empty_hypotheses_and_greedy_is_as_before(family, clips):
    before = family.transcribe([Clip(clips[0])])
    (short,) = family.n_best([Clip(clips[0][:10])], 3)
    assert [one.text for one in short] == [""]
    together = family.n_best([Clip(clips[0][:10]), Clip(clips[1])], 3)
    assert together[0][0].text == "" and len(together[1]) == 3
    assert family.transcribe([Clip(clips[0])]) == before
