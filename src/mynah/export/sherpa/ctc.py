"""sherpa-onnx's layout of a CTC recognizer: one graph from samples, and the names of its labels.

sherpa-onnx computes features of its own for every kind of CTC model but one: Omnilingual ASR's,
whose graph takes samples, centred and scaled (csrc/offline-omnilingual-asr-ctc-model.cc). An export
is of that kind, and computes the features that the model was trained on itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from mynah.errors import UserError
from mynah.export.onnx import (
    BUILDER,
    FILE,
    ONNXRUNTIME,
    as_traced,
    of_ctc,
    traced_clip,
    write_graph,
)
from mynah.export.runtimes import Program, start
from mynah.export.sherpa.whisper import SHERPA, SherpaWhisper
from mynah.export.target import DecodingWay, Said, Sample, Target, check_holds
from mynah.export.whisper import is_whisper
from mynah.models.text.tokenizers import pieces_of

if TYPE_CHECKING:
    from mynah.models.ctc.family import CTC
    from mynah.models.family import Family

TOKENS = "tokens.txt"
_RATE = 16000  # sherpa-onnx resamples recordings to it for this kind of model
_BLANK = "<blk>"

_USAGE = """
import sherpa_onnx
import soundfile

recognizer = sherpa_onnx.OfflineRecognizer.from_omnilingual_asr_ctc("model.onnx", "tokens.txt")
audio, rate = soundfile.read("call.wav", dtype="float32")
stream = recognizer.create_stream()
stream.accept_waveform(rate, audio)
recognizer.decode_stream(stream)
print(stream.result.text.strip())
"""


class SherpaOnnx(Target):
    """``model.onnx`` from samples to logits, with ``tokens.txt``."""

    name: ClassVar[str] = "sherpa-onnx"
    about: ClassVar[str] = (
        "CTC models and Whisper for sherpa-onnx: phones, the browser, Raspberry Pi"
    )
    dtypes: ClassVar[tuple[str, ...]] = ("float32",)
    exact: ClassVar[frozenset[str]] = frozenset({"float32"})
    programs: ClassVar[tuple[Program, ...]] = (SHERPA,)
    usage: ClassVar[str] = _USAGE
    builder: ClassVar[Program | None] = BUILDER

    def for_model(self, family: Family) -> Target:
        return SherpaWhisper() if is_whisper(family) else self

    def check(self, family: Family) -> None:
        from mynah.export.sherpa.sound_graph import features_of

        check_holds(self.name, "CTC and Whisper", family, fits=family.name == "ctc")
        ctc = of_ctc(family)
        if features_of(ctc) is None:
            raise UserError(
                f"{self.name} takes no model with a "
                f"{type(ctc.processor.feature_extractor).__name__}: its features are not computed "
                "in a graph.",
                where=f"--to {self.name}",
                fix="--to onnx",
            )
        if ctc.sample_rate != _RATE:
            raise UserError(
                f"{self.name} gives a model {_RATE} hertz, and this one takes {ctc.sample_rate}.",
                where=f"--to {self.name}",
                fix="--to onnx",
            )

    def plain(self, family: Family) -> Family:
        return as_traced(family)

    def write(self, family: Family, folder: Path, dtype: str) -> None:
        import torch

        from mynah.export.sherpa.sound_graph import FromSound, features_of

        ctc = of_ctc(family)
        features = features_of(ctc)
        assert features is not None
        written = pieces_of(ctc.tokenizer)
        labels = range(int(ctc.model.config.vocab_size))
        silent = [label for label in labels if label not in written and label != ctc.blank]
        samples = torch.from_numpy(traced_clip(ctc))[None]
        module = FromSound(ctc, features, silent)
        write_graph(ctc, module, {"samples": samples}, [{1: "time"}], folder / FILE)
        (folder / TOKENS).write_text(_tokens(ctc), encoding="utf-8")

    def graph(self, family: Family, folder: Path, samples: Sequence[Sample]) -> list[str] | None:
        from mynah.export.sherpa.sound_graph import USUAL_DEVIATION

        ctc = of_ctc(family)
        arrays = {
            f"{position} samples": sample.audio[None] / USUAL_DEVIATION
            for position, sample in enumerate(samples)
        }
        _, logits = start(ONNXRUNTIME, folder / FILE, arrays=arrays, recordings=len(samples))
        return [ctc.written(logits[str(position)]) for position in range(len(samples))]

    def run(
        self, program: Program, family: Family, folder: Path, samples: Sequence[Sample], *,
        way: DecodingWay, dtype: str,
    ) -> Said:  # fmt: skip
        audios = [sample.audio for sample in samples]
        lines, _ = start(program, folder, audios=audios, sample_rate=family.sample_rate)
        return Said([line["text"] for line in lines], sum(line["seconds"] for line in lines))


def _tokens(family: CTC) -> str:
    """A line for each label; sherpa-onnx writes a space for ``▁``."""
    written = pieces_of(family.tokenizer)
    lines = []
    for label in range(int(family.model.config.vocab_size)):
        name = written.get(label, "").replace(" ", "▁") or f"<{label}>"
        lines.append(f"{_BLANK if label == family.blank else name} {label}\n")
    return "".join(lines)
