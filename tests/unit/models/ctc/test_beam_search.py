import itertools
import pickle

import numpy as np
import pytest
import torch
from plain_beam_search import search as plain_search
from tiny_models import TEXTS, tiny
from transcripts import transcribed

from mynah.errors import UserError
from mynah.models import registry
from mynah.models.ctc.beam_search import search
from mynah.models.fusion import kneser_ney
from mynah.models.fusion.hot_words import HotWords
from mynah.models.fusion.scorer import WordScorer
from mynah.models.fusion.word_ngrams import SENTENCE_END, WordNgrams
from mynah.models.text.tokenizers import pieces_of

LETTERS = "cat sodgue"  # labels 1 and up; 0 is the blank
SPELLINGS = dict(enumerate(LETTERS, start=1))
NGRAMS = WordNgrams(
    kneser_ney.estimate_ngrams(
        ["a cat sat", "the cat sat", "dogs eat", "a goose sat", "a cat eats"]
    )
)


def draw(seed, frames, labels, sharpness=2.0):
    """Random log probabilities, float64 [frames, labels]."""
    logits = sharpness * np.random.default_rng(seed).standard_normal((frames, labels))
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def draw_letters(seed):
    return draw(seed, 40, len(LETTERS) + 1)


def every_transcript(log_probabilities, blank=0):
    """Probability of each label sequence, summed over all alignments one by one."""
    frames, labels = log_probabilities.shape
    found = {}
    for path in itertools.product(range(labels), repeat=frames):
        said = tuple(label for label, _ in itertools.groupby(path) if label != blank)
        share = np.exp(sum(log_probabilities[t, label] for t, label in enumerate(path)))
        found[said] = found.get(said, 0.0) + share
    return found


def encoded(text, confusions=None, frames_a_letter=2):
    """Log probabilities of a text that is clearly said but for ``confusions``.

    Args:
        text: What is said.
        confusions: For a position, letters with their probabilities.
        frames_a_letter: The letter's own and blanks after it.
    """
    rows = []
    for position, letter in enumerate(text):
        row = np.full(len(LETTERS) + 1, 1e-4)
        for other, share in ((confusions or {}).get(position) or {letter: 0.99}).items():
            row[LETTERS.index(other) + 1] = share
        blank = np.full(len(LETTERS) + 1, 1e-4)
        blank[0] = 0.99
        rows += [row, *[blank] * (frames_a_letter - 1)]
    return np.log(np.array(rows) / np.sum(rows, axis=-1, keepdims=True))


def written(labels):
    return "".join(SPELLINGS[label] for label in labels)


def scorer(weight=0.7, word_bonus=0.0):
    return WordScorer(NGRAMS, SPELLINGS, weight=weight, word_bonus=word_bonus)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(("frames", "labels"), [(1, 3), (4, 3), (5, 4), (6, 3)])
def test_a_wide_beam_finds_the_likeliest_of_all_transcripts(seed, frames, labels):
    log_probabilities = draw(seed, frames, labels)
    truth = every_transcript(log_probabilities)
    found = search(log_probabilities, blank=0, beam_size=10_000)
    assert truth[tuple(found)] == pytest.approx(max(truth.values()), rel=1e-12)


def language_worth(labels, weight, word_bonus):
    """Of a full transcript, by its words alone."""
    words = written(labels).split()
    history, worth = NGRAMS.start, 0.0
    for word in [*words, SENTENCE_END]:
        worth += weight * NGRAMS.log_word(history, word)
        history = NGRAMS.after(history, word)
    return worth + word_bonus * len(words)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("weight", "word_bonus"), [(0.7, 0.0), (0.4, 1.5), (1.0, -1.0)])
def test_with_a_language_model_the_best_of_all_transcripts_is_found(seed, weight, word_bonus):
    log_probabilities = draw(seed, 5, 5)  # the labels c, a, t and the space
    truth = {
        said: np.log(share) + language_worth(said, weight, word_bonus)
        for said, share in every_transcript(log_probabilities).items()
    }
    found = search(log_probabilities, blank=0, beam_size=10_000, scorer=scorer(weight, word_bonus))
    assert truth[tuple(found)] == pytest.approx(max(truth.values()), rel=1e-9)


@pytest.mark.parametrize("word_bonus", [-1.0, 0.0, 2.0])
def test_steps_add_up_to_the_words_of_the_transcript(word_bonus):
    model = scorer(0.6, word_bonus)
    for text in ["a cat sat", "a", "", " a  cat", "dog goose "]:
        labels = [LETTERS.index(letter) + 1 for letter in text]
        state, worth = model.start(), 0.0
        for label in labels:
            state, step = model.step(state, label)
            assert step <= model.most + 1e-12
            worth += step
        worth += model.finish(state)
        assert worth == pytest.approx(language_worth(labels, 0.6, word_bonus))


@pytest.mark.parametrize("seed", range(8))
def test_a_narrow_beam_is_the_same_where_the_model_is_asked_of_every_step(seed):
    log_probabilities = draw(seed, 30, len(LETTERS) + 1, sharpness=1.0)
    sparing, thorough = scorer(0.7, 2.0), scorer(0.7, 2.0)
    thorough.most = 1e9
    found = search(log_probabilities, blank=0, beam_size=4, scorer=sparing)
    assert found == search(log_probabilities, blank=0, beam_size=4, scorer=thorough)


def peaky(seed, frames=60):
    """Log probabilities as a trained model has them: blanks, now and then one letter or two,
    float32 [frames, labels]."""
    generator = np.random.default_rng(seed)
    logits = 1.5 * generator.standard_normal((frames, len(LETTERS) + 1))
    logits[:, 0] += 6.0
    for frame in np.flatnonzero(generator.random(frames) < 0.4):
        logits[frame, generator.integers(1, len(LETTERS) + 1)] += generator.choice([6, 8, 10])
        logits[frame, 0] -= generator.choice([0, 4, 8])
    logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
    return logits.astype(np.float32)


