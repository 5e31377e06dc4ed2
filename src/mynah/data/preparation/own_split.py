"""Which splits of a corpus are measured where nobody said it: ``data.eval_splits=[auto]``, and
``data.test_splits=[auto]``."""

from __future__ import annotations

from collections.abc import Sequence

from mynah.config.naming.one_corpus import OWN_SPLIT
from mynah.config.schema import DataConfig
from mynah.data import splits
from mynah.data.preparation.mixture import entries
from mynah.data.sources.reading.source import Part, Source, UnknownSplitError, meant_splits
from mynah.errors import UserError

_LIKELIEST = ("test", "validation")


def with_own_split(eval_splits: Sequence[str], source: Source, *, train: bool) -> list[str] | None:
    """The splits to measure on, the corpus's own in the place of `auto`.

    A checkpoint is measured on the test split, a training chooses its best checkpoint by the
    validation split; where there is only one of them, on that. All of a corpus without splits
    is measured; of one that is trained on a part is held out.

    Args:
        eval_splits: The setting.
        source: The corpus.
        train: Whether it is trained on too.

    Returns:
        The splits; None where a part is to be held out.

    Raises:
        UserError: The corpus has several splits, and none that is known to be for measuring.
    """
    if list(eval_splits) != [OWN_SPLIT]:
        return list(eval_splits)
    there = source.splits()
    if train and not source.has_splits:
        return None
    for split in reversed(_LIKELIEST) if train else _LIKELIEST:
        if meant_splits(split, there):
            return [split]
    if len(there) == 1 and not train:
        return there
    raise source.unknown_split(_LIKELIEST[0])


def nothing_to_measure(*, in_mixture: bool) -> UserError:
    """What is said where a model is to be measured, and settings leave nothing to do it on."""
    another = "data.dataset_name=FOLDER for another corpus"
    if in_mixture:
        return UserError(
            "There is nothing to measure on: no corpus of data.mixture has a split for it.",
            where="data.mixture",
            fix=f"add {another}",
        )
    return UserError(
        "There is nothing to measure on: no split is named for it, and none is held out.",
        where="data.eval_splits",
        fix=f"add 'data.eval_splits=[auto]' for the corpus's own test split, or {another}",
    )


def check_measures(data: DataConfig) -> None:
    """Find settings under which nothing is measured, before anything is prepared or loaded.

    Raises:
        UserError: They are such.
    """
    own = [entry.eval_splits for entry in entries(data).values()]
    splits = own if data.mixture else [data.eval_splits]
    if not any(data.eval_fraction > 0 if one is None else one for one in splits):
        raise nothing_to_measure(in_mixture=bool(data.mixture))


def test_splits_of(
    asked: Sequence[str], source: Source, *, learned: Sequence[str], measured: Sequence[str]
) -> list[str]:
    """The splits to measure once, at the end: the corpus's test split in the place of `auto`.

    Args:
        asked: ``data.test_splits``.
        source: The corpus.
        learned: The splits that are trained on.
        measured: Those that are measured while it trains: they may choose the checkpoint.

    Returns:
        The splits; none in the place of `auto` where the corpus has no test split, where rows of
        it are used otherwise, where it is not on this machine, and where nothing is measured.
    """
    if list(asked) != [OWN_SPLIT]:
        return [name for name in asked if name not in measured]
    if not source.has_splits or not measured:
        return []
    try:
        tests = source.parts("test")
    except UnknownSplitError:
        return []
    used = {part.key for name in (*learned, *measured) for part in _parts(source, name)}
    if used & {part.key for part in tests} or not all(map(source.is_here, tests)):
        return []
    return ["test"]


def _parts(source: Source, specification: str) -> list[Part]:
    """What a setting's split consists of; nothing where it is not there."""
    try:
        return [
            part
            for wanted in splits.parse_split(specification)
            for part in source.parts(wanted.name)
        ]
    except UnknownSplitError:
        return []
