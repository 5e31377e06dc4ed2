"""The untuned base, measured before the first step: on a fixed part of each split and guard."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from mynah import console, distributed
from mynah.config.schema import Nature
from mynah.config.settings import leaves
from mynah.evaluation.baseline.kept import KeptHypotheses, KeptPlace
from mynah.evaluation.baseline.sample import SAMPLED, fixed_sample
from mynah.evaluation.decoding.decode import decode
from mynah.evaluation.hypothesis import Hypothesis
from mynah.evaluation.intervals.interval import FEWEST_UTTERANCES
from mynah.evaluation.metrics.choice import Choice
from mynah.evaluation.score import score
from mynah.machine import __version__
from mynah.models.transcript import cut_notice

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.corpus import Corpus
    from mynah.data.preparation.prepare import PreparedData
    from mynah.models.family import Family
    from mynah.models.registry import CheckedModel

SAMPLE, FULL, NONE = "sample", "full", "none"
# What else of `model` decides what a base writes, beside the settings of decoding.
_DECIDING = ("timestamps", "dtype", "quantization", "prompt", "options")


@dataclass(frozen=True)
class MeasuredBase:
    """What the base recognized in one set.

    Attributes:
        corpus: The utterances, all of a set or a fixed part of it.
        hypotheses: One an utterance, in the corpus's order.
        seconds: Time that decoding them took, in this run or an earlier one.
        of: Utterances of the full set.
        kept: Whether they are an earlier run's.
    """

    corpus: Corpus = field(repr=False)
    hypotheses: list[Hypothesis] = field(repr=False)
    seconds: float
    of: int
    kept: bool


@dataclass(frozen=True)
class Before:
    """The base before it is tuned.

    Attributes:
        base: Its name.
        decoding: How its transcripts were found.
        splits: Of the evaluation splits, by name.
        guards: Of the sets that must not get worse, by name.
    """

    base: str
    decoding: str
    splits: Mapping[str, MeasuredBase]
    guards: Mapping[str, MeasuredBase]


@dataclass(frozen=True)
class BaseWeights:
    """Which weights are tuned.

    Attributes:
        name: A hub name or a folder.
        commit: Their commit, or the digest of a folder's; ``"local"`` where there is none.
    """

    name: str
    commit: str


def base_before(
    config: Config,
    checked: CheckedModel,
    family: Family,
    data: PreparedData,
    guards: Mapping[str, Corpus],
) -> Before | None:
    """:func:`measured_before` of a run; None where no pretrained recognizer is tuned."""
    from mynah.models.pretrained import hub

    part = checked.parts.get("pretrained")
    if part is None:
        return None
    weights = BaseWeights(part.name, hub.commit_of(part))
    return measured_before(config, family, weights, data.evaluation, guards, data.cache)


def measured_before(
    config: Config,
    family: Family,
    weights: BaseWeights,
    evaluation: Mapping[str, Corpus],
    guards: Mapping[str, Corpus],
    cache: Path,
) -> Before | None:
    """Measure the base, or read what an earlier run measured.

    Args:
        config: ``evaluation.baseline`` says how much of the evaluation splits.
        family: The model, before its first step.
        weights: The weights that are tuned.
        evaluation: The evaluation splits.
        guards: The sets that must not get worse.
        cache: Where prepared data lies, and what bases recognized.

    Returns:
        None where nothing is to be measured, or the weights recognize nothing by themselves.
    """
    splits = {} if config.evaluation.baseline == NONE else evaluation
    untuned = family.untuned()
    if untuned is None or not (splits or guards):
        return None
    whole = config.evaluation.baseline == FULL
    decoding = untuned.describe_decoding()
    place = KeptPlace(cache, about_base(config, untuned, weights, decoding))
    sets = [(name, corpus, False) for name, corpus in splits.items()]
    sets += [(name, corpus, True) for name, corpus in guards.items()]
    found: dict[bool, dict[str, MeasuredBase]] = {False: {}, True: {}}
    console.say(
        f"Measuring {weights.name} before it is tuned ({decoding}); evaluation.baseline=none "
        "and evaluation.guard=[] leave it out"
    )
    for name, corpus, guard in sets:
        part = corpus if whole else fixed_sample(corpus, SAMPLED)
        _say_what_is_few(name, corpus)
        what = f"{len(part):,} of {len(corpus):,}" if len(part) < len(corpus) else f"{len(part):,}"
        console.say(f"{'Guard ' if guard else ''}{name}: {what} utterances")
        kept, is_earlier = recognized(config, untuned, part, name, place)
        cost = f"{kept.seconds:.0f} s" + (" in an earlier run, kept" if is_earlier else "")
        console.say(f"  {_rate(config, kept.hypotheses)} ({cost})")
        found[guard][name] = MeasuredBase(
            part, kept.hypotheses, kept.seconds, len(corpus), is_earlier
        )
    return Before(weights.name, decoding, found[False], found[True])


def recognized(
    config: Config, untuned: Family, corpus: Corpus, name: str, place: KeptPlace
) -> tuple[KeptHypotheses, bool]:
    """What was kept of a corpus, or what is decoded now, and whether it was kept."""
    with _alone(place, corpus):
        kept: KeptHypotheses | None = distributed.on_first(lambda: place.read(corpus))
        if kept is not None:
            if cut := [one.id for one in kept.hypotheses if one.is_cut]:
                console.notice(f"{corpus.name}: {cut_notice(cut)}")
            return kept, True
        started = time.perf_counter()
        hypotheses = decode(
            untuned,
            corpus,
            batch_seconds=config.training.eval_batch_seconds,
            batch_size=config.training.per_device_eval_batch_size,
            description=f"decoding {name} with the base",
        )
        kept = KeptHypotheses(hypotheses, time.perf_counter() - started)
        if distributed.rank() == 0:
            place.write(corpus, kept)
        return kept, False


@contextmanager
def _alone(place: KeptPlace, corpus: Corpus) -> Iterator[None]:
    """Of several jobs one at a time; of the processes of a job the first one waits."""
    if distributed.rank() > 0:
        yield
        return
    with place.locked(corpus):
        yield


def about_base(
    config: Config, untuned: Family, weights: BaseWeights, decoding: str
) -> dict[str, object]:
    """All that decides what a base writes, beside the utterances."""
    settings = sorted({*leaves(Nature.DECODING, "model"), *_DECIDING})
    return {
        "weights": weights.commit,
        "bases": untuned.base_revisions(),
        "decoding": decoding,
        "settings": {name: getattr(config.model, name) for name in settings},
        "versions": [__version__, version("transformers")],
    }


def _rate(config: Config, hypotheses: list[Hypothesis]) -> str:
    """The base's rate in words: what cannot be scored is found before anything is trained."""
    found = score(
        hypotheses,
        normalizer=config.evaluation.normalizer,
        bootstrap_samples=0,
        bootstrap_seed=0,
        choice=Choice.of(config),
    ).first
    return f"base {found.metric.label} {found.metric.shown(found.value)}"


def _say_what_is_few(name: str, corpus: Corpus) -> None:
    if len(corpus) < FEWEST_UTTERANCES:
        console.notice(
            f"{name} has {len(corpus)} utterances: an error rate of fewer than "
            f"{FEWEST_UTTERANCES} is known so badly that its interval says little. Measure on "
            "more of them where there are any."
        )
