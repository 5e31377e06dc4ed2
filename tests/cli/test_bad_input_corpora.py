"""A corpus in which one recording in ten is broken: each is named, and the rest is learned from."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import broken_corpora
import forked_commands
import pytest
from broken_corpora import Broken
from workspaces import (
    assert_measured,
    assert_refused,
    assert_trained,
    clone,
    environment,
    run,
    run_directories,
    words,
)

from mynah.config.schema import DataConfig
from mynah.data.preparation.prepare import prepare
from mynah.data.tables import shards as table_shards
from mynah.errors import UserError
from mynah.training.resuming.resume import read_about

TRAIN = "mynah train data.dataset_name=./corpus data.eval_splits=[test] data.on_other_script=drop"
SMALL = (
    "model=small model.encoder.layers=1 training.max_steps=6 training.eval_steps=6 "
    "training.per_device_train_batch_size=8 evaluation.bootstrap_samples=50"
)
MEASURED = {"test": broken_corpora.EVALUATION_ROWS}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Broken]]:
    """The folder that holds the corpus, and what is broken in it; never to be written to."""
    folder = tmp_path_factory.mktemp("broken")
    return folder, broken_corpora.write_corpus(folder / "corpus")


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A training on it, and the folder in which it was typed."""
    folder = clone(tmp_path_factory.mktemp("trained") / "clone")
    shutil.copytree(corpus[0] / "corpus", folder / "corpus")
    return folder, run(folder, TRAIN, SMALL, MYNAH_CACHE=str(folder / "cache"))


def _account(folder: Path) -> dict:
    (directory,) = run_directories(folder)
    return json.loads((directory / "data.json").read_text())["splits"]["train"]


def test_each_broken_utterance_is_named_with_its_reason_and_the_rest_is_learned_from(
    corpus, trained
):
    folder, done = trained
    _, broken = corpus
    assert_trained(folder, done, utterances=MEASURED, settings={})
    account = _account(folder)
    listed = {row["id"]: row for row in account["dropped_rows"]}
    assert {name: row["reason"] for name, row in listed.items()} == {
        one.name: one.reason for one in broken
    }
    for one in broken:
        assert one.detail in listed[one.name]["detail"]
        assert listed[one.name]["detail"] or one.reason == "no transcript"
    names = broken_corpora.listed_names(folder / "corpus", "train")
    assert account["kept"] == len(names) - len(broken)
    assert "Traceback" not in done.stdout + done.stderr
    assert "7 unreadable" in done.stdout and broken[0].name in done.stdout


def test_with_on_error_fail_the_first_of_them_ends_the_run_before_any_training(
    corpus, tmp_path: Path
):
    folder = clone(tmp_path / "clone")
    (folder / "corpus").symlink_to(corpus[0] / "corpus")
    cache = {"MYNAH_CACHE": str(tmp_path / "cache")}
    done = run(folder, TRAIN, f"{SMALL} data.on_error=fail", **cache)
    assert_refused(done, corpus[1][0].name, "cut short", "data.on_error=skip")
    assert "step 1" not in done.stdout


@pytest.fixture(scope="module")
def broken_later(trained) -> tuple[Path, list[str], list[str], str]:
    """A training by two processes, one utterance each a step, on a corpus that breaks when it is
    prepared: the run's directory, the training and the evaluation recordings that are broken,
    and what was printed."""
    folder = trained[0].parent / "later"
    shutil.copytree(trained[0], folder, symlinks=True, ignore=shutil.ignore_patterns("outputs"))
    corpus = folder / "corpus"
    _prepare(folder, folder / "cache")
    names = broken_corpora.listed_names(corpus, "train")
    training = [name for name in names if int(name[-8:-4]) % 10 in (0, 1, 2, 3)]
    evaluated = broken_corpora.listed_names(corpus, "test")[2:4]
    for name in [*training, *evaluated]:
        broken_corpora.break_silently(corpus / name)
    settings = words(TRAIN, SMALL.replace("batch_size=8", "batch_size=1"))[4:]
    command = ["python", "src/train_hydra.py", *settings, "training.use_cpu=true"]
    cache = environment(MYNAH_CACHE=str(folder / "cache"))
    done, second = forked_commands.run_ranks(command, folder, cache)
    assert second.returncode == 0, second.stdout + second.stderr
    assert_trained(folder, done, utterances=MEASURED, settings={})
    (directory,) = run_directories(folder)
    said = done.stdout + done.stderr + second.stdout + second.stderr
    return directory, training, evaluated, said


def _prepare(folder: Path, cache: Path, **settings):
    config = DataConfig(
        dataset_name="corpus",
        eval_splits=["test"],
        on_other_script="drop",
        dataset_cache_dir=str(cache),
    )
    for name, value in settings.items():
        setattr(config, name, value)
    return prepare(config, working_directory=folder)


