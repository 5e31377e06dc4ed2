"""Tables that hold their recordings in themselves: a dataset's, of the hub, of a disk, of
parquet files. They are mapped into memory, and the recordings are never copied."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah.config.schema import DataConfig
from mynah.data.row import Row
from mynah.data.sources.reading import values
from mynah.data.sources.reading.extras import as_columns
from mynah.data.sources.reading.listed import stretch
from mynah.data.sources.reading.metadata import (
    HEADERS,
    TIMES,
    check_columns,
    held_values,
    other_columns,
)
from mynah.data.sources.reading.silence import mark_no_speech
from mynah.data.sources.reading.source import Part, Place
from mynah.errors import UserError

if TYPE_CHECKING:
    import datasets

    from mynah.data.tables.table import Table

FindFile = Callable[[str], Path]
_BATCH_ROWS = 1000


def prepared(
    dataset: datasets.Dataset,
    *,
    config: DataConfig,
    place: Place,
    part: Part,
    format: str,
    corpus: str,
    identity: str,
    find_audio: FindFile | None = None,
) -> Table:
    """The prepared table of a dataset's rows; the recordings stay where they are.

    Args:
        dataset: Its audio column not decoded.
        config: The settings of ``data``.
        place: Where the source works.
        part: Which part of the corpus it is.
        format: The source's.
        corpus: What the corpus is called.
        identity: Identifies the content.
        find_audio: The file of a recording that the dataset names; None: it holds them all.

    Raises:
        UserError: It lacks a column, or channels are to be split.
    """
    from mynah.data.preparation.checking import checked_table

    if config.channels == "split":
        raise UserError(
            f"data.channels=split cannot share out the transcripts of {corpus}: a dataset has "
            "one transcript for all channels of a recording.",
            where="data.channels",
            fix="data.channels=mix or data.channels=first; or write the recordings to a folder "
            "with a transcript for each channel (columns text_0 and text_1)",
        )
    names = tabular_columns(dataset, config.columns, corpus)
    audio = dataset.select_columns([names["audio"]]).rename_columns({names["audio"]: "audio"})
    rows = mark_no_speech(_rows(dataset, names, config, part, corpus), config.no_speech_texts)
    in_files = False
    if find_audio is not None and _names_files(dataset, names["audio"]):
        in_files = True
        named = _file_names(dataset, names["audio"])
        rows = [_in_file(*one, find_audio) for one in zip(rows, named, strict=True)]
    elif find_audio is not None and (named := _beside(dataset, names["audio"])):
        rows = [
            row if name is None else replace(row, path=str(find_audio(name)))
            for row, name in zip(rows, named, strict=True)
        ]
    table = checked_table(
        rows,
        name=f"{format}-{re.sub('[^A-Za-z0-9.]+', '-', part.name)}",
        description=f"{corpus} {part.name}",
        cache=place.cache,
        processes=place.processes,
        content=identity,
        load=None if in_files else lambda place: content(audio[place]["audio"], find_audio),
        spread=place.spread,
    )
    return table if in_files else replace(table, audio=audio)


def load_parquet(paths: Sequence[Path], cache: Path) -> datasets.Dataset:
    """Parquet files as one memory-mapped table, audio left as it is in them.

    Raises:
        UserError: One of them cannot be read.
    """
    import datasets

    def load() -> datasets.Dataset:
        return datasets.load_dataset(
            "parquet",
            data_files=[str(path) for path in paths],
            split="train",
            cache_dir=str(cache / "hub"),
        )

    return undecoded(quietly(load, where=str(paths[0])))


def quietly(load: Callable[[], Any], where: str) -> Any:
    """What ``load`` gives, without the bars and warnings of datasets.

    Raises:
        UserError: It fails; the first line of the reason is given.
    """
    import datasets

    level = datasets.utils.logging.get_verbosity()
    datasets.utils.logging.set_verbosity_error()
    datasets.disable_progress_bars()
    try:
        return load()
    except Exception as problem:  # whatever pyarrow and datasets raise for a damaged file
        cause: BaseException = problem
        while cause.__cause__ is not None:
            cause = cause.__cause__
        reason = (str(cause).strip().splitlines() or [type(cause).__name__])[0][:200]
        raise UserError(f"The dataset cannot be read: {reason.rstrip('.')}.", where=where) from None
    finally:
        datasets.enable_progress_bars()
        datasets.utils.logging.set_verbosity(level)


def undecoded(dataset: datasets.Dataset) -> datasets.Dataset:
    """The dataset with its audio as bytes, whatever feature it has."""
    import datasets

    for name, feature in dataset.features.items():
        if isinstance(feature, datasets.Audio):
            dataset = dataset.cast_column(name, datasets.Audio(decode=False))
    return dataset


def tabular_columns(
    dataset: datasets.Dataset, columns: dict[str, str], corpus: str
) -> dict[str, str]:
    """Our names of the columns to the dataset's.

    Raises:
        UserError: It has no column of recordings or transcripts, or not the one that is mapped.
    """
    import datasets

    check_columns(columns)
    there = dataset.column_names
    names = {}
    for ours, headers in HEADERS.items():
        wanted = [columns[ours]] if ours in columns else headers
        found = [name for name in wanted if name in there]
        if ours == "audio" and ours not in columns:
            typed = [n for n, kind in dataset.features.items() if isinstance(kind, datasets.Audio)]
            found = typed or found
        if found:
            names[ours] = found[0]
        elif ours in columns or ours in ("audio", "text"):
            raise UserError(
                f"{corpus} has no column for {ours}; it has: {', '.join(there)}.",
                where="data.columns",
                fix=f"data.columns.{ours}=NAME_OF_THE_COLUMN",
            )
    return names


def content(audio: Any, find_audio: FindFile | None = None) -> bytes:
    """The audio file of a cell: bytes, or a struct of path and bytes.

    Raises:
        ValueError: It holds none.
    """
    if isinstance(audio, bytes):
        return audio
    if isinstance(audio, dict) and audio.get("bytes"):
        return bytes(audio["bytes"])
    path = audio.get("path") if isinstance(audio, dict) else audio
    if find_audio is not None and isinstance(path, str) and path:
        return find_audio(path).read_bytes()
    raise ValueError("the dataset holds no audio for it")


def _rows(
    dataset: datasets.Dataset,
    names: dict[str, str],
    config: DataConfig,
    part: Part,
    corpus: str,
) -> list[Row]:
    wanted = ("id", "text", "speaker", "language", "context", "no_speech", "channel")
    # Where a clip came from does not cut it, unless a person says that it does.
    times = () if config.columns.keys().isdisjoint(TIMES) else TIMES
    held = {
        ours: names[ours]
        for ours in (*wanted, *times)
        if ours in names and names[ours] != names["audio"]
    }
    kinds = {ours: dataset.features[name] for ours, name in held.items()}
    more = [
        name for name in other_columns(dataset.column_names, names) if _is_scalar(dataset, name)
    ]
    read = dataset.select_columns(list(dict.fromkeys([*held.values(), *more])))
    rows: list[Row] = []
    files = _file_names(dataset, names["audio"])
    first = 0 if config.channels == "first" else None
    for batch in read.iter(_BATCH_ROWS):
        columns = {ours: _named(batch[name], kinds[ours]) for ours, name in held.items()}
        others = [(name, _named(batch[name], dataset.features[name])) for name in more]
        for number, cells in enumerate(zip(*columns.values(), strict=True)):
            row = dict(zip(columns, cells, strict=True))
            where = f"{corpus} {part.name}, row {len(rows)}"
            texts = {
                ours: values.text(row.get(ours), ours, where).strip()
                for ours in ("id", "text", "speaker", "language")
            }
            channel = row.get("channel")
            cut = held_values(row, {ours: ours for ours in times if ours in row})
            offset, duration = stretch(cut, where, cuts=True)
            rows.append(
                Row(
                    id=texts["id"] or files[len(rows)] or f"{part.name}-{len(rows):07d}",
                    path=None,
                    text=texts["text"] or None,
                    offset_seconds=offset,
                    duration_seconds=duration or None,
                    channel=first if channel is None else values.channel(channel, where),
                    speaker=texts["speaker"],
                    language=texts["language"],
                    context=values.terms(row.get("context"), "context", where),
                    source=part.key,
                    no_speech=values.truth(row.get("no_speech"), "no_speech", where),
                    columns=as_columns({name: column[number] for name, column in others}),
                )
            )
    return rows


def _is_scalar(dataset: datasets.Dataset, name: str) -> bool:
    """Whether a column holds texts, numbers, truth values or names of classes."""
    import datasets

    kind = dataset.features[name]
    if isinstance(kind, datasets.ClassLabel):
        return True
    return isinstance(kind, datasets.Value) and kind.dtype.startswith(
        ("string", "large_string", "int", "uint", "float", "bool")
    )


def _names_files(dataset: datasets.Dataset, audio: str) -> bool:
    """Whether a column of recordings holds none, but says which files they are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = dataset.data.table.column(audio)
    if not pa.types.is_struct(column.type):
        return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))
    if column.type.get_field_index("bytes") < 0:
        return bool(column.type.get_field_index("path") >= 0)
    return bool(pc.struct_field(column, "bytes").null_count == len(column) > 0)


