"""Where the confidences of a trained model are kept."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mynah.checkpoints.commit import commit, copy_to_model_directory, is_intact
from mynah.config.schema import Config
from mynah.inference.confidence import fitting
from mynah.training.confidences import keep_confidences


@pytest.fixture
def keep(tmp_path, monkeypatch):
    """Keeps the confidences of a checkpoint of one of two runs, where the second one trained."""
    fitted = SimpleNamespace(to_json=lambda: "{}", error=None)
    monkeypatch.setattr(fitting, "calibrated", lambda *_: fitted)
    best = {}
    for run in ("first", "second"):
        best[run] = tmp_path / run / "checkpoint-4"
        with commit(best[run]) as staging:
            (staging / "model.safetensors").write_text("weights")
    data = SimpleNamespace(evaluation={"dev": None})
    evaluations = {"dev": SimpleNamespace(hypotheses=[])}

    def kept(run):
        copy_to_model_directory(best[run], tmp_path / "second")
        keep_confidences(
            Config(), None, SimpleNamespace(best_checkpoint=best[run]), tmp_path / "second",
            data, evaluations,
        )  # fmt: skip
        return {
            path.parent.relative_to(tmp_path).as_posix()
            for path in tmp_path.rglob("confidence.json")
        }

    return kept


def test_they_are_kept_with_the_model_and_its_checkpoint(keep, tmp_path):
    assert keep("second") == {"second", "second/checkpoint-4"}
    assert is_intact(tmp_path / "second") and is_intact(tmp_path / "second" / "checkpoint-4")


def test_a_checkpoint_of_the_run_that_was_resumed_from_stays_as_it_is(keep, tmp_path):
    before = (tmp_path / "first" / "checkpoint-4" / "SHA256SUMS").read_bytes()
    assert keep("first") == {"second"}
    assert (tmp_path / "first" / "checkpoint-4" / "SHA256SUMS").read_bytes() == before
