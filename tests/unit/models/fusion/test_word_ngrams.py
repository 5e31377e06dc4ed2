import math

import pytest

from mynah.errors import UserError
from mynah.models.fusion import kneser_ney
from mynah.models.fusion.arpa import ArpaModel
from mynah.models.fusion.word_ngrams import SENTENCE_END, WordNgrams

TEXTS = [
    "the cat sat on the mat",
    "the dog sat on the log",
    "a cat saw the dog",
    "the cat saw a mat",
    "on the log sat a dog",
    "the cat sat",
]
HISTORIES = ["", "the", "the cat", "the zebra", "zebra quagga", "sat on", "zebra the"]


@pytest.fixture(scope="module")
def ngrams():
    return WordNgrams(kneser_ney.estimate_ngrams(TEXTS))


def history_of(ngrams, words):
    history = ngrams.start
    for word in words.split():
        history = ngrams.after(history, word)
    return history


def unknown_words(ngrams, history):
    """Probability of all strings that are not words of the vocabulary.

    What the history leaves to new words is read off the probability of one of them.
    """
    share = math.exp(ngrams.log_word(history, "zebra")) / ngrams.characters.word("zebra")
    return share * (1 - sum(ngrams.characters.word(word) for word in ngrams.vocabulary))


@pytest.mark.parametrize("words", HISTORIES)
def test_the_probabilities_of_known_and_unknown_words_sum_to_one(ngrams, words):
    history = history_of(ngrams, words)
    known = sum(
        math.exp(ngrams.log_word(history, word)) for word in [*ngrams.vocabulary, SENTENCE_END]
    )
    assert known + unknown_words(ngrams, history) == pytest.approx(1.0, abs=1e-12)


def test_a_large_corpus_keeps_its_frequent_ngrams_and_still_sums_to_one(monkeypatch):
    full = WordNgrams(kneser_ney.estimate_ngrams(TEXTS))
    monkeypatch.setattr(kneser_ney, "MOST_NGRAMS", 14)
    small = WordNgrams(kneser_ney.estimate_ngrams(TEXTS))
    trigrams = small.model.log10[2]
    # Said twice or more: <s> the cat, the cat sat, sat on the, on the log. Of the 20 bigrams
    # 14 at most came so often.
    assert sum(map(len, trigrams.values())) == 4 < sum(map(len, full.model.log10[2].values()))
    for words in HISTORIES:
        history = history_of(small, words)
        known = sum(
            math.exp(small.log_word(history, word)) for word in [*small.vocabulary, SENTENCE_END]
        )
        assert known + unknown_words(small, history) == pytest.approx(1.0, abs=1e-12)
    assert small.vocabulary == full.vocabulary


@pytest.mark.parametrize("words", HISTORIES)
@pytest.mark.parametrize("letters", ["t", "th", "the", "z", "sa", "ca"])
def test_a_beginning_is_as_likely_as_all_its_continuations(ngrams, words, letters):
    history = history_of(ngrams, words)
    alphabet = set("".join(TEXTS)) - {" "}
    longer = sum(math.exp(ngrams.log_beginning(history, letters + letter)) for letter in alphabet)
    # The one letter that stands for all that no transcript has.
    other = math.exp(ngrams.log_beginning(history, letters + "ß"))
    total = math.exp(ngrams.log_word(history, letters)) + longer + other
    assert total == pytest.approx(math.exp(ngrams.log_beginning(history, letters)), rel=1e-9)


def test_bigrams_are_those_of_kneser_and_ney_computed_by_hand():
    ngrams = WordNgrams(kneser_ney.estimate_ngrams(["a b", "a b", "c"]))
    # Words after different words: a 1, b 1, c 1, </s> 2; once-only words: c, of 5 tokens.
    unseen = 2 / 7
    unigram = (1 - unseen) / 5 + unseen * ngrams.characters.word("b")
    # Continuation bigrams: <s> a 2, <s> c 1, a b 1, b </s> 1, c </s> 1: discount 4.5 / 7.
    discount = 4.5 / 7
    bigram = (1 - discount) + discount * unigram
    assert math.exp(ngrams.log_word(("a",), "b")) == pytest.approx(bigram, rel=1e-12)
    # Trigrams: <s> a b 2, a b </s> 2, <s> c </s> 1: discount (1 + 0.5) / (1 + 4 + 1).
    trigram = (2 - 0.25) / 2 + 0.25 / 2 * bigram
    assert math.exp(ngrams.log_word(("\t", "a"), "b")) == pytest.approx(trigram, rel=1e-12)


def test_a_word_is_likelier_where_it_was_said(ngrams):
    on, saw = history_of(ngrams, "sat on"), history_of(ngrams, "cat saw")
    likely = [ngrams.log_word(*one) for one in ((on, "the"), (saw, "the"), (on, "zebra"))]
    assert likely == sorted(likely, reverse=True)
    assert math.exp(likely[-1]) > 0


def test_a_new_word_written_like_the_known_ones_is_likelier(ngrams):
    history = history_of(ngrams, "the")
    assert ngrams.log_word(history, "cog") > ngrams.log_word(history, "xqz")


def test_a_file_says_the_same_to_the_last_bit(ngrams, tmp_path):
    ngrams.model.write(tmp_path / "model.arpa")
    again = WordNgrams(ArpaModel.read(tmp_path / "model.arpa"))
    assert again.vocabulary == ngrams.vocabulary
    for words in HISTORIES:
        history = history_of(ngrams, words)
        for word in ["the", "cat", "zebra", SENTENCE_END]:
            assert again.log_word(history, word) == ngrams.log_word(history, word)


def test_transcripts_without_a_word_are_refused():
    with pytest.raises(UserError, match="The text has no word"):
        kneser_ney.estimate_ngrams(["", "  "])
