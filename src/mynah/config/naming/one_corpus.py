"""Who names a corpus names all of it: what a lower layer says of another one is not taken.

Splits, columns, format and the like describe one corpus, and beside another's name they would
measure what nobody asked for. A layer here is a group, an experiment, the command line, or the
settings that a checkpoint holds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from mynah.config.origins import SCHEMA, Origin
from mynah.config.schema import Config, DataConfig, Nature
from mynah.config.settings import all_settings, leaves, names, value_of, with_value

# What is measured on where a corpus is named and none of its splits: the one that it has for that.
OWN_SPLIT = "auto"
_NAME, _PATH = "data.dataset_name", "data.path"


def of_other_corpora(config: Config, origins: Mapping[str, Origin]) -> dict[str, Origin]:
    """The settings that are said of another corpus than the one named above them, by name.

    ``data.dataset_name`` names a corpus; ``data.path`` says where it lies, but over `synthetic`,
    which lies nowhere, it names one too. A layer that says the name of the one below it again
    names nothing else.

    Args:
        config: The settings as composed.
        origins: The layer that set each of them.
    """
    naming = _height(origins.get(_NAME, SCHEMA).first)
    if config.data.path is not None and config.data.dataset_name == "synthetic":
        naming = max(naming, _height(origins.get(_PATH, SCHEMA).first))
    return {
        name: origins[name]
        for name in names(Nature.CORPUS, "data")
        if 0 < _height(origins.get(name, SCHEMA)) < naming
        and name != _NAME
        and value_of(config, name) != all_settings()[name].default
    }


def with_defaults(config: Config, origins: Mapping[str, Origin]) -> Config:
    """The settings with defaults in place of what is said of another corpus or model.

    Args:
        config: The settings as composed.
        origins: Where ``instead_of`` stands, the default is taken.
    """
    for name, origin in origins.items():
        if origin.instead_of:
            config = with_value(config, name, all_settings()[name].default)
    return config


def defaults_of(others: Mapping[str, Origin], noun: str = "corpus") -> dict[str, Origin]:
    """The origins of settings whose default is taken in place of another corpus's value.

    Args:
        others: Where each value that is not taken was set.
        noun: What that is said of, ``corpus`` or ``model``.
    """
    return {
        name: Origin(
            "schema",
            f"schema default: {origin.detail} is said of another {noun}",
            instead_of=origin,
        )
        for name, origin in others.items()
    }


def named_languages(config: Config) -> dict[str, str]:
    """The languages that settings name, of the model and of what it is tuned on, by setting."""
    named = {"model.language": config.model.language, "data.language": config.data.language}
    named |= {
        f"data.mixture.{name}.language": entry.get("language")
        for name, entry in config.data.mixture.items()
        if isinstance(entry, Mapping)
    }
    return {setting: language for setting, language in named.items() if language}


def corpus_notice(origins: Mapping[str, Origin]) -> str | None:
    """What a person should know of settings that are not taken, in a sentence; None: nothing.

    What a group says that nobody chose, the default corpus's own, goes without saying.
    """
    reset = {
        name: origin.instead_of.detail
        for name, origin in origins.items()
        if name.startswith("data.") and origin.instead_of and origin.instead_of.typed
    }
    if not reset:
        return None
    places = ", ".join(dict.fromkeys(place.partition(":")[0] for place in reset.values()))
    return (
        f"{', '.join(reset)} of {places} {'is' if len(reset) == 1 else 'are'} said of another "
        "corpus: the defaults are taken."
    )


def beside_checkpoint(
    merged: DataConfig,
    saved: DataConfig,
    composed: DataConfig,
    typed: Callable[[str], bool],
) -> DataConfig:
    """The settings to measure on, where the corpus may be the checkpoint's or a typed one.

    Args:
        merged: The checkpoint's settings of data, with those that were typed in their place.
        saved: The checkpoint's own.
        composed: The settings as composed.
        typed: Whether a setting was typed, by its dotted name.
    """
    named = any(
        typed(f"data.{leaf}") and getattr(composed, leaf) != getattr(saved, leaf)
        for leaf in ("dataset_name", "path", "mixture")
    )
    if not named:
        return merged
    fresh = DataConfig(eval_splits=[OWN_SPLIT])
    # How a training reads its corpus, and how much of it it measures, is of that corpus alone.
    own = (*leaves(Nature.CORPUS, "data"), *leaves(Nature.MEASURED, "data"), "streaming")
    corpus = {leaf: getattr(composed if typed(f"data.{leaf}") else fresh, leaf) for leaf in own}
    return dataclasses.replace(merged, **corpus)


def _height(origin: Origin) -> int:
    """How far above the schema a layer is; a group and the experiment that chose it are one."""
    if origin.layer == "group":
        return 2 if origin.chosen else 1
    return {"schema": 0, "experiment": 2, "command line": 3}[origin.layer]
