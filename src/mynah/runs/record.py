"""``run.json``: what a run is and how far it came, for resuming, sweeps and people."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah.config.derived import is_pretrained
from mynah.config.schema import Config, Nature
from mynah.config.settings import deciding_only, leaves
from mynah.config.tuning import tuning
from mynah.distributed import is_first_rank
from mynah.errors import UserError
from mynah.files import display_path, read_json, write_json
from mynah.machine import package_versions
from mynah.runs.process import this_process

if TYPE_CHECKING:
    from filelock import FileLock

RECORD = "run.json"
_LOCK = ".lock"  # of a model directory
# Of settings of data whose default has changed since: a run has the identity that it had.
_DEFAULTS_OF_BEFORE = {"on_other_script": "drop"}
_MODEL_DEFAULTS_OF_BEFORE = {"language_model_weight": 0.7}  # likewise of settings of the model
_VERSIONED = ("mynah-asr", "torch", "transformers", "peft", "accelerate", "datasets")


def identity(config: Config) -> dict[str, Any]:
    """Data, model and seed of a run: two runs that agree in it learn the same thing.

    Args:
        config: The settings, paths made absolute.

    Returns:
        ``data`` and ``model`` as the digest of their settings, ``seed`` as it is.
    """
    # Only what differs from the defaults: a later version's new settings change nothing.
    data = _changed(config.data)
    for name, default in _DEFAULTS_OF_BEFORE.items():
        data[name] = getattr(config.data, name)
        if data[name] == default:
            del data[name]
    for name in deciding_only(Nature.RUN | Nature.MEASURED, "data"):
        data.pop(name.removeprefix("data."), None)
    model = _changed(config.model)
    for name, weight in _MODEL_DEFAULTS_OF_BEFORE.items():
        if model.get(name) == weight:
            del model[name]
    if not (is_pretrained(config.model) and tuning(config.model).adapts):
        model = {name: v for name, v in model.items() if name not in leaves(Nature.LORA, "model")}
    return {"data": _digest(data), "model": _digest(model), "seed": config.training.seed}


def read_record(run_directory: Path) -> dict[str, Any]:
    """What ``run.json`` says, or an empty dict where there is none that can be read."""
    return read_json(run_directory / RECORD)


def check_run(directory: Path) -> None:
    """Find a folder that is not a run's directory.

    Raises:
        UserError: It is not one.
    """
    if not (directory / RECORD).is_file():
        raise UserError(
            f"{display_path(directory)} is not a run: there is no {RECORD} in it.",
            where=str(directory),
            fix="mynah runs  lists them",
        )


def record(run_directory: Path, **fields: Any) -> None:
    """Set fields of ``run.json``; a reader sees the old file or the new one, never a part."""
    write_json(run_directory / RECORD, read_record(run_directory) | fields, indent=2)


@dataclass
class RunRecord:
    """The record of the current run.

    A training also locks its model directory, so that two runs never write to the same one at
    a time. The lock is the operating system's: it goes when the process does, however it ends.

    Attributes:
        directory: The run's directory.
        status: How it is to end where :meth:`of_run` ends without an error; None: ``done``.
    """

    directory: Path
    _lock: FileLock | None = None
    status: str | None = None

    @classmethod
    def start(cls, directory: Path, config: Config, order: int | None = None) -> RunRecord:
        """Write that the run began: identity, output directory, seed, versions.

        Args:
            directory: The run's directory.
            config: The settings.
            order: Its place among the runs that began, or were resumed, beside it.

        In a distributed run only the first rank does.

        Raises:
            UserError: Another run is training into the same model directory at this moment.
        """
        if not is_first_rank():
            return cls(directory)
        typed = config.training.output_dir
        output = Path(typed).absolute() if typed else directory / "model"
        lock = None if config.eval_checkpoint else _lock(output)
        record(
            directory,
            kind="evaluation" if config.eval_checkpoint else "training",
            status="running",
            identity=identity(config),
            seed=config.training.seed,
            output_dir=str(output),
            order=order,
            started=_now(),
            finished=None,
            **this_process(),
            versions=package_versions(_VERSIONED),
        )
        return cls(directory, lock)

    @classmethod
    @contextmanager
    def of_run(
        cls, directory: Path, config: Config, order: int | None = None
    ) -> Iterator[RunRecord]:
        """:meth:`start`, and :meth:`finish` however the block ends.

        A block that ends without an error is ``done``, or what it set as :attr:`status`.
        """
        record = cls.start(directory, config, order)
        try:
            yield record
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt)
            # What cannot be written now, on a full disk, must not hide why the run ended.
            with suppress(OSError):
                record.finish("interrupted" if interrupted else "failed")
            raise
        record.finish(record.status or "done")

    def finish(self, status: str, **fields: Any) -> None:
        """Write how it ended: ``done``, ``interrupted`` or ``failed``."""
        try:
            if is_first_rank():
                record(self.directory, status=status, finished=_now(), **fields)
        finally:
            if self._lock is not None:
                self._lock.release()


def is_locked(output: Path) -> bool:
    """Whether a training writes into a model directory at this moment, as far as its lock tells:
    not every file system, or two machines of one, has locks."""
    if not (output / _LOCK).is_file():
        return False
    try:
        lock = _lock(output)
    except UserError:
        return True
    if lock is not None:
        lock.release()
    return False


def _lock(output: Path) -> FileLock | None:
    """Lock a model directory for this process; None on a file system without locks."""
    import filelock

    output.mkdir(parents=True, exist_ok=True)
    # Never by a mere file, which a process that is killed would leave locked; and for the
    # process, not for a thread of it.
    lock = filelock.FileLock(output / _LOCK, fallback_to_soft=False, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as problem:
        raise UserError(
            "Another run is training into this directory right now.",
            where=f"training.output_dir={output}",
            fix="wait for it, or leave training.output_dir away",
        ) from problem
    except (OSError, NotImplementedError):
        return None
    return lock


def _changed(section: Any) -> dict[str, Any]:
    """The settings of a section, nested ones too, that are not at their defaults."""
    defaults = type(section)()
    changed: dict[str, Any] = {}
    for field in dataclasses.fields(section):
        value, default = getattr(section, field.name), getattr(defaults, field.name)
        if value == default:
            continue
        nested = dataclasses.is_dataclass(value) and not isinstance(value, type)
        changed[field.name] = _changed(value) if nested else value
    return changed


def _digest(settings: dict[str, Any]) -> str:
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
