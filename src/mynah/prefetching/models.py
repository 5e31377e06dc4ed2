"""What a run needs of its pretrained models: weights as safetensors, configurations, processors."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from mynah.config.schema import Nature
from mynah.config.settings import leaves
from mynah.models.pretrained import bases, hub, hub_errors, weight_files
from mynah.models.pretrained.part import PretrainedPart
from mynah.prefetching.repository import Wanted, sizes

if TYPE_CHECKING:
    from mynah.config.schema import ModelConfig

# Configurations and what tokenizers and processors are made of; never weights in a pickle.
_SMALL = (".json", ".jinja", ".txt", ".model", ".tiktoken", ".bpe")
_TEMPLATES = ("chat_templates", "additional_chat_templates")
_SPEECH_LORA = "speech-lora"  # Phi-4-multimodal's own adapters lie in folders
_OF_OTHERS = (".bin.index.json", ".msgpack.index.json", ".h5.index.json")
_ADAPTER = "adapter_model.safetensors"


def sources(config: ModelConfig, *, offline: bool) -> list[PretrainedPart]:
    """The parts on the hub that a training builds on; a checkpoint's own bases for a folder.

    Raises:
        UserError: A folder builds on weights that are not what they were.
    """
    found: list[PretrainedPart] = []
    for setting in leaves(Nature.NAME, "model"):
        if getattr(config, setting) is None:
            continue
        part = PretrainedPart.of(config, setting, offline=offline)
        if part.is_folder:
            found += bases.bases_of(Path(part.name), offline=offline)
        else:
            found.append(part)
    return [one for one in found if not one.is_folder]


def wanted(part: PretrainedPart) -> Wanted:
    """What of a part's repository is needed, at the commit that its revision stands for.

    Raises:
        UserError: It is not to be had, or has its weights in pickle files alone.
    """
    from huggingface_hub import HfApi

    hub.check_weights(part)
    try:
        info = HfApi().model_info(part.name, revision=part.revision, timeout=20)
        commit = info.sha or part.revision or "main"
        there = [one.rfilename for one in info.siblings or []]
        index = None
        if weight_files.INDEX in there and weight_files.WHOLE not in there:
            index = hub.fetch(part, weight_files.INDEX)
        shards = _shards(index) if index is not None else [weight_files.WHOLE]
        names = needed_files(there, shards, code=part.trust_remote_code)
        files = sizes("model", part.name, commit, names)
    except OSError as error:  # all errors of the hub's library are of this kind
        raise hub_errors.refusal(part, error) from None
    return Wanted("model", part.name, part.revision, commit, files, part.setting)


def here(part: PretrainedPart) -> Wanted:
    """What of a part is needed, as what is on this machine tells it.

    Raises:
        UserError: Nothing of it is here.
    """
    config = hub.fetch(part, "config.json")
    if config is None:
        raise hub_errors.not_here(part)
    folder = config.parent
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    index = folder / weight_files.INDEX
    is_split = index.is_file() and weight_files.WHOLE not in there
    weights = _shards(index) if is_split else [weight_files.WHOLE]
    names = needed_files(there | set(weights), weights, code=part.trust_remote_code)
    files = {name: (folder / name).stat().st_size if name in there else 0 for name in names}
    commit = hub.commit_of(part)
    return Wanted("model", part.name, part.revision, commit, files, part.setting)


def needed_files(there: Iterable[str], weights: Iterable[str], *, code: bool) -> list[str]:
    """Which files of a model's repository a run loads.

    Args:
        there: Names of all its files.
        weights: Its weight files, as safetensors.
        code: Whether its code is run (``model.trust_remote_code``).
    """
    named = {*weights, _ADAPTER}
    found = []
    for name in sorted(there):
        path = PurePosixPath(name)
        small = path.suffix in _SMALL and not name.endswith(_OF_OTHERS)
        top = len(path.parts) == 1
        if path.parts[0] == _SPEECH_LORA and path.suffix in (".json", ".safetensors"):
            found.append(name)
            continue
        template = path.parts[0] in _TEMPLATES and path.suffix == ".jinja"
        if name in named or (small and top) or template or (code and path.suffix == ".py"):
            found.append(name)
    return found


def _shards(index: Path) -> list[str]:
    return sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
