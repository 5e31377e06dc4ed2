"""What can follow each hypothesis of a beam: the joint and prediction networks, all at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mynah.models.transducer.decoding import predict

_LEAST_LOG_PROBABILITY = -7.0  # of a label that joins a hypothesis at a step ...
_MOST_LABELS = 8  # ... and at most so many, the likeliest

Lasting = tuple[int, int]


@dataclass(frozen=True)
class Choices:
    """What can follow one hypothesis, with log probabilities.

    Attributes:
        blanks: Frames that blanks advance by.
        labels: Labels, with what each is worth beside: what the network that predicts labels
            thinks of it without any sound, divided out.
        lasting: Frames that a label lasts, and that it advances by.
    """

    blanks: Sequence[tuple[int, float]]
    labels: Sequence[tuple[int, float, float]]
    lasting: Sequence[tuple[Lasting, float]]


class NextSteps:
    """Asks the networks of a transducer for the hypotheses of all utterances.

    Args:
        model: Has ``decoder`` (embedding, LSTM, projector) and ``joint``.
        encoded: Projected encoder frames, [batch, time, width].
        blank: Token id of the blank, which is also the prediction network's first input.
        durations: Frames that each of the durations stands for; empty for an RNN-T.
        written: Labels that a transcript can have; None for all.
        internal_weight: The power of its own probability of labels, without any sound, that is
            divided out (Meng et al. 2021, arXiv 2011.01991; Variani et al. 2020).
    """

    def __init__(
        self,
        model: Any,
        encoded: torch.Tensor,
        *,
        blank: int,
        durations: Sequence[int],
        written: Sequence[int] | None,
        internal_weight: float = 0.0,
    ) -> None:
        self._model, self._encoded, self._blank = model, encoded, blank
        self._durations = tuple(durations)
        self._internal_weight = internal_weight
        self._written = None if written is None else list(written)
        self._never: torch.Tensor | None = None
        labels = torch.full((len(encoded),), blank, device=encoded.device)
        self._predicted, self._state = predict(model.decoder, labels, None)

    def choices(
        self,
        rows: Sequence[int],
        *,
        times: Sequence[int],
        came: Sequence[int],
        added: Mapping[int, int],
    ) -> Iterator[Choices]:
        """What can follow each of some hypotheses, in order.

        Args:
            rows: The utterance of each.
            times: The frame that each reads next.
            came: The place of what each comes from in the call before this one; in the first call
                its utterance.
            added: By place, the label that it has more than that.
        """
        self._predict(came, added)
        device = self._encoded.device
        scores = self._model.joint(
            encoder_hidden_states=self._encoded[
                torch.tensor(rows, device=device), torch.tensor(times, device=device)
            ],
            decoder_hidden_states=self._predicted,
        )
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        vocabulary = scores.shape[-1] - len(self._durations)
        tokens = scores[:, :vocabulary].log_softmax(-1)
        blanks = tokens[:, self._blank].tolist()
        tokens = tokens.masked_fill(self._left_out(vocabulary), -math.inf)
        likely, labels = tokens.topk(min(_MOST_LABELS, vocabulary), dim=-1)
        beside = self._beside(labels).tolist()
        lasting = scores[:, vocabulary:].log_softmax(-1).tolist()
        return map(self._choice, blanks, labels.tolist(), likely.tolist(), beside, lasting)

    def _beside(self, labels: torch.Tensor) -> torch.Tensor:
        """What each of [hypotheses, labels] is worth beside its probability, in nats."""
        if not self._internal_weight:
            return torch.zeros_like(labels, dtype=torch.float32)
        scores = self._model.joint(
            encoder_hidden_states=torch.zeros_like(self._predicted),
            decoder_hidden_states=self._predicted,
        )
        vocabulary = scores.shape[-1] - len(self._durations)
        tokens = scores[:, :vocabulary].to(torch.promote_types(scores.dtype, torch.float32))
        tokens = tokens.masked_fill(self._left_out(vocabulary), -math.inf).log_softmax(-1)
        own = tokens.gather(1, labels)
        return -self._internal_weight * torch.where(own > -math.inf, own, torch.zeros_like(own))

    def _choice(
        self,
        blank: float,
        labels: list[int],
        likely: list[float],
        beside: list[float],
        lasting: list[float],
    ) -> Choices:
        said = [
            (label, score, worth)
            for place, (label, score, worth) in enumerate(zip(labels, likely, beside, strict=True))
            if score > _LEAST_LOG_PROBABILITY or (place == 0 and score > -math.inf)
        ]
        if not self._durations:
            return Choices([(1, blank)], said, [((1, 0), 0.0)])
        pairs = list(zip(self._durations, lasting, strict=True))
        return Choices(
            [(max(frames, 1), blank + score) for frames, score in pairs],
            said,
            [((frames, frames), score) for frames, score in pairs],
        )

    def _left_out(self, vocabulary: int) -> torch.Tensor:
        """Tokens that never join a hypothesis, bool [vocabulary]."""
        if self._never is None:
            kept = range(vocabulary) if self._written is None else self._written
            never = torch.ones(vocabulary, dtype=torch.bool)
            never[[one for one in kept if one < vocabulary and one != self._blank]] = False
            self._never = never.to(self._encoded.device)
        return self._never

    def _predict(self, came: Sequence[int], added: Mapping[int, int]) -> None:
        """Bring what the prediction network makes of each hypothesis's labels into their order."""
        device = self._encoded.device
        order = torch.tensor(came, device=device)
        predicted = self._predicted[order]
        hidden, cell = (one[:, order] for one in self._state)
        if added:
            at = torch.tensor(list(added), device=device)
            labels = torch.tensor(list(added.values()), device=device)
            before = (hidden[:, at].contiguous(), cell[:, at].contiguous())
            made, (of_hidden, of_cell) = predict(self._model.decoder, labels, before)
            predicted[at], hidden[:, at], cell[:, at] = made, of_hidden, of_cell
        self._predicted, self._state = predicted, (hidden, cell)
