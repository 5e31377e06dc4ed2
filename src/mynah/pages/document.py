"""A page's shell: one HTML file that needs nothing beside it and asks nothing of the network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from importlib.resources import files
from typing import Any, NamedTuple

from mynah.pages.markup import Markup, tag


class Section(NamedTuple):
    """A part of a page: its heading, the id that links lead to, and what is in it."""

    title: str
    anchor: str
    body: Markup


def document(
    *,
    title: str,
    heading: str,
    created: datetime,
    about: Sequence[Any],
    sections: Sequence[Section],
    style: str,
    script: str,
) -> str:
    """The page as text.

    Args:
        title: In the browser's tab.
        heading: At the top of the page.
        created: When it was made, UTC.
        about: What stands behind the date, text or markup.
        sections: In their order.
        style: The page's own style sheet, after the one that all pages share.
        script: The page's own script, after the one that all pages share. No other may run.
    """
    first = sections[0]
    script = resource("mynah.pages", "page.js") + script
    created_at = tag("time", f"{created:%d %B %Y, %H:%M} UTC", datetime=created.isoformat())
    body = [
        tag("a", f"Skip to: {first.title}", class_="skip", href=f"#{first.anchor}"),
        tag(
            "header",
            tag("p", "Mynah", class_="brand"),
            tag("h1", heading),
            tag("p", created_at, about, class_="quiet"),
            tag(
                "nav",
                tag("ul", [tag("li", tag("a", s.title, href=f"#{s.anchor}")) for s in sections]),
                aria_label="Sections",
            ),
            class_="top",
        ),
        tag("main", [_section(section) for section in sections]),
        tag("script", Markup(script)),
    ]
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(script)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Markup(resource("mynah.pages", "page.css") + style)),
    ]
    made = tag("html", tag("head", head), tag("body", body), lang="en")
    return f"<!doctype html>\n{made}\n"


def _section(section: Section) -> Markup:
    title = f"{section.anchor}-title"
    return tag(
        "section",
        tag("h2", section.title, id=title),
        section.body,
        id=section.anchor,
        aria_labelledby=title,
    )


def resource(package: str, name: str) -> str:
    """A text file that lies beside a package's modules."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def _policy(script: str) -> str:
    """Nothing from anywhere, and no script but the page's own."""
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; media-src data:; "
        "img-src data:; "
        f"style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )
