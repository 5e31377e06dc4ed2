"""The launcher: from Hydra's grid of overrides to :func:`mynah.sweeps.sweep.run_sweep`.

What a job is started with is an ordinary command with ``hydra.run.dir=`` at its end: it can
be pasted and run by itself.
"""

# Annotations are not postponed here: Hydra executes the plugins that it finds before Python
# knows them by name, which a dataclass with postponed annotations does not survive.

import dataclasses
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

if TYPE_CHECKING:
    from mynah.config.schema import Config, LaunchConfig
    from mynah.sweeps.jobs import SweepJob
    from mynah.sweeps.processes import Starter
    from mynah.sweeps.sweep import SweepResult

# Hydra's settings that are of the sweep and not of its jobs.
_OF_THE_SWEEP = (
    "hydra.mode",
    "hydra.sweep",
    "hydra.run.dir",
    "hydra.launcher",
    "hydra.sweeper",
    "hydra/launcher",
    "hydra/sweeper",
)


@dataclass
class ProcessLauncherConf:
    """Settings of the launcher, ``hydra.launcher.*``.

    Attributes:
        n_jobs: Jobs that run at the same time.
        devices: Values for CUDA_VISIBLE_DEVICES, shared out over the jobs that run at the
            same time, as ``["0", "1"]``; null: every job sees all devices.
        for_forecast: Whether the sweep is for the forecast of ``mynah sweep-data`` alone.
    """

    _target_: str = "hydra_plugins.mynah_process_launcher.process_launcher.ProcessLauncher"
    n_jobs: int = 1
    devices: list[str] | None = None
    for_forecast: bool = False


ConfigStore.instance().store(
    group="hydra/launcher",
    name="mynah_process",
    node=ProcessLauncherConf,
    provider="mynah_process_launcher",
)


class JobsFailed(SystemExit):
    """Not all jobs of the sweep went well; what and where was printed already."""


@dataclass
class FailedJob(JobReturn):
    """A job without a result: looking for one ends the sweep with its exit status."""

    exit_status: int = 1

    @property
    def return_value(self) -> Any:
        raise JobsFailed(self.exit_status)


