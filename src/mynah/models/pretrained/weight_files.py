"""Weights on disk: whether their files are intact, and by which digest they are known again.

Nothing here imports torch: a safetensors file begins with a list of what is in it
(https://github.com/huggingface/safetensors, format).
"""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from mynah.errors import UserError
from mynah.files import sha256

if TYPE_CHECKING:
    from mynah.models.pretrained.part import PretrainedPart

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
_SAFETENSORS = (SINGLE, INDEX)
# What an adapter is: its matrices, and the base, the scale and the modules they are meant for.
_OF_ADAPTER = ("adapter_config.json", "adapter_model.safetensors")
_PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")

DIGEST_PREFIX = "sha256:"
_HEADER_LENGTH_BYTES = 8
_MOST_HEADER_BYTES = 100_000_000  # what the safetensors library takes


def adapter_alone(folder: Path) -> bool:
    """Whether a folder holds LoRA matrices, and not the weights that they adapt.

    Some models are published with both: Granite Speech 3.3 encodes speech with its own.
    """
    held = (folder / SINGLE).exists() or (folder / INDEX).exists()
    return (folder / "adapter_config.json").exists() and not held


def files_of(folder: Path) -> list[Path]:
    """The weight files of a model in a folder, there or not; empty where it has no safetensors.

    Raises:
        ValueError: Its index cannot be read.
    """
    if (folder / SINGLE).is_file():
        return [folder / SINGLE]
    index = folder / INDEX
    if not index.is_file():
        return []
    return [folder / name for name in weight_shards(index)]


def weight_shards(index: Path) -> list[str]:
    """Names of the weight files that an index lists.

    Raises:
        ValueError: It cannot be read.
    """
    try:
        return sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{INDEX} is not a list of weights") from None


def damage(path: Path) -> str | None:
    """What is wrong with a safetensors file, as the end of a sentence; None where it is intact.

    Only its beginning and its size are looked at, so that it costs nothing.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_HEADER_LENGTH_BYTES), "little")
            if not 0 < length <= min(_MOST_HEADER_BYTES, size):
                return "is not a safetensors file"
            header = json.loads(file.read(length))
            entries = [entry for name, entry in header.items() if name != "__metadata__"]
            ends = [entry["data_offsets"][1] for entry in entries]
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return "is not a safetensors file"
    wanted = _HEADER_LENGTH_BYTES + length + max(ends, default=0)
    if size < wanted:
        return f"is cut short: it has {size:,} of {wanted:,} bytes"
    if size > wanted:
        return f"has {size - wanted:,} bytes behind its last weight"
    return None


def damage_in(folder: Path) -> str | None:
    """What is wrong with the weight files of a folder, as a sentence's end, or None."""
    try:
        paths = files_of(folder)
    except ValueError as error:
        return str(error)
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        return f"{', '.join(missing[:3])} of {len(paths)} files in {INDEX} is missing"
    for path in paths:
        if problem := damage(path):
            return f"{path.name} {problem}"
    return None


def are_intact(folder: Path) -> bool:
    """Whether a folder holds weights, all of their files, each of its full length."""
    return any((folder / name).exists() for name in _SAFETENSORS) and damage_in(folder) is None


def check_weights(part: PretrainedPart) -> None:
    """Raise where a part's weights are in pickle files alone, missing, or damaged.

    Raises:
        UserError: With how to convert them.
    """
    if not any(map(part.has, _SAFETENSORS)):
        raise _no_safetensors(part)
    if part.files is None:
        problem = damage_in(part.folder)
    else:  # what is not here is fetched later
        here = (part.folder / name for name in part.files if name.endswith(".safetensors"))
        damaged = ((path.name, damage(path)) for path in here if path.exists())
        problem = next((f"{name} {problem}" for name, problem in damaged if problem), None)
    if problem:
        raise not_intact(part, problem)


def not_intact(part: PretrainedPart, problem: str) -> UserError:
    """What to say of damaged weights, ``problem`` being the end of a sentence."""
    return UserError(
        f"The weights of {part.name} are not intact: {problem}.",
        where=part.setting,
        fix="Copy the folder again from where it is intact."
        if part.is_folder
        else f"hf download {part.name} --force-download",
    )


def _no_safetensors(part: PretrainedPart) -> UserError:
    if not any(map(part.has, _PICKLED)):
        return UserError(
            f"{part.name} has no model.safetensors.",
            where=part.setting,
            fix=f"Name a model with weights, or download all of it: `hf download {part.name}`.",
        )
    folder = part.name if part.is_folder else part.name.rsplit("/", 1)[-1]
    download = "" if part.is_folder else f"hf download {part.name} --local-dir {folder} && "
    return UserError(
        f"{part.name} has its weights as pickle files alone, which can run code when loaded.",
        where=part.setting,
        fix=f"Convert it, then name the folder: {download}cd {folder} && "
        'python -c "import torch; from safetensors.torch import save_file; '
        "w = torch.load('pytorch_model.bin', weights_only=True); "
        "save_file({k: v.clone() for k, v in w.items()}, 'model.safetensors', {'format': 'pt'})\"",
    )


def digest(folder: Path) -> str | None:
    """``sha256:`` and the digest of a folder's weights; None where it has no safetensors.

    Of one file it is what ``sha256sum model.safetensors`` prints; of several that of the list
    of their digests and names, as ``sha256sum`` writes it. Of an adapter its configuration is one
    of them, which alone says how much the matrices count.
    """
    try:
        alone = adapter_alone(folder)
        paths = [folder / name for name in _OF_ADAPTER] if alone else files_of(folder)
        sums = [(sha256_of(path), path.name) for path in paths]
    except (OSError, ValueError):
        return None
    if not sums:
        return None
    if len(sums) == 1:
        return DIGEST_PREFIX + sums[0][0]
    lines = "".join(f"{value}  {name}\n" for value, name in sums)
    return DIGEST_PREFIX + hashlib.sha256(lines.encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, summed once in a process."""
    found = path.stat()
    return _sum_of(str(path.resolve()), found.st_size, found.st_mtime_ns)


@functools.lru_cache(maxsize=64)  # a training asks at its start and loads its best model at the end
def _sum_of(path: str, size: int, modified_ns: int) -> str:
    return sha256(Path(path))
