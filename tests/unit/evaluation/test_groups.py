"""Error rates by anything, against counts by hand and jackknives by a loop."""

from __future__ import annotations

import json
import math
import random

import numpy as np
import pytest
from evaluation_fakes import FakeCorpus, evaluation_of
from scipy import stats

from mynah.evaluation.findings.confusions import systematic
from mynah.evaluation.findings.findings import findings
from mynah.evaluation.findings.training_words import TrainingWords, words_of
from mynah.evaluation.groups.rates import all_groups
from mynah.evaluation.groups.ways import ways
from mynah.evaluation.hypothesis import Hypothesis

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "call", "the", "light", "on", "off"]


def made(count: int = 240, speakers: int = 8) -> tuple[FakeCorpus, list[str], np.ndarray]:
    """A corpus, what is recognized, and the wrong words of each utterance."""
    chance = random.Random(0)
    said = [[chance.choice(WORDS) for _ in range(chance.randint(3, 9))] for _ in range(count)]
    wrong = [[chance.random() < 0.15 for _ in words] for words in said]
    recognized = [
        " ".join("x" if bad else word for word, bad in zip(words, flags, strict=True))
        for words, flags in zip(said, wrong, strict=True)
    ]
    corpus = FakeCorpus(
        [" ".join(words) for words in said],
        speakers=[f"s{row % speakers}" for row in range(count)],
        columns=[
            json.dumps({"gender": "fm"[row % 2], "age": str(20 + row % 30), "uid": f"u{row}"})
            for row in range(count)
        ],
        durations=np.linspace(1, 12, count),
    )
    return corpus, recognized, np.array([sum(flags) for flags in wrong])


def test_rates_by_speaker_and_column_are_those_of_their_utterances():
    corpus, recognized, errors = made()
    evaluation = evaluation_of(corpus, recognized)
    found = all_groups(evaluation.hypotheses, evaluation.scores)
    by = {way.name: {one.name: one for one in way.groups} for way in found.ways}
    assert found.not_groups == ["uid"]
    words = np.array([len(text.split()) for text in corpus.texts])
    genders = np.array([json.loads(held)["gender"] for held in corpus.columns])
    for name, labels in (("speaker", np.array(corpus.speakers)), ("gender", genders)):
        assert set(by[name]) == set(labels)
        for label, group in by[name].items():
            inside = labels == label
            assert group.utterances == inside.sum() and group.words == words[inside].sum()
            assert group.first.value == pytest.approx(errors[inside].sum() / words[inside].sum())
    worst = [one.first.value for way in found.ways if way.name == "speaker" for one in way.groups]
    assert worst == sorted(worst, reverse=True)
    for groups in by.values():
        assert sum(one.utterances for one in groups.values()) == 240


def test_an_interval_leaves_out_each_speaker_of_a_group_or_each_utterance_of_a_speaker():
    corpus, recognized, errors = made()
    evaluation = evaluation_of(corpus, recognized)
    found = all_groups(evaluation.hypotheses, evaluation.scores)
    by = {way.name: {one.name: one for one in way.groups} for way in found.ways}
    words = np.array([len(text.split()) for text in corpus.texts])
    speakers = np.array(corpus.speakers)
    genders = np.array([json.loads(held)["gender"] for held in corpus.columns])

    def interval(inside: np.ndarray, units: np.ndarray) -> tuple[float, float]:
        names = sorted(set(units[inside]))
        rates = []
        for name in names:
            kept = inside & (units != name)
            rates.append(errors[kept].sum() / words[kept].sum())
        count = len(names)
        error = math.sqrt((count - 1) / count * sum((r - np.mean(rates)) ** 2 for r in rates))
        half = stats.t.ppf(0.975, count - 1) * error
        value = errors[inside].sum() / words[inside].sum()
        return max(0.0, value - half), value + half

    female = by["gender"]["f"]
    assert (female.first.low, female.first.high) == pytest.approx(
        interval(genders == "f", speakers)
    )
    assert female.over == "4 speakers" and female.small  # fewer than five
    one = by["speaker"]["s3"]
    utterances = np.arange(240)
    assert (one.first.low, one.first.high) == pytest.approx(interval(speakers == "s3", utterances))
    assert one.over == "30 utterances" and not one.small


