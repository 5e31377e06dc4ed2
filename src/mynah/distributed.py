"""Several processes that train one model: how many there are, and what they tell each other."""

from __future__ import annotations

import atexit
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from mynah.errors import UserError
from mynah.ranks.agreement import check_agreement
from mynah.ranks.environment import PLANNED, SILENCE_SECONDS, Ranks, number
from mynah.ranks.gpus import check_gpus, take_gpu
from mynah.ranks.meeting import meet
from mynah.ranks.watch import Watch

_FIRST_PORT, _LAST_PORT = 20_000, 30_000  # below those that systems give out by themselves
_watch: Watch | None = None  # of this process on the others
_NEGATIVE = re.compile(r"-\d+")
_NODES = re.compile(r"(?P<before>[^,\[]*)\[(?P<numbers>[^\]]+)\](?P<after>[^,]*)")


def adopt_slurm() -> None:
    """Take rank and size from a job step of SLURM that was started as ``srun mynah train ...``.

    Only from a step of several tasks: a batch script that asks for eight tasks and trains with
    one has no step. What torchrun or accelerate launch have set stays as it is.
    """
    tasks = os.environ.get("SLURM_STEP_NUM_TASKS", "1")
    if "RANK" in os.environ or "SLURM_PROCID" not in os.environ or not tasks.isdigit():
        return
    if int(tasks) < 2:
        return
    job = os.environ.get("SLURM_JOB_ID", "0")
    step = os.environ.get("SLURM_STEP_ID", "0")
    found = {
        "RANK": os.environ["SLURM_PROCID"],
        "WORLD_SIZE": tasks,
        "LOCAL_RANK": os.environ.get("SLURM_LOCALID", "0"),
        "MASTER_ADDR": first_host(os.environ.get("SLURM_STEP_NODELIST", "127.0.0.1")),
        # The same on every task, and another one for each step on a node.
        "MASTER_PORT": str(
            _FIRST_PORT + (_number(job) * 7 + _number(step)) % (_LAST_PORT - _FIRST_PORT)
        ),
    }
    for name, value in found.items():
        os.environ.setdefault(name, value)


def quiet_torch() -> None:
    """Keep torch's C++ warnings off the screens of several processes; before torch is imported.

    A pretrained model may drop layers, so DDP is set to look for weights without a gradient; in
    a step that drops none it warns, on every process, that the looking was in vain. Errors are
    printed as ever; TORCH_CPP_LOG_LEVEL wins where it is set.
    """
    if world_size() > 1:
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")


def first_host(nodes: str) -> str:
    """The first node of a list as SLURM writes it: ``gpu[03-05,9],cpu1`` begins with gpu03."""
    match = _NODES.match(nodes)
    if match is None:
        return nodes.partition(",")[0]
    return match["before"] + re.split("[-,]", match["numbers"])[0] + match["after"]


def _number(text: str) -> int:
    digits = re.sub(r"\D", "", text)
    return int(digits) if digits else 0


def world_size() -> int:
    """Processes of this training, as torchrun and accelerate launch set them; 1 alone.

    Raises:
        UserError: The environment has no number.
    """
    return number("WORLD_SIZE", 1)


def planned_ranks() -> int:
    """Ranks that the batches of this training are planned for: as many as there are processes, or
    as many as a launcher would have if none was missing.

    Raises:
        UserError: The environment has no number, or one that the processes cannot share out.
    """
    size = world_size()
    planned = number(PLANNED, size)
    if planned % size:
        raise UserError(
            f"{PLANNED}={planned} is not a multiple of the {size} processes of WORLD_SIZE.",
            where=f"environment variable {PLANNED}",
            fix=f"unset {PLANNED}",
        )
    return planned


def is_first_rank() -> bool:
    """Whether this process is the one of a distributed run that prints for all."""
    text = os.environ.get("RANK", "").strip()
    return not text.isdecimal() or int(text) == 0  # what is wrong with it must be said too


def rank() -> int:
    """Which of them this process is; 0 alone.

    Raises:
        UserError: The environment has no number.
    """
    return number("RANK", 0)


def check_launch() -> None:
    """See that what the launcher has set is possible, before anything is imported for it.

    Raises:
        UserError: It is not.
    """
    try:
        rank()
        # Of one process a negative number is an old way to say that it is alone.
        if world_size() > 1 or not _NEGATIVE.fullmatch(os.environ.get("LOCAL_RANK", "").strip()):
            number("LOCAL_RANK", 0)
        if world_size() > 1:
            Ranks.of_environment()
    except UserError as problem:
        if not is_first_rank():  # which would leave the message to the first
            problem.rank = rank()
        raise


