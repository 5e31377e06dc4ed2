"""A CTC recognizer as an ONNX graph, from what its feature extractor gives to logits.

torch's dynamo exporter with eager attention: the older exporter says nothing and is off by 4 to 6
in the logits, and with scaled-dot-product attention dynamo fails.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mynah.errors import UserError
from mynah.export.runtimes import Program, start
from mynah.export.target import DecodingWay, Said, Sample, Target, check_holds

if TYPE_CHECKING:
    import torch

    from mynah.models.ctc.family import CTC
    from mynah.models.family import Family

FILE = "model.onnx"
BUILDER = Program("The ONNX exporter", "onnx_runtime", {"onnx": "onnx", "onnxscript": "onnxscript"})
ONNXRUNTIME = Program("onnxruntime", "onnx_runtime", {"onnxruntime": "onnxruntime"})
_MASK = "attention_mask"
_MOST_IN_ONE_FILE = 1 << 30  # bytes of weights; a file of this format holds 2 GiB at most
_TRACED_SECONDS = 3.1  # of the two clips that the graph is traced with

_USAGE = """
from itertools import groupby

import onnxruntime
import soundfile
from transformers import AutoProcessor

processor = AutoProcessor.from_pretrained(".")
session = onnxruntime.InferenceSession("model.onnx")
audio, rate = soundfile.read("call.wav", dtype="float32")
masked = any(one.name == "attention_mask" for one in session.get_inputs())
inputs = processor.feature_extractor(
    audio, sampling_rate=rate, return_tensors="np", return_attention_mask=masked
)
dtypes = {"tensor(int64)": "int64", "tensor(float)": "float32"}
given = {one.name: inputs[one.name].astype(dtypes[one.type]) for one in session.get_inputs()}
(logits,) = session.run(["logits"], given)
blank = processor.tokenizer.pad_token_id
labels = [label for label, _ in groupby(logits[0].argmax(-1)) if label != blank]
print(processor.tokenizer.decode(labels, skip_special_tokens=True, group_tokens=False))
"""


class Onnx(Target):
    """``model.onnx`` with its processor, greedy decoding left to who runs it."""

    name: ClassVar[str] = "onnx"
    about: ClassVar[str] = "CTC models for onnxruntime"
    dtypes: ClassVar[tuple[str, ...]] = ("float32",)
    exact: ClassVar[frozenset[str]] = frozenset({"float32"})
    programs: ClassVar[tuple[Program, ...]] = (ONNXRUNTIME,)
    usage: ClassVar[str] = _USAGE
    builder: ClassVar[Program | None] = BUILDER

    def check(self, family: Family) -> None:
        check_ctc(family, self.name)

    def plain(self, family: Family) -> Family:
        return as_traced(family)

    def write(self, family: Family, folder: Path, dtype: str) -> None:
        ctc = of_ctc(family)
        _export(ctc, folder / FILE)
        ctc.processor.save_pretrained(folder)

    def graph(self, family: Family, folder: Path, samples: Sequence[Sample]) -> list[str] | None:
        return self._run(of_ctc(family), folder, samples).texts

    def run(
        self, program: Program, family: Family, folder: Path, samples: Sequence[Sample], *,
        way: DecodingWay, dtype: str,
    ) -> Said:  # fmt: skip
        return self._run(of_ctc(family), folder, samples)

    def _run(self, family: CTC, folder: Path, samples: Sequence[Sample]) -> Said:
        arrays: dict[str, np.ndarray] = {}
        frames = []
        for position, sample in enumerate(samples):
            batch, length = single_inputs(family, sample.audio)
            frames.append(length)
            arrays |= {f"{position} {name}": one.numpy() for name, one in batch.items()}
        lines, logits = start(ONNXRUNTIME, folder / FILE, arrays=arrays, recordings=len(samples))
        texts = [
            family.written(logits[str(position)][: frames[position]])
            for position in range(len(samples))
        ]
        return Said(texts, sum(line["seconds"] for line in lines))


def check_ctc(family: Family, target: str) -> None:
    """Find a model that is not a CTC model.

    Raises:
        UserError: It is not one; the layouts that hold it are named.
    """
    check_holds(target, "CTC", family, fits=family.name == "ctc")


def of_ctc(family: Family) -> CTC:
    """A family that :func:`check_ctc` let pass."""
    from mynah.models.ctc.family import CTC

    assert isinstance(family, CTC)
    return family


def as_traced(family: Family) -> CTC:
    """A CTC model as its graph is made: greedy, its attention written out, which alone exports."""
    ctc = of_ctc(family)
    ctc.decode_greedily()
    ctc.model.set_attn_implementation("eager")
    return ctc


def single_inputs(family: CTC, audio: np.ndarray) -> tuple[dict[str, torch.Tensor], int]:
    """What the model takes of one recording, and how many frames come of it."""
    features = family.features(audio)
    frames = int(family.frontend.encoder_frames([len(features)])[0])
    return _batch(family, [features]), frames


def _batch(family: CTC, features: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
    """Tensors of clips; without a mask where the feature extractor gives none, not padded."""
    import torch

    extractor = family.processor.feature_extractor
    if not getattr(extractor, "return_attention_mask", True):
        return {extractor.model_input_names[0]: torch.from_numpy(np.stack(features))}
    quantum = family.frontend.quantum
    longest = -(-max(map(len, features)) // quantum) * quantum
    batch = family.frontend.pad(features, longest)
    return {name: one.to(torch.int64) if name == _MASK else one for name, one in batch.items()}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter says of packages that no recognizer needs."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def _refusing(family: Family) -> Iterator[None]:
    """Say in a few lines that a model cannot be exported."""
    import torch

    try:
        yield
    except torch.onnx.errors.OnnxExporterError as error:
        raise UserError(
            f"torch {torch.__version__} cannot write this {family.model.config.model_type} as an "
            "ONNX graph.",
            where=str(error).partition("\n")[0],
            fix="use the model with transformers: mynah merge, or the checkpoint as it is",
        ) from error


def _export(family: CTC, path: Path) -> None:
    import torch

    class Logits(torch.nn.Module):
        """The model as a graph takes it: tensors in, logits out."""

        def __init__(self, model: Any, names: Sequence[str]) -> None:
            super().__init__()
            self.model, self.names = model, names

        def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
            given = dict(zip(self.names, tensors, strict=True))
            if _MASK in given:
                given[_MASK] = given[_MASK].bool()
            found: torch.Tensor = self.model(**given).logits
            return found

    batch = _batch(family, [family.features(traced_clip(family))] * 2)
    names = list(batch)
    write_graph(
        family,
        Logits(family.model.eval().cpu(), names),
        batch,
        [{0: "batch", 1: "time"} for _ in names],
        path,
    )


def traced_clip(family: CTC) -> np.ndarray:
    """float32 [samples] of noise that a graph is traced with."""
    samples = round(_TRACED_SECONDS * family.sample_rate)
    return np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)


def write_graph(
    family: Family,
    module: torch.nn.Module,
    inputs: Mapping[str, torch.Tensor],
    dimensions: Sequence[Mapping[int, str]],
    path: Path,
    *,
    outputs: Sequence[str] = ("logits",),
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a module as an ONNX graph.

    Args:
        family: The model in it, for messages.
        module: Takes the inputs in their order.
        inputs: Tensors by name that it is traced with.
        dimensions: Of each input the dimensions of any size, with their names.
        path: The file to write.
        outputs: Names of what it gives.
        metadata: What else the graph says of the model.

    Raises:
        UserError: torch cannot.
    """
    import torch

    class Called(torch.nn.Module):
        """The module with its inputs in one list, whatever they are called in it."""

        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, *tensors: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
            found: torch.Tensor | tuple[torch.Tensor, ...] = self.module(*tensors)
            return found

    with torch.no_grad(), _quiet(), _refusing(family):
        written = torch.onnx.export(
            Called().eval(),
            tuple(inputs.values()),
            dynamo=True,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=(tuple(dict(one) for one in dimensions),),
            verbose=False,
        )
    assert written is not None
    written.model.metadata_props.update(metadata or {})
    held = sum(tensor.numel() * tensor.element_size() for tensor in module.state_dict().values())
    written.save(str(path), external_data=held > _MOST_IN_ONE_FILE)
