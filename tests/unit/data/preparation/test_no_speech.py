"""Rows in which nobody speaks are examples: of training, and of what must stay silent."""

import pytest
from data_helpers import settings, write_tone

from mynah.data.preparation.prepare import prepare
from mynah.evaluation.hypothesis import Hypothesis
from mynah.evaluation.score import score


@pytest.fixture
def folder(tmp_path):
    for split in ("train", "test"):
        root = tmp_path / "c" / split
        lines = ["file_name,text,speaker,no_speech"]
        for number, (text, silent) in enumerate((("one", ""), ("", "true"), ("", ""))):
            write_tone(root / f"{number}.wav", 1.0, hertz=200 + 50 * number + 10 * len(split))
            lines.append(f"{number}.wav,{text},{split},{silent}")
        (root / "metadata.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_only_a_row_that_is_not_marked_lacks_its_transcript(folder):
    config = settings(folder, dataset_name="c", eval_splits=["test"], min_characters_a_second=1.0)
    data = prepare(config, working_directory=folder)
    for corpus in (data.train, data.evaluation["test"]):
        assert corpus.ids == ["0.wav", "1.wav"]
        assert corpus.texts == ["one", ""] and corpus.no_speech.tolist() == [False, True]
        assert corpus[1].no_speech and not corpus[0].no_speech
    for account in data.report["splits"].values():
        assert account["dropped"] == {"no transcript": 1} and account["no_speech"] == 1


def test_what_is_recognized_where_nobody_speaks_counts_as_insertions():
    def audio(reference, text):
        return Hypothesis(
            id=reference, reference=reference, text=text, duration_seconds=1.0, speaker=""
        )

    found = score(
        [audio("one two", "one two"), audio("", "oh no"), audio("", "")],
        normalizer="none", bootstrap_samples=0, bootstrap_seed=0,
    )  # fmt: skip
    assert (found.edits.insertions, found.words, found["wer"].value) == (2, 2, 1.0)
    assert found.empty_references == 2
