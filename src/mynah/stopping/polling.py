"""Points in long work at which it may be left: between batches, between the tokens of one.

A signal's handler cannot leave it everywhere: of several processes none may leave the others
alone in the middle of what they tell each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import StoppingCriteriaList

_check: ContextVar[Callable[[], None] | None] = ContextVar("check", default=None)


@contextmanager
def polled(check: Callable[[], None]) -> Iterator[None]:
    """Within the block, :func:`poll` calls ``check``, which raises where the work is to be left."""
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)


def poll() -> None:
    """Leave the work here if that was asked for; whatever :func:`polled` was given is raised."""
    check = _check.get()
    if check is not None:
        check()


def stopping_criteria() -> StoppingCriteriaList:
    """For ``generate()`` of transformers: :func:`poll` after every token."""
    from transformers import StoppingCriteria, StoppingCriteriaList

    class Left(StoppingCriteria):
        def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
            import torch

            poll()
            rows = input_ids.shape[0]
            return torch.zeros(rows, dtype=torch.bool, device=input_ids.device)

    return StoppingCriteriaList([Left()])
