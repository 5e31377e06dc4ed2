"""One archive for a box with a GPU and no network: wheels of what it lacks, and the GPU day.

    python benchmarks/gpu_day_wheels.py --archive gpu_day.tar
    python benchmarks/gpu_day_wheels.py --archive four_bit.tar --four-bit
    python benchmarks/gpu_day_wheels.py --archive gpu_day.tar --rehearse box

What the box has is listed in a file (``gpu_day_box.txt``: Python 3.12, torch 2.11 for CUDA 13,
transformers 5.17). From Mynah's requirements down, what the list does not satisfy is gathered, in
the versions of constraints.txt. On the box:

    tar xf gpu_day.tar && bash gpu_day/run.sh --json gpu_day.json

The sizes are printed; an archive over the limit is refused with exit status 2 and not written.
``--rehearse DIR`` makes an environment like the box's in DIR, with a torch for the CPU,
and runs the archive in it at toy sizes.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
_LIMIT_MIB = 64
# What travels beside the wheels: the program, and the models with random weights that it builds on.
_FILES = ("benchmarks/gpu_day.py", "benchmarks/gpu_day_parts/*.py", "tests/standins*.py")
_PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in (39, 35, 34, 31, 28, 27, 24, 17, 12, 5)]
_PLATFORMS += ["manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"]
_RUN = """\
#!/usr/bin/env bash
# On a box without a network: bash run.sh [options of benchmarks/gpu_day.py]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=${PYTHON:-python3}
if [ ! -d "$here/site" ]; then
    "$python" -m pip install --quiet --no-index --no-deps --no-compile \\
        --target "$here/site" "$here"/wheels/*.whl
fi
PYTHONPATH=$here/site exec "$python" "$here/benchmarks/gpu_day.py" "$@"
"""


class Refused(Exception):  # noqa: N818 - it is said and ends the program
    """What a person has to change."""


@dataclass
class Needed:
    """What a box lacks, and what it is taken to have.

    Attributes:
        gathered: Versions by name, as ``==2.3.1``: those of the constraints, or that are here.
        present: Names that the box's list satisfies.
    """

    gathered: dict[str, str] = field(default_factory=dict)
    present: set[str] = field(default_factory=set)


def main() -> int:
    asked = _parser().parse_args()
    try:
        box = read_box(Path(asked.box).read_text(encoding="utf-8"))
        found = needed(_requirements(four_bit=asked.four_bit), box, python=asked.python)
        if asked.list:
            for name, version in sorted(found.gathered.items()):
                print(f"{name}{version}")
            return 0
        with tempfile.TemporaryDirectory() as folder:
            wheels = Path(folder) / "wheels"
            gather(found.gathered, wheels, python=asked.python)
            for wheel in wheels.glob("bitsandbytes-*.whl"):
                keep_for_cuda(wheel, asked.cuda)
            pack(wheels, Path(asked.archive), limit_mib=asked.limit_mib)
        if not asked.rehearse:
            return 0
        return rehearse(Path(asked.archive), Path(asked.rehearse), found.present, box, asked)
    except Refused as problem:
        print(f"Refused: {problem}", file=sys.stderr)
        return 2


def read_box(text: str) -> dict[str, str | None]:
    """Version by name of a list of packages; None where any will do."""
    found: dict[str, str | None] = {}
    for line in text.splitlines():
        name, _, version = line.partition("#")[0].strip().partition("==")
        if name:
            found[canonicalize_name(name.strip())] = version.strip() or None
    return found


def needed(requirements: list[str], box: Mapping[str, str | None], *, python: str) -> Needed:
    """What has to be gathered for some requirements, theirs included.

    Args:
        requirements: As in a pyproject.toml.
        box: What is there: :func:`read_box`.
        python: The box's, as 3.12: requirements may depend on it.
    """
    found, pins = Needed(), _pins()
    waiting = [one for one in map(Requirement, requirements) if _applies(one, python)]
    seen: set[str] = set()
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if f"{name} {wanted.specifier} {sorted(wanted.extras)}" in seen:
            continue
        seen.add(f"{name} {wanted.specifier} {sorted(wanted.extras)}")
        if _satisfied(wanted, box) and name not in found.gathered:
            found.present.add(name)
            continue
        try:
            installed = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            # Nothing is known of what it needs: of bitsandbytes torch and numpy, which are there.
            found.gathered[name] = f"=={pins[name]}" if name in pins else str(wanted.specifier)
            continue
        found.gathered[name] = f"=={pins.get(name, installed.version)}"
        found.present.discard(name)
        waiting += _below(installed, wanted, python)
    return found


def _below(
    installed: importlib.metadata.Distribution, wanted: Requirement, python: str
) -> Iterator[Requirement]:
    """What a package needs on the box, with the extras that were asked for."""
    below = map(Requirement, installed.requires or [])
    return (one for one in below if _applies(one, python, wanted.extras))


def _applies(requirement: Requirement, python: str, extras: Iterable[str] = ()) -> bool:
    """Whether a requirement is one on the box."""
    environment = {
        "python_version": python, "python_full_version": f"{python}.3", "sys_platform": "linux",
        "platform_system": "Linux", "platform_machine": "x86_64", "os_name": "posix",
        "implementation_name": "cpython", "platform_python_implementation": "CPython",
    }  # fmt: skip
    marker = requirement.marker
    return marker is None or any(
        marker.evaluate(environment | {"extra": extra}) for extra in ("", *extras)
    )


def _satisfied(wanted: Requirement, box: Mapping[str, str | None]) -> bool:
    name = canonicalize_name(wanted.name)
    if name not in box:
        return False
    version = box[name]
    return version is None or wanted.specifier.contains(version, prereleases=True)


def _requirements(*, four_bit: bool) -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = project["optional-dependencies"]["quantization"] if four_bit else []
    return [*project["dependencies"], *extra]


def _pins() -> dict[str, str]:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    return {name: version for name, version in read_box(text).items() if version is not None}


def gather(versions: Mapping[str, str], wheels: Path, *, python: str) -> None:
    """Download the wheels of some versions for a Linux box, and build Mynah's own.

    Raises:
        Refused: There is no wheel of a package, and it is not one that is built the same anywhere.
    """
    wheels.mkdir(parents=True)
    short = python.replace(".", "")
    target = [f"--python-version={python}", "--implementation=cp", "--only-binary=:all:"]
    target += [f"--abi={abi}" for abi in (f"cp{short}", "abi3", "none")]
    target += [f"--platform={platform}" for platform in _PLATFORMS]
    for name, version in sorted(versions.items()):
        pinned = f"{name}{version}"
        done = _pip("download", "--no-deps", "-d", str(wheels), *target, pinned)
        if done.returncode == 0:
            continue
        done = _pip("wheel", "--no-deps", "-w", str(wheels), pinned)
        made = [*wheels.glob(f"{re.sub('[-_.]+', '_', name)}-*.whl")]
        if done.returncode or not made or not made[0].name.endswith("none-any.whl"):
            raise Refused(f"there is no wheel of {pinned} for such a box:\n{done.stderr[-1000:]}")
    done = _pip("wheel", "--no-deps", "-w", str(wheels), str(ROOT))
    if done.returncode:
        raise Refused(f"Mynah's own wheel could not be built:\n{done.stderr[-1000:]}")


def keep_for_cuda(wheel: Path, version: str) -> None:
    """Take the libraries for other versions of CUDA, and for other makers' GPUs, out of a wheel.

    Args:
        wheel: That of bitsandbytes, with a library for each, as ``libbitsandbytes_cuda130.so``.
        version: Of the box's CUDA: its major number, as 13.
    """
    other = re.compile(rf"libbitsandbytes_(?!cpu|cuda{version}\d)\w+\.so")
    smaller = wheel.with_suffix(".smaller")
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(smaller, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            if other.search(member.filename):
                continue
            content = old.read(member)
            if member.filename.endswith(".dist-info/RECORD"):
                lines = content.decode().splitlines(keepends=True)
                content = "".join(line for line in lines if not other.search(line)).encode()
            new.writestr(member, content)
    smaller.replace(wheel)


def _pip(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", *words, "--disable-pip-version-check"]
    environment = {name: value for name, value in os.environ.items() if name != "PIP_CONSTRAINT"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def pack(wheels: Path, target: Path, *, limit_mib: float) -> None:
    """Write the archive, and say what is in it and how large that is.

    Raises:
        Refused: It would be larger than the limit; nothing is written.
    """
    with tempfile.TemporaryDirectory() as folder:
        staging, script = Path(folder) / "archive.tar", Path(folder) / "run.sh"
        script.write_text(_RUN, encoding="utf-8")
        with tarfile.open(staging, "w") as archive:  # a wheel is compressed already
            for wheel in sorted(wheels.glob("*.whl"), key=lambda one: -one.stat().st_size):
                print(f"{wheel.stat().st_size / 2**20:8.2f} MiB  {wheel.name}")
                archive.add(wheel, f"gpu_day/wheels/{wheel.name}")
            for pattern in _FILES:
                for file in sorted(ROOT.glob(pattern)):
                    archive.add(file, f"gpu_day/{file.relative_to(ROOT)}")
            archive.add(script, "gpu_day/run.sh")
        size = staging.stat().st_size / 2**20
        print(f"{size:8.2f} MiB  in all, of at most {limit_mib:g}")
        if size > limit_mib:
            raise Refused(f"{size:.2f} MiB is more than {limit_mib:g} MiB; nothing is written")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(staging, target)
    print(f"Written: {target}")


def rehearse(
    archive: Path,
    folder: Path,
    present: set[str],
    box: Mapping[str, str | None],
    asked: argparse.Namespace,
) -> int:
    """Unpack and run the archive in an environment like the box's, at toy sizes.

    Returns:
        The exit status of the run.

    Raises:
        Refused: There is no such Python here, or the box's packages cannot be had.
    """
    interpreter = shutil.which(f"python{asked.python}")
    if interpreter is None:
        here = ".".join(map(str, sys.version_info[:2]))
        raise Refused(f"there is no python{asked.python} here; --python {here} takes this one")
    subprocess.run([interpreter, "-m", "venv", "--clear", str(folder / "env")], check=True)
    python = folder / "env" / "bin" / "python"
    there = {name: version for name, version in box.items() if name in present or name in _BENEATH}
    del there[
        "torch"
    ]  # for CUDA it is gigabytes, and shows nothing on a CPU that asked.torch does not
    names = [name if version is None else f"{name}=={version}" for name, version in there.items()]
    environment = {name: value for name, value in os.environ.items() if name != "PIP_CONSTRAINT"}
    words = [str(python), "-m", "pip", "install", "-q", *names, asked.torch]
    if subprocess.run(words, env=environment, check=False).returncode:
        raise Refused(f"the box's packages could not be installed: {shlex.join(words)}")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    words = ["bash", "gpu_day/run.sh", "--toy", "--json", "gpu_day.json", *asked.rest]
    offline = {"PYTHON": str(python.absolute()), "PIP_NO_INDEX": "1", "HF_HUB_OFFLINE": "1"}
    environment = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
    return subprocess.run(words, cwd=folder, env=environment | offline, check=False).returncode


# Of the box's own versions, which what is gathered replaces: they lie below it there as well.
_BENEATH = ("transformers", "tokenizers", "huggingface-hub")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--archive", metavar="FILE.tar", required=True)
    parser.add_argument(
        "--list", action="store_true", help="what would be gathered, and nothing more"
    )
    parser.add_argument("--four-bit", action="store_true", help="bitsandbytes too")
    box = Path(__file__).with_name("gpu_day_box.txt")
    parser.add_argument("--box", metavar="FILE", default=str(box), help="what is there already")
    parser.add_argument("--python", metavar="3.N", default="3.12", help="the box's")
    parser.add_argument("--cuda", metavar="N", default="13", help="the box's, for --four-bit")
    parser.add_argument("--limit-mib", type=float, default=_LIMIT_MIB)
    parser.add_argument("--rehearse", metavar="DIR", help="run it in an environment like the box's")
    torch = f"torch=={importlib.metadata.version('torch')}"
    parser.add_argument("--torch", metavar="SPEC", default=torch, help="of the rehearsal")
    parser.add_argument("rest", nargs="*", help="behind --: options of the rehearsed run")
    return parser


if __name__ == "__main__":
    sys.exit(main())
