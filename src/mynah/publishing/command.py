"""The command of a training as everybody may read it: what is private in it is ``…``.

Which settings name what is private, their natures say (:mod:`mynah.config.schema.nature`): a name
without a slash is as private as a place.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import yaml

from mynah.config.hydra.config_files import ConfigFiles
from mynah.config.hydra.search_path import shipped_configs
from mynah.config.schema import Nature
from mynah.config.schema.nature import DECIDES
from mynah.config.settings import Setting, find, is_list_of_texts, without_none
from mynah.data.recipes import RECIPES
from mynah.publishing.corpora import SYNTHETIC, is_public_name

_MIXTURE = "data.mixture"
# What takes a name or a place too, though its nature does not say it, and its own words.
_OWN_WORDS = {
    "data.replay_from": ("general",),
    "evaluation.guard": ("general",),
    "model.language_model": ("none", "words"),
}
_HIDDEN = "_hidden_"  # what a shell need not quote, until it is shown as …


def public_command(run: Path, used: Mapping[str, object], *, private_corpus: bool) -> str | None:
    """What was typed to train, without what is private.

    Args:
        run: The run's directory.
        used: What settings that are names came to, by dotted name: of a folder its full path.
        private_corpus: Whether the corpus is one that nobody can look up.

    Returns:
        The command; None: what was typed is not known.
    """
    try:
        typed = yaml.safe_load((run / ".hydra" / "overrides.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None
    words = []
    for text in map(str, typed if isinstance(typed, list) else []):
        plain = text.lstrip("+~")
        name, equals, value = plain.partition("=")
        if name.startswith("hydra"):
            continue
        if name == _MIXTURE or name.startswith(f"{_MIXTURE}."):
            words.append(f"{_MIXTURE}={_HIDDEN}")  # its corpora are keys
            continue
        hidden = _is_private(name, value, used) or (name == "data.dataset_name" and private_corpus)
        sign = text.removesuffix(plain)
        words.append(f"{sign}{name}{equals}{_HIDDEN if hidden else value}")
    return shlex.join(["mynah", "train", *dict.fromkeys(words)]).replace(_HIDDEN, "…")


def _is_private(name: str, value: str, used: Mapping[str, object]) -> bool:
    found = find(name)
    if found is None:
        return not _is_shipped(name, value)
    if value in ("", "null"):
        return False
    if name in _OWN_WORDS:
        return not all(
            part in _OWN_WORDS[name] or _is_public(part.partition(":")[0])
            for part in _parts(value, ",")
        )
    if Nature.PATH in found.nature or _says_nothing_of_the_model(found):
        return True
    if Nature.NAME in found.nature:
        return not all(_is_public(str(one)) for one in (used.get(name, value), *_parts(value, ",")))
    return any(map(_is_place, _parts(value, ",:")))


def _is_shipped(group: str, value: str) -> bool:
    """Whether options of a group come with Mynah; those of one's own have private names."""
    shipped = ConfigFiles([shipped_configs()])
    return group in shipped.groups() and set(_parts(value, ",")) <= set(shipped.options(group))


def _is_public(name: str) -> bool:
    """Whether a name of a corpus or model is one that everybody can look up."""
    return name in (SYNTHETIC, *RECIPES.names) or is_public_name(name)


def _says_nothing_of_the_model(setting: Setting) -> bool:
    """Whether it is any text of how and where was run, as a run's name or a project's."""
    is_text = without_none(setting.type) is str or is_list_of_texts(setting)
    only = setting.nature & DECIDES in (Nature.RUN, Nature.IDLE)
    return only and is_text and setting.choices is None


def _parts(value: str, separators: str) -> list[str]:
    """The single values of a list or mapping, without their quotes."""
    parts = re.split(rf"[\[\]{{}}{separators}]", value)
    return [plain for part in parts if (plain := part.strip("'\" "))]


def _is_place(part: str) -> bool:
    """Whether a value is a place on this machine."""
    if part.startswith("."):
        return re.match(r"\.\d+(e[-+]?\d+)?$", part, re.IGNORECASE) is None
    return part.startswith(("/", "~")) or ("/" in part and not is_public_name(part))
