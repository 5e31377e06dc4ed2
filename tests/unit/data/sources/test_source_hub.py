"""A dataset of the Hugging Face hub: its layout, its files and what is prepared of them."""

from __future__ import annotations

import shutil

import pytest
from data_helpers import settings, write_tone
from source_helpers import opened

from mynah.data.preparation.prepare import prepare
from mynah.errors import UserError


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub cache with a stand-in for LibriSpeech."""
    from huggingface_hub import constants
    from standin_corpora import install_librispeech

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return install_librispeech(tmp_path / "hub")


def hub_settings(tmp_path, **changed):
    config = {
        "dataset_name": "openslr/librispeech_asr",
        "dataset_configs": ["clean", "other"],
        "train_splits": ["train.100", "train.500[:3]"],
        "eval_splits": ["validation"],
    }
    return settings(tmp_path, **{**config, **changed})


def test_a_hub_dataset_is_read_from_the_hubs_cache(tmp_path, hub):
    data = prepare(hub_settings(tmp_path), offline=True, working_directory=tmp_path)
    assert len(data.train) == 8 + 3
    assert list(data.evaluation) == ["validation.clean", "validation.other"]
    assert data.report["identity"] == f"openslr/librispeech_asr@{hub.name}"
    first = data.train[0]
    assert first.speaker == "1000" and first.text.isupper()
    assert len(data.train.read_audio(0)) == round(first.duration_seconds * 16000)
    assert len(data.train.select([10]).read_audio(0)) > 16000
    again = prepare(hub_settings(tmp_path), offline=True, working_directory=tmp_path)
    assert again.report["fingerprints"] == data.report["fingerprints"]


@pytest.mark.parametrize("with_card", [True, False])
def test_the_layout_is_the_cards_or_the_files(tmp_path, hub, with_card):
    if not with_card:
        (hub / "README.md").unlink()
    source = opened(tmp_path, "openslr/librispeech_asr", dataset_configs=["clean"])
    assert sorted(source.splits()) == ["test", "train.100", "train.360", "validation"]
    assert [part.name for part in source.parts("test")] == ["test"]
    with pytest.raises(UserError, match="It has"):
        source.parts("train.500")
    with pytest.raises(UserError, match="several configurations: clean, other"):
        opened(tmp_path, "openslr/librispeech_asr")
    with pytest.raises(UserError, match="no configuration 'all'"):
        opened(tmp_path, "openslr/librispeech_asr", dataset_configs=["all"])


def test_files_named_after_their_split_are_understood(tmp_path, hub):
    flat = hub.parents[2] / "datasets--me--mine" / "snapshots" / "abc" / "data"
    flat.mkdir(parents=True)
    for split in ("train", "test"):
        source = hub / "clean" / "test" / "0000.parquet"
        shutil.copy(source, flat / f"{split}-00000-of-00001.parquet")
    source = opened(tmp_path, "me/mine")
    assert sorted(source.splits()) == ["test", "train"] and source.revision == "abc"


def test_two_configurations_with_the_same_transcripts_are_two_tables(tmp_path, hub):
    import pyarrow as pa
    import pyarrow.parquet

    snapshot = hub.parents[2] / "datasets--me--mine" / "snapshots" / "abc"
    for config, seconds in (("clean", 0.5), ("noisy", 0.75)):
        (snapshot / config).mkdir(parents=True)
        content = write_tone(tmp_path / f"{config}.wav", seconds).read_bytes()
        table = pa.Table.from_pylist([{"audio": {"bytes": content}, "text": "hi", "id": "one"}])
        pyarrow.parquet.write_table(table, snapshot / config / "test-00000-of-00001.parquet")
    for config, seconds in (("clean", 0.5), ("noisy", 0.75)):
        of_config = settings(
            tmp_path, dataset_name="me/mine", dataset_configs=[config], train_splits=["test"],
            eval_splits=[],
        )  # fmt: skip
        train = prepare(of_config, offline=True, working_directory=tmp_path).train
        assert train.durations.tolist() == [seconds]


@pytest.mark.parametrize(
    ("there", "asked", "files"),
    [
        # As corpora were prepared before: with base names.
        (["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet",
          "data/test-00000-of-00001.parquet"],
         "default", "['train-00000-of-00002.parquet', 'train-00001-of-00002.parquet']"),
        (["clean/train-00000.parquet", "noisy/test-00000.parquet"],
         "clean", "['train-00000.parquet']"),
        (["clean/train-00000.parquet", "noisy/train-00000.parquet"],
         "noisy", "['noisy/train-00000.parquet']"),
        (["clean/train/0000.parquet", "clean/test/0000.parquet"],
         "clean", "['clean/train/0000.parquet']"),
    ],
)  # fmt: skip
def test_files_of_the_hub_are_known_by_folders_only_where_their_names_are_not_enough(
    tmp_path, hub, monkeypatch, there, asked, files
):
    snapshot = hub.parents[2] / "datasets--me--mine" / "snapshots" / "abc"
    for name in there:
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(hub / "clean" / "test" / "0000.parquet", snapshot / name)
    given = []
    monkeypatch.setattr("mynah.data.sources.hub.prepared", lambda *_, **named: given.append(named))
    source = opened(tmp_path, "me/mine", dataset_configs=[asked])
    source.table(source.parts("train")[0])
    assert [named["identity"] for named in given] == [f"me/mine@abc {files}"]


def test_a_hub_dataset_without_a_network_says_what_works(tmp_path, hub):
    with pytest.raises(UserError) as caught:
        opened(tmp_path, "nobody/nothing")
    for way in ("data=default", "data=small", "data.path="):
        assert way in str(caught.value)
