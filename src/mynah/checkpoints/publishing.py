"""What of a checkpoint may be given away, and what is private: by a list of what may.

A checkpoint is made to be measured and resumed. So it also holds what comes from its training
data: word sequences of transcripts, names of utterances, paths of this machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

README = "README.md"

# The parts of a speech LLM that are folders of their own.
_FOLDERS = ("encoder", "language_model", "adapter", "encoder_adapter")
# What transformers, peft and tokenizers load; weights in one file or in numbered ones.
_PUBLIC = re.compile(
    r"(config|confidence|generation_config|processor_config|preprocessor_config|adapter_config"
    r"|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab|normalizer"
    r"|feature_extractor_config|chat_template)\.json"
    r"|(vocab|merges)\.txt|chat_template\.jinja"
    r"|(tokenizer|sentencepiece\.bpe|source|target|spiece|spm)\.(model|spm)"
    r"|(model|adapter_model|projector|new_tokens|ctc|ctc_head)(-\d{5}-of-\d{5})?\.safetensors"
    r"|model\.safetensors\.index\.json"
)
# What is known to be private, and why; whatever else is on neither list is not published either.
_PRIVATE = (
    (r"language_model\.(arpa|json)", "word sequences of the training transcripts"),
    (r"mynah\.json", "names of utterances that were left out, and the machine"),
    (r"config\.yaml", "paths and names of the training data"),
    (
        r"(optimizer|scheduler|scaler|rng_state|trainer_state|unaveraged)[^/]*\.(json|safetensors)",
        "the state of the training, which nobody needs to use the model",
    ),
)


def publishable(files: Iterable[str]) -> list[str]:
    """Which files of a checkpoint may be published: those that are known to hold the model alone.

    Args:
        files: Paths relative to the checkpoint, with ``/``.

    Returns:
        Those of them that may, sorted.
    """
    return sorted(name for name in files if _is_public(PurePosixPath(name)))


def _is_public(path: PurePosixPath) -> bool:
    inside = len(path.parts) == 1 or (len(path.parts) == 2 and path.parts[0] in _FOLDERS)
    return inside and _PUBLIC.fullmatch(path.name) is not None


def why_private(name: str) -> str:
    """Why a file of a checkpoint is not published."""
    known = (why for pattern, why in _PRIVATE if re.fullmatch(pattern, name))
    return next(known, "not known to be a part of the model")


def private_note(files: Iterable[str]) -> str:
    """The text of a checkpoint's README.md: what of it is private.

    Args:
        files: Paths relative to the checkpoint, with ``/``.
    """
    there = sorted(files)
    lines = [
        "# A checkpoint of Mynah\n\n",
        "Not everything in this folder may be given away. **Private**, not to be published:\n\n",
    ]
    for pattern, why in _PRIVATE:
        if found := [name for name in there if re.fullmatch(pattern, name)]:
            lines.append(f"- {', '.join(f'`{name}`' for name in found)}: {why}\n")
    public = ", ".join(f"`{name}`" for name in publishable(there))
    lines.append(f"\nThe model itself is {public}; `mynah publish` sends that alone.\n")
    return "".join(lines)


def write_note(directory: Path) -> None:
    """Write :func:`private_note` into a checkpoint that is about to be committed."""
    names = [
        path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()
    ]
    (directory / README).write_text(private_note(names), encoding="utf-8")
