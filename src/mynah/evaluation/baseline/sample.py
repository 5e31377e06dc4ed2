"""A fixed part of a set: the same utterances in every run."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mynah.data.corpus import Corpus

SAMPLED = 120  # utterances of a set


def fixed_sample(corpus: Corpus, most: int = SAMPLED) -> Corpus:
    """At most so many utterances of a corpus, in its order; all where there are no more.

    Which ones are chosen depends on their ids alone, so that they stay the same in any order
    and whatever is added to the corpus replaces few of them.
    """
    if len(corpus) <= most:
        return corpus
    ids = corpus.ids
    keys = [(hashlib.blake2b(ids[row].encode(), digest_size=8).digest(), row) for row in
            range(len(corpus))]  # fmt: skip
    return corpus.select(sorted(row for _, row in sorted(keys)[:most]))
