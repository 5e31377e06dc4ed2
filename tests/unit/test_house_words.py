"""Messages, docs, comments and names of tests use the field's words: CONTRIBUTING, "The words"."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# What is said, and what the field says in its place.
AVOIDED = {
    r"hears?|heard|hearing": "encode, take, support, recognize; listen to",
    r"told": "conditioned on, given; reported, said",
    r"spells?|spelled|spelling": "tokenize, write",
    r"mends?|mended": "fix",
    r"anew": "again",
    r"drawn": "initialized, sampled; of a plot: shown",
    r"whole": "complete, intact, full",
    r"kin": "family",
    r"beforehand": "in advance, before",
    r"left aside": "left out",
    r"(?:is|are|was|were|been) made of": "consists of, is built from",
    r"(?<!there )(?:is|are|was|were) no (?!longer\b|more\b)\w+": "is not a",
    r"go(?:es)? on (?!to\b)\w+|going on": "resume, continue",
}  # fmt: skip
WORDS = {
    re.compile(rf"\b(?:{word})\b", re.IGNORECASE): instead for word, instead in AVOIDED.items()
}
ANY = re.compile("|".join(word.pattern for word in WORDS), re.IGNORECASE)

# What keeps its word: it is the field's, a quotation, or of another thing.
KEPT = re.compile(
    r"whole (?:numbers?|words?|steps?|seconds?|minutes?|hours?)|as a whole"
    r"|told apart|spelled (?:names|out|one by one)|(?:British|American) spelling"
    r"|(?:not|is|are|was|were|Both are|median) drawn\b"  # on a page
    r"|go(?:es)? on (?:behind|after) (?:the|their|its|a) \w+",  # of bytes in a file
    re.IGNORECASE,
)


def said_in_code(text: str) -> Iterator[tuple[int, str]]:
    """Comments, and strings of more than one word, with the line each begins on."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        is_text = token.type == tokenize.STRING and " " in token.string
        if is_text or token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def said_in_tests(text: str) -> Iterator[tuple[int, str]]:
    """Comments, docstrings, and names of tests as sentences."""
    for line, said in said_in_code(text):
        if said.startswith("#"):
            yield line, said
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            line = getattr(node, "lineno", 1)
            yield line, ast.get_docstring(node) or ""
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield line, node.name.replace("_", " ")


def may_avoid(text: str) -> bool:
    """Whether any word to avoid occurs, be it in names or code: most files end with this."""
    return ANY.search(" ".join(text.replace("_", " ").split())) is not None


def avoided_in(text: str) -> list[str]:
    """The words to avoid that a text has, each with what it may say in its place."""
    text = KEPT.sub("", " ".join(text.split()))
    return [
        f"{found[0]!r} (say: {instead})"
        for word, instead in WORDS.items()
        for found in word.finditer(text)
    ]


def prose(file: Path) -> Iterator[tuple[int, str]]:
    """What a file says to people, with its lines."""
    text = file.read_text(encoding="utf-8")
    if not may_avoid(text):
        return
    if file.suffix == ".py":
        own = file.name in ("test_house_words.py",)
        yield from () if own else (said_in_tests if "tests" in file.parts else said_in_code)(text)
        return
    blocks = re.split(r"(\n\s*\n)", text)
    line = 1
    for block in blocks:
        yield line, block
        line += block.count("\n")


FILES = sorted(
    file
    for pattern in (
        "src/**/*.py", "tests/**/*.py", "benchmarks/**/*.py", "configs/**/*.yaml",
        "docs/**/*.md", "docs/**/*.sbatch", "README.md", "CONTRIBUTING.md",
    )
    for file in ROOT.glob(pattern)
)  # fmt: skip


def test_what_people_read_uses_the_fields_words():
    found = [
        f"{file.relative_to(ROOT)}:{line}: {one}"
        for file in FILES
        for line, said in prose(file)
        for one in avoided_in(said)
    ]
    assert found == []


@pytest.mark.parametrize(
    "said",
    [
        "The encoder hears 30 s.",
        "It is told\n  the language.",
        "This is no checkpoint.",
        "The run goes on where it stopped.",
        "The weights are drawn at random, and whole.",
    ],
)
def test_each_word_would_be_found(said):
    assert avoided_in(said)


@pytest.mark.parametrize(
    "said",
    ["a whole number of steps", "There is no model of this name.", "It is no longer there."],
)
def test_the_same_letters_in_another_sense_are_left_alone(said):
    assert not avoided_in(said)
