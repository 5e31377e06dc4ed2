"""The average of several checkpoints of one model, as a checkpoint of its own.

Trained weights are averaged in double precision and stored as they were; buffers, such as the
running statistics of batch normalisation, are those of the last checkpoint. Of LoRA what the
matrices come to is averaged (:mod:`mynah.models.lora.averaging`), since the average of A times the
average of B is another matrix. Weights are read tensor by tensor.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah.checkpoints import commit as checkpoints
from mynah.checkpoints.publishing import write_note
from mynah.errors import UserError
from mynah.files import read_json
from mynah.models.lora import averaging as adapters
from mynah.runs.directory import SUMS, is_set_aside

if TYPE_CHECKING:
    import torch

    from mynah.models.family import Family

_ABOUT = "mynah.json"
# Of the training, or fitted to one of the models.
_LEFT_OUT = (SUMS, "README.md", "confidence.json")
_OF_THE_TRAINING = ("training", "scores", "best")
# Two models that differ in one of these write other things with the same numbers.
_ALIKE = ("tokenizer.json", "vocab.json", "preprocessor_config.json", "processor_config.json")


def average_checkpoints(sources: Sequence[Path], target: Path, *, family: Family) -> None:
    """Commit the average of checkpoints.

    Args:
        sources: Intact checkpoints, at least two; the last one's buffers and other files are
            taken.
        target: The directory to write; one of that name is replaced.
        family: The model of one of them, loaded: it knows what is a buffer, and what LoRA adapts.

    Raises:
        UserError: They are not checkpoints of one model (other files, weights or shapes), or
            the disk is full.
    """
    last = sources[-1]
    names = _model_files(last)
    for source in sources[:-1]:
        _check_alike(source, last, names)
    weights = [name for name in names if name.endswith(".safetensors")]
    buffers = buffer_names(family)
    size = sum((last / name).stat().st_size for name in names)
    with checkpoints.commit(target, expected_bytes=size) as staging:
        for name in names:
            (staging / name).parent.mkdir(parents=True, exist_ok=True)
            if name not in weights:
                shutil.copyfile(last / name, staging / name)
        for name in weights:
            folder = Path(name).parent
            if Path(name).name == adapters.WEIGHTS and (last / folder / adapters.CONFIG).is_file():
                adapters.average_adapters(
                    [source / folder for source in sources], staging / folder, family
                )
            else:
                _average_file([source / name for source in sources], staging / name, buffers)
        about = json.dumps(_about(sources), indent=2, ensure_ascii=False) + "\n"
        (staging / _ABOUT).write_text(about, encoding="utf-8")
        write_note(staging)


def buffer_names(family: Family) -> frozenset[str]:
    """What the buffers of a model are called in their modules, as ``running_mean``."""
    parameters = {name.rpartition(".")[2] for name, _ in family.model.named_parameters()}
    buffers = {name.rpartition(".")[2] for name, _ in family.model.named_buffers()}
    return frozenset(buffers - parameters)


def mean(tensors: Iterable[torch.Tensor]) -> torch.Tensor:
    """The mean of tensors of one shape, summed in double precision, in the first one's."""
    import torch

    first, *others = tensors
    total = first.to(torch.float64, copy=True)
    for tensor in others:
        total += tensor.to(torch.float64)
    return (total / (1 + len(others))).to(first.dtype)


def _average_file(sources: Sequence[Path], target: Path, buffers: frozenset[str]) -> None:
    from safetensors import safe_open
    from safetensors.torch import save_file

    files: list[Any] = [safe_open(source, framework="pt") for source in sources]
    last = files[-1]
    names = set(last.keys())
    for source, file in zip(sources, files, strict=True):
        if other := names ^ set(file.keys()):
            raise _not_alike(source, sources[-1], f"{min(other)} is in one of them alone")
    found = {}
    for name in sorted(names):
        shapes = [tuple(file.get_slice(name).get_shape()) for file in files]
        for source, shape in zip(sources, shapes, strict=True):
            if shape != shapes[-1]:
                raise _not_alike(source, sources[-1], f"{name} is {_shown(shape, shapes[-1])}")
        tensor = last.get_tensor(name)
        if name.rpartition(".")[2] not in buffers and tensor.is_floating_point():
            tensor = mean(file.get_tensor(name) for file in files)
        found[name] = tensor.contiguous()
    save_file(found, str(target), metadata=last.metadata())


def _shown(shape: tuple[int, ...], other: tuple[int, ...]) -> str:
    return f"{list(shape)} in the one and {list(other)} in the other"


def _model_files(checkpoint: Path) -> list[str]:
    """The files of a checkpoint that make its model, relative to it."""
    return sorted(
        path.relative_to(checkpoint).as_posix()
        for path in checkpoint.rglob("*")
        if path.is_file()
        and path.name not in _LEFT_OUT
        and not checkpoints.is_training_state(path.name)
        and not checkpoints.step_of(checkpoint / path.relative_to(checkpoint).parts[0])
        and not is_set_aside(path.relative_to(checkpoint).parts[0])
        and path.relative_to(checkpoint).parts[0] != checkpoints.AVERAGE
        and not path.relative_to(checkpoint).parts[0].startswith(".")
    )


def _check_alike(source: Path, last: Path, names: Sequence[str]) -> None:
    """Raise where two checkpoints are not of one model."""
    ours = {name for name in names if name.endswith(".safetensors")}
    theirs = {name for name in _model_files(source) if name.endswith(".safetensors")}
    if other := ours ^ theirs:
        raise _not_alike(source, last, f"{min(other)} is in one of them alone")
    for name in names:
        if Path(name).name in _ALIKE:
            same = (source / name).is_file()
            if not same or (source / name).read_bytes() != (last / name).read_bytes():
                raise _not_alike(source, last, f"their {name} are not the same")


def _not_alike(source: Path, last: Path, why: str) -> UserError:
    return UserError(
        f"These checkpoints are not of one model, so their average means nothing: {why}.",
        where=f"{source} and {last}",
        fix="average checkpoints of one training, or of trainings that began with the same weights",
    )


def _about(sources: Sequence[Path]) -> dict[str, Any]:
    """What the average says of itself: its scores are to be measured."""
    written = read_json(sources[-1] / _ABOUT)
    kept = {name: value for name, value in written.items() if name not in _OF_THE_TRAINING}
    return {**kept, "averaged": [source.name for source in sources]}
