"""What a run needs of its corpora on the Hugging Face hub: the parquet files of its splits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mynah.config.naming.one_corpus import OWN_SPLIT
from mynah.config.schema import Config, DataConfig
from mynah.data import splits
from mynah.data.preparation.mixture import entries, entry_config
from mynah.data.preparation.own_split import test_splits_of, with_own_split
from mynah.data.sources import find_format, open_source
from mynah.data.sources.hub import HubSource
from mynah.data.sources.reading.source import Part, Place
from mynah.errors import UserError
from mynah.evaluation.baseline.guards import GENERAL_GUARD, speech_settings
from mynah.prefetching.repository import Wanted, sizes

_TRAIN = "train"  # the split to replay where none is named
_PATTERNS = ("*", ",", "{", "_OP_")  # in the name of several files


@dataclass(frozen=True)
class Here:
    """A corpus that needs no download.

    Attributes:
        name: Its name, or its folder.
        why: Where it is from, for people.
    """

    name: str
    why: str


def corpora(
    config: DataConfig, *, offline: bool, working_directory: Path, train: bool = True
) -> Iterator[tuple[HubSource, list[str]] | Here]:
    """Each corpus of a run: one of the hub, opened, with the files that are needed of it.

    Args:
        config: The settings of ``data``.
        offline: Look at what is on this machine alone.
        working_directory: What relative paths are relative to.
        train: Whether the training splits are needed too.

    Raises:
        UserError: A corpus is not to be had, or lacks a split.
    """
    place = Place.of(config, working_directory, offline=offline)
    members = [entry_config(config, entry) for entry in entries(config).values()] or [config]
    for member in members:
        kind = find_format(member, working_directory)
        if kind == "synthetic":
            yield Here("synthetic", "spoken here")
        elif kind != "hub":
            given = member.path or member.dataset_name
            is_pattern = any(sign in given for sign in _PATTERNS)
            if not is_pattern and not (working_directory / Path(given).expanduser()).exists():
                open_source(member, place)  # which says that it is not there
            yield Here(given, "on this machine")
        else:
            source = HubSource.open(member, place)
            yield source, _files(member, source, train=train)


def general_corpora(
    config: Config, *, offline: bool, working_directory: Path
) -> Iterator[tuple[HubSource, list[str]] | Here]:
    """The same of what a tuning replays and is guarded by, as ``data.replay_from`` and
    ``evaluation.guard`` name it; ``general`` is synthesized, and needs no files.

    Raises:
        UserError: A corpus is not to be had, or lacks a split.
    """
    if not config.model.pretrained:
        return
    replayed = [config.data.replay_from] if config.data.replay else []
    named = [("data.replay_from", one, _TRAIN) for one in replayed]
    named += [("evaluation.guard", one, OWN_SPLIT) for one in config.evaluation.guard or ()]
    for setting, asked, likeliest in named:
        if asked == GENERAL_GUARD:
            continue
        data = speech_settings(asked, config, working_directory, likeliest=likeliest)
        try:
            yield from corpora(
                data, offline=offline, working_directory=working_directory, train=False
            )
        except UserError as problem:
            problem.where = f"{setting}: {asked}"
            raise


def wanted_datasets(source: HubSource, files: list[str]) -> Wanted:
    """What of a corpus's repository is needed, at the commit that its revision stands for.

    Raises:
        UserError: The hub does not answer.
    """
    try:
        found = sizes("dataset", source.name, source.revision, files)
    except OSError as problem:
        raise UserError(
            f"The hub does not say how large the files of {source.name} are: "
            f"{type(problem).__name__}.",
            where=f"data.dataset_name={source.name}",
            fix="try again in a while",
        ) from None
    return _wanted(source, found)


def datasets_here(source: HubSource, files: list[str]) -> Wanted:
    """The same for a corpus that was looked at without a network; of a file that is not on this
    machine the size is not known, and 0."""
    folder = source.snapshot
    assert folder is not None
    sizes_here = {
        name: (folder / name).stat().st_size if (folder / name).is_file() else 0 for name in files
    }
    return _wanted(source, sizes_here)


def _wanted(source: HubSource, files: dict[str, int]) -> Wanted:
    return Wanted(
        "dataset",
        source.name,
        source.asked_revision,
        source.revision,
        files,
        "data.dataset_name",
        source.downloads,
    )


def _files(config: DataConfig, source: HubSource, *, train: bool) -> list[str]:
    """Files of all splits that are trained on and measured on; of a slice as many as hold it."""
    found = list(source.card())
    measured = with_own_split(config.eval_splits or [], source, train=train)
    learned = config.train_splits if train or config.eval_splits is None else []
    tested: list[str] = []
    if train:
        chosen_by = learned if measured is None else measured
        tested = test_splits_of(config.test_splits, source, learned=learned, measured=chosen_by)
    for specification in [*learned, *(measured or []), *tested]:
        for wanted_slice in splits.parse_split(specification):
            for part in source.parts(wanted_slice.name):
                found += _leading(source, part, wanted_slice.first_rows)
    return list(dict.fromkeys(found))


def _leading(source: HubSource, part: Part, first_rows: int | None) -> list[str]:
    """A part's files, or the first of them that hold so many rows."""
    files = source.files(part)
    if first_rows is None or len(files) == 1:
        return files
    rows, taken = 0, []
    for name in files:
        taken.append(name)
        rows += _rows(source, name)
        if rows >= first_rows:
            break
    return taken


def _rows(source: HubSource, name: str) -> int:
    """Rows of a parquet file, of which only the end is read where it lies."""
    import pyarrow.parquet
    from huggingface_hub import HfFileSystem, try_to_load_from_cache

    here = try_to_load_from_cache(
        source.name, name, cache_dir=source.downloads, revision=source.revision, repo_type="dataset"
    )
    if isinstance(here, str):
        return int(pyarrow.parquet.ParquetFile(here).metadata.num_rows)
    if source.snapshot is not None:
        return 0  # it is not here, and the network is not used
    with HfFileSystem().open(f"datasets/{source.name}@{source.revision}/{name}") as file:
        return int(pyarrow.parquet.ParquetFile(file).metadata.num_rows)
