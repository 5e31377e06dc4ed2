"""The CTC loss of each utterance of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mynah.models.ctc.consistency import divergence

if TYPE_CHECKING:
    import torch


def ctc_losses(
    logits: torch.Tensor, batch: dict[str, torch.Tensor], blank: int, consistency: float = 0.0
) -> torch.Tensor:
    """Negative log-likelihood of each transcript, [batch], in fp32 at least.

    Where the batch holds two copies of each utterance it is the mean of both, and how far apart
    they are is added.

    Args:
        logits: [batch, frames, labels], or of all first copies and then of all second
            [2 x batch, frames, labels]; not normalized.
        batch: ``labels`` [batch, longest], ``label_lengths`` and ``frames`` [batch].
        blank: The label that writes nothing.
        consistency: What the copies' :func:`divergence` counts.
    """
    import torch

    # torch has a CTC loss for the CPU and CUDA alone.
    device = logits.device if logits.device.type == "cuda" else torch.device("cpu")
    dtype = torch.promote_types(logits.dtype, torch.float32)
    log_probabilities = logits.to(device, dtype).log_softmax(-1)
    utterances = len(batch["labels"])
    copies = len(log_probabilities) // utterances
    with torch.autocast(device.type, enabled=False):
        losses = torch.nn.functional.ctc_loss(
            log_probabilities.transpose(0, 1),
            batch["labels"].to(device).repeat(copies, 1),
            batch["frames"].to(device).repeat(copies),
            batch["label_lengths"].to(device).repeat(copies),
            blank=blank,
            reduction="none",
        )
        if copies == 1:
            return losses
        losses = losses.view(copies, utterances).mean(0)
        if consistency:
            losses = losses + consistency * divergence(log_probabilities, batch["frames"])
        return losses
