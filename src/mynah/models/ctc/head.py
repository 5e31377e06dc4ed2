"""A CTC head on a speech encoder before a language model: a second loss for the encoder.

CTC asks of the encoder's frames what was said and when (Watanabe et al. 2017, hybrid
CTC/attention); the language model alone asks it of the full clip. Decoding does without.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah.models.text.labeller import Labeller
from mynah.models.text.labels import padded_labels

if TYPE_CHECKING:
    import torch

HEAD_FOLDER = "ctc_tokenizer"


class TokensAndLabels(list[int]):
    """Token ids of a language model, with the labels of CTC for the same words.

    Args:
        ids: Of the language model.
        ctc: Of the CTC head.
    """

    def __init__(self, ids: Sequence[int], ctc: Sequence[int]) -> None:
        super().__init__(ids)
        self.ctc = list(ctc)


class CTCHead:
    """Labels and loss of the head.

    Args:
        tokenizer: A tokenizer of :func:`~mynah.models.text.tokenizers.train_tokenizer`.
        weight: What its loss counts beside the language model's.
    """

    def __init__(self, tokenizer: Any, weight: float) -> None:
        self.tokenizer = tokenizer
        self.weight = weight
        self.blank: int = tokenizer.pad_token_id
        self._labeller = Labeller(tokenizer, self.blank)

    @classmethod
    def load(cls, directory: Path, weight: float) -> CTCHead:
        """From a checkpoint that :meth:`save` wrote to."""
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(directory / HEAD_FOLDER, local_files_only=True)
        return cls(tokenizer, weight)

    def save(self, directory: Path) -> None:
        """Write the tokenizer into a checkpoint, in a folder of its own."""
        self.tokenizer.save_pretrained(directory / HEAD_FOLDER)

    def labels(self, text: str) -> list[int]:
        """The labels of CTC."""
        return self._labeller.labels(text)

    def impossible(self, frames: int, labels: Sequence[int]) -> str | None:
        """Why CTC cannot learn so many labels from so few encoder frames, or None.

        Args:
            frames: Encoder frames.
            labels: A :class:`TokensAndLabels`, or anything as long as the labels may be.
        """
        return too_many_labels(frames, getattr(labels, "ctc", labels))

    def collate(self, labels: Sequence[Sequence[int]]) -> dict[str, torch.Tensor]:
        """``ctc_labels`` [batch, most] and ``ctc_label_lengths`` [batch]."""
        import torch

        ctc = [list(getattr(one, "ctc", one)) for one in labels]
        return {
            "ctc_labels": padded_labels(ctc, self.blank),
            "ctc_label_lengths": torch.tensor([len(one) for one in ctc]),
        }

    def losses(self, logits: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Negative log-likelihood a label of each utterance, [batch].

        Args:
            logits: [batch, encoder frames, labels].
            batch: With what :meth:`collate` made, and ``audio_frames`` [batch].
        """
        import torch

        # torch has a CTC loss for the CPU and CUDA alone.
        device = logits.device if logits.device.type == "cuda" else torch.device("cpu")
        dtype = torch.promote_types(logits.dtype, torch.float32)
        lengths = batch["ctc_label_lengths"].to(device)
        with torch.autocast(device.type, enabled=False):
            totals = torch.nn.functional.ctc_loss(
                logits.to(device, dtype).log_softmax(-1).transpose(0, 1),
                batch["ctc_labels"].to(device),
                batch["audio_frames"].to(device),
                lengths,
                blank=self.blank,
                reduction="none",
            )
        return (totals / lengths.clamp(min=1)).to(logits.device)


def too_many_labels(frames: int, labels: Sequence[int]) -> str | None:
    """CTC needs a frame a label and a blank between two equal ones: what is wrong, or None."""
    if frames > 0 and 2 * len(labels) <= frames:
        return None  # whatever repeats there are: counting them takes time
    repeats = sum(map(operator.eq, labels, labels[1:]))
    if frames and len(labels) + repeats <= frames:
        return None
    return f"{len(labels)} labels and {repeats} repeats need more than {frames} encoder frames"
