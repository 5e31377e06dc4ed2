"""Which family a name, a checkpoint or a pretrained recognizer is of."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from mynah import console
from mynah.config.plugins.families import AUTO_FAMILY, FAMILIES
from mynah.errors import UserError
from mynah.models.audio_llm.registry import ARCHITECTURES
from mynah.models.family import Family
from mynah.models.pretrained import hub, hub_errors
from mynah.models.pretrained.part import PretrainedPart


def class_of(name: str) -> type[Family]:
    """The family of a name.

    Raises:
        UserError: It is a plug-in's that cannot be imported or breaks its contract.
    """
    found: type[Family] = FAMILIES.get(name)
    with FAMILIES.blame(name):
        if found.name != name:
            raise TypeError(f"its name is {found.name!r}, and that of its entry point {name!r}")
    return found


def family_of(part: PretrainedPart, *, asked: str = AUTO_FAMILY) -> type[Family]:
    """The family of one complete pretrained recognizer, or of a checkpoint.

    Args:
        part: The recognizer.
        asked: ``model.family``: it is asked first, where it names a family.

    Raises:
        UserError: Its architecture is none that can be trained.
    """
    from transformers import CONFIG_MAPPING

    kind = hub.model_type(part)
    found = _taking(kind, asked)
    _say_what_is_not_used(kind, None if found is None else found.name)
    if found is not None:
        with FAMILIES.blame(found.name):
            found.register(kind)
        return found
    if kind not in CONFIG_MAPPING and (brought := hub.own_code(part)):
        return _family_of_code(part, brought)
    raise _no_family(part, kind)


def _taking(kind: str, asked: str = AUTO_FAMILY) -> type[Family] | None:
    """The first family that takes an architecture: the one asked for, Mynah's own, plug-ins'."""
    order = FAMILIES.names if asked == AUTO_FAMILY else (asked, *FAMILIES.names)
    for name in order:
        try:
            found = class_of(name)
            with FAMILIES.blame(name):
                if kind in found.model_types():
                    return found
        except UserError as problem:
            if name == asked:
                raise
            _say_broken(problem.what)
    return None


@functools.cache
def _say_broken(what: str) -> None:
    """Say once that a plug-in which nobody asked for does not work."""
    console.notice(f"{what} It is left out.")


@functools.cache
def say_provisional(name: str) -> None:
    """Say once that a family is a plug-in's."""
    if (plugin := FAMILIES.plugin(name)) is not None:
        console.notice(
            f"The family {name} is of the package {plugin.distribution}. Families from outside are "
            "provisional: what Mynah asks of them may change with any version."
        )
    for text in FAMILIES.notices(name):
        console.notice(text)


def _no_family(part: PretrainedPart, kind: str) -> UserError:
    """Of an architecture that no family takes."""
    families = [class_of(name) for name in FAMILIES.own]
    refused = {one: why for family in families for one, why in family.refused().items()}
    if kind in refused:
        return UserError(
            f"{part.name} is a {kind}, which cannot be trained here: {refused[kind]}.",
            where=part.setting,
            fix="Use another model, as openai/whisper-small.",
        )
    if is_language_model(kind):
        return UserError(
            f"{part.name} is a language model ({kind}), and no recognizer.",
            where=part.setting,
            fix=f"model.encoder_model_name=openai/whisper-small "
            f"model.decoder_model_name={part.name} model.pretrained=null",
        )
    known = {one for family in families for one in family.model_types()}
    return UserError(
        f"{part.name} is a {kind}, and no recognizer that can be trained here.",
        where=part.setting,
        fix=f"Supported are {', '.join(sorted(known - {'mynah_speech_llm'}))}"
        "; and a speech encoder with a language model, by model.encoder_model_name and "
        "model.decoder_model_name.",
    )


@functools.cache
def _say_what_is_not_used(kind: str, family: str | None) -> None:
    """Say once that an audio LLM of a plug-in has a name which is taken already."""
    for text in ARCHITECTURES.notices(kind):
        console.notice(text)
    plugin = ARCHITECTURES.plugin(kind)
    if plugin is not None and family != "audio_llm":
        console.notice(
            f"The audio LLM {kind} of {plugin.distribution} is not used: Mynah trains such a "
            f"model as a {family}."
        )


def _family_of_code(part: PretrainedPart, brought: Iterable[str]) -> type[Family]:
    """The family of a recognizer of an architecture that comes as code with its weights.

    Raises:
        UserError: The code may not be run, or none of its classes is a recognizer's.
    """
    if not part.trust_remote_code:
        raise hub_errors.brings_code(part)
    families = [class_of(name) for name in FAMILIES.own]
    for family in families:
        if not set(family.auto_classes).isdisjoint(brought):
            return family
    raise UserError(
        f"The code that {part.name} brings along has no class of a recognizer.",
        where=part.setting,
        fix="Its config.json would name one in auto_map, as "
        + ", ".join(one for family in families for one in family.auto_classes),
    )


def is_language_model(kind: str) -> bool:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
