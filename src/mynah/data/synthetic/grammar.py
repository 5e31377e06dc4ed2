"""Sentences of the embedded corpus: templates filled from word lists.

Every sentence belongs to training or to evaluation by a hash of its words, so that an
evaluation sentence can never fill a template with words that a training sentence of any
size or seed fills it with, in whatever order. The lists lie in ``words/``.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np

from mynah.data.synthetic import inflection, numerals
from mynah.errors import UserError

TRAIN, EVALUATION = "train", "validation"
GENERAL = "general"
# Of each domain its word lists, and last its templates.
_FILES = {
    GENERAL: (
        "common.txt", "people.txt", "places.txt", "things.txt", "food.txt",
        "verbs.txt", "qualities.txt", "technical.txt", "templates.txt",
    ),
    "heating": ("heating.txt", "heating_templates.txt"),
}  # fmt: skip
_FORMS = {
    "plural": inflection.plural,
    "present": inflection.present,
    "past": inflection.past,
    "participle": inflection.participle,
    "ing": inflection.gerund,
    "comparative": inflection.comparative,
    "superlative": inflection.superlative,
}
_EVALUATION_SHARE = 8  # one in eight of all possible sentences is kept for evaluation
_SHORTEST_WORDS, _LONGEST_WORDS = 2, 12
# As in speech, some words are frequent and most are rare: of a list of n, the word of rank
# floor(n * u ** _SKEW) is sampled, u uniform.
_SKEW = 2.5
_POLITE_SHARE = 0.4
_NO_REQUEST = frozenset(  # a sentence that begins so is not a request: no "please" around it
    [
        "what",
        "how",
        "is",
        "when",
        "who",
        "where",
        "can",
        "do",
        "i",
        "we",
        "the",
        "my",
        "in",
        "{first}'s",
    ]
)
_TRIES = 200
_PART = re.compile(r"\{([^}]*)\}('s)?|\(([^)]*)\)|([^{(\s]+)")


@dataclass(frozen=True)
class Sentence:
    """One sampled sentence.

    Attributes:
        text: Lower-case words and apostrophes.
        topic: The topic of its template, as ``"weather"``.
        template: The template's position in the domain's file of templates.
        key: The words that fill the template, sorted: what decides between training and
            evaluation. Polite words around the sentence are not a part of it.
    """

    text: str
    topic: str
    template: int
    key: str


@dataclass(frozen=True)
class _Template:
    topic: str
    polite: bool
    parts: tuple[tuple[str, str], ...]  # (kind, content): word, choice, slot, possessive


@dataclass(frozen=True)
class Grammar:
    """Word lists by slot, templates, and the share of each template in the draws."""

    words: dict[str, tuple[str, ...]]
    templates: tuple[_Template, ...]
    shares: np.ndarray  # float64 [templates], sums to 1
    version: str  # of the content: lists and templates

    def vocabulary(self) -> set[str]:
        """All words that a list entry or a form of it can bring into a sentence."""
        found: set[str] = set()
        used: set[tuple[str, str]] = set()
        for template in self.templates:
            for kind, content in template.parts:
                slot, _, form = content.partition(".")
                if slot in self.words and kind in ("slot", "possessive"):
                    used.add((slot, form))
                elif kind in ("word", "choice"):
                    found.update(content.replace("|", " ").split())
        for slot, form in used:
            for entry in self.words[slot]:
                found.update((_FORMS[form](entry) if form else entry).split())
        return found


@functools.cache
def load_grammar(domain: str = GENERAL) -> Grammar:
    """The embedded grammar of a domain, read from the package's word lists."""
    folder = resources.files("mynah.data.synthetic").joinpath("words")
    digest = hashlib.blake2b(digest_size=8)
    words: dict[str, tuple[str, ...]] = {}
    *lists, sentences = _FILES[domain]
    for name in lists:
        text = folder.joinpath(name).read_text(encoding="utf-8")
        digest.update(text.encode())
        for slot, body in _sections(text):
            entries = [entry.strip() for entry in " ".join(body).split(",")]
            words[slot] = tuple(sorted({entry for entry in entries if entry}, key=_rank))
    text = folder.joinpath(sentences).read_text(encoding="utf-8")
    digest.update(text.encode())
    templates: list[_Template] = []
    weights: list[float] = []
    for header, lines in _sections(text):
        polite = header.endswith(" polite")
        topic, _, share = header.removesuffix(" polite").rpartition(" ")
        for line in lines:
            request = polite and line.split()[0] not in _NO_REQUEST
            templates.append(_Template(topic, request, tuple(_parts(line))))
            weights.append(float(share) / len(lines))
    shares = np.asarray(weights) / sum(weights)
    return Grammar(words, tuple(templates), shares, digest.hexdigest())


