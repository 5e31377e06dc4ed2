"""The audio half of a processor, of models that take images as well.

The other half needs torchvision, which audio does not; its files are kept as they are, so that
plain transformers finds the complete processor beside a checkpoint.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from mynah.models.pretrained import hub
from mynah.models.pretrained.part import PretrainedPart

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, SequenceFeatureExtractor

_TEMPLATE = "chat_template.json"
_FILES = (
    "preprocessor_config.json",
    "processor_config.json",
    "video_preprocessor_config.json",
    _TEMPLATE,
)

X = TypeVar("X", bound="SequenceFeatureExtractor")


class AudioHalf(Generic[X]):
    """A tokenizer and a feature extractor, with the names that a processor has for them.

    Args:
        tokenizer: Has a token that stands for audio.
        feature_extractor: Makes the encoder's input.
        files: Names and contents of the complete processor's files.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, feature_extractor: X, files: dict[str, str]
    ) -> None:
        self.tokenizer = tokenizer
        self.feature_extractor = feature_extractor
        self.audio_token: str = tokenizer.audio_token
        written = json.loads(files.get(_TEMPLATE, "{}")).get("chat_template")
        self.chat_template: str | None = written or tokenizer.chat_template
        self._files = files

    @classmethod
    def of(cls, part: PretrainedPart, extractor: type[X]) -> AudioHalf[X]:
        """From where a model is.

        Args:
            part: Where the model is.
            extractor: The class of its feature extractor.

        Raises:
            OSError: The model has no tokenizer or no file of a feature extractor.
            AttributeError: The tokenizer has no token for audio.
        """
        from transformers import AutoTokenizer

        files = {}
        for name in _FILES:
            if (path := hub.fetch(part, name)) is not None:
                files[name] = path.read_text(encoding="utf-8")
        return cls(
            hub.from_pretrained(AutoTokenizer, part),
            hub.from_pretrained(extractor, part),
            files,
        )

    def save_pretrained(self, directory: Path) -> None:
        """Write both halves' files."""
        self.tokenizer.save_pretrained(directory)
        for name, content in self._files.items():
            (Path(directory) / name).write_text(content, encoding="utf-8")
