"""CTC recognizers: an encoder with one linear head, decoded by its best label a frame.

Connectionist temporal classification, Graves et al. 2006. From scratch the encoder is a
FastConformer (arXiv 2305.05084) in transformers' own classes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mynah.config.errors import UserError
from mynah.models.family import Example, Family, LossSum
from mynah.models.features import LogMel
from mynah.models.tokenizers import train_tokenizer

if TYPE_CHECKING:
    import torch

    from mynah.config.schema import ModelConfig


class CTC(Family):
    """A ``ParakeetForCTC`` with its feature extractor and tokenizer."""

    name = "ctc"

    def __init__(
        self,
        model: Any,
        processor: Any,
        *,
        pretrained: bool,
        revisions: dict[str, str] | None = None,
    ) -> None:
        from mynah.models import fastconformer

        self.model = model
        fastconformer.install(model)
        self.processor = processor
        self.tokenizer = processor.tokenizer
        self.pretrained = pretrained
        self.sample_rate = processor.feature_extractor.sampling_rate
        self.blank: int = model.config.pad_token_id
        self._log_mel = LogMel(processor.feature_extractor)
        self.feature_seconds = self._log_mel.hop_length / self.sample_rate
        self._revisions = dict(revisions or {})

    @classmethod
    def build(
        cls, config: ModelConfig, *, texts: Iterable[str], sample_rate: int, offline: bool
    ) -> CTC:
        from transformers import (
            ParakeetCTCConfig,
            ParakeetEncoderConfig,
            ParakeetFeatureExtractor,
            ParakeetForCTC,
            ParakeetProcessor,
        )

        sizes = config.encoder
        tokenizer = train_tokenizer(texts, kind=config.tokenizer, vocab_size=config.vocab_size)
        encoder = ParakeetEncoderConfig(
            hidden_size=sizes.hidden_size,
            num_hidden_layers=sizes.layers,
            num_attention_heads=sizes.heads,
            intermediate_size=sizes.feed_forward_size,
            conv_kernel_size=sizes.conv_kernel_size,
            subsampling_factor=sizes.subsampling_factor,
            subsampling_conv_channels=sizes.subsampling_channels,
            num_mel_bins=sizes.mel_bins,
            dropout=sizes.dropout,
            activation_dropout=sizes.dropout,
            attention_dropout=sizes.dropout,
            layerdrop=0.0,
            attention_bias=False,
            convolution_bias=False,
            scale_input=False,
        )
        model = ParakeetForCTC(
            ParakeetCTCConfig(
                vocab_size=len(tokenizer),
                pad_token_id=tokenizer.pad_token_id,
                encoder_config=encoder,
            )
        )
        # 25 ms windows every 10 ms at any rate; the transform is the next power of two.
        window = sample_rate // 40
        extractor = ParakeetFeatureExtractor(
            feature_size=sizes.mel_bins,
            sampling_rate=sample_rate,
            hop_length=sample_rate // 100,
            win_length=window,
            n_fft=1 << (window - 1).bit_length(),
        )
        processor = ParakeetProcessor(extractor, tokenizer, decoder_type="ctc")
        return cls(model, processor, pretrained=False)

    @classmethod
    def load(cls, directory: Path, *, offline: bool = False) -> CTC:
        import torch
        from transformers import AutoModelForCTC, AutoProcessor

        processor = AutoProcessor.from_pretrained(directory, local_files_only=True)
        model, report = AutoModelForCTC.from_pretrained(
            directory,
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
        wrong = {k: sorted(v) for k, v in report.items() if v}
        if wrong:
            raise UserError(
                f"The checkpoint's weights do not fit its configuration: {wrong}",
                where=str(directory),
                fix="Use another checkpoint; this one is damaged or was edited.",
            )
        return cls(model, processor, pretrained=True)

    def save(self, directory: Path) -> None:
        self.model.save_pretrained(directory)
        self.processor.save_pretrained(directory)

    def features(self, audio: np.ndarray) -> np.ndarray:
        return self._log_mel(audio)

    def labels(self, text: str) -> list[int]:
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return [i for i in ids if i not in (self.tokenizer.unk_token_id, self.blank)]

    def output_length(self, samples: int) -> int:
        return int(self._encoder_frames([self._log_mel.frames(samples)])[0])

    def impossible(self, samples: int, labels: Sequence[int]) -> str | None:
        return self._too_many_labels(self.output_length(samples), labels)

    @staticmethod
    def _too_many_labels(frames: int, labels: Sequence[int]) -> str | None:
        """CTC needs a frame a label and a blank between two equal ones."""
        repeats = sum(a == b for a, b in itertools.pairwise(labels))
        if frames and len(labels) + repeats <= frames:
            return None
        return f"{len(labels)} labels and {repeats} repeats need more than {frames} encoder frames"

    def collate(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        import torch

        for example in examples:
            frames = int(self._encoder_frames([len(example.features)])[0])
            if reason := self._too_many_labels(frames, example.labels):
                raise UserError(
                    f"CTC cannot learn this utterance: {reason}.",
                    where=f"utterance {example.id}",
                    fix="Check that its transcript is that of its audio; or use "
                    "model.tokenizer=bpe with a larger model.vocab_size, or a smaller "
                    "model.encoder.subsampling_factor.",
                )
        lengths = [len(example.features) for example in examples]
        batch = self._pad([example.features for example in examples], max(lengths))
        targets = [len(example.labels) for example in examples]
        labels = torch.full((len(examples), max([1, *targets])), self.blank, dtype=torch.long)
        for row, example in enumerate(examples):
            labels[row, : targets[row]] = torch.tensor(example.labels, dtype=torch.long)
        return {
            **batch,
            "labels": labels,
            "label_lengths": torch.tensor(targets, dtype=torch.long),
            "frames": self._encoder_frames(lengths),
            "weights": torch.tensor([example.weight for example in examples]),
        }

    def loss(self, model: Any, batch: dict[str, torch.Tensor]) -> LossSum:
        import torch

        logits = model(
            input_features=batch["input_features"], attention_mask=batch["attention_mask"]
        ).logits
        # torch has a CTC loss for the CPU and CUDA alone.
        device = logits.device if logits.device.type == "cuda" else torch.device("cpu")
        dtype = torch.promote_types(logits.dtype, torch.float32)
        log_probabilities = logits.to(device, dtype).log_softmax(-1).transpose(0, 1)
        with torch.autocast(device.type, enabled=False):
            losses = torch.nn.functional.ctc_loss(
                log_probabilities,
                batch["labels"].to(device),
                batch["frames"].to(device),
                batch["label_lengths"].to(device),
                blank=self.blank,
                reduction="none",
            )
        weights = batch["weights"].to(losses)
        return LossSum(
            total=(losses * weights).sum(),
            count=(batch["label_lengths"].to(weights) * weights).sum(),
        )

    def transcribe(self, audios: Sequence[np.ndarray]) -> list[str]:
        import torch

        features = [self.features(audio) for audio in audios]
        lengths = [len(one) for one in features]
        frames = self._encoder_frames(lengths)
        device = next(self.model.parameters()).device
        training = self.model.training
        self.model.eval()
        try:
            with torch.inference_mode():
                batch = self._pad(features, max(lengths))
                logits = self.model(**{k: v.to(device) for k, v in batch.items()}).logits
                best = logits.argmax(-1).cpu()
        finally:
            self.model.train(training)
        return [self._text(row[:length]) for row, length in zip(best, frames.tolist(), strict=True)]

    def _text(self, best: torch.Tensor) -> str:
        """Best label of each frame, [frames], to text: repeats collapse, blanks vanish."""
        ids = [label for label, _ in itertools.groupby(best.tolist()) if label != self.blank]
        return self.tokenizer.decode(ids, group_tokens=False, skip_special_tokens=True).strip()

    def _encoder_frames(self, feature_frames: Sequence[int]) -> torch.Tensor:
        """The model's own arithmetic: feature frames to encoder frames, int64 [batch]."""
        import torch

        lengths = torch.tensor(feature_frames, dtype=torch.long)
        return self.model._get_subsampling_output_length(lengths).long()

    @staticmethod
    def _pad(features: Sequence[np.ndarray], frames: int) -> dict[str, torch.Tensor]:
        """[batch, frames, bins] with zeros behind each utterance, and the mask that says so."""
        import torch

        padded = np.zeros((len(features), frames, features[0].shape[1]), dtype=np.float32)
        mask = np.zeros((len(features), frames), dtype=bool)
        for row, one in enumerate(features):
            padded[row, : len(one)] = one
            mask[row, : len(one)] = True
        return {
            "input_features": torch.from_numpy(padded),
            "attention_mask": torch.from_numpy(mask),
        }

    def parameter_table(self) -> list[tuple[str, int, int]]:
        from mynah.models.parameters import parameter_table

        return parameter_table(self.model)

    def base_revisions(self) -> dict[str, str]:
        return dict(self._revisions)
