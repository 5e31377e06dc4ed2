"""The sweeper of a search: hands what is varied to the launcher, which tries point after point.

The command line chooses it where an interval or a setting of ``sweep`` asks for a search; a grid
stays with Hydra's own.
"""

# As in process_launcher.py, annotations are not postponed.

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


@dataclass
class SearchSweeperConf:
    """Settings of the sweeper: none, for they are those of ``sweep``."""

    _target_: str = "hydra_plugins.mynah_search_sweeper.search_sweeper.SearchSweeper"


ConfigStore.instance().store(
    group="hydra/sweeper",
    name="mynah_search",
    node=SearchSweeperConf,
    provider="mynah_search_sweeper",
)


class SearchSweeper(Sweeper):
    """Searches."""

    def __init__(self) -> None:
        self.config: DictConfig | None = None
        self.launcher: Launcher | None = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Take the launcher of a sweep, which has to be Mynah's own.

        Raises:
            UserError: It is another one.
        """
        from hydra.core.plugins import Plugins

        from mynah.errors import UserError

        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        if not hasattr(self.launcher, "search"):
            raise UserError(
                "A search runs its trainings by Mynah's launcher, and not by "
                f"{type(self.launcher).__name__}.",
                where="hydra/launcher",
                fix="hydra/launcher=mynah_process",
            )

    def sweep(self, arguments: list[str]) -> Any:
        """Run the search; exits with its status where that is not 0."""
        assert self.config is not None and self.launcher is not None
        written = Path(self.config.hydra.sweep.dir) / "multirun.yaml"
        with suppress(OSError):  # what keeps the search from being written is said by itself
            written.parent.mkdir(parents=True, exist_ok=True)
            if not written.exists():
                OmegaConf.save(self.config, written)
        result = self.launcher.search(arguments)  # type: ignore[attr-defined]
        if result is not None and result.exit_status:
            raise SystemExit(result.exit_status)
        return result
