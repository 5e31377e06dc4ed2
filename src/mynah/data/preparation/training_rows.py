"""What a training learns from and is measured on: tables, or a stream, and augmentation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mynah import distributed
from mynah.console import notice
from mynah.data.augmentation.chain import Augmentation
from mynah.data.preparation.prepare import PreparedData, prepare
from mynah.data.streams.stream import Stream, open_stream

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.corpus import Corpus


@dataclass(frozen=True)
class PreparedRows:
    """What a training learns from and is measured on.

    Attributes:
        data: The prepared corpora and their account.
        stream: The training rows where they are streamed.
        augmentation: Of the training audio.
    """

    data: PreparedData
    stream: Stream | None
    augmentation: Augmentation

    @property
    def training(self) -> Corpus | Stream:
        """The training rows, a table or a stream."""
        rows = self.stream or self.data.train
        assert rows is not None
        return rows


def prepared_rows(config: Config, run: Path, working_directory: Path) -> PreparedRows:
    """The corpora: prepared tables, or of a streamed training its shards.

    Args:
        config: The settings.
        run: The run's directory, where the account is written.
        working_directory: What relative paths are relative to.

    Raises:
        UserError: See :func:`prepare` and :func:`open_stream`.
    """
    rows = found_rows(config, working_directory)
    save_account(run, rows.data)
    return rows


def found_rows(config: Config, working_directory: Path) -> PreparedRows:
    """What :func:`prepared_rows` gives, its account not written."""
    augmentation = Augmentation.open(
        config.data.augmentation, sample_rate=config.data.sample_rate, seed=config.training.seed
    )
    data = prepare(
        config.data,
        offline=config.offline,
        working_directory=working_directory,
        train=not config.data.streaming,
        tests=True,
    )
    stream = None
    if config.data.streaming:
        stream = open_stream(
            config.data, offline=config.offline, working_directory=working_directory
        )
        notice(stream.promises())
        data.report["splits"]["train"] = stream.about()
        data.report["fingerprints"]["train"] = stream.fingerprint
    if folders := augmentation.report():
        data.report["augmentation"] = folders
    return PreparedRows(data, stream, augmentation)


def save_account(run: Path, data: PreparedData) -> None:
    """Write ``data.json`` and what belongs to it; of several processes the first does."""
    if distributed.rank() == 0:
        data.write(run)
