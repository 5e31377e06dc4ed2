"""One line of the catalogue: what a preset trains, and the memory that takes."""

from __future__ import annotations

from dataclasses import dataclass

from mynah.models.catalog.footprint import BatchShape, Stack, full_bytes, lora_bytes

BATCH = BatchShape()


@dataclass(frozen=True)
class Checkpoint:
    """One repository on the Hugging Face hub.

    Attributes:
        name: As ``openai/whisper-small``.
        disk_bytes: Of its weights, as they are stored.
        licence: Its identifier (SPDX).
    """

    name: str
    disk_bytes: int
    licence: str

    @property
    def address(self) -> str:
        """Its model card."""
        return f"https://huggingface.co/{self.name}"


@dataclass(frozen=True)
class Entry:
    """What a preset trains.

    Attributes:
        preset: The name in ``configs/hydra/model/``.
        family: The architecture's family.
        checkpoints: What is downloaded.
        languages: ISO codes of what it knows; empty: none yet, it learns any.
        encoder: What encodes speech.
        decoder: What writes; None: a head that weighs nothing.
        projector: Parameters between encoder and language model.
        wer: Mean word error rate in per cent, untuned; None: not on the leaderboard, or no
            recognizer before it is trained.
        adapts: Whether the preset trains LoRA matrices rather than all weights.
        leaves_encoder: Whether the preset leaves the encoder as it is, either way.
        rank: Of the LoRA matrices.
    """

    preset: str
    family: str
    checkpoints: tuple[Checkpoint, ...]
    languages: tuple[str, ...]
    encoder: Stack
    decoder: Stack | None = None
    projector: int = 0
    wer: float | None = None
    adapts: bool = False
    leaves_encoder: bool = False
    rank: int = 32

    @property
    def parameters(self) -> int:
        """Parameters of all parts."""
        return (
            self.encoder.parameters
            + self.projector
            + (self.decoder.parameters if self.decoder else 0)
        )

    @property
    def takes_language(self) -> bool:
        """Whether its decoder has to be given the language of what is spoken."""
        return self.family == "seq2seq" and len(self.languages) > 1

    @property
    def disk_bytes(self) -> int:
        """Of the weights that are downloaded."""
        return sum(one.disk_bytes for one in self.checkpoints)

    @property
    def licence(self) -> str:
        """Licences of all checkpoints."""
        return ", ".join(dict.fromkeys(one.licence for one in self.checkpoints))

    def knows(self, language: str) -> bool:
        """Whether it knows a language by its code, or can learn any."""
        return not self.languages or language.lower().partition("-")[0] in self.languages

    def full_bytes(self, *, frozen_weight_bytes: int = 4, value_bytes: int = 4) -> int:
        """Memory to train all weights (``model.use_lora=false``) on a step of :data:`BATCH`."""
        trained, frozen = self._stacks()
        beside = Stack(self.projector, 0, 0, keeps=0)
        return full_bytes(
            [*trained, beside],
            frozen,
            BATCH,
            frozen_weight_bytes=frozen_weight_bytes,
            value_bytes=value_bytes,
        )

    def lora_bytes(self, *, frozen_weight_bytes: int = 4, value_bytes: int = 4) -> int:
        """Memory to train LoRA matrices (``model.use_lora=true``) on a step of :data:`BATCH`."""
        adapted, frozen = self._stacks()
        return lora_bytes(
            adapted,
            frozen,
            BATCH,
            rank=self.rank,
            trained_beside=self.projector,
            frozen_weight_bytes=frozen_weight_bytes,
            value_bytes=value_bytes,
        )

    def _stacks(self) -> tuple[list[Stack], list[Stack]]:
        """What learns, and what comes before it."""
        rest = [self.decoder] if self.decoder else []
        if self.leaves_encoder:
            return rest, [self.encoder]
        return [self.encoder, *rest], []
