"""One job: the directory it runs in, and the settings that go to ``mynah.run.run``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah.config.compose import Composed, compose, to_config
from mynah.config.exit_status import exit_status, is_first_rank
from mynah.config.values import argument

if TYPE_CHECKING:
    from omegaconf import DictConfig


def run_overrides(composed: Composed) -> list[str]:
    """Hydra's settings of one run: its own directory; none on the ranks behind the first."""
    if not is_first_rank():
        return [
            "hydra.run.dir=.",
            "hydra.output_subdir=null",
            "hydra/job_logging=none",
            "hydra/hydra_logging=none",
        ]
    if any(origin.startswith("hydra.run.dir=") for origin in composed.hydra.overrides.hydra):
        return []

    from mynah import run_directory

    resumed = _resumed_directory(composed)
    if resumed is not None:
        now = datetime.now().strftime("%Y-%m-%d-%H-%M-%S")
        return [
            argument("hydra.run.dir", str(resumed)),
            f"hydra.output_subdir=.hydra/resumed-{now}",
        ]
    wanted = Path(str(composed.hydra.run.dir))
    return [argument("hydra.run.dir", str(run_directory.claim(wanted.parent, wanted.name)))]


def _resumed_directory(composed: Composed) -> Path | None:
    """The directory of the run that is resumed: training goes on in it."""
    config = composed.config
    if config.resume_from_checkpoint is None or config.eval_checkpoint is not None:
        return None

    from mynah import run_directory
    from mynah.config.checkpointed import with_absolute_paths

    here = Path.cwd()
    config = with_absolute_paths(config, here)
    output = Path(config.training.output_dir) if config.training.output_dir else None
    checkpoint = run_directory.resolve_resume(
        config, working_directory=here, output_directory=output
    )
    return run_directory.run_directory_of(checkpoint, here / "outputs")


def run_job(config: DictConfig) -> Any:
    """What Hydra calls for one job: its settings, typed and checked, go to ``mynah.run.run``.

    A run by itself leaves with its exit status, its message shown; a job of a sweep raises,
    so that its launcher knows.
    """
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    hydra = HydraConfig.get()
    directories = [Path(s.path) for s in hydra.runtime.config_sources if s.schema == "file"]

    def action() -> Any:
        composed = compose(
            list(hydra.overrides.task),
            directories=directories,
            config_name=str(hydra.job.config_name),
        )
        from mynah.run import run

        return run(
            to_config(config, composed.origins),
            origins=composed.origins,
            run_directory=Path(hydra.runtime.output_dir),
            working_directory=Path(hydra.runtime.cwd),
        )

    if hydra.mode == RunMode.MULTIRUN:
        return action()
    status = exit_status(action)
    if status:
        raise SystemExit(status)
    return None
