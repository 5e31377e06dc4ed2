"""Transducers: an encoder, a network that predicts from the labels so far, and what joins them.

RNN-T (Graves 2012, arXiv 1211.3711) says labels or a blank at each frame; TDT (Xu et al. 2023,
arXiv 2304.06795) says with each how many frames to advance. From scratch the encoder is a
FastConformer (arXiv 2305.05084) in transformers' own classes.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah import console
from mynah.config.naming.language_model import NONE, WORDS
from mynah.config.tuning import FROZEN, Tuning, tuning_of_recognizer
from mynah.errors import UserError
from mynah.models.family import Example, LossSum
from mynah.models.features.frontends import frontend_for, group_by_length
from mynah.models.lora import adapters
from mynah.models.parameters import evaluating, hold_frozen_norms
from mynah.models.pretrained import hub, weights
from mynah.models.pretrained.part import NamedParts, PretrainedPart
from mynah.models.recognizer import FrameRecognizer
from mynah.models.text.labeller import Labeller
from mynah.models.text.labels import padded_labels
from mynah.models.text.word_times import Path as LabelPath
from mynah.models.text.word_times import PathWriter
from mynah.models.transcript import Clip, Transcript
from mynah.models.transducer import loading

if TYPE_CHECKING:
    import torch

    from mynah.config.schema import ModelConfig

_INPUTS = ("input_features", "attention_mask", "decoder_input_ids", "prompt_ids")


class Transducer(FrameRecognizer):
    """A model of AutoModelForRNNT or AutoModelForTDT, or that model with LoRA.

    Args:
        model: The model.
        processor: Its processor.
        pretrained: Whether its weights were loaded.
        revisions: Names of the pretrained parts with their commits.
    """

    name = "transducer"
    supports = frozenset({"language", "context_file"})
    _predicts_labels = True
    auto_classes = ("AutoModelForRNNT", "AutoModelForTDT")

    def __init__(
        self,
        model: Any,
        processor: Any,
        *,
        pretrained: bool,
        revisions: dict[str, str] | None = None,
    ) -> None:
        from mynah.models.patches import fastconformer

        fastconformer.install_fastconformer(model)
        base = weights.own(model)
        config = base.config
        self.model = model
        self.pretrained = pretrained
        self.frontend = frontend_for(processor.feature_extractor, base)
        self.sample_rate = self.frontend.sample_rate
        self.feature_seconds = self.frontend.feature_seconds
        self.log_mel, self.stacked = self.frontend.log_mel, self.frontend.stacked
        self.processor = processor
        self.tokenizer = processor.tokenizer
        self.blank: int = config.blank_token_id
        self.durations: tuple[int, ...] = tuple(getattr(config, "durations", ()))
        self._max_symbols: int = config.max_symbols_per_step
        self._labeller = Labeller(self.tokenizer, self.blank, config.pad_token_id)
        self._writer = PathWriter(self.tokenizer, self.frontend, timed=bool(self.durations))
        # Streaming encoders look as far ahead as they are set to.
        lookahead = getattr(processor, "default_num_lookahead_tokens", None)
        self._options = {} if lookahead is None else {"num_lookahead_tokens": lookahead}
        # Prompts of models that take a language; without one they find out by themselves.
        self._prompts: dict[str, int] = getattr(processor, "prompt_dictionary", {})
        self._any_language: int = getattr(config, "default_prompt_id", 0)
        self._language = ""  # of rows that have none
        self._revisions = dict(revisions or {})

    @classmethod
    def model_types(cls) -> Collection[str]:
        from transformers.models.auto import modeling_auto as auto

        return [*auto.MODEL_FOR_RNNT_MAPPING_NAMES, *auto.MODEL_FOR_TDT_MAPPING_NAMES]

    @classmethod
    def build(
        cls, config: ModelConfig, parts: NamedParts, *, texts: Iterable[str], sample_rate: int
    ) -> Transducer:
        texts = list(texts)
        if config.pretrained is None:
            fresh = loading.transducer_from_scratch(config, texts, sample_rate)
            family = cls(fresh.model, fresh.processor, pretrained=False)
        else:
            family = cls._from_pretrained(config, parts["pretrained"], texts, sample_rate)
        family.configure_decoding(config)
        return family

    @classmethod
    def _from_pretrained(
        cls, config: ModelConfig, part: PretrainedPart, texts: Sequence[str], sample_rate: int
    ) -> Transducer:
        if part.is_folder and (part.folder / "adapter_config.json").exists():
            return cls._continued(config, part.folder, offline=part.offline)
        parts = loading.transducer_from_pretrained(config, part, sample_rate)
        model = parts.model
        learns = tuning_of_recognizer(config)
        if learns.adapts:
            targets = loading.transducer_lora_targets(model, config)
            model = adapters.add_lora(
                model,
                dataclasses.replace(config, lora_target_modules=targets),
                heads=[] if learns.decoder == FROZEN else [loading.HEAD],
                base=part.lasting_name,
                revision=hub.lasting_revision(part),
            )
        else:
            loading.freeze_transducer(model, learns)
        family = cls(model, parts.processor, pretrained=True, revisions=parts.revisions)
        family._labeller.say_what_is_missing(texts)
        return family

    def _freeze(self, model: Any, learns: Tuning) -> None:
        loading.freeze_transducer(model, learns)

    def _around(self, model: Any, config: ModelConfig) -> Transducer:
        if model is self.model:
            return self
        return Transducer(model, self.processor, pretrained=True, revisions=self.base_revisions())

    @classmethod
    def _load_model(cls, directory: Path, *, offline: bool) -> Transducer:
        here = hub.checkpoint(directory)
        processor = loading.load_transducer_processor(here)
        if not (directory / "adapter_config.json").exists():
            return cls(loading.load_transducer_base(here), processor, pretrained=True)
        base = adapters.adapted_base(directory, offline=offline)
        model = adapters.load_lora(loading.load_transducer_base(base), directory, trainable=True)
        revisions = {base.name: hub.commit_of(base)}
        return cls(model, processor, pretrained=True, revisions=revisions)

    def untuned(self) -> Transducer | None:
        if not self.pretrained:
            return None
        # Without the words of the corpus that it is going to be tuned on.
        found = copy.copy(self)
        found._words = found._beam = None
        return found

    def impossible(self, samples: int, labels: Sequence[int]) -> str | None:
        return self._no_path(self.output_length(samples), len(labels))

    def _no_path(self, frames: int, labels: int) -> str | None:
        """Any number of labels fits into a frame, unless every label takes frames of its own."""
        if _has_path(frames, labels, self.durations):
            return None
        if not self.durations or not frames:
            return f"there are {frames} encoder frames"
        steps = ", ".join(map(str, self.durations))
        return f"{labels} labels, each of {steps} frames, do not make up {frames} encoder frames"

    def collate(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        import torch

        lengths = [len(example.features) for example in examples]
        frames = self.frontend.encoder_frames(lengths)
        for example, length in zip(examples, frames.tolist(), strict=True):
            if reason := self._no_path(length, len(example.labels)):
                raise UserError(
                    f"A transducer cannot learn this utterance: {reason}.",
                    where=f"utterance {example.id}",
                    fix="Check that its transcript is that of its audio, and that it is not cut.",
                )
        batch = self.frontend.pad([example.features for example in examples], max(lengths))
        targets = [example.labels for example in examples]
        spoken = padded_labels(targets, self.blank)
        batch |= {
            # Two places at least: transformers drops an axis of one.
            "decoder_input_ids": torch.nn.functional.pad(spoken, (1, 0), value=self.blank),
            "labels": spoken,
            "label_lengths": torch.tensor([len(target) for target in targets], dtype=torch.long),
            "frames": frames,
            "weights": torch.tensor([example.weight for example in examples]),
        }
        if self._prompts:
            batch["prompt_ids"] = self._prompt_ids([self._given(one.language) for one in examples])
        return batch

    def loss(self, model: Any, batch: dict[str, torch.Tensor]) -> LossSum:
        import torch

        from mynah.models.transducer import loss as transducer_loss

        hold_frozen_norms(self.model)
        inputs = {key: batch[key] for key in _INPUTS if key in batch}
        logits = model(**inputs, **self._options).logits
        with torch.autocast(logits.device.type, enabled=False):
            losses = transducer_loss.transducer_loss(
                logits,
                batch["labels"],
                batch["frames"],
                batch["label_lengths"],
                blank=self.blank,
                durations=self.durations,
            )
        return self._loss_sum(losses, batch)

    def transcribe(self, clips: Sequence[Clip]) -> list[Transcript]:
        import torch

        base = weights.own(self.model)
        device = next(base.parameters()).device
        encoded_rows = [row for row, one in enumerate(clips) if self.output_length(len(one.audio))]
        features = [self.features(clips[row].audio) for row in encoded_rows]
        lengths = [len(one) for one in features]
        frames = self.frontend.encoder_frames(lengths)
        transcripts = [Transcript("") for _ in clips]
        with evaluating(self.model):
            for length, group in group_by_length(lengths, self.frontend.quantum):
                batch = self.frontend.pad([features[position] for position in group], length)
                rows = [encoded_rows[position] for position in group]
                languages = [self._given(clips[row].language) for row in rows]
                if self._prompts:
                    batch["prompt_ids"] = self._prompt_ids(languages)
                with torch.no_grad(), weights.computing(base):
                    encoded = base.get_audio_features(
                        **{name: tensor.to(device) for name, tensor in batch.items()},
                        **self._options,
                    ).pooler_output
                    found = self._paths(base, encoded, frames[group])
                for row, path, language in zip(rows, found, languages, strict=True):
                    one = self._writer.write(path, language=language)
                    if self._beam is not None:  # its probability is not that of one path
                        one = dataclasses.replace(one, log_probability=None)
                    transcripts[row] = one
        return transcripts

    def _paths(self, base: Any, encoded: torch.Tensor, frames: torch.Tensor) -> list[LabelPath]:
        """What is read off [batch, time, width], ``frames`` of it not padding."""
        from mynah.models.transducer import beam_search, decoding

        if self._beam is None:
            return decoding.greedy(
                base,
                encoded,
                frames,
                blank=self.blank,
                durations=self.durations,
                max_symbols=self._max_symbols,
            )
        found = beam_search.search(
            base,
            encoded,
            frames,
            blank=self.blank,
            durations=self.durations,
            max_symbols=self._max_symbols,
            beam_size=self._beam.beam_size,
            scorer=self._beam.scorer,
            written=self._beam.written,
            internal_weight=self._beam.internal_weight,
        )
        return [best.path for best, *_ in found]

    def configure_decoding(self, config: ModelConfig) -> None:
        for name in ("task", "timestamps", *(() if self._prompts else ("language",))):
            if value := getattr(config, name):
                raise UserError(
                    f"This transducer does not support model.{name}.",
                    where=f"model.{name}={value}",
                    fix=f"leave model.{name} out",
                )
        self._language = config.language or ""
        self.check_languages({self._language})
        if config.language_model == WORDS:
            # Where model.family says transducer, it was said with the settings.
            if config.family == "auto":
                console.notice(
                    "model.language_model=words has no effect: the network that predicts a "
                    "transducer's labels has learned the training transcripts. "
                    "model.language_model=FILE names n-grams that join."
                )
            config = dataclasses.replace(config, language_model=NONE)
        super().configure_decoding(config)

    def describe_decoding(self) -> str:
        if self._beam is not None:
            return self._beam.describe(f"{'TDT' if self.durations else 'RNN-T'} beam search")
        if self.durations:
            return "greedy TDT: the likeliest label or blank, and its likeliest duration"
        return "greedy RNN-T: the likeliest label or blank at each step"

    def check_languages(self, languages: Iterable[str]) -> None:
        unknown = sorted({one for one in languages if one and one not in self._prompts})
        if self._prompts and unknown:
            raise UserError(
                f"The model takes a language, and does not know {', '.join(unknown)}.",
                where="model.language, or the corpus's column language",
                fix="It knows: " + ", ".join(sorted(self._prompts)),
            )

    def _given(self, language: str) -> str | None:
        """The language that the model is conditioned on for a row; None: it finds out itself."""
        language = language or self._language
        return language if language in self._prompts else None

    def _prompt_ids(self, languages: Sequence[str | None]) -> torch.Tensor:
        """The prompt of each row by the language it is conditioned on, int64 [batch]."""
        import torch

        found = [self._any_language if one is None else self._prompts[one] for one in languages]
        return torch.tensor(found, dtype=torch.long)


@functools.lru_cache(maxsize=65536)
def _has_path(frames: int, labels: int, durations: tuple[int, ...]) -> bool:
    """Whether labels and then blanks can last exactly ``frames``.

    Args:
        frames: Encoder frames.
        labels: How many labels there are.
        durations: Of a TDT; empty for an RNN-T.
    """
    if frames < 1 or not durations or {0, 1} <= set(durations):
        return frames >= 1
    within = (1 << (frames + 1)) - 1
    reached = 1  # bit n: n frames can be made up
    for _ in range(labels):
        # Beyond the last frame a label cannot be said.
        reached = functools.reduce(int.__or__, (reached << d for d in durations)) & (within >> 1)
    after_blanks = 0
    while reached:
        reached = functools.reduce(int.__or__, (reached << d for d in durations if d), 0) & within
        after_blanks |= reached
    return bool(after_blanks >> frames & 1)
