"""Shares as horizontal bars, each with its name, as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence

from mynah.pages.axes import Scale, picture, show_percent
from mynah.pages.markup import Markup, tag

_WIDTH, _ROW, _TOP = 560, 28, 8
_CHARACTER = 7.4  # of a name, in the drawing's units


def named_bars(shares: Sequence[tuple[str, float]], *, description: str) -> Markup | None:
    """A bar for each name, in the given order; None where there is none.

    Args:
        shares: Names with shares from 0 to 1.
        description: For who cannot see it.
    """
    if not shares:
        return None
    left = 24 + _CHARACTER * max(len(name) for name, _ in shares)
    scale = Scale(0.0, max(max(share for _, share in shares), 1e-9), left, _WIDTH - 70)
    drawn = []
    for number, (name, share) in enumerate(shares):
        y = _TOP + _ROW * number
        drawn.append(
            tag(
                "g",
                tag("title", f"{name}: {show_percent(share)}"),
                tag("text", name, class_="tick y", x=left - 8, y=y + 16),
                tag(
                    "rect", class_="bar", x=left, y=y + 3, height=_ROW - 10, rx=2,
                    width=round(max(scale(share) - left, 1.5), 1),
                ),
                tag("text", show_percent(round(share, 3)), class_="tick",
                    x=scale(share) + 8, y=y + 16),
            )
        )  # fmt: skip
    height = 2 * _TOP + _ROW * len(shares)
    return tag("figure", picture(drawn, description, width=_WIDTH, height=height), class_="plot")
