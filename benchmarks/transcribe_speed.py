"""How fast Whisper tiny.en transcribes here, beside transformers' pipeline and faster-whisper.

    python benchmarks/transcribe_speed.py --data an4

Clips are transcribed greedily by each program in turn, again and again: on a busy machine all of
them wait alike, and what counts is the median of each round's ratios. The pipeline is given the
batch size that is its best here. Tuned models run at the clips' true length with a tail of silence;
that takes as long whatever they learned, so it is the base that runs so here.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import turns

if TYPE_CHECKING:
    from mynah.models.family import Family

Transcriber = Callable[[Sequence[np.ndarray]], list[str]]
_RATE = 16000
_BATCHES = (1, 4, 8)  # of the pipeline, of which the fastest is taken


def main() -> None:
    """Print the median speed of each program, and the ratios of each round's times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", metavar="FOLDER", required=True, help="recordings, 16 kHz")
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()

    import torch

    torch.set_num_threads(asked.threads)
    clips = recordings(Path(asked.data), asked.clips)
    seconds = sum(map(len, clips)) / _RATE
    print(f"{len(clips)} clips, {seconds:.1f} s, {asked.threads} threads, {asked.rounds} rounds")
    with tempfile.TemporaryDirectory() as place:
        programs = all_programs(Path(place), clips, asked.threads)
        times = interleaved(programs, clips, asked.rounds)
    for name, taken in times.items():
        middle = statistics.median(taken)
        print(f"{name:36} {middle:7.2f} s  {seconds / middle:6.1f} × real time")
    ours, tuned = "Mynah, native window", "Mynah, true length"
    for first, other in ((ours, "pipeline"), (ours, "faster-whisper"), (tuned, "pipeline")):
        theirs = next(name for name in times if name.startswith(other))
        middle, least, most = turns.ratios(times[first], times[theirs])
        print(f"{first} is {middle:.2f} times as fast as {theirs} ({least:.2f} to {most:.2f})")


def recordings(folder: Path, count: int) -> list[np.ndarray]:
    """Clips of a folder, evenly chosen: float32 [samples] each."""
    import soundfile

    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower().lstrip(".") in ("wav", "flac", "sph", "ogg")
    )
    chosen = [files[int(place)] for place in np.linspace(0, len(files) - 1, count)]
    found = []
    for path in chosen:
        audio, rate = soundfile.read(path, dtype="float32")
        assert rate == _RATE, f"{path} has {rate} hertz"
        found.append(audio)
    return found


def all_programs(place: Path, clips: Sequence[np.ndarray], threads: int) -> dict[str, Transcriber]:
    """Everything that is timed, loaded, by name."""
    from mynah.export.ctranslate2 import CTranslate2

    native = mynah(audio_window="native")
    for name in ("transformers", "ctranslate2"):
        (place / name).mkdir()
    native.save(place / "transformers")
    CTranslate2().write(native, place / "ctranslate2", "float32")
    pipelines = {batch: pipeline_of(place / "transformers", batch) for batch in _BATCHES}
    best = min(pipelines, key=lambda batch: timed(pipelines[batch], clips))
    return {
        "Mynah, native window": transcriber(native),
        "Mynah, true length": transcriber(mynah(audio_window="clip", audio_tail_seconds=5.0)),
        f"pipeline, batches of {best}": pipelines[best],
        "faster-whisper, float32": faster_whisper(place / "ctranslate2", threads),
    }


def mynah(**settings: Any) -> Family:
    """Whisper tiny.en, greedy."""
    from mynah.config.schema import ModelConfig
    from mynah.models import registry

    config = ModelConfig(pretrained="openai/whisper-tiny.en", **settings)
    family = registry.build(config, texts=[], sample_rate=_RATE, offline=True)
    family.model.generation_config.num_beams = 1
    family.model.eval()
    return family


def transcriber(family: Family) -> Transcriber:
    """A model as ``mynah eval`` runs it: clips of similar length together."""
    from mynah.models.transcript import Clip

    return lambda clips: [one.text for one in family.transcribe([Clip(audio) for audio in clips])]


def pipeline_of(folder: Path, batch: int) -> Transcriber:
    """transformers' pipeline."""
    from transformers import pipeline

    recognize = pipeline("automatic-speech-recognition", str(folder), dtype="float32")

    def transcribe(clips: Sequence[np.ndarray]) -> list[str]:
        given = ({"raw": clip, "sampling_rate": _RATE} for clip in clips)
        found: Any = recognize(given, batch_size=batch, generate_kwargs={"num_beams": 1})  # type: ignore[arg-type]
        return [one["text"] for one in found]

    return transcribe


def faster_whisper(folder: Path, threads: int) -> Transcriber:
    """faster-whisper, one pass without fallback or times."""
    from faster_whisper import WhisperModel

    model = WhisperModel(
        str(folder), device="cpu", compute_type="float32", cpu_threads=threads,
        local_files_only=True,
    )  # fmt: skip
    greedy: dict[str, Any] = {
        "beam_size": 1, "best_of": 1, "temperature": 0.0, "without_timestamps": True,
        "condition_on_previous_text": False, "compression_ratio_threshold": None,
        "log_prob_threshold": None, "no_speech_threshold": None,
    }  # fmt: skip

    def transcribe(clips: Sequence[np.ndarray]) -> list[str]:
        found = (model.transcribe(clip, language="en", **greedy)[0] for clip in clips)
        return ["".join(segment.text for segment in segments) for segments in found]

    return transcribe


def interleaved(
    programs: dict[str, Transcriber], clips: Sequence[np.ndarray], rounds: int
) -> dict[str, list[float]]:
    """Seconds of each program in each round, all of them once before."""
    for program in programs.values():
        program(clips[:1])
    ways = {name: partial(program, clips) for name, program in programs.items()}
    return turns.in_turns(ways, rounds)


def timed(program: Transcriber, clips: Sequence[np.ndarray]) -> float:
    """Seconds that it takes."""
    started = time.perf_counter()
    assert len(program(clips)) == len(clips)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
