"""What tuning changed, for a person: the table at the end of a run, and what may be claimed."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mynah import console
from mynah.evaluation.baseline.change import Changes, Rates, SetChange
from mynah.evaluation.baseline.guards import GENERAL_GUARD, GENERAL_NOTE
from mynah.evaluation.comparing.paired import Difference
from mynah.evaluation.intervals.interval import CONFIDENCE
from mynah.evaluation.metrics.metric import Metric
from mynah.files import display_path

if TYPE_CHECKING:
    from mynah.config.schema import Config

COLUMNS = ("set", "utts", "notation", "base", "tuned", "difference", "p", "won/lost")
_SHARES = (0.1, 0.25, 0.5)  # of replayed audio, as measured in docs/base.md
_TWO_DIGITS_BELOW = 0.1  # of a rate: as with any interval, more would promise too much


def ways_back(config: Config, checkpoint: Path | None) -> str:
    """What helps where general speech got worse, as a sentence with commands.

    Measured on AN4, three quarters of an adapter or a tenth of replayed audio keep nearly all of
    the gain (docs/base.md).
    """
    now = config.data.replay or 0.0
    more = next((share for share in _SHARES if share > now), None)
    replay = (
        f"data.replay={more:g} replays {'more ' if now else ''}general speech in another training"
        if more
        else "fewer steps (training.max_steps) change it less"
    )
    scalable = config.model.use_lora and not config.model.lora_use_dora
    if not scalable or checkpoint is None:
        return replay
    folder = shlex.quote(display_path(checkpoint))
    return (
        "a smaller scale of the adapter gives up some of the gain for it,  mynah adapt-scale "
        f"{folder} --scale 0.75 --to scaled  and {replay}"
    )


def say_changes(found: Changes, helps: str) -> None:
    """Print the table and what may be claimed.

    Args:
        found: What tuning changed.
        helps: What helps where a guard got worse (:func:`ways_back`).
    """
    first = found.sets[0]
    notations = [rates.normalizer for rates in _rates_of(first)]
    console.table(
        f"Before and after tuning {Path(found.before.base).name}, "
        f"{first.as_scored.first.metric.column}, text normalisers {', '.join(notations)}",
        COLUMNS,
        [list(row) for row in change_rows(found)],
    )
    console.say(f"Base: {found.before.decoding}. {first.as_scored.first.test.capitalize()}.")
    for line in claims(found):
        console.say(line)
    if worse := [one.name for one in found.guards if _worse(one.fairest.first)]:
        console.notice(
            f"What the model was not tuned on got worse: {', '.join(worse)}. What helps: {helps}"
        )


def change_rows(found: Changes) -> Iterator[tuple[str, ...]]:
    """The rows of the table, two a set where it is English, and the mean of the guards."""
    for one in found.sets:
        name = f"guard {one.name}" if one.guard else one.name
        count = len(one.base)
        utterances = f"{count:,} of {one.of:,}" if count < one.of else f"{count:,}"
        for rates in _rates_of(one):
            yield (name, utterances, _notation(rates.normalizer), *_numbers(rates))
    if found.guards:
        metric = found.guards[0].as_scored.first.metric
        for normalizer, before, after in found.guard_means():
            yield (
                "mean of guards", "", _notation(normalizer), metric.number(before),
                metric.number(after), signed(metric, after - before), "", "",
            )  # fmt: skip


def _rates_of(one: SetChange) -> list[Rates]:
    return [one.as_scored, *([one.one_notation] if one.one_notation else [])]


def _notation(normalizer: str) -> str:
    """A normaliser's name in words, without its version."""
    return normalizer.partition("@")[0].replace("_", " ")


def claims(found: Changes) -> Iterator[str]:
    """What may be said of each set in a sentence, in one notation where there is one."""
    for one in found.sets:
        note = f" ({GENERAL_NOTE})" if one.guard and one.name == GENERAL_GUARD else ""
        yield f"{one.name}: {claim_of(one)}{note}"


def claim_of(one: SetChange) -> str:
    """What may be said of one set."""
    rates = one.fairest
    first = rates.first
    label = first.metric.label
    where = " in one notation" if one.one_notation else ""
    what = f"{label}{where} {first.metric.shown(first.before)} before, " + (
        f"{first.metric.shown(first.after)} after"
    )
    if math.isnan(first.p_value) or not first.interval.informative:
        return f"{what}; whether that may be chance is not known"
    if not significant(first):
        return f"{what}; the difference may be chance ({show_p(first.p_value)})"
    times = first.before / first.after if first.better and first.after > 0 else math.nan
    if first.metric.greater_is_better or math.isnan(times):
        return f"{what} ({show_p(first.p_value)})"
    return f"{what}, {times:.1f} times fewer errors ({show_p(first.p_value)})"


def significant(difference: Difference) -> bool:
    """Whether a difference is more than chance, at the level of the intervals."""
    return difference.interval.informative and difference.p_value < 1 - CONFIDENCE


def _worse(difference: Difference) -> bool:
    return significant(difference) and not difference.better


def _numbers(rates: Rates) -> tuple[str, ...]:
    first = rates.first
    metric = first.metric
    return (
        metric.number(first.before),
        metric.number(first.after),
        rate_with_interval(first),
        show_p(first.p_value).removeprefix("p "),
        f"{rates.comparison.won}/{rates.comparison.lost}",
    )


def rate_with_interval(difference: Difference) -> str:
    """``-12.3 [-15.2, -9.8]``, in points where it is a rate."""
    metric, interval = difference.metric, difference.interval
    if not interval.exists:
        return signed(metric, difference.value)
    ends = (difference.value, interval.low, interval.high)
    coarse = metric.percent and max(map(abs, ends)) >= _TWO_DIGITS_BELOW
    shown, low, high = (signed(metric, end, 1 if coarse else None) for end in ends)
    if not interval.informative:
        return f"{shown} [{interval.groups} speakers]"
    return f"{shown} [{low}, {high}]"


def signed(metric: Metric, value: float, digits: int | None = None) -> str:
    """``+1.20`` or ``-0.35``, without its unit."""
    shown = metric.number(value, digits)
    return f"+{shown}" if value > 0 else shown


def show_p(p_value: float) -> str:
    """``p 0.012``, ``p < 0.001``."""
    if math.isnan(p_value):
        return "–"
    return "p < 0.001" if p_value < 0.001 else f"p {p_value:.3f}"
