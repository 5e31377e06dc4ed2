"""From arguments and files to one typed, checked ``Config``, by Hydra's composition."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mynah.config.checks import check
from mynah.config.derived import derived, with_derived, with_derived_origins
from mynah.config.garbage import uncollected
from mynah.config.hydra.config_files import EXPERIMENTS, ConfigFiles
from mynah.config.hydra.overrides import parse_overrides
from mynah.config.hydra.search_path import config_directories, install_file_source
from mynah.config.mistakes.command_line import Examination
from mynah.config.naming import one_corpus, one_model
from mynah.config.origins import SCHEMA, Origin
from mynah.config.schema import Config, Nature
from mynah.config.settings import (
    all_sections,
    all_settings,
    find,
)
from mynah.errors import ConfigError, ConfigErrors, UserError

VERSION_BASE = "1.3"
SCHEMA_NAME = "mynah_schema"
CONFIG_NAME = "config"


@dataclasses.dataclass(frozen=True)
class Composed:
    """What a command line and its files come to.

    Attributes:
        config: The settings, checked.
        origins: For every setting by dotted name, the layer that set it.
        arguments: The overrides as Hydra takes them.
        tree: The settings as composed, references not resolved yet, and Hydra's own.
    """

    config: Config
    origins: dict[str, Origin]
    arguments: list[str]
    tree: DictConfig

    @property
    def hydra(self) -> DictConfig:
        """Hydra's own settings."""
        found: DictConfig = self.tree.hydra
        return found


@uncollected()
def prepare_hydra() -> None:
    """Register the schema, the file source and Hydra's resolvers; may be called twice."""
    from hydra import version
    from hydra.core.config_store import ConfigNode, ConfigStore
    from hydra.core.utils import setup_globals

    version.setbase(VERSION_BASE)
    store = ConfigStore.instance()
    name = f"{SCHEMA_NAME}.yaml"
    if name not in store.repo:
        # As ConfigStore.store does it, but for the copies of what nobody else holds.
        node = OmegaConf.structured(Config, flags={"no_deepcopy_set_nodes": True})
        node._set_flag("no_deepcopy_set_nodes", None)
        store.repo[name] = ConfigNode(name=name, node=node, group=None, package=None, provider=None)
    install_file_source()
    setup_globals()


@uncollected()
def compose(
    overrides: Sequence[str] = (),
    *,
    config_dir: Path | None = None,
    directories: Sequence[Path] | None = None,
    config_name: str = CONFIG_NAME,
    trains: bool = True,
) -> Composed:
    """Compose and check a configuration.

    Args:
        overrides: Arguments as typed, ``key=value``, ``group=option``, ``+experiments=name``.
        config_dir: A further directory with groups and experiments.
        directories: All directories to search, in order; None: the usual ones.
        config_name: The root file's name.
        trains: Whether a training may come of it (see ``check``).

    Raises:
        ConfigErrors: All mistakes that were found.
    """
    prepare_hydra()
    if directories is None:
        directories = config_directories(config_dir)
    files = ConfigFiles(directories)
    examination = Examination(files, config_name)
    arguments = examination.examine(parse_overrides(overrides))
    if examination.errors:
        raise ConfigErrors(examination.errors)

    composed, defaults = _compose_with_hydra(directories, config_name, arguments)
    layers = []
    for default in defaults:
        path = files.find(default.config_path or "")
        if path is not None and not (default.package or "").startswith("hydra"):
            examination.examine_file(path, default.package or "")
            layers.append((default, path))
    if examination.errors:
        raise ConfigErrors(examination.errors)
    origins = _origins(layers, files, examination, arguments, overrides)
    read = to_config(composed, origins)
    corpora = one_corpus.of_other_corpora(read, origins)
    models = one_model.of_default_model(read, origins)
    for name in (*corpora, *models):
        OmegaConf.update(composed, name, all_settings()[name].default, merge=False)
    origins |= one_corpus.defaults_of(corpora) | one_corpus.defaults_of(models, "model")
    config = to_config(composed, origins) if corpora or models else read
    check.check(config, origins, trains=trains)
    nulls = [name for name in derived() if OmegaConf.select(composed, name) is None]
    origins = with_derived_origins(origins, nulls, config.model)
    return Composed(config, origins, arguments, composed)


