"""The prefixes of a beam, each known by its parent: one object stands for one label sequence."""

from __future__ import annotations

from mynah.models.fusion.scorer import Scorer, State


class Prefix:
    """Labels said so far, as the last one and what came before.

    Attributes:
        before: The prefix without its last label; None for that of no label.
        label: The last label.
        state: Where it is in the scorer; None without one.
        worth: What the scorer gave for all its labels, in nats.
        children: The prefixes that were asked for with one label more.
    """

    __slots__ = ("before", "children", "label", "state", "worth")

    def __init__(
        self, before: Prefix | None, label: int, state: State | None, worth: float
    ) -> None:
        self.before = before
        self.label = label
        self.state = state
        self.worth = worth
        self.children: dict[int, Prefix] = {}

    def child(self, label: int, scorer: Scorer | None, worth_beside: float = 0.0) -> Prefix:
        """The prefix with one label more; ``worth_beside`` is what that is worth beside the scorer,
        in nats."""
        found = self.children.get(label)
        if found is None:
            state, worth = None, 0.0
            if scorer is not None:
                assert self.state is not None
                state, worth = scorer.step(self.state, label)
            found = Prefix(self, label, state, self.worth + worth + worth_beside)
            self.children[label] = found
        return found

    def labels(self) -> list[int]:
        prefix: Prefix | None = self
        found: list[int] = []
        while prefix is not None and prefix.before is not None:
            found.append(prefix.label)
            prefix = prefix.before
        return found[::-1]
