"""The directory a run gets, and what is found before it gets one."""

from __future__ import annotations

from pathlib import Path

import pytest

from mynah.checkpoints.commit import write_sums
from mynah.cli.shared.job import run_overrides
from mynah.config.effective import effective_yaml
from mynah.config.hydra.compose import compose
from mynah.errors import UserError


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def directory_of(overrides: list[str]) -> Path:
    return Path(overrides[0].partition("=")[2].strip('"'))


def checkpoint(folder: Path, *settings: str) -> Path:
    """What counts as a complete checkpoint to whoever loads no weights."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(effective_yaml(compose(settings).config))
    write_sums(folder)
    return folder


def test_two_runs_in_the_same_second_get_directories_of_their_own():
    composed = compose([])
    first, second, third = (directory_of(run_overrides(composed)) for _ in range(3))
    assert [path.name for path in (second, third)] == [f"{first.name}-1", f"{first.name}-2"]
    assert all(path.is_dir() and path.parts[0] == "outputs" for path in (first, second, third))


def test_ranks_behind_the_first_claim_nothing(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert "hydra.run.dir=." in run_overrides(compose([]))
    assert list(Path.cwd().iterdir()) == []


def test_a_directory_that_was_typed_is_taken_as_it_is():
    assert run_overrides(compose(["hydra.run.dir=here"])) == []
    assert list(Path.cwd().iterdir()) == []


def test_a_typed_directory_of_another_run_is_refused_before_hydra_writes_into_it():
    full = checkpoint(Path("mine/model/checkpoint-5"))
    Path("mine/run.json").write_text('{"kind": "training"}')
    into_it = "hydra.run.dir=mine"
    for typed in ([], [f"eval_checkpoint={full}"]):
        with pytest.raises(UserError, match=r"hydra\.run\.dir holds another run"):
            run_overrides(compose([into_it, *typed]))
    run_overrides(compose([into_it, f"resume_from_checkpoint={full}"]))
    run_overrides(compose([into_it, "training.output_dir=elsewhere"]))


def test_a_typed_directory_of_an_evaluation_or_of_no_checkpoint_is_taken():
    full = checkpoint(Path("model/checkpoint-5"))
    Path("mine").mkdir()
    Path("mine/run.json").write_text('{"kind": "evaluation"}')
    assert run_overrides(compose(["hydra.run.dir=mine", f"eval_checkpoint={full}"])) == []
    Path("mine/run.json").write_text('{"kind": "training", "status": "failed"}')
    Path("mine/model").mkdir()
    assert run_overrides(compose(["hydra.run.dir=mine"])) == []


def test_a_resumed_run_resumes_in_its_own_directory():
    run = Path("outputs/2026-01-01/00-00-00")
    full = checkpoint(run / "model" / "checkpoint-5")
    (run / "run.json").write_text("{}")
    overrides = run_overrides(compose([f"resume_from_checkpoint={full}"]))
    assert directory_of(overrides).resolve() == run.resolve()
    assert overrides[1].startswith("hydra.output_subdir=.hydra/resumed-")


def test_a_checkpoint_that_is_missing_is_reported_before_a_directory_is_claimed():
    with pytest.raises(UserError, match="no checkpoint"):
        run_overrides(compose(["eval_checkpoint=nowhere"]))
    assert list(Path.cwd().iterdir()) == []


def test_a_contradicted_checkpoint_is_reported_before_a_directory_is_claimed():
    checkpoint(Path("checkpoint-5"), "model=small")
    run_overrides(compose(["model=small", "eval_checkpoint=checkpoint-5"]))
    with pytest.raises(UserError, match="contradict"):
        run_overrides(compose(["model.encoder.layers=9", "eval_checkpoint=checkpoint-5"]))


def test_an_output_directory_of_another_run_is_reported_before_a_directory_is_claimed():
    checkpoint(Path("mine/checkpoint-5"))
    with pytest.raises(UserError, match="holds another run"):
        run_overrides(compose(["training.output_dir=mine"]))
    assert [path.name for path in Path.cwd().iterdir()] == ["mine"]
