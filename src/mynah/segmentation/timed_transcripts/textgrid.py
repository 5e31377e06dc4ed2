"""TextGrid, Praat's annotations, in its long and its short text form.

Praat itself reads only the numbers, the texts in quotes and the flags that stand free, in
their order, and so does this (Praat's manual, "TextGrid file formats").
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mynah.errors import UserError
from mynah.segmentation.timed_transcripts.entry import TimedEntry, TimedTranscript, malformed
from mynah.segmentation.timed_transcripts.nist import UNKNOWN_WORD
from mynah.segmentation.transcript import without_annotations

_TOKEN = re.compile(
    r'"(?P<text>(?:[^"]|"")*)"'
    r"|(?<!\S)(?P<flag><\w+>)(?!\S)"
    r"|(?<!\S)(?P<number>[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)%?(?!\S)"
    r"|(?P<comment>![^\n]*)"
    r"|\S+"
)
_WORDS = re.compile(r"\bwords?\b", re.IGNORECASE)
_NOT_UTTERANCES = re.compile(r"\b(phones?|phonemes?|segments?_phone|syllables?)\b", re.IGNORECASE)
_SILENCE = frozenset({"", "sil", "sp", "spn", "<sil>", "<p:>", "<eps>", "#", "xxx"})


@dataclass(frozen=True)
class _Tier:
    name: str
    entries: list[tuple[float, float, str]]


def parse(text: str, where: str, tiers: Sequence[str] = ()) -> TimedTranscript:
    """Read a TextGrid.

    Of several tiers the one that holds utterances is read: not one of phones or syllables,
    and one of words only where there is no other. Where ``tiers`` names several, each is a
    speaker. Annotations in brackets are left out; an utterance with an unknown word, ``<unk>``,
    is of no use, and a tier of words keeps its place, without text.

    Raises:
        UserError: It cannot be read, has no tier that is named, or several that may be meant.
    """
    found = _Tokens(text, where).tiers()
    chosen = _chosen(found, where, tiers)
    are_words = all(_WORDS.search(tier.name) for tier in chosen)
    entries = []
    annotations = 0
    for tier in chosen:
        speaker = tier.name if len(chosen) > 1 else ""
        for start, end, written in tier.entries:
            if written.strip().lower() in _SILENCE:
                continue
            words, count = without_annotations(" ".join(written.split()))
            words = " ".join(words.split())
            annotations += count
            unknown = UNKNOWN_WORD in written.lower()  # a word is said, and not written
            if words or unknown:
                rejected = f"a word is marked {UNKNOWN_WORD}" if unknown else ""
                entries.append(TimedEntry(start, end, words, speaker=speaker, rejected=rejected))
    if not entries:
        raise UserError(
            f"Nothing is written in tier {chosen[0].name!r}.",
            where=where,
            fix="--tier NAME  reads another; there are: " + ", ".join(one.name for one in found),
        )
    entries.sort(key=lambda one: one.start_seconds)
    return TimedTranscript(entries, are_words, annotations=annotations)


def _chosen(found: list[_Tier], where: str, names: Sequence[str]) -> list[_Tier]:
    there = [tier.name for tier in found]
    for name in names:
        if name not in there:
            near = difflib.get_close_matches(name, there, n=1)
            raise UserError(
                f"There is no tier of intervals {name!r}; there are: {', '.join(there)}.",
                where=where,
                fix=f"--tier {(near or there)[0]!r}" if there else None,
            )
    if names:
        return [tier for tier in found if tier.name in names]
    if not found:
        raise UserError("There is no tier of intervals in it.", where=where)
    utterances = [tier for tier in found if not _NOT_UTTERANCES.search(tier.name)]
    wider = [tier for tier in utterances if not _WORDS.search(tier.name)]
    for candidates in (wider, utterances, found):
        if len(candidates) == 1:
            return candidates
        if candidates:
            break
    raise UserError(
        f"It has several tiers that may hold the transcript: {', '.join(there)}.",
        where=where,
        fix=f"--tier {candidates[0].name!r}  (given several times, each is a speaker)",
    )


class _Tokens:
    """The numbers, texts and flags of a file in their order."""

    def __init__(self, text: str, where: str) -> None:
        self._where = where
        self._text = text
        self._tokens = self._read()
        self._position = 0

    def _read(self) -> Iterator[tuple[str, str]]:
        for match in _TOKEN.finditer(self._text):
            self._position = match.start()
            if match["text"] is not None:
                yield "text", match["text"].replace('""', '"')
            elif match["flag"] is not None:
                yield "flag", match["flag"]
            elif match["number"] is not None:
                yield "number", match["number"]
        self._position = len(self._text)

    def tiers(self) -> list[_Tier]:
        """The tiers of intervals; those of points are passed over.

        Raises:
            UserError: The file is not a TextGrid, or ends too soon.
        """
        if [self._next("text"), self._next("text")] != ["ooTextFile", "TextGrid"]:
            raise self._malformed("It is not a TextGrid in text form.")
        self._next("number"), self._next("number")
        if self._next("flag") != "<exists>":
            return []
        found = []
        for _ in range(self._count()):
            kind, name = self._next("text"), self._next("text")
            self._next("number"), self._next("number")
            if kind == "IntervalTier":
                found.append(_Tier(name, [self._interval() for _ in range(self._count())]))
            elif kind == "TextTier":
                for _ in range(self._count()):
                    self._next("number"), self._next("text")
            else:
                raise self._malformed(f"{kind[:40]!r} is not a kind of tier.")
        return found

    def _interval(self) -> tuple[float, float, str]:
        start, end = self._seconds(), self._seconds()
        if end < start:
            raise self._malformed(f"An interval ends at {end:g} s before it begins at {start:g} s.")
        return start, end, self._next("text")

    def _seconds(self) -> float:
        found = float(self._next("number"))
        if not 0 <= found < math.inf:
            raise self._malformed(f"{found:g} is not a time in seconds.")
        return found

    def _count(self) -> int:
        text = self._next("number")
        if not text.isdigit():
            raise self._malformed(f"{text!r} is not a count.")
        return min(int(text), len(self._text))  # more there cannot be: the end is found first

    def _next(self, kind: str) -> str:
        token = next(self._tokens, None)
        if token is None:
            raise self._malformed(f"It ends where a {kind} should follow.")
        if token[0] != kind:
            raise self._malformed(f"A {kind} should be here, and not {token[1][:40]!r}.")
        return token[1]

    def _malformed(self, what: str) -> UserError:
        line = self._text.count("\n", 0, self._position) + 1
        return malformed(what, self._where, line)
