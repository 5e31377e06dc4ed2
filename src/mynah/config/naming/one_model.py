"""Who names another model than ``model=default`` does takes none of that one's own settings.

LoRA, window, tail and learning rate of the default are for its weights alone; beside another's
name they would train what nobody asked for. Of a group that was chosen all is taken, whatever is
typed over it: ``model=whisper_small model.pretrained=openai/whisper-small.en`` is that preset.
"""

from __future__ import annotations

from collections.abc import Mapping

from mynah.config.origins import SCHEMA, Origin
from mynah.config.schema import Config, Nature
from mynah.config.settings import all_settings, names, value_of

_DEFAULT_GROUP = "model/default.yaml"
_FAMILY, _ARCHITECTURE = "model.family", "model.architecture"  # the latter is of scratch alone


def of_default_model(config: Config, origins: Mapping[str, Origin]) -> dict[str, Origin]:
    """The settings of ``model=default`` that are not taken, another model being named above it.

    Args:
        config: The settings as composed.
        origins: The layer that set each of them.
    """
    if not any(_names_another(name, config, origins) for name in _naming()):
        return {}
    return {
        name: origin
        for name, origin in origins.items()
        if name in all_settings() and _is_of_default(origin)
    }


def _naming() -> tuple[str, ...]:
    return (*names(Nature.NAME, "model"), _FAMILY, _ARCHITECTURE)


def _names_another(name: str, config: Config, origins: Mapping[str, Origin]) -> bool:
    origin = origins.get(name, SCHEMA)
    if not origin.asked or _is_of_default(origin.first):
        return False
    value = value_of(config, name)
    return value != "auto" if name == _FAMILY else value is not None or name == "model.pretrained"


def _is_of_default(origin: Origin) -> bool:
    return origin.layer == "group" and origin.detail.partition(":")[0] == _DEFAULT_GROUP
