"""What plain transformers makes of a clip for a speech LLM: its processor, its generate."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

INSTRUCTIONS = {
    "granite_speech": "can you transcribe the speech into a written format?",
    "granite_speech_plus": "can you transcribe the speech into a written format?",
    "qwen2_audio": "Transcribe the speech.",
    "qwen2_5_omni": "Transcribe the speech.",
    "qwen2_5_omni_thinker": "Transcribe the speech.",
    "glmasr": "Please transcribe this audio into text",
    "audioflamingo3": "Transcribe the input speech.",
    "phi4_multimodal": "Transcribe the audio clip into text.",
}
LANGUAGE_NAMES = {"en": "English", "zh": "Chinese", "ja": "Japanese"}


def inputs(
    kind: str, processor: Any, clip: np.ndarray, language: str = "", context: str = ""
) -> dict[str, torch.Tensor]:
    """The model's inputs for one clip, asked for as the model's documentation does it."""
    audio = {"audio_kwargs": {"sampling_rate": processor_rate(processor)}}
    if kind == "voxtral":
        return voxtral(processor, clip, language, context)
    if kind in INSTRUCTIONS:
        asked = INSTRUCTIONS[kind] + (f" Keywords: {context}" if context else "")
    if kind.startswith("granite_speech"):
        turn = {"role": "user", "content": f"<|audio|>{asked}"}
        text = processor.tokenizer.apply_chat_template(
            [turn], tokenize=False, add_generation_prompt=True
        )
        made = processor(text, torch.from_numpy(clip)[None], return_tensors="pt")
    elif kind == "phi4_multimodal":
        return phi4(processor, clip, asked)
    elif kind.startswith("qwen2_5_omni"):
        return omni(processor, clip, asked)
    elif kind == "qwen2_audio":
        content = [{"type": "audio", "audio_url": "clip"}, {"type": "text", "text": asked}]
        text = processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        made = processor(text=text, audio=[clip], return_tensors="pt", sampling_rate=16000)
    elif kind in INSTRUCTIONS:
        made = processor.apply_transcription_request(clip, prompt=asked if context else None)
    elif kind == "qwen3_asr":
        made = processor.apply_transcription_request(
            clip, language=LANGUAGE_NAMES.get(language), prompt=context or None
        )
    elif kind == "fun_asr_nano":
        made = processor.apply_transcription_request(
            clip, language=language or None, keywords=context.split(", ") if context else None
        )
    elif kind == "moss_transcribe_diarize":
        made = processor.apply_transcription_request(
            clip, keywords=context.split(", ") if context else None
        )
    else:
        assert kind == "vibevoice_asr" and audio
        made = processor.apply_transcription_request(clip, prompt=context or None)
    return {k: v for k, v in made.items() if k not in ("num_audio_tokens", "audio_embed_sizes")}


def omni(processor: Any, clip: np.ndarray, asked: str) -> dict[str, Any]:
    """As its processor does it, but a second of silence instead of 300 less the clip: masked."""
    made = processor.feature_extractor(
        clip,
        sampling_rate=16000,
        max_length=len(clip) + 16000,
        return_attention_mask=True,
        return_tensors="pt",
    )
    real = int(made["attention_mask"].sum())
    turn = {"role": "user", "content": [{"type": "audio"}, {"type": "text", "text": asked}]}
    text = processor.tokenizer.apply_chat_template(
        [turn], chat_template=processor.chat_template, tokenize=False, add_generation_prompt=True
    )
    text = text.replace("<|AUDIO|>", "<|AUDIO|>" * (((real - 1) // 2 + 1) // 2))
    return {
        **processor.tokenizer(text, return_tensors="pt"),
        "input_features": made["input_features"][..., :real],
        "feature_attention_mask": made["attention_mask"][:, :real],
    }


def phi4(processor: Any, clip: np.ndarray, asked: str) -> dict[str, Any]:
    """As its processor does it, which wants torchvision to be made at all."""
    made = processor.feature_extractor([clip], sampling_rate=16000, return_tensors="pt")
    audio = "<|audio|>" * int(made["audio_embed_sizes"][0])
    text = processor.tokenizer.apply_chat_template(
        [{"role": "user", "content": f"{audio}{asked}"}], tokenize=False, add_generation_prompt=True
    )
    return {**processor.tokenizer(text, return_tensors="pt"), **made}


def vectors(kind: str, model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """What the encoder puts in for audio tokens."""
    if kind == "phi4_multimodal":
        return model.model.embed_tokens_extend.audio_embed.encoder(
            batch["audio_input_features"], None
        )
    # MOSS asks for a mask of the samples that it makes no use of.
    unused = {"padding_mask": None} if kind == "moss_transcribe_diarize" else {}
    return model.get_audio_features(**batch, **unused).pooler_output


def processor_rate(processor: Any) -> int:
    extractor = getattr(processor, "feature_extractor", None) or processor.audio_processor
    return extractor.sampling_rate


def voxtral(processor: Any, clip: np.ndarray, language: str, context: str) -> dict[str, Any]:
    """Its request as mistral-common 1.13 writes it (instruct.py, encode_transcription)."""
    tokenizer = processor.tokenizer
    features = processor._retrieve_input_features(
        [clip], 3000, sampling_rate=16000, padding=True, truncation=False,
        pad_to_multiple_of=480000, return_tensors="pt",
    )  # fmt: skip

    def special(name: str) -> int:
        return tokenizer.get_vocab()[name]

    def words(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False)["input_ids"] if text else []

    ids = [
        special("<s>"), special("[INST]"), special("[BEGIN_AUDIO]"),
        *[special("[AUDIO]")] * (375 * len(features)), *words(context), special("[/INST]"),
        *words(f"lang:{language}" if language else ""), special("[TRANSCRIBE]"),
    ]  # fmt: skip
    batch = torch.tensor([ids])
    return {
        "input_ids": batch,
        "attention_mask": torch.ones_like(batch),
        "input_features": features,
    }


def generate(kind: str, model: Any, processor: Any, made: dict[str, Any], tokens: int) -> str:
    """What it writes, greedily."""
    options = {"sample": False} if kind == "vibevoice_asr" else {}
    with torch.no_grad():
        rows = model.generate(
            **made, **options, do_sample=False, num_beams=1, max_new_tokens=tokens
        )
    row = rows[0, made["input_ids"].shape[1] :]
    text = processor.tokenizer.decode(row, skip_special_tokens=True)
    if kind == "qwen3_asr":
        text = processor.extract_transcription(text)
    if kind == "vibevoice_asr":
        text = processor.extract_transcription(text)
    return text.strip()
