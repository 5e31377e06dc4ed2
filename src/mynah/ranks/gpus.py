"""Each process of a training on a GPU of its own."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mynah.errors import UserError
from mynah.machine import own_gpu
from mynah.ranks.environment import Ranks

if TYPE_CHECKING:
    from torch.distributed import Store  # type: ignore[attr-defined]

_NAMED = 8  # ranks that a message names at most
_FAREWELL_SECONDS = 10.0


def take_gpu() -> int:
    """Let this process train on its own GPU.

    Returns:
        Its number among those that this process sees.

    Raises:
        UserError: There is none that several processes can train on.
    """
    import torch

    if not torch.cuda.is_available():
        raise _of_all(
            "Several processes train together on GPUs with CUDA, or on CPUs; the GPU of this "
            "machine has no CUDA.",
            where="environment variable WORLD_SIZE",
            fix="train with one process, or on the CPU: training.use_cpu=true",
        )
    number = own_gpu()
    torch.cuda.set_device(number)
    # Where each process sees its own GPU alone, Accelerate would give DDP one that is not there.
    os.environ["LOCAL_RANK"] = str(number)
    return number


def check_gpus(ranks: Ranks, store: Store, number: int, seconds: float) -> None:
    """See that no two processes are on the same GPU, which NCCL refuses as an error of its own.

    Whether a launcher gave each its own is in no variable that all of them set: the GPUs tell.

    Args:
        ranks: Who this is.
        store: What the processes share.
        number: This process's GPU, among those that it sees.
        seconds: The longest wait for the others.

    Raises:
        UserError: Two are; every process raises it.
    """
    import torch

    own: Any = torch.cuda.get_device_properties(number)
    identity = "" if torch.version.hip else str(own.uuid)  # not all of AMD's have their own
    store.set(f"gpu/{ranks.rank}", f"{identity}\n{own.name} of {socket.gethostname()}")
    keys = [f"gpu/{rank}" for rank in range(ranks.size)]
    store.wait(keys, timedelta(seconds=seconds))
    users: dict[str, list[int]] = {}
    for rank, found in enumerate(store.multi_get(keys)):
        users.setdefault(found.decode(), []).append(rank)
    store.set(f"gpu seen/{ranks.rank}", "")
    for gpu, sharing in users.items():
        known, _, described = gpu.partition("\n")
        if known and len(sharing) > 1:
            if ranks.rank == 0:  # which may hold what the others are still reading
                _wait_until_all_know(ranks, store)
            raise _shared(sharing, described)


def _wait_until_all_know(ranks: Ranks, store: Store) -> None:
    seen = [f"gpu seen/{rank}" for rank in range(ranks.size)]
    with suppress(RuntimeError):
        store.wait(seen, timedelta(seconds=_FAREWELL_SECONDS))


def _shared(sharing: list[int], gpu: str) -> UserError:
    listed = ", ".join(map(str, sharing[:_NAMED])) + (", …" if len(sharing) > _NAMED else "")
    return _of_all(
        f"{len(sharing)} processes are on one GPU (rank {listed}), and each needs its own.",
        where=gpu,
        fix="start no more processes on a node than it has GPUs (torchrun --nproc-per-node=N, srun "
        "--ntasks-per-node=N), and show each all of them, or its own (srun --gpus-per-task=1)",
    )


def _of_all(what: str, *, where: str, fix: str) -> UserError:
    """An error that every process raises, and the first one prints."""
    error = UserError(what, where=where, fix=fix)
    error.shared = True
    return error
