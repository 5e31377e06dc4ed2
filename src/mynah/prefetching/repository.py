"""Files of one repository on the Hugging Face hub: what of them is here, and the rest fetched."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mynah.errors import UserError

_BYTES_PER_GB = 1e9
_SPARE = 1.02  # of what is to come: a file system needs some for itself
_ASKED_AT_ONCE = 500  # names in one question to the hub


@dataclass(frozen=True)
class Wanted:
    """What is needed of a repository, at one commit.

    Attributes:
        kind: ``"model"`` or ``"dataset"``.
        name: As ``openai/whisper-small``.
        revision: Branch, tag or commit as the settings name it; None: main.
        commit: The commit that it stands for.
        files: Bytes of each file by its name.
        setting: The setting that names the repository.
        cache: Where downloads are kept; None: where the hub's library keeps them.
    """

    kind: str
    name: str
    revision: str | None
    commit: str
    files: Mapping[str, int]
    setting: str
    cache: Path | None = None

    @property
    def size_bytes(self) -> int:
        return sum(self.files.values())

    @property
    def folder(self) -> Path:
        """Where its files lie once they are here."""
        return self._root() / "snapshots" / self.commit

    def missing(self) -> dict[str, int]:
        """Bytes of each file that is not here yet."""
        return {
            name: size for name, size in self.files.items() if not (self.folder / name).is_file()
        }

    def fetch(self, name: str, advance: Callable[[float], None]) -> None:
        """Download a file, on from where an earlier attempt stopped.

        Args:
            name: One of :attr:`files`.
            advance: Called with bytes as they come.

        Raises:
            Exception: Whatever the hub's library raises.
        """
        from huggingface_hub import hf_hub_download

        hf_hub_download(
            self.name,
            name,
            repo_type=self.kind,
            revision=self.commit,
            cache_dir=self.cache,
            tqdm_class=_bar(advance),
        )

    def name_revision(self) -> None:
        """Note which commit the revision stands for, as the hub's library does: without a network
        the revision is found by that."""
        note = self._root() / "refs" / (self.revision or "main")
        if self.revision == self.commit:
            return
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(self.commit, encoding="utf-8")

    def _root(self) -> Path:
        from huggingface_hub import constants

        cache = self.cache or Path(constants.HF_HUB_CACHE)
        return cache / f"{self.kind}s--{self.name.replace('/', '--')}"


def sizes(kind: str, name: str, commit: str, files: Iterable[str]) -> dict[str, int]:
    """Bytes of files of a repository, as the hub tells them.

    Raises:
        Exception: Whatever the hub's library raises.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    names = list(files)
    found: dict[str, int] = {}
    for start in range(0, len(names), _ASKED_AT_ONCE):
        for one in HfApi().get_paths_info(
            name, names[start : start + _ASKED_AT_ONCE], revision=commit, repo_type=kind
        ):
            if isinstance(one, RepoFile):
                found[one.path] = one.size
    return found


def check_room(wanted: Iterable[Wanted]) -> None:
    """Find out whether all that is missing has room on the disk, before any of it is fetched.

    Raises:
        UserError: It has not.
    """
    needed: dict[Path, int] = {}
    for one in wanted:
        place = one.folder
        while not place.exists():
            place = place.parent
        needed[place] = needed.get(place, 0) + sum(one.missing().values())
    by_disk: dict[int, tuple[Path, int]] = {}
    for place, size in needed.items():
        device = place.stat().st_dev
        first, total = by_disk.get(device, (place, 0))
        by_disk[device] = (first, total + size)
    for place, size in by_disk.values():
        free = shutil.disk_usage(place).free
        if size * _SPARE > free:
            raise UserError(
                f"{gigabytes(size)} are to be downloaded, and {gigabytes(free)} are free.",
                where=str(place),
                fix="free some space, or name a larger disk: HF_HOME for models and datasets, "
                "data.dataset_cache_dir for datasets",
            )


def gigabytes(size: float) -> str:
    """Bytes, for people."""
    if size < _BYTES_PER_GB / 10:
        return f"{size / 1e6:.1f} MB"
    return f"{size / _BYTES_PER_GB:.1f} GB"


def _bar(advance: Callable[[float], None]) -> Any:
    """A progress bar for the hub's library that shows nothing and tells how much came."""
    from huggingface_hub.utils.tqdm import tqdm

    class Bar(tqdm):
        def __init__(self, *args: Any, **settings: Any) -> None:
            super().__init__(*args, **{**settings, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> None:
            advance(n or 0)

    return Bar
