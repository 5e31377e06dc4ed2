"""Utterances that a model cannot learn, found before it is asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mynah import console
from mynah.config.errors import UserError

if TYPE_CHECKING:
    from mynah.config.schema import DataConfig
    from mynah.data.corpus import Corpus
    from mynah.models.family import Family

_NAMED = 5  # utterances named in a message


def without_impossible(
    corpus: Corpus, family: Family, config: DataConfig, *, report: dict[str, Any]
) -> Corpus:
    """The corpus less the utterances that :meth:`Family.impossible` names.

    A CTC loss would call them infinite, or hide them as zero. Speed perturbation is
    counted in: the fastest version must fit too.

    Args:
        corpus: Training utterances.
        family: The model they are for.
        config: ``on_impossible`` says whether they end the run or are left out and listed.
        report: What ``data.json`` holds; what is left out is added to it.

    Raises:
        UserError: There are such utterances and ``data.on_impossible`` is ``fail``.
    """
    fastest = max([1.0, *config.augmentation.speed_factors])
    found: list[tuple[int, str]] = []
    texts = corpus.texts
    durations = corpus.durations
    for row in range(len(corpus)):
        samples = int(durations[row] * corpus.sample_rate / fastest)
        reason = family.impossible(samples, family.labels(texts[row]))
        if reason is not None:
            found.append((row, reason))
    if not found:
        return corpus
    ids = corpus.ids
    named = [f"{ids[row]}: {reason}" for row, reason in found[:_NAMED]]
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    what = (
        f"{len(found)} of {len(corpus)} training utterances are impossible for this model: "
        + "; ".join(named)
        + more
    )
    if config.on_impossible == "fail" or len(found) == len(corpus):
        raise UserError(
            what,
            fix="model.tokenizer=bpe with a larger model.vocab_size, or a smaller "
            "model.encoder.subsampling_factor; data.on_impossible=drop leaves them out",
        )
    console.notice(what + ". They are left out and listed in data.json.")
    report["impossible"] = [{"id": ids[row], "reason": reason} for row, reason in found]
    excluded = {row for row, _ in found}
    return corpus.select([row for row in range(len(corpus)) if row not in excluded])
