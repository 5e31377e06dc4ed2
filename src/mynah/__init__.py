"""Mynah turns recordings and transcripts into a speech recognizer one can trust.

    import mynah

    run = mynah.train(["+experiments=test"])
    print(mynah.evaluate(run.model, "calls/").scores["wer"].value)
    print(mynah.load(run.model).transcribe("call.wav").text)

What the command line does, these functions do; a mistake is a ``mynah.errors.UserError``. Nothing
heavy is imported before one is called.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah.machine import __version__

if TYPE_CHECKING:
    from mynah.data.corpus import Corpus
    from mynah.evaluation.evaluate import Evaluation
    from mynah.inference.load import load
    from mynah.run import Run

# Otherwise the hub's library tells it which program of which kind asks, and asks it for the kinds.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

__all__ = ["__version__", "evaluate", "load", "prepare", "train"]


def __getattr__(name: str) -> Any:
    """``load``, imported when it is first asked for."""
    if name == "load":
        from mynah.inference.load import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def train(settings: Sequence[str] = ()) -> Run:
    """Train, measure and write a report, as ``mynah train`` does, in a directory of its own.

    Args:
        settings: As on the command line: ``key=value``, ``group=option``, ``+experiments=name``.

    Returns:
        The run: its directory, its best model, its evaluations by split, its report.

    Raises:
        UserError: Anything that is the user's to fix, before anything expensive begins.
    """
    from mynah.cli.shared.in_process import run_in_process

    return run_in_process(settings, "mynah train")


def evaluate(
    model: str | Path, data: str | Path | None = None, settings: Sequence[str] = ()
) -> Evaluation:
    """Measure a checkpoint as ``mynah eval`` does.

    Args:
        model: A checkpoint or a run of Mynah.
        data: A folder, a file or a corpus's name; None: what the model was trained to be measured
            on. Of a folder the test split is measured, or the validation split, or all of it.
        settings: As on the command line, as ``data.eval_splits=[test]``.

    Returns:
        The evaluation; of several splits the first, the others are in the run's results.json.

    Raises:
        UserError: Anything that is the user's to fix, before anything expensive begins.
    """
    from mynah.cli.shared.in_process import evaluate_in_process
    from mynah.config.values import argument

    named: list[str] = []
    if data is not None:
        is_there = Path(data).expanduser().exists()
        named = [str(data) if is_there else argument("data.dataset_name", str(data))]
    run = evaluate_in_process([str(model), *named, *settings], "mynah eval")
    return next(iter(run.evaluations.values()))


def prepare(data: str | Path, settings: Sequence[str] = ()) -> Corpus:
    """Decode, filter and list a corpus as ``mynah data prepare`` does; done once, then opened.

    Args:
        data: A folder, a file or a corpus's name.
        settings: As on the command line, as ``data.max_audio_seconds=20``.

    Returns:
        The corpus to train on: a table of utterances with their audio.

    Raises:
        UserError: A mistake in the settings or in the corpus.
    """
    from mynah.cli.data.prepare import prepared_corpora
    from mynah.config.values import argument

    is_there = Path(data).expanduser().exists()
    named = str(data) if is_there else argument("data.dataset_name", str(data))
    corpus = prepared_corpora([named, *settings], "mynah data prepare").train
    assert corpus is not None  # a training corpus is always asked for here
    return corpus
