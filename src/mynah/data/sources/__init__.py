"""One file a corpus format.

A new one is one new file and one line in ``mynah.config.plugins.formats``.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
from collections.abc import Iterator
from pathlib import Path

from mynah import console
from mynah.config.options import check_given
from mynah.config.plugins.formats import AUTO_FORMAT, FORMATS
from mynah.config.schema import DataConfig
from mynah.data.recipes import RECIPES
from mynah.data.sources.reading.foreign import ForeignSource
from mynah.data.sources.reading.source import Place, Source
from mynah.errors import UserError
from mynah.storage.address import is_address
from mynah.storage.corpus import corpus_folder

_PLAIN = "folder"  # what is there and in no other format


def open_source(config: DataConfig, place: Place, *, section: str = "data") -> Source:
    """The corpus that ``data`` names, in the format it is in.

    Args:
        config: The settings.
        place: Where it works.
        section: Where a person finds the settings, as ``data.mixture.calls``.

    Raises:
        UserError: It is not there, in no known format, or its options do not suit its format.
    """
    config = fetched_corpus(config, section)
    name = find_format(config, place.working_directory)
    source = format_of(name)
    owner = f"the corpus format {name}"
    check_given(f"{section}.options", config.options, source.Options, owner)
    with FORMATS.blame(name):
        opened = source.open(config, place)
        if FORMATS.plugin(name) is None:
            return opened
        return ForeignSource(opened, functools.partial(FORMATS.blame, name))


def fetched_corpus(config: DataConfig, section: str = "data") -> DataConfig:
    """The settings with a corpus in storage fetched to this machine; others as they are.

    Shards that are streamed stay where they are.

    Args:
        config: The settings.
        section: Where a person finds them.

    Raises:
        UserError: It cannot be read, or is larger than the cache of storage may be.
    """
    given = config.path or config.dataset_name
    if not is_address(given) or config.streaming:
        return config
    setting = f"{section}.{'path' if config.path else 'dataset_name'}"
    folder = str(corpus_folder(given, setting))
    if config.path:
        return dataclasses.replace(config, path=folder)
    return dataclasses.replace(config, dataset_name=folder)


def format_of(name: str) -> type[Source]:
    """The format of a name.

    Raises:
        UserError: It is a plug-in's, and fails to import or breaks its contract.
    """
    found: type[Source] = FORMATS.get(name)
    _say_what_is_not_used(name)
    return found


@functools.cache
def _say_what_is_not_used(name: str) -> None:
    """Say once that a plug-in has a name which is taken already."""
    for text in FORMATS.notices(name):
        console.notice(text)


def find_format(config: DataConfig, working_directory: Path) -> str:
    """Which format the corpus is in: as set, by its name, or by looking.

    Raises:
        UserError: Its name is not a corpus, a folder, or a name of the hub's kind.
    """
    if config.format != AUTO_FORMAT:
        return config.format
    name = config.dataset_name
    if is_address(config.path or name):
        if config.streaming:
            return "shards"
        config = fetched_corpus(config)
        name = config.dataset_name
    if config.streaming and (config.path or (working_directory / name).expanduser().exists()):
        return "shards"
    if name in FORMATS and (named := _named(config, working_directory)):
        return named
    given = config.path or name
    root = working_directory / Path(given).expanduser()
    if root.exists():
        return looked_at(root)
    for format in FORMATS.own:
        if format_of(format).means(config):
            return format
    if config.path is not None or name.startswith((".", "/", "~")) or name.count("/") > 1:
        return _PLAIN  # which says that it is not there
    known = [format for format in FORMATS.own if format_of(format).is_corpus]
    near = difflib.get_close_matches(name, known, n=1)
    raise UserError(
        f"There is no corpus {name!r}: it is neither a folder here nor one of {', '.join(known)}.",
        where="data.dataset_name",
        fix=f"data.dataset_name={near[0]}"
        if near
        else "a folder's path, or OWNER/NAME of a dataset on the Hugging Face hub",
    )


def looked_at(root: Path) -> str:
    """The format of what lies at a path; ``folder`` where no other recognizes it.

    A plug-in that fails is not asked, and a notice says so.

    Args:
        root: A folder, or a file that lists a corpus.
    """
    if root.is_dir() or root.is_file():
        for name in FORMATS.own:
            if format_of(name).recognizes(root):
                return name
        for name, source in _plugged_in():
            try:
                with FORMATS.blame(name):
                    if source.recognizes(root):
                        return name
            except UserError as problem:
                _not_asked(problem)
    return _PLAIN


def _named(config: DataConfig, working_directory: Path) -> str | None:
    """The format of the name ``data.dataset_name``, where that is a corpus's; else None.

    Raises:
        UserError: It has to be said where the corpus lies, and is not.
    """
    name = config.dataset_name
    source = format_of(name)
    if not source.is_corpus or (not source.needs_folder and config.path is not None):
        return None
    if source.needs_folder and config.path is None and not (working_directory / name).exists():
        ways = ["data.path=FOLDER"]
        if name in RECIPES:
            ways.append(f"`mynah data download {name} --to DIR` fetches it")
        if source.elsewhere:
            ways.append(f"or {source.elsewhere}")
        raise UserError(
            f"{name} is not a part of Mynah: say where it lies on this machine.",
            where=f"data.dataset_name={name}",
            fix="; ".join(ways),
        )
    return name


def _plugged_in() -> Iterator[tuple[str, type[Source]]]:
    """The formats of plug-ins that can be used, by name."""
    for name in FORMATS.names[len(FORMATS.own) :]:
        try:
            yield name, format_of(name)
        except UserError as problem:
            _not_asked(problem)


def _not_asked(problem: UserError) -> None:
    console.notice(f"{problem.what} ({problem.where}): it is not asked for the corpus's format.")
