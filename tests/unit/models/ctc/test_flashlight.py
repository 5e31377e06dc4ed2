"""Another implementation of CTC beam search, and of n-grams in the ARPA format: flashlight-text's,
which has KenLM inside (``benchmarks/flashlight_beams.py`` compares real utterances)."""

from __future__ import annotations

import itertools
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from test_beam_search import LETTERS, NGRAMS, SPELLINGS, encoded

from mynah.cli import lm
from mynah.models.fusion.arpa import ArpaModel
from mynah.models.fusion.word_ngrams import SENTENCE_END, WordNgrams

pytest.importorskip("flashlight.lib.text", reason="needs flashlight-text, Python 3.11 or 3.12")

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "benchmarks"))

from flashlight_beams import Dictionary, KenLM, Letters, by_letters, by_words

pytestmark = pytest.mark.long

SENTENCES = ["a cat sat", "the cat sat", "dogs eat", "a goose sat", "a cat eats", "a duet sat"]
# A trigram that backs off, and one without a weight of its own, as SRILM writes them.
BY_HAND = """\\data\\
ngram 1=6
ngram 2=4
ngram 3=2

\\1-grams:
-1.2\t<unk>
-99\t<s>\t-0.4
-0.6\t</s>
-0.7\ta\t-0.25
-0.8\tcat\t-0.1
-0.9\tsat

\\2-grams:
-0.3\t<s> a\t-0.05
-0.2\ta cat\t-0.3
-0.5\tcat sat
-0.35\tsat </s>

\\3-grams:
-0.1\t<s> a cat
-0.15\ta cat sat

\\end\\
"""


@pytest.fixture(scope="module")
def spoken():
    """Utterances that are not clear: each letter may be another, and its place is vague."""
    generator = np.random.default_rng(3)
    found = []
    for sentence in itertools.islice(itertools.cycle(SENTENCES), 40):
        said = "".join(letter for letter in sentence if letter in LETTERS)
        clear = encoded(said, frames_a_letter=3)
        noisy = 0.6 * clear + 1.0 * generator.standard_normal(clear.shape)
        noisy -= np.log(np.exp(noisy).sum(-1, keepdims=True))
        found.append(noisy.astype(np.float32))
    return found


@pytest.fixture(scope="module")
def letters():
    return Letters(SPELLINGS, 0, len(LETTERS) + 1, NGRAMS, 0.7)


def test_its_search_by_letters_finds_the_same(letters, spoken):
    theirs = by_letters(letters, spoken, 100)
    pairs = [
        (one, letters.ours(one, 100), their) for one, their in zip(spoken, theirs, strict=True)
    ]
    assert np.mean([our == their for _, our, their in pairs]) >= 0.95
    for one, our, their in pairs:  # labels below a thousandth are left out here
        assert letters.worth(one, our) >= letters.worth(one, their) - 1.0


def test_its_search_by_words_with_kenlm_finds_nothing_that_is_worth_more(letters, spoken, tmp_path):
    NGRAMS.model.write(tmp_path / "words.arpa")
    theirs = by_words(letters, spoken, 500, tmp_path / "words.arpa")
    known = set(NGRAMS.vocabulary)
    equal = []
    for one, their in zip(spoken, theirs, strict=True):
        our = letters.ours(one, 100)
        assert our == their or letters.worth(one, our) >= letters.worth(one, their) - 1e-3
        if known >= set(our.split()):  # others it cannot write
            equal.append(our == their)
    assert len(equal) > 10 and np.mean(equal) >= 0.9


@pytest.mark.parametrize("written", ["by hand", "by mynah lm"])
def test_kenlm_reads_the_same_probabilities(written, tmp_path):
    arpa = tmp_path / "words.arpa"
    if written == "by hand":
        arpa.write_text(BY_HAND, encoding="utf-8")
    else:
        (tmp_path / "text.txt").write_text("\n".join(SENTENCES), encoding="utf-8")
        assert lm.main([str(tmp_path / "text.txt"), "--to", str(arpa)]) == 0
    ours = WordNgrams(ArpaModel.read(arpa))
    dictionary = Dictionary()
    for word in ours.vocabulary:
        dictionary.add_entry(word)
    kenlm = KenLM(str(arpa), dictionary)
    for sentence in itertools.product(ours.vocabulary, repeat=3):
        history, state = ours.start, kenlm.start(False)
        for word in sentence:
            state, right = kenlm.score(state, dictionary.get_index(word))
            assert ours.log_word(history, word) / math.log(10) == pytest.approx(right, abs=1e-5)
            history = ours.after(history, word)
        _, right = kenlm.finish(state)
        assert ours.log_word(history, SENTENCE_END) / math.log(10) == pytest.approx(right, abs=1e-5)