def _beside(dataset: datasets.Dataset, audio: str) -> Sequence[str | None]:
    """The files that some rows name while the others hold their recordings, None for these;
    nothing where all hold them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = dataset.data.table.column(audio)
    if not pa.types.is_struct(column.type) or column.type.get_field_index("bytes") < 0:
        return []
    held = pc.is_valid(pc.struct_field(column, "bytes"))
    if pc.all(held).as_py() is not False:
        return []
    named = _file_names(dataset, audio)
    return [
        None if own else name or None for own, name in zip(held.to_pylist(), named, strict=True)
    ]


def _in_file(row: Row, name: str | None, find_audio: FindFile) -> Row:
    """A row whose recording is a file that the dataset names."""
    if not name:
        return replace(row, fault="the dataset holds no audio for it")
    return replace(row, path=str(find_audio(name)))


def _file_names(dataset: datasets.Dataset, audio: str) -> Sequence[str | None]:
    """What the recordings were called as files, None where that is not known."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = dataset.data.table.column(audio)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return list(column.to_pylist())
    if not pa.types.is_struct(column.type) or column.type.get_field_index("path") < 0:
        return [None] * len(dataset)
    names: list[str | None] = pc.struct_field(column, "path").to_pylist()
    return names


def _named(column: Sequence[Any], kind: Any) -> Sequence[Any]:
    """The names of a column of class labels; any other column as it is."""
    import datasets

    if not isinstance(kind, datasets.ClassLabel):
        return column
    return [None if label is None or label < 0 else kind.int2str(int(label)) for label in column]
