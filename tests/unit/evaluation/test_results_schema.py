"""``results.json`` against the schema that is published of it, by the jsonschema package."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from evaluation_fakes import FakeCorpus, evaluation_of

from mynah.evaluation import report
from mynah.evaluation.findings.findings import findings
from mynah.evaluation.findings.training_words import TrainingWords
from mynah.evaluation.metrics.word_error_rate import WordErrorRate
from mynah.evaluation.terms.counts import read_terms

SAID = ["call anna berg now", "turn it off", "call anna berg", ""]
RECOGNIZED = ["call hanna berg now", "", "call anna berg", "thank you"]


@pytest.fixture
def schema():
    return json.loads(files("mynah.evaluation.schemas").joinpath("results-2.json").read_text())


@pytest.fixture
def written(tmp_path):
    genders = [json.dumps({"gender": one}) for one in "fmfm"]
    corpus = FakeCorpus(SAID, columns=genders, durations=np.array([1.0, 3.0, 6.0, 2.0]))
    evaluation = evaluation_of(corpus, RECOGNIZED)
    (tmp_path / "terms.txt").write_text("Anna Berg\nZurich\n")
    terms = read_terms(tmp_path / "terms.txt", "basic", WordErrorRate())
    found = findings(
        evaluation.hypotheses,
        evaluation.scores,
        trained_on=TrainingWords({"call", "now"}),
        terms=terms,
    )
    report.write_evaluation(
        tmp_path, {"test": evaluation}, history=[], about={}, corpora={}, found={"test": found}
    )
    return json.loads((tmp_path / "results.json").read_text())


def test_what_is_written_follows_the_schema(schema, written):
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(written, schema, cls=jsonschema.Draft202012Validator)
    assert written["format"] == 2
    numbers = written["evaluations"]["test"]
    assert {one["name"] for one in numbers["groups"]["gender"]["groups"]} == {"f", "m"}
    assert numbers["out_of_vocabulary"]["outside"]["words"] == 7  # anna berg x 2, turn it off
    assert numbers["out_of_vocabulary"]["outside"]["wrong"] == 4  # anna, turn, it, off
    assert numbers["wrong_in_kind"]["text in silence"]["count"] == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda found: found.pop("versions"),
        lambda found: found.update(format=1),
        lambda found: found["evaluations"]["test"].pop("groups"),
        lambda found: found["evaluations"]["test"].update(words="many"),
        lambda found: found["evaluations"]["test"]["metrics"]["wer"].pop("low"),
    ],
)
def test_another_content_does_not_follow_it(schema, written, spoil):
    spoil(written)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(written, schema, cls=jsonschema.Draft202012Validator)


def test_the_schema_of_the_docs_is_that_of_the_package(schema):
    docs = Path(__file__).parents[3] / "docs" / "results-2.schema.json"
    assert json.loads(docs.read_text()) == schema
