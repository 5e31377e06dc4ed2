"""The stand-in of an architecture, built once: whoever changes it takes a copy."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import peft
import torch
import transformers
from architectures import Architecture
from tiny_models import TEXTS, examples, make_talkative, tiny

from mynah.models import registry, scratch
from mynah.models.ctc import loading
from mynah.models.family import Example, Family
from mynah.models.lora import adapters

# Few enough labels for a model that folds eight frames into one.
SHORT = ("call anna", "ten minutes", "nine", "next song")
STEPS, RATE = 3, 1e-3

torch.set_num_threads(1)


class Subject:
    """An architecture with what is built from it.

    Args:
        architecture: Which.
        folder: A kind of stand-in to its checkpoint.
        clips: What it encodes, float32 [samples] each.
    """

    def __init__(
        self,
        architecture: Architecture,
        folder: Callable[[str], Path],
        clips: Sequence[np.ndarray],
    ) -> None:
        self.architecture = architecture
        self.folders = [folder(kind) for kind in architecture.standins]
        self.clips = clips

    def build(self, folders: Sequence[Path] | None = None, **settings: Any) -> Family:
        """Through the registry, as a training builds it."""
        names = ("pretrained",)
        if len(self.folders) > 1:
            names = ("encoder_model_name", "decoder_model_name")
        parts = dict(zip(names, map(str, folders or self.folders), strict=True))
        config = tiny(**parts, **self.architecture.settings, **settings)
        torch.manual_seed(0)
        rate = self.architecture.sample_rate
        return registry.build(config, texts=TEXTS, sample_rate=rate, offline=True)

    @cached_property
    def full(self) -> Family:
        """As it is built; not to be changed."""
        return self.build()

    @cached_property
    def adapted(self) -> Family:
        """With LoRA, as it is built; not to be changed."""
        return self.build(use_lora=True)

    @cached_property
    def batch(self) -> dict[str, torch.Tensor]:
        """All clips with their texts."""
        return self.full.collate(rows_of(self.full, self.clips))

    @cached_property
    def trained(self) -> tuple[Family, float, float]:
        """All weights trained: the family, the loss before, and after."""
        return self._trained(self.full)

    @cached_property
    def trained_lora(self) -> tuple[Family, float, float]:
        """The same with LoRA."""
        return self._trained(self.adapted)

    def _trained(self, family: Family) -> tuple[Family, float, float]:
        family = copied(family)
        before = loss_of(family, self.batch)
        train(family, self.batch)
        return family, before, loss_of(family, self.batch)

    @cached_property
    def talking(self) -> Family:
        """With weights that let it say this and that."""
        return talkative(copied(self.full), self.clips)


def copied(family: Family) -> Family:
    """Another with weights of its own."""
    twin = copy.copy(family)
    twin.model = copy.deepcopy(family.model)
    return twin


def rows_of(family: Family, clips: Sequence[np.ndarray]) -> list[Example]:
    return examples(family, clips, SHORT)


def loss_of(family: Family, batch: dict[str, torch.Tensor], model: Any = None) -> float:
    """Mean loss of a token, nothing left to chance."""
    model = family.model if model is None else model
    model.eval()
    with torch.no_grad():
        loss = family.loss(model, batch)
    return (loss.total / loss.count).item()


def train(family: Family, batch: dict[str, torch.Tensor]) -> None:
    """Three steps of AdamW at one rate for all, seeded."""
    torch.manual_seed(0)
    family.model.train()
    trained = [p for p in family.model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=RATE)
    for _ in range(STEPS):
        loss = family.loss(family.model, batch)
        (loss.total / loss.count).backward()
        optimizer.step()
        optimizer.zero_grad()
    family.model.eval()


def merged(family: Family) -> Any:
    """The model with its LoRA matrices added to what they adapt, as a copy."""
    model = copy.deepcopy(family.model)
    if adapters.is_adapted(model):
        return model.merge_and_unload()
    for name, part in model.named_children():
        if adapters.is_adapted(part):
            setattr(model, name, part.merge_and_unload())
    return model


def state(model: Any) -> dict[str, torch.Tensor]:
    """Every weight and buffer that counts.

    peft keeps a head as it was before it was trained: never used, and never saved.
    """
    return {name: t for name, t in model.state_dict().items() if "original_module" not in name}


def halved(folder: Path, target: Path, dtype: torch.dtype) -> Path:
    """A checkpoint with the same weights in half precision, in its file and its configuration."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, target)
    weights = load_file(target / "model.safetensors")
    kept = {name: t.to(dtype) if t.is_floating_point() else t for name, t in weights.items()}
    save_file(kept, target / "model.safetensors", {"format": "pt"})
    config = json.loads((target / "config.json").read_text())
    config["dtype"] = str(dtype).removeprefix("torch.")
    (target / "config.json").write_text(json.dumps(config))
    return target


def talkative(family: Family, clips: Sequence[np.ndarray]) -> Family:
    """Let a model with random weights say this and that: frames are alike, or not used, in some."""
    if family.name in ("ctc", "seq2seq"):
        for module in family.model.modules():
            if type(module).__name__ == "ParakeetEncoder":
                scratch.spread_weights(module)
    if family.name == "ctc":
        _even_out(family, clips)
    elif family.name == "transducer":
        make_talkative(family, clips)
    elif family.name == "seq2seq":
        _listen(family.model)
    return family


