"""CTC recognizers: an encoder with one linear head.

They are decoded by the best label of each frame, or with a language model by beam search.
Connectionist temporal classification, Graves et al. 2006. From scratch the encoder is a
FastConformer (arXiv 2305.05084) in transformers' own classes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mynah.config.naming.language_model import WORDS
from mynah.config.tuning import FROZEN, LORA, Tuning, tuning_of_recognizer
from mynah.errors import UserError
from mynah.models.ctc import loading
from mynah.models.ctc.beam_search import search
from mynah.models.ctc.greedy import best_paths
from mynah.models.ctc.head import too_many_labels
from mynah.models.ctc.loss import ctc_losses
from mynah.models.family import Example, LossSum
from mynah.models.features.frontends import frontend_for, group_by_length
from mynah.models.fusion.word_decoding import WordDecoding
from mynah.models.lora import adapters
from mynah.models.parameters import evaluating, hold_frozen_norms
from mynah.models.pretrained import hub, weights
from mynah.models.pretrained.part import NamedParts, PretrainedPart
from mynah.models.recognizer import FrameRecognizer
from mynah.models.text.labeller import Labeller
from mynah.models.text.labels import padded_labels
from mynah.models.text.tokenizers import load_ctc_tokenizer, text_of
from mynah.models.text.word_times import PathWriter
from mynah.models.transcript import Clip, Transcript

if TYPE_CHECKING:
    import torch

    from mynah.config.schema import ModelConfig

_WINDOW = 12.0  # nats: a prefix that is 160,000 times less likely than the best is dropped
_INPUTS = ("input_features", "input_values", "attention_mask")


class CTC(FrameRecognizer):
    """A model of AutoModelForCTC, or that model with LoRA, with its processor.

    Args:
        model: The model; its configuration's ``pad_token_id`` is the blank.
        extractor: Its feature extractor.
        tokenizer: Its tokenizer.
        pretrained: Whether its weights were loaded.
        revisions: Names of the pretrained parts with their commits.
    """

    name = "ctc"
    supports = frozenset({"new_tokenizer", "ctc_consistency", "ctc_intermediate", "context_file"})
    auto_classes = ("AutoModelForCTC",)

    def __init__(
        self,
        model: Any,
        extractor: Any,
        tokenizer: Any,
        *,
        pretrained: bool,
        revisions: dict[str, str] | None = None,
    ) -> None:
        from mynah.models.patches import fastconformer, padding

        fastconformer.install_fastconformer(model)
        padding.install_padding(model)
        base = weights.own(model)
        self.model = model
        self.pretrained = pretrained
        self.frontend = frontend_for(extractor, base)
        self.sample_rate = self.frontend.sample_rate
        self.feature_seconds = self.frontend.feature_seconds
        self.log_mel, self.stacked = self.frontend.log_mel, self.frontend.stacked
        self.tokenizer = tokenizer
        self.processor = loading.make_processor(extractor, tokenizer)
        self.blank: int = base.config.pad_token_id
        self._labeller = Labeller(tokenizer, self.blank)
        self._writer = PathWriter(tokenizer, self.frontend, timed=True)
        self._revisions = dict(revisions or {})
        self._new_head = False
        self._consistency = self._intermediate = 0.0

    @classmethod
    def model_types(cls) -> Collection[str]:
        from transformers.models.auto.modeling_auto import MODEL_FOR_CTC_MAPPING_NAMES

        return MODEL_FOR_CTC_MAPPING_NAMES

    @classmethod
    def check_settings(cls, config: ModelConfig) -> None:
        super().check_settings(config)
        if config.pretrained is None and config.architecture != "fastconformer":
            loading.check_intermediate(config, config.architecture)

    @classmethod
    def check_pretrained(cls, config: ModelConfig, part: PretrainedPart, sample_rate: int) -> None:
        super().check_pretrained(config, part, sample_rate)
        loading.check_intermediate(config, hub.model_type(part))

    @classmethod
    def build(
        cls, config: ModelConfig, parts: NamedParts, *, texts: Iterable[str], sample_rate: int
    ) -> CTC:
        texts = list(texts)
        family = cls._build_model(config, parts, texts, sample_rate)
        family._learn_by(config)
        if config.language_model == WORDS:
            cased = map(family._labeller.cased, texts)
            family._words = WordDecoding.estimate(cased, family.tokenizer)
        family.configure_decoding(config)
        return family

    def _learn_by(self, config: ModelConfig) -> None:
        """Take what joins the plain loss."""
        loading.check_intermediate(config, weights.own(self.model).config.model_type)
        self._consistency, self._intermediate = config.ctc_consistency, config.ctc_intermediate

    @classmethod
    def _build_model(
        cls,
        config: ModelConfig,
        named: Mapping[str, PretrainedPart],
        texts: list[str],
        sample_rate: int,
    ) -> CTC:
        if config.pretrained is None:
            parts = loading.ctc_from_scratch(config, texts, sample_rate)
            return cls(parts.model, parts.extractor, parts.tokenizer, pretrained=False)
        part = named["pretrained"]
        if part.is_folder and (part.folder / "adapter_config.json").exists():
            return cls._continued(config, part.folder, offline=part.offline)
        parts = loading.ctc_from_pretrained(config, part, texts, sample_rate)
        model = parts.model
        learns = tuning_of_recognizer(config)
        if parts.new_head and learns.decoder == FROZEN:
            raise UserError(
                "The last layer is newly initialized, so it has to learn.",
                where="model.decoder_tuning=frozen",
                fix="model.decoder_tuning=null",
            )
        if learns.encoder == LORA:
            loading.untie(model)
            heads = loading.label_layers(model)
            model = adapters.add_lora(
                model,
                config,
                heads=[] if learns.decoder == FROZEN else heads if parts.new_head else heads[:1],
                base=part.lasting_name,
                revision=hub.lasting_revision(part),
            )
        else:
            loading.freeze_ctc(model, learns)
        family = cls(
            model, parts.extractor, parts.tokenizer, pretrained=True, revisions=parts.revisions
        )
        family._new_head = parts.new_head
        return family

    @classmethod
    def _continued(cls, config: ModelConfig, directory: Path, *, offline: bool) -> CTC:
        if config.new_tokenizer:
            raise UserError(
                f"{directory} is an adapter, whose head belongs to its tokenizer.",
                where=f"model.new_tokenizer={config.new_tokenizer}",
                fix="Merge it first (`mynah merge`), and name what comes of it.",
            )
        return super()._continued(config, directory, offline=offline)

    def _freeze(self, model: Any, learns: Tuning) -> None:
        loading.freeze_ctc(model, learns)

    def _around(self, model: Any, config: ModelConfig) -> CTC:
        if model is self.model:
            return self
        extractor, revisions = self.processor.feature_extractor, self.base_revisions()
        return CTC(model, extractor, self.tokenizer, pretrained=True, revisions=revisions)

    def untuned(self) -> CTC | None:
        if not self.pretrained or self._new_head:
            return None
        extractor = self.processor.feature_extractor
        # Without the words of the corpus that it is going to be tuned on.
        return type(self)(
            self.model, extractor, self.tokenizer, pretrained=True, revisions=self._revisions
        )

    @classmethod
    def _load_model(cls, directory: Path, *, offline: bool) -> CTC:
        from transformers import AutoConfig

        here = hub.checkpoint(directory)
        config = AutoConfig.from_pretrained(directory, local_files_only=True)
        extractor = hub.feature_extractor(here)
        tokenizer = load_ctc_tokenizer(str(directory), local_files_only=True)
        if not (directory / "adapter_config.json").exists():
            model = loading.load_ctc_base(here, config, new_head=False)
            return cls(model, extractor, tokenizer, pretrained=True)
        base = adapters.adapted_base(directory, offline=offline)
        model = loading.load_ctc_base(base, config, new_head=True)
        model = adapters.load_lora(model, directory, trainable=True)
        revisions = {base.name: hub.commit_of(base)}
        return cls(model, extractor, tokenizer, pretrained=True, revisions=revisions)

    def impossible(self, samples: int, labels: Sequence[int]) -> str | None:
        return too_many_labels(self.output_length(samples), labels)

    def collate(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        import torch

        lengths = [len(example.features) for example in examples]
        frames = self.frontend.encoder_frames(lengths)
        for example, length in zip(examples, frames.tolist(), strict=True):
            if reason := too_many_labels(length, example.labels):
                raise UserError(
                    f"CTC cannot learn this utterance: {reason}.",
                    where=f"utterance {example.id}",
                    fix="Check that its transcript is that of its audio; or use "
                    "model.tokenizer=bpe with a larger model.vocab_size, or a smaller "
                    "model.encoder.subsampling_factor.",
                )
        # wav2vec2 and its relatives mask spans of frames in training, which a batch has to hold.
        longest = max(*lengths, self.frontend.quantum)
        copies = [example.features for example in examples]
        if any(example.second is not None for example in examples):
            copies += [
                example.features if example.second is None else example.second
                for example in examples
            ]
        batch = self.frontend.pad(copies, longest)
        targets = [example.labels for example in examples]
        return {
            **batch,
            "labels": padded_labels(targets, self.blank),
            "label_lengths": torch.tensor([len(target) for target in targets], dtype=torch.long),
            "frames": frames,
            "weights": torch.tensor([example.weight for example in examples]),
        }

    def loss(self, model: Any, batch: dict[str, torch.Tensor]) -> LossSum:
        hold_frozen_norms(self.model)
        inputs = {key: batch[key] for key in _INPUTS if key in batch}
        halfway = self._intermediate if self.model.training else 0.0
        found = model(**inputs, **({"output_hidden_states": True} if halfway else {}))
        losses = ctc_losses(found.logits, batch, self.blank, self._consistency)
        if halfway:
            states = found.hidden_states  # before the first layer, and behind each
            logits = loading.last_layer(self.model)(states[len(states) // 2])
            losses = (1 - halfway) * losses + halfway * ctc_losses(logits, batch, self.blank)
        return self._loss_sum(losses, batch)

    def transcribe(self, clips: Sequence[Clip]) -> list[Transcript]:
        found: dict[int, Transcript] = {}
        for positions, logits, frames in self._logits([clip.audio for clip in clips]):
            found |= zip(positions, self._transcripts(logits, frames), strict=True)
        return [found.get(row, Transcript("")) for row in range(len(clips))]

    def log_posteriors(self, audios: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Log probability of each label, the blank among them, in each encoder frame.

        Args:
            audios: float32 [samples] each.

        Returns:
            float32 [frames, labels] each, the same for any batching.
        """
        labels = int(self.model.config.vocab_size)
        found = [np.zeros((0, labels), dtype=np.float32)] * len(audios)
        for positions, logits, frames in self._logits(audios):
            rows = logits.float().log_softmax(-1).cpu().numpy()
            for position, row, length in zip(positions, rows, frames, strict=True):
                found[position] = row[:length]
        return found

    def _logits(
        self, audios: Sequence[np.ndarray]
    ) -> Iterator[tuple[list[int], torch.Tensor, list[int]]]:
        """Forward passes over clips of equal length: positions, logits [clips, frames, labels]
        and each clip's own number of frames. A clip too short to encode is in none of them."""
        import torch

        device = next(self.model.parameters()).device
        encoded = [row for row, audio in enumerate(audios) if self.output_length(len(audio)) > 0]
        features = [self.features(audios[row]) for row in encoded]
        lengths = [len(one) for one in features]
        frames = self.frontend.encoder_frames(lengths).tolist()
        with evaluating(self.model):
            for length, group in group_by_length(lengths, self.frontend.quantum):
                batch = self.frontend.pad([features[position] for position in group], length)
                with torch.inference_mode():
                    logits = self.model(**{k: v.to(device) for k, v in batch.items()}).logits
                yield [encoded[one] for one in group], logits, [frames[one] for one in group]

    def _transcripts(self, logits: torch.Tensor, frames: Sequence[int]) -> list[Transcript]:
        """What is written of each row of [rows, frames, labels], ``frames`` of it not padding."""
        if self._beam is not None:
            rows = logits.float().log_softmax(-1).cpu().numpy()
            found = [
                search(
                    row[:length],
                    blank=self.blank,
                    beam_size=self._beam.beam_size,
                    scorer=self._beam.scorer,
                    written=self._beam.written,
                    window=_WINDOW,
                )
                for row, length in zip(rows, frames, strict=True)
            ]
            return [Transcript(text_of(self.tokenizer, one), tuple(one)) for one in found]
        paths = best_paths(logits, frames, blank=self.blank)
        return [self._writer.write(path) for path in paths]

    def written(self, logits: np.ndarray) -> str:
        """The greedy transcript of one clip's logits, float32 [frames, labels]."""
        import torch

        (path,) = best_paths(torch.from_numpy(logits)[None], [len(logits)], blank=self.blank)
        return self._writer.write(path).text

    def describe_decoding(self) -> str:
        if self._beam is not None:
            return self._beam.describe("CTC beam search")
        return "greedy CTC: the best label of each frame"
