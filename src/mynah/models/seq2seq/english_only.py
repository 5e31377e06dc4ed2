"""Whispers that know English alone: another language is refused, with a model that knows it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from mynah.errors import UserError
from mynah.models.pretrained import hub
from mynah.models.pretrained.part import PretrainedPart

FIRST_MULTILINGUAL = 51865  # tokens; openai/whisper/model.py, is_multilingual
_SIZE = re.compile(r"whisper-(tiny|base|small|medium)")  # of OpenAI's, which are there twice
_ENGLISH = frozenset({"en", "eng", "english"})


def is_english_only(language: str) -> bool:
    """Whether a language, as people write it, is English: en, en-US, EN, English."""
    name = language.strip().lower().replace("_", "-")
    return name.partition("-")[0] in _ENGLISH


def check_named_languages(part: PretrainedPart, named: Mapping[str, str]) -> None:
    """Raise where settings name a language that a Whisper does not know, by its small files alone.

    Args:
        part: The model.
        named: Languages by the setting that names them.

    Raises:
        UserError: It knows English alone, and one is another.
    """
    others = {setting: one for setting, one in named.items() if not is_english_only(one)}
    if others and _knows_english_alone(part):
        setting, language = next(iter(others.items()))
        raise knows_english_alone(part.name, language, where=f"{setting}={language}")


def knows_english_alone(name: str, language: str, *, where: str) -> UserError:
    """The error that names a model which knows more.

    Args:
        name: The model's name, or the folder it is in.
        language: What it does not know.
        where: What asks for it.
    """
    size = _SIZE.search(name)
    several = f"openai/whisper-{size[1] if size else 'tiny'}"
    return UserError(
        f"{name} is a Whisper that knows English alone, and not {language!r}.",
        where=where,
        fix=f"model.pretrained={several} model.language={language}, which knows 99 languages",
    )


def _knows_english_alone(part: PretrainedPart) -> bool:
    generation = _json(hub.fetch(part, "generation_config.json"))
    said = generation.get("is_multilingual")
    if isinstance(said, bool):
        return not said
    vocabulary = _json(hub.fetch(part, "config.json")).get("vocab_size")
    return isinstance(vocabulary, int) and vocabulary < FIRST_MULTILINGUAL


def _json(path: Path | None) -> dict[str, object]:
    if path is None:
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
