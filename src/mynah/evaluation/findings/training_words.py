"""The different words of a training's transcripts: gathered, kept beside its results, compared.

Words as they are written are enough for a normaliser that takes words one by one. Others make
``25`` of "twenty five", and ``20`` and ``5`` of its words one by one: for them the transcripts
themselves are normalised, and the words of that are kept as well.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from mynah import console
from mynah.errors import UserError
from mynah.evaluation.metrics.edits import EditRate
from mynah.evaluation.normalize import Normalizer
from mynah.files import display_path, write_text

_AS_WRITTEN = "training_words.txt"  # beside the results of a training run
_UPWARD = 3  # from a checkpoint to its run's directory
_AT_ONCE = 65_536  # transcripts that are Python's at a time
MOST_NORMALIZED = 1_000_000  # transcripts: five minutes, at 3,500 a second of whisper_english


@dataclass(frozen=True)
class TrainingWords:
    """The different words of a training's transcripts.

    Attributes:
        as_written: Between spaces, as they are written.
        in_context: The words that normalising complete transcripts leaves, by the identity of a
            normaliser that looks at several words.
    """

    as_written: Collection[str] = field(repr=False)
    in_context: Mapping[str, Collection[str]] = field(default_factory=dict, repr=False)

    def compared(
        self, normalize: Normalizer, languages: Iterable[str], unit: EditRate
    ) -> frozenset[str] | None:
        """The words as they are compared; None where they would have to be of transcripts that
        are not there any more.

        Args:
            normalize: The normaliser that references were scored with.
            languages: Those of the references, ISO 639-1, "" where one is not known.
            unit: What errors are counted in.
        """
        if normalize.in_context:
            words = self.in_context.get(normalize.identity)
            return None if words is None else _units(words, unit)
        return _units(
            (
                normalize(word, language)
                for language in normalize.differing(languages)
                for word in self.as_written
            ),
            unit,
        )


def _units(words: Iterable[str], unit: EditRate) -> frozenset[str]:
    return frozenset(piece for word in words for piece in unit.units(word))


def words_of(texts: Iterable[pa.Array]) -> set[str]:
    """The different words of transcripts, as they are written.

    Args:
        texts: Arrow arrays of strings.
    """
    found: set[str] = set()
    for array in texts:
        parts = pc.utf8_split_whitespace(pc.fill_null(array, "")).flatten()
        found.update(pc.unique(parts).to_pylist())
    return found - {""}


def words_in_context(texts: Iterable[pa.Array], normalize: Normalizer, total: int) -> set[str]:
    """The different words that normalising complete transcripts leaves.

    Args:
        texts: Arrow arrays of strings.
        normalize: A normaliser that looks at several words.
        total: How many transcripts there are.
    """
    found: set[str] = set()
    with console.progress("Words of training", total, "transcripts") as advance:
        for array in texts:
            for start in range(0, len(array), _AT_ONCE):
                some = array.slice(start, _AT_ONCE)
                for text in pc.unique(some).drop_null().to_pylist():
                    found.update(normalize(text).split())
                advance(len(some))
    return found


def read_training_text(path: Path, normalize: Normalizer) -> TrainingWords:
    """The words of a text file with a training's transcripts, a line each, or of a list of words
    where the normaliser takes words one by one.

    Raises:
        UserError: It cannot be read, holds none, or is such a list where a normaliser looks at
            several words.
    """
    words: set[str] = set()
    in_context: set[str] = set()
    lines = most = 0
    for line in _lines(path):
        parts = line.split()
        words.update(parts)
        lines, most = lines + bool(parts), max(most, len(parts))
        if normalize.in_context:
            in_context.update(normalize(line).split())
    if not words:
        raise UserError("There is no word in it.", where=display_path(path))
    if not normalize.in_context:
        return TrainingWords(words)
    if most == 1 and 1 < lines == len(words):  # transcripts of one word each would repeat
        raise UserError(
            f"It is a list of words, and {normalize.name} looks at several words at once.",
            where=display_path(path),
            fix="give the training's transcripts, a line each, or choose --normalizer basic",
        )
    return TrainingWords(words, {normalize.identity: in_context})


def write_words(directory: Path, words: TrainingWords) -> None:
    """Keep words a line each, for :func:`words_trained_on`.

    Args:
        directory: That of the training's results; made where it is missing.
        words: They.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for name, some in {
        _AS_WRITTEN: words.as_written,
        **{_in_context(identity): found for identity, found in words.in_context.items()},
    }.items():
        write_text(directory / name, (f"{word}\n" for word in sorted(some)))


def words_trained_on(checkpoint: Path | None, normalize: Normalizer) -> TrainingWords | None:
    """The words that the run of a checkpoint was trained on; None: not known.

    Args:
        checkpoint: The checkpoint, or the model at the top of its run.
        normalize: The normaliser that references are scored with.
    """
    if checkpoint is None:
        return None
    for above in list(checkpoint.resolve().parents)[:_UPWARD]:
        folder = above / "evaluation"
        if (folder / _AS_WRITTEN).is_file():
            words = _kept(folder / _AS_WRITTEN)
            in_context = _kept(folder / _in_context(normalize.identity))
            known = {} if in_context is None else {normalize.identity: in_context}
            return None if words is None else TrainingWords(words, known)
    return None


def _in_context(identity: str) -> str:
    """The file's name of the words that a normaliser left."""
    return f"training_words.{identity}.txt"


def _kept(path: Path) -> set[str] | None:
    """The words of a file; None where it is not there, or cannot be read."""
    if not path.is_file():
        return None
    try:
        return {word for line in _lines(path) for word in line.split()} or None
    except UserError:
        return None


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8-sig") as lines:
            yield from lines
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "it is not UTF-8"
        raise UserError(f"The words cannot be read: {reason}.", where=display_path(path)) from None
