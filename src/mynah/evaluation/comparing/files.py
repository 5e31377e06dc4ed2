"""Files of transcripts that any toolkit writes: text, trn, jsonl, stm and ctm."""

from __future__ import annotations

import itertools
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import regex

from mynah.data.sources.reading.extras import as_columns
from mynah.errors import UserError
from mynah.evaluation.comparing.system import System
from mynah.evaluation.hypothesis import Hypothesis
from mynah.files import display_path
from mynah.models.text.units import SPACELESS, joined_texts, space_between, unit_spans, units
from mynah.segmentation.timed_transcripts import read_scored, read_text
from mynah.segmentation.timed_transcripts.entry import TimedEntry

_TRN = re.compile(r"(.*)\(([^()\s]+)\)\s*")  # words (speaker_utterance): sctk's doc/infmts.htm
_TIMED = (".stm", ".ctm")
_CHARACTER = regex.compile(f"[{SPACELESS}]")
_NAMED = 3
# What a line of JSON has its texts by, the first that it has: of Mynah's utterances.jsonl, of NeMo.
REFERENCE_NAMES = ("reference", "text")
HYPOTHESIS_NAMES = ("hypothesis", "pred_text")


@dataclass(frozen=True)
class Transcripts:
    """A file's transcripts.

    Attributes:
        name: The file, for messages.
        lines: By id, or by the number of the line.
        has_ids: Whether the file has ids.
        timed: Its parts, where it is of times.
        are_words: Whether each of those is a word.
        rows: By id, what else a line says of its utterance; of JSON Lines alone.
        passed_over: What in a file of times is not scored, with how often it is there.
    """

    name: str
    lines: dict[str, str] = field(repr=False)
    has_ids: bool = True
    timed: list[TimedEntry] = field(default_factory=list, repr=False)
    are_words: bool = False
    rows: dict[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    passed_over: Mapping[str, int] = field(default_factory=dict)


def typed_file(here: Path, typed: str) -> Path:
    """A file that was typed.

    Raises:
        UserError: It is not there.
    """
    path = here / Path(typed).expanduser()
    if not path.is_file():
        raise UserError(
            f"There is no file {typed}.",
            where=typed,
            fix="name a file of transcripts: .txt, .trn, .jsonl, .stm or .ctm",
        )
    return path


def read_references(path: Path) -> Transcripts:
    """A file of references; of JSON Lines ``reference``, else ``text``, as in a run's
    ``utterances.jsonl`` or a manifest, whatever was recognized beside it.

    Raises:
        UserError: It cannot be read, is empty, or has an id twice; the line is named.
    """
    return _read(path, REFERENCE_NAMES)


def read_hypotheses(path: Path) -> Transcripts:
    """A file of hypotheses; of JSON Lines ``hypothesis``, else ``pred_text``, else ``text``.

    Raises:
        UserError: It cannot be read, is empty, or has an id twice; the line is named.
    """
    return _read(path, (*HYPOTHESIS_NAMES, "text"))


def _read(path: Path, names: Sequence[str]) -> Transcripts:
    """A file of transcripts, in the format of its ending; any other is a transcript a line.

    Args:
        path: The file.
        names: What a line of JSON has its transcript by; the first that it has counts.
    """
    suffix, name = path.suffix.lower(), display_path(path)
    if suffix in _TIMED:
        timed = read_scored(path)
        return Transcripts(
            name, {}, timed=timed.entries, are_words=timed.are_words, passed_over=timed.passed_over
        )
    found: dict[str, str] = {}
    rows: dict[str, Mapping[str, Any]] = {}
    if suffix == ".jsonl":
        lines = _jsonl(path, names)
    else:
        lines = _trn(path) if suffix == ".trn" else _plain(path)
    for number, key, text, row in lines:
        if key in found:
            raise UserError(f"The id {key!r} is there twice.", where=f"{name}, line {number}")
        found[key] = text
        if row is not None:
            rows[key] = row
    if not found:
        raise UserError("There is no transcript in it.", where=name)
    return Transcripts(name, found, has_ids=suffix in (".trn", ".jsonl"), rows=rows)


def with_references(reference: Transcripts, hypothesis: Transcripts, name: str) -> System:
    """A system's hypotheses with the references of another file.

    Words of a CTM file belong to the segment of an STM file that their middle lies in; those
    outside all segments are not scored, as sclite does not, nor are segments that are marked so.

    Raises:
        UserError: The two are of different utterances; it says which.
    """
    if reference.timed:
        return _by_time(reference, hypothesis, name)
    if hypothesis.timed:
        raise UserError(
            "A CTM file is scored against an STM file.",
            where=f"{reference.name}, {hypothesis.name}",
            fix="give references with times: REF.stm",
        )
    has_ids = reference.has_ids and hypothesis.has_ids
    references, texts = reference.lines, hypothesis.lines
    if not has_ids:
        numbered = [dict(enumerate(lines.values())) for lines in (references, texts)]
        if len(numbered[0]) != len(numbered[1]):
            raise UserError(
                f"They have {len(numbered[0]):,} and {len(numbered[1]):,} lines.",
                where=f"{reference.name}, {hypothesis.name}",
                fix="lines are matched by their numbers: each file needs a line an utterance",
            )
        texts = dict(zip(references, texts.values(), strict=True))
    missing = [key for key in references if key not in texts]
    more = [key for key in texts if key not in references]
    if missing or more:
        some = ", ".join(map(repr, [*missing, *more][:_NAMED]))
        raise UserError(
            f"{len(missing):,} references have no hypothesis, {len(more):,} hypotheses have no "
            f"reference, as {some}.",
            where=f"{reference.name}, {hypothesis.name}",
            fix="an utterance of which nothing was recognized is an empty hypothesis",
        )
    return System(
        name,
        [
            described_utterance(
                key, text, texts[key], reference.rows[key], hypothesis.rows.get(key, {})
            )
            if key in reference.rows
            else Hypothesis(key, text, texts[key], 0.0, _speaker(key, reference.name))
            for key, text in references.items()
        ],
        has_ids=has_ids,
    )


# Of a line that says what was said and recognized, the names that are read.
_READ = frozenset(
    {
        "id", "audio_filepath", "text", "pred_text", "hypothesis", "reference", "duration",
        "duration_seconds", "speaker", "language", "split", "error", "columns", "measured",
        "alignment", "reference_normalized", "hypothesis_normalized", "time", "word_times",
    }
)  # fmt: skip


def described_utterance(
    key: str,
    reference: str,
    text: str,
    row: Mapping[str, Any],
    recognized: Mapping[str, Any],
) -> Hypothesis:
    """An utterance with what a line of JSON says of it: speaker, language, duration, and every
    other column, as Mynah's ``utterances.jsonl`` or a manifest of NeMo has them.

    Args:
        key: Its id.
        reference: What was said.
        text: The hypothesis.
        row: The line of the reference.
        recognized: The line of the hypothesis, which has the times of its words, or why there is
            none; the same line where both texts are in one.
    """
    columns, measured = row.get("columns"), row.get("measured")
    if not isinstance(columns, dict):
        others = as_columns(row, [name for name in row if name not in _READ])
        columns = json.loads(others) if others else {}
    seconds = row.get("duration_seconds", row.get("duration"))
    speaker, error = row.get("speaker"), recognized.get("error")
    return Hypothesis(
        id=key,
        reference=reference,
        text=text,
        duration_seconds=float(seconds) if isinstance(seconds, int | float) else 0.0,
        speaker=None if speaker is None else str(speaker) or None,  # 0 is a speaker
        error=str(error) if error else None,
        language=str(row.get("language") or ""),
        columns={str(name): str(value) for name, value in columns.items()},
        measured={
            str(name): float(value)
            for name, value in (measured.items() if isinstance(measured, dict) else ())
            if isinstance(value, int | float)
        },
        word_times=_word_times(recognized.get("word_times"), len(text.split())),
    )


def _word_times(found: object, words: int) -> tuple[tuple[float, float], ...] | None:
    """Start and end of each word; None where they are not so many pairs of numbers."""
    pairs = found if isinstance(found, list) else []
    if len(pairs) != words or not all(isinstance(one, list) and len(one) == 2 for one in pairs):
        return None
    if not all(map(_is_number, itertools.chain.from_iterable(pairs))):
        return None
    return tuple((float(start), float(end)) for start, end in pairs)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _speaker(key: str, file: str) -> str | None:
    """The speaker in an id of a TRN file, as ``sclite -i spu_id`` takes it: what stands before the
    first hyphen, or where there is none before the first underscore."""
    if not file.lower().endswith(".trn"):
        return None
    name, sign, _ = key.partition("-" if "-" in key else "_")
    return name if sign and name else None


def _by_time(reference: Transcripts, hypothesis: Transcripts, name: str) -> System:
    if not hypothesis.timed:
        raise UserError(
            "An STM file is scored with a CTM file, whose words have times.",
            where=f"{reference.name}, {hypothesis.name}",
            fix="give HYP.ctm, or references as text",
        )
    words: dict[tuple[str, int | None], list[TimedEntry]] = defaultdict(list)
    for word in hypothesis.timed:
        words[word.recording, word.channel].append(word)
    known = {(one.recording, one.channel) for one in reference.timed}
    strange = [key[0] for key in words if key not in known]
    if strange:
        raise UserError(
            f"{strange[0]} is not a recording of {reference.name}.",
            where=hypothesis.name,
            fix="name recordings and channels alike in both files",
        )
    made = []
    # Characters of a script without spaces, a line each, say nothing of spaces between them.
    by_character = all(len(units(w)) == 1 for one in hypothesis.timed for w in one.text.split())
    spaced = not by_character or _are_spaced(one.text for one in reference.timed)
    scored: set[int] = set()  # the words, as overlapping segments share some
    for number, one in enumerate([one for one in reference.timed if not one.rejected], 1):
        inside = [
            word
            for word in words[one.recording, one.channel]
            if one.start_seconds <= (word.start_seconds + word.end_seconds) / 2 < one.end_seconds
        ]
        inside.sort(key=lambda word: word.start_seconds)
        scored.update(map(id, inside))
        text = " ".join(word.text for word in inside)
        made.append(
            Hypothesis(
                f"{one.recording}-{number:04d}",
                one.text,
                text if spaced else _without_spaces(text),
                one.end_seconds - one.start_seconds,
                one.speaker or None,
            )
        )
    if not made:
        raise UserError(
            "All of its segments are marked ignore_time_segment_in_scoring.",
            where=reference.name,
        )
    outside = {"words in no segment that is scored": len(hypothesis.timed) - len(scored)}
    notes = [
        _not_scored(reference.name, reference.passed_over),
        _not_scored(hypothesis.name, {**hypothesis.passed_over, **outside}),
    ]
    return System(name, made, not_scored=[note for note in notes if note])


def _are_spaced(texts: Iterable[str]) -> bool:
    """Whether most characters of scripts without spaces have a space between them all the same;
    one ``2024年`` among them says nothing."""
    apart = together = 0
    for text in texts:
        spans = unit_spans(text) if _CHARACTER.search(text) else []
        for (start, end), (after, until) in itertools.pairwise(spans):
            if not space_between(text[start:end], text[after:until], continued=True):
                apart, together = apart + (after > end), together + (after == end)
    return apart >= together


def _without_spaces(text: str) -> str:
    """A text without the spaces between characters of scripts that have none."""
    return joined_texts(units(text), continued=itertools.repeat(True))


def _not_scored(name: str, counts: Mapping[str, int]) -> str:
    """What of a file is not scored, in a sentence; "" where all of it is."""
    listed = ", ".join(f"{what} ({count:,})" for what, count in counts.items() if count)
    return listed and f"Not scored of {name}: {listed}"


def json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSON Lines file, with their line numbers.

    Raises:
        UserError: A line is not one; it is named.
    """
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise UserError(
                "This is not an object of JSON.", where=f"{display_path(path)}, line {number}"
            )
        yield number, found


_Line = tuple[int, str, str, Mapping[str, Any] | None]  # number, id, text, and what else it says


def _plain(path: Path) -> Iterator[_Line]:
    for number, line in enumerate(read_text(path).removesuffix("\n").split("\n"), 1):
        yield number, str(number), line, None


def _trn(path: Path) -> Iterator[_Line]:
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip() or line.startswith(";;"):
            continue
        found = _TRN.fullmatch(line)
        if found is None:
            raise UserError(
                "A line of a TRN file ends in the utterance's id in parentheses.",
                where=f"{display_path(path)}, line {number}",
                fix="one two three (speaker_0001)",
            )
        yield number, found[2], found[1].strip(), None


def _jsonl(path: Path, names: Sequence[str]) -> Iterator[_Line]:
    for number, row in json_lines(path):
        text = next((row[name] for name in names if name in row), None)
        key = row.get("id") or row.get("audio_filepath")
        if not isinstance(text, str) or not isinstance(key, str):
            raise UserError(
                f"A line needs an id, and a text as {' or '.join(names)}.",
                where=f"{display_path(path)}, line {number}",
                fix=json.dumps({"id": "a", names[0]: "one two"}),
            )
        yield number, key, text, row
