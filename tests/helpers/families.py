"""One model of each family, and what the tests of weights and adapters do with it."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tiny_models import TEXTS, examples, tiny

from mynah.models import registry

FAMILIES = ("ctc", "transducer", "seq2seq", "audio_llm", "speech_llm")
_NAMED = {
    "ctc": {"pretrained": "hubert_ctc"},
    "transducer": {"pretrained": "parakeet_tdt"},
    "seq2seq": {"pretrained": "whisper_asr"},
    "audio_llm": {"pretrained": "qwen3_asr"},
    "speech_llm": {"encoder_model_name": "wav2vec2_base", "decoder_model_name": "chat_lm"},
}
_SHORT = ["call anna", "ten minutes", "nine", "next song"]  # for eight frames folded into one


def names(family, folder):
    """The settings that name the family's parts, each a folder that ``folder(kind)`` gives."""
    named = {setting: str(folder(kind)) for setting, kind in _NAMED[family].items()}
    return named | ({"language": "en"} if family == "seq2seq" else {})


def build(family, folder, **settings):
    """The family's model with these settings, the same for the same settings."""
    torch.manual_seed(0)
    config = tiny(**{**names(family, folder), **settings})
    made = registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)
    assert made.name == family
    return made


def batch_of(family, clips):
    return family.collate(examples(family, clips, _SHORT))


def loss_of(family, batch):
    """Loss of a batch, nothing sampled."""
    family.model.eval()
    with torch.no_grad():
        return family.loss(family.model, batch).total


def shifted(family, scale=0.02):
    """The family with LoRA matrices that say something: they begin at nothing."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in family.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=scale)
    return family


def stored_in(folder: Path, target: Path, dtype: torch.dtype) -> Path:
    """A copy of a checkpoint whose file holds another precision."""
    shutil.copytree(folder, target, dirs_exist_ok=True)
    weights = load_file(target / "model.safetensors")
    weights = {k: v.to(dtype) if v.is_floating_point() else v for k, v in weights.items()}
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    return target
