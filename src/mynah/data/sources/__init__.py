"""One file a corpus format; a new one is one new file and one line in :data:`FORMATS`."""

from __future__ import annotations

import difflib
import importlib
import re
from pathlib import Path

from mynah.config.schema import DataConfig
from mynah.data.recipes import RECIPES
from mynah.data.sources.reading.looking import looked_at
from mynah.data.sources.reading.source import Place, Source
from mynah.errors import UserError

# format: (module, class); a module is imported when its format is asked for
FORMATS = {
    "synthetic": ("mynah.data.sources.synthetic", "SyntheticSource"),
    "folder": ("mynah.data.sources.folder", "FolderSource"),
    "nemo": ("mynah.data.sources.nemo", "NemoSource"),
    "lhotse": ("mynah.data.sources.lhotse", "LhotseSource"),
    "kaldi": ("mynah.data.sources.kaldi", "KaldiSource"),
    "common_voice": ("mynah.data.sources.common_voice", "CommonVoiceSource"),
    "ljspeech": ("mynah.data.sources.ljspeech", "LJSpeechSource"),
    "librispeech": ("mynah.data.sources.librispeech", "LibriSpeechSource"),
    "an4": ("mynah.data.sources.an4", "AN4Source"),
    "speechocean762": ("mynah.data.sources.speechocean762", "SpeechOcean762Source"),
    "parquet": ("mynah.data.sources.parquet", "ParquetSource"),
    "disk": ("mynah.data.sources.disk", "DiskSource"),
    "webdataset": ("mynah.data.sources.webdataset", "WebDatasetSource"),
    "hub": ("mynah.data.sources.hub", "HubSource"),
    "shards": ("mynah.data.sources.shards", "ShardsSource"),
}
# Corpora that are laid out in a way of their own, by the name of their format
CORPORA = ("librispeech", "an4", "ljspeech", "common_voice", "speechocean762")
_PATTERN = re.compile(r"[*,{]|_OP_")
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def open_source(config: DataConfig, place: Place) -> Source:
    """The corpus that ``data`` names, in the format it is in.

    Raises:
        UserError: It is not there, or in no known format.
    """
    module, name = FORMATS[find_format(config, place.working_directory)]
    source: type[Source] = getattr(importlib.import_module(module), name)
    return source.open(config, place)


def find_format(config: DataConfig, working_directory: Path) -> str:
    """Which of :data:`FORMATS` the corpus is in: as set, by its name, or by looking.

    Raises:
        UserError: Its name is no corpus, no folder, and no name of the hub's kind.
    """
    if config.format != "auto":
        return config.format
    name = config.dataset_name
    if config.streaming and (config.path or (working_directory / name).expanduser().exists()):
        return "shards"
    if name in CORPORA:
        if config.path is None and not (working_directory / name).exists():
            raise UserError(
                f"{name} is not a part of Mynah: say where it lies on this machine.",
                where=f"data.dataset_name={name}",
                fix="data.path=FOLDER"
                + (f"; `mynah data download {name} --to DIR` fetches it" if name in RECIPES else "")
                + ("; or data=full for the hub's copy" if name == "librispeech" else ""),
            )
        return name
    if name == "synthetic" and config.path is None:
        return "synthetic"
    given = config.path or name
    if _PATTERN.search(given) and not (working_directory / given).exists():
        return "nemo"  # several manifests: no other format's path is a pattern
    if config.path is not None:
        return looked_at(working_directory / Path(config.path).expanduser())
    folder = working_directory / Path(name).expanduser()
    if folder.exists():
        return looked_at(folder)
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        return "folder"  # which says that it is not there
    if _HUB_NAME.fullmatch(name):
        return "hub"
    known = ["synthetic", *CORPORA]
    near = difflib.get_close_matches(name, known, n=1)
    raise UserError(
        f"There is no corpus {name!r}: it is neither a folder here nor one of {', '.join(known)}.",
        where="data.dataset_name",
        fix=f"data.dataset_name={near[0]}"
        if near
        else "a folder's path, or OWNER/NAME of a dataset on the Hugging Face hub",
    )
