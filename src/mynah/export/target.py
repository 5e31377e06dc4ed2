"""A layout that a model can be written in, and how it is shown to say the same there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from mynah.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from mynah.export.runtimes import Program
    from mynah.models.family import Family


@dataclass(frozen=True)
class Sample:
    """An utterance that a proof is made on.

    Attributes:
        id: The utterance's id in its corpus.
        reference: Its transcript.
        audio: float32 [samples].
        speaker: Who speaks, or None.
        language: ISO 639-1 code, "" where it is not known.
        seconds: How long it is.
        context: Names and terms that may be said in it.
    """

    id: str
    reference: str
    audio: np.ndarray
    speaker: str | None
    language: str
    seconds: float
    context: str = ""


@dataclass(frozen=True)
class Said:
    """What a program recognized in the samples.

    Attributes:
        texts: A transcript a sample, in order.
        seconds: What it took, loading apart.
    """

    texts: list[str]
    seconds: float


@dataclass(frozen=True)
class DecodingWay:
    """How a program decodes.

    Attributes:
        name: Behind the program's name; "" where a layout's programs decode in one way.
        greedy: One pass; else the program's defaults.
        compute: What the program computes in; None: as the weights are stored.
    """

    name: str
    greedy: bool = True
    compute: str | None = None


GREEDY, DEFAULTS = DecodingWay("greedy"), DecodingWay("its defaults", greedy=False)


class Target(ABC):
    """One layout.

    Attributes:
        name: As ``--to`` takes it.
        about: What it is for, in a few words.
        dtypes: What weights can be stored in, the one that is taken by default first.
        exact: Those of them in which every transcript has to be the same.
        programs: What people run it with.
        ways: How they decode: the first is checked, what the others cost is shown.
        usage: Code that opens it, for its card.
        builder: What writes it, where that is a package of its own.
        keeps_adapters: Whether it holds LoRA matrices as they are; else they are folded in.
        approximate: Why its programs come only near to what was measured, "" where they do not.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    dtypes: ClassVar[tuple[str, ...]]
    exact: ClassVar[frozenset[str]]
    programs: ClassVar[tuple[Program, ...]] = ()
    ways: ClassVar[tuple[DecodingWay, ...]] = (DecodingWay(""),)
    usage: ClassVar[str]
    builder: ClassVar[Program | None] = None
    keeps_adapters: ClassVar[bool] = False
    approximate: ClassVar[str] = ""

    def for_model(self, family: Family) -> Target:
        """The layout as it is of a model, where it is not the same for all."""
        return self

    @abstractmethod
    def check(self, family: Family) -> None:
        """Find a model that the layout cannot hold.

        Raises:
            UserError: It cannot; what can is named.
        """

    def plain(self, family: Family) -> Family:
        """The model as programs of this layout decode: greedy, at its native window.

        Args:
            family: A model without adapters.
        """
        return family

    @abstractmethod
    def write(self, family: Family, folder: Path, dtype: str) -> None:
        """Write what :meth:`plain` gave into an empty folder."""

    def graph(self, family: Family, folder: Path, samples: Sequence[Sample]) -> list[str] | None:
        """Transcripts of the written graph, from the features that our model takes.

        Returns:
            One a sample; None where the layout's programs take no features.
        """
        return None

    def run(
        self, program: Program, family: Family, folder: Path, samples: Sequence[Sample], *,
        way: DecodingWay, dtype: str,
    ) -> Said:  # fmt: skip
        """What a program makes of recordings.

        Args:
            program: One of :attr:`programs`.
            family: The model that was written.
            folder: Where it was written to.
            samples: The recordings.
            way: One of :attr:`ways`.
            dtype: What it was stored in.
        """
        raise NotImplementedError(f"{self.name} is run by no program")


def check_holds(target: str, models: str, family: Family, *, fits: bool) -> None:
    """Refuse a model that a layout does not hold.

    Args:
        target: The layout's name.
        models: What it holds, as a person reads it.
        family: The model.
        fits: Whether it is one of these.

    Raises:
        UserError: It is not; the layouts that hold it are named.
    """
    if not fits:
        fitting = layouts_for(family)
        raise UserError(
            f"{target} holds {models} models, and this is a {family.model.config.model_type}.",
            where=f"--to {target}",
            fix=f"--to {fitting[0]}" if fitting else "mynah merge writes it for transformers",
        )


def layouts_for(family: Family) -> list[str]:
    """Names of the layouts that can hold a model, the likeliest first."""
    if family.model.config.model_type == "whisper":
        return ["ctranslate2", "ggml", "sherpa-onnx", "safetensors"]
    return ["onnx", "sherpa-onnx", "safetensors"] if family.name == "ctc" else []
