"""The attention kernels that a model has, and whether the one asked for is among them."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from mynah.errors import UserError

if TYPE_CHECKING:
    from mynah.models.pretrained.part import PretrainedPart

_FLASH = ("flash_attention_2", "flash_attention_3", "flash_attention_4")
_PACKAGES = {
    "flash_attention_2": "flash_attn",
    "flash_attention_3": "flash_attn_3",
    "flash_attention_4": "flash_attn.cute",
}


def supported(model_class: Any) -> list[str]:
    """Names of the attention kernels that a model's class has."""
    names = ["eager"]
    if getattr(model_class, "_supports_sdpa", False):
        names.append("sdpa")
    if getattr(model_class, "_supports_flash_attn", False):
        names += _FLASH
    if getattr(model_class, "_supports_flex_attn", False):
        names.append("flex_attention")
    return names


def check_attention(kind: Any, part: PretrainedPart, config: Any = None) -> None:
    """Raise where a model cannot run with ``part.attention``.

    Args:
        kind: The model's class, or an auto class that finds it.
        part: Where the model is, and what is asked for; null asks for nothing.
        config: Its configuration, or None for the one beside the weights.

    Raises:
        UserError: The model's class has no such kernel, or its package is missing.
    """
    asked = part.attention
    if asked is None or "/" in asked:  # a kernel of the hub's, by its name
        return
    names = supported(model_class(kind, part, config))
    if asked not in names:
        raise UserError(
            f"{part.name} has no attention called {asked!r}.",
            where=f"model.attn_implementation={asked}",
            fix=f"model.attn_implementation={names[-1 if len(names) < 3 else 1]}  "
            f"(it has: {', '.join(names)})",
        )
    package = _PACKAGES.get(asked)
    if package and importlib.util.find_spec(package.partition(".")[0]) is None:
        raise UserError(
            f"{asked} needs the package {package.partition('.')[0]}, which is not installed.",
            where=f"model.attn_implementation={asked}",
            fix="model.attn_implementation=sdpa" if "sdpa" in names else "leave it out",
        )


def model_class(kind: Any, part: PretrainedPart, config: Any = None) -> Any:
    """The class of transformers that an auto class would make of a part."""
    if not hasattr(kind, "_model_mapping"):
        return kind
    from mynah.models.pretrained import hub

    written = hub.load_config(part) if config is None else config
    try:
        found = kind._model_mapping[type(written)]
    except KeyError:  # of code that comes with the model
        return kind
    return found[0] if isinstance(found, tuple) else found
