"""The beam of transducers against all alignments, one by one, and against greedy decoding."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from test_transducer_loss import enumerated
from tiers import fast_where
from tiny_models import TEXTS, make_talkative, tiny
from torch import nn
from transcripts import transcribed

from mynah import console
from mynah.config.schema import TransducerConfig
from mynah.errors import UserError
from mynah.models import registry
from mynah.models.fusion import kneser_ney
from mynah.models.fusion.hot_words import HotWords
from mynah.models.fusion.scorer import WordScorer
from mynah.models.fusion.word_ngrams import SENTENCE_END, WordNgrams
from mynah.models.transcript import Clip
from mynah.models.transducer import decoding, next_steps
from mynah.models.transducer.beam_search import search

BLANK = 0
LETTERS = {1: "c", 2: "a", 3: "t", 4: " "}
WIDE = 100_000
MOST = 3  # labels at one frame
NGRAMS = WordNgrams(kneser_ney.estimate_ngrams(["a cat", "at a cat", "act"]))


class TinyTransducer(nn.Module):
    """Networks with the layers and calls of transformers' transducers, and random weights."""

    def __init__(self, seed, durations=(), labels=5, sharpness=1.0):
        super().__init__()
        torch.manual_seed(seed)
        width = 6
        self.durations = durations
        self.decoder = nn.Module()
        self.decoder.embedding = nn.Embedding(labels, width)
        self.decoder.lstm = nn.LSTM(width, width, 1, batch_first=True)
        self.decoder.decoder_projector = nn.Linear(width, width)
        self.head = nn.Linear(width, labels + len(durations))
        with torch.no_grad():
            self.decoder.decoder_projector.weight.mul_(3.0)
            self.head.weight.normal_(std=sharpness)
        self.double()

    def joint(self, encoder_hidden_states, decoder_hidden_states):
        return self.head(torch.relu(encoder_hidden_states + decoder_hidden_states))

    def encoded(self, *frames):
        """Random frames of utterances, [batch, time, 6], and how many each has."""
        values = torch.randn(len(frames), max(frames), 6, dtype=torch.float64)
        return values, torch.tensor(frames)

    def logits(self, encoded, labels):
        """[time, labels + 1, vocabulary + durations]: of all frames after all labels."""
        said = torch.tensor([[BLANK, *labels]])
        hidden, _ = self.decoder.lstm(self.decoder.embedding(said))
        predicted = self.decoder.decoder_projector(hidden)[0]
        return self.joint(encoded[:, None], predicted[None])


def decoded(model, encoded, frames, **settings):
    settings = {"beam_size": WIDE, "max_symbols": MOST, **settings}
    with torch.no_grad():
        return search(model, encoded, frames, blank=BLANK, durations=model.durations, **settings)


def probability(model, encoded, labels):
    """Of labels, by all their alignments one by one, as greedy decoding steps over frames.

    A label may last to the end of the clip, and a blank that lasts no frame lasts one.
    """
    logits = model.logits(encoded, labels)
    count = logits.shape[-1] - len(model.durations)
    tokens = logits[..., :count].softmax(-1).tolist()
    lasting = logits[..., count:].softmax(-1).tolist()

    def total(time, said):
        if time >= len(encoded):
            return float(said == len(labels))
        found = 0.0
        for duration, share in zip(model.durations, lasting[time][said], strict=True):
            here = tokens[time][said]
            found += here[BLANK] * share * total(time + max(duration, 1), said)
            if said < len(labels):
                found += here[labels[said]] * share * total(time + duration, said + 1)
        return found

    return total(0, 0)


def every_sequence(most, labels=3):
    return itertools.chain.from_iterable(
        itertools.product(range(1, labels + 1), repeat=length) for length in range(most + 1)
    )


@pytest.fixture
def every_label(monkeypatch):
    """However unlikely a label is, it joins."""
    monkeypatch.setattr(next_steps, "_LEAST_LOG_PROBABILITY", -math.inf)


@pytest.mark.parametrize("seed", range(3))
def test_a_wide_beam_sums_all_alignments_of_an_rnnt(seed, every_label):
    model = TinyTransducer(seed, labels=4)
    encoded, frames = model.encoded(1, 2)
    found = decoded(model, encoded, frames)
    for row, length in enumerate(frames.tolist()):
        sums = {one.path.tokens: one.path.log_probability for one in found[row]}
        for labels in every_sequence(MOST - 1):
            right = -enumerated(model.logits(encoded[row, :length], labels), list(labels))
            assert sums[labels] == pytest.approx(right, rel=1e-9)
        best = found[row][0]
        assert best.worth == 0.0 and best.score == max(sums.values())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("durations", [(0, 1, 2), (1, 2)])
