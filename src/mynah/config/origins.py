"""Which layer set a value: the schema, a group's file, an experiment, the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Layer = Literal["schema", "group", "experiment", "command line"]


@dataclass(frozen=True)
class Origin:
    """Where a value comes from.

    Attributes:
        layer: The layer that set it.
        detail: File and line (``training/mac.yaml:12``), or the argument as typed.
        chosen: For a group's file: whether the group was chosen on the command line or by
            an experiment, rather than by config.yaml.
        place: File and line as a person would type it; empty on the command line.
        instead_of: What set a value that is not taken, the default being taken instead: it is
            said of another corpus or model.
        same_as: The lower layer that set the same value, where one did.
    """

    layer: Layer
    detail: str = ""
    chosen: bool = False
    place: str = ""
    instead_of: Origin | None = None
    same_as: Origin | None = None

    @property
    def first(self) -> Origin:
        """The lowest layer that set this value."""
        return self if self.same_as is None else self.same_as.first

    @property
    def asked(self) -> bool:
        """Whether a person asked for it by its own name, here or in an experiment."""
        return self.layer in ("experiment", "command line")

    @property
    def typed(self) -> bool:
        """Whether a person asked for it: it is more than a default of Mynah's."""
        return self.asked or self.chosen


SCHEMA = Origin("schema", "schema default")