class ProcessLauncher(Launcher):
    """Runs each job of a sweep in a process of its own."""

    def __init__(
        self,
        n_jobs: int = 1,
        devices: Sequence[str] | None = None,
        for_forecast: bool = False,
    ) -> None:
        self.n_jobs = n_jobs
        self.devices = list(devices) if devices else None
        self.for_forecast = for_forecast
        self.is_new = False
        self.config: DictConfig | None = None
        self.hydra_context: HydraContext | None = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Give the sweep its directory: ``hydra.sweep.dir``, and in it one for this grid.

        A directory that was typed is taken as it is. The sweeper writes into the same one: it
        shares ``config``.
        """
        from mynah.errors import UserError

        if self.n_jobs < 1:
            raise UserError(
                f"hydra.launcher.n_jobs is the number of jobs at a time, not {self.n_jobs}.",
                where="command line",
                fix="hydra.launcher.n_jobs=1",
            )
        self.hydra_context = hydra_context
        self.config = config
        typed = any(text.startswith("hydra.sweep.dir=") for text in config.hydra.overrides.hydra)
        if not typed:
            with read_write(config), open_dict(config):
                name = self._sweep_name(list(config.hydra.overrides.task))
                config.hydra.sweep.dir = str(Path(config.hydra.sweep.dir) / name)
        self.is_new = not (Path(config.hydra.runtime.cwd) / config.hydra.sweep.dir).exists()

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Check all jobs, run those that are not done yet, compare all.

        Raises:
            ConfigErrors: A job's configuration has a mistake; none was started then.
            UserError: The corpus or the model of all jobs is not there, or one cannot be started.
        """
        from mynah.config.schema.launch import RAY, SLURM
        from mynah.launching.sweep import launch_of
        from mynah.sweeps.jobs import is_finished, make_jobs
        from mynah.sweeps.sweep import run_sweep

        assert self.config is not None
        working_directory = Path(self.config.hydra.runtime.cwd)
        sweep_directory = (working_directory / str(self.config.hydra.sweep.dir)).absolute()
        configs = [self._compose(overrides) for overrides in job_overrides]
        settings = [dataclasses.asdict(one) for one in configs]
        jobs = make_jobs(job_overrides, settings, sweep_directory, initial_job_idx)
        launch = launch_of(jobs)
        if launch.launcher == SLURM:
            self._submit(jobs, sweep_directory, working_directory)
            return [self._submitted(job) for job in jobs]
        if launch.launcher == RAY and self._handed_over(launch):
            return [self._submitted(job) for job in jobs]
        pairs = zip(jobs, configs, strict=True)
        self._check_shared([config for job, config in pairs if not is_finished(job)])
        with self._room(launch) as (start, at_once):
            result = run_sweep(
                jobs,
                self._command,
                sweep_directory,
                working_directory=working_directory,
                at_once=at_once,
                devices=self.devices,
                start=start,
            )
        return [self._returned(job, result) for job in jobs]

    def search(self, arguments: Sequence[str]) -> "SweepResult | None":
        """Try points of what is varied until there are as many as asked for, and compare all.

        Args:
            arguments: As the sweeper has them.

        Returns:
            What it came to; None: it was started as a job.

        Raises:
            UserError: The folder holds another search, the corpus or the model of all trainings
                is not there, or one cannot be started.
        """
        from mynah.config.schema.launch import RAY, is_launch
        from mynah.config.schema.sweep import is_search_setting
        from mynah.errors import UserError
        from mynah.sweeps.jobs import learned_digest
        from mynah.sweeps.search.objectives import objectives_of
        from mynah.sweeps.search.plan import Search
        from mynah.sweeps.search.reading import read_space
        from mynah.sweeps.search.run import run_search

        assert self.config is not None
        opposite: list[Config] = []
        space, fixed = read_space(self._parser().parse_overrides(list(arguments)))
        # Of the search, and of none of its trainings.
        how = [text for text in arguments if is_search_setting(text) or is_launch(text)]
        config = self._compose([*fixed, *how, *space.overrides(space.corner())])
        with suppress(UserError):
            opposite.append(self._compose([*fixed, *space.overrides(space.opposite_corner())]))
        search = Search(
            space,
            tuple(fixed),
            config.sweep,
            objectives_of(config),
            learned_digest(dataclasses.asdict(config)),
        )
        if config.launch.launcher == RAY and self._handed_over(config.launch):
            return None
        working_directory = Path(self.config.hydra.runtime.cwd)
        with self._room(config.launch) as (start, at_once):
            return run_search(
                search,
                self._compose,
                self._command,
                (working_directory / str(self.config.hydra.sweep.dir)).absolute(),
                seed=config.training.seed,
                working_directory=working_directory,
                at_once=at_once,
                devices=self.devices,
                start=start,
                check=lambda: self._check_shared([config, *opposite]),
            )

    def _check_shared(self, configs: "Sequence[Config]") -> None:
        """Look at what the jobs share that run here; leave nothing where it is not there."""
        from mynah.config.schema.launch import LOCAL
        from mynah.errors import UserError
        from mynah.sweeps.shared import check_shared, leave_nothing

        assert self.config is not None
        working_directory = Path(self.config.hydra.runtime.cwd)
        if any(one.launch.launcher != LOCAL for one in configs):
            return
        try:
            check_shared(configs, working_directory, for_forecast=self.for_forecast)
        except UserError:
            if self.is_new:
                place = working_directory / str(self.config.hydra.sweep.dir)
                leave_nothing(place.absolute(), working_directory)
            raise

    def _handed_over(self, launch: "LaunchConfig") -> bool:
        """Start the sweep as a job on Ray, unless this process is that job."""
        from mynah.launching.on_ray.sweep import handed_over

        assert self.config is not None
        working_directory = Path(self.config.hydra.runtime.cwd)
        place = (working_directory / str(self.config.hydra.sweep.dir)).absolute()
        return handed_over(launch, sys.argv[1:], place, working_directory)

    @contextmanager
    def _room(self, launch: "LaunchConfig") -> "Iterator[tuple[Starter | None, int]]":
        """What starts the jobs, and how many at a time."""
        from mynah.config.schema.launch import RAY

        if launch.launcher != RAY:
            yield None, self.n_jobs
            return
        from mynah.launching.on_ray.sweep import room_for

        assert self.config is not None
        with room_for(launch, self._command, Path(self.config.hydra.runtime.cwd)) as room:
            yield room.start, room.at_once

    def _submit(
        self, jobs: "Sequence[SweepJob]", sweep_directory: Path, working_directory: Path
    ) -> None:
        """Submit all jobs as an array of a cluster, and one behind them that compares them."""
        from mynah.errors import UserError
        from mynah.launching.sweep import submit_sweep

        assert self.config is not None
        if "BasicSweeper" not in str(self.config.hydra.sweeper._target_):
            raise UserError(
                "A search chooses its next job by what the last ones came to, and an array's jobs "
                "are submitted all at once.",
                where="launch.launcher",
                fix="leave launch out, and give the command itself to sbatch; or type a grid",
            )
        submit_sweep(
            jobs, self._command, sweep_directory, working_directory=working_directory,
            arguments=sys.argv[1:],
        )  # fmt: skip

    def _submitted(self, job: "SweepJob") -> JobReturn:
        returned = JobReturn(status=JobStatus.COMPLETED)
        returned.return_value = None
        returned.overrides = list(job.overrides)
        returned.working_dir = str(job.directory)
        return returned

    def _sweep_name(self, overrides: Sequence[str]) -> str:
        from mynah.config.schema.launch import is_launch
        from mynah.sweeps.jobs import sweep_name
        from mynah.sweeps.search.reading import is_extent, read_dimension

        definition = []
        learned = [text for text in overrides if not is_launch(text) and not is_extent(text)]
        for override in self._parser().parse_overrides(learned):
            if not override.is_sweep_override():
                values = [str(override.get_value_element_as_str())]
            elif override.is_discrete_sweep():
                values = [str(value) for value in override.sweep_string_iterator()]
            else:
                values = read_dimension(override).definition
            definition.append((override.get_key_element(), values))
        if self._searches():
            definition.append(("sweep", ["search"]))
        return sweep_name(definition)

    def _searches(self) -> bool:
        assert self.config is not None
        return "mynah_search" in str(self.config.hydra.sweeper._target_)

    def _parser(self) -> Any:
        from hydra.core.override_parser.overrides_parser import OverridesParser

        assert self.hydra_context is not None
        return OverridesParser.create(config_loader=self.hydra_context.config_loader)

    def _compose(self, overrides: Sequence[str]) -> "Config":
        from mynah.config.hydra.compose import compose

        assert self.config is not None
        sources = self.config.hydra.runtime.config_sources
        composed = compose(
            list(overrides),
            directories=[Path(source.path) for source in sources if source.schema == "file"],
            config_name=self.config.hydra.job.config_name,
        )
        return composed.config

    def _command(self, job: "SweepJob", added: list[str]) -> list[str]:
        """The command of one job: the same entry, its overrides, its directory."""
        from mynah.launching.command import config_flags, entry

        assert self.config is not None
        hydra_overrides = [
            text
            for text in OmegaConf.to_container(self.config.hydra.overrides.hydra)  # type: ignore[union-attr]
            if not str(text).lstrip("+~").startswith(_OF_THE_SWEEP)
        ]
        own = [*job.overrides, *map(str, hydra_overrides)]
        output_dir = job.settings.get("training", {}).get("output_dir")
        if output_dir:  # jobs must not share it
            own = [text for text in own if not _sets(text, "training.output_dir")]
            own.append(f"training.output_dir={_quoted(str(Path(output_dir) / job.directory.name))}")
        own.append(f"hydra.run.dir={_quoted(str(job.directory))}")
        return [sys.executable, *entry(), *config_flags(sys.argv[1:]), *own, *added]

    def _returned(self, job: "SweepJob", result: "SweepResult") -> JobReturn:
        outcome = result.outcome_of(job.number)
        if not outcome.well or result.interrupted:
            returned: JobReturn = FailedJob(exit_status=result.exit_status)
            returned.status = JobStatus.FAILED
        else:
            returned = JobReturn(status=JobStatus.COMPLETED)
            returned.return_value = outcome.score.value if outcome.score else None
        returned.overrides = list(job.overrides)
        returned.working_dir = str(job.directory)
        return returned


def _sets(text: str, key: str) -> bool:
    return text.lstrip("+").partition("=")[0] == key


def _quoted(value: str) -> str:
    from mynah.sweeps.sweep import quoted

    return quoted(value)
