"""Why a name on the hub could not be read, in words that say how to fix it."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

from mynah.errors import UserError
from mynah.models.pretrained import packages

if TYPE_CHECKING:
    from mynah.models.pretrained.part import PretrainedName

_FORBIDDEN = (401, 403)


def hub_refusal(part: PretrainedName, error: Exception) -> UserError:
    """What to say of an error that huggingface_hub raised while it looked for a file.

    Args:
        part: What was looked for.
        error: What was raised.
    """
    from huggingface_hub import errors as hub

    name, where = part.name, part.setting
    if isinstance(error, (hub.HFValidationError, hub.HfUriError)):
        return UserError(
            f"{name!r} is neither a folder on this machine nor a name on the hub.",
            where=where,
            fix=f"{_did_you_mean(name)}A hub name looks like facebook/wav2vec2-base-960h.",
        )
    if is_path(name):
        return _no_folder(part)
    answered = _answered(error)
    if isinstance(answered, hub.GatedRepoError):
        return UserError(
            f"{name} asks for its licence to be accepted first.",
            where=where,
            fix=f"Accept it at https://huggingface.co/{name}, then `hf auth login` "
            "(or set HF_TOKEN to a token of yours that may read it).",
        )
    if isinstance(answered, hub.RepositoryNotFoundError):
        return UserError(
            f"There is no model {name!r} on the Hugging Face hub (or it is private).",
            where=where,
            fix=f"{_did_you_mean(name)}Check the name; for a private model, `hf auth login` first "
            "(or set HF_TOKEN to a token of yours that may read it).",
        )
    if isinstance(answered, hub.RevisionNotFoundError):
        return UserError(
            f"{name} has no revision {part.revision!r}.",
            where=where,
            fix="Name a branch, tag or commit that its page lists, or none.",
        )
    status = _status(answered)
    if status in _FORBIDDEN:
        return UserError(
            f"The hub does not let you read {name} (HTTP {status}).",
            where=where,
            fix="`hf auth login`, or set HF_TOKEN to a token of yours that may read it; a token "
            "that is set may have run out.",
        )
    if status is not None and not part.offline:
        return UserError(
            f"The hub answered HTTP {status} when asked for {name}.",
            where=where,
            fix="Try again in a while; what is on this machine is used with offline=true.",
        )
    return not_here(part)


def not_here(part: PretrainedName) -> UserError:
    """What to say of a part that is not on this machine while the network cannot be used."""
    if is_path(part.name):
        return _no_folder(part)
    prefetch = f"hf download {part.name}"
    if part.revision:
        prefetch += f" --revision {part.revision}"
    why = "offline=true forbids the network" if part.offline else "the hub cannot be reached"
    return UserError(
        f"{part.name} is not on this machine, and {why}.",
        where=part.setting,
        fix=f"{_did_you_mean(part.name)}{packages.advice(part.name)}Where there is a network, "
        f"`mynah prefetch` with the same settings, or `{prefetch}`; it is found afterwards. "
        "Without one, model=small needs no download.",
    )


def is_path(name: str) -> bool:
    """Whether a name can only have meant a folder, as the one where a training writes its model."""
    return name.startswith((".", "/", "~", "outputs/"))


def _no_folder(part: PretrainedName) -> UserError:
    return UserError(
        f"There is no folder {part.name}.",
        where=part.setting,
        fix=_did_you_mean(part.name).strip()
        or "a training writes its model: `mynah train`; outputs/model is the newest one's",
    )


def brings_code(part: PretrainedName) -> UserError:
    """What to say of a part that cannot be loaded without running code of its own."""
    return UserError(
        f"{part.name} brings its own code, which is not run unasked.",
        where=part.setting,
        fix="Read that code, then set model.trust_remote_code=true.",
    )


def _answered(error: Exception) -> BaseException:
    """What the hub answered, where huggingface_hub wraps it into a file that is not found."""
    found: BaseException | None = error
    while found is not None and _status(found) is None:
        found = found.__cause__
    return found or error


def _status(error: BaseException) -> int | None:
    """The HTTP status of an error, or None where nobody answered."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return None if status is None else int(status)


def _did_you_mean(name: str) -> str:
    """The name most like a mistyped one, among those on this machine and those of the presets."""
    from huggingface_hub import constants

    from mynah.models.catalog import entries

    known = [one.name for entry in entries.ENTRIES for one in entry.checkpoints]
    known += [
        folder.name.removeprefix("models--").replace("--", "/")
        for folder in Path(constants.HF_HUB_CACHE).glob("models--*")
    ]
    parent = Path(name).expanduser().parent
    if parent.is_dir():
        known += [str(folder) for folder in parent.iterdir() if folder.is_dir()]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
    return f"Did you mean {near[0]}? " if near and near[0] != name else ""


def no_tokenizer(name: str, setting: str) -> UserError:
    """The error of a recognizer that came without one."""
    return UserError(
        f"{name} has no tokenizer.",
        where=setting,
        fix="Name a recognizer with its tokenizer.json.",
    )
