"""Greedy decoding of transducers, many utterances at a time.

Label-looping, Bataev et al. 2024 (arXiv 2406.06220): the prediction network runs once for each
label of the longest transcript, and between two labels all utterances look for their next one,
each at a frame of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from mynah.models.text.generated import largest_log_probability
from mynah.models.text.word_times import Path


def greedy(
    model: Any,
    encoded: torch.Tensor,
    frames: torch.Tensor,
    *,
    blank: int,
    durations: Sequence[int] = (),
    max_symbols: int,
) -> list[Path]:
    """The labels of each utterance, the best one at every step.

    What transformers' ``generate`` writes of an utterance alone, but for one case: where a TDT
    would write labels of duration 0 at one frame for ever, it too moves on after ``max_symbols``.

    Args:
        model: Has ``decoder`` (embedding, LSTM, projector) and ``joint``, as transformers'
            transducers do.
        encoded: Projected encoder frames, [batch, time, width].
        frames: Frames of each utterance, [batch].
        blank: Token id of the blank, which is also the prediction network's first input.
        durations: Frames that each of the durations stands for; empty for an RNN-T.
        max_symbols: Labels at one frame, after which the next frame comes.

    Returns:
        For each utterance its labels; of each the frame it is read off and that frame with its
        duration added, the next one for an RNN-T; and the probability of all labels and blanks
        with the durations that were likeliest.
    """
    batch = len(encoded)
    device = encoded.device
    ends = frames.tolist()
    frames = frames.to(device)
    jumps = torch.tensor(list(durations), dtype=torch.long, device=device)
    found: list[list[tuple[int, int, int]]] = [[] for _ in range(batch)]
    total = torch.zeros(batch, device=device)
    active = (frames > 0).nonzero()[:, 0]  # utterances that have frames left
    time = torch.zeros(batch, dtype=torch.long, device=device)
    symbols = torch.zeros(batch, dtype=torch.long, device=device)  # at the present frame
    spans = torch.zeros((batch, 2), dtype=torch.long, device=device)  # of the latest label
    label = torch.full((batch,), blank, dtype=torch.long, device=device)
    state: tuple[torch.Tensor, torch.Tensor] | None = None  # of the active ones
    while len(active):
        predicted, state = _predict(model.decoder, label[active], state)
        emits = torch.zeros(len(active), dtype=torch.bool, device=device)
        looking = torch.arange(len(active), device=device)  # places among the active ones
        while len(looking):
            rows = active[looking]
            scores = model.joint(
                encoder_hidden_states=encoded[rows, time[rows]],
                decoder_hidden_states=predicted[looking],
            )
            vocabulary = scores.shape[-1] - len(jumps)
            tokens = scores[:, :vocabulary].argmax(-1)
            total[rows] += largest_log_probability(scores[:, :vocabulary])
            if len(jumps):
                total[rows] += largest_log_probability(scores[:, vocabulary:])
            is_label = tokens != blank
            jump, lasting = _durations(scores[:, vocabulary:], jumps, is_label)
            spans[rows] = torch.stack([time[rows], time[rows] + lasting], dim=1)
            # As many labels at one frame as may be: the next frame comes, whatever is read off.
            count = torch.where(is_label & (jump == 0), symbols[rows] + 1, 0)
            jump = torch.where(count >= max_symbols, 1, jump)
            symbols[rows] = torch.where(jump == 0, count, 0)
            time[rows] += jump
            label[rows] = tokens
            emits[looking[is_label]] = True
            looking = looking[~is_label & (time[rows] < frames[rows])]
        emitting = active[emits]
        steps = torch.cat([emitting[:, None], label[emitting, None], spans[emitting]], dim=1)
        for row, token, first, behind in steps.tolist():
            found[row].append((token, first, min(behind, ends[row])))
        going = emits & (time[active] < frames[active])
        state = (state[0][:, going], state[1][:, going])
        active = active[going]
    return [
        Path(
            tuple(token for token, _, _ in labels),
            tuple((first, behind) for _, first, behind in labels),
            score,
        )
        for labels, score in zip(found, total.tolist(), strict=True)
    ]


def _durations(
    scores: torch.Tensor, jumps: torch.Tensor, is_label: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames to go on by after each label or blank, and frames that it lasts, int64 [rows].

    Args:
        scores: Of each duration, [rows, durations]; none of an RNN-T.
        jumps: Frames that each duration stands for, [durations].
        is_label: Whether it is a label, [rows].
    """
    if not len(jumps):
        jump = (~is_label).long()
        return jump, torch.ones_like(jump)
    lasting = jumps[scores.argmax(-1)]
    return torch.where(is_label, lasting, lasting.clamp(min=1)), lasting


def _predict(
    decoder: Any, labels: torch.Tensor, state: tuple[torch.Tensor, torch.Tensor] | None
) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
    """One step of the prediction network: [batch, width] and its state after ``labels``."""
    hidden, state = decoder.lstm(decoder.embedding(labels[:, None]), state)
    return decoder.decoder_projector(hidden)[:, 0], state
