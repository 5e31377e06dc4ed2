"""Sequence-to-sequence recognizers: an encoder, and a decoder that writes token by token.

Whisper (arXiv 2212.04356), Moonshine, Canary, Cohere-ASR, Speech2Text and transformers'
SpeechEncoderDecoder. The decoder is conditioned on language and task; it learns the transcript and
its end.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mynah.config.tuning import Tuning
from mynah.models.family import Example, LossSum
from mynah.models.features.frontends import group_by_length
from mynah.models.lora import adapters
from mynah.models.parameters import evaluating, hold_frozen_norms
from mynah.models.pretrained import hub, weights
from mynah.models.pretrained.part import NamedParts, PretrainedPart
from mynah.models.recognizer import WritingRecognizer
from mynah.models.seq2seq import generation, loading
from mynah.models.seq2seq.clip_length import ClipLength, end_timestamp, most_tokens
from mynah.models.seq2seq.context import ListedContext, decoder_batch, equally_long, read_context
from mynah.models.seq2seq.loading import CLIP, Seq2SeqUsage
from mynah.models.seq2seq.registry import SUPPORTED, UNSUPPORTED, architecture_of
from mynah.models.seq2seq.word_alignment import WordAligner
from mynah.models.text.labeller import Labeller
from mynah.models.text.pieces import Pieces
from mynah.models.text.token_loss import token_loss
from mynah.models.transcript import Clip, Transcript, Word

if TYPE_CHECKING:
    import torch

    from mynah.config.schema import ModelConfig

_INPUTS = ("input_features", "input_values", "attention_mask", "real")
_SHORTEST_SECONDS = 0.1  # too short for a word, and too little for a spectrum


class Seq2Seq(WritingRecognizer):
    """A model of AutoModelForSpeechSeq2Seq, or that model with LoRA, with its processor.

    Args:
        model: The model.
        processor: Its processor.
        usage: How it is used.
        revisions: Names of the pretrained parts with their commits.
    """

    name = "seq2seq"
    supports = frozenset({"language", "task", "timestamps", "context_file"})
    auto_classes = ("AutoModelForSpeechSeq2Seq",)
    usage: Seq2SeqUsage

    def __init__(
        self,
        model: Any,
        processor: Any,
        usage: Seq2SeqUsage,
        *,
        revisions: dict[str, str] | None = None,
    ) -> None:
        super().__init__(model, processor, revisions=revisions)
        base = weights.own(model)
        self._positions = loading.target_positions(base.config)
        self._limit = loading.generation_limit(base)
        self._end = loading.end_token(base)
        self._labeller = Labeller(self.tokenizer, self._end)
        architecture = architecture_of(self.kind)
        self._has_window = architecture.has_window
        self._detects_language = architecture.detects_language
        self._begins_with_space = architecture.begins_with_space
        self._listed = ListedContext()
        self.frontend = architecture.frontend(
            processor.feature_extractor, base, window=usage.audio_window
        )
        self.sample_rate = self.frontend.sample_rate
        self.feature_seconds = self.frontend.feature_seconds
        self.log_mel, self.stacked = self.frontend.log_mel, self.frontend.stacked
        self._use(usage)

    def _use(self, usage: Seq2SeqUsage) -> None:
        self.usage = usage
        window = self.window_samples if self._has_window else None
        clip = self._has_window and usage.audio_window == CLIP
        self._length = ClipLength(clip, usage.audio_tail_seconds, self.sample_rate, window)
        self.prompts = loading.prompts_for(
            weights.own(self.model),
            self.processor,
            language=usage.language,
            task=usage.task,
            timed=usage.timestamps,
        )
        self.takes_context = self.prompts.takes_context
        self.gives_n_best = self._has_window
        self._prompt_length = len(self.prompts.ids(""))
        # <|0.00|> stands behind <|notimestamps|> in every Whisper.
        self._first_time: int | None = None
        if usage.timestamps:
            self._first_time = self.tokenizer.get_vocab()["<|notimestamps|>"] + 1

    @classmethod
    def model_types(cls) -> Collection[str]:
        return SUPPORTED

    @classmethod
    def refused(cls) -> Mapping[str, str]:
        return UNSUPPORTED

    @classmethod
    def check_pretrained(cls, config: ModelConfig, part: PretrainedPart, sample_rate: int) -> None:
        super().check_pretrained(config, part, sample_rate)
        loading.check_seq2seq(config, part)

    @classmethod
    def check_named_languages(cls, part: PretrainedPart, named: Mapping[str, str]) -> None:
        check = architecture_of(hub.model_type(part)).check_languages
        if check is not None:
            check(part, named)

    @classmethod
    def build(
        cls, config: ModelConfig, parts: NamedParts, *, texts: Iterable[str], sample_rate: int
    ) -> Seq2Seq:
        assert config.pretrained is not None
        part = parts["pretrained"]
        if part.is_folder and (part.folder / "adapter_config.json").exists():
            family = cls._continued(config, part.folder, offline=part.offline)
        else:
            family = cls._from_pretrained(config, part, sample_rate)
        family._listed = read_context(config.context_file, family.prompts)
        family._labeller.say_what_does_not_fit(list(texts), loading.suppressed(family.model))
        return family

    @classmethod
    def _from_pretrained(
        cls, config: ModelConfig, part: PretrainedPart, sample_rate: int
    ) -> Seq2Seq:
        hub.feature_extractor(part, sample_rate)
        written = hub.load_config(part)
        processor = loading.load_processor(part, written.model_type)
        model: Any = loading.load_seq2seq(part, written)
        usage = loading.usage_of(config, Seq2SeqUsage.of(written))
        commit = hub.commit_of(part)
        model = loading.tuned_seq2seq(model, config, part)
        return cls(model, processor, usage, revisions={part.name: commit})

    def _freeze(self, model: Any, learns: Tuning) -> None:
        loading.freeze_seq2seq(model, learns)

    def _around(self, model: Any, config: ModelConfig) -> Seq2Seq:
        usage = loading.usage_of(config, self.usage)
        return Seq2Seq(model, self.processor, usage, revisions=self.base_revisions())

    @classmethod
    def load(cls, directory: Path, *, offline: bool = False) -> Seq2Seq:
        from transformers import AutoConfig, GenerationConfig

        here = hub.checkpoint(directory)
        config = AutoConfig.from_pretrained(directory, local_files_only=True)
        processor = loading.load_processor(here, config.model_type)
        usage = Seq2SeqUsage.of(config)
        if not (directory / "adapter_config.json").exists():
            return cls(loading.load_seq2seq(here, config), processor, usage)
        base = adapters.adapted_base(directory, offline=offline)
        model = loading.load_seq2seq(base, config)
        model.generation_config = GenerationConfig.from_pretrained(directory, local_files_only=True)
        model = adapters.load_lora(model, directory, trainable=True)
        return cls(model, processor, usage, revisions={base.name: hub.commit_of(base)})

    def _record(self, base: Any) -> None:
        loading.record_use(base, self.usage, self.prompts)

    def save(self, directory: Path) -> None:
        super().save(directory)
        write = architecture_of(self.kind).other_files
        if write is not None and not adapters.is_adapted(self.model):
            write(self.processor, directory)

    def untuned(self) -> Seq2Seq:
        usage = self.usage.untuned(weights.own(self.model).config)
        return type(self)(self.model, self.processor, usage, revisions=self._revisions)

    def features(self, audio: np.ndarray) -> np.ndarray:
        silence = self._length.samples(len(audio)) - len(audio)
        return self.frontend.features(np.pad(audio, (0, silence)))

    def labels(self, text: str) -> list[int]:
        begun = f" {text.strip()}" if self._begins_with_space and text.strip() else text
        ids = self._labeller.labels(begun)
        if self._first_time is not None:
            # When it ends is known where the audio is: in a batch.
            ids = [self._first_time, *ids, self._first_time]
        return [*ids, self._end]

    def output_length(self, samples: int) -> int:
        return self.frontend.output_length(self._length.samples(samples))

    def impossible(self, samples: int, labels: Sequence[int]) -> str | None:
        if not self._can_encode(samples):
            return f"it is shorter than {_SHORTEST_SECONDS:g} s, or than the encoder can take"
        window = self.window_samples
        if window is not None and samples > window:
            seconds = window / self.sample_rate
            return f"it is longer than the {seconds:g} s that the encoder takes at once"
        length = self._prompt_length + len(labels) - 1  # its end is never an input
        if self._positions is not None and length > self._positions:
            return f"its transcript and what comes before it are {length} tokens, over the " + (
                f"{self._positions} that the decoder holds"
            )
        return None

    def _can_encode(self, samples: int) -> bool:
        return samples >= self.sample_rate * _SHORTEST_SECONDS and self.output_length(samples) > 0

    @property
    def window_samples(self) -> int | None:
        if self.frontend.max_features is None:
            return None
        samples = 1.0 if self.feature_seconds is None else self.feature_seconds * self.sample_rate
        return round(self.frontend.max_features * samples)

    def encoded_seconds(self, seconds: float) -> float:
        return self._length.encoded_seconds(seconds)

    def check_languages(self, languages: Iterable[str]) -> None:
        self.prompts.check(languages)

    def check_decoded_languages(self, languages: Iterable[str]) -> None:
        if not self._detects_language:
            self.check_languages(languages)

    def collate(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        import torch

        targets = [self._timed(example) for example in examples]
        prompts = [
            self.prompts.within(self._positions, example.context, example.language, len(ids) - 1)
            for example, ids in zip(examples, targets, strict=True)
        ]
        return {
            **self._audio([example.features for example in examples]),
            **decoder_batch(prompts, targets, self._end),
            "weights": torch.tensor([example.weight for example in examples]),
        }

    def _timed(self, example: Example) -> list[int]:
        """Labels with the time at which the clip ends."""
        ids = list(example.labels) or [self._end]
        if self._first_time is not None and len(ids) > 1:
            ids[-2] = self._first_time + end_timestamp(example, self.feature_seconds)
        return ids

    def _audio(self, features: Sequence[np.ndarray], length: int = 0) -> dict[str, torch.Tensor]:
        """What the encoder takes of a batch's features, of ``length`` or as long as the longest."""
        batch = self.frontend.pad(features, length or max(map(len, features)))
        if self._has_window:
            batch["input_features"] = batch["input_features"].transpose(1, 2)
            mask = batch.pop("attention_mask", None)
            if mask is not None and not bool(mask.all()):
                batch["real"] = mask
        return batch

    def loss(self, model: Any, batch: dict[str, torch.Tensor]) -> LossSum:
        hold_frozen_norms(self.model)
        inputs = {key: batch[key] for key in _INPUTS if key in batch}
        logits = model(
            **inputs, decoder_input_ids=batch["decoder_input_ids"], use_cache=False
        ).logits
        # Logits at a position are of the token after it; the prompt is given, not learned.
        logits = logits[:, -batch["labels"].shape[1] :]
        return token_loss(logits, batch["labels"], batch["weights"])

    def transcribe(self, clips: Sequence[Clip]) -> list[Transcript]:
        return [one for (one,) in self._ranked(clips, None)]

    def n_best(self, clips: Sequence[Clip], size: int) -> list[list[Transcript]]:
        return self._ranked(clips, size) if self.gives_n_best else super().n_best(clips, size)

    def _ranked(self, clips: Sequence[Clip], size: int | None) -> list[list[Transcript]]:
        """The transcript of each clip, or ``size`` of it; of a clip in pieces theirs by rank."""
        languages = [clip.language for clip in clips]
        if not self._detects_language:
            self.prompts.check(languages)
        audios = [clip.audio for clip in clips]
        before = [self.prompts.previous(self._listed.before(clip.context)) for clip in clips]
        pieces = Pieces.of(audios, [self.window_samples] * len(audios), self._can_encode)
        features = [self.features(piece) for piece in pieces.audios]
        found: dict[int, list[Transcript]] = {}
        lengths = [len(one) for one in features]
        with evaluating(self.model):
            for length, group in group_by_length(lengths, self._decoding_quantum):
                for rows in equally_long(group, lambda row: before[pieces.owners[row]]):
                    owners = [pieces.owners[row] for row in rows]
                    transcripts = self._transcribe_equal(
                        [features[row] for row in rows],
                        length,
                        [languages[owner] for owner in owners],
                        [len(pieces.audios[row]) / self.sample_rate for row in rows],
                        [before[owner] for owner in owners],
                        size,
                    )
                    found |= zip(rows, transcripts, strict=True)
        ranks = zip(*(found[row] for row in range(len(found))), strict=True)
        by_rank = [pieces.joined(rank) for rank in ranks] or [[Transcript("") for _ in clips]]
        return [list(ranked) for ranked in zip(*by_rank, strict=True)]

    @property
    def _decoding_quantum(self) -> int:
        """Features to whose multiple a clip is padded alone."""
        if not self._has_window:
            return self.frontend.quantum
        # With the silence behind it a clip has its length; in a window all have the same.
        return 1 if self._length.is_any_length else self.frontend.max_features or 1

    def _transcribe_equal(
        self,
        features: Sequence[np.ndarray],
        length: int,
        languages: Sequence[str],
        seconds: Sequence[float],
        before: Sequence[Sequence[int]],
        size: int | None,
    ) -> list[list[Transcript]]:
        """Transcripts of clips that are equally long once they are padded, as is what is before."""
        base, inputs = weights.own(self.model), self._inputs(features, length)
        languages = generation.identify_languages(base, inputs, self.prompts, languages)
        most, more = self.usage.generation_max_length, len(before[0])
        rows = generation.generate(
            base,
            inputs,
            [[*a, *self.prompts.ids(b)] for a, b in zip(before, languages, strict=True)],
            end=self._end,
            limits=(
                self._positions,
                None if self._limit is None else self._limit + more,
                None if most is None else self._prompt_length + more + most,
            ),
            first_time=self._first_time,
            most=[most_tokens(one) for one in seconds] if self._has_window else None,
            n_best=size,
        )
        spoken = [self.prompts.spoken(one) for one in languages]
        return [
            [generation.transcript(one, self.tokenizer, language, self._first_time) for one in row]
            for row, language in zip(rows, spoken, strict=True)
        ]

    def _inputs(self, features: Sequence[np.ndarray], length: int) -> dict[str, torch.Tensor]:
        """What the encoder takes of clips that it decodes, on the model's device."""
        import torch

        inputs = self._audio(features, length)
        if self._has_window:  # all of it is encoded, the silence behind a clip too
            inputs.pop("real", None)
            inputs["attention_mask"] = torch.ones(inputs["input_features"].shape[::2])
        device = next(self.model.parameters()).device
        return {name: tensor.to(device) for name, tensor in inputs.items()}

    def word_times(
        self, clips: Sequence[Clip], transcripts: Sequence[Transcript]
    ) -> list[tuple[Word, ...] | None]:
        if not self._has_window:
            return super().word_times(clips, transcripts)
        aligner = WordAligner(weights.own(self.model), self.tokenizer, self._end)
        features = [self.features(clip.audio) for clip in clips]
        with evaluating(self.model):
            return [
                aligner.words(
                    self._inputs([of_clip], len(of_clip))["input_features"],
                    self.prompts.within(
                        None, self._listed.before(clip.context), one.language or "", 0
                    ),
                    one,
                    len(clip.audio) / self.sample_rate,
                )
                for clip, of_clip, one in zip(clips, features, transcripts, strict=True)
            ]

    def describe_decoding(self) -> str:
        beams = loading.beams_of(weights.own(self.model))
        found = "the likeliest token at each step" if beams == 1 else f"beam search of {beams}"
        length = f", {self._length.described}" if self._has_window else ""
        return f"generation by the decoder: {found}{length}{self._listed.described}"

    def configure_decoding(self, config: ModelConfig) -> None:
        self._use(
            dataclasses.replace(
                self.usage,
                language=config.language,
                task=config.task,
                generation_max_length=config.generation_max_length,
            )
        )
        self._listed = read_context(config.context_file, self.prompts)
