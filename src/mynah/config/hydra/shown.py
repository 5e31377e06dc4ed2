"""What ``--cfg job``, ``--help`` and ``--hydra-help`` print, without Hydra composing again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

from mynah.config import settings
from mynah.config.garbage import uncollected
from mynah.config.hydra.compose import Composed, search_path_of
from mynah.config.hydra.config_files import ConfigFiles
from mynah.errors import UserError


@uncollected()
def job_yaml(composed: Composed, package: str | None, resolve: bool) -> str:
    """What ``--cfg job`` prints."""
    from omegaconf import Container, OmegaConf

    tree: Any = composed.tree
    OmegaConf.set_struct(tree, False)
    del tree["hydra"]
    if resolve:
        OmegaConf.resolve(tree)
    if package is None or package == "_global_":
        return OmegaConf.to_yaml(tree)
    part = OmegaConf.select(tree, package)
    if not isinstance(part, Container):
        if settings.find(package) is None:
            raise UserError(f"There is no {package}.", where=f"command line: --package {package}")
        return f"{part}\n"
    return f"# @package {package}\n{OmegaConf.to_yaml(part)}"


def help_text(composed: Composed, directories: Sequence[Path]) -> str:
    """What ``--help`` prints: the template in config.yaml, with the groups that can be found."""
    files = ConfigFiles(directories)
    groups = "".join(f"{name}: {', '.join(files.options(name))}\n" for name in files.groups())
    return Template(composed.hydra.help.template).safe_substitute(APP_CONFIG_GROUPS=groups)


def hydra_help_text(composed: Composed, directories: Sequence[Path]) -> str:
    """What ``--hydra-help`` prints, from Hydra's own template."""
    from hydra._internal.config_repository import ConfigRepository
    from hydra._internal.hydra import Hydra
    from hydra._internal.utils import get_args_parser
    from hydra.core.object_type import ObjectType

    repository = ConfigRepository(search_path_of(directories))

    def listed(group: str) -> str:
        options = repository.get_group_options(group, ObjectType.CONFIG)
        below = repository.get_group_options(group, ObjectType.GROUP)
        line = f"{group}: {', '.join(options)}\n" if options else ""
        return line + "".join(listed(f"{group}/{name}") for name in below)

    return Template(composed.hydra.hydra_help.template).safe_substitute(
        FLAGS_HELP=Hydra.format_args_help(get_args_parser()), HYDRA_CONFIG_GROUPS=listed("hydra")
    )
