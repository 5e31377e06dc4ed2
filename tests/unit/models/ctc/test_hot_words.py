"""Hot words in the beam: what letters are worth, by enumeration and by hand, and odd lists."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from test_beam_search import LETTERS, SPELLINGS, draw, encoded, every_transcript, written
from test_beam_search import scorer as with_ngrams
from tiny_models import TEXTS, tiny
from transcripts import transcribed

from mynah import console
from mynah.errors import UserError
from mynah.models import registry
from mynah.models.ctc.beam_search import search
from mynah.models.fusion.hot_words import BEGIN, HotWords, read_phrases
from mynah.models.fusion.scorer import WordScorer

WEIGHT = 1.5


def scorer(*phrases, weight=WEIGHT):
    return WordScorer(None, SPELLINGS, weight=0.0, word_bonus=0.0, hot=HotWords(phrases, weight))


def worth(hot, text):
    """The steps of a text, one by one, and its end."""
    progress, total = BEGIN, 0.0
    for letter in text:
        progress, gained = hot.step(progress, letter)
        total += gained
    return total + hot.finish(progress)


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("cat", 3), ("a cat sat", 3), ("cats", 0), ("tomcat", 0), ("ca", 0), ("cat cat", 6),
        (" cat", 3), ("new york", 8), ("new yo", 0), ("new cat", 3), ("the new york cat", 11),
        ("new new york", 8), ("york", 0), ("san", 3), ("san jose", 8), ("san j", 3), ("", 0),
        ("cat  cat", 6), ("san cat", 6),
    ],
)  # fmt: skip
def test_each_letter_of_a_full_word_or_phrase_counts_once(text, letters):
    hot = HotWords(["cat", "new york", "san", "san jose"], WEIGHT)
    assert worth(hot, text) == pytest.approx(WEIGHT * letters)


@pytest.mark.parametrize("seed", range(8))
def test_a_wide_beam_finds_the_best_of_all_transcripts(seed):
    log_probabilities = draw(seed, 6, 5)  # the labels c, a, t and the space
    hot = {"cat", "at"}
    truth = {
        said: np.log(share)
        + WEIGHT * sum(len(word) for word in written(said).split() if word in hot)
        for said, share in every_transcript(log_probabilities).items()
    }
    found = search(log_probabilities, blank=0, beam_size=10_000, scorer=scorer(*hot))
    assert truth[tuple(found)] == pytest.approx(max(truth.values()), rel=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_a_narrow_beam_is_the_same_where_every_step_is_looked_at(seed):
    log_probabilities = draw(seed, 30, len(LETTERS) + 1, sharpness=1.0)
    sparing, thorough = scorer("cat", "dog e"), scorer("cat", "dog e")
    thorough.most = 1e9
    found = search(log_probabilities, blank=0, beam_size=4, scorer=sparing)
    assert found == search(log_probabilities, blank=0, beam_size=4, scorer=thorough)


def test_an_unclear_name_is_written_as_listed_and_what_is_clear_stays():
    unclear = {2: {"u": 0.6, "o": 0.3}, 3: {"d": 0.5, "g": 0.4}}  # "a dog sat", hardly
    log_probabilities = encoded("a dog sat", {3: unclear[2], 4: unclear[3]})
    assert written(search(log_probabilities, blank=0, beam_size=8)) == "a dud sat"
    found = search(log_probabilities, blank=0, beam_size=8, scorer=scorer("dog"))
    assert written(found) == "a dog sat"
    clear = encoded("a cat sat")
    found = search(clear, blank=0, beam_size=8, scorer=scorer("dog", "cut", "sad"))
    assert written(found) == "a cat sat"


def test_hot_words_join_n_grams():
    unclear = encoded("a cat sat", {3: {"u": 0.5, "a": 0.4}})
    plain, hot = with_ngrams(), with_ngrams()
    hot = WordScorer(
        plain._ngrams, SPELLINGS, weight=0.7, word_bonus=0.0, hot=HotWords(["cut"], 6.0)
    )
    assert written(search(unclear, blank=0, beam_size=8, scorer=plain)) == "a cat sat"
    assert written(search(unclear, blank=0, beam_size=8, scorer=hot)) == "a cut sat"


# Lists


@pytest.fixture
def notices(monkeypatch):
    said = []
    monkeypatch.setattr(console, "notice", said.append)
    return said


def phrases(path, letters=LETTERS):
    return read_phrases(path, written_as=str.lower, writes=set(f"{letters} ").issuperset)


def test_a_list_is_read_a_phrase_a_line_in_the_models_case(tmp_path, notices):
    path = tmp_path / "names.txt"
    path.write_text("# names\nCat\n\n  sad   Dog \ndogs\r\n", encoding="utf-8-sig")
    assert phrases(path) == ["cat", "sad dog", "dogs"] and notices == []


def test_what_cannot_be_written_is_said_and_left_out(tmp_path, notices):
    path = tmp_path / "names.txt"
    path.write_text("cat\nмосква\nzebra\n" + "a" * 10_000 + "\n")
    assert phrases(path) == ["cat"]
    assert "3 of 4 words in names.txt cannot be written" in notices[0]
    assert "москва, zebra" in notices[0] and len(notices[0]) < 300


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("москва\nкиев\n".encode(), "None of the 2 word(s) can be written"),
        (b"\n# nothing\n", "has no word"),
        (b"caf\xe9\n", "not text in UTF-8"),
        (None, "cannot be read"),
    ],
)
def test_a_list_that_is_of_no_use_is_refused(tmp_path, content, said):
    path = tmp_path / "names.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        phrases(path)
    assert said in caught.value.what and str(path) in caught.value.where


@pytest.mark.long  # a large list
def test_a_hundred_thousand_words_are_searched_about_as_fast_as_one():
    generator = np.random.default_rng(0)
    many = {"".join(generator.choice(list("catsodgue"), 9)) for _ in range(100_000)}
    log_probabilities = draw(1, 200, len(LETTERS) + 1)
    seconds = {}
    for name, listed in (("one", ["cat"]), ("many", many)):
        model = scorer(*listed)
        began = time.perf_counter()
        search(log_probabilities, blank=0, beam_size=12, scorer=model)
        seconds[name] = time.perf_counter() - began
    assert seconds["many"] < 10 * seconds["one"] + 0.5


# A model


def test_a_model_decodes_with_a_list_and_says_so(tmp_path, clips):
    torch.manual_seed(0)
    family = registry.build(
        tiny(tokenizer="character"), texts=TEXTS, sample_rate=16000, offline=True
    )
    greedy = transcribed(family, clips)
    name = greedy[0].split()[0][:-1]  # all but the last letter of a word that is written
    names = tmp_path / "names.txt"
    names.write_text(f"москва\n{name}\n")
    family.configure_decoding(tiny(context_file=str(names), context_weight=0.0))
    assert family.describe_decoding() == (
        "CTC beam search with 1 hot words (beam 12, 0 a letter of a hot word)"
    )
    family.configure_decoding(tiny(context_file=str(names), context_weight=20.0))
    favoured = transcribed(family, clips)
    assert name in favoured[0].split() and name not in greedy[0].split()
    family.save(tmp_path)
    assert not (tmp_path / "language_model.json").exists()
    family.configure_decoding(tiny())
    assert transcribed(family, clips) == greedy
