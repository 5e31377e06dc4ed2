"""What one system recognized, and whether several recognized the same utterances."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mynah.errors import UserError
from mynah.evaluation.hypothesis import Hypothesis
from mynah.evaluation.normalize import get_normalizer

_NAMED = 3  # utterances that a message names


@dataclass(frozen=True)
class System:
    """What one system recognized.

    Attributes:
        name: As it was typed: a run's directory, or a file.
        hypotheses: With the texts as they were written, not normalised; their ids are unique.
        normalizer: Name of the normaliser that it was scored with; None: not known.
        has_ids: Whether utterances have ids; else they are numbered by their lines.
        report: The page of its evaluation, where there may be one.
        not_scored: What of its files is not scored, a sentence each.
    """

    name: str
    hypotheses: Sequence[Hypothesis] = field(repr=False)
    normalizer: str | None = None
    has_ids: bool = True
    report: Path | None = None
    not_scored: Sequence[str] = ()


def on_the_same(systems: Sequence[System], normalizer: str) -> list[System]:
    """The systems with their utterances in the first one's order.

    References may differ in what normalising takes away; the first system's are kept.

    Args:
        systems: Two or more.
        normalizer: Name of the text normaliser that all are scored with.

    Raises:
        UserError: They are not of the same utterances, or of other references; it says which.
    """
    first = systems[0]
    for system in systems:
        _check_ids(system)
    return [first, *(_like(first, other, normalizer) for other in systems[1:])]


def _check_ids(system: System) -> None:
    twice = [one for one, n in Counter(h.id for h in system.hypotheses).items() if n > 1]
    if twice:
        raise UserError(
            f"{len(twice):,} ids are there twice, as {', '.join(map(repr, twice[:_NAMED]))}.",
            where=system.name,
            fix="each utterance needs an id of its own",
        )


def _like(first: System, other: System, normalizer: str) -> System:
    there = {one.id: one for one in other.hypotheses}
    wanted = [one.id for one in first.hypotheses]
    missing = [one for one in wanted if one not in there]
    known = set(wanted)
    more = [one for one in there if one not in known]
    if missing or more:
        raise _other_utterances(first, other, missing, more)
    normalize = get_normalizer(normalizer)
    made, differing = [], []
    for one in first.hypotheses:
        its = there[one.id]
        if its.reference != one.reference and normalize(its.reference, one.language) != normalize(
            one.reference, one.language
        ):
            differing.append((one, its))
        made.append(
            dataclasses.replace(
                its, reference=one.reference, speaker=one.speaker, language=one.language,
                duration_seconds=one.duration_seconds, columns=one.columns,
                measured=one.measured,
            )
        )  # fmt: skip
    if differing:
        mine, its = differing[0]
        raise UserError(
            f"{len(differing):,} of {len(wanted):,} references differ, as of {mine.id}: "
            f"{mine.reference!r} and {its.reference!r}.",
            where=f"{first.name}, {other.name}",
            fix="measure both on the same transcripts: mynah eval CHECKPOINT CORPUS",
        )
    return dataclasses.replace(other, hypotheses=made)


def _other_utterances(
    first: System, other: System, missing: Sequence[str], more: Sequence[str]
) -> UserError:
    if not (first.has_ids and other.has_ids):
        return UserError(
            f"They have {len(first.hypotheses):,} and {len(other.hypotheses):,} lines.",
            where=f"{first.name}, {other.name}",
            fix="lines are matched by their numbers: each file needs a line for each utterance",
        )
    said = []
    for count, names, where in ((len(missing), missing, first), (len(more), more, other)):
        if count:
            some = ", ".join(map(repr, names[:_NAMED]))
            said.append(f"{count:,} are in {where.name} alone, as {some}")
    return UserError(
        f"Not the same utterances: {'; '.join(said)}.",
        where=f"{first.name}, {other.name}",
        fix="measure both on the same corpus: mynah eval CHECKPOINT CORPUS",
    )
