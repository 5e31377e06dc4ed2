"""The machine a run is on: device, threads, seeds, versions."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from mynah.config.schema import Config

__version__ = "0.1.0"  # of Mynah
TOO_LONG = "too long for the memory"  # in what is said of audio on which memory ran out
_MACHINE_ID = Path("/etc/machine-id")
_SAYINGS = (  # of torch's allocators, where the error has no class of its own
    "out of memory",
    "can't allocate memory",
    "not enough memory",
)
_SAID = 200  # letters of what an allocator says

_REPORTED = (
    "mynah-asr", "torch", "transformers", "peft", "accelerate", "datasets", "tokenizers",
    "numpy", "rapidfuzz", "hydra-core",
)  # fmt: skip

# Of what a command runs through: the lowest and the newest version that it is tested with. Of
# hydra-core and omegaconf mynah.config.hydra needs inner modules too.
TESTED = {
    "transformers": ("5.23", "5.24"),
    "peft": ("0.21", "0.21"),
    "accelerate": ("1.15", "1.15"),
    "datasets": ("5.2", "5.2"),
    "hydra-core": ("1.3", "1.3"),
    "omegaconf": ("2.3", "2.3"),
}


def device_for(config: Config) -> torch.device:
    """CUDA, then MPS, then the CPU; the CPU alone with ``training.use_cpu=true``."""
    import torch

    if getattr(config.training, "use_cpu", False):
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda", own_gpu())
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def own_gpu() -> int:
    """The number of this process's GPU among those that it sees.

    torchrun, Ray and most job steps show the processes of a node all its GPUs; a step with
    ``--gpus-per-task=1`` shows each its own, which is number 0. Accelerate counts alike.
    """
    import torch

    text = os.environ.get("LOCAL_RANK", "").strip()
    place = int(text) if text.isdecimal() else 0  # -1, an old way to say that it is alone
    return place % max(torch.cuda.device_count(), 1)


def describe_device(model: Any) -> str:
    """The device a model lies on, in words for the summary."""
    import torch

    device = next(model.parameters()).device
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"
    if device.type == "mps":
        return "Apple GPU (MPS)"
    return f"CPU, {torch.get_num_threads()} threads"


def describe_machine(model: Any) -> str:
    """What decides in which order sums are rounded: device, threads, version of torch."""
    import torch

    return f"{describe_device(model)}, torch {torch.__version__}"


def use_threads(config: Config) -> None:
    """Set torch's threads: ``training.cpu_threads``, or one a core this process may use."""
    import torch

    # Inside a container or a SLURM step a process may own fewer cores than the machine has.
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    wanted = config.training.cpu_threads or available or os.cpu_count() or 1
    if config.training.cpu_threads is not None or "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(wanted)


def process_space() -> str:
    """Where process numbers mean the same: one start of one system, and one namespace of it; empty
    where that cannot be known."""
    try:
        started = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{started}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def machine_id() -> str:
    """What tells this machine from another of the same name, whenever it was started; empty where
    the system has no such id. It is a digest: the id itself is not to be shown (machine-id(5))."""
    try:
        text = _MACHINE_ID.read_text().strip()
    except (OSError, ValueError):
        return ""
    if not re.fullmatch(r"[0-9a-f]{32}", text):
        return ""
    return hashlib.blake2b(text.encode(), key=b"mynah run", digest_size=8).hexdigest()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on any device."""
    if not isinstance(error, RuntimeError):
        return isinstance(error, MemoryError)
    import torch

    of_gpu = isinstance(error, torch.OutOfMemoryError)
    return of_gpu or any(said in str(error) for said in _SAYINGS)


def too_long(seconds: float, error: BaseException) -> str:
    """What is said of audio that was decoded by itself when memory ran out.

    Args:
        seconds: How long it is.
        error: What the allocator raised.

    Returns:
        Part of a sentence, with ``TOO_LONG`` in it.
    """
    said = (str(error).splitlines() or [""])[0].rstrip(".")[:_SAID]
    return f"{seconds:.1f} s of audio are {TOO_LONG}" + (f": {said}" if said else "")


def release_memory() -> None:
    """Give freed memory back to the system, which glibc keeps for the next time: after work on
    all rows of a large corpus that is a tenth of a gigabyte."""
    import ctypes

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


def seed_everything(seed: int) -> None:
    """Seed Python's, numpy's and torch's generators."""
    import random

    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def untested_versions() -> list[str]:
    """A sentence for each library outside the versions that Mynah is tested with; imports none."""
    said = []
    for name, installed in package_versions(list(TESTED)).items():
        lowest, newest = TESTED[name]
        if not _minor(lowest) <= _minor(installed) <= _minor(newest):
            known = lowest if lowest == newest else f"{lowest} to {newest}"
            said.append(
                f"{name} {installed} is not a version that Mynah is tested with ({known}); where "
                f'something goes wrong, try  pip install "{name}=={newest}.*"'
            )
    return said


def _minor(version: str) -> tuple[int, ...]:
    """Major and minor number of a version, as ``5.24.0.dev0``."""
    numbers = re.findall(r"\d+", version)
    return tuple(int(number) for number in numbers[:2])


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide a result; imports none of them."""
    import platform

    return {"python": platform.python_version(), **package_versions(_REPORTED)}


def package_versions(names: Sequence[str]) -> dict[str, str]:
    """Versions of the packages that are installed, of those named; none is imported."""
    from importlib import metadata

    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