def test_a_wide_beam_sums_all_alignments_of_a_tdt(seed, durations, every_label):
    model = TinyTransducer(seed, durations, labels=4)
    encoded, frames = model.encoded(2, 1) if 0 in durations else model.encoded(4, 3)
    found = decoded(model, encoded, frames)
    for row, length in enumerate(frames.tolist()):
        sums = {one.path.tokens: one.path.log_probability for one in found[row]}
        reached = [labels for labels in every_sequence(MOST - 1) if labels in sums]
        assert len(reached) > length
        for labels in reached:
            right = probability(model, encoded[row, :length], labels)
            assert math.exp(sums[labels]) == pytest.approx(right, rel=1e-9)
    if 0 not in durations:  # no label is without a frame, so that these are all there are
        assert sum(map(math.exp, sums.values())) == pytest.approx(1.0)


def language_worth(labels, weight, bonus, hot):
    """Of labels, by their words alone."""
    words = "".join(LETTERS[label] for label in labels).split()
    history, worth = NGRAMS.start, 0.0
    for word in [*words, SENTENCE_END]:
        worth += weight * NGRAMS.log_word(history, word)
        history = NGRAMS.after(history, word)
    return worth + bonus * len(words) + sum(len(word) for word in words if word in hot)


@pytest.mark.parametrize("durations", [(), (0, 1, 2)])
@pytest.mark.parametrize(("weight", "bonus"), [(0.7, 0.0), (0.4, 1.5)])
def test_with_a_language_model_and_hot_words_the_best_of_all_is_found(durations, weight, bonus):
    differs, few = 0, {"max_symbols": 2}
    for seed in range(4):
        model = TinyTransducer(seed, durations)
        encoded, frames = model.encoded(2)
        plain = {one.path.tokens: one for one in decoded(model, encoded, frames, **few)[0]}
        right = {
            labels: one.path.log_probability + language_worth(labels, weight, bonus, {"at", "a"})
            for labels, one in plain.items()
        }
        hot = HotWords(["at", "a"], 1.0)
        scorer = WordScorer(NGRAMS, LETTERS, weight=weight, word_bonus=bonus, hot=hot)
        (found,) = decoded(model, encoded, frames, scorer=scorer, **few)
        assert found[0].path.tokens == max(right, key=right.get)
        for one in found:
            assert one.score == pytest.approx(right[one.path.tokens], rel=1e-9)
        differs += found[0].path.tokens != max(plain, key=lambda one: plain[one].score)
    assert differs


@pytest.mark.parametrize("durations", [(), (0, 1, 2)])
def test_what_the_model_knows_of_labels_without_sound_is_divided_out(durations):
    model = TinyTransducer(1, durations)
    encoded, frames = model.encoded(2)
    plain = {one.path.tokens: one for one in decoded(model, encoded, frames, max_symbols=2)[0]}
    (found,) = decoded(model, encoded, frames, max_symbols=2, internal_weight=0.4)

    def own(labels):
        with torch.no_grad():
            scores = model.logits(torch.zeros(1, 6, dtype=torch.float64), labels)[0, :, 1:5]
        each = scores.log_softmax(-1)[range(len(labels)), [label - 1 for label in labels]]
        return each.sum().item()

    right = {labels: one.path.log_probability - 0.4 * own(labels) for labels, one in plain.items()}
    assert found[0].path.tokens == max(right, key=right.get)
    for one in found:
        assert one.score == pytest.approx(right[one.path.tokens], rel=1e-9)
        assert one.path.log_probability == pytest.approx(
            plain[one.path.tokens].path.log_probability
        )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("durations", [(), (0, 1, 2), (1, 3)])
def test_a_beam_of_one_is_greedy(seed, durations):
    model = TinyTransducer(seed, durations, labels=9, sharpness=3.0)
    with torch.no_grad():
        # One duration is as good as certain: else the likeliest pair of a label and a duration is
        # not that of the likeliest label and the likeliest duration.
        model.head.weight[9:] *= 100
        model.head.bias[9:] *= 100
    encoded, frames = model.encoded(9, 14, 1, 12)
    found = decoded(model, encoded, frames, beam_size=1)
    with torch.no_grad():
        paths = decoding.greedy(
            model, encoded, frames, blank=BLANK, durations=durations, max_symbols=MOST
        )
    assert [one.path.tokens for (one,) in found] == [path.tokens for path in paths]
    assert [one.path.spans for (one,) in found] == [path.spans for path in paths]
    assert any(len(path.tokens) > 3 for path in paths)
    for (one,), path in zip(found, paths, strict=True):
        assert one.path.token_log_probabilities == pytest.approx(
            path.token_log_probabilities, abs=1e-5
        )


@pytest.mark.parametrize("durations", [(), (0, 1, 2)])
def test_hypotheses_do_not_depend_on_the_batch_and_a_wider_beam_is_at_least_as_good(durations):
    model = TinyTransducer(7, durations, labels=9, sharpness=2.0)
    encoded, frames = model.encoded(9, 14, 0, 12)
    together = decoded(model, encoded, frames, beam_size=4)
    assert [one.path.tokens for one in together[2]] == [()]
    for row, length in enumerate(frames.tolist()):
        (alone,) = decoded(model, encoded[[row], : max(length, 1)], frames[[row]], beam_size=4)
        assert [one.path.tokens for one in alone] == [one.path.tokens for one in together[row]]
        assert len(alone) <= 4 or len({one.path.tokens for one in alone}) == len(alone)
        (wide,) = decoded(model, encoded[[row], : max(length, 1)], frames[[row]], beam_size=64)
        assert wide[0].score >= alone[0].score - 1e-9


