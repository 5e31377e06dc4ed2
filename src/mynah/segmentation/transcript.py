"""A transcript as written to words that can be aligned and put together again."""

from __future__ import annotations

import bisect
import itertools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from mynah.segmentation.speaker_labels import blanked, labels_in

# Signs that are read aloud, unlike punctuation.
SPOKEN_SIGNS = frozenset("&%$€£¥+=@#°§")

_SENTENCE_END = re.compile(r"[.!?…。！？॥।؟][\"'”’»)\]]*$")
_ANNOTATION = re.compile(r"\[[^\[\]\n]{0,60}\]|<[^<>\n]{0,60}>")
# Scripts that put no space between words: each character is aligned by itself.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff][\u0300-\u036f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]*"
)


@dataclass(frozen=True)
class WrittenWord:
    """A word of a transcript.

    Attributes:
        text: As written, with the punctuation that touches it.
        start: Where it begins in the transcript, in characters.
        end: Where it ends there.
        ends_sentence: Whether a sentence, or a line of a transcript without punctuation, ends
            after it.
        speaker: Who says it, as the transcript's labels tell; "" where it has none.
    """

    text: str
    start: int
    end: int
    ends_sentence: bool = False
    speaker: str = ""


@dataclass(frozen=True)
class WrittenTranscript:
    """A transcript and its words.

    Attributes:
        text: All of it, Unicode NFC, without annotations.
        words: Its words in order; each has a letter, a digit or a sign that is read aloud.
        annotations: How many annotations, as ``[laughter]``, were left out.
    """

    text: str
    words: list[WrittenWord]
    annotations: int = 0

    def written(self, first: int, last: int) -> str:
        """The words ``first`` to before ``last`` as they were written, with single spaces."""
        if first >= last:
            return ""
        return " ".join(self.text[self.words[first].start : self.words[last - 1].end].split())

    def speaker(self, first: int, last: int) -> str:
        """Who says the words ``first`` to before ``last``; "" where that is not one speaker."""
        names = {word.speaker for word in self.words[first:last]}
        return names.pop() if len(names) == 1 else ""


def read_transcript(text: str) -> WrittenTranscript:
    """Split a transcript into words.

    Annotations in square or angle brackets are not words and are left out, and so are labels of
    speakers, which tell who says the words after them. Words are what
    spaces part; in scripts without spaces, characters. What has neither letter nor digit
    belongs to the word before it, or at the beginning to the one after.
    """
    plain, annotations = without_annotations(unicodedata.normalize("NFC", text))
    plain, labels = blanked(plain, labels_in([plain]))
    spans = _spans(plain)
    has_punctuation = any(_SENTENCE_END.search(plain[a:b]) for a, b in spans)
    words = []
    for number, (start, end) in enumerate(spans):
        following = spans[number + 1][0] if number + 1 < len(spans) else len(plain)
        lines = plain.count("\n", end, following)
        ends = bool(_SENTENCE_END.search(plain[start:end])) or lines > (1 if has_punctuation else 0)
        said_by = bisect.bisect_right(labels, start, key=lambda label: label[0])
        speaker = labels[said_by - 1][1] if said_by else ""
        words.append(WrittenWord(plain[start:end], start, end, ends, speaker))
    return WrittenTranscript(plain, words, annotations)


def without_annotations(text: str) -> tuple[str, int]:
    """A text without annotations in square or angle brackets, and how many it has."""
    return _ANNOTATION.subn(" ", text)


def is_spoken(text: str) -> bool:
    """Whether any of it is said aloud: a letter, a digit, or a sign such as ``%``."""
    return any(unicodedata.category(one)[0] in "LN" or one in SPOKEN_SIGNS for one in text)


def _spans(text: str) -> list[tuple[int, int]]:
    pieces: list[tuple[int, int]] = []
    for match in re.finditer(r"\S+", text):
        pieces += _characters(match.group(), match.start())
    spans: list[tuple[int, int]] = []
    before: int | None = None  # where unspoken text at the very beginning starts
    for start, end in pieces:
        if is_spoken(text[start:end]):
            spans.append((start if before is None else before, end))
            before = None
        elif spans:
            spans[-1] = (spans[-1][0], end)
        elif before is None:
            before = start
    return spans


def _characters(token: str, offset: int) -> Sequence[tuple[int, int]]:
    """Where a token's words are: itself, or in a script without spaces each character."""
    edges = {0, len(token)}
    for match in _UNSPACED.finditer(token):
        edges |= {match.start(), match.end()}
    ordered = sorted(edges)
    return [(offset + a, offset + b) for a, b in itertools.pairwise(ordered)]
