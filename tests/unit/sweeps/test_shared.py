"""What all jobs of a sweep lack is said once, before the first of them starts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from mynah.cli.main import main
from mynah.config.hydra.compose import compose, prepare_hydra
from mynah.sweeps import jobs
from mynah.sweeps.shared import check_shared

pytestmark = pytest.mark.long  # each types a command
PLAIN = ["model=small", "data.dataset_cache_dir=cache", "offline=true"]
GRID = ["-m", "training.learning_rate=1e-5,3e-5"]
SEARCH = ["-m", "training.learning_rate=interval(1e-5,1e-3)", "sweep.trials=20"]


@pytest.fixture
def typed(tmp_path, monkeypatch, capfd):
    """Types `mynah train` in an empty folder; gives its exit status and what it said."""
    monkeypatch.chdir(tmp_path)

    def type_(*arguments: str) -> tuple[int, str, str]:
        status = main(["train", *PLAIN, *arguments])
        said = capfd.readouterr()
        return status, said.out, said.err

    return type_


def corpus(folder: Path, rows: int = 3) -> None:
    folder.mkdir()
    lines = ["file_name,text,split"]
    for number in range(rows):
        soundfile.write(folder / f"{number}.wav", 0.1 * np.sin(np.arange(8000) * 0.2), 16000)
        lines.append(f"{number}.wav,one two,{'validation' if number == 0 else 'train'}")
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    "varied",
    [GRID, SEARCH, [*GRID, "data.max_audio_seconds=5,10"], [*SEARCH, "data.max_audio_seconds=5,9"]],
)
def test_a_corpus_that_is_not_there_is_one_error_and_no_job(typed, tmp_path, varied):
    status, out, err = typed(*varied, "data.dataset_name=/no/such")
    assert status == 2 and not out
    assert err.count("/no/such") <= 2 and "/no/such" in err and len(err.splitlines()) <= 4
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("varied", [GRID, SEARCH])
def test_a_folder_without_recordings_is_one_error_and_no_job(typed, tmp_path, varied):
    (tmp_path / "empty").mkdir()
    status, out, err = typed(*varied, "data.dataset_name=./empty")
    assert status == 2 and not out and "empty" in err and len(err.splitlines()) <= 5
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_a_model_that_is_not_there_is_one_error_and_no_job(typed, tmp_path):
    corpus(tmp_path / "recordings")
    status, out, err = typed(*GRID, "data.dataset_name=recordings", "model.pretrained=./no-such")
    assert status == 2 and not out and "no-such" in err and len(err.splitlines()) <= 4
    assert [path.name for path in tmp_path.iterdir()] == ["recordings"]


def test_a_folder_that_was_there_before_keeps_what_is_in_it(typed, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "sweep.log").write_text("of yesterday")
    status, _, _ = typed(*GRID, "data.dataset_name=/no/such", "hydra.sweep.dir=mine")
    assert status == 2
    assert (tmp_path / "mine" / "sweep.log").read_text().startswith("of yesterday")


def test_what_is_wrong_with_one_job_alone_is_left_to_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    corpus(tmp_path / "there")
    (tmp_path / "empty").mkdir()
    prepare_hydra()
    for names in (["./gone", "there"], ["./gone", "./empty"]):
        check_shared(
            [compose([*PLAIN, f"data.dataset_name={name}"]).config for name in names], tmp_path
        )


def test_a_sweep_whose_jobs_are_all_done_needs_no_corpus(typed, monkeypatch):
    monkeypatch.setattr(jobs, "is_finished", lambda job: True)
    monkeypatch.setattr("mynah.sweeps.sweep.is_finished", lambda job: True)
    status, out, err = typed(*GRID, "data.dataset_name=/no/such")
    assert status == 0 and "2 done before and not run again" in out, err
