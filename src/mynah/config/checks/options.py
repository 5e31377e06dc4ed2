"""Options of what a setting names: found out here where its name says whose they are.

Those of a format that is found by looking, and those of a family, are checked once it is known.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from mynah.config.best_metric import asked_metrics, best_metric
from mynah.config.checks.checker import Checker
from mynah.config.options import option_mistakes
from mynah.config.origins import SCHEMA
from mynah.config.plugins.formats import FORMATS
from mynah.config.plugins.metrics import METRICS
from mynah.config.plugins.registry import Registry
from mynah.config.values import shown
from mynah.errors import UserError


def check_options(checker: Checker) -> None:
    """Options of a format that is named, and of metrics, which have to be computed."""
    config = checker.config
    if config.data.options and config.data.format != "auto" and not config.data.mixture:
        name = config.data.format
        check_of(checker, "data.options", "data.options", FORMATS, name, config.data.options)
    asked = [*(asked_metrics(config) or ()), best_metric(config)]
    check_named(checker, "evaluation.options", METRICS, asked)


def check_named(
    checker: Checker, setting: str, registry: Registry[Any], used: Sequence[str | None]
) -> None:
    """A mapping of options by the name of what takes them.

    Args:
        checker: Takes what is wrong.
        setting: The mapping, as ``evaluation.options``.
        registry: The things there are.
        used: The names of those that are used; one that is not takes no options.
    """
    given: Mapping[str, object] = checker.value(setting)
    for name, options in given.items():
        here = f"{setting}.{name}"
        if name not in registry:
            near = difflib.get_close_matches(str(name), registry.names, n=1)
            nearest = f" Nearest: {near[0]}." if near else ""
            checker.wrong(setting, f"{here}: there is no {registry.kind} {name}.{nearest}")
        elif not isinstance(options, Mapping):
            checker.wrong(setting, f"{here} takes pairs, as {{name: value}}, not {shown(options)}.")
        elif name not in used:
            checker.wrong(setting, f"{here} has no effect: the {registry.kind} {name} is not used.")
        else:
            check_of(checker, here, setting, registry, name, options)


def check_of(
    checker: Checker,
    section: str,
    setting: str,
    registry: Registry[Any],
    name: str,
    given: Mapping[str, object],
) -> None:
    """The options of one thing.

    Args:
        checker: Takes what is wrong.
        section: The dotted name that they stand below, as ``evaluation.options.bleu``.
        setting: The setting that this lies in, as ``evaluation.options``.
        registry: The things there are.
        name: Which one.
        given: Its options.
    """
    try:
        found = registry.get(name)
    except UserError as problem:
        checker.wrong(setting, f"{problem.what} ({problem.where}): {problem.fix}.")
        return
    owner = f"the {registry.kind} {name}"
    for wrong in option_mistakes(section, given, getattr(found, "Options", None), owner):
        at = wrong.name if wrong.name in checker.origins else setting
        # An argument that gives several options at once is not replaced by one that gives one.
        is_typed = at == setting and checker.origins.get(at, SCHEMA).layer == "command line"
        checker.wrong(
            at,
            wrong.what,
            None if is_typed else wrong.instead,
            remove=not is_typed,  # what is right has another name
        )
