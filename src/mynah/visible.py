"""Text from files as it may be shown: nothing in it moves a terminal's cursor or colours it."""

from __future__ import annotations

_DELETE = 0x7F
# Control characters have pictures in Unicode; those from 0x80 on are written as escapes.
_SHOWN = {
    **{code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"},
    _DELETE: "␡",
    **{code: f"\\x{code:02x}" for code in range(0x80, 0xA0)},
}


def visible(text: str) -> str:
    """The text with its control characters made visible, but for line ends and tabs."""
    return text.translate(_SHOWN)
