"""Greedy decoding of transducers, many utterances at a time.

Label-looping, Bataev et al. 2024 (arXiv 2406.06220): the prediction network runs once for each
label of the longest transcript, and between two labels all utterances look for their next one,
each at a frame of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


def greedy(
    model: Any,
    encoded: torch.Tensor,
    frames: torch.Tensor,
    *,
    blank: int,
    durations: Sequence[int] = (),
    max_symbols: int,
) -> list[list[int]]:
    """The labels heard in each utterance, the best one at every step.

    What transformers' ``generate`` says of an utterance alone, but for one case: where a TDT
    would say labels of duration 0 at one frame for ever, it too moves on after ``max_symbols``.

    Args:
        model: Has ``decoder`` (embedding, LSTM, projector) and ``joint``, as transformers'
            transducers do.
        encoded: Projected encoder frames, [batch, time, width].
        frames: Frames of each utterance, [batch].
        blank: Token id of the blank, which is also what the prediction network hears first.
        durations: Frames that each of the durations stands for; empty for an RNN-T.
        max_symbols: Labels at one frame, after which the next frame comes.
    """
    batch = len(encoded)
    device = encoded.device
    frames = frames.to(device)
    jumps = torch.tensor(list(durations), dtype=torch.long, device=device)
    said: list[list[int]] = [[] for _ in range(batch)]
    active = (frames > 0).nonzero()[:, 0]  # utterances that have frames left
    time = torch.zeros(batch, dtype=torch.long, device=device)
    symbols = torch.zeros(batch, dtype=torch.long, device=device)  # said at the present frame
    label = torch.full((batch,), blank, dtype=torch.long, device=device)
    state: tuple[torch.Tensor, torch.Tensor] | None = None  # of the active ones
    while len(active):
        predicted, state = _predict(model.decoder, label[active], state)
        heard = torch.zeros(len(active), dtype=torch.bool, device=device)
        looking = torch.arange(len(active), device=device)  # places among the active ones
        while len(looking):
            rows = active[looking]
            scores = model.joint(
                encoder_hidden_states=encoded[rows, time[rows]],
                decoder_hidden_states=predicted[looking],
            )
            tokens = scores[:, : scores.shape[-1] - len(jumps)].argmax(-1)
            is_label = tokens != blank
            if len(jumps):
                jump = jumps[scores[:, -len(jumps) :].argmax(-1)]
                jump = torch.where(is_label, jump, jump.clamp(min=1))
            else:
                jump = (~is_label).long()
            # As many labels at one frame as may be: the next frame comes, whatever is heard.
            count = torch.where(is_label & (jump == 0), symbols[rows] + 1, 0)
            jump = torch.where(count >= max_symbols, 1, jump)
            symbols[rows] = torch.where(jump == 0, count, 0)
            time[rows] += jump
            label[rows] = tokens
            heard[looking[is_label]] = True
            looking = looking[~is_label & (time[rows] < frames[rows])]
        for row, token in zip(active[heard].tolist(), label[active[heard]].tolist(), strict=True):
            said[row].append(token)
        going = heard & (time[active] < frames[active])
        state = (state[0][:, going], state[1][:, going])
        active = active[going]
    return said


def _predict(
    decoder: Any, labels: torch.Tensor, state: tuple[torch.Tensor, torch.Tensor] | None
) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
    """One step of the prediction network: [batch, width] and its state after ``labels``."""
    hidden, state = decoder.lstm(decoder.embedding(labels[:, None]), state)
    return decoder.decoder_projector(hidden)[:, 0], state
