"""Prefix beam search as Hannun et al. 2014 (arXiv 1408.2873, algorithm 1) write it: every prefix
with every likely label, frame by frame. What the search of mynah.models.ctc is compared with."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

import numpy as np

from mynah.models.fusion.prefix import Prefix
from mynah.models.fusion.scorer import Scorer

_SURE_BLANK = 0.9995  # above it a frame says nothing
_LEAST_LOG_PROBABILITY = -7.0  # of a label that a frame may add ...
_MOST_LABELS = 8  # ... and at most so many, the likeliest


def search(
    log_probabilities: np.ndarray,
    *,
    blank: int,
    beam_size: int,
    scorer: Scorer | None = None,
    written: Sequence[int] | None = None,
) -> list[int]:
    """The labels of the most worthy prefix of those that stayed in the beam.

    Args:
        log_probabilities: Of each label at each frame, float [frames, labels].
        blank: The label that writes nothing and parts equal ones.
        beam_size: Prefixes that are kept from frame to frame.
        scorer: A language model, or None for the probability alone.
        written: Labels that a transcript can have, without a tokenizer's special ones; None
            for all.
    """
    root = Prefix(None, -1, scorer.start() if scorer else None, 0.0)
    # A prefix, and the probabilities that its alignments end in the blank and in its label,
    # divided at each frame by the largest so that they never vanish.
    beam = [(root, 1.0, 0.0)]
    for blank_probability, labels in _frames(log_probabilities, blank, written):
        if not labels:
            beam = [(prefix, blanks + lasts, 0.0) for prefix, blanks, lasts in beam]
            continue
        beam = _advance(beam, blank_probability, labels, beam_size, scorer)

    def worth(one: tuple[Prefix, float, float]) -> float:
        prefix, blanks, lasts = one
        found = math.log(blanks + lasts) + prefix.worth
        if scorer is not None and prefix.state is not None:
            found += scorer.finish(prefix.state)
        return found

    return max(beam, key=worth)[0].labels()


_Beam = list[tuple[Prefix, float, float]]


def _advance(
    beam: _Beam,
    blank_probability: float,
    labels: list[tuple[int, float]],
    beam_size: int,
    scorer: Scorer | None,
) -> _Beam:
    """The beam one frame on."""
    found: dict[Prefix, list[float]] = {}
    for prefix, blanks, lasts in beam:
        found[prefix] = [(blanks + lasts) * blank_probability, 0.0]
    longer: list[tuple[float, int, Prefix, int, float]] = []
    for prefix, blanks, lasts in beam:
        for label, probability in labels:
            if label == prefix.label:
                found[prefix][1] += lasts * probability
                added = blanks * probability
            else:
                added = (blanks + lasts) * probability
            other = found.get(prefix.children.get(label))  # type: ignore[arg-type]
            if other is not None:
                other[1] += added
            elif added > 0.0:
                longer.append((math.log(added) + prefix.worth, len(longer), prefix, label, added))
    scores = [
        math.log(total) + prefix.worth
        for prefix, (blanks, lasts) in found.items()
        if (total := blanks + lasts) > 0.0
    ]
    # A model is asked only of prefixes that can still get in: most steps can but lose.
    gain = scorer.most if scorer is not None else 0.0
    heapq.heapify(scores)
    longer.sort(reverse=True)
    for score, _, prefix, label, added in longer:
        if len(scores) >= beam_size and score + gain < scores[0]:
            break
        child = prefix.child(label, scorer)
        found[child] = [0.0, added]
        heapq.heappush(scores, math.log(added) + child.worth)
        if len(scores) > beam_size:
            heapq.heappop(scores)
    ranked = [
        (math.log(total) + prefix.worth, prefix, pair)
        for prefix, pair in found.items()
        if (total := pair[0] + pair[1]) > 0.0
    ]
    kept = heapq.nlargest(beam_size, ranked, key=lambda one: one[0])
    largest = max(pair[0] + pair[1] for _, _, pair in kept)
    return [(prefix, pair[0] / largest, pair[1] / largest) for _, prefix, pair in kept]


def _frames(
    log_probabilities: np.ndarray, blank: int, written: Sequence[int] | None
) -> list[tuple[float, list[tuple[int, float]]]]:
    """Each frame's probability of the blank and of its likely labels; none where it is blank."""
    values = np.array(log_probabilities, dtype=np.float64)
    blanks = np.exp(values[:, blank])
    values[:, blank] = -np.inf
    if written is not None:
        values[:, np.setdiff1d(np.arange(values.shape[1]), written)] = -np.inf
    order = np.argsort(-values, axis=-1, kind="stable")[:, :_MOST_LABELS]
    likely = np.take_along_axis(values, order, axis=-1)
    frames = []
    for probability, labels, scores in zip(
        blanks.tolist(), order.tolist(), likely.tolist(), strict=True
    ):
        pairs = []
        if probability < _SURE_BLANK:
            pairs = [
                (label, math.exp(score))
                for position, (label, score) in enumerate(zip(labels, scores, strict=True))
                if score > _LEAST_LOG_PROBABILITY or (position == 0 and score > -math.inf)
            ]
        frames.append((probability, pairs))
    return frames
