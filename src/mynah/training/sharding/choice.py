"""Whether the weights of a training are sharded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mynah import console, distributed
from mynah.training.sharding.placement import Replicated

if TYPE_CHECKING:
    from mynah.data.positions import Key
    from mynah.training.job import Job


def placement_of(job: Job[Key]) -> Replicated:
    """Where the weights of a training are, by ``training.fsdp`` and the number of processes.

    Raises:
        UserError: The model cannot be sharded.
    """
    if not job.config.training.fsdp:
        return Replicated()
    if distributed.world_size() == 1:
        console.notice(
            "training.fsdp has no effect: one process holds all weights (torchrun "
            "--nproc-per-node=N starts several)."
        )
        return Replicated()
    from mynah.training.sharding.sharded import Sharded, check

    check(job.family.model)
    return Sharded(job.family.model, may_leave_out=job.family.pretrained)
