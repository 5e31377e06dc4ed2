"""What the report of a run finds beside its rates: the words of its training, terms, recordings."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from evaluation_fakes import FakeCorpus, evaluation_of

from mynah.config.schema import Config
from mynah.data.preparation.prepare import PreparedData
from mynah.data.signals.signal_facts import measure
from mynah.errors import UserError
from mynah.evaluation.findings.shown import show_findings
from mynah.evaluation.findings.training_words import MOST_NORMALIZED, words_trained_on
from mynah.evaluation.normalize import get_normalizer
from mynah.evaluation.run_report import findings_of, write_report
from mynah.evaluation.terms.listed import check_terms

SAID = ["call anna berg now", "turn the light on"]
RECOGNIZED = ["call hanna berg now", "turn the light on"]


class Trained:
    """As much of a training corpus as is asked for."""

    def __init__(self, texts=("Call now.", "turn the light on"), count: int | None = None) -> None:
        self.texts, self.count = texts, count or len(texts)

    def __len__(self) -> int:
        return self.count

    def arrays(self, column: str):
        assert column == "text"
        yield pa.array(self.texts)


@pytest.fixture
def evaluations():
    return {"test": evaluation_of(FakeCorpus(SAID), RECOGNIZED)}


def test_a_training_keeps_its_words_and_an_evaluation_of_its_checkpoint_finds_them(
    tmp_path, evaluations
):
    config, run = Config(), tmp_path / "run"
    checkpoint = run / "model" / "checkpoint-2"
    checkpoint.mkdir(parents=True)
    data = PreparedData(Trained(), {}, {}, {}, tmp_path)
    found = findings_of(config, run, evaluations, data, checkpoint)["test"].vocabulary
    assert (found.outside.words, found.outside.wrong) == (2, 1)  # anna berg
    words = {"Call", "now.", "turn", "the", "light", "on"}
    for place in (checkpoint, run / "model"):
        assert words_trained_on(place, get_normalizer("basic")).as_written == words
    alone = PreparedData(None, {}, {}, {}, tmp_path)
    again = findings_of(config, tmp_path / "other", evaluations, alone, checkpoint)[
        "test"
    ].vocabulary
    assert (again.outside.words, again.outside.wrong) == (2, 1)
    assert not (tmp_path / "other").exists()
    assert findings_of(config, run, evaluations, alone, None)["test"].vocabulary is None


def test_words_are_those_of_full_transcripts_for_a_normaliser_that_looks_at_several(
    tmp_path, capsys
):
    # On paper: "twenty five" is 25 in both, and training never had a 20 nor a 5.
    said = ["gate 25", "20 gates", "gate five"]
    evaluations = {
        "test": evaluation_of(FakeCorpus(said), ["gate 25", "gates", "gate"],
                              normalizer="whisper_english")
    }  # fmt: skip
    config, run = Config(), tmp_path / "run"
    config.evaluation.normalizer = "whisper_english"
    checkpoint = run / "model" / "checkpoint-2"
    checkpoint.mkdir(parents=True)
    train = Trained(("Gate twenty five", None, "the gates (and more"))
    data = PreparedData(train, {}, {}, {}, tmp_path)
    alone = PreparedData(None, {}, {}, {}, tmp_path)
    for prepared in (data, alone):
        found = findings_of(config, run, evaluations, prepared, checkpoint)["test"].vocabulary
        assert sorted(found.most_missed) == [("20", 1, 1), ("5", 1, 1)]
        assert (found.inside.words, found.inside.wrong) == (4, 0)
    # The same run by another that looks at several: its words were not kept.
    other = {"test": evaluation_of(FakeCorpus(said), said, normalizer="one_notation")}
    config.evaluation.normalizer = "one_notation"
    found = findings_of(config, run, other, alone, checkpoint)["test"]
    assert found.vocabulary is None and "not counted apart: one_notation@" in found.no_vocabulary
    # And of more transcripts than can be normalised in a few minutes.
    config.evaluation.normalizer = "whisper_english"
    many = PreparedData(Trained(train.texts, MOST_NORMALIZED + 1), {}, {}, {}, tmp_path)
    found = findings_of(config, tmp_path / "many", evaluations, many, None)
    assert found["test"].vocabulary is None
    show_findings(found)
    assert "of the training single words are kept" in capsys.readouterr().out
    config.evaluation.normalizer = "basic"
    basic = {"test": evaluation_of(FakeCorpus(said), said)}
    found = findings_of(config, tmp_path / "many", basic, many, None)["test"].vocabulary
    assert sorted(found.most_missed) == [("20", 1, 0), ("25", 1, 0)]


def test_words_and_terms_have_the_capitals_of_the_set_s_language(tmp_path):
    corpus = FakeCorpus(["IŞIK yandı", "IŞIK İçin", "Iris is here"])
    corpus.languages = ["tr", "tr", "en"]
    recognized = ["ışık yandı", "işik için", "iris is here"]
    # Turkish: I is ı, İ is i; English: I is i.
    (tmp_path / "terms.txt").write_text("IŞIK\nIris\nAnna\n", encoding="utf-8")
    config = Config()
    config.evaluation.terms = str(tmp_path / "terms.txt")
    data = PreparedData(Trained(("IŞIK İÇİN", "IRIS IS")), {}, {}, {}, tmp_path)
    found = findings_of(config, tmp_path, {"test": evaluation_of(corpus, recognized)}, data, None)[
        "test"
    ]
    assert sorted(found.vocabulary.most_missed) == [("here", 1, 0), ("yandı", 1, 0)]
    assert (found.vocabulary.inside.words, found.vocabulary.inside.wrong) == (5, 1)
    terms = {one.term: (one.said, one.found) for one in found.terms.terms}
    assert sorted(terms.values()) == [(0, 0), (1, 1), (2, 1)]
    assert found.terms.never_said == ["anna"]
    corpus = FakeCorpus(["IŞIK yandı"])
    corpus.languages = ["tr"]
    one = evaluation_of(corpus, ["ışık yandı"])
    found = findings_of(config, tmp_path, {"test": one}, data, None)["test"]
    assert {each.term: each.said for each in found.terms.terms} == {
        "ışık": 1, "ıris": 0, "anna": 0,
    }  # fmt: skip


def test_terms_are_counted_in_a_run_and_one_that_never_occurs_ends_nothing(tmp_path, evaluations):
    config = Config()
    file = tmp_path / "terms.txt"
    file.write_text("Anna Berg\nthe light\nZurich\n")
    config.evaluation.terms = str(file)
    data = PreparedData(None, {}, {}, {}, tmp_path)
    terms = findings_of(config, tmp_path, evaluations, data, None)["test"].terms
    assert terms.measures["term_recall"].value == 1 / 2
    assert terms.never_said == ["zurich"]
    file.write_text("Zurich\n")
    terms = findings_of(config, tmp_path, evaluations, data, None)["test"].terms
    assert terms.said == 0 and terms.never_said == ["zurich"]
    assert all(np.isnan(one.value) for one in terms.measures.values())


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file"), ("\n", "no term in it"), ("ok\n...\n", "leaves nothing of the term")],
)
def test_a_file_of_terms_that_cannot_be_used_is_refused_before_anything_is_spent(
    tmp_path, content, said
):
    config = Config()
    config.evaluation.terms = str(tmp_path / "terms.txt")
    if content is not None:
        (tmp_path / "terms.txt").write_text(content)
    with pytest.raises(UserError, match=said):
        check_terms(config)


def test_a_report_has_what_recordings_measure_and_what_the_corpus_says_of_them(tmp_path, capsys):
    columns = [json.dumps({"gender": one}) for one in "fm"]
    corpus = FakeCorpus(SAID, columns=columns)
    evaluation = evaluation_of(corpus, RECOGNIZED)
    data = PreparedData(None, {"test": corpus}, _report(), {}, tmp_path / "cache")
    run = tmp_path / "run"
    write_report(
        Config(), run, {"test": evaluation}, data, history=[], checkpoint=None, decoding="greedy"
    )
    lines = (run / "evaluation" / "utterances.jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    facts = measure(corpus.read_audio(0), 16000)
    assert first["columns"] == {"gender": "f"}
    assert first["measured"]["level_db"] == pytest.approx(facts.level_db)
    assert first["measured"]["snr_db"] == pytest.approx(facts.snr_db)
    assert first["measured"]["bandwidth_hz"] == facts.bandwidth_hz
    groups = json.loads((run / "evaluation" / "results.json").read_text())
    genders = groups["evaluations"]["test"]["groups"]["gender"]["groups"]
    assert [(one["name"], one["substitutions"]) for one in genders] == [("f", 1), ("m", 0)]
    assert "By gender" in (run / "evaluation" / "report.html").read_text()
    assert "gender" in capsys.readouterr().out


def _report() -> dict:
    return {"corpus": "mine", "identity": "mine", "splits": {"test": {}}}


def test_a_recording_that_cannot_be_read_has_no_measurement(tmp_path):
    from mynah.evaluation.groups.signals import with_signals

    corpus = FakeCorpus(SAID, unreadable={1})
    found = with_signals(evaluation_of(corpus, RECOGNIZED), corpus, tmp_path)
    assert found.hypotheses[1].measured == {}
    assert np.isfinite(list(found.hypotheses[0].measured.values())).all()
