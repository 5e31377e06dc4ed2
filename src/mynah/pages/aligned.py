"""Two texts word by word, one over the other, with what differs coloured."""

from __future__ import annotations

from collections.abc import Iterable

from mynah.pages.markup import Markup, join, tag


def aligned(steps: Iterable[tuple[str, str, str]]) -> Markup:
    """An alignment's (operation, reference word, hypothesis word) steps as columns."""
    return tag(
        "p", [_column(*step) for step in steps], class_="aligned", dir="auto", aria_hidden="true"
    )


def spoken(reference: str, hypothesis: str) -> Markup:
    """The same for who listens to the page: both texts as they are."""
    return tag(
        "p",
        f"Reference: {reference} Hypothesis: {hypothesis or '(nothing)'}",
        class_="hidden",
        dir="auto",
    )


def legend() -> Markup:
    """What the colours mean."""
    return tag(
        "p",
        "Above what was said, below what was recognized: ",
        tag("span", _column("substitute", "one", "another"), " substituted, "),
        tag("span", _column("delete", "one", ""), " deleted, "),
        tag("span", _column("insert", "", "another"), " inserted."),
        class_="aligned legend",
    )


def _column(operation: str, reference: str, hypothesis: str) -> Markup:
    """The word said over the word recognized."""
    return tag(
        "span",
        join([tag("span", reference or "\u00a0"), tag("span", hypothesis or "\u00a0")]),
        class_=f"w {operation}",
    )
