"""What all jobs of a sweep share: looked at once, before the first of them starts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from mynah.config.checkpointed import with_absolute_paths
from mynah.config.schema import Config
from mynah.errors import UserError
from mynah.offline import network_only_if
from mynah.sweeps import data_curve
from mynah.sweeps.jobs import job_digest
from mynah.sweeps.search.storage import FILES

# What a sweep writes before its first job.
_WRITTEN = ("multirun.yaml", "sweep.log", ".lock", *FILES.values())

Found = TypeVar("Found")


def check_shared(
    configs: Sequence[Config], working_directory: Path, *, for_forecast: bool = False
) -> None:
    """Find the model and prepare the corpus, as each job would do by itself.

    What is wrong with some of the jobs alone is theirs: their logs say it.

    Args:
        configs: The settings of the jobs that are about to run, or of some that stand for all.
        working_directory: What relative paths are relative to.
        for_forecast: Refuse a smallest share of the training data that shows no curve.

    Raises:
        UserError: The same keeps all of them from running.
    """
    if not configs or any(one.eval_checkpoint is not None for one in configs):
        return
    by_share = sorted(configs, key=lambda one: one.data.train_share)
    absolute = [with_absolute_paths(one, working_directory) for one in by_share]
    with network_only_if(not any(one.offline for one in absolute)):
        _first_found(_distinct(absolute, "model"), _find_model)
        smallest, utterances = _first_found(
            _distinct(absolute, "data"), lambda one: _prepare(one, working_directory)
        )
    if for_forecast and utterances is not None:
        data_curve.check_share(smallest.data.train_share, utterances)


def leave_nothing(sweep_directory: Path, working_directory: Path) -> None:
    """Remove the new folder of a sweep that started no job, and what it made empty."""
    with suppress(OSError):
        for name in _WRITTEN:
            (sweep_directory / name).unlink(missing_ok=True)
        for folder in (sweep_directory, *sweep_directory.parents):
            if folder == working_directory or not folder.is_relative_to(working_directory):
                return
            folder.rmdir()


def _distinct(configs: Sequence[Config], section: str) -> list[Config]:
    """One of the settings for each way in which they differ in a section."""
    by_digest: dict[str, Config] = {}
    for one in configs:
        by_digest.setdefault(job_digest(dataclasses.asdict(getattr(one, section))), one)
    return list(by_digest.values())


def _first_found(
    configs: Sequence[Config], look: Callable[[Config], Found]
) -> tuple[Config, Found | None]:
    """The first settings for which what is looked for is there, and what was found.

    Returns:
        None is found where nothing is, for different reasons.

    Raises:
        UserError: It is there for none of them, for one and the same reason.
    """
    problem: UserError | None = None
    for one in configs:
        try:
            return one, look(one)
        except UserError as found:
            if problem is not None and str(found) != str(problem):
                return one, None
            problem = problem or found
    assert problem is not None
    raise problem


def _find_model(config: Config) -> None:
    from mynah.models import registry

    registry.named_parts(config.model, offline=config.offline)


def _prepare(config: Config, working_directory: Path) -> int | None:
    """Prepare a corpus; how many utterances it trains on, None where it is streamed."""
    from mynah.data.preparation.training_rows import found_rows

    training = found_rows(config, working_directory).data.train
    return None if training is None else len(training)
