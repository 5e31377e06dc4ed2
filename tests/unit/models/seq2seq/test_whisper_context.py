"""Names and terms before Whisper's transcripts: as transformers gives them, and odd lists."""

from __future__ import annotations

import pytest
import torch
from tiny_models import TEXTS, tiny
from transcripts import transcribed
from transformers import WhisperForConditionalGeneration

from mynah import console
from mynah.errors import UserError
from mynah.models import registry
from mynah.models.family import Example
from mynah.models.seq2seq.context import read_context
from mynah.models.transcript import Clip

NAMES = "Nightingale, Ada Lovelace"


@pytest.fixture
def build(checkpoints):
    def built(kind="whisper_asr", **settings):
        torch.manual_seed(0)
        settings = {"language": "en", "pretrained": str(checkpoints(kind))} | settings
        return registry.build(tiny(**settings), texts=TEXTS, sample_rate=16000, offline=True)

    return built


@pytest.fixture
def notices(monkeypatch):
    said = []
    monkeypatch.setattr(console, "notice", said.append)
    return said


@pytest.fixture
def by_transformers(checkpoints):
    """What transformers' own generate writes of a clip behind a prompt, and the prompt."""
    plain = WhisperForConditionalGeneration.from_pretrained(checkpoints("whisper_asr")).eval()

    def text_of(family, clip, context):
        inputs = family.processor(clip, sampling_rate=16000, return_tensors="pt")
        # As get_prompt_ids makes it, which takes the stand-in's letters for special tokens.
        prompt = family.processor.tokenizer(
            "<|startofprev|>", f" {context}", add_special_tokens=False, return_tensors="pt"
        )["input_ids"][0]
        ids = plain.generate(
            inputs.input_features, language="en", task="transcribe", prompt_ids=prompt,
            max_new_tokens=8,
        )  # fmt: skip
        new = ids[0][len(prompt) :] if ids[0][0] == prompt[0] else ids[0]
        return family.processor.decode(new, skip_special_tokens=True).strip(), prompt.tolist()

    return text_of


def listed(path, *lines):
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


def test_a_clip_with_context_is_decoded_as_transformers_does_with_prompt_ids(
    build, clips, by_transformers, tmp_path
):
    family = build()
    plain = transcribed(family, clips)
    contexts = [NAMES, "", "Zoë", NAMES]
    found = transcribed(family, clips, contexts=contexts)
    for clip, context, text, without in zip(clips, contexts, found, plain, strict=True):
        right = by_transformers(family, clip, context)[0] if context else without
        assert text == right
        assert [text] == transcribed(family, [clip], contexts=[context])
    assert found != plain
    names = listed(tmp_path / "names.txt", "# names", *NAMES.split(", "))
    family.configure_decoding(tiny(language="en", context_file=names))
    assert transcribed(family, clips) == [by_transformers(family, c, NAMES)[0] for c in clips]
    assert "2 listed words before each transcript" in family.describe_decoding()
    both = transcribed(family, clips[:1], contexts=["Zoë"])
    assert both == [by_transformers(family, clips[0], f"{NAMES}, Zoë")[0]]
    family.configure_decoding(tiny(language="en"))
    assert transcribed(family, clips) == plain


def test_the_prompt_is_given_and_not_learned(build, clips, by_transformers):
    family = build()
    family.model.eval()
    _, prompt = by_transformers(family, clips[0], NAMES)
    labels = family.labels(TEXTS[0])
    example = Example("a", family.features(clips[0]), labels, language="en", context=NAMES)
    batch = family.collate([example])
    before = [*prompt, *family.prompts.ids("en")]
    with torch.no_grad():
        ours = family.loss(family.model, batch)
        theirs = family.model(
            input_features=batch["input_features"],
            decoder_input_ids=torch.tensor([[*before, *labels[:-1]]]),
            labels=torch.tensor([[*[-100] * (len(before) - 1), *labels]]),
        ).loss
    assert ours.count == len(labels)
    torch.testing.assert_close(ours.total / ours.count, theirs)


