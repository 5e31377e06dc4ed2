"""What is used of the processors of audio LLMs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Processor(Protocol):
    """What is used of every processor, as transformers' own have it."""

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase: ...

    @property
    def audio_token(self) -> str:
        """The token that stands for audio in a prompt."""

    def save_pretrained(self, directory: Path, /) -> object:
        """Write its files."""