def draw_sentences(split: str, count: int, *, seed: int, domain: str = GENERAL) -> list[Sentence]:
    """``count`` different sentences of a split: a pure function of its arguments.

    The first sentences of a longer draw are those of a shorter one. Both splits draw words
    with the same frequencies: some often, most seldom.

    Args:
        split: ``"train"`` or ``"validation"``.
        count: How many sentences.
        seed: Any other seed gives other sentences.
        domain: What they are about, as ``data.synthesis.domain``.

    Raises:
        UserError: The grammar does not hold that many different sentences.
    """
    generator = np.random.default_rng([seed, [TRAIN, EVALUATION].index(split)])
    drawer = _Drawer(load_grammar(domain), generator)
    sampled: list[Sentence] = []
    seen: set[str] = set()
    while len(sampled) < count:
        for _ in range(_TRIES):
            sentence = drawer.draw()
            if split_of(sentence.key) == split and sentence.text not in seen:
                break
        else:
            raise UserError(
                f"The embedded grammar holds no {count:,} different sentences: it stopped at "
                f"{len(sampled):,}.",
                where="data.synthesis",
                fix="Ask for fewer sentences.",
            )
        seen.add(sentence.text)
        sampled.append(sentence)
    return sampled


def split_of(key: str) -> str:
    """The split that a sentence belongs to, by its :attr:`Sentence.key`."""
    digest = hashlib.blake2b(key.encode(), digest_size=4).digest()
    return EVALUATION if digest[0] % _EVALUATION_SHARE == 0 else TRAIN


class _Drawer:
    """Fills templates."""

    def __init__(self, grammar: Grammar, generator: np.random.Generator) -> None:
        self._grammar = grammar
        self._generator = generator
        self._cumulative = np.cumsum(grammar.shares)

    def draw(self) -> Sentence:
        while True:
            point = self._generator.random()
            position = int(np.searchsorted(self._cumulative, point, side="right"))
            position = min(position, len(self._grammar.templates) - 1)
            template = self._grammar.templates[position]
            words = _with_articles(" ".join(self._fill(template)).split())
            key = " ".join(sorted(words))
            if template.polite and self._generator.random() < _POLITE_SHARE:
                words = self._politely(words)
            if _SHORTEST_WORDS <= len(words) <= _LONGEST_WORDS:
                return Sentence(" ".join(words), template.topic, position, key)

    def _fill(self, template: _Template) -> Iterator[str]:
        taken: set[str] = set()
        for kind, content in template.parts:
            if kind == "word":
                yield content
            elif kind == "choice":
                choices = content.split("|")
                yield choices[self._generator.integers(len(choices))]
            elif content.partition(".")[0] in self._grammar.words:
                slot, _, form = content.partition(".")
                word = self._pick(self._grammar.words[slot], taken, form)
                yield word + "'s" if kind == "possessive" else word
            else:
                yield numerals.sample_number(content, self._generator, self._grammar.words)

    def _pick(self, entries: Sequence[str], taken: set[str], form: str) -> str:
        """An entry that the sentence does not hold yet, where the list has one."""
        for point in self._generator.random(_TRIES):
            entry = entries[int(len(entries) * point**_SKEW)]
            if entry not in taken:
                break
        taken.add(entry)
        return _FORMS[form](entry) if form else entry

    def _politely(self, words: list[str]) -> list[str]:
        side = "before" if self._generator.random() < 0.6 else "after"
        entries = self._grammar.words[side]
        extra = entries[self._generator.integers(len(entries))].split()
        return extra + words if side == "before" else words + extra


def _rank(entry: str) -> bytes:
    """A fixed order of a list's entries that is not the alphabet's."""
    return hashlib.blake2b(entry.encode(), digest_size=8).digest()


def _with_articles(words: list[str]) -> list[str]:
    return [
        inflection.article(words[position + 1])
        if word == "a" and position + 1 < len(words)
        else word
        for position, word in enumerate(words)
    ]


def _sections(text: str) -> Iterator[tuple[str, list[str]]]:
    header = ""
    body: list[str] = []
    for line in [*text.splitlines(), "[]"]:
        line = line.strip()
        if line.startswith("["):
            if header:
                yield header, body
            header, body = line.strip("[]"), []
        elif line and not line.startswith("#"):
            body.append(line)


def _parts(line: str) -> Iterator[tuple[str, str]]:
    for match in _PART.finditer(line):
        slot, possessive, choice, word = match.groups()
        if slot is not None:
            yield ("possessive" if possessive else "slot"), slot
        elif choice is not None:
            yield "choice", choice
        else:
            yield "word", word
