"""A pretrained part as plain data: as it is asked for, and as it was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from mynah.config.schema import ModelConfig


@dataclass(frozen=True, kw_only=True)
class PretrainedName:
    """A pretrained part as it is asked for.

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
    def of(cls, config: ModelConfig, setting: str, *, offline: bool) -> PretrainedName:
        """The part that ``model.SETTING`` names.

        Args:
            config: The ``model`` section, in which the setting is not null.
            setting: ``pretrained``, ``encoder_model_name`` or ``decoder_model_name``.
            offline: Use nothing that is not on this machine.
        """
        of_decoder = setting == "decoder_model_name"
        return PretrainedName(
            name=getattr(config, setting),
            revision=config.decoder_revision if of_decoder else config.revision,
            offline=offline,
            setting=f"model.{setting}",
            trust_remote_code=config.trust_remote_code,
            attention=config.attn_implementation,
            quantization=config.quantization,
        )

    @property
    def is_folder(self) -> bool:
        return Path(self.name).is_dir()


@dataclass(frozen=True, kw_only=True)
class PretrainedPart(PretrainedName):
    """A pretrained part that was found (:func:`mynah.models.pretrained.hub.resolve`).

    Attributes:
        folder: Where its files lie; of one of the hub those that were fetched so far.
        commit: The commit of the hub that its revision stands for; None of a folder.
        files: Names of all files of that commit, fetched or not; None of a folder, and where
            only what lies in ``folder`` can be had.
        origin: What it is remembered by where that is not ``folder``: the folder of a model that
            was converted, or the hub's name of one that an installed package holds.
    """

    folder: Path
    commit: str | None = None
    files: frozenset[str] | None = None
    origin: str | None = None

    @property
    def is_folder(self) -> bool:
        return self.commit is None

    def has(self, filename: str) -> bool:
        """Whether it has a file, fetched or not."""
        return (self.folder / filename).exists() or filename in (self.files or ())

    @property
    def lasting_name(self) -> str:
        """A name that means the same from any working directory."""
        if self.origin is not None:
            return self.origin
        return str(self.folder.resolve()) if self.is_folder else self.name


NamedParts: TypeAlias = Mapping[str, PretrainedPart]
"""Parts by the setting that names them, as ``pretrained``."""
