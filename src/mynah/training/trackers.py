"""Trackers of curves: TensorBoard, trackio, wandb, mlflow and the others of transformers.

A tracker is a guest: what fails in it is said once and costs its curves, never the training.
A resumed training continues the same curve: what it was called and how far it was written is
kept in ``trackers.json`` beside the model, and steps that were logged already are not logged again
(they are the same, for a resumed training repeats them bit for bit). One that takes another course
from an earlier step on is a run of its own: no server but TensorBoard's files forgets a step, and
one run with two values of it would have both courses on one line.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.integrations.integration_utils import (
    INTEGRATION_TO_CALLBACK,
    TensorBoardCallback,
)

from mynah import console
from mynah.errors import UserError
from mynah.files import read_json, write_json

TENSORBOARD = "tensorboard"
TRACKER_RECORD = "trackers.json"

# Trackers with runs of their own on some server: the variable that names a run to continue.
_RUN_VARIABLES = {"wandb": "WANDB_RUN_ID", "mlflow": "MLFLOW_RUN_ID"}


class Tracker(TrainerCallback):
    """One tracker of transformers, made harmless and able to resume.

    Args:
        name: As ``training.report_to`` gives it.
        make: Makes transformers' callback; called when the training begins.
        directory: Where ``trackers.json`` lies.
        run_name: What the run is called where nothing was set.
        resuming: Whether the training resumes from a checkpoint.
        rewinds: Whether the tracker forgets by itself what lies after the step that is resumed.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], TrainerCallback],
        directory: Path,
        *,
        run_name: str,
        resuming: bool = False,
        rewinds: bool = False,
    ) -> None:
        self.name = name
        self._make = make
        self._directory = directory
        self._run_name = run_name
        self._record = (
            read_json(directory / TRACKER_RECORD).get(name, {}) if resuming and not rewinds else {}
        )
        self._callback: TrainerCallback | None = None
        self._failed = False

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        def begin() -> None:
            self._name_run(args)
            self._callback = self._make()
            self._callback.on_train_begin(args, state, control, **kwargs)
            self._keep(run=self._run_id(), name=args.run_name)

        self._guard(begin)

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        last = self._record.get("step", 0)
        fresh = sorted(set(logs or {}) - {"epoch"})
        # Of one step there may be a line of losses and one of error rates.
        if state.global_step < last or (
            state.global_step == last and set(fresh) <= set(self._record.get("names", []))
        ):
            return

        def log() -> None:
            assert self._callback is not None
            self._callback.on_log(args, state, control, logs=logs, **kwargs)
            same = state.global_step == last
            names = sorted({*fresh, *self._record.get("names", [])}) if same else fresh
            self._keep(step=state.global_step, names=names)

        self._guard(log)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        def end() -> None:
            assert self._callback is not None
            self._callback.on_train_end(args, state, control, **kwargs)

        self._guard(end)

    def _guard(self, action: Callable[[], None]) -> None:
        if self._failed:
            return
        try:
            action()
        except Exception as error:
            self._failed = True
            reason = (str(error).splitlines() or [""])[0]
            console.notice(
                f"The tracker {self.name} failed and gets no more curves of this run; the "
                f"training continues. {type(error).__name__}: {reason}"
            )

    def _name_run(self, args: Any) -> None:
        """Tell the tracker which run this is: the one that is resumed, or a new one."""
        args.run_name = self._record.get("name") or args.run_name or self._run_name
        if self.name == "wandb":
            os.environ.setdefault("WANDB_PROJECT", args.project)
            os.environ.setdefault("WANDB_DIR", str(self._directory))
            os.environ.setdefault("WANDB_RESUME", "allow")
            os.environ.setdefault("WANDB_RUN_ID", self._record.get("run") or secrets.token_hex(4))
        elif self.name == "mlflow" and self._record.get("run"):
            os.environ.setdefault("MLFLOW_RUN_ID", self._record["run"])

    def _run_id(self) -> str | None:
        if self.name == "mlflow":
            import mlflow

            run = mlflow.active_run()
            return run.info.run_id if run else None
        return os.environ.get(_RUN_VARIABLES.get(self.name, ""))

    def _keep(self, **fields: Any) -> None:
        self._record |= fields
        self._directory.mkdir(parents=True, exist_ok=True)
        file = self._directory / TRACKER_RECORD
        write_json(file, read_json(file) | {self.name: self._record}, indent=1)


def begin_course(directory: Path, step: int) -> list[str]:
    """Let the trackers that a training resumes begin a run of their own, under another name.

    Args:
        directory: Where ``trackers.json`` lies.
        step: The one that another course is taken from.

    Returns:
        Their names; not TensorBoard, which forgets by itself what came after the step.
    """
    file = directory / TRACKER_RECORD
    records = {
        name: record
        for name, record in read_json(file).items()
        if name != TENSORBOARD and isinstance(record, dict)
    }
    named = {
        # A longer one each time: trackio knows a run by its name.
        name: {"name": f"{record['name']}-from-{step}"} if record.get("name") else {}
        for name, record in records.items()
    }
    if named:
        try:
            write_json(file, read_json(file) | named, indent=1)
        except OSError as problem:  # a tracker never ends a training
            console.notice(
                f"{file} cannot be written: the curves of this course begin at the step where "
                f"those of the course before ended. {problem}"
            )
            return []
    return sorted(named)


def trackers(names: Sequence[str], directory: Path, *, first_step: int) -> list[Tracker]:
    """A callback for each tracker.

    Args:
        names: As ``training.report_to`` gives them.
        directory: The run's directory: TensorBoard writes into ``tensorboard/`` in it.
        first_step: The step the training resumes from; 0 at its start.

    Raises:
        UserError: The package of one is not installed.
    """
    run_name = "/".join(directory.resolve().parts[-2:])
    found = []
    for name in names:
        make: Callable[[], TrainerCallback] = INTEGRATION_TO_CALLBACK[name]
        rewinds = name == TENSORBOARD
        if rewinds:
            make = _tensorboard(directory / "tensorboard", first_step)
        found.append(
            Tracker(
                name, make, directory, run_name=run_name, resuming=first_step > 0, rewinds=rewinds
            )
        )
    return found


def _tensorboard(folder: Path, first_step: int) -> Callable[[], TrainerCallback]:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UserError(
            "training.report_to names tensorboard, and it is not installed.",
            where="training.report_to",
            fix='pip install "mynah-asr[tracking]"',
        ) from error
    # What an interrupted run logged after this step is logged again.
    purge = first_step + 1 if first_step else None
    return lambda: TensorBoardCallback(SummaryWriter(log_dir=str(folder), purge_step=purge))
