"""What `eval_checkpoint` names, found: a checkpoint of ours, or a recognizer as it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mynah import console
from mynah.checkpoints import find
from mynah.config.checkpointed import (
    asked_decoding,
    check_corpus_is_named,
    checkpoint_config,
    plain_config,
)
from mynah.config.naming.n_best import refusal
from mynah.config.schema import Config
from mynah.data.preparation.own_split import check_measures
from mynah.errors import UserError
from mynah.files import read_json

if TYPE_CHECKING:
    from mynah.config.origins import Origin
    from mynah.models.family import Family
    from mynah.models.registry import CheckedModel

_SETTING = "eval_checkpoint"


@dataclass(frozen=True)
class MeasuredModel:
    """A model to measure, looked at and not loaded yet.

    Attributes:
        place: The checkpoint's directory; the folder or the hub's name of a recognizer as it is.
        config: What to measure it with.
        plain: The recognizer as it is; None of a checkpoint.
        names_language_model: Whether ``model.language_model`` was typed, and not a checkpoint's.
        asked: Settings of decoding that were asked for.
    """

    place: Path
    config: Config
    plain: CheckedModel | None = None
    names_language_model: bool = False
    asked: frozenset[str] = frozenset()

    def load(self) -> Family:
        """The model on its device, decoding as the settings say.

        Raises:
            UserError: It cannot be loaded.
        """
        from mynah.models.recognizer import as_recorded, hold_asked

        if self.plain is None:
            family = loaded(self.place, self.config, changed_words=self.names_language_model)
        else:
            family = self.plain.build([])
            model = as_recorded(family, self.config.model, self.asked)
            on_device(family, dataclasses.replace(self.config, model=model))
        hold_asked(family, self.config.model, self.asked)
        return family


def measured_model(
    config: Config, origins: Mapping[str, Origin], working_directory: Path
) -> MeasuredModel:
    """The model that ``eval_checkpoint`` names, intact and with all that it builds on.

    Args:
        config: The settings as composed, paths absolute.
        origins: The layer that set each of them.
        working_directory: Where the command was typed.

    Raises:
        UserError: There is none, it is damaged, a setting does not fit it, or nothing is measured.
    """
    assert config.eval_checkpoint is not None
    checkpoint, plain = find.checkpoint_or_plain(
        config.eval_checkpoint, working_directory, setting=_SETTING
    )
    if checkpoint is None:
        settings = plain_config(plain, config, origins)
        check_measures(settings.data)
        console.say(f"Evaluating {plain} as it is")
        asked = asked_decoding(origins)
        return MeasuredModel(Path(plain), settings, _checked(settings), asked=asked)

    from mynah.checkpoints.commit import verify

    verify(checkpoint)
    measured_with = checkpoint_config(checkpoint, config, origins)
    check_corpus_is_named(measured_with.config.data, origins)
    check_measures(measured_with.config.data)
    family = str(read_json(checkpoint / "mynah.json").get("family", ""))
    if no := refusal(family, measured_with.config.evaluation.n_best):
        raise no
    for text in measured_with.notices:
        console.notice(text)
    console.say(f"Evaluating {checkpoint}")

    from mynah.models import registry

    registry.check_checkpoint(checkpoint, offline=config.offline)
    return MeasuredModel(
        checkpoint,
        measured_with.config,
        names_language_model=measured_with.names_language_model,
        asked=asked_decoding(origins),
    )


def loaded(checkpoint: Path, config: Config, *, changed_words: bool = False) -> Family:
    """A checkpoint's model on its device, decoding as the settings say.

    Args:
        checkpoint: Its directory.
        config: The settings.
        changed_words: Read a file of n-grams again that has changed since the training.
    """
    from mynah.models import registry
    from mynah.models.recognizer import read_changed_words

    family = registry.load_family(
        checkpoint, offline=config.offline, attention=config.model.attn_implementation
    )
    if changed_words:
        read_changed_words(family)
    return on_device(family, config)


def on_device(family: Family, config: Config) -> Family:
    """A model on its device, decoding as the settings say."""
    from mynah.machine import device_for, use_threads

    use_threads(config)
    family.configure_decoding(config.model)
    family.model.to(device_for(config))
    return family


def _checked(config: Config) -> CheckedModel:
    """A recognizer as it is, its small files looked at.

    Raises:
        UserError: It cannot be had, or is not a recognizer.
    """
    from mynah.models import registry

    try:
        checked = registry.check_model(
            config.model, sample_rate=config.data.sample_rate, offline=config.offline
        )
    except UserError as problem:
        if problem.where == "model.pretrained":
            problem.where = _SETTING
        raise
    registry.check_recognizes(checked.family, checked.parts["pretrained"], setting=_SETTING)
    return checked
