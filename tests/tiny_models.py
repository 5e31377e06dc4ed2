"""Settings, rows and trainings of tiny models, for whoever tests them."""

from __future__ import annotations

import dataclasses

import standins
import torch

from mynah.config.schema import EncoderConfig, ModelConfig, ProjectorConfig
from mynah.models.family import Example

TEXTS = list(standins.SENTENCES)


def tiny(**settings) -> ModelConfig:
    """Settings of a model of a few thousand parameters."""
    encoder = EncoderConfig(
        hidden_size=16,
        layers=2,
        heads=2,
        feed_forward_size=32,
        conv_kernel_size=5,
        subsampling_channels=4,
        mel_bins=24,
        dropout=0.0,
    )
    base = ModelConfig(
        encoder=encoder,
        vocab_size=40,
        projector=ProjectorConfig(stack=5, hidden_size=32),
        generation_max_length=8,
        lora_r=4,
        lora_alpha=8,
        lora_dropout=0.0,
    )
    return dataclasses.replace(base, **settings)


def examples(family, clips, texts=None):
    return [
        Example(f"utterance-{i}", family.features(clip), family.labels(text))
        for i, (clip, text) in enumerate(zip(clips, texts or TEXTS, strict=False))
    ]


def train(family, batch, steps=3, rate=3e-3):
    """Losses a token before each step and after the last."""
    family.model.train()
    trained = [p for p in family.model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=rate)
    losses = []
    for _ in range(steps):
        loss = family.loss(family.model, batch)
        (loss.total / loss.count).backward()
        losses.append((loss.total / loss.count).item())
        optimizer.step()
        optimizer.zero_grad()
    with torch.no_grad():
        loss = family.loss(family.model, batch)
    family.model.eval()
    return [*losses, (loss.total / loss.count).item()]


def gradients(family, batches):
    """Gradient of all losses together divided by all counts together."""
    family.model.zero_grad()
    losses = [family.loss(family.model, batch) for batch in batches]
    (sum(one.total for one in losses) / sum(one.count for one in losses)).backward()
    return {
        name: parameter.grad.clone()
        for name, parameter in family.model.named_parameters()
        if parameter.grad is not None
    }


def doubled(batch):
    """A batch in double precision."""
    return {k: v.double() if v.is_floating_point() else v for k, v in batch.items()}


def make_talkative(family, clips):
    """Let a random transducer say this and that, with blanks between.

    The frames of a random encoder are all alike: they are spread around zero.
    """
    model = family.model.eval()
    lengths = [len(family.features(clip)) for clip in clips]
    batch = family.frontend.pad([family.features(clip) for clip in clips], max(lengths))
    with torch.no_grad():
        frames = model.get_audio_features(**batch).pooler_output
        frames = torch.cat([frames[row, :10] for row in range(len(clips))])
        torch.manual_seed(0)
        projector = model.encoder_projector
        projector.weight /= frames.std(0)[:, None]
        projector.bias.copy_((projector.bias - frames.mean(0)) / frames.std(0))
        model.decoder.embedding.weight.normal_()
        model.decoder.decoder_projector.weight.normal_()
        model.joint.head.weight.normal_(std=0.7)
        model.joint.head.bias[family.blank] = 5.0
        if family.durations:
            model.joint.head.bias[-2:] = 4.0  # longer than no frame at all
    return family
