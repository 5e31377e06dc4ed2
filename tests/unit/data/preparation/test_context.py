"""Names and terms that a row may give for its transcript: read, kept, and left out by chance."""

from __future__ import annotations

import json
from itertools import islice

import pytest
from data_helpers import settings, write_tone
from shard_files import write_parquet

from mynah.config.schema import Config, DataConfig
from mynah.data.augmentation.chain import Augmentation
from mynah.data.preparation.prepare import prepare
from mynah.data.streams.stream import open_stream
from mynah.errors import UserError
from mynah.training.loading.dataset import TrainingRows

ROWS = [
    {"file_name": "a.wav", "text": "call anna", "context": "Anna, Paris"},
    {"file_name": "b.wav", "text": "call bert", "context": ["Bert", " Bern "]},
    {"file_name": "c.wav", "text": "play"},
]


def folder(root, header="context"):
    root.mkdir()
    lines = []
    for row in ROWS:
        write_tone(root / row["file_name"], 1.0)
        lines.append(json.dumps({header if k == "context" else k: v for k, v in row.items()}))
    (root / "metadata.jsonl").write_text("\n".join(lines))


@pytest.mark.parametrize("header", ["context", "who_may_be_named"])
def test_each_row_keeps_the_names_and_terms_of_its_column(tmp_path, header):
    folder(tmp_path / "recordings", header)
    columns = {} if header == "context" else {"context": header}
    config = settings(
        tmp_path, dataset_name="recordings", eval_splits=[], eval_fraction=0.0, columns=columns
    )
    corpus = prepare(config, working_directory=tmp_path).train
    contexts = dict(zip(corpus.ids, corpus.contexts, strict=True))
    assert contexts == {"a.wav": "Anna, Paris", "b.wav": "Bert, Bern", "c.wav": ""}
    row = corpus.ids[:].index("b.wav")
    assert corpus[row].context == "Bert, Bern"


def test_a_context_that_is_not_text_is_an_error_that_names_the_line(tmp_path):
    folder(tmp_path / "recordings")
    listing = tmp_path / "recordings" / "metadata.jsonl"
    listing.write_text(listing.read_text().replace('"Anna, Paris"', '{"name": "Anna"}'))
    with pytest.raises(UserError, match="context") as caught:
        prepare(settings(tmp_path, dataset_name="recordings"), working_directory=tmp_path)
    assert "metadata.jsonl" in caught.value.where


class Listener:
    """All that rows need of a family."""

    feature_seconds = None

    def features(self, audio):
        return audio

    def labels(self, text):
        return [1] * len(text)

    def impossible(self, samples, labels):
        return None


def test_contexts_are_left_out_at_the_chosen_rate_the_same_however_training_got_there(tmp_path):
    folder(tmp_path / "recordings")
    config = settings(tmp_path, dataset_name="recordings", eval_splits=[], eval_fraction=0.0)
    corpus = prepare(config, working_directory=tmp_path).train
    augmentation = Augmentation.open(Config().data.augmentation, sample_rate=16000, seed=0)

    def given(dropout, seed=3):
        rows = TrainingRows(Listener(), corpus, augmentation, context_dropout=dropout, seed=seed)
        return [rows[(epoch, row, 1.0)].example.context for epoch in range(100) for row in range(3)]

    full, half, none = given(0.0), given(0.5), given(1.0)
    assert full == corpus.contexts[:] * 100 and none == [""] * 300
    assert 70 < sum(map(bool, half)) < 130  # of 200 that have one
    assert half == given(0.5) != given(0.5, seed=4)
    assert all(one in ("", kept) for one, kept in zip(half, full, strict=True))


def test_a_stream_carries_contexts_too(tmp_path):
    ids, texts = ["a", "b", "c"], ["abc", "bcd", "cde"]
    write_parquet(
        tmp_path / "train-00000-of-00001.parquet", ids, texts, context=["Anna, Paris", "", None]
    )
    config = DataConfig(path=str(tmp_path), format="parquet", streaming=True, sample_rate=8000)
    stream = open_stream(config, offline=True, working_directory=tmp_path)
    rows = [row for window in islice(stream.windows(seed=0).iterate(), 1) for row in window.rows]
    held = {stream[row].id: stream[row].context for row in rows}
    assert held == {"a": "Anna, Paris", "b": "", "c": ""}
