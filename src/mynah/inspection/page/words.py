"""The page's words and characters."""

from __future__ import annotations

import unicodedata

from mynah.inspection.inspect import SplitInspection
from mynah.inspection.words.vocabulary import RARE_CHARACTER
from mynah.pages.markup import Markup, join, tag
from mynah.pages.tables import Cell, Heading, sortable

_WORDS, _UNSEEN, _CHARACTERS = 400, 300, 300


def words_section(split: SplitInspection) -> Markup:
    """The words, the characters, and what training never has."""
    words, unseen = split.vocabulary, split.unseen
    said = (
        f"{words.running_words:,} running words, {len(words.words):,} different, "
        f"{words.once:,} of them once. Words without case and punctuation."
    )
    parts = [tag("p", said, class_="quiet")]
    columns = [tag("div", tag("h4", "Most frequent words"), _words(split))]
    if unseen is not None:
        columns.append(
            tag(
                "div",
                tag("h4", "Never in training"),
                tag(
                    "p",
                    f"{unseen.running:.2%} of the running words, {unseen.distinct:.1%} of the "
                    "different ones.",
                    class_="quiet",
                ),
                _table(unseen.words, _UNSEEN, "words that training never has")
                if unseen.words
                else tag("p", "None."),
                _unseen_letters(unseen.characters),
            )
        )
    columns.append(tag("div", tag("h4", "Characters"), _characters(split)))
    return join([*parts, tag("div", columns, class_="columns three")])


def _words(split: SplitInspection) -> Markup:
    return _table(split.vocabulary.words, _WORDS, f"words of {split.name}")


def _table(words: dict[str, int], most: int, label: str) -> Markup:
    listed = list(words.items())[:most]
    table = sortable(
        [Heading("word", text=True), Heading("count")],
        [[word, Cell(f"{count:,}", count)] for word, count in listed],
        label=label,
        searched=True,
    )
    if len(words) <= most:
        return table
    return join([table, tag("p", f"The first {most:,} of {len(words):,}.", class_="quiet")])


def _characters(split: SplitInspection) -> Markup:
    characters = split.vocabulary.characters
    rows = [
        [
            Cell(visible_character(character), character),
            Cell(unicodedata.name(character, f"U+{ord(character):04X}").lower()),
            Cell(
                tag("span", f"{count:,}", class_="rare" if count < RARE_CHARACTER else None), count
            ),
        ]
        for character, count in list(characters.items())[:_CHARACTERS]
    ]
    headings = [Heading("character", text=True), Heading("name", text=True), Heading("count")]
    rare = len(split.vocabulary.rare_characters)
    said = f"{len(characters):,} different"
    if rare:
        said += f"; {rare:,} occur fewer than {RARE_CHARACTER} times and are hardly learned"
    return join(
        [
            tag("p", said + ".", class_="quiet"),
            sortable(headings, rows, label=f"characters of {split.name}", searched=True),
        ]
    )


def _unseen_letters(characters: tuple[str, ...]) -> Markup | None:
    if not characters:
        return None
    return tag("p", "Letters that training never has: ", tag("b", " ".join(characters)))


def visible_character(character: str) -> str:
    """A character, or its code where nothing would be seen."""
    if character == " ":
        return "space"
    if unicodedata.category(character)[0] in "CZ":
        return f"U+{ord(character):04X}"
    if unicodedata.category(character)[0] == "M":
        return f"◌{character}"
    return character
