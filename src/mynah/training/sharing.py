"""What the processes of one training must share, and are compared by before the first step."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mynah import distributed
from mynah.config.schema import Nature
from mynah.config.settings import all_settings, value_of
from mynah.machine import package_versions
from mynah.training.arguments import steps_total
from mynah.training.resuming.resume import fixed_settings

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.preparation.training_rows import PreparedRows
    from mynah.training.planning import PlannedBatches

_COMPARED = (
    Nature.STEP | Nature.ROWS | Nature.MEASURED | Nature.WHEN | Nature.DECODING | Nature.LENGTH
)
_ELSEWHERE = Nature.PATH | Nature.NAME  # may lie elsewhere on another machine
_VERSIONS = ("mynah-asr", "torch", "transformers", "peft")


def check_settings(config: Config) -> None:
    """See that all processes were started to do the same thing; alone, nothing happens.

    Raises:
        UserError: They differ; names, ranks and values are said.
    """
    if distributed.world_size() == 1:
        return
    values = {
        name: value_of(config, name)
        for name, setting in all_settings().items()
        if setting.nature & _COMPARED and not setting.nature & _ELSEWHERE
    }
    values["what is done"] = "training" if config.eval_checkpoint is None else "an evaluation"
    values |= {f"version of {name}": found for name, found in package_versions(_VERSIONS).items()}
    distributed.agree(json.loads(json.dumps(values, default=str)))


def check_plan(planned: PlannedBatches, rows: PreparedRows) -> None:
    """See that all processes learn from the same rows, as long, and measure on the same.

    Raises:
        UserError: They differ; names, ranks and values are said.
    """
    if distributed.world_size() == 1:
        return
    config = planned.config
    values: dict[str, Any] = fixed_settings(config, planned.judged, rows.augmentation)
    values["steps"] = steps_total(planned.plan, config)
    values["batches an epoch"] = planned.plan.batches_per_epoch
    values["training data (fingerprint)"] = rows.training.fingerprint
    for name, corpus in rows.data.measured.items():
        values[f"evaluation data {name} (fingerprint)"] = corpus.fingerprint
    distributed.agree(values)
