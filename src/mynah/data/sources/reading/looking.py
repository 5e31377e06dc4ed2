"""Which format a corpus on this machine is in, found by looking at its files' names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

# What tells a format, the surest first; each imports its module when it is asked.


def _disk(root: Path) -> bool:
    from mynah.data.sources.disk import is_saved

    return is_saved(root)


def _an4(root: Path) -> bool:
    patterns = ("etc/*_train.fileids", "an4/etc/*_train.fileids")
    return any(next(root.glob(pattern), None) for pattern in patterns)


def _librispeech(root: Path) -> bool:
    patterns = ("*/*/*/*.trans.txt", "LibriSpeech/*/*/*/*.trans.txt")
    return any(next(root.glob(pattern), None) for pattern in patterns)


def _speechocean762(root: Path) -> bool:
    return any(
        (folder / "WAVE").is_dir() and (folder / "train" / "wav.scp").is_file()
        for folder in (root, root / "speechocean762")
    )


def _kaldi(root: Path) -> bool:
    from mynah.data.sources.kaldi import data_directories

    return bool(data_directories(root))


def _lhotse(root: Path) -> bool:
    from mynah.data.sources.lhotse import manifests

    return bool(manifests(root))


def _common_voice(root: Path) -> bool:
    from mynah.data.sources.common_voice import languages

    return bool(languages(root))


def _ljspeech(root: Path) -> bool:
    from mynah.data.sources.ljspeech import is_ljspeech

    return is_ljspeech(root) or is_ljspeech(root / "LJSpeech-1.1")


def _nemo(root: Path) -> bool:
    from mynah.data.sources.nemo import is_manifest

    if root.is_file():
        return is_manifest(root)
    # A folder with a listing of its own is read by that.
    if not root.is_dir() or any(root.glob("metadata.*")):
        return False
    return any(is_manifest(path) for path in root.iterdir())


def _webdataset(root: Path) -> bool:
    from mynah.data.sources.webdataset import shards

    return bool(shards(root))


def _parquet(root: Path) -> bool:
    from mynah.data.sources.parquet import is_parquet

    return is_parquet(root)


_SIGNS: dict[str, Callable[[Path], bool]] = {
    "disk": _disk,
    "an4": _an4,
    "librispeech": _librispeech,
    "speechocean762": _speechocean762,
    "kaldi": _kaldi,
    "lhotse": _lhotse,
    "common_voice": _common_voice,
    "ljspeech": _ljspeech,
    "nemo": _nemo,
    "webdataset": _webdataset,
    "parquet": _parquet,
}


def looked_at(root: Path) -> str:
    """The format of what lies at a path; ``folder`` where nothing tells another one.

    Args:
        root: A folder, or a file that lists a corpus.
    """
    for format, is_so in _SIGNS.items():
        if (root.is_dir() or root.is_file()) and is_so(root):
            return format
    return "folder"
