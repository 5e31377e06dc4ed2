"""What ``data.mixture`` must be beyond the types of its settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from mynah.config.schema import Nature
from mynah.config.settings import entry_names

if TYPE_CHECKING:
    from mynah.config.checks.checker import Checker
    from mynah.config.schema import Config

_NAME = re.compile(r"\w[\w-]*")


def check_mixture(checker: Checker) -> None:
    """Names that can be part of a split's name, a corpus each, weights for all or for none."""
    data = checker.config.data
    mixture: dict[str, Any] = data.mixture
    if not mixture:
        return
    weights = {name: _of(entry, "weight") for name, entry in mixture.items()}
    for name, entry in mixture.items():
        if not _NAME.fullmatch(str(name)):
            checker.wrong(
                "data.mixture",
                f"{name!r} cannot name a corpus of data.mixture: letters, digits, _ and - can.",
            )
        if not _of(entry, "dataset_name") and not _of(entry, "path"):
            checker.wrong(
                "data.mixture",
                f"data.mixture.{name} names no corpus.",
                f"data.mixture.{name}.dataset_name=FOLDER_OR_NAME",
            )
    given = [name for name, weight in weights.items() if weight is not None]
    if given and len(given) < len(weights):
        without = next(name for name in weights if name not in given)
        checker.wrong(
            "data.mixture",
            f"data.mixture.{given[0]} has a weight and data.mixture.{without} has none: give "
            "all corpora one, or none.",
            f"data.mixture.{without}.weight=1",
        )
    elif given and not any(weights.values()):
        checker.wrong("data.mixture", "All weights of data.mixture are 0: nothing is sampled.")
    if given and data.mixture_temperature != 1.0:
        checker.wrong(
            "data.mixture_temperature",
            "Weights of data.mixture say the shares already: a temperature would say others.",
            "data.mixture_temperature=1",
        )


def mixture_notices(config: Config, asked: Callable[[str], bool]) -> Iterator[str]:
    """What was typed for one corpus while a mixture names several, one sentence each."""
    for name in entry_names("data.mixture", Nature.CORPUS):
        if config.data.mixture and asked(f"data.{name}"):
            yield f"data.{name} has no effect: data.mixture names the corpora."
    if not config.data.mixture and asked("data.mixture_temperature"):
        yield "data.mixture_temperature has no effect: data.mixture is empty."


def _of(entry: Any, name: str) -> Any:
    return entry.get(name) if isinstance(entry, dict) else getattr(entry, name)
