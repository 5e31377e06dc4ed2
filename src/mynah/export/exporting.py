"""An export from top to bottom: model -> plain decoding -> layout -> two proofs -> card."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mynah import console
from mynah.errors import UserError, check_name
from mynah.export import card, proof
from mynah.export.card import Proof
from mynah.export.runtimes import Program, check_installed
from mynah.export.target import Said, Sample, Target
from mynah.files import display_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mynah.config.origins import Origin
    from mynah.config.schema import Config
    from mynah.data.corpus import Corpus
    from mynah.evaluation.measured_model import MeasuredModel
    from mynah.models.family import Family

_SEED = 0  # of which utterances a proof is made on, and of its intervals
_RESAMPLES = 1000


@dataclass(frozen=True)
class ExportRequest:
    """What is to be exported.

    Attributes:
        model: The model, found and intact: a checkpoint, or a recognizer as it is.
        named: How it was named.
        settings: The settings to measure it with.
        folder: Where the export goes; it must not be there.
        dtype: What its weights are stored in.
        utterances: How many it is proven on.
        working: Where the command was typed.
        tolerance: By how much a program may be worse for sure, absolute.
    """

    model: MeasuredModel
    named: str
    settings: Config
    folder: Path
    dtype: str
    utterances: int
    working: Path
    tolerance: float = proof.MOST_WORSE


def request_of(
    model: str,
    to: str,
    target: Target,
    dtype: str | None,
    utterances: int,
    config: Config,
    origins: Mapping[str, Origin],
    tolerance: float = proof.MOST_WORSE,
) -> ExportRequest:
    """Find the model and the settings, before anything is loaded.

    Raises:
        UserError: There is no such model, it is damaged, or the folder is there.
    """
    from mynah.config.checkpointed import with_absolute_paths
    from mynah.evaluation.measured_model import measured_model

    working = Path.cwd()
    folder = Path(to).expanduser().absolute()
    check_name(folder, "--output")
    if folder.exists() or folder.is_symlink():
        raise UserError(
            "There is something of that name already, and nothing is overwritten.",
            where=f"--output {display_path(folder)}",
            fix=f"--output {display_path(folder.with_name(f'{folder.name}-{target.name}'))}",
        )
    if dtype is not None and dtype not in target.dtypes:
        raise UserError(
            f"{target.name} stores {', '.join(target.dtypes)}, not {dtype}.",
            where=f"--dtype {dtype}",
            fix=f"--dtype {target.dtypes[0]}",
        )
    settings = with_absolute_paths(config, working)
    found = measured_model(settings, origins, working)
    for program in (*([target.builder] if target.builder else []), *target.programs):
        check_installed(program)
    stored = dtype or target.dtypes[0]
    return ExportRequest(found, model, found.config, folder, stored, utterances, working, tolerance)


def export(request: ExportRequest, target: Target) -> Proof:
    """Write a model in another layout, and prove that it says the same.

    Returns:
        What was proven. The folder is complete where it is there.

    Raises:
        UserError: The layout cannot hold the model or its decoding, a program is not installed,
            transcripts differ, or a program is worse for sure.
    """
    from mynah.checkpoints.commit import commit, size_bytes

    family = _loaded(request)
    target = target.for_model(family)
    target.check(family)
    samples = _samples(request)
    found = Proof(
        target.name,
        request.dtype,
        request.named,
        _described(samples),
        family.describe_decoding(),
        approximate=target.approximate,
    )
    scored = proof.scorer(request.settings.evaluation.normalizer, _RESAMPLES, _SEED)
    measured, _ = _decoded(family, samples, "decoding as measured")
    found.normalizer = scored(samples, measured.texts).normalizer
    if hasattr(family.model, "peft_config") and not target.keeps_adapters:
        family.merge()
    plain = target.plain(family)
    if family.name == "seq2seq":  # which give it no names and terms
        samples = [dataclasses.replace(sample, context="") for sample in samples]
    said, samples = _decoded(plain, samples, "decoding as other programs do")

    def beside(name: str, of: Said) -> proof.ComparedTexts:
        return proof.compared(name, samples, measured, of, scored, resamples=_RESAMPLES, seed=_SEED)

    found.plain = beside("Mynah, greedy", said)
    proof.check_cost(found.plain, _advice(request))
    with commit(request.folder) as staging:
        console.say(f"Writing {target.name}, {request.dtype}")
        target.write(plain, staging, request.dtype)
        graph = target.graph(plain, staging, samples)
        if graph is not None:
            equal = sum(a == b for a, b in zip(graph, said.texts, strict=True))
            found.graph = (equal, len(samples))
            if request.dtype in target.exact:
                proof.check_conversion(graph, said.texts, samples)
        for program in target.programs:
            ways = _tried(program, target, plain, staging, samples, request, beside)
            for number, one in enumerate(ways):
                found.programs.append(one)
                if number == 0:
                    _check(one, found, request)
        found.bytes = size_bytes(staging)
        packages = [name for program in target.programs for name in program.packages]
        card.write(staging, found, packages, target.usage)
    return found


def _tried(
    program: Program,
    target: Target,
    plain: Family,
    folder: Path,
    samples: Sequence[Sample],
    request: ExportRequest,
    beside: Callable[[str, Said], proof.ComparedTexts],
) -> Iterator[proof.ComparedTexts]:
    """A program's first way to decode, which is checked, and the others, which are shown."""
    for way in target.ways:
        if way.compute == request.dtype:
            continue  # as the first computes already
        name = f"{program.name}, {way.name}" if way.name else program.name
        console.say(f"Transcribing with {name}")
        said = target.run(program, plain, folder, samples, way=way, dtype=request.dtype)
        yield beside(name, said)


