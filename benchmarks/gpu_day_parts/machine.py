"""What the machine is: versions, the rate of a matrix product, of copies; and the models' files."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from gpu_day_parts import models
from gpu_day_parts.context import Context, cores
from gpu_day_parts.flops import peak_of
from gpu_day_parts.lines import Lines
from gpu_day_parts.processes import Child, note_running

_REPEATS = 10
_MATMUL_SHARE = 0.6  # of the data sheet's peak, that a large product of random values reaches


def machine(context: Context, lines: Lines) -> None:
    """Versions, cores, the GPU; TFLOP/s of a large product; GB/s of copies to it."""
    import torch

    from mynah.machine import untested_versions, versions

    for name, version in versions().items():
        lines.figure(name, version)
    untested = untested_versions()
    lines.check(
        "versions that Mynah is tested with", "; ".join(untested) or "all of them",
        expected="all", held=not untested,
    )  # fmt: skip
    lines.figure("cores of this process", cores())
    gpu = torch.cuda.is_available()
    device = torch.device("cuda" if gpu else "cpu")
    if gpu:
        properties = torch.cuda.get_device_properties(0)
        lines.figure("GPU", properties.name)
        lines.figure("GPU memory", properties.total_memory / 2**30, "GiB")
        lines.figure("CUDA of torch", str(torch.version.cuda))
        lines.check(
            "bfloat16", torch.cuda.is_bf16_supported(), expected="a GPU that has it",
            held=torch.cuda.is_bf16_supported(),
        )  # fmt: skip
    _matmul(context, lines, device)
    if gpu:
        _copies(lines, device)


def _matmul(context: Context, lines: Lines, device: object) -> None:
    import torch

    size = context.sized(8192, 256)
    dtype = context.sized(torch.bfloat16, torch.float32)
    a = torch.randn(size, size, device=device, dtype=dtype)  # type: ignore[call-overload]
    b = torch.randn(size, size, device=device, dtype=dtype)  # type: ignore[call-overload]
    rate = 2 * size**3 / _seconds(lambda: a @ b)
    what = f"product of {size} x {size} matrices, {str(dtype).removeprefix('torch.')}"
    peak = peak_of(torch.cuda.get_device_name(0)) if torch.cuda.is_available() else None
    if peak is None:
        lines.figure(what, rate / 1e12, "TFLOP/s")
        return
    lines.check(
        what, rate / 1e12, "TFLOP/s",
        expected=f"{_MATMUL_SHARE:.0%} of {peak / 1e12:.0f} (data sheet) at least",
        held=rate >= _MATMUL_SHARE * peak,
    )  # fmt: skip


def _copies(lines: Lines, device: object) -> None:
    import torch

    size = 256 << 20
    target = torch.empty(size, dtype=torch.uint8, device=device)  # type: ignore[call-overload]
    pageable = torch.ones(size, dtype=torch.uint8)
    pinned = pageable.pin_memory()
    rates = {
        name: size / _seconds(partial(target.copy_, source, non_blocking=True)) / 1e9
        for name, source in (("pageable", pageable), ("pinned", pinned))
    }
    for name, rate in rates.items():
        lines.figure(f"copy to the GPU from {name} memory", rate, "GB/s")
    lines.check(
        "pinned against pageable", rates["pinned"] / rates["pageable"], "x",
        expected="more than 1", held=rates["pinned"] > rates["pageable"],
    )  # fmt: skip


def _seconds(act: Callable[[], object]) -> float:
    """Of one call, the mean of several behind one that warms up."""
    import torch

    def settled() -> float:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter()

    act()
    began = settled()
    for _ in range(_REPEATS):
        act()
    return (settled() - began) / _REPEATS


def write_models(context: Context, lines: Lines) -> None:
    """Models with random weights at published sizes, all at a time; tiny ones where all is tiny."""
    began = time.monotonic()
    children = {}
    if not context.toy:
        for name in models.LARGE:
            act = partial(_write, context, name)
            children[name] = Child(Path.cwd(), Path.cwd() / f"{name}.txt", act=act)
        note_running(Path.cwd(), children.values())
    while not all(child.ended() for child in children.values()):
        time.sleep(0.05)
    for name in models.LARGE:
        status = children[name].status if name in children else 0
        count = models.parameters(models.large(context, name)) if status == 0 else 0
        lines.check(f"weights of {name}", count, "parameters", expected="written", held=status == 0)
    lines.figure("time for all of them", time.monotonic() - began, "s")


def _write(context: Context, name: str) -> int:
    models.write_large(context, name)
    return 0
