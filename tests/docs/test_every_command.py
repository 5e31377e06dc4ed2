"""Every command of README.md and docs/ means something: it is composed and checked as typed.

The commands come from the pages. Nothing is trained here and torch is not imported; the long
tests run them.
"""

from __future__ import annotations

import functools
import importlib
import itertools

import plugin_packages
import pytest
from page_commands import REPOSITORY, commands

from mynah.cli.main import COMMANDS
from mynah.cli.sweep_data import swept
from mynah.config.hydra.compose import compose
from mynah.config.hydra.overrides import parse_overrides
from mynah.config.plugins.registry import installed_plugins
from mynah.config.schema.sweep import is_search_setting
from mynah.sweeps.search.reading import read_space

PARSED = (
    "data download", "data segment", "data pack", "export", "lm", "tune-beam", "average", "merge",
    "adapt-scale",
    "models", "transcribe", "serve", "publish", "record", "demo",
    "runs", "compare", "score", "completion", "config explain", "config diff",
)  # fmt: skip
OWN_FILES = ("=domain.arpa", ".context_file=names.txt")
WITH_SETTINGS = ("data prepare", "data inspect", "data augment", "prefetch")
MODULES = {
    "data download": "mynah.cli.data.download",
    "data segment": "mynah.cli.data.segment",
    "data pack": "mynah.cli.data.pack",
    "data prepare": "mynah.cli.data.prepare",
    "data inspect": "mynah.cli.data.inspect",
    "data augment": "mynah.cli.data.augment",
    "export": "mynah.cli.export",
    "lm": "mynah.cli.lm",
    "tune-beam": "mynah.cli.tune_beam",
    "average": "mynah.cli.average",
    "merge": "mynah.cli.merge",
    "adapt-scale": "mynah.cli.adapt_scale",
    "models": "mynah.cli.models",
    "transcribe": "mynah.cli.transcribe",
    "serve": "mynah.cli.serve",
    "publish": "mynah.cli.publish",
    "record": "mynah.cli.record",
    "demo": "mynah.cli.demo",
    "compare": "mynah.cli.compare",
    "score": "mynah.cli.score",
    "runs": "mynah.cli.runs",
    "completion": "mynah.cli.completion",
    "prefetch": "mynah.cli.prefetch",
    "config explain": "mynah.cli.config",
    "config diff": "mynah.cli.config",
}


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    """The plug-ins of docs/plugins.md are installed for a while."""
    site = tmp_path / "site"
    page = (REPOSITORY / "docs" / "plugins.md").read_text(encoding="utf-8")
    plugin_packages.install_page(site, page)
    monkeypatch.syspath_prepend(site)
    installed_plugins.cache_clear()
    yield
    installed_plugins.cache_clear()


def composed(arguments: list[str]) -> None:
    """Compose and check what Hydra would be given; of a sweep each of its jobs."""
    sweeping = {"-m", "--multirun"} & set(arguments)
    kept = [one for one in arguments if one not in ("-m", "--multirun")]
    kept = [one for one in kept if not one.startswith("hydra")]
    if not sweeping:
        return check_settings(kept)
    overrides = parse_overrides(kept)
    if any(one.is_sweep_override() and one.is_interval_sweep() for one in overrides):
        space, fixed = read_space(overrides)
        how = [one for one in kept if is_search_setting(one)]
        return check_settings([*fixed, *how, *space.overrides(space.corner())])
    choices = []
    for one in kept:
        key, _, value = one.partition("=")
        swept = "," in value and not value.startswith(("[", "{"))
        choices.append([f"{key}={part}" for part in value.split(",")] if swept else [one])
    jobs = list(itertools.product(*choices))
    assert len(jobs) > 1, "a sweep of one job"
    for job in jobs:
        check_settings(list(job))
    return None


def check_settings(overrides: list[str]) -> None:
    """Raises where the settings are not ones that a run would accept."""
    _accepted(tuple(overrides))


@functools.cache
def _accepted(overrides: tuple[str, ...]) -> None:
    """Once for all pages: a mistake raises and is not remembered."""
    compose(list(overrides))


@pytest.mark.parametrize("command", commands(), ids=lambda one: f"{one.page}: {one.text}"[:100])
def test_a_command_of_a_page_is_one_that_can_be_typed(command, tmp_path, monkeypatch, request):
    if command.page == "plugins.md":
        request.getfixturevalue("plugins")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "musan" / "noise").mkdir(parents=True)  # as `mynah data download musan` leaves it
    program, arguments = command.program, command.arguments
    if program == "train":
        composed(_written_by_a_page(arguments))
    elif program == "sweep-data":
        composed(swept(arguments))
    elif program == "eval":
        settings = [one for one in arguments if "=" in one and "/" not in one.partition("=")[0]]
        assert len(settings) < len(arguments), "which checkpoint?"
        # Files of a reader's own are not here.
        check_settings([one for one in settings if not one.endswith(OWN_FILES)])
    elif program in ("legacy", "migrate"):
        file = REPOSITORY / arguments[0]
        assert file.is_file() and file.suffix == ".json"
    elif program in PARSED or program in WITH_SETTINGS:
        module = importlib.import_module(MODULES[program])
        action = [program.split()[1]] if program.startswith("config") else []
        parser = module.parser()
        parsed, rest = parser.parse_known_args([*action, *arguments])
        assert not [one for one in rest if one.startswith("-")], rest
        given = [*rest, *getattr(parsed, "overrides", []), *getattr(parsed, "settings", [])]
        settings = [one for one in given if "=" in one]
        if program in (*WITH_SETTINGS, "config explain"):
            check_settings(settings)
    elif program.startswith("benchmarks/"):
        source = (REPOSITORY / program).read_text(encoding="utf-8")
        for option in (one.partition("=")[0] for one in arguments if one.startswith("--")):
            assert f'"{option}"' in source or f'"{option[2:]}"' in source, option
    elif program.startswith("hatch "):
        assert f'{program.split()[1]} = "' in (REPOSITORY / "pyproject.toml").read_text()
    elif program == "bash":
        assert (REPOSITORY / arguments[0]).is_file()
    elif program == "sbatch":
        assert (REPOSITORY / arguments[-1]).is_file()
    elif program == "pip":
        assert arguments[0] == "install"
    else:
        assert program == "tests/matrix/table.py" or program in COMMANDS, program


def _written_by_a_page(arguments: list[str]) -> list[str]:
    """The migration guide runs an experiment that the command before it has written."""
    return [one.replace("+experiments=test_config", "+experiments=test") for one in arguments]


def test_the_pages_have_commands():
    assert len(commands()) > 100
    assert {"train", "eval", "data prepare", "models"} <= {one.program for one in commands()}
