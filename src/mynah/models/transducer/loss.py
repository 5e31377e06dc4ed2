"""Transducer losses in plain torch: RNN-T, and TDT, whose tokens and blanks have durations.

Sequence Transduction with Recurrent Neural Networks, Graves 2012 (arXiv 1211.3711); Efficient
Sequence Transduction by Jointly Predicting Tokens and Durations, Xu et al. 2023 (arXiv
2304.06795). A path goes from frame 0 without labels to the end of the frames with all labels:
a blank moves on by its duration, a label by its duration and to the next label. The last step
is a blank that ends exactly with the frames. RNN-T is the case in which every blank lasts one
frame and every label none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

# Log probability of what cannot be. Infinity would make gradients NaN.
_IMPOSSIBLE = -1e30


def transducer_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    frames: torch.Tensor,
    label_lengths: torch.Tensor,
    *,
    blank: int,
    durations: Sequence[int] = (),
) -> torch.Tensor:
    """Negative log-likelihood of each transcript under an RNN-T or a TDT.

    All cells of an anti-diagonal (those with the same frame plus label) are computed at once,
    in fp32 whatever the precision of the logits. Beside the logits and their gradient it takes
    the memory of one utterance's logits in fp32, and a few tensors of the size of the lattice
    [batch, time, labels + 1] for each duration.

    Args:
        logits: [batch, time, labels + 1, vocabulary + durations], not normalised; the tokens,
            then the durations.
        labels: Token ids, [batch, labels]; what lies behind a row's length is not looked at.
        frames: Encoder frames of each row, at least 1, [batch].
        label_lengths: Labels of each row, [batch].
        blank: Token id of the blank.
        durations: Frames that each of the durations stands for; empty for an RNN-T.

    Returns:
        float [batch], fp32 or the precision of the logits if that is higher; above 1e29 where
        no path leads to the end.
    """
    targets = functional.pad(labels, (0, 1))  # behind the last label nothing is said
    in_torch: Any = _LogProbabilities  # torch gives `apply` no types
    blanks, spoken, lasting = in_torch.apply(logits, targets, blank, len(durations))
    if durations:
        steps = list(zip(durations, lasting.unbind(-1), strict=True))
        blank_arcs = [(d, blanks + one) for d, one in steps if d > 0]
        label_arcs = [(d, spoken + one) for d, one in steps]
    else:
        blank_arcs, label_arcs = [(1, blanks)], [(0, spoken)]
    return -_log_likelihood(blank_arcs, label_arcs, frames, label_lengths)


def _log_likelihood(
    blank_arcs: list[tuple[int, torch.Tensor]],
    label_arcs: list[tuple[int, torch.Tensor]],
    frames: torch.Tensor,
    label_lengths: torch.Tensor,
) -> torch.Tensor:
    """Log of the summed probability of all paths, [batch].

    Args:
        blank_arcs: (duration, log probability [batch, time, labels + 1]) by the cell an arc
            leaves; the duration is above zero.
        label_arcs: The same of the next label.
        frames: [batch]
        label_lengths: [batch]
    """
    batch, time, width = blank_arcs[0][1].shape
    # Diagonal by diagonal; a label's arc stands at the label it leads to.
    arcs = [_skewed(one) for _, one in blank_arcs]
    arcs += [
        functional.pad(_skewed(one)[..., :-1], (1, 0), value=_IMPOSSIBLE) for _, one in label_arcs
    ]
    leaving = torch.stack(arcs, 1).unbind(0)
    alpha = arcs[0].new_full((batch, width), _IMPOSSIBLE)
    alpha[:, 0] = 0.0
    alphas: list[torch.Tensor] = []
    arriving: list[tuple[torch.Tensor, ...]] = []
    for diagonal in range(time + width - 1):
        if diagonal > 0:
            into = [
                arriving[diagonal - d][i] for i, (d, _) in enumerate(blank_arcs) if d <= diagonal
            ] + [
                arriving[diagonal - 1 - d][i]
                for i, (d, _) in enumerate(label_arcs, len(blank_arcs))
                if d < diagonal
            ]
            # The first cells of a lattice may be out of reach of every duration.
            alpha = torch.stack(into).logsumexp(0) if into else torch.full_like(alpha, _IMPOSSIBLE)
        alphas.append(alpha)
        labelled = functional.pad(alpha[:, :-1], (1, 0), value=_IMPOSSIBLE)
        before = [alpha] * len(blank_arcs) + [labelled] * len(label_arcs)
        arriving.append((torch.stack(before) + leaving[diagonal]).unbind(0))
    found = torch.stack(alphas)  # [diagonals, batch, width]
    rows = torch.arange(batch, device=found.device)
    last = []
    for duration, one in blank_arcs:
        cell = frames - duration
        reached = cell.clamp(min=0)
        ending = found[reached + label_lengths, rows, label_lengths]
        ending = ending + one[rows, reached, label_lengths]
        last.append(ending.masked_fill(cell < 0, _IMPOSSIBLE))
    return torch.stack(last).logsumexp(0)


def _skewed(cells: torch.Tensor) -> torch.Tensor:
    """[batch, time, width] to [time + width - 1, batch, width] by time plus label."""
    batch, time, width = cells.shape
    # Row after row behind each other, every row one longer than the next line: each begins
    # one place further to the right.
    padded = functional.pad(cells.transpose(1, 2), (0, width), value=_IMPOSSIBLE)
    shifted = padded.reshape(batch, -1)[:, : width * (time + width - 1)]
    return shifted.reshape(batch, width, time + width - 1).permute(2, 0, 1)


class _LogProbabilities(torch.autograd.Function):
    """Log probabilities of the blank, of the next label and of the durations in every cell.

    By autograd's own rules the normalisation over the vocabulary would be kept three times;
    here the logits are kept and their gradient is made utterance by utterance.
    """

    @staticmethod
    def forward(
        ctx: Any, logits: torch.Tensor, targets: torch.Tensor, blank: int, durations: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Logits [batch, time, width, vocabulary + durations] and targets [batch, width] to
        [batch, time, width] twice and [batch, time, width, durations]."""
        dtype = torch.promote_types(logits.dtype, torch.float32)
        tokens = logits.shape[-1] - durations
        normalizer = torch.stack([one[..., :tokens].to(dtype).logsumexp(-1) for one in logits])
        index = targets[:, None, :, None].expand(-1, logits.shape[1], -1, -1)
        blanks = logits[..., blank].to(dtype) - normalizer
        labels = logits.gather(-1, index).squeeze(-1).to(dtype) - normalizer
        lasting = logits[..., tokens:].to(dtype).log_softmax(-1)
        ctx.save_for_backward(logits, index, normalizer, lasting)
        ctx.blank = blank
        return blanks, labels, lasting

    @staticmethod
    def backward(
        ctx: Any, blanks: torch.Tensor, labels: torch.Tensor, lasting: torch.Tensor
    ) -> tuple[torch.Tensor, None, None, None]:
        logits, index, normalizer, log_durations = ctx.saved_tensors
        tokens = logits.shape[-1] - lasting.shape[-1]
        gradient = torch.empty_like(logits)
        for row, one in enumerate(logits):
            share = (one[..., :tokens].to(normalizer.dtype) - normalizer[row, ..., None]).exp_()
            share *= -(blanks[row] + labels[row])[..., None]
            share[..., ctx.blank] += blanks[row]
            share.scatter_add_(-1, index[row], labels[row][..., None])
            gradient[row, ..., :tokens] = share
        share = lasting - log_durations.exp() * lasting.sum(-1, keepdim=True)
        gradient[..., tokens:] = share
        return gradient, None, None, None
