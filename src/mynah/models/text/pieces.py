"""Clips longer than a model takes at once: cut into pieces, whose transcripts are joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mynah.models.transcript import Transcript, joined

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Pieces:
    """Clips in pieces.

    Attributes:
        audios: The pieces, float32 [samples] each.
        owners: Which clip each is of.
        clips: How many clips there are; of one that is too short to encode there is no piece.
    """

    audios: list[np.ndarray]
    owners: list[int]
    clips: int

    @classmethod
    def of(
        cls,
        audios: Sequence[np.ndarray],
        longest: Sequence[int | None],
        takes: Callable[[int], bool] = bool,
    ) -> Pieces:
        """Cut each clip at multiples of what is encoded at once.

        Args:
            audios: float32 [samples] each.
            longest: Samples of each clip that are encoded at once; None: all.
            takes: Whether so many samples can be encoded; a piece that is not is left out.
        """
        pieces: list[np.ndarray] = []
        owners: list[int] = []
        for row, (audio, most) in enumerate(zip(audios, longest, strict=True)):
            step = most or max(len(audio), 1)
            for start in range(0, len(audio), step):
                if takes(len(audio[start : start + step])):
                    pieces.append(audio[start : start + step])
                    owners.append(row)
        return cls(pieces, owners, len(audios))

    def joined(self, transcripts: Sequence[Transcript]) -> list[Transcript]:
        """Transcripts of the pieces to those of the clips, empty where there is no piece."""
        parts: list[list[Transcript]] = [[] for _ in range(self.clips)]
        for owner, transcript in zip(self.owners, transcripts, strict=True):
            parts[owner].append(transcript)
        return [joined(one) for one in parts]
