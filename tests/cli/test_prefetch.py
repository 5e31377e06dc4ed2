"""``mynah prefetch``: all that a run needs comes from the hub, once, and nothing else does."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from pathlib import Path

import hub_server
import pyarrow.parquet
import pytest
import standin_corpora
import standins
from huggingface_hub import constants
from machines import Machine
from workspaces import SHORT, assert_refused, assert_trained

from mynah.cli import prefetch
from mynah.config.schema import Config, DataConfig
from mynah.errors import UserError
from mynah.models.pretrained.loaded_files import needed
from mynah.prefetching import datasets, repository
from mynah.prefetching.repository import Wanted

_SETTINGS = ("model=whisper_small", "data=full", "data.train_splits=[train.100]")
_NEEDED = {
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
}
# What repositories of models hold beside: never fetched, and the first three run code when read.
_OTHERS = (
    "pytorch_model.bin", "training_args.bin", "model.nemo", "flax_model.msgpack", "tf_model.h5",
    "model.fp16.safetensors", "consolidated.safetensors", "onnx/config.json", "onnx/model.onnx",
    "modeling_whisper.py", "README.md",
)  # fmt: skip


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    cache = tmp_path_factory.mktemp("served")
    snapshot = standins.install(cache, "openai/whisper-small", "whisper_asr")
    for name in _OTHERS:
        (snapshot / name).parent.mkdir(exist_ok=True)
        (snapshot / name).write_bytes(b"not to be fetched")
    standin_corpora.install_librispeech(cache)
    with hub_server.serving(cache) as served:
        yield served


@pytest.fixture(scope="module")
def fetched(hub, tmp_path_factory):
    """A machine after its first prefetch, in which the weights were cut on the way."""
    machine = Machine(tmp_path_factory.mktemp("machine"), hub)
    hub.cuts["model.safetensors"] = 100_000
    done = machine.mynah("prefetch", *_SETTINGS)
    return machine, done, hub.given()


def test_all_that_a_run_needs_is_fetched_once_and_no_pickle(fetched):
    machine, done, given = fetched
    assert done.returncode == 0, done.stdout + done.stderr
    models = [name for name in given if "/" not in name and name != "README.md"]
    assert set(models) == _NEEDED
    assert sorted(name for name in given if "/" in name) == [
        "clean/test/0000.parquet",
        "clean/train.100/0000.parquet",
        "clean/validation/0000.parquet",
        "other/test/0000.parquet",
        "other/validation/0000.parquet",
    ]
    assert models.count("model.safetensors") == 2  # what was cut went on
    snapshot = next((machine.root / "home/hub").glob("models--*/snapshots/*"))
    served = next(machine.hub.cache.glob("models--*/snapshots/*"))
    name = "model.safetensors"
    assert (snapshot / name).read_bytes() == (served / name).read_bytes()
    for said in ("openai/whisper-small", str(snapshot), "mynah train model=whisper_small"):
        assert said in done.stdout


def test_a_second_time_fetches_nothing(fetched):
    machine, _, _ = fetched
    done = machine.mynah("prefetch", *_SETTINGS)
    assert (done.returncode, machine.hub.given()) == (0, [])
    assert "All of it is here." in done.stdout


@pytest.mark.long
def test_offline_says_whether_all_of_it_is_here_and_asks_nothing_of_the_network(fetched):
    machine, _, _ = fetched
    done = machine.mynah("prefetch", *_SETTINGS, "offline=true")
    assert (done.returncode, machine.hub.asked) == (0, []), done.stderr
    assert "All of it is here." in done.stdout


@pytest.mark.long
def test_the_run_then_trains_offline_without_asking_the_network(fetched):
    machine, _, _ = fetched
    done = machine.mynah("train", *_SETTINGS, "offline=true", *SHORT.split())
    assert_trained(
        machine.root,
        done,
        utterances=dict.fromkeys(
            ("validation.clean", "validation.other", "test.clean", "test.other"), 4
        ),
        settings={"model.pretrained": "openai/whisper-small", "offline": True},
    )
    assert machine.hub.asked == []


def test_what_the_hub_does_not_give_is_named(hub, tmp_path):
    hub.gated.add("openslr/librispeech_asr")
    try:
        done = Machine(tmp_path, hub).mynah("prefetch", "data=full")
    finally:
        hub.gated.clear()
    assert_refused(done, "openslr/librispeech_asr is given only to those", "hf auth login")
    assert hub.given() == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["model=whisper_smal"], "model=whisper_small"),
        (["model=large", "--dryrun"], "--dryrun is not a flag of mynah prefetch"),
        (["data.dataset_name=./nowhere"], "nowhere"),
        (["data=an4"], "mynah data download an4 --to DIR"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_with_a_way_on(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert prefetch.main(arguments) == 2
    assert said in capsys.readouterr().err


def test_of_a_model_in_pieces_the_pieces_that_its_index_names_are_needed():
    index = "model.safetensors.index.json"
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    there = [*_OTHERS, *shards, index, "config.json", "model-00001-of-00003.safetensors"]
    there += ["pytorch_model.bin.index.json", "chat_template.jinja", "tekken.json", "merges.txt"]
    there += ["adapter_model.safetensors", "adapter_config.json"]  # Granite Speech's own LoRA
    found = needed(there, shards, code=False)
    assert set(found) == {
        *shards, index, "config.json", "chat_template.jinja", "tekken.json", "merges.txt",
        "adapter_model.safetensors", "adapter_config.json",
    }  # fmt: skip
    assert "modeling_whisper.py" in needed(there, shards, code=True)


def test_a_disk_that_is_too_small_is_found_before_anything_is_fetched(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(repository.shutil, "disk_usage", lambda _: usage(10, 5, 5_000_000_000))
    big = Wanted("model", "a/b", None, "c" * 40, {"w": 3_000_000_000}, "model.pretrained", tmp_path)
    repository.check_room([big])
    with pytest.raises(UserError, match=r"6\.0 GB are to be downloaded, and 5\.0 GB are free"):
        repository.check_room([big, big])


@pytest.fixture
def shards(tmp_path, monkeypatch):
    """A dataset on this machine in three files of four utterances each, and its place."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("MYNAH_CACHE", str(tmp_path / "prepared"))
    snapshot = tmp_path / "datasets--some--shards" / "snapshots" / ("d" * 40)
    (snapshot / "data").mkdir(parents=True)
    one = standin_corpora.install_librispeech(tmp_path / "other") / "clean/test/0000.parquet"
    for number in range(3):
        shutil.copy(one, snapshot / "data" / f"train-{number:05d}-of-00003.parquet")
    assert pyarrow.parquet.ParquetFile(one).metadata.num_rows == 4
    return snapshot


