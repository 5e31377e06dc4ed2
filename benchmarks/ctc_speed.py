"""How fast a CTC model transcribes files, beside transformers' pipeline and bare forward passes.

    python benchmarks/ctc_speed.py data=an4 data.path=AN4

From the files of an evaluation set to all transcripts, greedy, in one process: as `mynah eval`
decodes them; by the pipeline, which is given what soundfile reads, as the files come and longest
first, each in batches of the size that is its best here; and the forward passes of our batches
alone, features in memory. What the model has learned changes none of it, so that its weights are
random. They take turns: on a busy machine all wait alike, and what counts is the median of the
turns' ratios.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import turns

from mynah.data.corpus import Corpus
from mynah.models.ctc.family import CTC

_BATCHES = (1, 4, 8, 16, 32)  # of the pipeline, of which the fastest is taken


def main() -> None:
    """Print the median speed of each, and the ratios of each turn's times."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()

    import torch

    from mynah.config.hydra.compose import compose
    from mynah.config.schema import ModelConfig
    from mynah.data.preparation.prepare import prepare
    from mynah.evaluation.decoding.decode import decode
    from mynah.models import registry

    torch.set_num_threads(asked.threads)
    given = ["model=fastconformer", "model.language_model=none", *asked.settings]
    config = compose(given).config
    data = prepare(config.data, working_directory=Path.cwd(), train=False)
    corpus = next(iter(data.evaluation.values()))
    assert isinstance(config.model, ModelConfig)
    torch.manual_seed(0)
    family = registry.build(
        config.model, texts=corpus.texts, sample_rate=corpus.sample_rate, offline=True
    )
    assert isinstance(family, CTC)
    family.configure_decoding(config.model)
    family.model.eval()
    seconds = corpus.hours * 3600
    print(f"{len(corpus)} utterances, {seconds:.0f} s, {asked.threads} threads")

    def ours() -> list[str]:
        batch = config.training.eval_batch_seconds
        return [one.text for one in decode(family, corpus, batch_seconds=batch, progress=False)]

    recognize = pipeline_of(family)
    longest_first = sorted(range(len(corpus)), key=lambda row: -float(corpus.durations[row]))
    ways: dict[str, Callable[[], object]] = {"Mynah": ours}
    for order, rows in (("as they come", range(len(corpus))), ("longest first", longest_first)):
        sized = {size: partial(through_pipeline, recognize, corpus, rows, size)
                 for size in _BATCHES}  # fmt: skip
        best = min(sized, key=lambda size: seconds_of(sized[size]))
        ways[f"pipeline, {order}, batches of {best}"] = sized[best]
    ways["bare forward passes"] = forward_passes(family, ours)
    for way in ways.values():
        way()
    times = turns.in_turns(ways, asked.turns)
    for name, taken in times.items():
        middle = statistics.median(taken)
        print(f"{name:40} {middle:7.2f} s  {seconds / middle:7.1f} x real time")
    for name in list(times)[1:]:
        middle, least, most = turns.ratios(times["Mynah"], times[name])
        print(f"Mynah is {middle:.2f} times as fast as {name} ({least:.2f} to {most:.2f})")


def pipeline_of(family: CTC) -> Any:
    """transformers' pipeline around the same model."""
    from transformers import pipeline

    return pipeline(
        "automatic-speech-recognition",
        family.model,
        feature_extractor=family.processor.feature_extractor,
        tokenizer=family.tokenizer,
        device="cpu",
    )


def through_pipeline(recognize: Any, corpus: Corpus, rows: Sequence[int], size: int) -> list[str]:
    """What the pipeline makes of the files."""
    import soundfile

    def recordings() -> Iterator[dict[str, Any]]:
        for row in rows:
            path = corpus.audio_file(row)
            assert path is not None, "the pipeline is given files"
            audio, rate = soundfile.read(path, dtype="float32")
            yield {"raw": audio, "sampling_rate": rate}

    return [one["text"] for one in recognize(recordings(), batch_size=size)]


def seconds_of(way: Callable[[], object]) -> float:
    """Seconds that it takes the second time, when what is loaded late is there."""
    way()
    started = time.perf_counter()
    way()
    return time.perf_counter() - started


def forward_passes(family: CTC, decoding: Callable[[], object]) -> Callable[[], None]:
    """The forward passes that a decoding makes, with the same batches in memory."""
    import torch

    batches: list[dict[str, torch.Tensor]] = []
    hook = family.model.register_forward_pre_hook(
        lambda module, given, named: batches.append(named), with_kwargs=True
    )
    decoding()
    hook.remove()

    def passes() -> None:
        with torch.inference_mode():
            for batch in batches:
                family.model(**batch)

    return passes


if __name__ == "__main__":
    main()
