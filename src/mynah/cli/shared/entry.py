"""The job that ``mynah train`` and ``mynah eval`` hand to Hydra, as ``src/train_hydra.py`` does."""

from __future__ import annotations

from typing import Any

import hydra
from omegaconf import DictConfig

from mynah.cli.shared.job import run_job
from mynah.config.hydra.compose import CONFIG_NAME, VERSION_BASE
from mynah.config.hydra.search_path import shipped_configs


@hydra.main(config_path=str(shipped_configs()), config_name=CONFIG_NAME, version_base=VERSION_BASE)
def job(config: DictConfig) -> Any:
    """One job: the settings are checked, and handed to ``mynah.run.run``."""
    return run_job(config)
