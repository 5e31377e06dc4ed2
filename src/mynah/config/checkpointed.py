"""The settings a checkpoint is measured with: its own, but for what was typed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah.config.naming import one_corpus
from mynah.config.naming.language_model import is_file
from mynah.config.recorded import read_recorded
from mynah.config.schema import Config, DataConfig, ModelConfig, Nature
from mynah.config.settings import entry_names, leaves, names, value_of, with_value
from mynah.errors import UserError
from mynah.storage.address import is_address, masked

if TYPE_CHECKING:
    from mynah.config.origins import Origin

CONFIG_FILE = "config.yaml"
# What weights are and how they are used, beside decoding, where no checkpoint says it.
_OF_WEIGHTS = frozenset(
    {"audio_window", "audio_tail_seconds", "revision", "timestamps", "trust_remote_code"}
)


def runtime_settings() -> frozenset[str]:
    """How a model is run and decoded, not what it is: these may differ from the checkpoint's."""
    return frozenset(leaves(Nature.RUN, "model") + leaves(Nature.DECODING, "model"))


def with_absolute_paths(config: Config, working_directory: Path) -> Config:
    """The settings with every relative path meant from where the command was typed.

    What is written to a run or a checkpoint then means the same from anywhere.
    """
    paths = names(Nature.PATH)
    for name in (*paths, *names(Nature.NAME)):
        value = value_of(config, name)
        # A list of folders stays as it was typed: `last` knows the runs there are by it.
        if not isinstance(value, str) or is_address(value):
            continue
        path = working_directory / Path(value).expanduser()
        if name in paths or path.is_dir():
            config = with_value(config, name, str(path.resolve()))
    if is_file(config.model.language_model):
        place = working_directory / Path(config.model.language_model).expanduser()
        config = with_value(config, "model.language_model", str(place.resolve()))
    mixture = _absolute_mixture(config.data.mixture, working_directory)
    absolute: Config = with_value(config, "data.mixture", mixture)
    return absolute


def _absolute_mixture(mixture: dict[str, Any], working_directory: Path) -> dict[str, Any]:
    """The corpora of a mixture with every relative folder meant from the directory."""
    absolute = {}
    for name, entry in mixture.items():
        changed = dict(entry) if isinstance(entry, dict) else dataclasses.asdict(entry)
        paths = entry_names("data.mixture", Nature.PATH)
        for leaf in (*paths, *entry_names("data.mixture", Nature.NAME)):
            if changed.get(leaf):
                path = working_directory / Path(changed[leaf]).expanduser()
                if leaf in paths or path.is_dir():
                    changed[leaf] = str(path.resolve())
        absolute[name] = changed
    return absolute


@dataclass(frozen=True)
class MeasuringSettings:
    """What a checkpoint is measured with.

    Attributes:
        config: The settings.
        notices: What a person should know of settings that are not taken, a sentence each.
        names_language_model: Whether ``model.language_model`` was typed: a file that only the
            checkpoint names is not read, its n-grams are in the checkpoint.
    """

    config: Config
    notices: list[str]
    names_language_model: bool = False


def checkpoint_config(
    checkpoint: Path, config: Config, origins: Mapping[str, Origin]
) -> MeasuringSettings:
    """The settings to measure a checkpoint with.

    Args:
        checkpoint: A complete checkpoint's directory.
        config: The settings as composed, paths absolute.
        origins: The layer that set each of them.

    Returns:
        The model as the checkpoint says, whatever groups and experiments say of it; data and
        evaluation as the checkpoint says too, but for the settings that were typed on the
        command line or by an experiment, and a corpus of which all is typed or nothing; the
        rest as composed.

    Raises:
        UserError: A model setting that was typed by itself contradicts the checkpoint, or the
            checkpoint holds no settings.
    """
    saved_file = checkpoint / CONFIG_FILE
    if not saved_file.is_file():
        raise UserError(
            "The checkpoint does not hold the settings it was made with.",
            where=str(saved_file),
            fix="evaluate a checkpoint that a training run of Mynah wrote",
        )
    saved = read_recorded(saved_file)
    notices = _contradictions(checkpoint, saved, config, origins)
    model = _with_typed(saved.model, config.model, "model", origins, decoding=True)
    data = _with_typed(saved.data, config.data, "data", origins)
    data = one_corpus.beside_checkpoint(
        data, saved.data, config.data, lambda name: _is_typed(name, origins)
    )
    data = _without_the_writer_s_table(data, saved.data, notices, origins)
    # Where the writer of a checkpoint keeps a cache, or how many processes he has, is his alone.
    here = {leaf: getattr(config.data, leaf) for leaf in leaves(Nature.RUN, "data")}
    measured = dataclasses.replace(
        config,
        model=model,
        data=dataclasses.replace(data, sample_rate=saved.data.sample_rate, **here),
        evaluation=_with_typed(saved.evaluation, config.evaluation, "evaluation", origins),
    )
    return MeasuringSettings(measured, notices, _decodes("model.language_model", origins))


