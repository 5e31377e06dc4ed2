"""Corpora whose transcripts are in sclite's trn format, a file a split, recordings beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mynah.config.options import option, typed_options
from mynah.config.schema import DataConfig
from mynah.data.row import Row
from mynah.data.sources.reading.source import Place, SplitFilesSource
from mynah.errors import UserError

_LINE = re.compile(r"^(?P<text>.*?)\s*\((?P<id>[^()]+)\)$")


@dataclass
class TrnOptions:
    """``data.options.…`` of this format."""

    encoding: str = option("utf-8", "How the transcripts are encoded.")
    audio_suffix: str = option(".wav", "Ending of a recording.", choices=(".wav", ".flac"))


class TrnSource(SplitFilesSource):
    """``train.trn`` and the like; the recording of ``(call-1)`` is ``call-1.wav``."""

    format = "trn"
    Options = TrnOptions

    @classmethod
    def recognizes(cls, root: Path) -> bool:
        """Whether a folder is laid out so."""
        return root.is_dir() and any(root.glob("*.trn"))

    @classmethod
    def open(cls, config: DataConfig, place: Place) -> TrnSource:
        """The corpus in a folder.

        Raises:
            UserError: No transcripts are there.
        """
        root = (place.working_directory / Path(config.path or config.dataset_name)).expanduser()
        splits = {path.stem: [path] for path in sorted(root.glob("*.trn"))}
        if not splits:
            raise UserError(
                "There are no .trn files here.", where=str(root), fix="data.path=FOLDER"
            )
        return cls(config, place, name=root.name, identity=str(root), splits=splits)

    def read(self, split: str, paths: Sequence[Path]) -> list[Row]:
        """The rows of a split.

        Raises:
            UserError: A line has no id in brackets at its end.
        """
        options = typed_options(self._config.options, TrnOptions)
        rows = []
        for path in paths:
            lines = path.read_text(encoding=options.encoding).splitlines()
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                found = _LINE.match(line.strip())
                if found is None:
                    raise UserError(
                        "A line of a trn file ends with its utterance's id in brackets.",
                        where=f"{path}:{number}: {line.strip()[:80]}",
                        fix="hello world (utterance-1)",
                    )
                audio = path.parent / f"{found['id']}{options.audio_suffix}"
                text = found["text"] or None
                rows.append(Row(id=found["id"], path=str(audio), text=text, source=split))
        return rows