def _compose_with_hydra(
    directories: Sequence[Path], config_name: str, arguments: Sequence[str]
) -> tuple[DictConfig, list[Any]]:
    """The composed tree with Hydra's own settings in it, and the list of files it comes from."""
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra.core.utils import JobRuntime
    from hydra.errors import HydraException
    from hydra.types import RunMode

    found: list[Any] = []

    class Loader(ConfigLoaderImpl):
        """Keeps the defaults list that it composes from: computing it again takes long."""

        def _compose_config_from_defaults_list(self, defaults: list[Any], repo: Any) -> DictConfig:
            found.extend(defaults)
            return super()._compose_config_from_defaults_list(defaults, repo)

    JobRuntime.instance().set("name", "train")
    try:
        loader = Loader(search_path_of(directories))
        composed = loader.load_configuration(config_name, list(arguments), RunMode.RUN)
    except (HydraException, OmegaConfBaseException, ValueError) as problem:
        raise ConfigErrors([from_hydra(problem)]) from problem
    return composed, found


# Lines of Hydra's and OmegaConf's messages that tell a user nothing.
_NOISE = ("full_key", "object_type", "reference_type", "To append to your config use")


def from_hydra(problem: BaseException) -> ConfigError:
    """An error of Hydra's as one of ours, without its search path and its repetitions."""
    lines: list[str] = []
    found: BaseException | None = problem
    while found is not None:
        text = str(found).partition("\nConfig search path")[0]
        lines += [line.strip().rstrip(".") for line in text.splitlines() if line.strip()]
        found = found.__cause__
    said = [line for line in dict.fromkeys(lines) if not line.startswith(_NOISE)]
    return ConfigError(f"{': '.join(said[:3]) or type(problem).__name__}.")


def search_path_of(directories: Sequence[Path]) -> Any:
    """Hydra's search path over these directories."""
    from hydra._internal.config_search_path_impl import ConfigSearchPathImpl

    path = ConfigSearchPathImpl()
    path.append("hydra", "pkg://hydra.conf")
    for directory in directories:
        path.append("main", f"file://{directory}")
    path.append("schema", "structured://")
    return path


def _origins(
    layers: Sequence[tuple[Any, Path]],
    files: ConfigFiles,
    examination: Examination,
    arguments: Sequence[str],
    typed: Sequence[str],
) -> dict[str, Origin]:
    origins = dict.fromkeys(all_settings(), SCHEMA)
    values: dict[str, Any] = {}

    def mark(name: str, origin: Origin, value: Any) -> None:
        found = find(name)
        if found is not None:
            if name in values and values[name] == value:
                origin = dataclasses.replace(origin, same_as=origins[name])
            origins[found.name] = origins[name] = origin
            values[name] = value
        else:
            origins.update((key, origin) for key in origins if key.startswith(f"{name}."))

    for default, path in layers:
        group = default.config_path.partition("/")[0]
        experiment = group == EXPERIMENTS
        choice = examination.choices.get(group)
        relative = default.config_path.removesuffix(".yaml")
        read = files.read(path)
        prefix = f"{default.package}." if default.package else ""
        for entry in read.entries:
            for name, leaf in _stop_at_settings(entry, prefix):
                mark(
                    name,
                    Origin(
                        "experiment" if experiment else "group",
                        f"{relative}.yaml:{leaf.line}",
                        chosen=bool(choice and choice.chosen),
                        place=read.at(leaf.line),
                    ),
                    leaf.value,
                )
    for override, text in zip(parse_overrides(arguments), typed, strict=True):
        chooses = override.key_or_group in examination.groups
        if not override.is_delete() and not (chooses and not isinstance(override.value(), dict)):
            mark(override.key_or_group, Origin("command line", text), override.value())
    return origins