def check_corpus_is_named(data: DataConfig, origins: Mapping[str, Origin]) -> None:
    """Contact no address that only a checkpoint names: it may be anybody's.

    Args:
        data: What is measured on.
        origins: The layer that set each setting.

    Raises:
        UserError: The corpus lies at an address that was not typed.
    """
    typed = _is_typed("data.dataset_name", origins) or _is_typed("data.path", origins)
    given = data.path or data.dataset_name
    if is_address(given) and not typed:
        raise UserError(
            "The checkpoint was trained on a corpus in storage, which is asked only where it is "
            "named.",
            where=f"data.dataset_name={masked(given)}",
            fix=f"add data.dataset_name={masked(given)}, or name another corpus",
        )


def plain_config(name: str, config: Config, origins: Mapping[str, Origin]) -> Config:
    """The settings to measure a recognizer with that is not a checkpoint of ours.

    Args:
        name: A hub name or a folder.
        config: The settings as composed, paths absolute.
        origins: The layer that set each of them.

    Returns:
        The model as it is, but for how it is run and decoded; of a corpus that is typed the test
        split, or what it has for that; the rest as composed.

    Raises:
        UserError: A setting of training was typed, or one under which an untuned Whisper repeats
            itself.
    """
    data = one_corpus.beside_checkpoint(
        config.data, DataConfig(), config.data, lambda setting: _is_typed(setting, origins)
    )
    return dataclasses.replace(config, model=plain_model(name, config.model, origins), data=data)


def plain_model(name: str, composed: ModelConfig, origins: Mapping[str, Origin]) -> ModelConfig:
    """A recognizer as it is that is not a checkpoint of ours, but for how it is run and decoded.

    Args:
        name: A hub name or a folder.
        composed: Settings of the model as composed.
        origins: The layer that set each of them.

    Raises:
        UserError: As :func:`plain_config`.
    """
    asked = {
        setting.removeprefix("model."): value
        for setting, _, value in _leaves("model", ModelConfig(), composed)
        if setting in origins and origins[setting].layer == "command line"
    }
    wrong = [leaf for leaf in asked if leaf not in runtime_settings() | _OF_WEIGHTS]
    if wrong:
        raise UserError(
            f"{name} is used as it is, and model.{wrong[0]} is a setting of training.",
            where=f"command line: {origins[f'model.{wrong[0]}'].detail}",
            fix=f"leave model.{wrong[0]} out",
        )
    if asked.get("audio_window") == "clip" and not asked.get("audio_tail_seconds"):
        raise UserError(
            "A Whisper that was not trained on clips as short as they are repeats itself on them.",
            where="model.audio_window=clip",
            fix="leave it out, or add model.audio_tail_seconds=5",
        )
    model = with_decoding(ModelConfig(pretrained=name), composed, origins)
    return dataclasses.replace(
        model, **{leaf: value for leaf, value in asked.items() if leaf in _OF_WEIGHTS}
    )


def of_weights(model: ModelConfig) -> bool:
    """Whether anything is set that a model of transformers is built with, its name aside."""
    as_it_is = ModelConfig()
    return any(getattr(model, leaf) != getattr(as_it_is, leaf) for leaf in _OF_WEIGHTS)


