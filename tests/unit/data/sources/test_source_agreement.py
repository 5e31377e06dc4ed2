"""One corpus of real speech in every format: the same utterances are read."""

import csv
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from data_helpers import real_corpus, settings
from source_helpers import opened, rows_of, write_json_lines, write_lines

from mynah.data.preparation.prepare import prepare
from mynah.data.row import Row


def to_csv(root: Path, rows: list[Row]) -> None:
    with (root / "metadata.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "file_name", "text", "speaker"])
        writer.writerows([row.id, row.path, row.text, row.speaker] for row in rows)


def to_nemo(root: Path, rows: list[Row]) -> None:
    write_json_lines(
        root / "train_manifest.json",
        *(
            {"audio_filepath": row.path, "duration": seconds(row), "text": row.text,
             "speaker": row.speaker, "id": row.id}
            for row in rows
        ),
    )  # fmt: skip


def to_kaldi(root: Path, rows: list[Row]) -> None:
    write_lines(root / "wav.scp", *(f"{row.id} {row.path}" for row in rows))
    write_lines(root / "text", *(f"{row.id} {row.text}" for row in rows))
    write_lines(root / "utt2spk", *(f"{row.id} {row.speaker}" for row in rows))


def to_lhotse(root: Path, rows: list[Row]) -> None:
    write_json_lines(
        root / "recordings.jsonl.gz",
        *(
            {"id": row.id, "sampling_rate": 16000, "duration": seconds(row),
             "num_samples": round(16000 * seconds(row)),
             "sources": [{"type": "file", "channels": [0], "source": row.path}]}
            for row in rows
        ),
    )  # fmt: skip
    write_json_lines(
        root / "supervisions.jsonl.gz",
        *(
            {"id": row.id, "recording_id": row.id, "start": 0.0, "duration": seconds(row),
             "channel": 0, "text": row.text, "speaker": row.speaker}
            for row in rows
        ),
    )  # fmt: skip


def to_webdataset(root: Path, rows: list[Row]) -> None:
    with tarfile.open(root / "train-000000.tar", "w") as tar:
        for row in rows:
            about = write_json_lines(
                root / "about" / row.id, {"text": row.text, "speaker": row.speaker}
            )
            tar.add(row.path, f"{row.id}.sph")
            tar.add(about, f"{row.id}.json")


def seconds(row: Row) -> float:
    return soundfile.info(row.path).duration


@pytest.mark.parametrize(
    ("format", "write"),
    [("folder", to_csv), ("nemo", to_nemo), ("kaldi", to_kaldi), ("lhotse", to_lhotse),
     ("webdataset", to_webdataset)],
)  # fmt: skip
def test_a_corpus_is_the_same_in_every_format(tmp_path, format, write):
    rows = rows_of(opened(tmp_path, real_corpus("an4")), "test")[:30]
    (tmp_path / "mine").mkdir()
    write(tmp_path / "mine", rows)
    assert opened(tmp_path, "mine", audio_folders=["/"]).format == format
    config = settings(
        tmp_path, dataset_name="mine", eval_splits=None, eval_fraction=0.0, audio_folders=["/"]
    )
    corpus = prepare(config, working_directory=tmp_path).train
    assert list(corpus.ids) == [row.id for row in rows]
    assert list(corpus.texts) == [row.text for row in rows]
    assert list(corpus.speakers) == [row.speaker for row in rows]
    for position, row in enumerate(rows):
        assert np.array_equal(
            corpus.read_audio(position), soundfile.read(row.path, dtype="float32")[0]
        )
