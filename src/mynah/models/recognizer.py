"""What families of transformers' recognizers share, whose labels stand on frames or are written."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from mynah import console
from mynah.config.naming.language_model import NONE, WORDS, is_file, weight_of
from mynah.config.tuning import FROZEN, FULL, LORA, PARTS, Tuning, tuning_of_recognizer
from mynah.errors import UserError
from mynah.models.family import Family, LossSum
from mynah.models.fusion.hot_words import HotWords, read_phrases
from mynah.models.fusion.word_decoding import WordDecoding, letters_of
from mynah.models.lora import adapters, quantization
from mynah.models.parameters import parameter_table
from mynah.models.pretrained import weights

if TYPE_CHECKING:
    import numpy as np
    import torch

    from mynah.config.schema import ModelConfig
    from mynah.models.features.frontends import Frontend
    from mynah.models.pretrained.usage import RecordedUsage
    from mynah.models.text.labeller import Labeller

_RECORDED = ("language", "task", "generation_max_length")  # settings of decoding in a checkpoint


class PretrainedRecognizer(Family):
    """A model of transformers, or that model with LoRA, with its processor.

    Attributes:
        processor: Its processor.
    """

    processor: Any
    _revisions: dict[str, str]
    _mixes: ClassVar[bool] = False  # whether a part may be trained in full beside one with LoRA

    @classmethod
    def _continued(cls, config: ModelConfig, directory: Path, *, offline: bool) -> Self:
        """From our own adapter: trained on as it is, or merged and then trained in full."""
        full = not tuning_of_recognizer(config).adapts  # which weights in four bits cannot be
        with quantization.in_full_precision(full):
            family = cls.load(directory, offline=offline)
        read_changed_words(family)  # a training's settings name theirs
        learns = family._learns(config)
        unused = family._unused_tuning(config)
        model = adapters.continue_adapter(
            family.model, config, directory, adapts=learns.adapts, unused=unused
        )
        if not learns.adapts:
            family._freeze(model, learns)
        return family._around(model, config)

    def _learns(self, config: ModelConfig) -> Tuning:
        """What is done with each part of the model."""
        return tuning_of_recognizer(config)

    def _unused_tuning(self, config: ModelConfig) -> list[str]:
        """What the settings say of parts that the adapter which was loaded has otherwise."""
        held = dict.fromkeys(PARTS, FROZEN)
        for name, parameter in self.model.named_parameters():
            part = self.part_of(name)
            if parameter.requires_grad and held[part] != LORA:
                held[part] = LORA if ".lora_" in name else FULL
        asked = {part: getattr(config, f"{part}_tuning") for part in PARTS}
        return [
            f"model.{part}_tuning={how}"
            for part, how in asked.items()
            if how not in (None, held[part])
            # A head is trained in full where what is before it is adapted.
            and (self._mixes or (how, held[part]) != (LORA, FULL))
        ]

    @abstractmethod
    def _freeze(self, model: Any, learns: Tuning) -> None:
        """Take out of training what of a model without an adapter does not learn."""

    @abstractmethod
    def _around(self, model: Any, config: ModelConfig) -> Self:
        """The family around its own model, or that model with its adapter merged."""

    def parameter_table(self) -> list[tuple[str, int, int]]:
        return parameter_table(self.model)

    def base_revisions(self) -> dict[str, str]:
        return dict(self._revisions)


class FrameRecognizer(PretrainedRecognizer):
    """One whose labels stand on the frames of its encoder: CTC, and transducers.

    Attributes:
        frontend: Makes the encoder's input.
        blank: The label that stands for none.
        tokenizer: Its tokenizer.
        reads_changed_words: Whether a file of n-grams that the model was trained with is read
            again where it has changed: see :func:`read_changed_words`.
    """

    frontend: Frontend
    blank: int
    tokenizer: Any
    reads_changed_words: bool = False
    _labeller: Labeller
    _predicts_labels: ClassVar[bool] = False  # whether a part of it is a language model of labels
    _words: WordDecoding | None = None  # its language model, if it has one
    _of_file: WordDecoding | None = None  # one that was read since
    _beam: WordDecoding | None = None  # what joins in decoding; None: it is greedy

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_words": None, "_of_file": None, "_beam": None}

    @classmethod
    def load(cls, directory: Path, *, offline: bool = False) -> Self:
        family = cls._load_model(directory, offline=offline)
        family._words = WordDecoding.load(directory, family.tokenizer)
        family._beam = family._words
        return family

    @classmethod
    @abstractmethod
    def _load_model(cls, directory: Path, *, offline: bool) -> Self:
        """The family of a checkpoint, without what joins in decoding."""

    def save(self, directory: Path) -> None:
        weights.save_recognizer(self.model, directory)
        self.processor.save_pretrained(directory)
        if self._beam is not None:
            self._beam.save(directory)

    def configure_decoding(self, config: ModelConfig) -> None:
        asked, hot = config.language_model, self._hot_words(config)
        if asked != NONE:
            self._beam = self._language_model(asked)
        else:
            self._beam = None if hot is None else WordDecoding(None, self.tokenizer)
        if self._beam is not None:
            self._beam.configure(
                weight=weight_of(
                    config.language_model_weight, predicts_labels=self._predicts_labels
                ),
                word_bonus=config.word_bonus,
                beam_size=config.beam_size,
                hot=hot,
                internal_weight=config.internal_language_model_weight * self._predicts_labels,
            )

    def _language_model(self, asked: str) -> WordDecoding:
        """What ``model.language_model`` names, read where it is another file than was read before.

        A checkpoint has the n-grams of its own: the file is asked only where a person named it.

        Raises:
            UserError: It cannot be read, or the model has no words of its corpus.
        """
        if is_file(asked):
            path = Path(asked)
            if self._of_file is not None and self._of_file.source == asked:
                return self._of_file
            own = self._words if self._words is not None and self._words.source == asked else None
            if own is not None and (not self.reads_changed_words or own.is_of(path)):
                return own
            if own is not None:
                console.notice(
                    f"{asked} is not as it was when the model was trained with it, or that is not "
                    "known: it is read again."
                )
            self._of_file = WordDecoding.of_file(path, self.tokenizer, self._labeller.cased)
            return self._of_file
        if self._words is None or self._words.source != WORDS:
            raise UserError(
                "This model was trained without a language model of its corpus's words.",
                where="model.language_model",
                fix="model.language_model=none",
            )
        return self._words

    def _hot_words(self, config: ModelConfig) -> HotWords | None:
        if config.context_file is None:
            return None
        letters = letters_of(self.tokenizer) | {" "}
        phrases = read_phrases(
            Path(config.context_file),
            written_as=self._labeller.cased,
            writes=lambda phrase: letters.issuperset(phrase),
        )
        return HotWords(phrases, config.context_weight)

    def decode_greedily(self) -> None:
        """Decode without word n-grams and hot words from now on."""
        self._beam = None

    def features(self, audio: np.ndarray) -> np.ndarray:
        return self.frontend.features(audio)

    def labels(self, text: str) -> list[int]:
        return self._labeller.labels(text)

    def output_length(self, samples: int) -> int:
        return self.frontend.output_length(samples)

    def _loss_sum(self, losses: torch.Tensor, batch: dict[str, torch.Tensor]) -> LossSum:
        """The batch's loss from each utterance's own, [batch]."""
        weights = batch["weights"].to(losses)
        # Where nobody speaks there is no label, and the blanks are learned from all the same.
        labels = batch["label_lengths"].clamp(min=1).to(weights)
        return LossSum(total=(losses * weights).sum(), count=(labels * weights).sum())


class WritingRecognizer(PretrainedRecognizer):
    """One whose decoder writes token by token, as its checkpoint records.

    Args:
        model: The model.
        processor: Its processor.
        revisions: Names of the pretrained parts with their commits.

    Attributes:
        kind: Its architecture, as transformers calls it.
        usage: How it is used.
    """

    pretrained = True
    usage: RecordedUsage

    def __init__(
        self, model: Any, processor: Any, *, revisions: dict[str, str] | None = None
    ) -> None:
        self.model = model
        self.processor = processor
        self.tokenizer = processor.tokenizer
        self.kind: str = weights.own(model).config.model_type
        self._revisions = dict(revisions or {})

    def _record(self, base: Any) -> None:
        """Write into the model's configurations how it is used."""
        self.usage.record(base)

    def save(self, directory: Path) -> None:
        base = weights.own(self.model)
        self._record(base)
        weights.save_recognizer(self.model, directory)
        if adapters.is_adapted(self.model):
            base.generation_config.save_pretrained(directory)
        self.processor.save_pretrained(directory)


