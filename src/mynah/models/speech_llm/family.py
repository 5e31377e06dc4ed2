"""A speech encoder, a projector and a causal language model: the guide's arrangement."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mynah.config.tuning import FULL
from mynah.models.ctc.head import CTCHead, TokensAndLabels
from mynah.models.family import Example, Family, LossSum
from mynah.models.features.frontends import Frontend, frontend_for, group_by_length, length_function
from mynah.models.features.whisper_window import WhisperWindowFrontend, in_windows
from mynah.models.lora import adapters
from mynah.models.parameters import evaluating, hold_frozen_norms, parameter_table
from mynah.models.pretrained import hub, weights
from mynah.models.pretrained.part import NamedParts, PretrainedPart
from mynah.models.speech_llm.config import DECODER, ENCODER
from mynah.models.speech_llm.prompts import end_of_text, prompt_ids
from mynah.models.text import packed_attention, packing
from mynah.models.text.pieces import Pieces
from mynah.models.text.plain_text import PlainText
from mynah.models.text.token_loss import IGNORED, token_losses
from mynah.models.text.tokenizers import text_of
from mynah.models.transcript import Clip, Transcript

if TYPE_CHECKING:
    import torch

    from mynah.config.schema import ModelConfig
    from mynah.models.speech_llm.parts import Parts

# A clip is followed by silence, alone, up to a multiple of this: clips of one length decode in
# one batch without padding, so that a transcript does not depend on its neighbours.
_QUANTUM_SECONDS = 0.5
_TARGETS = (
    "labels",
    "weights",
    "ctc_labels",
    "ctc_label_lengths",
    packing.LENGTHS,
)  # for the loss alone


class SpeechLLMFamily(Family):
    """A :class:`~mynah.models.speech_llm.network.SpeechLLM` with its extractor and tokenizer.

    Args:
        model: The network.
        extractor: Feature extractor of its encoder.
        tokenizer: Tokenizer of its language model.
        ctc: Labels and loss of the CTC head on its encoder, or None.
    """

    name = "speech_llm"
    _packing: str | None = None

    def __init__(
        self, model: Any, extractor: Any, tokenizer: Any, ctc: CTCHead | None = None
    ) -> None:
        self.model = model
        self.pretrained = True
        self.extractor = extractor
        self.tokenizer = tokenizer
        self._plain = PlainText(tokenizer, first_written=model.config.first_new_token or None)
        self.ctc = ctc
        self.frontend: Frontend
        encoder = weights.own(model.encoder)
        if model.config.audio_window == "native" and encoder.config.model_type == "whisper":
            self.frontend = WhisperWindowFrontend(extractor, length_function(encoder))
        else:
            self.frontend = frontend_for(extractor, encoder)
        self.sample_rate = self.frontend.sample_rate
        self.feature_seconds = self.frontend.feature_seconds
        self.log_mel, self.stacked = self.frontend.log_mel, self.frontend.stacked
        self._stack: int = model.config.projector_stack
        self._bases = dict(model.config.bases)
        self._max_tokens: int = model.config.generation_max_length
        text = model.config.text_config.get_text_config()
        self._context = getattr(text, "max_position_embeddings", None)
        self._quantum = round(_QUANTUM_SECONDS * self.sample_rate)
        end = end_of_text(tokenizer)
        assert end is not None  # one is added where there is none
        self._end = end
        self._before, self._after = prompt_ids(tokenizer, model.config.prompt)

    @classmethod
    def model_types(cls) -> Collection[str]:
        return ("mynah_speech_llm",)  # SpeechLLMConfig.model_type, without importing torch

    @classmethod
    def check_pretrained(cls, config: ModelConfig, part: PretrainedPart, sample_rate: int) -> None:
        from mynah.models.speech_llm import network  # noqa: F401  by which its type is known

        super().check_pretrained(config, part, sample_rate)

    @classmethod
    def build(
        cls, config: ModelConfig, parts: NamedParts, *, texts: Iterable[str], sample_rate: int
    ) -> SpeechLLMFamily:
        from mynah.models.speech_llm import parts as speech_llm_parts

        if config.pretrained is None:
            return cls._of(speech_llm_parts.from_names(config, parts, texts, sample_rate))
        part = parts["pretrained"]
        tuned = {ENCODER: config.encoder_tuning, DECODER: config.decoder_tuning}
        in_full = [side for side, how in tuned.items() if how == FULL]
        family = cls._load(part.folder, offline=part.offline, in_full=in_full)
        held = [one for one in family._adaptable() if adapters.is_adapted(one)]
        family = cls._of(speech_llm_parts.continue_parts(family._parts(), config, texts))
        for adaptable in family._adaptable():
            if any(adaptable is one for one in held):
                adapters.say_continued(adaptable, config, part.folder)
        return family

    def _adaptable(self) -> tuple[Any, Any]:
        return self.model.encoder, self.model.language_model

    @classmethod
    def _of(cls, parts: Parts) -> SpeechLLMFamily:
        return cls(parts.model, parts.extractor, parts.tokenizer, parts.ctc)

    def _parts(self) -> Parts:
        from mynah.models.speech_llm.parts import Parts

        return Parts(self.model, self.extractor, self.tokenizer, self.ctc)

    @classmethod
    def load(cls, directory: Path, *, offline: bool = False) -> SpeechLLMFamily:
        return cls._load(directory, offline=offline)

    @classmethod
    def _load(
        cls, directory: Path, *, offline: bool, in_full: Collection[str] = ()
    ) -> SpeechLLMFamily:
        """The model of a checkpoint, of which ``in_full`` are trained in full from here on."""
        from transformers import AutoFeatureExtractor, AutoTokenizer

        from mynah.models.speech_llm.network import SpeechLLM

        model = SpeechLLM.from_pretrained(directory, local_files_only=offline, in_full=in_full)
        extractor = AutoFeatureExtractor.from_pretrained(directory, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
        has_ctc = model.config.ctc_labels
        ctc = CTCHead.load(directory, model.config.ctc_head_weight) if has_ctc else None
        return cls(model, extractor, tokenizer, ctc)

    def save(self, directory: Path) -> None:
        self.model.save_pretrained(directory)
        self.extractor.save_pretrained(directory)
        with hub.quiet():
            self.tokenizer.save_pretrained(directory)
        if self.ctc is not None:
            self.ctc.save(directory)

    def saved_bytes(self) -> int:
        elsewhere = {ENCODER, DECODER} - set(self.model.config.saved_parts)
        return sum(
            one.numel() * one.element_size()
            for name, one in self.model.named_parameters()
            if one.requires_grad or name.partition(".")[0] not in elsewhere
        )

    def merge(self) -> None:
        from mynah.models.speech_llm import parts as speech_llm_parts

        speech_llm_parts.merge_parts(self.model)

    def features(self, audio: np.ndarray) -> np.ndarray:
        return self.frontend.features(np.pad(audio, (0, self._samples(len(audio)) - len(audio))))

    def _samples(self, samples: int) -> int:
        """A clip's length with the silence behind it."""
        return -(-max(samples, 1) // self._quantum) * self._quantum

    def labels(self, text: str) -> list[int]:
        ids = [*self._plain.ids(text), self._end]
        return ids if self.ctc is None else TokensAndLabels(ids, self.ctc.labels(text))

    def output_length(self, samples: int) -> int:
        return self.frontend.output_length(self._samples(samples))

    def impossible(self, samples: int, labels: Sequence[int]) -> str | None:
        window = self._encoder_samples
        if window is not None and self._samples(samples) > window:
            seconds = window / self.sample_rate
            return f"it is longer than the {seconds:g} s that the encoder takes at once"
        frames = self.output_length(samples)
        if frames == 0:
            return "it is too short for the encoder to make a frame of"
        if self.ctc is not None and (reason := self.ctc.impossible(frames, labels)):
            return f"{reason} (of the CTC head)"
        length = len(self._prompt(frames)) + len(labels)
        if self._context is not None and length > self._context:
            return (
                f"prompt and transcript are {length} tokens, over the {self._context} it can hold"
            )
        return None

    @property
    def _encoder_samples(self) -> int | None:
        """Longest clip that the encoder takes, or None."""
        if self.frontend.max_features is None or self.feature_seconds is None:
            return None
        return round(self.frontend.max_features * self.feature_seconds * self.sample_rate)

    def encoded_seconds(self, seconds: float) -> float:
        window = self._encoder_samples
        if window is None or not isinstance(self.frontend, WhisperWindowFrontend):
            return seconds
        return in_windows(seconds, window / self.sample_rate)

    @property
    def window_samples(self) -> int | None:
        """What the encoder takes, and no more than leaves half of the language model's positions
        to the transcript."""
        window = self._encoder_samples
        if self._context is None or isinstance(self.frontend, WhisperWindowFrontend):
            return window
        vectors = self._context // 2 - len(self._before) - len(self._after)
        seconds = 10 * vectors * self._stack / max(1, self.output_length(10 * self.sample_rate))
        fitting = max(1, int(2 * seconds)) * self._quantum
        return fitting if window is None else min(window, fitting)

    def _prompt(self, frames: int) -> list[int]:
        """Token ids up to the transcript, with an audio token for each projected vector."""
        from mynah.models.speech_llm.network import AUDIO_TOKEN

        return [*self._before, *[AUDIO_TOKEN] * -(-frames // self._stack), *self._after]

    def collate(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        import torch

        batch = self._audio([example.features for example in examples])
        prompts = [self._prompt(frames) for frames in batch["audio_frames"].tolist()]
        if self.ctc is not None:
            batch |= self.ctc.collate([example.labels for example in examples])
        batch["weights"] = torch.tensor([example.weight for example in examples])
        if self._packing is not None:
            said = (example.labels for example in examples)
            return batch | packing.pack(list(zip(prompts, said, strict=True)))
        lengths = [len(p) + len(e.labels) for p, e in zip(prompts, examples, strict=True)]
        shape = (len(examples), max(lengths))
        input_ids = torch.full(shape, self._end, dtype=torch.long)
        labels = torch.full(shape, IGNORED, dtype=torch.long)
        attention_mask = torch.zeros(shape, dtype=torch.long)
        for row, (prompt, example) in enumerate(zip(prompts, examples, strict=True)):
            input_ids[row, : lengths[row]] = torch.tensor([*prompt, *example.labels])
            labels[row, len(prompt) : lengths[row]] = torch.tensor(example.labels)
            attention_mask[row, : lengths[row]] = 1
        return {
            **batch,
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "labels": labels,
        }

    def _audio(self, features: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
        """What the network takes of a batch's features."""
        import torch

        lengths = [len(one) for one in features]
        padded = self.frontend.pad(features, max(lengths))
        batch = {
            "input_features": padded[self.frontend.input_name],
            "feature_lengths": torch.tensor(
                self.frontend.encoded_lengths(lengths), dtype=torch.long
            ),
            "audio_frames": self.frontend.encoder_frames(lengths),
        }
        if "attention_mask" in padded:
            batch["input_features_mask"] = padded["attention_mask"]
        return batch

    @classmethod
    def check_packing(cls, how: str, parts: NamedParts) -> None:
        part = parts.get("decoder_model_name") or parts["pretrained"]
        packed_attention.check(hub.load_config(part), how, part.name)

    def pack_sequences(self, how: str | None) -> None:
        if how is not None:
            own = weights.own(self.model.language_model)
            name = self._bases[DECODER][0] if DECODER in self._bases else own.config.model_type
            packed_attention.prepare(own, [own], how, name)
        self._packing = how

    def loss(self, model: Any, batch: dict[str, torch.Tensor]) -> LossSum:
        hold_frozen_norms(self.model)
        inputs = {k: v for k, v in batch.items() if k not in _TARGETS}
        of_tokens = self._packed_losses if packing.LENGTHS in batch else self._padded_losses
        totals, tokens, ctc_logits = of_tokens(model, inputs, batch)
        counts = batch["weights"].to(totals)
        if self.ctc is not None:
            # A mean over CTC's labels and a mean over tokens, each utterance as its tokens count.
            of_labels = self.ctc.losses(ctc_logits, batch).to(totals)
            totals = totals + self.ctc.weight * tokens * of_labels
        return LossSum(total=(totals * counts).sum(), count=(tokens * counts).sum())

    def _padded_losses(
        self, model: Any, inputs: dict[str, Any], batch: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Each utterance's loss over its tokens and their number, [batch], and CTC's logits."""
        labels = batch["labels"]
        # Logits at a position are of the token after it.
        first = int((labels != IGNORED).any(0).int().argmax())
        output = model(**inputs, first_target=first - 1)
        targets = labels[:, first:]
        losses = token_losses(output.logits[:, :-1], targets)
        return losses.sum(1), (targets != IGNORED).sum(1).to(losses), output.ctc_logits

    def _packed_losses(
        self, model: Any, inputs: dict[str, Any], batch: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The same of packed rows."""
        targets = packing.PackedTargets.of(batch)
        assert self._packing is not None
        inputs["attention_mask"] = packing.attention_mask(batch[packing.LENGTHS], self._packing)
        output = model(**inputs, kept_positions=targets.before)
        losses = token_losses(output.logits, targets.labels)
        return (
            targets.per_text(losses), targets.per_text(losses.new_ones(losses.shape)),
            output.ctc_logits,
        )  # fmt: skip

    def transcribe(self, clips: Sequence[Clip]) -> list[Transcript]:
        audios = [clip.audio for clip in clips]
        pieces = Pieces.of(audios, [self.window_samples] * len(audios))
        found: dict[int, Transcript] = {}
        with evaluating(self.model):
            lengths = [len(piece) for piece in pieces.audios]
            for _, rows in group_by_length(lengths, self._quantum):
                transcripts = self._transcribe_equal([pieces.audios[row] for row in rows])
                found |= zip(rows, transcripts, strict=True)
        return pieces.joined([found[row] for row in range(len(found))])

    def _transcribe_equal(self, audios: Sequence[np.ndarray]) -> list[Transcript]:
        """Transcripts of clips that are equally long with the silence behind them."""
        import torch

        device = self.model.projector.layers[0].weight.device
        batch = self._audio([self.features(audio) for audio in audios])
        prompt = torch.tensor(self._prompt(int(batch["audio_frames"][0])), device=device)
        with torch.inference_mode():
            audio = self.model.audio_vectors(**{k: v.to(device) for k, v in batch.items()})
            embedded = self.model.embeddings(prompt.expand(len(audios), -1), audio)
            room = self._max_tokens if self._context is None else self._context - len(prompt)
            most = max(1, min(self._max_tokens, room))
            rows = self.model.greedy(embedded, end=self._end, max_tokens=most)
        return [
            Transcript(
                text_of(self.tokenizer, row.tokens),
                row.tokens,
                row.log_probability,
                is_cut=row.is_cut,
            )
            for row in rows
        ]

    def configure_decoding(self, config: ModelConfig) -> None:
        from mynah.models.speech_llm.parts import asked_length

        self.hold_length(asked_length(config, self._max_tokens))

    def hold_length(self, most: int) -> None:
        """Write at most so many tokens, as its checkpoint says from now on."""
        self.model.config.generation_max_length = self._max_tokens = most

    def describe_decoding(self) -> str:
        return "greedy generation by the language model"

    def parameter_table(self) -> list[tuple[str, int, int]]:
        return parameter_table(self.model)

    def part_of(self, name: str) -> str:
        part = name.split(".", 1)[0]
        own = {"language_model": "decoder", "new_tokens": "decoder", "encoder": "encoder"}
        return own.get(part, "projector")

    def base_revisions(self) -> dict[str, str]:
        return {base[0]: base[1] for base in self._bases.values()}
