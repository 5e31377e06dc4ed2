"""A pretrained part as it is asked for: by name, before anything of it is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mynah.config.schema import ModelConfig


@dataclass(frozen=True)
class PretrainedPart:
    """A pretrained part by name.

    Attributes:
        name: A hub name as ``openai/whisper-small``, or a folder.
        revision: Branch, tag or commit; None: the newest.
        offline: Use nothing that is not on this machine.
        setting: The setting that named it, for messages.
        trust_remote_code: Run code that comes with it.
        attention: Attention kernel of its model, or None for the library's choice.
        quantization: ``"4bit"``: the linear layers of its model are held in four bits.
    """

    name: str
    revision: str | None = None
    offline: bool = False
    setting: str = "model.pretrained"
    trust_remote_code: bool = False
    attention: str | None = None
    quantization: str | None = None

    @classmethod
    def of(cls, config: ModelConfig, setting: str, *, offline: bool) -> PretrainedPart:
        """The part that ``model.SETTING`` names.

        Args:
            config: The ``model`` section, in which the setting is not null.
            setting: ``pretrained``, ``encoder_model_name`` or ``decoder_model_name``.
            offline: Use nothing that is not on this machine.
        """
        of_decoder = setting == "decoder_model_name"
        return cls(
            getattr(config, setting),
            config.decoder_revision if of_decoder else config.revision,
            offline,
            f"model.{setting}",
            config.trust_remote_code,
            config.attn_implementation,
            config.quantization,
        )

    @property
    def is_folder(self) -> bool:
        return Path(self.name).is_dir()
