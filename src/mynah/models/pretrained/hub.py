"""Pretrained parts: found on this machine or on the hub, and checked before they are loaded."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mynah import console
from mynah.errors import UserError
from mynah.models.pretrained import hub_errors, loaded_files, packages, weight_files
from mynah.models.pretrained.ctranslate2.converted import converted, is_ctranslate2
from mynah.models.pretrained.extractor_fit import check_fit
from mynah.models.pretrained.file_sizes import oversized
from mynah.models.pretrained.part import PretrainedName, PretrainedPart
from mynah.runs.stored import fetched_model
from mynah.storage.address import is_address

_AT_ONCE = 8  # files that are downloaded at a time
# The files that say which class prepares a part's input, and how they name it.
_PROCESSOR_FILES = {
    "processor_config.json": "processor_class",
    "preprocessor_config.json": "feature_extractor_type",
    "tokenizer_config.json": "tokenizer_class",
}


def resolve(asked: PretrainedName) -> PretrainedPart:
    """Find a part: the commit that its revision stands for, and the files that it has.

    A name is looked for in the hub's cache, in a package, and on the hub, in this order; an address
    in storage. A folder may hold a Whisper of CTranslate2: its converted copy is what is loaded.

    Done once a run: who is given the part asks no more. Of the hub this fetches ``config.json``,
    which tells the commit and lets its library note it for a time offline, and the list of files.

    Raises:
        UserError: The part does not exist, is not on this machine, or may not be read.
    """
    if isinstance(asked, PretrainedPart):
        return asked
    held = {one.name: getattr(asked, one.name) for one in dataclasses.fields(PretrainedName)}
    if is_address(name := asked.name):
        return PretrainedPart(**held, folder=fetched_model(name, asked.setting), origin=name)
    if asked.is_folder:
        folder = Path(asked.name)
        if folder.is_dir() and (problem := oversized(folder)):
            raise weight_files.not_intact(PretrainedPart(**held, folder=folder), problem)
        if not is_ctranslate2(folder):
            return PretrainedPart(**held, folder=folder)
        made = converted(folder, setting=asked.setting)
        return PretrainedPart(**held, folder=made, origin=str(folder.resolve()))
    if (found := packages.copy_of(asked)) is not None:
        return PretrainedPart(**held, folder=found, origin=asked.name)
    config = _download(asked, "config.json", asked.revision)
    if config is None:
        raise _no_config(asked)
    folder = config.parent
    return PretrainedPart(**held, folder=folder, commit=folder.name, files=_listing(asked, folder))


def checkpoint(directory: Path) -> PretrainedPart:
    """A checkpoint of ours, or a folder in one, as a part: nothing of it is elsewhere."""
    return PretrainedPart(
        name=str(directory), offline=True, setting=str(directory), folder=Path(directory)
    )


def is_local(part: PretrainedName) -> bool:
    """Whether only what is on this machine can be had: asked for, or no network."""
    return part.offline or not (part.is_folder or _hub_answers())


def local_place(part: PretrainedPart) -> str:
    """What a ``from_pretrained`` is given: a folder that holds all small files of the part.

    Of a name transformers would look for each file over the network, at each call. Code that comes
    with a part is found by the name alone.
    """
    if _is_loaded_by_name(part):
        return part.name
    fetch_all(part, loaded_files.small(part.files or (), code=part.trust_remote_code))
    return str(part.folder)


def from_pretrained(kind: Any, part: PretrainedPart) -> Any:
    """A tokenizer, processor or feature extractor of a part.

    Args:
        kind: Its class of transformers, or an auto class.
        part: The part.

    Raises:
        Exception: Whatever transformers raises where it has none.
    """
    return kind.from_pretrained(local_place(part), **options(part))


def options(part: PretrainedPart) -> dict[str, Any]:
    """Arguments for any ``from_pretrained``."""
    in_folder = not (part.is_folder or _is_loaded_by_name(part))
    return {
        "revision": part.commit,
        "local_files_only": in_folder or is_local(part),
        "trust_remote_code": part.trust_remote_code,
    }


def model_options(part: PretrainedPart) -> dict[str, Any]:
    """Arguments for a model's ``from_pretrained``.

    transformers looks for an adapter beside the weights, and would do so over the network
    even where it may not.
    """
    found = options(part)
    return found | {"adapter_kwargs": {"local_files_only": found["local_files_only"]}}


def _is_loaded_by_name(part: PretrainedPart) -> bool:
    if part.is_folder or not part.trust_remote_code:
        return False
    return any(name.endswith(".py") for name in part.files or map(str, part.folder.iterdir()))


def fetch(part: PretrainedPart, filename: str) -> Path | None:
    """A file of a part, downloaded where needed; None where the part does not have it.

    Raises:
        UserError: It may not be read, or the hub does not give it.
    """
    path = part.folder / filename
    if path.exists():
        return path
    return _download(part, filename, part.commit) if part.has(filename) else None


def fetch_all(part: PretrainedPart, filenames: Iterable[str]) -> None:
    """Download files of a part that are not here yet, several at a time.

    Raises:
        UserError: One may not be read, or the hub does not give it.
    """
    missing = [name for name in filenames if not (part.folder / name).exists()]
    if missing:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda name: fetch(part, name), missing))


def fetch_weights(part: PretrainedPart) -> None:
    """Download what a model is loaded from, with the adapters that lie beside it.

    Raises:
        UserError: A file may not be read, or the hub does not give it.
    """
    if part.files is None or _is_loaded_by_name(part):
        return
    needed = loaded_files.needed(part.files, weights_of(part), code=part.trust_remote_code)
    fetch_all(part, needed)


def weights_of(part: PretrainedPart) -> list[str]:
    """Names of the safetensors files that a part's model is loaded from.

    Raises:
        UserError: The index of several may not be read, or is damaged.
    """
    index = None if part.has(weight_files.SINGLE) else fetch(part, weight_files.INDEX)
    if index is None:
        return [weight_files.SINGLE]
    try:
        return weight_files.weight_shards(index)
    except ValueError as error:
        raise weight_files.not_intact(part, str(error)) from None


def _download(part: PretrainedName, filename: str, revision: str | None) -> Path | None:
    from huggingface_hub import errors as hub
    from huggingface_hub import hf_hub_download

    try:
        return Path(
            hf_hub_download(part.name, filename, revision=revision, local_files_only=is_local(part))
        )
    except hub.RemoteEntryNotFoundError:
        return None
    except OSError as error:  # all others of huggingface_hub are of this kind, or ValueErrors
        raise hub_errors.hub_refusal(part, error) from None
    except (hub.HFValidationError, hub.HfUriError) as error:
        raise hub_errors.hub_refusal(part, error) from None


def _listing(asked: PretrainedName, folder: Path) -> frozenset[str] | None:
    """Names of all files of a part; None where only what is on this machine can be had."""
    if is_local(asked):
        return None
    from huggingface_hub import HfApi, constants

    try:
        info = HfApi().model_info(
            asked.name, revision=folder.name, timeout=constants.HF_HUB_ETAG_TIMEOUT
        )
    except OSError as error:
        if weight_files.are_intact(folder):
            return None  # the hub fails, and all that is needed was fetched before
        raise hub_errors.hub_refusal(asked, error) from None
    return frozenset(one.rfilename for one in info.siblings or ())


@functools.cache
def _hub_answers() -> bool:
    """Whether the hub can be reached, asked once a process; said where it cannot.

    Without this, huggingface_hub asks a dead network six times, over 23 seconds, for each
    file that it looks for in vain, though all that is needed may be on this machine.
    """
    from huggingface_hub import constants, get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    except Exception:  # of the HTTP library, which is not always the same one
        if not constants.HF_HUB_OFFLINE:
            console.notice("The Hugging Face hub cannot be reached: using what is on this machine.")
        return False
    return True


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' own bars and reports: what matters of them is said by us."""
    import warnings

    from transformers.utils import logging

    level = logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _no_config(part: PretrainedName) -> UserError:
    inside = sorted(one.parent for one in Path(part.name).glob("*/config.json"))
    return UserError(
        f"{part.name} has no config.json, so it is not a model of transformers.",
        where=part.setting,
        fix=f"Name the model in it: {part.setting}={inside[-1]}"
        if inside
        else "Name a model in the transformers format.",
    )


