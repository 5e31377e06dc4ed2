"""Control tokens that stand in a transcript are text, and never become control tokens."""

from __future__ import annotations

import pytest
import standins
from families import FAMILIES, build

from mynah.models.text.labeller import Labeller
from mynah.models.text.plain_text import PlainText

MARKS = ["<pad>", "<unk>", "<s>", "</s>", "<blank>", "<|0.00|>", "<|im_end|>", "<|endoftext|>"]


def tokenizer_of(family):
    return getattr(family, "tokenizer", None) or family.processor.tokenizer


def control_of(tokenizer):
    """Ids of a tokenizer's added tokens; a single letter, as a word delimiter, is none."""
    added = tokenizer.added_tokens_decoder.items()
    return {number for number, token in added if len(token.content) > 1}


@pytest.mark.parametrize("name", [*FAMILIES, "scratch"])
def test_no_label_of_a_transcript_is_a_control_token_that_was_written_in_it(name, checkpoints):
    if name == "scratch":
        from tiny_models import TEXTS, tiny

        from mynah.models import registry

        family = registry.build(tiny(), texts=TEXTS, sample_rate=16000, offline=True)
    else:
        family = build(name, checkpoints)
    tokenizer = tokenizer_of(family)
    control = control_of(tokenizer)
    assert control
    written = {tokenizer.added_tokens_decoder[number].content for number in control}
    plain = set(family.labels("call anna"))  # what stands around every transcript, as its end
    for mark in [*MARKS, *sorted(written)]:
        labels = set(family.labels(f"call {mark} anna"))
        assert not (labels - plain) & control, mark


def test_a_mark_comes_back_as_it_was_written(checkpoints):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(checkpoints("whisper_asr"))
    text = "so <|endoftext|> we <|0.00|> went"
    ids = PlainText(tokenizer).ids(text)
    assert not set(ids) & set(tokenizer.added_tokens_decoder)
    assert tokenizer.backend_tokenizer.decode(ids, skip_special_tokens=False) == text
    # A text without marks is what the tokenizer itself makes of it.
    assert (
        PlainText(tokenizer).ids("we went")
        == tokenizer("we went", add_special_tokens=False).input_ids
    )


@pytest.fixture
def capitals(tmp_path):
    """A tokenizer as wav2vec2's: capital letters and a plain apostrophe."""
    import json

    from transformers import Wav2Vec2CTCTokenizer

    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", "'", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    (tmp_path / "vocab.json").write_text(json.dumps({one: n for n, one in enumerate(letters)}))
    return Wav2Vec2CTCTokenizer(str(tmp_path / "vocab.json"))


def written(tokenizer, text):
    return "".join(tokenizer.convert_ids_to_tokens(Labeller(tokenizer).labels(text)))


@pytest.mark.parametrize("typed", ["don’t", "donʼt", "don＇t", "don't"])
def test_a_typographic_apostrophe_is_learned_as_the_one_that_the_tokenizer_has(typed, capitals):
    assert written(capitals, typed) == "DON'T"


def test_a_tokenizer_that_writes_bytes_learns_the_apostrophe_and_the_quotes_that_were_typed():
    tokenizer = standins.byte_level_tokenizer(["<|endoftext|>"])
    for text in ("l’homme d’État", "‘so’ `be` it", "don't"):
        plain = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert Labeller(tokenizer).labels(text) == plain


def test_a_letter_that_two_capitals_stand_for_is_named(capitals, capsys):
    assert written(capitals, "Straße") == "STRASSE"
    Labeller(capitals).say_what_is_missing(["die Straße"])
    assert "ß as SS" in " ".join(capsys.readouterr().out.split())


def test_a_mark_leaves_its_letters_alone_where_the_tokenizer_has_no_brackets(capitals):
    assert written(capitals, "so <pad> we") == "SO|PAD|WE"
