"""What finds and sorts the utterances of a page."""

from __future__ import annotations

from collections.abc import Mapping

from mynah.pages.markup import Markup, tag


def utterance_controls(
    anchor: str, *, searched: str, example: str, orders: Mapping[str, str], only: str
) -> Markup:
    """A form that the page's script runs, hidden where there is none.

    Args:
        anchor: What the list of utterances is called.
        searched: What is searched, as ``"speaker or id"``.
        example: What may be typed there.
        orders: What they can be sorted by: the key in the script, with its name.
        only: Which of them are left when the box is ticked.
    """
    return tag(
        "form",
        tag(
            "label",
            f"Search text, {searched} ",
            tag("input", type="search", placeholder=example, autocomplete="off"),
        ),
        tag(
            "label",
            "Sort by ",
            tag("select", [tag("option", text, value=value) for value, text in orders.items()]),
        ),
        tag("label", tag("input", type="checkbox"), f" only with {only}"),
        tag("output", "", aria_live="polite"),
        class_="controls",
        data_controls=anchor,
        hidden=True,
    )
