"""The record of a sequence-to-sequence recognizer: all that differs between architectures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from mynah.models.features.frontends import Frontend, frontend_for
from mynah.models.pretrained import hub
from mynah.models.seq2seq.prompts import FixedPrompts, Prompts, start_token

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedModel, SequenceFeatureExtractor

    from mynah.models.pretrained.part import PretrainedPart


class MakesPrompts(Protocol):
    """From a model to the first tokens of its decoder."""

    def __call__(
        self,
        model: PreTrainedModel,
        processor: Any,
        language: str | None,
        task: str | None,
        *,
        timed: bool,
    ) -> Prompts:
        """Prompts under these settings.

        Args:
            model: The model, with its generation config.
            processor: Its processor, or what holds its ``tokenizer``.
            language: ``model.language``.
            task: ``model.task``.
            timed: ``model.timestamps``; false where the record does not write them.

        Raises:
            UserError: The model does not support this language or task.
        """


class MakesFrontend(Protocol):
    """From a feature extractor to what makes the encoder's input with it."""

    def __call__(
        self, extractor: SequenceFeatureExtractor, model: PreTrainedModel, *, window: str
    ) -> Frontend:
        """The frontend.

        Args:
            extractor: The model's feature extractor.
            model: The model; only its configuration is kept.
            window: ``"native"`` or ``"clip"``, for models that have a window.
        """


class LoadsProcessor(Protocol):
    """From where a model is to its processor, with its ``feature_extractor`` and ``tokenizer``."""

    def __call__(self, part: PretrainedPart) -> Any:
        """The processor.

        Raises:
            OSError, ValueError, TypeError: It has none.
        """


class ChecksLanguages(Protocol):
    """Looks at the languages that settings name, before anything is prepared."""

    def __call__(self, part: PretrainedPart, named: Mapping[str, str]) -> None:
        """Raise where the model does not know one.

        Args:
            part: The model.
            named: Languages by the setting that names them.

        Raises:
            UserError: It does not.
        """


class WritesFiles(Protocol):
    """Writes files beside a model that its processor does not save, and other programs open."""

    def __call__(self, processor: Any, directory: Path) -> None: ...


def fixed_prompts(
    model: PreTrainedModel, processor: Any, language: str | None, task: str | None, *, timed: bool
) -> Prompts:
    """The start token alone."""
    return FixedPrompts(start_token(model), language, task)


def frontend_by_extractor(
    extractor: SequenceFeatureExtractor, model: PreTrainedModel, *, window: str
) -> Frontend:
    """The frontend that all families have for a kind of feature extractor."""
    return frontend_for(extractor, model.get_encoder())


def seq2seq_processor(part: PretrainedPart) -> Any:
    """The processor that transformers finds beside a model."""
    from transformers import AutoProcessor

    return hub.from_pretrained(AutoProcessor, part)


def processor_of_parts(part: PretrainedPart) -> Any:
    """Feature extractor and tokenizer, where the processor that is named does not fit them."""
    from transformers import AutoFeatureExtractor, AutoTokenizer, Wav2Vec2Processor

    extractor = hub.from_pretrained(AutoFeatureExtractor, part)
    made: Any = Wav2Vec2Processor
    return made(extractor, hub.from_pretrained(AutoTokenizer, part))


@dataclass(frozen=True)
class Seq2SeqArchitecture:
    """How one model of AutoModelForSpeechSeq2Seq is used.

    Attributes:
        prompts: Makes the decoder's first tokens.
        frontend: Makes the encoder's input.
        processor: Loads the processor.
        has_window: Whether the input is padded to a window of 30 s unless ``model.audio_window``
            says otherwise; its encoder takes [batch, bins, frames].
        writes_times: Whether it can write when a text begins and ends.
        detects_language: Whether it finds out a language that is not known, by its first token.
        begins_with_space: Whether a text is tokenized with a space before it.
        fixed: Modules of the encoder that are never trained, by their path in it.
        other_files: Writes what other programs open beside the weights, or None.
        check_languages: Refuses languages that settings name and the model does not know, or None.
    """

    prompts: MakesPrompts = fixed_prompts
    frontend: MakesFrontend = frontend_by_extractor
    processor: LoadsProcessor = seq2seq_processor
    has_window: bool = False
    writes_times: bool = False
    detects_language: bool = False
    begins_with_space: bool = False
    fixed: tuple[str, ...] = ()
    other_files: WritesFiles | None = None
    check_languages: ChecksLanguages | None = None
