"""Sets of general speech: guards, which a tuned model must not recognize worse than its base."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mynah.config.naming.one_corpus import OWN_SPLIT
from mynah.config.schema import DataConfig, SynthesisConfig
from mynah.data.preparation.prepare import prepare
from mynah.data.sources.reading.source import UnknownSplitError
from mynah.errors import UserError

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.corpus import Corpus

GENERAL_GUARD = "general"
GENERAL_SENTENCES = 60
GENERAL_NOTE = "espeak synthesizes it; recordings of people say more (evaluation.guard)"


def guard_corpora(config: Config, working_directory: Path) -> dict[str, Corpus]:
    """The sets of ``evaluation.guard`` by what they are called there; none where no pretrained
    recognizer is tuned.

    ``general`` is sentences of the embedded grammar without noise; anything else what
    ``data.dataset_name`` takes, with a split behind a colon: the split for measuring where it has
    none.

    Raises:
        UserError: One is not there, or lacks a split.
    """
    asked = config.evaluation.guard if config.model.pretrained else None
    return {
        name: general_speech(name, config, working_directory, setting="evaluation.guard")
        for name in asked or ()
    }


def general_speech(
    asked: str,
    config: Config,
    working_directory: Path,
    *,
    setting: str,
    general: tuple[str, SynthesisConfig] = (
        "validation",
        SynthesisConfig(eval_sentences=GENERAL_SENTENCES, noise_snr_db=[]),
    ),
    likeliest: str = OWN_SPLIT,
) -> Corpus:
    """A set that a setting names: ``general``, or what ``data.dataset_name`` takes.

    Args:
        asked: Its name, with a split behind a colon or without.
        config: The settings of the run.
        working_directory: What relative paths are relative to.
        setting: The setting's dotted name, for messages.
        general: The split and the sentences of ``general``.
        likeliest: The split where none is named.

    Raises:
        UserError: It is not there, or lacks the split.
    """
    settings = speech_settings(asked, config, working_directory, likeliest=likeliest)
    if asked == GENERAL_GUARD:
        settings.dataset_name, settings.eval_splits = "synthetic", [general[0]]
        settings.synthesis = general[1]
    try:
        data = prepare(
            settings, offline=config.offline, working_directory=working_directory, train=False
        )
    except UnknownSplitError as problem:
        around = ("[", "]") if setting == "evaluation.guard" else ("", "")
        name = settings.dataset_name
        likely = [f"{setting}={around[0]}{name}:{one}{around[1]}" for one in problem.there]
        problem.where, problem.fix = f"{setting}: {asked}", " or ".join(likely[:3]) or None
        raise
    except UserError as problem:
        if problem.where:
            problem.where = f"{setting}: {asked}"
        if problem.fix:
            problem.fix = problem.fix.replace("data.dataset_name=", f"{setting}=")
        raise
    (corpus,) = data.evaluation.values()
    return corpus


def speech_settings(
    asked: str, config: Config, working_directory: Path, *, likeliest: str = OWN_SPLIT
) -> DataConfig:
    """The settings of ``data`` with which named speech is read, its split as an evaluation split.

    The arguments are those of :func:`general_speech`.
    """
    name, split = _name_and_split(asked, working_directory, likeliest)
    same = config.data
    return DataConfig(
        dataset_name=name,
        eval_splits=[split],
        sample_rate=same.sample_rate,
        dataset_cache_dir=same.dataset_cache_dir,
        num_proc=same.num_proc,
    )


def _name_and_split(asked: str, working_directory: Path, likeliest: str) -> tuple[str, str]:
    """``librispeech:test-clean`` in its two parts; a folder may have a colon in its name."""
    name, colon, split = asked.rpartition(":")
    if not colon or not split or not name or (working_directory / asked).exists():
        return asked, likeliest
    return name, split
