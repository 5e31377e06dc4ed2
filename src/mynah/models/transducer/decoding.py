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
from mynah.stopping.polling import poll


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
    search = _Search(model, encoded, frames, blank=blank, durations=durations, most=max_symbols)
    state: tuple[torch.Tensor, torch.Tensor] | None = None  # of the active ones
    active = (search.frames > 0).nonzero()[:, 0]  # utterances that have frames left
    while len(active):
        poll()
        predicted, state = predict(model.decoder, search.label[active], state)
        emits = search.look(active, predicted)
        search.emit(active[emits])
        going = emits & (search.time[active] < search.frames[active])
        state = (state[0][:, going], state[1][:, going])
        active = active[going]
    return search.paths(frames.tolist())


class _Search:
    """Where each utterance of a batch is, and what was found of it.

    Attributes:
        frames: Frames of each utterance, int64 [batch].
        time: The present frame of each, int64 [batch].
        label: The latest label of each, the blank before the first, int64 [batch].
    """

    def __init__(
        self,
        model: Any,
        encoded: torch.Tensor,
        frames: torch.Tensor,
        *,
        blank: int,
        durations: Sequence[int],
        most: int,
    ) -> None:
        batch, device = len(encoded), encoded.device
        self._model, self._encoded, self._blank, self._most = model, encoded, blank, most
        self._jumps = torch.tensor(list(durations), dtype=torch.long, device=device)
        self._found: list[list[tuple[int, int, int, float]]] = [[] for _ in range(batch)]
        self._total = torch.zeros(batch, device=device)
        self._latest = torch.zeros(batch, device=device)  # log probability of the latest step
        self._symbols = torch.zeros(batch, dtype=torch.long, device=device)  # at this frame
        self._spans = torch.zeros((batch, 2), dtype=torch.long, device=device)  # latest label's
        self.frames = frames.to(device)
        self.time = torch.zeros(batch, dtype=torch.long, device=device)
        self.label = torch.full((batch,), blank, dtype=torch.long, device=device)

    def look(self, active: torch.Tensor, predicted: torch.Tensor) -> torch.Tensor:
        """Move each active utterance to its next label: whether it has one, bool [active].

        Args:
            active: Rows of the utterances, int64 [active].
            predicted: What the prediction network makes of their labels, [active, width].
        """
        emits = torch.zeros(len(active), dtype=torch.bool, device=active.device)
        looking = torch.arange(len(active), device=active.device)  # places among the active ones
        while len(looking):
            rows = active[looking]
            scores = self._model.joint(
                encoder_hidden_states=self._encoded[rows, self.time[rows]],
                decoder_hidden_states=predicted[looking],
            )
            is_label = self._step(rows, scores)
            emits[looking[is_label]] = True
            looking = looking[~is_label & (self.time[rows] < self.frames[rows])]
        return emits

    def _step(self, rows: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Read one label or blank off for each of some utterances: which are labels."""
        vocabulary = scores.shape[-1] - len(self._jumps)
        tokens = scores[:, :vocabulary].argmax(-1)
        self._latest[rows] = largest_log_probability(scores[:, :vocabulary])
        self._total[rows] += self._latest[rows]
        if len(self._jumps):
            self._total[rows] += largest_log_probability(scores[:, vocabulary:])
        is_label = tokens != self._blank
        jump, lasting = _durations(scores[:, vocabulary:], self._jumps, is_label)
        now = self.time[rows]
        self._spans[rows] = torch.stack([now, now + lasting], dim=1)
        # As many labels at one frame as may be: the next frame comes, whatever is read off.
        count = torch.where(is_label & (jump == 0), self._symbols[rows] + 1, 0)
        jump = torch.where(count >= self._most, 1, jump)
        self._symbols[rows] = torch.where(jump == 0, count, 0)
        self.time[rows] += jump
        self.label[rows] = tokens
        return is_label

    def emit(self, rows: torch.Tensor) -> None:
        """Keep the latest label of some utterances."""
        steps = torch.cat([rows[:, None], self.label[rows, None], self._spans[rows]], dim=1)
        scores = self._latest[rows].tolist()
        for (row, token, first, behind), score in zip(steps.tolist(), scores, strict=True):
            self._found[row].append((token, first, behind, score))

    def paths(self, ends: Sequence[int]) -> list[Path]:
        """What was found of each utterance, none of it behind its last frame."""
        return [
            Path(
                tuple(token for token, _, _, _ in labels),
                tuple((first, min(behind, end)) for _, first, behind, _ in labels),
                score,
                tuple(one for _, _, _, one in labels),
            )
            for labels, score, end in zip(self._found, self._total.tolist(), ends, strict=True)
        ]


def _durations(
    scores: torch.Tensor, jumps: torch.Tensor, is_label: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames to advance by after each label or blank, and frames that it lasts, int64 [rows].

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


def predict(
    decoder: Any, labels: torch.Tensor, state: tuple[torch.Tensor, torch.Tensor] | None
) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
    """One step of the prediction network: [batch, width] and its state after ``labels``."""
    hidden, state = decoder.lstm(decoder.embedding(labels[:, None]), state)
    return decoder.decoder_projector(hidden)[:, 0], state