def _needed(*splits: str) -> list[str]:
    config = DataConfig(dataset_name="some/shards", train_splits=list(splits), eval_splits=[])
    ((_, files),) = datasets.corpora(config, offline=True, working_directory=Path())
    return files


def test_of_a_slice_only_the_files_that_hold_it_are_needed(shards):
    assert len(_needed("train")) == 3
    assert len(_needed("train[:4]")) == 1
    assert len(_needed("train[:5]")) == 2
    assert len(_needed("train[:50%]")) == 3


def test_offline_a_split_of_which_a_part_is_here_is_not_a_smaller_split(shards, tmp_path, capsys):
    names = [path.relative_to(shards).as_posix() for path in sorted(shards.rglob("*.parquet"))]
    listing = tmp_path / "prepared" / "hub-listings" / f"some--shards-{'d' * 40}.json"
    listing.parent.mkdir(parents=True)
    listing.write_text(json.dumps(names))  # as a look at the hub leaves it
    (shards / names[1]).unlink()
    config = DataConfig(dataset_name="some/shards", train_splits=["train"], eval_splits=[])
    ((source, files),) = datasets.corpora(config, offline=True, working_directory=Path())
    assert list(datasets.datasets_here(source, files).missing()) == [names[1]]
    typed = ["model=small", "data.dataset_name=some/shards", "data.eval_splits=null"]
    assert prefetch.main([*typed, "offline=true"]) == 2
    said = capsys.readouterr().err
    assert f"as {names[1]} of some/shards" in said
    assert f"mynah prefetch {' '.join(typed)}" in said
    with pytest.raises(UserError, match=r"train-00001-of-00003\.parquet is not on this machine"):
        source.table(source.parts("train")[0])


def _body(cache: Path, name: str) -> None:
    """A dataset of the hub that was looked at before, of which no file is here."""
    repository = cache / f"datasets--{name.replace('/', '--')}"
    data = repository / "snapshots" / "c0ffee" / "data"
    data.mkdir(parents=True)
    for split in ("train", "test"):
        pyarrow.parquet.write_table(
            pyarrow.table({"text": []}), data / f"{split}-00000-of-00001.parquet"
        )
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("c0ffee")


def test_speech_to_replay_and_guards_of_the_hub_are_needed_too(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("some/replayed", "some/guard"):
        _body(tmp_path / "hub", name)
    config = Config()
    config.data.dataset_cache_dir = str(tmp_path / "cache")
    config.model.pretrained = "openai/whisper-tiny"
    config.data.replay, config.data.replay_from = 0.1, "some/replayed"
    config.evaluation.guard = ["general", "some/guard:test", "./recordings"]
    (tmp_path / "recordings").mkdir()

    def needed_files() -> list[tuple[str, list[str]]]:
        found = datasets.general_corpora(config, offline=True, working_directory=tmp_path)
        return [
            (one.name, ["here"]) if isinstance(one, datasets.Here) else (one[0].name, one[1])
            for one in found
        ]

    assert needed_files() == [
        ("some/replayed", ["data/train-00000-of-00001.parquet"]),
        ("some/guard", ["data/test-00000-of-00001.parquet"]),
        ("./recordings", ["here"]),
    ]
    config.data.replay = 0.0
    assert [name for name, _ in needed_files()] == ["some/guard", "./recordings"]
    config.evaluation.guard = ["some/guard:valid"]
    with pytest.raises(UserError, match="no split 'valid'") as caught:
        needed_files()
    assert caught.value.where == "evaluation.guard: some/guard:valid"
    config.model.pretrained = None
    assert needed_files() == []