def test_rows_with_and_without_context_are_learned_from_in_one_batch(build, clips):
    family = build()
    family.model.eval()
    rows = [
        Example(str(n), family.features(clip), family.labels(text), language="en", context=context)
        for n, (clip, text, context) in enumerate(
            zip(clips[:3], TEXTS, ("", NAMES, "Zoë"), strict=False)
        )
    ]
    with torch.no_grad():
        together = family.loss(family.model, family.collate(rows))
        alone = [family.loss(family.model, family.collate([row])) for row in rows]
    torch.testing.assert_close(together.total, sum(one.total for one in alone))
    assert together.count == sum(one.count for one in alone)
    assert together.total != sum(
        family.loss(family.model, family.collate([Example(r.id, r.features, r.labels)])).total
        for r in rows
    )


def test_of_a_long_context_the_end_is_kept(build):
    family = build()
    most = family.prompts.most_context
    assert most == family.model.config.max_target_positions // 2 - 1
    text = ", ".join(f"name{n}" for n in range(most))
    ids = family.prompts.previous(text)
    tokens = family.tokenizer(f" {text}", add_special_tokens=False)["input_ids"]
    start = family.tokenizer.convert_tokens_to_ids("<|startofprev|>")
    assert ids == [start, *tokens[-most:]]
    # Training leaves room for the transcript.
    labels = [5] * (family.model.config.max_target_positions - 10)
    within = family.prompts.within(family._positions, text, "en", len(labels) - 1)
    assert len(within) + len(labels) - 1 == family._positions


def test_control_tokens_in_a_list_are_text(build, tmp_path):
    family = build()
    names = listed(tmp_path / "names.txt", "<|endoftext|>", "Ada")
    family.configure_decoding(tiny(context_file=names))
    ids = family.prompts.previous(family._listed.before(""))
    end = family.tokenizer.convert_tokens_to_ids("<|endoftext|>")
    assert end not in ids and len(ids) > 4


def test_a_hundred_thousand_words_are_cut_to_those_that_fit_and_that_is_said(
    build, tmp_path, notices
):
    family = build()
    lines = [f"name{n}" for n in range(100_000)]
    names = listed(tmp_path / "names.txt", *lines, "a" * 10_000)
    family.configure_decoding(tiny(context_file=names))
    kept = family._listed.phrases
    assert list(kept) == lines[-len(kept) :]
    tokens = family.tokenizer(f" {', '.join(kept)}", add_special_tokens=False)["input_ids"]
    assert len(tokens) <= family.prompts.most_context
    assert "1 of 100,001 words in names.txt cannot be written" in notices[0]
    assert f"Of the 100,000 words in names.txt the last {len(kept)} fit" in notices[1]
    assert f"{len(kept)} of 100,000 listed words" in family.describe_decoding()


@pytest.mark.parametrize(
    ("content", "said"),
    [("", "has no word"), (None, "cannot be read"), (b"caf\xe9", "not text in UTF-8")],
)
def test_a_list_that_is_of_no_use_is_refused(build, tmp_path, content, said):
    path = tmp_path / "names.txt"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=said):
        build().configure_decoding(tiny(context_file=str(path)))


def test_a_model_that_nothing_before_the_transcript_conditions_refuses_a_list(build, tmp_path):
    names = listed(tmp_path / "names.txt", "Ada")
    with pytest.raises(UserError, match="Nothing before the transcript"):
        build("moonshine", language=None, context_file=names)


def test_words_of_another_script_are_left_out_for_an_english_only_model(build, tmp_path, notices):
    family = build("whisper_asr_english", language=None)
    names = listed(tmp_path / "names.txt", "Ада", "Zoë", "R2-D2")
    assert read_context(names, family.prompts).phrases == ("Zoë", "R2-D2")
    assert "Ада" in notices[0]
    with pytest.raises(UserError, match="None of the 1 word"):
        read_context(listed(tmp_path / "other.txt", "Ада"), family.prompts)


def test_a_context_changes_the_clip_alone_that_has_it(build, clips):
    family = build()
    found = family.transcribe([Clip(clips[0], context=NAMES), Clip(clips[1])])
    (alone,) = family.transcribe([Clip(clips[1])])
    assert found[1].tokens == alone.tokens
    assert family.takes_context
