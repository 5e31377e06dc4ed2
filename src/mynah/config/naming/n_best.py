"""Which families give several hypotheses of an utterance, as far as their name tells it."""

from __future__ import annotations

from mynah.errors import UserError

_ONE_ALONE = ("ctc", "transducer", "speech_llm", "audio_llm")


def refusal(family: str, size: int) -> UserError | None:
    """Why ``evaluation.n_best`` is not for a family; None where its name does not tell.

    Args:
        family: Its name.
        size: ``evaluation.n_best``.
    """
    if not size or family not in _ONE_ALONE:
        return None
    return one_hypothesis(family, size)


def one_hypothesis(family: str, size: int) -> UserError:
    """What is said of a model that gives one hypothesis alone."""
    return UserError(
        f"This model ({family}) gives one hypothesis of an utterance, not {size}: a Whisper gives "
        "several.",
        where=f"evaluation.n_best={size}",
        fix="evaluation.n_best=0",
    )
