"""A dataset of the Hugging Face hub: its parquet files, of one commit, kept in the hub's cache.

Without a network the files that are already there are used. In three lines::

    python src/train_hydra.py data.dataset_name=openslr/librispeech_asr \\
        data.dataset_configs=[clean] data.train_splits=[train.100] \\
        data.eval_splits=[validation]
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah.config.schema import DataConfig
from mynah.console import notice, progress
from mynah.data.sources.reading.source import Part, Place, Source
from mynah.data.sources.reading.tabular import load_parquet, prepared
from mynah.errors import UserError
from mynah.files import write_json

if TYPE_CHECKING:
    from mynah.data.tables.table import Table

# "clean/train.100/0000.parquet", "data/train-00000-of-00014.parquet", "clean/test-00000.parquet"
_NUMBERED = re.compile(r"^(?P<split>.+?)-\d{3,}(-of-\d+)?$")
ONLY_CONFIG = "default"

_NAME = re.compile(r"(?![./~])[\w.-]+/[\w.-]+")


class HubSource(Source):
    """Splits as the dataset's card or its files' names give them.

    With several configurations a training split is joined from those that have it, and an
    evaluation split is one part for each, as ``validation.clean`` and ``validation.other``.
    """

    format = "hub"

    def __init__(self, config: DataConfig, place: Place) -> None:
        self.name = config.dataset_name
        self._config = config
        self._place = place
        self._files = _Files(config, place)
        self.identity = f"{self.name}@{self._files.revision}"
        self.revision = self._files.revision
        self._layout = self._files.layout()
        if not self._layout:
            raise UserError(
                f"{self.name} has no parquet files that Mynah understands.",
                where=f"https://huggingface.co/datasets/{self.name}",
                fix="Download it and give the folder: data.path=FOLDER",
            )
        self._configs = config.dataset_configs or [_default_config(self._layout)]
        for name in self._configs:
            if name not in self._layout:
                raise UserError(
                    f"{self.name} has no configuration {name!r}. It has: "
                    f"{', '.join(sorted(self._layout))}.",
                    where="data.dataset_configs",
                    fix=f"data.dataset_configs=[{sorted(self._layout)[0]}]",
                )

    @classmethod
    def means(cls, config: DataConfig) -> bool:
        return config.path is None and bool(_NAME.fullmatch(config.dataset_name))

    @classmethod
    def open(cls, config: DataConfig, place: Place) -> HubSource:
        return cls(config, place)

    @property
    def snapshot(self) -> Path | None:
        """The downloaded commit that is read, where the network is not used."""
        return self._files.snapshot

    @property
    def asked_revision(self) -> str | None:
        """The revision that the settings name, None: the newest."""
        return self._config.revision

    @property
    def downloads(self) -> Path | None:
        """Where downloads are kept; None: where the Hugging Face hub keeps them."""
        return self._place.downloads

    def card(self) -> list[str]:
        """The name of the dataset's card, which may tell its splits; empty where it has none."""
        return self._files.card_names()

    def files(self, part: Part) -> list[str]:
        """Names of a part's files, in their order."""
        config, _, split = part.key.partition("/")
        return self._layout[config][split]

    def splits(self) -> list[str]:
        there = [split for config in self._configs for split in self._layout[config]]
        return list(dict.fromkeys(there))

    def parts(self, split: str) -> list[Part]:
        found = []
        for config in self._configs:
            asked = split.removesuffix(f".{config}") if len(self._configs) > 1 else split
            for name in dict.fromkeys((split, asked)):
                if name in self._layout[config]:
                    label = f"{name}.{config}" if len(self._configs) > 1 else name
                    found.append(Part(label, f"{config}/{name}"))
                    break
        if not found:
            raise self.unknown_split(split)
        return found

    def is_here(self, part: Part) -> bool:
        folder = self.snapshot
        return folder is None or all((folder / name).is_file() for name in self.files(part))

    def table(self, part: Part, first_rows: int | None = None) -> Table:
        config, _, split = part.key.partition("/")
        names = self._layout[config][split]
        paths = self._files.fetch(names, first_rows)
        return prepared(
            load_parquet(paths, self._place.cache),
            config=self._config,
            place=self._place,
            part=part,
            format=self.format,
            corpus=self.name,
            identity=f"{self.identity} {self._called(names)[: len(paths)]}",
        )

    def _called(self, names: list[str]) -> list[str]:
        """The files of a split as the identity of what is prepared has them: by their base names,
        and with their folders where another configuration or split has a file of the same base
        name, as each may have a ``test-00000-of-00001.parquet``."""
        splits = (files for config in self._layout.values() for files in config.values())
        others = {name for files in splits for name in files}.difference(names)
        base_names = [name.rpartition("/")[2] for name in names]
        # Folders in all of them would have each corpus that was prepared before prepared again.
        is_clear = {name.rpartition("/")[2] for name in others}.isdisjoint(base_names)
        return base_names if is_clear else names


