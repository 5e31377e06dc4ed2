"""The contract between one architecture family and everything that is shared.

What differs between architectures is here and nowhere else: how a model is built or
loaded, what it takes, what it learns to write, its loss, and how it decodes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from mynah.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import torch

    from mynah.config.schema import ModelConfig
    from mynah.models.pretrained.part import NamedParts, PretrainedPart
    from mynah.models.transcript import Clip, Transcript, Word


@dataclass(frozen=True)
class Example:
    """One utterance as a family collates it.

    Attributes:
        id: The utterance's id in its corpus.
        features: What :meth:`Family.features` made of the audio, [frames, bins] or [samples].
        labels: Token ids of the transcript.
        weight: What each of its tokens counts: 1.0; one over their number where utterances are
            to count alike (:func:`token_weight`); 0.0 for a row that fills a rank's tail.
        language: ISO 639-1 code of what is spoken, "" where it is not known.
        seconds: How long the audio is, padding apart; None where nobody asked.
        context: Names and terms that may be said in it, "" where there are none.
        second: The same features, changed again (``model.ctc_consistency``), as many frames.
    """

    id: str
    features: np.ndarray
    labels: list[int]
    weight: float = 1.0
    language: str = ""
    seconds: float | None = None
    context: str = ""
    second: np.ndarray | None = None


@dataclass(frozen=True)
class LossSum:
    """A loss before it is divided, so that any split of a batch gives the same gradient.

    The mean loss of an optimizer step is the sum of the totals of all its batches, on all its
    ranks, over the sum of their counts. No family divides by anything of its own.

    Attributes:
        total: Sum over the batch of each utterance's negative log-likelihood by its weight,
            scalar tensor.
        count: Sum over the batch of each utterance's target tokens by its weight, scalar tensor:
            tokens where every weight is 1, utterances where it is one over the tokens.
    """

    total: torch.Tensor
    count: torch.Tensor


def token_weight(labels: Sequence[int], normalization: str) -> float:
    """:attr:`Example.weight` of a row that counts.

    Args:
        labels: Its target tokens. One without any counts as one token, as in every family.
        normalization: ``"token"``: every token counts alike, and :class:`LossSum` is a mean over
            tokens; ``"utterance"``: every utterance does, whatever its length, and it is a mean
            over utterances of the mean over their tokens.
    """
    return 1.0 if normalization == "token" else 1.0 / max(1, len(labels))


# Settings of `model` that mean nothing to some families.
OPTIONAL_SETTINGS = (
    "new_tokenizer", "ctc_consistency", "ctc_intermediate", "language", "task", "timestamps",
    "context_file",
)  # fmt: skip

# Modules of transformers' recognizers by the part they are, or hold, outermost first. What is
# none of them, as a feature extractor or wav2vec2 itself, is of the encoder.
_PARTS = {
    "projector": ("projector", "multi_modal_projector", "audio_projector"),
    "decoder": (
        "decoder", "language_model", "lm_head", "proj_out", "ctc_head", "ctc", "joint",
        "encoder_projector", "enc_to_dec_proj",
    ),
    "encoder": ("encoder", "audio_tower", "audio_encoder", "speech_encoder"),
}  # fmt: skip


class Family(ABC):
    """A model with its processor: the only thing the shared code knows of an architecture.

    Attributes:
        name: The family's name, as ``model.family`` gives it.
        model: The module that is trained, a PreTrainedModel or a PeftModel around one.
        sample_rate: Hertz of the audio that :meth:`features` takes.
        pretrained: Whether any weights were loaded rather than initialized.
        feature_seconds: Seconds a feature frame covers, as 0.01; None where it takes samples.
        log_mel: Whether a feature frame is mel bins on Slaney's scale alone, not stacked.
        stacked: How many vectors of mel bins a feature frame is, one after the other.
        takes_context: Whether it makes something of the names and terms of a clip.
        gives_n_best: Whether :meth:`n_best` gives hypotheses.
        supports: The settings in :data:`OPTIONAL_SETTINGS` that apply to the family.
        auto_classes: transformers' auto classes of its models, which an ``auto_map`` names.
        Options: The dataclass of ``model.options``; None where the family has none.
    """

    name: ClassVar[str]
    supports: ClassVar[frozenset[str]] = frozenset()
    auto_classes: ClassVar[tuple[str, ...]] = ()
    Options: ClassVar[type | None] = None
    model: Any
    sample_rate: int
    pretrained: bool
    feature_seconds: float | None
    log_mel: bool = False
    stacked: int = 1
    takes_context: bool = False
    gives_n_best: bool = False

    def __getstate__(self) -> dict[str, Any]:
        """What data workers need, which is all but the model.

        A worker makes features, labels and batches; a model would cost its memory again,
        and one on an accelerator cannot be sent to another process at all.
        """
        return {**self.__dict__, "model": None}

    @classmethod
    @abstractmethod
    def model_types(cls) -> Collection[str]:
        """The architectures of the family, as ``model_type`` in a ``config.json`` has them.

        What the family saves is among them: a checkpoint is loaded by whose it is.
        """

    @classmethod
    def refused(cls) -> Mapping[str, str]:
        """Architectures near to the family's that it does not train, with the reason."""
        return {}

    @classmethod
    def register(cls, model_type: str) -> None:
        """Let transformers know one of :meth:`model_types` that it does not ship.

        Called before the configuration of such a model is read.
        """
        return

    @classmethod
    def check_settings(cls, config: ModelConfig) -> None:
        """Find settings that do not apply to the family.

        Raises:
            UserError: One of :data:`OPTIONAL_SETTINGS` is set that :attr:`supports` lacks.
        """
        for name in OPTIONAL_SETTINGS:
            value = getattr(config, name)
            if value and name not in cls.supports and (name, value) != ("task", "transcribe"):
                raise UserError(
                    f"The family {cls.name} does not support model.{name}.",
                    where=f"model.{name}={value}",
                    fix=f"leave model.{name} out",
                )

    @classmethod
    def check_pretrained(cls, config: ModelConfig, part: PretrainedPart, sample_rate: int) -> None:
        """Find what does not fit about a pretrained recognizer, from its small files alone.

        Args:
            config: The ``model`` section.
            part: What ``model.pretrained`` names.
            sample_rate: Hertz of the audio that the model is for.

        Raises:
            UserError: It takes another sample rate, or a setting does not fit it.
        """
        from mynah.models.pretrained import hub

        hub.feature_extractor(part, sample_rate)

    @classmethod
    def check_named_languages(cls, part: PretrainedPart, named: Mapping[str, str]) -> None:
        """Look at the languages that settings name, before anything is prepared.

        Args:
            part: What ``model.pretrained`` names.
            named: Languages by the setting that names them.

        Raises:
            UserError: The model is known not to know one.
        """
        return

    @classmethod
    @abstractmethod
    def build(
        cls, config: ModelConfig, parts: NamedParts, *, texts: Iterable[str], sample_rate: int
    ) -> Family:
        """From scratch or from pretrained parts.

        Args:
            config: The ``model`` section.
            parts: The pretrained parts that it names, by their setting, as ``pretrained``.
            texts: Training transcripts; they train a tokenizer where one is needed.
            sample_rate: Hertz of the audio.

        Raises:
            UserError: A name cannot be loaded, or settings do not fit the model.
        """

    @classmethod
    @abstractmethod
    def load(cls, directory: Path, *, offline: bool = False) -> Self:
        """From a checkpoint that :meth:`save` wrote, strictly: no weight missing or left over."""

    def untuned(self) -> Family | None:
        """The recognizer that the pretrained weights are by themselves: the same model, used as
        they were trained. Asked before the first step, when LoRA still changes nothing.

        Returns:
            None where there is none: the family is from scratch, or a part of it is.
        """
        return None

    @abstractmethod
    def save(self, directory: Path) -> None:
        """Weights (safetensors), configuration, processor: what plain transformers or peft load."""

    def saved_bytes(self) -> int:
        """About how much :meth:`save` writes: of an adapted model what is trained."""
        adapted = hasattr(self.model, "peft_config")
        return sum(
            one.numel() * one.element_size()
            for one in self.model.parameters()
            if one.requires_grad or not adapted
        )

    @abstractmethod
    def features(self, audio: np.ndarray) -> np.ndarray:
        """float32 [samples] to float32 [frames, bins], or [samples]. Runs in workers."""

    @abstractmethod
    def labels(self, text: str) -> list[int]:
        """Token ids that training asks for, without padding."""

    @abstractmethod
    def output_length(self, samples: int) -> int:
        """Encoder frames that ``samples`` samples become: the one length function of the model."""

    @abstractmethod
    def impossible(self, samples: int, labels: Sequence[int]) -> str | None:
        """Why this utterance cannot be learned (as more labels than frames), or None."""

    @abstractmethod
    def collate(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        """Padded tensors, a batch that :meth:`loss` takes; includes ``weights`` float32 [batch]."""

    @abstractmethod
    def loss(self, model: Any, batch: dict[str, torch.Tensor]) -> LossSum:
        """Forward pass and undivided loss; ``model`` is ``self.model`` or a wrapper around it."""

    @abstractmethod
    def transcribe(self, clips: Sequence[Clip]) -> list[Transcript]:
        """Free-running transcripts, one a clip in order, of the same text for any batching.

        Raises:
            UserError: The model has to be given a language, and a clip has none or another.
        """

    def n_best(self, clips: Sequence[Clip], size: int) -> list[list[Transcript]]:
        """Hypotheses of each clip by beam search, the likeliest first, at most ``size``, with the
        log probability of their tokens; none of any clip where the family gives none."""
        return [[] for _ in clips]

    def word_times(
        self, clips: Sequence[Clip], transcripts: Sequence[Transcript]
    ) -> list[tuple[Word, ...] | None]:
        """When the words of transcripts are spoken; None where the model does not tell.

        Args:
            clips: No longer than :attr:`window_samples`.
            transcripts: What :meth:`transcribe` wrote of them.
        """
        return [() if not one.text else one.words for one in transcripts]

    @property
    def window_samples(self) -> int | None:
        """Longest clip that is encoded at once, a longer one is cut; None: any length is."""
        return None

    def encoded_seconds(self, seconds: float) -> float:
        """Audio that is encoded of a clip of ``seconds``, with the silence that is put behind it:
        what fills a batch of a decoding."""
        return seconds

    def check_languages(self, languages: Iterable[str]) -> None:
        """Look at the languages of a corpus (ISO 639-1 codes, "" among them) before training.

        Raises:
            UserError: The model has to be given a language, and has none, or does not know one.
        """
        return

    def check_decoded_languages(self, languages: Iterable[str]) -> None:
        """Likewise before a corpus is decoded; a family that detects a language asks for less.

        Raises:
            UserError: As :meth:`check_languages`.
        """
        self.check_languages(languages)

    def configure_decoding(self, config: ModelConfig) -> None:
        """Take the settings of decoding from ``config``; a family that has none takes nothing.

        A loaded family decodes as it did when it was saved until this is called.

        Raises:
            UserError: They ask for what the model does not have.
        """
        return

    @classmethod
    def check_packing(cls, how: str, parts: NamedParts) -> None:
        """See that rows of several utterances can be computed, before anything is loaded.

        Args:
            how: ``training.sequence_packing``.
            parts: The pretrained parts that ``model`` names, by their setting.

        Raises:
            UserError: There are none in the family, or not in its language model.
        """
        raise UserError(
            f"The family {cls.name} has no language model whose rows could hold several "
            "utterances; speech LLMs have.",
            where=f"training.sequence_packing={how}",
            fix="leave training.sequence_packing out",
        )

    def pack_sequences(self, how: str | None) -> None:
        """Let :meth:`collate` put the utterances of a batch one behind the other into one row of
        the language model, and :meth:`loss` compute them as if each had a row.

        Args:
            how: ``training.sequence_packing``; None: a row an utterance.

        Raises:
            UserError: As :meth:`check_packing`.
        """
        if how is not None:
            self.check_packing(how, {})

    def describe_decoding(self) -> str:
        """How transcripts are found, in a few words: an error rate means little without it."""
        return "greedy: the likeliest token at each step"

    def part_of(self, name: str) -> str:
        """Which part a parameter is of, for learning rates of their own.

        Args:
            name: Of a parameter of :attr:`model`.

        Returns:
            ``"encoder"``, ``"projector"`` or ``"decoder"``; the last is all that follows an
            encoder without a projector behind it.
        """
        for step in name.split("."):
            for part, steps in _PARTS.items():
                if step in steps:
                    return part
        return "encoder"

    def merge(self) -> None:
        """Fold LoRA matrices into the weights that they adapt; :meth:`save` then writes them all.

        Raises:
            UserError: There are none.
        """
        from mynah.models.lora import adapters

        self.model = adapters.merged(self.model)

    @abstractmethod
    def parameter_table(self) -> list[tuple[str, int, int]]:
        """(part, parameters, trainable parameters) rows for the summary and the checkpoint."""

    @abstractmethod
    def base_revisions(self) -> dict[str, str]:
        """Names of the pretrained parts with the commit they were loaded at; empty from scratch."""
