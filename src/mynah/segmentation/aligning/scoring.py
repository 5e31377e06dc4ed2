"""How well audio and text of an utterance agree."""

from __future__ import annotations

import numpy as np

_WINDOW_SECONDS = 1.0  # about Kürzinger et al.'s 30 frames of 32 ms
# What is said and not in the text shows in one frame of each letter alone: two letters of it
# within a second outweigh all that is right there.
_PASSED_OVER = -10.0


class AgreementScores:
    """Scores of stretches of an aligned recording.

    The score of an utterance is the mean log posterior of its worst second (Kürzinger et al.
    2020, arXiv 2007.09127, section 2.2): one wrong word in a long utterance shows as well as
    in a short one. 0 is perfect.

    Args:
        frames: float32 [frames]: the log posterior of each frame's place on the path.
        passed_over: bool [frames]: where something is said that the text does not have.
        frame_seconds: How long a frame is.
    """

    def __init__(self, frames: np.ndarray, passed_over: np.ndarray, frame_seconds: float) -> None:
        counted = np.where(passed_over, np.minimum(frames, _PASSED_OVER), frames)
        self._sums = np.concatenate([[0.0], np.cumsum(counted, dtype=np.float64)])
        self._window = max(1, round(_WINDOW_SECONDS / frame_seconds))

    def score(self, start: int, end: int) -> float:
        """Of the frames ``start`` to before ``end``, at least one."""
        width = min(self._window, end - start)
        sums = self._sums[start : end + 1]
        return float((sums[width:] - sums[:-width]).min() / width)
