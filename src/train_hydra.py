"""Train a speech recognizer, or measure one.

    python src/train_hydra.py                               train with the defaults
    python src/train_hydra.py +experiments=test             an experiment
    python src/train_hydra.py training.learning_rate=1e-4   any setting
    python src/train_hydra.py eval_checkpoint=outputs/model measure a checkpoint
    python src/train_hydra.py --help                        more

Nothing heavy is imported here: a mistake in the configuration is answered in under a second.
"""

from __future__ import annotations

import sys

from mynah import neighbours
from mynah.config.garbage import leave_without_search, uncollected
from mynah.stopping import signals

if __name__ == "__main__":
    signals.take_over()  # what is imported below takes its time
    neighbours.watch()
    leave_without_search()

with uncollected():
    import hydra
    from omegaconf import DictConfig

    from mynah.cli.shared.command_line import command_line
    from mynah.cli.shared.job import run_job
    from mynah.config.hydra.compose import CONFIG_NAME, VERSION_BASE
    from mynah.config.hydra.search_path import shipped_configs


@hydra.main(config_path=str(shipped_configs()), config_name=CONFIG_NAME, version_base=VERSION_BASE)
def main(config: DictConfig) -> None:
    """One job: the settings are checked, and handed to ``mynah.run.run``."""
    return run_job(config)


if __name__ == "__main__":
    sys.exit(command_line(main))