class _Files:
    """The files of one commit of a dataset's repository, downloaded when they are needed."""

    def __init__(self, config: DataConfig, place: Place) -> None:
        from huggingface_hub import constants

        self._repository = config.dataset_name
        self._revision = config.revision
        self._downloads = place.downloads
        self._listings = place.cache / "hub-listings"
        self._offline = place.offline or constants.HF_HUB_OFFLINE
        self.snapshot: Path | None = None
        self._names: list[str] = []
        if self._offline:
            self._open_local("the network is not to be used (offline=true)")
        else:
            self._open_remote()

    def layout(self) -> dict[str, dict[str, list[str]]]:
        """Parquet files by configuration and split."""
        card = self._card()
        if card:
            return card
        return layout_of(self._names)

    def card_names(self) -> list[str]:
        """The dataset's card, where it has one."""
        return ["README.md"] if "README.md" in self._names else []

    def fetch(self, names: list[str], first_rows: int | None) -> list[Path]:
        """Files on this machine; only as many of them as hold the first rows asked for."""
        import pyarrow.parquet

        paths: list[Path] = []
        rows = 0
        with progress(f"Fetching {self._repository}", len(names), "files") as advance:
            for name in names:
                path = self._one(name)
                paths.append(path)
                advance()
                if first_rows is not None:
                    rows += pyarrow.parquet.ParquetFile(path).metadata.num_rows
                    if rows >= first_rows:
                        break
        return paths

    def _one(self, name: str) -> Path:
        from huggingface_hub import hf_hub_download

        if self.snapshot is not None and (self.snapshot / name).is_file():
            return self.snapshot / name
        if self._offline:
            raise self._missing(f"{name} is not on this machine")
        try:
            path = hf_hub_download(
                self._repository,
                name,
                repo_type="dataset",
                revision=self.revision,
                cache_dir=self._downloads,
            )
        except Exception as problem:
            raise self._missing(_reason(problem)) from problem
        return Path(path)

    def _open_remote(self) -> None:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import (
            GatedRepoError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )

        try:
            info = HfApi().dataset_info(self._repository, revision=self._revision, timeout=20)
        except GatedRepoError as problem:
            raise UserError(
                f"{self._repository} is given only to those who accepted its terms.",
                where=f"https://huggingface.co/datasets/{self._repository}",
                fix="Accept them there, then log in with: hf auth login",
            ) from problem
        except RevisionNotFoundError as problem:
            raise UserError(
                f"{self._repository} has no revision {self._revision!r}.", where="data.revision"
            ) from problem
        except RepositoryNotFoundError as problem:
            raise UserError(
                f"There is no dataset {self._repository!r} on the Hugging Face hub, and no "
                "folder of that name here.",
                where="data.dataset_name",
                fix="Look for its name at https://huggingface.co/datasets, or log in for a "
                "private one: hf auth login",
            ) from problem
        except Exception as problem:  # whatever a missing network raises in this version
            self._open_local(_reason(problem))
            notice(f"No network: {self._repository} as it was downloaded before is used.")
            return
        self.revision = info.sha or self._revision or "main"
        self._names = [sibling.rfilename for sibling in info.siblings or []]
        self._note_names()

    def _open_local(self, reason: str) -> None:
        self._offline = True
        folder = _local_snapshot(self._repository, self._revision, self._downloads)
        if folder is None:
            raise self._missing(reason)
        self.snapshot = folder
        self.revision = folder.name
        self._names = self._noted_names() or [
            path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
        ]

    def _note_names(self) -> None:
        """Keep the list of all files of this commit: without a network a split of which only a
        part was downloaded is then known to be one."""
        note = self._listing()
        if not note.is_file():
            note.parent.mkdir(parents=True, exist_ok=True)
            write_json(note, self._names)

    def _noted_names(self) -> list[str]:
        try:
            names: list[str] = json.loads(self._listing().read_text(encoding="utf-8"))
            return names
        except (OSError, ValueError):
            return []

    def _listing(self) -> Path:
        return self._listings / f"{self._repository.replace('/', '--')}-{self.revision}.json"

    def _missing(self, reason: str) -> UserError:
        return UserError(
            f"The dataset {self._repository} cannot be had from the Hugging Face hub: {reason}.",
            where=f"data.dataset_name={self._repository}",
            fix="Where there is a network: `mynah prefetch` with the same settings. What works "
            "without one: data=default or data=small (speech made here), or a corpus on this "
            "machine: data.path=FOLDER",
        )

    def _card(self) -> dict[str, dict[str, list[str]]]:
        """The layout as the dataset's card tells it; empty where it does not."""
        import fnmatch

        import yaml

        if "README.md" not in self._names:
            return {}
        text = self._one("README.md").read_text(encoding="utf-8")
        if not text.startswith("---"):
            return {}
        try:
            head = yaml.safe_load(text.split("---", 2)[1]) or {}
        except yaml.YAMLError:
            return {}
        found: dict[str, dict[str, list[str]]] = {}
        for config in head.get("configs") or []:
            files = config.get("data_files")
            if not isinstance(files, list):
                continue
            for entry in files:
                if not isinstance(entry, dict):
                    continue
                patterns = entry.get("path") or []
                patterns = [patterns] if isinstance(patterns, str) else patterns
                names = [
                    name
                    for name in sorted(self._names)
                    if name.endswith(".parquet")
                    and any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
                ]
                if names:
                    found.setdefault(config["config_name"], {})[str(entry["split"])] = names
        return found


