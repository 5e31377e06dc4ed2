"""Speech LLMs that come with LoRA of their own beside their weights."""

from __future__ import annotations

import pytest
import torch
from tiny_models import TEXTS, tiny, train
from transcripts import transcribed
from transformers import AutoModelForMultimodalLM

from mynah.models import registry
from mynah.models.family import Example

KINDS = ("granite_speech_lora", "phi4_multimodal")


@pytest.fixture
def build(checkpoints):
    def built(kind, **settings):
        config = tiny(pretrained=str(checkpoints(kind)), **settings)
        return registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)

    return built


def plain(folder):
    """The model as transformers loads it, and what lets it take audio."""
    model = AutoModelForMultimodalLM.from_pretrained(folder, dtype=torch.float32)
    if (folder / "speech-lora").exists():
        options = {"subfolder": "speech-lora"}
        model.load_adapter(str(folder), adapter_name="speech", adapter_kwargs=options)
    return model.eval()


def logits(model, batch):
    with torch.no_grad():
        return model(**batch).logits


def inputs(family, clip):
    example = Example("a", family.features(clip), family.labels(TEXTS[0]), seconds=1.0)
    batch = family.collate([example])
    return {name: batch[name] for name in batch if name not in ("labels", "weights")}


@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_beside_the_weights_is_merged_into_them(kind, build, checkpoints, clips):
    family = build(kind, use_lora=False)
    family.model.eval()
    batch = inputs(family, clips[0])
    adapted = plain(checkpoints(kind))
    expected = logits(adapted, batch)
    torch.testing.assert_close(logits(family.model, batch), expected, rtol=1e-4, atol=1e-4)
    adapted.disable_adapters()
    assert (logits(adapted, batch) - expected).abs().max() > 0.01
    assert not any("lora" in name for name in family.model.state_dict())


@pytest.mark.parametrize("kind", KINDS)
def test_saved_in_full_it_needs_no_adapter(kind, build, clips, tmp_path):
    family = build(kind, use_lora=False)
    train(family, family.collate([Example("a", family.features(clips[0]), family.labels("so"))]))
    said = transcribed(family, clips)
    family.save(tmp_path)
    assert not list(tmp_path.glob("**/adapter_*"))
    assert transcribed(registry.load_family(tmp_path, offline=True), clips) == said
    batch = inputs(family, clips[0])
    family.model.eval()
    torch.testing.assert_close(logits(plain(tmp_path), batch), logits(family.model, batch))


@pytest.mark.parametrize("kind", KINDS)
def test_more_lora_is_trained_on_top_of_it(kind, build, clips, tmp_path):
    family = build(kind, use_lora=True)
    train(family, family.collate([Example("a", family.features(clips[0]), family.labels("so"))]))
    family.save(tmp_path)
    assert transcribed(registry.load_family(tmp_path, offline=True), clips) == transcribed(
        family, clips
    )


def test_what_sees_does_not_train(build):
    trains = [n for n, p in build("phi4_multimodal", use_lora=False).model.named_parameters()
              if p.requires_grad]  # fmt: skip
    assert not any("image" in name or "vision" in name for name in trains)
    assert any("audio_embed.encoder" in name for name in trains)
