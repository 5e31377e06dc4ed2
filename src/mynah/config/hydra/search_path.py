"""Where configuration files are found, and how Hydra is made to read them as we do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mynah.config.mistakes.yaml_file import load_yaml, read_header


def shipped_configs() -> Path:
    """The groups and experiments that come with Mynah: in the repository, or in the wheel."""
    package = Path(__file__).resolve().parents[2]
    in_repository = package.parent.parent / "configs" / "hydra"
    if package.parent.name == "src" and in_repository.is_dir():
        return in_repository
    return package / "configs" / "hydra"


def config_directories(
    config_dir: Path | None = None, main: Path | None = None, working_directory: Path | None = None
) -> list[Path]:
    """Every directory that is searched, the first that has a file wins.

    Args:
        config_dir: What ``--config-dir`` names.
        main: What ``--config-path`` names; None: the shipped configs.
        working_directory: Where the command was typed; its ``configs/hydra`` counts too, so
            that experiments of one's own work beside an installed wheel.
    """
    here = (working_directory or Path.cwd()) / "configs" / "hydra"
    found = [config_dir] if config_dir else []
    if here.is_dir():
        found.append(here)
    found.append(main or shipped_configs())
    unique: list[Path] = []
    for directory in found:
        resolved = directory.resolve()
        if resolved not in unique:
            unique.append(resolved)
    return unique


def install_file_source() -> None:
    """Make Hydra read configuration files with :func:`read_header`; may be called twice."""
    from hydra._internal.core_plugins import file_config_source
    from hydra._internal.sources_registry import SourcesRegistry
    from hydra.core.plugins import Plugins
    from hydra.plugins.config_source import ConfigLoadError, ConfigResult
    from omegaconf import OmegaConf

    Plugins.instance()  # registers Hydra's own sources, which must not come after ours

    # Named as the class it stands in for: Hydra's registry compares sources by name.
    class FileConfigSource(file_config_source.FileConfigSource):
        """Files on disk, their headers read with :func:`read_header`."""

        def load_config(self, config_path: str) -> ConfigResult:
            path = Path(self.path) / self._normalize_file_name(config_path)
            if not path.is_file():
                raise ConfigLoadError(f"Config not found: {path}")
            text = path.read_text(encoding="utf-8")
            return ConfigResult(
                config=OmegaConf.create(load_yaml(text) or {}),
                path=f"{self.scheme()}://{self.path}",
                provider=self.provider,
                header=read_header(text),
            )

    SourcesRegistry.instance().types["file"] = FileConfigSource


def install_search_path(directories: Sequence[Path], config_dir: Path | None = None) -> None:
    """Make ``@hydra.main`` search exactly these directories; the last call counts.

    Args:
        directories: In order.
        config_dir: The one that ``--config-dir`` names; it keeps Hydra's name for such a
            source, by which a launcher finds it.
    """
    from hydra.core.config_search_path import ConfigSearchPath
    from hydra.core.plugins import Plugins
    from hydra.plugins.search_path_plugin import SearchPathPlugin

    named = config_dir.resolve() if config_dir else None

    class MynahSearchPath(SearchPathPlugin):
        """Replaces the one directory that ``@hydra.main`` was given."""

        def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
            entries = search_path.get_path()
            entries[:] = [entry for entry in entries if entry.provider == "hydra"]
            for directory in directories:
                provider = "command-line" if directory == named else "main"
                search_path.append(provider, f"file://{directory}")

    Plugins.instance().register(MynahSearchPath)
