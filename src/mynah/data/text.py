"""Transcripts as training sees them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mynah.config.schema import DataConfig
from mynah.data import characters
from mynah.data.annotations import expression
from mynah.errors import UserError

POLICY_VERSION = 2  # changes whenever a policy could make another text of a transcript
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True)
class TextPolicy:
    """What becomes of transcripts: Unicode NFC and single spaces always, and

    Attributes:
        lower: Lower case, as the language of a transcript writes it.
        strip_punctuation: Letters, marks and digits alone, and an apostrophe inside a word
            (:func:`mynah.data.characters.without_punctuation`).
        substitutions: (written, instead) pairs. ``written`` stands for whole words; a ``*`` at
            its beginning or end lets it begin or end inside a word. The longest goes first,
            nothing is replaced twice, and with ``lower`` the case does not matter.
        annotations: Patterns of what is not speech in a transcript and is taken out of it; see
            :func:`mynah.data.annotations.expression`.
    """

    lower: bool = False
    strip_punctuation: bool = False
    substitutions: tuple[tuple[str, str], ...] = ()
    annotations: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: DataConfig, working_directory: Path | None = None) -> TextPolicy:
        """The policy of ``data``; a table in a file is read relative to the directory.

        Raises:
            UserError: The file cannot be read, or a line of it has not two columns.
        """
        table = dict(config.text_substitutions)
        if config.text_substitutions_file is not None:
            file = (working_directory or Path()) / Path(config.text_substitutions_file).expanduser()
            table = _read_table(file) | table
        return cls(
            lower=config.text_case == "lower",
            strip_punctuation=config.strip_punctuation,
            substitutions=tuple(sorted(table.items())),
            annotations=tuple(config.annotations),
        )

    @classmethod
    def of_references(cls, config: DataConfig) -> TextPolicy:
        """The policy of evaluation transcripts: annotations go, as in training, and no more."""
        return cls(annotations=tuple(config.annotations))

    @property
    def named(self) -> dict[str, Any]:
        """What fingerprints consist of: each name is written out here, so that renaming a class
        or an attribute changes none. The order counts; something new is added at the end, and
        only where it is not at its default."""
        named = {
            "lower": self.lower,
            "strip_punctuation": self.strip_punctuation,
            "substitutions": tuple((written, instead) for written, instead in self.substitutions),
        }
        return named | ({"annotations": self.annotations} if self.annotations else {})

    @property
    def is_plain(self) -> bool:
        """Whether it does no more than NFC and single spaces."""
        return not (self.lower or self.strip_punctuation or self.substitutions or self.annotations)

    def apply(self, text: str, language: str = "") -> str:
        """A transcript under the policy.

        Args:
            text: As it is stored.
            language: Of the transcript, ISO 639-1; "" where it is not known.
        """
        made = unicodedata.normalize("NFC", text)
        if self.annotations:
            made = expression(self.annotations).sub(" ", made)
        if self.substitutions:
            made = self._pattern.sub(self._instead, made)
        if self.strip_punctuation:
            made = characters.without_punctuation(made)
        if self.lower:
            made = characters.lower(made, language)
        return _SPACE.sub(" ", made).strip()

    def is_annotations(self, text: str) -> bool:
        """Whether a transcript is not empty, and consists of annotations alone."""
        if not self.annotations or not text.strip():
            return False
        return not expression(self.annotations).sub(" ", unicodedata.normalize("NFC", text)).strip()

    @cached_property
    def _table(self) -> dict[str, str]:
        return {self._key(_bare(written)): instead for written, instead in self.substitutions}

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        longest_first = sorted((written for written, _ in self.substitutions), key=_by_length)
        ways = "|".join(map(_expression, longest_first))
        return re.compile(ways, re.IGNORECASE if self.lower else re.NOFLAG)

    def _key(self, written: str) -> str:
        return written.lower() if self.lower else written

    def _instead(self, match: re.Match[str]) -> str:
        found = self._key(match[0])
        return self._table.get(found, match[0])


def prepare_text(text: str, config: DataConfig) -> str:
    """A transcript under the text policy of ``data``, as :meth:`TextPolicy.apply` makes it."""
    return TextPolicy.of(config).apply(text)


def _bare(written: str) -> str:
    return unicodedata.normalize("NFC", written.strip().removeprefix("*").removesuffix("*"))


def _by_length(written: str) -> int:
    return -len(_bare(written))


def _expression(written: str) -> str:
    """What a substitution's left side matches: whole words, but where it ends in ``*``."""
    written, bare = written.strip(), _bare(written)
    before = r"(?<!\w)" if bare[:1].isalnum() and not written.startswith("*") else ""
    after = r"(?!\w)" if bare[-1:].isalnum() and not written.endswith("*") else ""
    return before + re.escape(bare) + after


def _read_table(file: Path) -> dict[str, str]:
    where = "data.text_substitutions_file"
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise UserError(
            f"The table of substitutions cannot be read: {reason}.",
            where=f"{where}={file}",
            fix="Give a text file in UTF-8: what is written, a tab, what it becomes",
        ) from problem
    table = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        columns = line.split("\t")
        if len(columns) != 2 or not _bare(columns[0]):
            raise UserError(
                f"Line {number} of the table of substitutions has not two columns: {line[:60]!r}.",
                where=f"{file}, line {number}",
                fix="Write what is in the transcripts, one tab, and what it becomes",
            )
        table[columns[0].strip()] = columns[1].strip()
    return table
