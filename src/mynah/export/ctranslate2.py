"""CTranslate2's layout of a Whisper, which faster-whisper and WhisperX open."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from mynah.export.runtimes import Program, start
from mynah.export.target import DEFAULTS, GREEDY, DecodingWay, Said, Sample, Target
from mynah.export.whisper import (
    check_whisper,
    greedy_in_window,
    of_whisper,
    run_whisper,
    window_features,
)
from mynah.models.text.tokenizers import text_of

if TYPE_CHECKING:
    from mynah.models.family import Family

GRAPH = Program("CTranslate2", "ctranslate2_graph", {"ctranslate2": "ctranslate2"})
FASTER_WHISPER = Program(
    "faster-whisper",
    "faster_whisper",
    {"faster-whisper": "faster_whisper", "ctranslate2": "ctranslate2"},
)
_MOST_TOKENS = 448  # prompt and transcript; Whisper's decoder holds no more
INT8 = DecodingWay("greedy, int8", compute="int8")  # what ``compute_type`` makes of any weights
_COMPUTES = {"float32": "float32", "float16": "float32", "int8": "int8"}  # on a CPU

_USAGE = """
from faster_whisper import WhisperModel

segments, _ = WhisperModel(".", compute_type="float32").transcribe("call.wav")
print(" ".join(segment.text.strip() for segment in segments))
"""


class CTranslate2(Target):
    """``model.bin`` with what faster-whisper opens beside it."""

    name: ClassVar[str] = "ctranslate2"
    about: ClassVar[str] = "Whisper for faster-whisper, WhisperX and CTranslate2"
    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float16", "int8")
    exact: ClassVar[frozenset[str]] = frozenset({"float32"})
    programs: ClassVar[tuple[Program, ...]] = (FASTER_WHISPER,)
    ways: ClassVar[tuple[DecodingWay, ...]] = (GREEDY, DEFAULTS, INT8)
    usage: ClassVar[str] = _USAGE
    builder: ClassVar[Program | None] = GRAPH

    def check(self, family: Family) -> None:
        check_whisper(family, self.name)

    def plain(self, family: Family) -> Family:
        return greedy_in_window(family)

    def write(self, family: Family, folder: Path, dtype: str) -> None:
        from ctranslate2.converters import TransformersConverter

        with tempfile.TemporaryDirectory(prefix="mynah-export-") as place:
            read, made = Path(place) / "transformers", Path(place) / "made"
            read.mkdir()
            family.save(read)
            converter = TransformersConverter(str(read))
            converter.convert(str(made), quantization=None if dtype == "float32" else dtype)
            for path in sorted(made.iterdir()):
                shutil.move(path, folder / path.name)
        # Without these two faster-whisper asks the hub, or takes 80 mel bins for granted.
        whisper = of_whisper(family)
        whisper.processor.feature_extractor.save_pretrained(folder)
        whisper.tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))

    def graph(self, family: Family, folder: Path, samples: Sequence[Sample]) -> list[str] | None:
        whisper = of_whisper(family)
        lines, _ = start(
            GRAPH,
            folder,
            audios=[window_features(whisper, sample.audio) for sample in samples],
            prompts=[whisper.prompts.ids(sample.language) for sample in samples],
            most_tokens=_MOST_TOKENS,
            compute_type="float32",
        )
        return [text_of(whisper.tokenizer, line["tokens"]) for line in lines]

    def run(
        self, program: Program, family: Family, folder: Path, samples: Sequence[Sample], *,
        way: DecodingWay, dtype: str,
    ) -> Said:  # fmt: skip
        return run_whisper(
            program,
            of_whisper(family),
            folder,
            samples,
            greedy=way.greedy,
            compute_type=way.compute or _COMPUTES[dtype],
        )
