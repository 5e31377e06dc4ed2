"""How a pretrained model is used, recorded in its checkpoint's configuration."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Self

_RECORD = "mynah"  # the key of config.json that it is kept under
# What transformers reads when it samples, and when it searches with several beams; each is None
# where it is not set (GenerationConfig of transformers).
_OF_SAMPLING = (
    "temperature", "top_k", "top_p", "min_p", "typical_p", "top_h", "epsilon_cutoff", "eta_cutoff",
)  # fmt: skip
_OF_BEAMS = ("early_stopping", "length_penalty")


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


def record_generation(settings: Any, *, beams: int, most_new_tokens: int | None) -> None:
    """Write into a generation config how a model was decoded when it was measured.

    Nothing of it is left to defaults: transformers' recognition pipeline searches with five beams
    where a model does not say how many.

    Args:
        settings: A ``GenerationConfig``, changed in place.
        beams: Hypotheses that are kept at each step; 1: greedy.
        most_new_tokens: Most tokens of a transcript, or None where ``max_length`` says it.
    """
    settings.do_sample = False
    settings.num_beams = beams
    settings.max_new_tokens = most_new_tokens
    for name in _OF_SAMPLING if beams > 1 else _OF_SAMPLING + _OF_BEAMS:
        if hasattr(settings, name):
            setattr(settings, name, None)
    # Otherwise it is made from the model's configuration again when it is loaded.
    settings._from_model_config = False
