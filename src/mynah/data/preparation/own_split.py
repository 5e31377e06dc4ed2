"""Which split of a corpus is measured where nobody said it: ``data.eval_splits=[auto]``."""

from __future__ import annotations

from collections.abc import Sequence

from mynah.config.naming.one_corpus import OWN_SPLIT
from mynah.data.sources.reading.source import Source, meant_splits

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