def _listen(model: Any) -> None:
    """Make the decoder of a sequence-to-sequence model hang on what it encodes."""
    with torch.no_grad():
        for name, module in model.named_modules():
            if name.endswith(("encoder_attn.out_proj", "encoder_attn.o_proj")):
                module.weight *= 10


def _even_out(family: Any, clips: Sequence[np.ndarray]) -> None:
    """Make every label of a CTC model as likely as any other, over all frames."""
    features = [family.features(clip) for clip in clips]
    batch = family.frontend.pad(features, max(map(len, features)))
    with torch.no_grad():
        logits = family.model.eval()(**batch).logits
        head = getattr(family.model, loading.head_of(family.model))
        head.bias -= logits.mean((0, 1))


def put_out(family: Any, audio: np.ndarray) -> int:
    """Encoder frames that the model itself makes of a clip."""
    features = family.features(audio)
    with torch.no_grad():
        return _PUT_OUT[family.name](family, features)


def _ctc_frames(family: Any, features: np.ndarray) -> int:
    return family.model(**family.frontend.pad([features], len(features))).logits.shape[1]


def _transducer_frames(family: Any, features: np.ndarray) -> int:
    batch = family.frontend.pad([features], len(features))
    return family.model.get_audio_features(**batch).pooler_output.shape[1]


def _seq2seq_frames(family: Any, features: np.ndarray) -> int:
    batch = family._audio([features])
    inputs = {key: batch[key] for key in ("input_features", "input_values") if key in batch}
    return family.model.get_encoder()(**inputs).last_hidden_state.shape[1]


def _speech_llm_frames(family: Any, features: np.ndarray) -> int:
    from mynah.models.speech_llm import encoders

    batch = family._audio([features])
    encoded = encoders.encode(
        family.model.encoder,
        batch["input_features"],
        batch["feature_lengths"],
        batch.get("input_features_mask"),
    )
    return encoded.shape[1]


def _audio_llm_tokens(family: Any, features: np.ndarray) -> int:
    if family.kind == "qwen2_audio":  # puts the vectors into their places, or refuses
        tokens = family.frontend.tokens(len(features))
        if tokens > 1:  # a lone one it takes for a place to put many
            batch = family.collate([Example("a", features, [1])])
            family.model(**{k: v for k, v in batch.items() if k not in ("labels", "weights")})
        return tokens
    batch = family.frontend.pad([features])
    if family.kind == "phi4_multimodal":
        encode = family.model.model.embed_tokens_extend.audio_embed.encoder
        return encode(batch["audio_input_features"], None).shape[1]
    # MOSS asks for a mask of the samples that it makes no use of.
    unused = {"padding_mask": None} if family.kind == "moss_transcribe_diarize" else {}
    vectors = family.model.get_audio_features(**batch, **unused).pooler_output
    mask = batch.get("input_features_mask")
    if mask is not None and vectors.ndim == 3:
        vectors = vectors[mask[:, : vectors.shape[1]].bool()]
    return vectors.flatten(0, -2).shape[0]


_PUT_OUT: dict[str, Callable[[Any, np.ndarray], int]] = {
    "ctc": _ctc_frames,
    "transducer": _transducer_frames,
    "seq2seq": _seq2seq_frames,
    "audio_llm": _audio_llm_tokens,
    "speech_llm": _speech_llm_frames,
}


def plainly_loaded(family: Any, folder: Path) -> Any:
    """What transformers alone makes of a checkpoint, every weight in its place."""
    if family.name == "speech_llm":  # strict by itself
        return transformers.AutoModel.from_pretrained(folder).eval()
    model, report = _auto_class(family).from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    return model.eval()


def plainly_adapted(family: Any, base: Path, folder: Path) -> Any:
    """What peft makes of an adapter and the weights that it adapts."""
    if family.name == "speech_llm":  # its parts are looked up by its own configuration
        return transformers.AutoModel.from_pretrained(folder).eval()
    config = transformers.AutoConfig.from_pretrained(folder)
    model = _auto_class(family).from_pretrained(base, config=config)
    if (base / "speech-lora").is_dir():  # Phi-4's own, without which it does not take audio
        model = peft.PeftModel.from_pretrained(model, str(base / "speech-lora")).merge_and_unload()
    return peft.PeftModel.from_pretrained(model, str(folder)).eval()


def _auto_class(family: Any) -> Any:
    name = {
        "ctc": "AutoModelForCTC",
        "transducer": "AutoModelForTDT" if getattr(family, "durations", ()) else "AutoModelForRNNT",
        "seq2seq": "AutoModelForSpeechSeq2Seq",
        "audio_llm": "AutoModelForMultimodalLM",
    }[family.name]
    if family.name == "audio_llm" and family.kind == "audioflamingo3":
        name = "AutoModelForSeq2SeqLM"  # transformers lists it there
    if family.name == "audio_llm" and family.kind.startswith("qwen2_5_omni"):
        name = "Qwen2_5OmniThinkerForConditionalGeneration"
    return getattr(transformers, name)
