"""The half of a processor that hears, of models that see as well.

The other half wants torchvision, which nothing that is heard needs; its files are kept as they
are, so that plain transformers finds the whole processor beside a checkpoint.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mynah.models.pretrained import hub
from mynah.models.pretrained.part import PretrainedPart

_TEMPLATE = "chat_template.json"
_FILES = (
    "preprocessor_config.json",
    "processor_config.json",
    "video_preprocessor_config.json",
    _TEMPLATE,
)


class HearingHalf:
    """A tokenizer and a feature extractor, with the names that a processor has for them.

    Args:
        tokenizer: Knows which token stands for audio.
        feature_extractor: What the encoder hears.
        files: Names and contents of the whole processor's files.
    """

    def __init__(self, tokenizer: Any, feature_extractor: Any, files: dict[str, str]) -> None:
        self.tokenizer = tokenizer
        self.feature_extractor = feature_extractor
        self.audio_token: str = tokenizer.audio_token
        written = json.loads(files.get(_TEMPLATE, "{}")).get("chat_template")
        self.chat_template: str | None = written or tokenizer.chat_template
        self._files = files

    @classmethod
    def of(cls, part: PretrainedPart, extractor: Any) -> HearingHalf:
        """From where a model is.

        Args:
            part: Where the model is.
            extractor: The class of its feature extractor.

        Raises:
            OSError: The model has no tokenizer or nothing that says what it hears.
            AttributeError: The tokenizer has no token for audio.
        """
        from transformers import AutoTokenizer

        files = {}
        for name in _FILES:
            if (path := hub.fetch(part, name)) is not None:
                files[name] = path.read_text(encoding="utf-8")
        return cls(
            AutoTokenizer.from_pretrained(hub.place(part), **hub.options(part)),
            extractor.from_pretrained(hub.place(part), **hub.options(part)),
            files,
        )

    def save_pretrained(self, directory: Path) -> None:
        """Write both halves' files."""
        self.tokenizer.save_pretrained(directory)
        for name, content in self._files.items():
            (Path(directory) / name).write_text(content, encoding="utf-8")