def _written_config(part: PretrainedPart) -> dict[str, Any]:
    path = part.folder / "config.json"
    if not path.exists():
        raise _no_config(part)
    return _json(part, path)


def _json(part: PretrainedPart, path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise UserError(
            f"{part.name} has a {path.name} that is not JSON.",
            where=part.setting,
            fix="Copy or download it again.",
        ) from None


def model_type(part: PretrainedPart) -> str:
    """The architecture of a part, as transformers calls it.

    Raises:
        UserError: It cannot be had, or says none.
    """
    kind = _written_config(part).get("model_type")
    if kind is None:
        raise UserError(
            f"{part.name}'s config.json names no architecture (model_type).",
            where=part.setting,
            fix="Name a model in the transformers format.",
        )
    return str(kind)


def check_own_code(part: PretrainedPart) -> None:
    """Raise where a part's processor is code that comes with it, and that may not be run.

    Raises:
        UserError: It is.
    """
    import transformers

    if part.trust_remote_code:
        return
    for file, key in _PROCESSOR_FILES.items():
        path = fetch(part, file)
        written = {} if path is None else _json(part, path)
        if "auto_map" in written and not hasattr(transformers, str(written.get(key))):
            raise hub_errors.brings_code(part)


def own_code(part: PretrainedPart) -> list[str]:
    """Auto classes of transformers that a part brings code of its own for.

    Raises:
        UserError: It cannot be had.
    """
    return sorted(_written_config(part).get("auto_map") or ())


def load_config(part: PretrainedPart) -> Any:
    """The configuration of a part, as transformers knows it.

    Raises:
        UserError: It cannot be had, is not a model, or asks for code of its own.
    """
    from transformers import CONFIG_MAPPING, AutoConfig

    written = _written_config(part)
    kind = model_type(part)
    if kind not in CONFIG_MAPPING and "auto_map" in written and not part.trust_remote_code:
        raise hub_errors.brings_code(part)
    try:
        with quiet():
            named = part.name if _is_loaded_by_name(part) else part.folder
            return AutoConfig.from_pretrained(named, **options(part))
    except (ValueError, OSError, KeyError):
        raise UserError(
            f"transformers knows no architecture {kind!r}, which {part.name} is of.",
            where=part.setting,
            fix="Use a model whose architecture the installed transformers has.",
        ) from None


def commit_of(part: PretrainedPart) -> str:
    """What tells a part's weights from others: the commit they are of, of a folder the ``sha256:``
    digest of its weights, or of its adapter (``"local"`` where it has no safetensors)."""
    return part.commit or weight_files.digest(part.folder) or "local"


def lasting_revision(part: PretrainedPart) -> str | None:
    """What a checkpoint remembers a part's weights by, beside its ``lasting_name``: a commit, of a
    folder a digest; None of one in an installed package, whose file is known."""
    named = part.origin is not None and not Path(part.origin).is_absolute()
    return None if named else part.commit or weight_files.digest(part.folder)


def feature_extractor(part: PretrainedPart, sample_rate: int | None = None) -> Any:
    """The part's feature extractor.

    Args:
        part: The part.
        sample_rate: Hertz that it has to take; None: whatever it does.

    Raises:
        UserError: It has none, or one of another model, or takes another rate.
    """
    try:
        extractor = from_pretrained(_extractor_class(part), part)
    except (OSError, ValueError) as error:
        if "trust_remote_code" in str(error):
            raise hub_errors.brings_code(part) from None
        raise UserError(
            f"{part.name} has no feature extractor: {str(error).splitlines()[0]}",
            where=part.setting,
            fix="Name a speech model with a preprocessor_config.json.",
        ) from None
    check_fit(extractor, load_config(part), part)
    if sample_rate not in (None, extractor.sampling_rate):
        raise UserError(
            f"{part.name} takes {extractor.sampling_rate} Hz, and data.sample_rate is "
            f"{sample_rate}.",
            where=part.setting,
            fix=f"data.sample_rate={extractor.sampling_rate}",
        )
    return extractor


def _extractor_class(part: PretrainedPart) -> Any:
    """What loads the part's feature extractor: transformers' own asks for torchaudio in one."""
    from mynah.models.features import granite

    if model_type(part) == granite.MODEL_TYPE:
        return granite.GraniteSpeech5FeatureExtractor
    from transformers import AutoFeatureExtractor

    return AutoFeatureExtractor