def test_a_recording_that_breaks_after_preparation_is_named_and_the_step_continues_without_it(
    broken_later,
):
    directory, broken, _, printed = broken_later
    assert "Traceback" not in printed
    assert json.loads((directory / "data.json").read_text())["splits"]["train"]["kept"] == 118
    skipped = read_about(directory / "model" / "checkpoint-6")["training"]["skipped"]
    # Twelve utterances in six steps: a process that was given a broken one had no other.
    assert 0 < len(skipped) < 12
    assert set(skipped) <= set(broken)
    assert all(skipped.values())
    assert "training utterance(s) could not be used" in printed
    assert any(name in printed for name in skipped)


def test_a_recording_that_an_evaluation_cannot_read_counts_as_fully_wrong_and_is_marked(
    broken_later, trained
):
    directory, _, evaluated, printed = broken_later
    results = assert_measured(directory, MEASURED)["test"]
    (before,) = run_directories(trained[0])
    assert results["words"] == assert_measured(before, MEASURED)["test"]["words"]
    lines = (directory / "evaluation" / "utterances.jsonl").read_text().splitlines()
    rows = {row["id"]: row for row in map(json.loads, lines)}
    marked = {name for name, row in rows.items() if row.get("error")}
    assert marked == set(evaluated)
    for name in evaluated:
        row = rows[name]
        assert row["hypothesis"] == ""
        assert row["deletions"] == len(row["reference"].split())
    page = (directory / "evaluation" / "report.html").read_text()
    assert all(rows[name]["error"] in page for name in evaluated)
    assert "2 " in printed and "could not be" in printed


@pytest.mark.parametrize("damage", ["cut short", "table.json lost", "another version"])
def test_a_cache_that_is_damaged_or_of_another_version_is_made_again_and_said(
    corpus, tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch, capsys
):
    if damage == "another version":
        with monkeypatch.context() as patch:
            for module in ("tables.shards", "tables.table", "preparation.selection"):
                if hasattr(sys.modules.get(f"mynah.data.{module}"), "FORMAT_VERSION"):
                    patch.setattr(f"mynah.data.{module}.FORMAT_VERSION", 1)
            before = _prepare(corpus[0], tmp_path)
    else:
        before = _prepare(corpus[0], tmp_path)
    shards = sorted(tmp_path.glob("*/shard-*.arrow"))
    assert shards and table_shards.is_complete_shard(shards[0])
    if damage == "cut short":
        content = shards[0].read_bytes()
        shards[0].write_bytes(content[: len(content) // 2])
    elif damage == "table.json lost":
        shards[0].with_name("table.json").unlink()
    capsys.readouterr()
    after = _prepare(corpus[0], tmp_path)
    said = capsys.readouterr().out
    assert "is made again" in said
    assert ("another version" if damage == "another version" else "cut short") in said
    assert after.report["splits"] == before.report["splits"]
    assert list(after.train.texts) == list(before.train.texts)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own of 100 kB; the kernel lets it be enlarged."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)], capture_output=True
    )
    if made.returncode:
        pytest.skip(f"no small disk can be mounted here: {made.stderr.decode().strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)  # it may be mapped still


def test_a_disk_that_fills_while_a_corpus_is_prepared_is_said_and_its_cache_is_not_poisoned(
    corpus, small_disk: Path, tmp_path: Path
):
    with pytest.raises(UserError, match="No space left on device") as caught:
        _prepare(corpus[0], small_disk)
    assert "data.dataset_cache_dir" in str(caught.value)
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    after, elsewhere = _prepare(corpus[0], small_disk), _prepare(corpus[0], tmp_path / "other")
    assert after.report["splits"] == elsewhere.report["splits"]


@pytest.mark.parametrize("path", ["../secret.wav", "/{outside}/secret.wav", "link.wav"])
def test_a_path_that_leaves_the_corpus_is_refused(corpus, tmp_path: Path, path: str):
    folder = tmp_path / "here" / "corpus"
    folder.mkdir(parents=True)
    broken_corpora.write_recording(folder.parent / "secret.wav", "red", 0)
    broken_corpora.write_recording(folder / "one.wav", "red", 0)
    (folder / "link.wav").symlink_to("../secret.wav")
    name = path.format(outside=str(folder.parent)[1:])
    (folder / "metadata.csv").write_text(f"file_name,text\none.wav,red\n{name},green\n")
    with pytest.raises(UserError, match=r"outside|leaves|leads") as caught:
        _prepare(folder.parent, tmp_path / "cache", eval_splits=None)
    assert "secret.wav" in str(caught.value) or "link.wav" in str(caught.value)


def test_a_binary_text_beside_a_recording_is_named(tmp_path: Path):
    folder = tmp_path / "corpus"
    for number in range(12):
        broken_corpora.write_recording(folder / f"{number}.wav", "red", number)
        (folder / f"{number}.txt").write_text("red")
    (folder / "3.txt").write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff\xfe")
    data = _prepare(tmp_path, tmp_path / "cache", eval_splits=None, eval_fraction=0.0)
    (row,) = data.report["splits"]["train"]["dropped_rows"]
    assert row["id"].startswith("3") and row["reason"] == "transcript is not text"
