"""How a pretrained model is used, recorded in its checkpoint's configuration."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Self

_RECORD = "mynah"  # the key of config.json that it is kept under


@dataclass(frozen=True)
class RecordedUsage:
    """Base of a family's own record; every field has the default of untuned weights."""

    @classmethod
    def of(cls, config: Any) -> Self:
        """What a model's configuration records, or the defaults of untuned weights."""
        held = getattr(config, _RECORD, None) or {}
        return cls(**{one.name: held[one.name] for one in fields(cls) if one.name in held})

    def record(self, model: Any) -> None:
        """Write it into a model's configuration."""
        setattr(model.config, _RECORD, asdict(self))
