"""Pretrained parts: found on this machine or on the hub, and checked before they are loaded."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mynah import console
from mynah.errors import UserError
from mynah.models.pretrained import hub_errors, weight_files
from mynah.models.pretrained.extractor_fit import check_fit
from mynah.models.pretrained.part import PretrainedPart

_WEIGHTS = (weight_files.WHOLE, weight_files.INDEX)
_PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")
# The files that say which class prepares a part's input, and how they name it.
_PROCESSOR_FILES = {
    "processor_config.json": "processor_class",
    "preprocessor_config.json": "feature_extractor_type",
    "tokenizer_config.json": "tokenizer_class",
}
_COMMIT = re.compile(r"/snapshots/([0-9a-f]{40})/")


def is_local(part: PretrainedPart) -> bool:
    """Whether only what is on this machine can be had: asked for, or no network."""
    return part.offline or not (part.is_folder or _hub_answers())


def place(part: PretrainedPart) -> str:
    """What a ``from_pretrained`` is given.

    Without the network it is the folder that holds what was downloaded: of a name
    transformers would list the files over the network (Voxtral's tokenizer is found so), and
    of an adapter beside the weights take the base by the name that the adapter knows.
    """
    if part.is_folder or not is_local(part):
        return part.name
    config = fetch(part, "config.json")
    return part.name if config is None else str(config.parent)


def options(part: PretrainedPart) -> dict[str, Any]:
    """Arguments for any ``from_pretrained``."""
    return {
        "revision": part.revision,
        "local_files_only": is_local(part),
        "trust_remote_code": part.trust_remote_code,
    }


def model_options(part: PretrainedPart) -> dict[str, Any]:
    """Arguments for a model's ``from_pretrained``.

    transformers looks for an adapter beside the weights, and would do so over the network
    even where it may not.
    """
    return options(part) | {"adapter_kwargs": {"local_files_only": is_local(part)}}


def fetch(part: PretrainedPart, filename: str) -> Path | None:
    """A file of a part, downloaded where needed; None where the part does not have it.

    Raises:
        UserError: The part does not exist, is not on this machine, or may not be read.
    """
    if part.is_folder:
        path = Path(part.name) / filename
        return path if path.exists() else None
    from huggingface_hub import errors as hub
    from huggingface_hub import hf_hub_download

    try:
        return Path(
            hf_hub_download(
                part.name,
                filename,
                revision=part.revision,
                local_files_only=is_local(part),
            )
        )
    except hub.RemoteEntryNotFoundError:
        return None
    except (hub.HFValidationError, hub.HfUriError) as error:
        raise hub_errors.refusal(part, error) from None
    except OSError as error:  # all others of huggingface_hub are of this kind
        if _is_cached(part):
            return None
        raise hub_errors.refusal(part, error) from None


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


def _is_cached(part: PretrainedPart) -> bool:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(part.name, "config.json", revision=part.revision)
    return isinstance(found, str)


def exists(part: PretrainedPart, filename: str) -> bool:
    """Whether a part has a file, without downloading it."""
    if part.is_folder:
        return (Path(part.name) / filename).exists()
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub import errors as hub

    if isinstance(try_to_load_from_cache(part.name, filename, revision=part.revision), str):
        return True
    if is_local(part):
        return False
    try:
        return HfApi().file_exists(part.name, filename, revision=part.revision)
    except (hub.OfflineModeIsEnabled, OSError):
        return False


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


def _written_config(part: PretrainedPart) -> dict[str, Any]:
    path = fetch(part, "config.json")
    if path is None:
        inside = sorted(one.parent for one in Path(part.name).glob("*/config.json"))
        raise UserError(
            f"{part.name} has no config.json, so it is no model of transformers.",
            where=part.setting,
            fix=f"Name the model in it: {part.setting}={inside[-1]}"
            if inside
            else "Name a model in the transformers format.",
        )
    return _json(part, path)


def _json(part: PretrainedPart, path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise UserError(
            f"{part.name} has a {path.name} that is no JSON.",
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
    return kind


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
        UserError: It cannot be had, is no model, or asks for code of its own.
    """
    from transformers import CONFIG_MAPPING, AutoConfig

    written = _written_config(part)
    kind = model_type(part)
    if kind not in CONFIG_MAPPING and "auto_map" in written and not part.trust_remote_code:
        raise hub_errors.brings_code(part)
    try:
        with quiet():
            return AutoConfig.from_pretrained(part.name, **options(part))
    except (ValueError, OSError, KeyError):
        raise UserError(
            f"transformers knows no architecture {kind!r}, which {part.name} is of.",
            where=part.setting,
            fix="Use a model whose architecture the installed transformers has.",
        ) from None


def commit_of(part: PretrainedPart) -> str:
    """What tells a part's weights from others: the commit it was loaded at, of a folder the
    ``sha256:`` digest of its weights (``"local"`` where it has no safetensors)."""
    if part.is_folder:
        return weight_files.digest(Path(part.name)) or "local"
    path = fetch(part, "config.json") or Path()
    found = _COMMIT.search(path.as_posix())
    return found[1] if found else "local"


def check_weights(part: PretrainedPart) -> None:
    """Raise where a part's weights are in pickle files alone, missing, or cut short.

    Raises:
        UserError: With how to convert them.
    """
    if any(exists(part, name) for name in _WEIGHTS):
        _check_whole(part)
        return
    fetch(part, "config.json")  # raises where nothing of it is to be had
    if not any(exists(part, name) for name in _PICKLED):
        raise UserError(
            f"{part.name} has no model.safetensors.",
            where=part.setting,
            fix=f"Name a model with weights, or download it whole: `hf download {part.name}`.",
        )
    folder = part.name if part.is_folder else part.name.rsplit("/", 1)[-1]
    download = "" if part.is_folder else f"hf download {part.name} --local-dir {folder} && "
    raise UserError(
        f"{part.name} has its weights as pickle files alone, which can run code when loaded.",
        where=part.setting,
        fix=f"Convert it, then name the folder: {download}cd {folder} && "
        'python -c "import torch; from safetensors.torch import save_file; '
        "w = torch.load('pytorch_model.bin', weights_only=True); "
        "save_file({k: v.clone() for k, v in w.items()}, 'model.safetensors', {'format': 'pt'})\"",
    )


def _check_whole(part: PretrainedPart) -> None:
    """Look at the weight files that are on this machine already."""
    folder = Path(part.name)
    if not part.is_folder:
        found = fetch(part, "config.json")
        if found is None or not any((found.parent / name).exists() for name in _WEIGHTS):
            return  # to be downloaded yet
        folder = found.parent
    if problem := weight_files.damage_in(folder):
        raise UserError(
            f"The weights of {part.name} are not whole: {problem}.",
            where=part.setting,
            fix="Copy the folder again from where it is whole."
            if part.is_folder
            else f"hf download {part.name} --force-download",
        )


def feature_extractor(part: PretrainedPart, sample_rate: int | None = None) -> Any:
    """The part's feature extractor.

    Args:
        part: The part.
        sample_rate: Hertz that it has to hear; None: whatever it does.

    Raises:
        UserError: It has none, or one of another model, or hears another rate.
    """
    try:
        extractor = _extractor_class(part).from_pretrained(part.name, **options(part))
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
            f"{part.name} hears {extractor.sampling_rate} Hz, and data.sample_rate is "
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
