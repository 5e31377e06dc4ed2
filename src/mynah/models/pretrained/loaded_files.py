"""Which files of a model's repository are loaded: configurations, processors, weights."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

# Configurations and what tokenizers and processors consist of; never weights in a pickle.
_SMALL = (".json", ".jinja", ".txt", ".model", ".tiktoken", ".bpe")
_TEMPLATES = ("chat_templates", "additional_chat_templates")
_SPEECH_LORA = "speech-lora"  # Phi-4-multimodal's own adapters lie in folders
_OF_OTHERS = (".bin.index.json", ".msgpack.index.json", ".h5.index.json")
_ADAPTER = "adapter_model.safetensors"


def small(there: Iterable[str], *, code: bool) -> list[str]:
    """Those that are not weights.

    Args:
        there: Names of all files of a repository.
        code: Whether its code is run (``model.trust_remote_code``).
    """
    return [name for name in needed(there, (), code=code) if not name.endswith(".safetensors")]


def needed(there: Iterable[str], weights: Iterable[str], *, code: bool) -> list[str]:
    """All that a run loads.

    Args:
        there: Names of all files of a repository.
        weights: Its weight files, as safetensors.
        code: Whether its code is run (``model.trust_remote_code``).
    """
    named = {*weights, _ADAPTER}
    found = []
    for name in sorted(there):
        path = PurePosixPath(name)
        is_small = path.suffix in _SMALL and not name.endswith(_OF_OTHERS)
        at_top = len(path.parts) == 1
        if path.parts[0] == _SPEECH_LORA and path.suffix in (".json", ".safetensors"):
            found.append(name)
            continue
        is_template = path.parts[0] in _TEMPLATES and path.suffix == ".jinja"
        is_code = code and path.suffix == ".py"
        if name in named or (is_small and at_top) or is_template or is_code:
            found.append(name)
    return found