def layout_of(names: Iterable[str]) -> dict[str, dict[str, list[str]]]:
    """Parquet files by configuration and split, as their names tell: ``CONFIG/SPLIT/0000``,
    ``data/SPLIT-00000-of-00014`` or ``CONFIG/SPLIT-00000``.

    Args:
        names: Of files, relative to the dataset's folder; others than parquet are left out.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for name in sorted(names):
        path = Path(name)
        if path.suffix != ".parquet":
            continue
        folders = list(path.parts[:-1])
        match = _NUMBERED.match(path.stem)
        if match:
            split = match["split"]
        elif path.stem.isdigit() and folders:
            split = folders.pop()
        else:
            split = path.stem
        config = folders[-1] if folders and folders[-1] != "data" else ONLY_CONFIG
        found.setdefault(config, {}).setdefault(split, []).append(name)
    return found


def _local_snapshot(repository: str, revision: str | None, downloads: Path | None) -> Path | None:
    """The folder of a downloaded commit: the one asked for, or the newest."""
    from huggingface_hub import constants

    for cache in (downloads, Path(constants.HF_HUB_CACHE)):
        if cache is None:
            continue
        root = cache / f"datasets--{repository.replace('/', '--')}"
        named = root / "refs" / (revision or "main")
        commit = named.read_text(encoding="utf-8").strip() if named.is_file() else revision or ""
        if commit and (root / "snapshots" / commit).is_dir():
            return root / "snapshots" / commit
        if revision is None and (root / "snapshots").is_dir():
            there = sorted((root / "snapshots").iterdir(), key=lambda path: path.stat().st_mtime)
            if there:
                return there[-1]
    return None


def _reason(problem: Exception) -> str:
    text = " ".join(str(problem).split())
    return f"{type(problem).__name__}: {text[:160]}".rstrip(".") if text else type(problem).__name__


def _default_config(layout: dict[str, Any]) -> str:
    if ONLY_CONFIG in layout or len(layout) == 1:
        return ONLY_CONFIG if ONLY_CONFIG in layout else next(iter(layout))
    raise UserError(
        f"The dataset has several configurations: {', '.join(sorted(layout))}.",
        where="data.dataset_configs",
        fix=f"data.dataset_configs=[{sorted(layout)[0]}]",
    )
