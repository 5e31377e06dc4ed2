"""Whether a feature extractor makes what the model beside it is built for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mynah.errors import UserError

if TYPE_CHECKING:
    from mynah.models.pretrained.part import PretrainedPart

# What is compared: as a person calls it, as configurations and as extractors do.
_SIZES = (
    ("Hz", ("sampling_rate", "sample_rate"), "sampling_rate"),
    ("mel bins", ("num_mel_bins",), "feature_size"),
)


def check_fit(extractor: Any, config: Any, part: PretrainedPart) -> None:
    """Raise where the model is built for another rate, or for other features.

    Args:
        extractor: The part's feature extractor.
        config: The part's configuration, of a recognizer or of an encoder.
        part: The part, for messages.

    Raises:
        UserError: They do not fit.
    """
    configs = (config, getattr(config, "encoder_config", None))
    for unit, names, name in _SIZES:
        built_for = next(
            (found for owner in configs for one in names if (found := getattr(owner, one, None))),
            None,
        )
        made = getattr(extractor, name, None)
        if built_for is None or made is None:
            continue
        stacks = name == "feature_size" and made % built_for == 0  # as Granite's: frames in one
        if built_for != made and not stacks:
            raise UserError(
                f"{part.name} is built for {built_for} {unit}, and its feature extractor makes "
                f"{made} {unit}.",
                where=part.setting,
                fix="Put the preprocessor_config.json beside it that it was published with.",
            )
