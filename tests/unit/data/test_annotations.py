"""Annotations in transcripts: taken out of training and references alike, or counted and named."""

from __future__ import annotations

import html
import json

import pytest
from data_helpers import settings, write_folder

from mynah.config.hydra.compose import compose
from mynah.config.schema import Config
from mynah.data.annotations import found_in
from mynah.data.preparation.prepare import prepare
from mynah.data.text import TextPolicy
from mynah.errors import ConfigErrors
from mynah.evaluation.evaluate import Evaluation
from mynah.evaluation.hypothesis import Hypothesis
from mynah.evaluation.run_report import write_report
from mynah.evaluation.score import score

ROWS = [
    ("a.wav", "so <unk> we went [laughter] home", "a"),
    ("b.wav", "plain words", "b"),
    ("c.wav", "<|0.00|> Good day<|2.00|>", "c"),
    ("d.wav", "[noise]", "d"),
]


@pytest.mark.parametrize(
    ("patterns", "text", "expected"),
    [
        (("usual",), "so <unk> we [laughter] went {cough}", "so we went"),
        (("usual",), "<|0.00|> good day<|2.00|>", "good day"),
        (("<noise>",), "<NOISE> good <unk> day", "good <unk> day"),
        (("(*)",), "(uh) yes (no (kidding)", "yes (no"),
        (("%*",), "%hesitation 5% of %uh it", "5% of it"),
        (("[*]",), "a [b", "a [b"),
        ((), "<unk> stays", "<unk> stays"),
    ],
)
def test_patterns_take_out_what_they_say(patterns, text, expected):
    assert TextPolicy(annotations=patterns).apply(text) == expected


def test_what_is_left_is_counted():
    texts = ["<Noise> a <noise>", "[x] b", "2 < 3 and 5 > 4", "none"]
    assert dict(found_in(texts)) == {"<noise>": 2, "[x]": 1, "< 3 and 5 >": 1}
    assert dict(found_in(texts, without=("<*>",))) == {"[x]": 1}


def corpus(tmp_path, **changed):
    for split in ("train", "test"):
        write_folder(tmp_path / "corpus" / split, ROWS)
    config = settings(
        tmp_path, dataset_name="corpus", train_splits=["train"], eval_splits=["test"], **changed
    )
    return prepare(config, working_directory=tmp_path)


def test_training_and_references_lose_the_same_annotations(tmp_path):
    data = corpus(tmp_path, annotations=["usual"])
    assert list(data.train.texts) == ["so we went home", "plain words", "Good day"]
    (evaluated,) = data.evaluation.values()
    assert list(evaluated.texts) == [*data.train.texts, ""]
    assert data.report["splits"]["train"]["dropped"] == {"annotations alone": 1}
    assert data.report["splits"]["train"]["annotations"] == {}


def test_a_reference_that_is_annotations_alone_is_scored_as_empty_as_sclite_does(tmp_path, capsys):
    data = corpus(tmp_path, annotations=["usual"])
    account = data.report["splits"]["test"]
    assert (account["kept"], account["dropped"], account["annotations_alone"]) == (4, {}, 1)
    assert "1 references of test are annotations alone" in " ".join(capsys.readouterr().out.split())
    (evaluated,) = data.evaluation.values()
    said = ["so we went home", "plain words", "good day", "oh no"]
    hypotheses = [
        Hypothesis(id=i, reference=r, text=t, duration_seconds=1.0, speaker="")
        for i, r, t in zip(evaluated.ids, evaluated.texts, said, strict=True)
    ]
    found = score(hypotheses, normalizer="basic", bootstrap_samples=0, bootstrap_seed=0)
    # Two words where there are none, of eight in the references.
    assert (found.edits.insertions, found.words, found["wer"].value) == (2, 8, 0.25)


def test_a_transcript_of_punctuation_alone_is_not_an_annotation(tmp_path):
    write_folder(tmp_path / "corpus" / "train", [("a.wav", "...", "a"), ("b.wav", "words", "b")])
    config = settings(
        tmp_path, dataset_name="corpus", eval_splits=[], strip_punctuation=True,
        annotations=["usual"],
    )  # fmt: skip
    data = prepare(config, working_directory=tmp_path)
    assert data.report["splits"]["train"]["dropped"] == {"no transcript": 1}


@pytest.mark.parametrize("patterns", [(), ("usual",)])
def test_the_page_of_a_report_counts_the_annotations(patterns, tmp_path):
    data = corpus(tmp_path, annotations=list(patterns))
    (split,) = data.evaluation.values()
    evaluation = Evaluation.from_decoding(
        split,
        [Hypothesis(i, r, r, 1.0, "") for i, r in zip(split.ids, split.texts, strict=True)],
        Config(),
        seconds=1.0,
    )
    page = write_report(
        Config(), tmp_path, {split.name: evaluation}, data,
        history=[], checkpoint=None, decoding="greedy",
    )  # fmt: skip
    shown = " ".join(html.unescape(page.read_text(encoding="utf-8")).split())
    assert ("scored as words in test: <unk> (1), [laughter] (1)" in shown) == (not patterns)
    assert ("1 references of test are annotations alone" in shown) == bool(patterns)


def test_annotations_that_stay_are_named_with_their_number(tmp_path, capsys):
    data = corpus(tmp_path)
    found = data.report["splits"]["test"]["annotations"]
    assert found == {"<unk>": 1, "[laughter]": 1, "<|0.00|>": 1, "<|2.00|>": 1, "[noise]": 1}
    said = " ".join(capsys.readouterr().out.split())
    assert "<unk> (1)" in said and "data.annotations=[usual]" in said
    data.write(tmp_path)
    assert json.loads((tmp_path / "data.json").read_text())["splits"]["test"]["annotations"]


@pytest.mark.parametrize("pattern", ["*", "**", "a b"])
def test_a_pattern_that_would_take_words_is_refused(pattern):
    with pytest.raises(ConfigErrors) as caught:
        compose([f"data.annotations=['{pattern}']"])
    assert "not a pattern of an annotation" in str(caught.value)