def test_ranges_of_measurements_stand_in_their_order_and_hold_what_lies_in_them():
    corpus, recognized, _ = made()
    evaluation = evaluation_of(corpus, recognized)
    found = {way.name: way for way in all_groups(evaluation.hypotheses, evaluation.scores).ways}
    durations = found["duration_seconds"]
    assert [one.name for one in durations.groups] == [
        *("under 2 s", "2 to 5 s", "5 to 10 s", "10 to 20 s")
    ]
    seconds = corpus.durations
    assert durations.groups[1].utterances == ((seconds >= 2) & (seconds < 5)).sum()
    ages = found["age"]  # thirty different numbers: ranges of about equally many
    assert ages.ranges and len(ages.groups) == 5
    assert min(one.utterances for one in ages.groups) >= 30
    assert "words_per_second" in found


def test_what_is_the_same_for_all_or_unknown_of_all_is_not_a_way():
    rows = [Hypothesis(f"u{n}", "a", "a", 1.0, "ann", language="en") for n in range(40)]
    assert ways(rows, [1] * 40).ways == []
    rows[0] = Hypothesis("u0", "a", "a", 0.0, None, language="")
    found = {way.name: list(way.labels) for way in ways(rows, [1] * 40).ways}
    assert found["speaker"] == ["ann", "(unknown)"]
    assert found["language"] == ["en", "(unknown)"]


def test_a_few_numbers_are_groups_of_their_own_in_their_order():
    rows = [
        Hypothesis(f"u{n}", "a", "a", 1.0, columns={"mos": ["2", "10", "1"][n % 3]})
        for n in range(9)
    ]
    (way,) = ways(rows, [1] * 9).ways
    assert list(way.labels) == ["1", "2", "10"] and not way.ranges


@pytest.mark.parametrize("column", [None, "speaker", "spk_id"])
def test_speakers_whose_ids_are_numbers_are_not_put_into_ranges(column):
    names = [str(number) for number in (1089, *range(1188, 1200), 61)]  # as LibriSpeech's
    rows = []
    for number, name in enumerate(names * 2):
        columns = {} if column is None else {column: name}
        rows.append(
            Hypothesis(f"u{number}", "a", "a", 1.0, None if columns else name, columns=columns)
        )
    (way,) = ways(rows, [1] * len(rows)).ways
    assert list(way.labels) == ["61", *names[:-1]] and not way.ranges
    assert [way.labels[code] for code in way.codes] == names * 2


def test_words_that_training_never_had_are_counted_apart():
    corpus = FakeCorpus(["the cat sat", "the dog sat", "zebra the cat"], speakers=["a", "b", "a"])
    evaluation = evaluation_of(corpus, ["the cat sat", "the fog sat down", "the cat"])
    import pyarrow as pa

    trained = words_of([pa.array(["the cat", None, "sat the"]), pa.array(["Cat sat."])])
    assert trained == {"the", "cat", "sat", "Cat", "sat."}
    words = TrainingWords(trained)
    found = findings(evaluation.hypotheses, evaluation.scores, trained_on=words).vocabulary
    assert (found.outside.words, found.outside.wrong) == (2, 2)  # dog, zebra
    assert (found.inside.words, found.inside.wrong) == (7, 0)  # "down" is inserted, and in neither
    assert [word for word, _, _ in found.most_missed] == ["dog", "zebra"]
    assert found.vocabulary == 3  # as they are compared


def test_a_confusion_matters_by_how_often_it_happens_to_the_word():
    said = ["berg"] * 4 + ["the day"] * 20
    recognized = ["burg"] * 4 + ["a day"] * 5 + ["the day"] * 15
    speakers = ["a", "b", "a", "b"] + ["c"] * 20
    rows = evaluation_of(FakeCorpus(said, speakers=speakers), recognized).scores.per_utterance
    found = systematic(rows, 10)
    assert [(one.said, one.recognized, one.count, one.of, one.speakers) for one in found] == [
        ("berg", "burg", 4, 4, 2),
        ("the", "a", 5, 20, 1),
    ]
