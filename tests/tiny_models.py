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
