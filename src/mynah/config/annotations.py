"""What a pattern of annotations looks like, to its check and to its use."""

from __future__ import annotations

_CLOSING = {"<": ">", "[": "]", "{": "}", "(": ")"}


def is_bracketed(pattern: str) -> bool:
    """Whether a pattern of ``data.annotations`` has brackets around it, as ``"[*]"``."""
    return _CLOSING.get(pattern[0]) == pattern[-1]