def _check(program: proof.ComparedTexts, found: Proof, request: ExportRequest) -> None:
    """The second proof; what was found so far is shown where it fails."""
    try:
        proof.check_program(program, request.tolerance)
    except UserError:
        _show_table(found)
        raise


def show_proof(found: Proof, folder: Path) -> None:
    """Print what was proven."""
    _show_table(found)
    console.say(f"Measured: {found.decoding}")
    if found.approximate:
        console.say(f"Approximate: {found.approximate}.")
    console.say(
        f"Exported to {display_path(folder)} ({found.bytes / 1e6:.0f} MB), {card.CARD} in it"
    )


def _show_table(found: Proof) -> None:
    metric = found.rows[0].difference.metric.column
    if found.graph is not None:
        console.say(
            f"The same features into both graphs: {found.graph[0]} of {found.graph[1]} "
            "transcripts are equal."
        )
    console.table(
        f"{metric} on {found.data}, text normaliser {found.normalizer}",
        list(card.CARD_COLUMNS),
        card.table_rows(found),
    )


def _loaded(request: ExportRequest) -> Family:
    from mynah.machine import seed_everything, use_threads
    from mynah.models import registry
    from mynah.models.recognizer import as_recorded, read_changed_words

    settings = request.settings
    use_threads(settings)
    seed_everything(_SEED)
    config = settings.model
    if request.model.plain is not None:
        family = request.model.plain.build([])
        config = as_recorded(family, config, request.model.asked)
    else:
        family = registry.load_family(
            request.model.place, offline=settings.offline, as_trained=False
        )
    if request.model.names_language_model:
        read_changed_words(family)
    family.configure_decoding(config)
    return family


def _samples(request: ExportRequest) -> list[Sample]:
    """The utterances of a proof: chosen evenly from all that is measured, always the same."""
    from mynah.data.preparation.prepare import prepare

    settings = request.settings
    data = prepare(
        settings.data, offline=settings.offline, working_directory=request.working, train=False
    )
    corpora = list(data.evaluation.values())
    share = -(-request.utterances // len(corpora))
    samples = [one for corpus in corpora for one in _of_corpus(corpus, share)]
    return samples[: request.utterances]


def _of_corpus(corpus: Corpus, most: int) -> list[Sample]:
    import numpy as np

    rows = np.unique(np.linspace(0, len(corpus) - 1, min(most, len(corpus))).round().astype(int))
    speakers, languages, contexts = corpus.speakers, corpus.languages, corpus.contexts
    return [
        Sample(
            corpus.ids[row],
            corpus.texts[row],
            corpus.read_audio(row),
            speakers[row],
            languages[row],
            float(corpus.durations[row]),
            contexts[row],
        )
        for row in rows.tolist()
    ]


def _decoded(
    family: Family, samples: Sequence[Sample], description: str
) -> tuple[Said, list[Sample]]:
    """What our model says, and the samples with the language that it was conditioned on."""
    from mynah.models.transcript import Clip

    texts, known = [], []
    started = time.perf_counter()
    with console.progress(description, len(samples), "utterances") as done:
        for sample in samples:
            (found,) = family.transcribe([Clip(sample.audio, sample.language, sample.context)])
            texts.append(found.text)
            known.append(dataclasses.replace(sample, language=found.language or sample.language))
            done()
    return Said(texts, time.perf_counter() - started), known


def _described(samples: Sequence[Sample]) -> str:
    seconds = sum(sample.seconds for sample in samples)
    return f"{len(samples)} utterances ({seconds / 60:.1f} minutes)"


def _advice(request: ExportRequest) -> str:
    model = request.settings.model
    if model.language_model != "none":
        return f"prove it without n-grams: mynah export {request.named} model.language_model=none"
    return "train it with model.audio_window=native, which is how other programs run it"