def test_labels_that_no_transcript_has_are_never_written():
    model = TinyTransducer(3, labels=9, sharpness=2.0)
    encoded, frames = model.encoded(12)
    (found,) = decoded(model, encoded, frames, beam_size=4, written=[2, 5])
    assert found[0].path.tokens and set(found[0].path.tokens) <= {2, 5}


def test_a_model_that_writes_labels_for_ever_comes_to_an_end():
    model = TinyTransducer(0, labels=5)
    with torch.no_grad():
        model.head.bias[BLANK] = -100.0
    encoded, frames = model.encoded(4)
    (found,) = decoded(model, encoded, frames, beam_size=3)
    assert len(found[0].path.tokens) == 4 * MOST


# A model


KINDS = {"rnnt": 0, "tdt": 3}


def build(kind, **options):
    torch.manual_seed(0)
    sizes = TransducerConfig(hidden_size=24, max_duration=KINDS[kind])
    config = tiny(family="transducer", transducer=sizes, **options)
    return registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)


@pytest.fixture
def domain(tmp_path):
    """Text in a file that is gone once a checkpoint is loaded."""
    (tmp_path / "domain.txt").write_text("\n".join(TEXTS))
    return tmp_path / "domain.txt"


@pytest.mark.parametrize("kind", fast_where(lambda kind: kind == "tdt", KINDS))
def test_n_grams_of_a_file_join_and_are_saved(kind, clips, domain, tmp_path):
    settings = tiny(language_model=str(domain), beam_size=4)
    family = make_talkative(build(kind), clips)
    greedy = transcribed(family, clips)
    family.configure_decoding(settings)
    name = "TDT" if kind == "tdt" else "RNN-T"
    assert family.describe_decoding() == (
        f"{name} beam search with word n-grams of domain.txt (weight 0.2, internal 0.3, beam 4)"
    )
    texts = transcribed(family, clips)
    assert texts != greedy
    assert texts == [transcribed(family, [clip])[0] for clip in clips]
    assert family.transcribe([Clip(clips[0])])[0].log_probability is None
    family.save(tmp_path / "model")
    domain.unlink()
    loaded = registry.load_family(tmp_path / "model")
    assert loaded.describe_decoding() == family.describe_decoding()
    loaded.configure_decoding(settings)
    assert transcribed(loaded, clips) == texts
    loaded.configure_decoding(tiny())
    assert transcribed(loaded, clips) == greedy and "greedy" in loaded.describe_decoding()


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_is_written_with_hot_words_and_not_without(kind, clips, tmp_path):
    family = make_talkative(build(kind, tokenizer="character"), clips)
    greedy = transcribed(family, clips)
    row, word = max(enumerate(greedy), key=lambda one: len(one[1].split()[0]))
    name = word.split()[0][:-1]  # all but the last letter of a word that is written
    names = tmp_path / "names.txt"
    names.write_text(f"москва\n{name}\n" + "a" * 10_000, encoding="utf-8")
    family.configure_decoding(tiny(context_file=str(names), context_weight=20.0))
    assert "1 hot words" in family.describe_decoding()
    favoured = transcribed(family, clips)
    assert name in favoured[row].split() and name not in greedy[row].split()
    family.configure_decoding(tiny())
    assert transcribed(family, clips) == greedy


def test_words_of_a_tdt_have_times_by_the_beam_too(clips, tmp_path):
    family = make_talkative(build("tdt", tokenizer="character"), clips)
    (plain,) = family.transcribe([Clip(clips[0])])
    (tmp_path / "names.txt").write_text(TEXTS[0].split()[0])
    settings = tiny(context_file=str(tmp_path / "names.txt"), context_weight=0.0, beam_size=1)
    family.configure_decoding(settings)
    (found,) = family.transcribe([Clip(clips[0])])
    assert found.words and " ".join(word.text for word in found.words) == found.text
    assert found.words[0].start_seconds == plain.words[0].start_seconds


def test_words_of_the_training_stay_with_ctc(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(console, "notice", said.append)
    build("rnnt", language_model="words").save(tmp_path)  # as model=small has it
    loaded = registry.load_family(tmp_path)
    loaded.configure_decoding(tiny(family="transducer", language_model="words"))
    assert said == [] and "greedy" in loaded.describe_decoding()
    loaded.configure_decoding(tiny(language_model="words"))
    assert "has no effect" in said[0] and "greedy" in loaded.describe_decoding()


@pytest.mark.parametrize(
    ("content", "said"), [("\\data\\\nngram 1=2\n", "cut short"), (None, "cannot be read|No such")]
)
def test_a_language_model_that_is_damaged_is_refused(content, said, tmp_path):
    path = tmp_path / "domain.arpa"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=said):
        build("rnnt").configure_decoding(tiny(language_model=str(path)))
