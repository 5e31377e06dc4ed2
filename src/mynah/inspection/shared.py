"""What training and an evaluation split have in common, that an error rate should not rest on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mynah.inspection.rows import Rows


@dataclass(frozen=True)
class Shared:
    """Of an evaluation split, what training has too.

    Attributes:
        speakers: Speakers in both, by name.
        utterances_of_speakers: Utterances of the evaluation split by them.
        sentences: Utterances whose transcript, but for case and punctuation, training has.
        recordings: Utterances whose very recording training has.
    """

    speakers: list[str]
    utterances_of_speakers: int
    sentences: int
    recordings: int

    def described(self) -> list[str]:
        """What is shared, in words; nothing where nothing is."""
        counts = {
            "speaker": len(self.speakers),
            "sentence": self.sentences,
            "recording": self.recordings,
        }
        return [
            f"{count:,} {what}{'' if count == 1 else 's'}"
            for what, count in counts.items()
            if count
        ]

    def as_dict(self) -> dict[str, Any]:
        """For the record."""
        return asdict(self)


def shared(split: Rows, train: Rows) -> Shared:
    """What ``split`` shares with ``train``."""
    speakers = sorted(set(split.speakers.known) & set(train.speakers.known))
    theirs = [code for code, name in enumerate(split.speakers.names) if name in set(speakers)]
    spoken = split.texts.words > 0
    return Shared(
        speakers=speakers,
        utterances_of_speakers=int(np.isin(split.speakers.codes, theirs).sum()),
        sentences=int((np.isin(split.texts.keys, train.texts.keys) & spoken).sum()),
        recordings=int((np.isin(split.digests, train.digests) & (split.digests != 0)).sum()),
    )
