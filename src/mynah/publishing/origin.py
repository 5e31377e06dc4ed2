"""What a run knows of its model that everybody may know.

A corpus's name and place, its speakers and its texts are private. Public is what everybody can
look up: names of the hub, of the recipes and of the embedded corpus; and numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mynah.config.schema import Nature
from mynah.config.settings import names
from mynah.data.recipes import RECIPES, find_recipe
from mynah.errors import UserError
from mynah.files import read_json
from mynah.models.catalog.entries import ENTRIES
from mynah.publishing.command import public_command
from mynah.publishing.corpora import PublicCorpora, is_public_name
from mynah.runs.directory import SUMS, run_directory_of
from mynah.runs.record import read_record

_RESULTS = Path("evaluation", "results.json")
# How a beam search with n-grams is described, by what these are of: a file's name is private.
_NGRAMS = re.compile(
    r"(.*word n-grams of )(.+?)((?: and [\d,]+ hot words)? \(weight [^()]*\))", re.DOTALL
)
_TRANSCRIPTS = "the training transcripts"


@dataclass(frozen=True)
class Split:
    """A part of the corpus.

    Attributes:
        name: As ``train``.
        trains: Whether the model learned from it; else it was measured on it.
        hours: Of audio.
        utterances: How many.
        shared: What of it the training had too, as (what, how many utterances); None: nobody
            looked.
    """

    name: str
    trains: bool
    hours: float
    utterances: int
    shared: tuple[tuple[str, int], ...] | None = None


@dataclass(frozen=True)
class Measured:
    """One error rate.

    Attributes:
        corpus: Public name of the corpus.
        dataset: Its name on the hub, or None.
        split: Which part of it.
        metric: As ``wer``.
        label: As ``WER``.
        percent: Whether ``value`` is a share that is shown in per cent.
        value: The rate.
        interval: 95 % interval, or None.
        utterances: How many it is of.
        normalizer: ``name@version``.
        decoding: How transcripts were found, in words.
        needs_private: Whether decoding used word n-grams, which are private.
        baseline: The same rate of the base before training, or None.
    """

    corpus: str
    dataset: str | None
    split: str
    metric: str
    label: str
    percent: bool
    value: float
    interval: tuple[float, float] | None
    utterances: int
    normalizer: str
    decoding: str
    needs_private: bool
    baseline: float | None = None

    @property
    def scale(self) -> float:
        return 100.0 if self.percent else 1.0


@dataclass(frozen=True)
class ModelOrigin:
    """What is known of a model.

    Attributes:
        family: As ``ctc``.
        parameters: Rows of (part, parameters, trained parameters).
        sample_rate: Hertz; None: not known.
        longest_seconds: Longest training utterance that was taken; None: not known.
        languages: ISO 639-1 codes, as far as the settings say.
        corpus: Public name of the training corpus; None: not known.
        datasets: Names of the hub.
        licences: Of data and base models, as (what, licence).
        splits: Of the corpus.
        measured: Error rates.
        bases: Base models of the hub with the commit they were loaded at.
        command: What was typed, without private places; None: not known.
        versions: Of packages.
        steps: Of the training; None: not known.
        is_adapter: Whether LoRA matrices alone are stored.
        has_ngrams: Whether the checkpoint has word n-grams, which are private.
    """

    family: str
    parameters: tuple[tuple[str, int, int], ...]
    sample_rate: int | None
    longest_seconds: float | None
    languages: tuple[str, ...]
    corpus: str | None
    datasets: tuple[str, ...]
    licences: tuple[tuple[str, str], ...]
    splits: tuple[Split, ...]
    measured: tuple[Measured, ...]
    bases: Mapping[str, str]
    command: str | None
    versions: Mapping[str, str]
    steps: int | None
    is_adapter: bool
    has_ngrams: bool


def read_origin(checkpoint: Path, working_directory: Path, results: Sequence[Path]) -> ModelOrigin:
    """Collect what is known of a checkpoint.

    Args:
        checkpoint: Its directory.
        working_directory: Runs are looked for in its ``outputs``.
        results: Directories of further runs that measured it.

    Raises:
        UserError: One of ``results`` measured another model, or none.
    """
    about = read_json(checkpoint / "mynah.json")
    config = _settings(checkpoint / "config.yaml")
    run = run_directory_of(checkpoint, working_directory / "outputs")
    data = {} if run is None else read_json(run / "data.json")
    corpora = _corpora(config, data)
    measured: list[Measured] = []
    if run is not None and not results:
        own = read_json(run / _RESULTS)
        if _is_of(own, checkpoint):
            measured = list(_measured(own))
    for place in results:
        measured += _results_of(place, checkpoint)
    bases = {
        name: str(commit)
        for name, commit in _mapping(about.get("base_revisions")).items()
        if is_public_name(name)
    }
    return ModelOrigin(
        family=str(about.get("family", "")),
        parameters=tuple(_parameters(about.get("parameters"))),
        sample_rate=_number(_setting(config, "data", "sample_rate"), int),
        longest_seconds=_number(_setting(config, "data", "max_audio_seconds"), float),
        languages=_languages(config, bases, corpora),
        corpus=corpora.titles,
        datasets=corpora.datasets,
        licences=(*_data_licences(data), *_base_licences(bases)),
        splits=tuple(_splits(data, corpora)),
        measured=tuple(measured),
        bases=bases,
        command=None
        if run is None
        else public_command(run, _names_used(config), private_corpus=corpora.are_private),
        versions={} if run is None else _mapping(read_record(run).get("versions")),
        steps=_number(about.get("step"), int),
        is_adapter=(checkpoint / "adapter_config.json").is_file(),
        has_ngrams=(checkpoint / "language_model.arpa").is_file(),
    )


def _settings(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _setting(config: Mapping[str, Any], section: str, name: str) -> object:
    return _mapping(config.get(section)).get(name)


def _number(value: object, kind: type[Any]) -> Any:
    return kind(value) if isinstance(value, int | float) else None


def _parameters(rows: object) -> Iterator[tuple[str, int, int]]:
    for row in rows if isinstance(rows, list) else []:
        part, total, trained = row
        yield str(part), int(total), int(trained)


def _names_used(config: Mapping[str, Any]) -> dict[str, object]:
    """What each setting that is a name came to: of a folder its full path."""
    used = {}
    for name in names(Nature.NAME):
        section, _, leaf = name.partition(".")
        if (value := _setting(config, section, leaf)) is not None:
            used[name] = value
    return used


def _corpora(config: Mapping[str, Any], data: Mapping[str, Any]) -> PublicCorpora:
    """What a run trained or measured on."""
    format = data.get("format")
    return PublicCorpora.of(_mapping(config.get("data")), str(format) if format else None)


def _data_licences(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    format = str(data.get("format") or "")
    if format in RECIPES.names:
        recipe = find_recipe(format)
        yield recipe.title, recipe.licence


def _base_licences(bases: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    known = {one.name: one.licence for entry in ENTRIES for one in entry.checkpoints}
    for name in bases:
        if name in known:
            yield name, known[name]


def _languages(
    config: Mapping[str, Any], bases: Mapping[str, str], corpora: PublicCorpora
) -> tuple[str, ...]:
    for section in ("model", "data"):
        if found := _setting(config, section, "language"):
            return (str(found),)
    if corpora.are_synthesized:
        synthesis = _mapping(_setting(config, "data", "synthesis"))
        return (str(synthesis.get("language") or "en"),)
    single = [
        entry.languages[0]
        for entry in ENTRIES
        if len(entry.languages) == 1 and any(one.name in bases for one in entry.checkpoints)
    ]
    return tuple(single[:1])


def _splits(data: Mapping[str, Any], corpora: PublicCorpora) -> Iterator[Split]:
    leaks = _mapping(data.get("leaks"))
    for name, found in _mapping(data.get("splits")).items():
        shared = tuple(
            (what, int(one["utterances"]))
            for what, one in _mapping(leaks.get(name)).items()
            if isinstance(one, dict) and one.get("utterances")
        )
        yield Split(
            corpora.of_split(str(name))[1],
            found.get("role") == "training",
            float(found.get("hours") or 0.0),
            int(found.get("kept") or 0),
            shared if name in leaks else None,
        )


def _results_of(place: Path, checkpoint: Path) -> list[Measured]:
    found = read_json(place / _RESULTS)
    if not found:
        raise UserError(
            "This run has no results.",
            where=f"--results {place}",
            fix="name the directory of a run of mynah eval, as outputs/2026-11-28/10-15-00",
        )
    if not _is_of(found, checkpoint):
        raise UserError(
            "This run measured another model.",
            where=f"--results {place}",
            fix=f"mynah eval {checkpoint}",
        )
    return list(_measured(found))


def _is_of(results: Mapping[str, Any], checkpoint: Path) -> bool:
    """Whether results are of the weights of a checkpoint."""
    named = _mapping(results.get("about")).get("checkpoint")
    if not isinstance(named, str):
        return False
    place = Path(named)
    return place.resolve() == checkpoint.resolve() or (
        bool(_weights(checkpoint)) and _weights(place) == _weights(checkpoint)
    )


def _weights(checkpoint: Path) -> set[str]:
    """Lines of the list of sums that are of weights."""
    try:
        lines = (checkpoint / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return set()
    stems = ("optimizer", "rng_state", "unaveraged")
    return {
        line
        for line in lines
        if line.endswith(".safetensors") and not line.split()[-1].startswith(stems)
    }


def _public_decoding(described: str) -> str:
    """How transcripts were found, without the name of the file that n-grams are of."""
    before, of, behind = described.partition("n-grams of ")
    if not of or behind.startswith(_TRANSCRIPTS):
        return described
    found = _NGRAMS.fullmatch(described)
    return f"{before}{of}…" if found is None else f"{found[1]}…{found[3]}"


def _measured(results: Mapping[str, Any]) -> Iterator[Measured]:
    about = _mapping(results.get("about"))
    decoding = _public_decoding(str(about.get("decoding") or ""))
    config = about.get("config")
    settings = yaml.safe_load(config) if isinstance(config, str) else config
    corpora = _corpora(_mapping(settings), _mapping(about.get("data")))
    before = _mapping(_mapping(results.get("before_after")).get("splits"))
    for split, found in _mapping(results.get("evaluations")).items():
        corpus, shown = corpora.of_split(str(split))
        old = _mapping(_mapping(_mapping(before.get(split)).get("as_scored")).get("metrics"))
        for metric, one in _mapping(found.get("metrics")).items():
            if one.get("value") is None:
                continue
            low, high = one.get("low"), one.get("high")
            yield Measured(
                corpus=corpus.title,
                dataset=corpus.dataset,
                split=shown,
                metric=str(metric),
                label=str(one.get("label", metric)),
                percent=bool(one.get("percent")),
                value=float(one["value"]),
                interval=None if low is None or high is None else (float(low), float(high)),
                utterances=int(found.get("utterances") or 0),
                normalizer=str(found.get("normalizer") or ""),
                decoding=decoding,
                needs_private="n-gram" in decoding,
                baseline=_number(_mapping(old.get(metric)).get("base"), float),
            )