def start_ranks(
    *, on_cpu: bool, timeout_seconds: float | None = None, collective_seconds: float = 1800.0
) -> None:
    """Let the processes find each other; alone, or where they have already, nothing happens.

    Args:
        on_cpu: Whether the model is trained on the CPU (gloo) rather than on GPUs (NCCL).
        timeout_seconds: The longest wait for the others, and the longest silence of one later;
            None: as :class:`Ranks` has it.
        collective_seconds: The longest that one exchange between them may take.

    Raises:
        UserError: They do not find each other, or have no GPUs of their own.
    """
    if world_size() == 1:
        return
    import torch.distributed as dist
    from torch.distributed import PrefixStore  # type: ignore[attr-defined]

    if dist.is_initialized():
        return
    gpu = None if on_cpu else take_gpu()
    global _watch
    ranks = Ranks.of_environment()
    patience = timeout_seconds or ranks.patience_seconds
    store = meet(ranks, patience)
    if gpu is not None:
        check_gpus(ranks, store, gpu, patience)
    dist.init_process_group(
        "gloo" if on_cpu else "nccl",
        store=PrefixStore("group", store),
        rank=ranks.rank,
        world_size=ranks.size,
        timeout=timedelta(seconds=collective_seconds),
    )
    _watch = Watch(ranks, timeout_seconds or SILENCE_SECONDS)
    _watch.start(store)
    atexit.register(_watch.stop)


def agree(values: Mapping[str, Any]) -> None:
    """See that all processes have the same values.

    Raises:
        UserError: They differ; every process raises it.
    """
    if world_size() > 1:
        check_agreement(gather(dict(values)))


def sum_over_ranks(values: Sequence[float], device: Any) -> list[float]:
    """Sum each value over all ranks, in double precision; alone they are returned as they are."""
    if world_size() == 1:
        return list(values)
    import torch
    import torch.distributed as dist

    tensor = torch.tensor(list(values), dtype=torch.float64, device=device)
    dist.all_reduce(tensor)
    return tensor.tolist()


def gather(value: Any) -> list[Any]:
    """One value of each rank, in their order, on every rank."""
    if world_size() == 1:
        return [value]
    import torch.distributed as dist

    gathered = [None] * world_size()
    dist.all_gather_object(gathered, value)
    return gathered


@contextmanager
def together() -> Iterator[None]:
    """What fails in the block on one rank fails on every rank, once all have left it.

    Without it the others would wait for the one that is gone. What each of them raises is its
    own; one where nothing failed raises a copy of the first failure.
    """
    if world_size() == 1:
        yield
        return
    problem: BaseException | None = None
    try:
        yield
    except BaseException as error:
        problem = error
    failures = [failed for failed in gather(_portable(problem)) if failed is not None]
    if problem is not None:
        raise problem
    if failures:
        _share(failures[0])
        raise failures[0]


def _share(problem: BaseException) -> None:
    if isinstance(problem, UserError):
        problem.shared = True


def _portable(problem: BaseException | None) -> BaseException | None:
    """An error as another process can have it."""
    import pickle

    if problem is None:
        return None
    try:
        copied: BaseException = pickle.loads(pickle.dumps(problem))
        return copied
    except Exception:
        return RuntimeError(f"{type(problem).__name__}: {problem}")


@contextmanager
def own_errors() -> Iterator[None]:
    """Mark what is this rank's own error, and say it where another rank is gone.

    Raises:
        UserError: Another process ended; the message that tells why is its own.
    """
    if world_size() == 1:
        yield
        return
    reason: str | None = None
    try:
        yield
    except UserError as problem:
        if rank() > 0 and not problem.shared:
            problem.rank = rank()
        reason = problem.what
        raise
    except RuntimeError as problem:
        reason = f"{type(problem).__name__}: {problem}"
        if not _is_lost_peer(problem):
            raise
        raise _lost(problem) from problem
    except BaseException as problem:
        reason = f"{type(problem).__name__}: {problem}"
        raise
    finally:
        if _watch is not None:
            _watch.finish(reason)


def _lost(problem: RuntimeError) -> UserError:
    """What is known of a process that another one waits for in vain."""
    said = _watch.reasons() if _watch is not None else ""
    silent = "Timed out" in str(problem)
    lost = UserError(
        f"Another process of this training {'does not answer' if silent else 'ended'}, so this "
        f"one (rank {rank()}) ends too. {said}".rstrip(),
        fix="its own message says why; resume with resume_from_checkpoint=last",
    )
    if rank() > 0:
        lost.rank = rank()
    return lost


def _is_lost_peer(problem: RuntimeError) -> bool:
    import torch.distributed as dist

    signs = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "gloo")
    return isinstance(problem, dist.DistError) or any(sign in str(problem) for sign in signs)


def gather_to_first(value: Any) -> list[Any]:
    """One value of each rank, in their order, on rank 0; elsewhere an empty list."""
    if world_size() == 1:
        return [value]
    import torch.distributed as dist

    gathered = [None] * world_size() if rank() == 0 else None
    dist.gather_object(value, gathered)
    return gathered or []


def on_first(action: Callable[[], Any]) -> Any:
    """What rank 0's ``action`` gives, on every rank; what it raises is raised on every rank."""
    if world_size() == 1:
        return action()
    found: Any = None
    problem: Exception | None = None
    if rank() == 0:
        try:
            found = action()
        except Exception as error:
            problem = error
    found, problem = from_first((found, problem))
    if problem is not None:
        _share(problem)
        raise problem
    return found


def from_first(value: Any) -> Any:
    """Rank 0's value, on every rank."""
    if world_size() == 1:
        return value
    import torch.distributed as dist

    box = [value]
    dist.broadcast_object_list(box)
    return box[0]