def _without_the_writer_s_table(
    data: DataConfig, saved: DataConfig, notices: list[str], origins: Mapping[str, Origin]
) -> DataConfig:
    """The data without a file that a checkpoint names: its path may lead to any file here."""
    file = saved.text_substitutions_file
    if not file or _is_typed("data.text_substitutions_file", origins):
        return data
    notices.append(
        f"The table of substitutions {file} belongs to the checkpoint's writer and is not read; "
        "data.text_substitutions_file=FILE names one of yours."
    )
    return dataclasses.replace(data, text_substitutions_file=None)


def with_decoding(
    saved: ModelConfig, composed: ModelConfig, origins: Mapping[str, Origin]
) -> ModelConfig:
    """A model's own settings with those of decoding that were asked for by their own names."""
    made: ModelConfig = _with_typed(saved, composed, "model", origins, decoding=True)
    return made


def _is_typed(name: str, origins: Mapping[str, Origin]) -> bool:
    return name in origins and origins[name].typed


def _decodes(name: str, origins: Mapping[str, Origin]) -> bool:
    """Whether a setting of the model is of decoding, and asked for by its own name: a group says
    it of its own model."""
    return name.rpartition(".")[2] in runtime_settings() and name in origins and origins[name].asked


def asked_decoding(origins: Mapping[str, Origin]) -> frozenset[str]:
    """The settings of a model's decoding that were asked for by their own names, be it for what is
    their default; without ``model.``."""
    settings = leaves(Nature.DECODING, "model")
    return frozenset(leaf for leaf in settings if _decodes(f"model.{leaf}", origins))


def _with_typed(
    saved: Any,
    composed: Any,
    prefix: str,
    origins: Mapping[str, Origin],
    *,
    decoding: bool = False,
) -> Any:
    """``saved`` with the typed values of ``composed``, nested sections likewise."""
    changes = {}
    for found in dataclasses.fields(saved):
        name = f"{prefix}.{found.name}"
        value = getattr(composed, found.name)
        if dataclasses.is_dataclass(value):
            if not decoding:
                changes[found.name] = _with_typed(getattr(saved, found.name), value, name, origins)
        elif _decodes(name, origins) if decoding else _is_typed(name, origins):
            changes[found.name] = value
    return dataclasses.replace(saved, **changes)


def _contradictions(
    checkpoint: Path, saved: Config, config: Config, origins: Mapping[str, Origin]
) -> list[str]:
    """What groups and experiments say of another model, as notices.

    Raises:
        UserError: A setting that was typed by itself contradicts the checkpoint.
    """
    typed, files = [], []
    pairs = [
        *_leaves("model", saved.model, config.model),
        ("data.sample_rate", saved.data.sample_rate, config.data.sample_rate),
    ]
    for name, was, now in pairs:
        if now == was or not _is_typed(name, origins):
            continue
        origin = origins[name]
        by_itself = origin.layer == "command line"
        if by_itself and name.rpartition(".")[2] not in runtime_settings():
            typed.append(f"{name}={now} ({origin.detail}), but it has {was}")
        elif not by_itself and not _decodes(name, origins):
            files.append(origin.detail.rpartition(":")[0])
    if typed:
        raise UserError(
            "Settings contradict the checkpoint: " + "; ".join(typed) + ".",
            where=str(checkpoint),
            fix="leave them out: model, tokenizer and sample rate come from the checkpoint",
        )
    if not files:
        return []
    named = ", ".join(dict.fromkeys(files))
    return [f"The model is the checkpoint's: what {named} says of one does not apply."]


def _leaves(prefix: str, saved: Any, composed: Any) -> list[tuple[str, Any, Any]]:
    found: list[tuple[str, Any, Any]] = []
    for entry in dataclasses.fields(saved):
        name, was, now = (
            f"{prefix}.{entry.name}",
            getattr(saved, entry.name),
            getattr(composed, entry.name),
        )
        if dataclasses.is_dataclass(was):
            found += _leaves(name, was, now)
        else:
            found.append((name, was, now))
    return found