def as_recorded(family: Family, config: ModelConfig, asked: Collection[str] = ()) -> ModelConfig:
    """The settings of a recognizer that is used as it is, not by those of its training: what its
    weights record of how they are used, where a setting is at its default.

    Args:
        family: It.
        config: Its settings.
        asked: Names of those that were asked for, which stay, be it at their default.
    """
    if not isinstance(family, WritingRecognizer):
        return config
    kind, plain = type(family.usage), type(config)()
    recorded = dataclasses.asdict(kind.of(weights.own(family.model).config))
    unsaid = dataclasses.asdict(kind())
    left_open = [
        name
        for name in _RECORDED
        if name not in asked and getattr(config, name) == getattr(plain, name)
    ]
    found = {name: recorded[name] for name in left_open if recorded.get(name) != unsaid.get(name)}
    return dataclasses.replace(config, **found)


def hold_asked(family: Family, config: ModelConfig, asked: Collection[str]) -> None:
    """Let the most tokens that were asked for hold, be it as many as by default: a speech LLM has a
    number of its own in its checkpoint, and the settings' default is nobody's wish.

    Args:
        family: It.
        config: Its settings.
        asked: Names of those of decoding that were asked for.
    """
    if "generation_max_length" not in asked:
        return
    from mynah.models.speech_llm.family import SpeechLLMFamily

    if isinstance(family, SpeechLLMFamily):
        family.hold_length(config.generation_max_length)


def read_changed_words(family: Family) -> None:
    """Let a file of n-grams be read again that a person named and that has changed since."""
    if isinstance(family, FrameRecognizer):
        family.reads_changed_words = True
