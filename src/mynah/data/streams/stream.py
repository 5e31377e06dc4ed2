"""A training set that is streamed: what the trainer asks of a corpus, without a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from mynah.config.schema import DataConfig
from mynah.console import progress, say
from mynah.data.audio import files as audio_files
from mynah.data.audio.files import AudioError
from mynah.data.sources.reading.paths import AudioPaths
from mynah.data.sources.reading.silence import mark_no_speech
from mynah.data.sources.reading.source import Place, UnknownSplitError, meant_splits
from mynah.data.streams.files import (
    NOWHERE,
    FileReader,
    find_shards,
    nothing_stored,
    stored_shards,
)
from mynah.data.streams.reader import BadRow, ShardReader
from mynah.data.streams.rows import StreamedUtterance
from mynah.data.streams.shard import Shard
from mynah.data.streams.windows import Windows
from mynah.data.tables.label_bounds import label_bounds_of
from mynah.data.text import TextPolicy
from mynah.data.utterances import Utterance
from mynah.errors import UserError
from mynah.storage.address import is_address, name_of
from mynah.storage.store import Store

_HEAD_ROWS = 256  # looked at before training starts


class Stream:
    """Streamed training rows. Its rows are their own keys: ``stream[row]``.

    Args:
        reader: The shards.
        config: The settings of ``data``.
        policy: What becomes of transcripts.

    Attributes:
        name: What the stream is called.
        sample_rate: Hertz of what :meth:`read_audio` gives.
        fingerprint: Of the shards' names and sizes, or of a hub dataset's commit.
        tokenizer_texts: The first ``data.tokenizer_rows`` transcripts; read when asked for.
        size: None: nobody has counted the rows.
    """

    size: int | None = None

    def __init__(self, reader: ShardReader, config: DataConfig, policy: TextPolicy) -> None:
        self.name = reader.name
        self.sample_rate = config.sample_rate
        self.fingerprint = reader.identity
        self.reader = reader
        self.policy = policy
        self.tokenizer_texts = _FirstTexts(reader, policy, config)
        self._language = config.language
        self._config = config

    def __getstate__(self) -> dict[str, Any]:
        # A worker decodes rows; the shards are read by the process that trains.
        names = ("name", "sample_rate", "fingerprint", "_language")
        return {name: getattr(self, name) for name in names}

    def __getitem__(self, row: StreamedUtterance) -> Utterance:
        return Utterance(
            id=row.row.id,
            text=row.text,
            duration_seconds=row.duration_seconds,
            speaker=row.row.speaker,
            language=self.language_of(row),
            source=row.row.source,
            no_speech=row.row.no_speech,
            context=row.row.context,
        )

    def language_of(self, row: StreamedUtterance) -> str:
        """ISO 639-1 code of a row, "" where it is not known."""
        return self._language or row.row.language

    def read_audio(self, row: StreamedUtterance) -> np.ndarray:
        """The utterance: mono float32 [samples] at :attr:`sample_rate`.

        Raises:
            AudioError: It cannot be read.
        """
        held = row.row
        try:
            return audio_files.read(
                held.audio if held.audio is not None else held.path or "",
                self.sample_rate,
                offset_seconds=held.offset_seconds,
                duration_seconds=held.duration_seconds,
                channel=held.channel,
                byte_offset=held.byte_offset,
                byte_length=held.byte_length,
            )
        except (ValueError, OSError, TypeError) as problem:
            raise AudioError(
                f"The audio of utterance {held.id} cannot be read: {problem}.",
                where=held.path or self.name,
                fix="Fix or remove it, then run again.",
            ) from problem

    @property
    def durations(self) -> _Durations:
        """Seconds of a row."""
        return _Durations()

    def windows(self, *, seed: int, rank: int = 0, world_size: int = 1) -> Windows:
        """The windows of one rank."""
        return Windows(
            self.reader, self._config, self.policy, seed=seed, rank=rank, world_size=world_size
        )

    def head(self, *, seed: int) -> Head:
        """The first rows of the first pass, in memory: what a run is judged by before it trains.

        Raises:
            UserError: A shard cannot be read, or there is no usable row.
        """
        windows = self.windows(seed=seed)
        rows: list[StreamedUtterance] = []
        with closing(windows.iterate()) as passing:  # type: ignore[type-var]
            for window in passing:
                if len(rows) >= _HEAD_ROWS or (rows and window.mark.epoch):
                    break
                rows += window.rows
        return Head(self, rows[:_HEAD_ROWS])

    def about(self) -> dict[str, Any]:
        """What ``data.json`` says of it."""
        return {
            "role": "training",
            "streamed": True,
            "shards": len(self.reader.shards),
            "shuffle_buffer": self._config.shuffle_buffer,
            "fingerprint": self.fingerprint,
        }

    def promises(self) -> str:
        """What is weaker than with a prepared corpus, in a sentence or two."""
        buffer = self._config.shuffle_buffer
        return (
            f"{self.name} is streamed from {len(self.reader.shards):,} shard(s): lengths are "
            f"not known in advance, rows are shuffled and bucketed {buffer:,} at a time "
            "(data.shuffle_buffer), duplicates and rows shared with the evaluation are not "
            f"looked for, and a resumed training reads up to {buffer:,} rows a process again."
        )


class _Durations:
    def __getitem__(self, row: StreamedUtterance) -> float:
        return row.duration_seconds


class Head:
    """A few rows of a stream with the interface of a corpus.

    Args:
        stream: Reads their audio.
        rows: The rows.
    """

    def __init__(self, stream: Stream, rows: Sequence[StreamedUtterance]) -> None:
        self._stream = stream
        self._rows = list(rows)
        self.name = stream.name
        self.sample_rate = stream.sample_rate
        self.fingerprint = stream.fingerprint
        self.repeats = None

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def size(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    def head(self, *, seed: int) -> Head:
        """All of them."""
        return self

    def __getitem__(self, row: int) -> Utterance:
        return self._stream[self._rows[row]]

    @property
    def ids(self) -> list[str]:
        """Ids of the rows."""
        return [row.row.id for row in self._rows]

    @property
    def texts(self) -> list[str]:
        """Transcripts under the text policy."""
        return [row.text for row in self._rows]

    @property
    def tokenizer_texts(self) -> list[str]:
        """Those of these rows."""
        return self.texts

    @property
    def distinct_languages(self) -> set[str]:
        """ISO 639-1 codes, "" where one is not known."""
        return {self._stream.language_of(row) for row in self._rows}

    def release(self) -> None:
        """Nothing: they are few."""

    def label_bounds(self) -> np.ndarray:
        """As :meth:`mynah.data.corpus.Corpus.label_bounds`."""
        return label_bounds_of(self.texts)

    @property
    def durations(self) -> np.ndarray:
        """float64 [rows], seconds."""
        return np.asarray([row.duration_seconds for row in self._rows], dtype=np.float64)

    @property
    def text_lengths(self) -> np.ndarray:
        """int32 [rows], characters of the transcripts."""
        return np.asarray([len(row.text) for row in self._rows], dtype=np.int32)

    def read_audio(self, row: int) -> np.ndarray:
        """As :meth:`Stream.read_audio`."""
        return self._stream.read_audio(self._rows[row])

    def select(self, rows: Sequence[int] | np.ndarray) -> Head:
        """Some rows, in the order given."""
        return Head(self._stream, [self._rows[int(row)] for row in rows])


class _FirstTexts:
    """The first transcripts of a stream, read once, when they are first asked for."""

    def __init__(self, reader: ShardReader, policy: TextPolicy, config: DataConfig) -> None:
        self._reader = reader
        self._policy = policy
        self._rows = config.tokenizer_rows
        self._language = config.language
        self._no_speech_texts = config.no_speech_texts
        self._texts: list[str] | None = None

    def __iter__(self) -> Iterator[str]:
        if self._texts is None:
            self._texts = []
            with progress("Reading transcripts", self._rows, "rows") as advance:
                for text in islice(self._read(), self._rows):
                    self._texts.append(text)
                    advance()
            say(
                f"The vocabulary is learned from {len(self._texts):,} transcripts of the stream "
                "(data.tokenizer_rows)"
            )
        return iter(self._texts)

    def _read(self) -> Iterator[str]:
        # Shards in a random order: the corpus's beginning may be of one kind.
        for shard in np.random.default_rng(0).permutation(len(self._reader.shards)):
            rows = self._reader.rows(int(shard), audio=False)
            with closing(rows):  # type: ignore[type-var]
                for row in rows:
                    if isinstance(row, BadRow):
                        continue
                    row = mark_no_speech([row], self._no_speech_texts)[0]
                    language = self._language or row.language
                    if text := self._policy.apply(row.text or "", language):
                        yield text


def open_stream(config: DataConfig, *, offline: bool, working_directory: Path) -> Stream:
    """The training splits of ``data`` as a stream.

    Args:
        config: The settings of ``data``.
        offline: Never use the network.
        working_directory: What relative paths are relative to.

    Raises:
        UserError: It is not there, is in no form that can be streamed, or lacks a split.
    """
    from mynah.data.sources import find_format

    place = Place.of(config, working_directory, offline=offline)
    policy = TextPolicy.of(config, working_directory)

    if find_format(config, working_directory) == "hub":
        from mynah.data.streams.hub_shards import HubReader

        return Stream(HubReader(config, place, config.train_splits), config, policy)
    given = config.path or config.dataset_name
    if is_address(given):
        splits = stored_shards(Store(given, setting="data.dataset_name"))
        if not splits:
            raise nothing_stored(given)
        name, folder = name_of(given), NOWHERE
    else:
        root = (working_directory / Path(given)).expanduser().resolve()
        splits = find_shards(root) if root.exists() else {}
        if not splits:
            raise _nothing(root)
        name, folder = root.name, root.parent if root.is_file() else root
    shards = _wanted(config, splits, name)
    # Manifests name absolute paths as a rule; a table of bytes and paths does not.
    paths = AudioPaths(folder, config, place, absolute=shards[0].ending.startswith(".json"))
    reader = FileReader(name, shards, columns=config.columns, root=folder, find=paths.find)
    return Stream(reader, config, policy)


def _wanted(config: DataConfig, splits: Mapping[str, list[Shard]], name: str) -> list[Shard]:
    """The shards of the training splits.

    Raises:
        UserError: There is no such split.
    """
    shards: list[Shard] = []
    for wanted in config.train_splits:
        names = meant_splits(wanted, list(splits))
        if not names:
            problem = UnknownSplitError(name, wanted, list(splits))
            problem.fix = f"data.train_splits=[{problem.there[0]}]" if problem.there else None
            raise problem
        shards += [shard for one in names for shard in splits[one]]
    return shards


def _nothing(root: Path) -> UserError:
    if any(sign in root.name for sign in ("_OP_", "{", "*")):
        return UserError(
            f"There is no {root.name}: shards are not named by a pattern.",
            where="data.streaming=true",
            fix=f"name the folder that holds them: data.path={root.parent}",
        )
    return UserError(
        f"There is nothing to stream in {root}."
        if root.exists()
        else f"There is no folder {root}.",
        where="data.streaming=true",
        fix="what is streamed is a dataset of the Hugging Face hub, or a folder of parquet, "
        "Arrow, WebDataset tar or JSON Lines shards, NeMo's tars or Lhotse's Shar; other corpora "
        "are prepared: "
        "data.streaming=false",
    )
