"""transformers' own layout, adapters folded in: what its pipeline, vLLM and others open."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mynah.errors import UserError
from mynah.export.onnx import of_ctc, single_inputs
from mynah.export.runtimes import Program, start
from mynah.export.target import DecodingWay, Said, Sample, Target
from mynah.export.whisper import greedy_in_window, of_whisper, sample_languages, window_features
from mynah.models.text.tokenizers import text_of

if TYPE_CHECKING:
    from mynah.models.family import Family

TRANSFORMERS = Program("transformers", "transformers_folder", {"transformers": "transformers"})

_USAGE = """
from transformers import pipeline

recognize = pipeline("automatic-speech-recognition", ".")
print(recognize("call.wav", generate_kwargs={"num_beams": 1})["text"])
"""


class Safetensors(Target):
    """A folder of transformers that needs nothing of Mynah."""

    name: ClassVar[str] = "safetensors"
    about: ClassVar[str] = "Whisper and CTC models for transformers, vLLM and what builds on them"
    dtypes: ClassVar[tuple[str, ...]] = ("float32",)
    exact: ClassVar[frozenset[str]] = frozenset({"float32"})
    programs: ClassVar[tuple[Program, ...]] = (TRANSFORMERS,)
    usage: ClassVar[str] = _USAGE

    def check(self, family: Family) -> None:
        kind = family.model.config.model_type
        if kind != "whisper" and family.name != "ctc":
            raise UserError(
                f"{self.name} holds Whisper and CTC models, and this is a {kind}.",
                where=f"--to {self.name}",
                fix="mynah merge writes it for transformers, without proof",
            )

    def plain(self, family: Family) -> Family:
        if family.name == "ctc":
            ctc = of_ctc(family)
            ctc.decode_greedily()
            return ctc
        return greedy_in_window(family)

    def write(self, family: Family, folder: Path, dtype: str) -> None:
        family.save(folder)

    def graph(self, family: Family, folder: Path, samples: Sequence[Sample]) -> list[str] | None:
        arrays: dict[str, np.ndarray] = {}
        frames = []
        for position, sample in enumerate(samples):
            if family.name == "ctc":
                batch, length = single_inputs(of_ctc(family), sample.audio)
                frames.append(length)
                arrays |= {f"{position} {name}": one.numpy() for name, one in batch.items()}
            else:
                features = window_features(of_whisper(family), sample.audio)
                arrays[f"{position} input_features"] = features[None]
        lines, logits = start(
            TRANSFORMERS,
            folder,
            arrays=arrays,
            recordings=len(samples),
            generates=family.name != "ctc",
            tasks=_tasks(family, samples),
        )
        if family.name == "ctc":
            ctc = of_ctc(family)
            return [ctc.written(logits[str(row)][: frames[row]]) for row in range(len(samples))]
        tokenizer = of_whisper(family).tokenizer
        return [text_of(tokenizer, line["tokens"]) for line in lines]

    def run(
        self, program: Program, family: Family, folder: Path, samples: Sequence[Sample], *,
        way: DecodingWay, dtype: str,
    ) -> Said:  # fmt: skip
        lines, _ = start(
            program,
            folder,
            audios=[sample.audio for sample in samples],
            sample_rate=family.sample_rate,
            generates=family.name != "ctc",
            tasks=_tasks(family, samples),
            greedy=way.greedy,
        )
        return Said([line["text"] for line in lines], sum(line["seconds"] for line in lines))


def _tasks(family: Family, samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """What a decoder is conditioned on for each recording, as transformers takes it."""
    if family.name == "ctc" or not of_whisper(family).prompts.languages:
        return [{} for _ in samples]
    whisper = of_whisper(family)
    task = whisper.usage.task or "transcribe"
    return [{"language": one or None, "task": task} for one in sample_languages(whisper, samples)]