def _stop_at_settings(entry: Any, prefix: str) -> list[tuple[str, Any]]:
    name = f"{prefix}{entry.key}"
    if entry.entries and name not in all_settings():
        return [found for below in entry.entries for found in _stop_at_settings(below, f"{name}.")]
    return [(name, entry)]


def to_config(composed: Any, origins: Mapping[str, Origin]) -> Config:
    """Composed settings as the typed tree, references resolved.

    Raises:
        ConfigErrors: A reference leads nowhere, or to a value of the wrong type.
    """
    try:
        if OmegaConf.get_type(composed) is not Config:  # a root file without the schema
            bare = OmegaConf.masked_copy(composed, [key for key in composed if key != "hydra"])
            composed = OmegaConf.merge(OmegaConf.structured(Config), bare)
        sections: dict[str, Any] = {
            found.name: OmegaConf.to_object(node)
            if OmegaConf.is_config(node := composed[found.name])
            else node
            for found in dataclasses.fields(Config)
        }
        config = Config(**sections)
    except OmegaConfBaseException as problem:
        name = _unresolved(composed)
        origin = origins.get(name, SCHEMA)
        raise ConfigErrors(
            [
                ConfigError(
                    f"{name or 'A reference'} cannot be resolved: {_first_line(problem)}.",
                    where=origin.place or origin.detail,
                    fix=_way_out(name, composed),
                )
            ]
        ) from problem
    return with_derived(one_corpus.with_defaults(config, origins), origins)


def _way_out(name: str, composed: Any) -> str | None:
    """How to fix a reference to nothing; in a path it was most likely not meant as one."""
    if not name:
        return None
    setting = all_settings()[name]
    section, _, leaf = name.rpartition(".")
    if not setting.nature & (Nature.PATH | Nature.NAME):
        return f"set {name} itself"
    node = OmegaConf.select(composed, section) if section else composed
    text = str(node._get_node(leaf)._value()).replace("${", r"\${")
    return f"where ${{ is a part of a name, write it with a backslash: '{name}={text}'"


def _unresolved(composed: Any) -> str:
    """The first setting that cannot be resolved; empty where it is not to be found."""
    for name in all_settings():
        try:
            OmegaConf.select(composed, name)
        except OmegaConfBaseException:
            return name
    return ""


def _first_line(problem: BaseException) -> str:
    return str(problem).splitlines()[0].rstrip(".") if str(problem) else type(problem).__name__


def from_mapping(content: Mapping[str, Any], where: str) -> Config:
    """A ``Config`` from plain nested values, as a run's config.yaml holds them.

    Args:
        content: Nested values; what is missing keeps the schema's default.
        where: Where they come from, for messages.

    Raises:
        ConfigErrors: Unknown names or values of the wrong type.
    """
    from mynah.config.values import value_mistake

    errors: list[UserError] = []
    for name, value in _values(content):
        found = all_settings().get(name)
        if found is None:
            errors.append(ConfigError(f"There is no setting {name}.", where=where))
        elif mistake := value_mistake(found, name, value):
            errors.append(ConfigError(mistake.what, where=where, setting=name))
    if errors:
        raise ConfigErrors(errors)
    return to_config(OmegaConf.create(dict(content)), {})


def _values(content: Mapping[Any, Any], section: str = "") -> Iterator[tuple[str, Any]]:
    """Each setting's dotted name and value; a mapping that is a value is not looked into."""
    for key, value in content.items():
        name = f"{section}.{key}" if section else str(key)
        if isinstance(value, Mapping) and name in all_sections():
            yield from _values(value, name)
        else:
            yield name, value
