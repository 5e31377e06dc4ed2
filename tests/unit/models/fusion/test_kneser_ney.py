"""N-grams of text against KenLM's ``lmplz``, and against numbers worked out by hand."""

import itertools
from collections import Counter
from pathlib import Path

import pytest

from mynah.errors import UserError
from mynah.models.fusion import kneser_ney
from mynah.models.fusion.arpa import ArpaModel
from mynah.models.fusion.kneser_ney import Limits
from mynah.models.fusion.smoothing import Discounts

HERE = Path(__file__).parent
SENTENCES = (HERE / "sentences.txt").read_text(encoding="utf-8").splitlines()


def log10(model, context, word):
    """By the definition of the format: listed, or the context's weight times the shorter one."""
    found = model.log10[len(context)].get(context, {}).get(word)
    if found is not None:
        return found
    return model.backoff.get(context, 0.0) + log10(model, context[1:], word)


def own_shares(model):
    """What contexts give to their words beyond what they leave to the shorter context."""
    return {
        (*context, word): 10**value
        - 10 ** (model.backoff.get(context, 0.0) + log10(model, context[1:], word))
        for table in model.log10[1:]
        for context, words in table.items()
        for word, value in words.items()
    }


@pytest.mark.parametrize("in_memory", [7, 100, 10**6])
def test_discounts_pruning_and_back_off_are_those_of_kenlms_lmplz(in_memory):
    # lmplz -o 3 --prune 0 0 1 --discount_fallback < sentences.txt (kenlm 0.3.0). Its unigrams
    # share what is unseen in another way, so that what is compared is what stands above them.
    theirs = ArpaModel.read(HERE / "sentences_lmplz.arpa")
    ours = kneser_ney.estimate_ngrams(SENTENCES, Limits(prune=(0, 0, 1), in_memory=in_memory))
    expected, found = own_shares(theirs), own_shares(ours)
    assert found.keys() == expected.keys()
    assert len(found) == 155
    assert found == pytest.approx(expected, abs=1e-6)
    contexts = {context for table in ours.log10[1:] for context in table}
    assert {one: ours.backoff[one] for one in contexts} == pytest.approx(
        {one: theirs.backoff[one] for one in contexts}, abs=1e-6
    )


@pytest.mark.parametrize("order", [2, 3, 4])
@pytest.mark.parametrize("prune", [(0,), (0, 0, 1), (1, 2)])
def test_any_order_with_anything_left_out_sums_to_one(order, prune):
    limits = Limits(order=order, prune=prune[:order])
    model = kneser_ney.estimate_ngrams(SENTENCES, limits)
    assert len(model.log10) == order
    words = [word for word in model.log10[0][()] if word != "<s>"]
    assert ("zoe" in words) == (prune[0] == 0)
    for table in model.log10[1:]:
        for context in list(table)[:20]:
            total = sum(10 ** log10(model, context, word) for word in words)
            assert total == pytest.approx(1.0, abs=1e-9)


def test_what_is_kept_came_oftener_than_what_is_left_out():
    padded = [["<s>", *text.split(), "</s>"] for text in SENTENCES]
    came = [
        Counter(
            tuple(words[start : start + size])
            for words in padded
            for start in range(len(words) - size + 1)
        )
        for size in (1, 2, 3)
    ]
    model = kneser_ney.estimate_ngrams(SENTENCES, Limits(keep=60, words=8))
    kept = [
        {(*context, word) for context, words in table.items() for word in words}
        for table in model.log10
    ]
    words = kept[0] - {("<s>",), ("</s>",), ("<unk>",)}
    others = came[0].keys() - words - {("<s>",), ("</s>",)}
    assert 0 < len(words) <= 8
    assert min(came[0][one] for one in words) > max(came[0][one] for one in others)
    for size in (1, 2):
        possible = {one for one in came[size] if not {(word,) for word in one} & others}
        assert 0 < len(kept[size]) <= 60
        assert kept[size] <= possible
        assert min(came[size][one] for one in kept[size]) > max(
            came[size][one] for one in possible - kept[size]
        )


def test_discounts_of_chen_and_goodman_by_hand():
    # Y = 4 / (4 + 2 · 2) = 1/2; 1 - 2 Y · 2/4, 2 - 3 Y · 1/2, 3 - 4 Y · 1/1.
    assert Discounts.estimate({1: 4, 2: 2, 3: 1, 4: 1, 9: 5}) == Discounts((0.5, 1.25, 1.0), True)


@pytest.mark.parametrize(
    "sizes",
    [
        {1: 4, 2: 2, 4: 1},  # none came three times
        {1: 4, 2: 2, 3: 1, 4: 9},  # 3 - 4 · 1/2 · 9 is below nothing
    ],
)
def test_where_counts_are_too_few_one_discount_is_for_all(sizes):
    found = Discounts.estimate(sizes)
    assert found == Discounts((0.5, 0.5, 0.5), False)  # (4 + 1/2) / (4 + 2 · 2 + 1)
    assert [found.apply(count) for count in (1, 2, 7)] == [0.5, 1.5, 6.5]


def test_text_of_which_no_word_is_left_is_refused():
    with pytest.raises(UserError, match="No word came 1,001 times"):
        kneser_ney.estimate_ngrams(SENTENCES, Limits(prune=(1000,)))


def test_sentences_of_any_length_are_counted_alike_in_blocks(monkeypatch):
    whole = kneser_ney.estimate_ngrams(SENTENCES)
    monkeypatch.setattr(kneser_ney, "_BLOCK_WORDS", 5)
    assert kneser_ney.estimate_ngrams(itertools.chain(SENTENCES, ["", " "])) == whole