@pytest.mark.parametrize("drawn", [draw_letters, peaky])
@pytest.mark.parametrize("beam_size", [1, 5, 12])
@pytest.mark.parametrize("joined", ["nothing", "words", "bonus", "hot words", "all"])
def test_nothing_is_lost_by_leaving_out_what_cannot_win(drawn, beam_size, joined):
    hot = HotWords(["cat", "dog e", "goose"], 1.5) if joined in ("hot words", "all") else None
    ngrams = NGRAMS if joined in ("words", "bonus", "all") else None
    bonus = 1.5 if joined in ("bonus", "all") else 0.0
    joins = WordScorer(ngrams, SPELLINGS, weight=0.7, word_bonus=bonus, hot=hot)
    for seed in range(4):
        options = {"blank": 0, "beam_size": beam_size, "written": range(1, len(LETTERS))}
        options["scorer"] = None if joined == "nothing" else joins
        spoken = drawn(seed)
        assert search(spoken, **options) == plain_search(spoken, **options)


@pytest.mark.parametrize("seed", range(6))
def test_a_window_leaves_out_what_is_far_from_the_best(seed):
    options = {"blank": 0, "beam_size": 12, "scorer": scorer()}
    spoken = peaky(seed)
    assert search(spoken, window=12.0, **options) == search(spoken, **options)
    narrow = {"blank": 0, "beam_size": 12, "window": 0.0}
    assert search(spoken, **narrow) == plain_search(spoken, blank=0, beam_size=1)


def test_probabilities_of_long_recordings_do_not_vanish():
    spoken = draw(0, 2000, len(LETTERS) + 1, sharpness=0.3)  # each frame costs about 2 nats
    options = {"blank": 0, "beam_size": 3}
    assert search(spoken, **options) == plain_search(spoken, **options)


def test_what_is_misheard_is_corrected_by_the_words_around_it():
    unclear = {3: {"u": 0.5, "a": 0.4}}
    log_probabilities = encoded("a cat sat", unclear)
    assert written(search(log_probabilities, blank=0, beam_size=8)) == "a cut sat"
    found = search(log_probabilities, blank=0, beam_size=8, scorer=scorer())
    assert written(found) == "a cat sat"


def test_a_word_that_no_transcript_has_is_written_where_it_is_clearly_said():
    found = search(encoded("a duet sat"), blank=0, beam_size=8, scorer=scorer())
    assert written(found) == "a duet sat"


def test_equal_letters_are_parted_by_a_blank_alone():
    goose = encoded("goose")
    assert written(search(goose, blank=0, beam_size=8)) == "goose"
    without = np.delete(goose, [3], axis=0)  # the blank between the two
    assert written(search(without, blank=0, beam_size=8)) == "gose"


def test_labels_that_no_transcript_has_are_never_written():
    log_probabilities = draw(0, 20, 6)
    found = search(log_probabilities, blank=0, beam_size=8, written=[1, 3, 5])
    assert found and set(found) <= {1, 3, 5}


@pytest.mark.parametrize("frames", [0, 3000])
def test_nothing_and_much_can_be_searched(frames):
    found = search(draw(1, frames, 5), blank=0, beam_size=4, scorer=scorer())
    assert bool(found) == bool(frames)


@pytest.fixture(scope="module", params=["character", "bpe"])
def family(request):
    """A model whose transcripts of noise are long, with a language model of words."""
    torch.manual_seed(0)
    config = tiny(tokenizer=request.param, language_model="words")
    family = registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)
    with torch.no_grad():
        family.model.ctc_head.weight.normal_(std=3.0)
        family.model.ctc_head.bias[family.blank] = -100.0
    return family


def test_a_language_model_decodes_words_of_the_corpus(family, clips):
    texts = transcribed(family, clips)
    family.configure_decoding(tiny(language_model="none"))
    greedy = transcribed(family, clips)
    family.configure_decoding(tiny(language_model="words"))
    assert transcribed(family, clips) == texts != greedy


def test_a_transcript_by_words_does_not_depend_on_the_batch(family, clips):
    together = transcribed(family, clips)
    assert together == [transcribed(family, [clip])[0] for clip in clips]
    assert together[::-1] == transcribed(family, clips[::-1])


def test_a_saved_model_decodes_as_it_was_set(family, clips, tmp_path):
    family.configure_decoding(
        tiny(language_model="words", language_model_weight=2.0, word_bonus=-1.0, beam_size=5)
    )
    family.save(tmp_path)
    loaded = registry.load_family(tmp_path)
    assert transcribed(loaded, clips) == transcribed(family, clips)
    family.configure_decoding(tiny(language_model="words"))
    assert transcribed(loaded, clips) != transcribed(family, clips)


def test_a_model_without_a_language_model_cannot_be_set_to_use_one(tmp_path):
    family = registry.build(tiny(), texts=TEXTS, sample_rate=16000, offline=True)
    family.save(tmp_path)
    with pytest.raises(UserError, match="without a language model"):
        registry.load_family(tmp_path).configure_decoding(tiny(language_model="words"))


def test_workers_get_no_language_model(family, clips):
    transcribed(family, clips)
    worker = pickle.loads(pickle.dumps(family))
    np.testing.assert_array_equal(worker.features(clips[0]), family.features(clips[0]))
    assert len(pickle.dumps(family)) < 100_000


def test_labels_have_the_characters_that_the_tokenizer_decodes(family):
    written = pieces_of(family.tokenizer)
    for text in TEXTS[:5]:
        assert "".join(written[label] for label in family.labels(text)).strip() == text
    assert family.blank not in written
