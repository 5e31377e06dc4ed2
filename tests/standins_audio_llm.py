"""Tiny random speech language models of the real classes, with their processors.

The geometry of the audio (mel bins, strides, windows) is the real checkpoints', because
their processors count audio tokens by it; widths, depths and vocabularies are tiny.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import standins_audio_omni
import standins_audio_rare
from standins_audio_parts import (
    LAYERS,
    PLAIN_LAYERS,
    WIDTH,
    Files,
    LoraFiles,
    qwen_tokenizer,
    tekken,
)

_GRANITE_ENCODER = {
    "num_layers": 2,
    "hidden_dim": WIDTH,
    "num_heads": 4,
    "feedforward_mult": 2,
    "output_dim": 10,
    "dropout": 0.0,
}
_GRANITE_PROJECTOR = {
    "model_type": "blip_2_qformer",
    "hidden_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "cross_attention_frequency": 1,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
_GRANITE_TEMPLATE = (
    "{%- for turn in messages -%}"
    "{{- '<|start_of_role|>' + turn.role + '<|end_of_role|>' -}}"
    "{%- if turn.content is string -%}{{- turn.content -}}{%- else -%}"
    "{%- for part in turn.content -%}"
    "{{- '<|audio|>' if part.type == 'audio' else part.text -}}"
    "{%- endfor -%}{%- endif -%}{{- '<|end_of_text|>\n' -}}{%- endfor -%}"
    "{%- if add_generation_prompt -%}"
    "{{- '<|start_of_role|>assistant<|end_of_role|>' -}}{%- endif -%}"
)
_GLM_TEMPLATE = (
    "{%- for turn in messages -%}{{- '<|' + turn.role + '|>\\n' -}}"
    "{%- if turn.content is string -%}{{- turn.content -}}{%- else -%}"
    "{%- for part in turn.content -%}"
    "{%- if part.type == 'audio' -%}"
    "{{- '<|begin_of_audio|><|pad|><|end_of_audio|><|user|>\\n' -}}"
    "{%- else -%}{{- part.text -}}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|assistant|>\\n' -}}{%- endif -%}"
)
_FLAMINGO_TEMPLATE = (
    "{{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' -}}"
    "{%- for turn in messages -%}{{- '<|im_start|>' + turn.role + '\\n' -}}"
    "{%- if turn.content is string -%}{{- turn.content -}}{%- else -%}"
    "{%- for part in turn.content if part.type == 'audio' -%}{{- '<sound>' -}}{%- endfor -%}"
    "{%- for part in turn.content if part.type == 'text' -%}{{- part.text -}}{%- endfor -%}"
    "{%- endif -%}{{- '<|im_end|>\\n' -}}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"
)
# A conversation as Qwen's: a system turn that is always there, the user's is audio alone.
_QWEN3_ASR_TEMPLATE = (
    "{%- set said = namespace(system='', audio='') -%}"
    "{%- for turn in messages if turn.content is not string -%}{%- for part in turn.content -%}"
    "{%- if part.type == 'audio' -%}"
    "{%- set said.audio = said.audio + '<|audio_start|><|audio_pad|><|audio_end|>' -%}"
    "{%- elif turn.role == 'system' -%}{%- set said.system = said.system + part.text -%}"
    "{%- endif -%}{%- endfor -%}{%- endfor -%}"
    "{{- '<|im_start|>system\\n' + said.system + '<|im_end|>\\n' -}}"
    "{{- '<|im_start|>user\\n' + said.audio + '<|im_end|>\\n' -}}"
    "{%- for turn in messages if turn.role == 'assistant' -%}"
    "{{- '<|im_start|>assistant\\n' -}}"
    "{%- generation -%}{{- turn.content | map(attribute='text') | join + '<|im_end|>\\n' -}}"
    "{%- endgeneration -%}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"
)


def _qwen3_asr() -> list[Any]:
    from transformers import (
        GenerationConfig,
        Qwen3ASRConfig,
        Qwen3ASRFeatureExtractor,
        Qwen3ASRForConditionalGeneration,
        Qwen3ASRProcessor,
    )

    tokenizer = qwen_tokenizer(
        audio_token="<|audio_pad|>",
        audio_bos_token="<|audio_start|>",
        audio_eos_token="<|audio_end|>",
    )
    # Kept where special tokens are left out: what follows it is the transcript.
    tokenizer.add_tokens(["<asr_text>", "<timestamp>"])
    ids = tokenizer.get_vocab()
    ends = {
        "pad_token_id": ids["<|im_end|>"],
        "eos_token_id": [ids["<|endoftext|>"], ids["<|im_end|>"]],
    }
    config = Qwen3ASRConfig(
        audio_config={
            "encoder_layers": 2,
            "encoder_attention_heads": 4,
            "encoder_ffn_dim": 64,
            "d_model": WIDTH,
            "downsample_hidden_size": 8,
            "output_dim": WIDTH,
        },
        text_config={
            "model_type": "qwen3",
            **LAYERS,
            "vocab_size": len(tokenizer),
            "tie_word_embeddings": True,
        },
        audio_token_id=ids["<|audio_pad|>"],
        timestamp_token_id=ids["<timestamp>"],
        **ends,
    )
    model = Qwen3ASRForConditionalGeneration(config)
    model.generation_config = GenerationConfig(do_sample=False, max_new_tokens=512, **ends)
    processor = Qwen3ASRProcessor(
        Qwen3ASRFeatureExtractor(), tokenizer, chat_template=_QWEN3_ASR_TEMPLATE
    )
    return [model, processor]


def _voxtral() -> list[Any]:
    """Whisper's encoder behind Mistral's own tokenizer file, as it lies on the hub.

    There is no tokenizer.json, and ``apply_transcription_request`` needs mistral-common;
    plain transformers converts tekken.json by itself. The request's prompt is
    ``<s>[INST][BEGIN_AUDIO][AUDIO]...[/INST]lang:en[TRANSCRIBE]``, or without the language.
    """
    from transformers import (
        GenerationConfig,
        VoxtralConfig,
        VoxtralForConditionalGeneration,
        WhisperFeatureExtractor,
    )

    tokenizer = tekken()
    ends = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 11}
    config = VoxtralConfig(
        audio_config={
            "hidden_size": WIDTH,
            "intermediate_size": 4 * WIDTH,  # four encoder frames become one token
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
        },
        text_config={"model_type": "llama", **LAYERS, "vocab_size": tokenizer.vocab_size},
        audio_token_id=24,
        **ends,
    )
    model = VoxtralForConditionalGeneration(config)
    model.generation_config = GenerationConfig(**ends)
    extractor = WhisperFeatureExtractor(feature_size=128)
    extractor._processor_class = "VoxtralProcessor"
    return [model, extractor, tokenizer]


def _granite_speech(*, plus: bool = False, lora: bool = False) -> list[Any]:
    """A conformer whose windows a Q-Former shortens, before a Granite with tied embeddings.

    Its feature extractor cannot be made without torchaudio, so that its files are written as
    they lie on the hub. What it computes is plain: the power spectrum of ``torch.stft`` (512
    points, periodic Hann window of 400, step 160, centred, reflected), 80 HTK mel bands without
    a norm up to 8 kHz (``mel_filter_bank(257, 80, 0, 8000, 16000, None, "htk")``), then log10 of
    at least 1e-10, at least the clip's maximum - 8, / 4 + 1, an odd last frame dropped, frames
    paired. ``s`` samples are ``ceil(((s // 160 + 1) // 2) / 15) * 3`` tokens.
    """
    import transformers

    tokenizer = _granite_tokenizer()
    ids = tokenizer.get_vocab()
    end, pad = ids["<|end_of_text|>"], ids["<|pad|>"]
    ends = {"bos_token_id": end, "eos_token_id": end, "pad_token_id": pad}
    name = "GraniteSpeechPlus" if plus else "GraniteSpeech"
    # Plus: the projector sees an inner layer beside the last one.
    encoder = {**_GRANITE_ENCODER, **({"cat_hidden_layers": [1]} if plus else {})}
    projector = {**_GRANITE_PROJECTOR, "encoder_hidden_size": (2 if plus else 1) * WIDTH}
    config = getattr(transformers, f"{name}Config")(
        encoder_config=encoder,
        projector_config=projector,
        text_config={
            "model_type": "granite",
            **PLAIN_LAYERS,
            "vocab_size": len(tokenizer),
            "tie_word_embeddings": True,
            "embedding_multiplier": 2.0,
            "logits_scaling": 2.0,
            **ends,
        },
        audio_token_index=ids["<|audio|>"],
        has_lora_adapter=lora,
    )
    model = getattr(transformers, f"{name}ForConditionalGeneration")(config)
    model.generation_config = transformers.GenerationConfig(**ends)
    files = {
        "preprocessor_config.json": {
            "feature_extractor_type": "GraniteSpeechFeatureExtractor",
            "melspec_kwargs": {
                "hop_length": 160,
                "n_fft": 512,
                "n_mels": 80,
                "sample_rate": 16000,
                "win_length": 400,
            },
            "processor_class": "GraniteSpeechProcessor",
            "projector_downsample_rate": 5,
            "projector_window_size": 15,
            "sampling_rate": 16000,
        },
        "processor_config.json": {
            "audio_token": "<|audio|>",
            "processor_class": "GraniteSpeechProcessor",
        },
    }
    adapter = LoraFiles(config.text_config, "model.language_model.layers")  # as 3.3 has it
    return [model, tokenizer, Files(files), *([adapter] if lora else [])]


def _granite_tokenizer() -> Any:
    from standins import byte_level_tokenizer

    tokenizer = byte_level_tokenizer(
        ["<|end_of_text|>", "<|pad|>", "<|start_of_role|>", "<|end_of_role|>", "<|audio|>"]
    )
    tokenizer.bos_token = tokenizer.eos_token = "<|end_of_text|>"
    tokenizer.pad_token = "<|pad|>"
    tokenizer.padding_side = tokenizer.init_kwargs["padding_side"] = "left"
    tokenizer.chat_template = _GRANITE_TEMPLATE
    return tokenizer


def _glmasr() -> list[Any]:
    """Windows of 30 s, always full; four of a rotary encoder's frames become one token."""
    from standins import byte_level_tokenizer
    from transformers import (
        GenerationConfig,
        GlmAsrConfig,
        GlmAsrForConditionalGeneration,
        GlmAsrProcessor,
        WhisperFeatureExtractor,
    )

    ends = ["<|endoftext|>", "<|user|>", "<|observation|>"]
    tokenizer = byte_level_tokenizer(
        [*ends, "<|assistant|>", "<|begin_of_audio|>", "<|end_of_audio|>", "<|pad|>"]
    )
    tokenizer.eos_token = tokenizer.pad_token = "<|endoftext|>"
    ids = tokenizer.get_vocab()
    config = GlmAsrConfig(
        audio_config={
            "hidden_size": WIDTH,
            "intermediate_size": 4 * WIDTH,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
        },
        text_config={
            "model_type": "llama",
            **LAYERS,
            "vocab_size": len(tokenizer),
            "eos_token_id": [ids[one] for one in ends],
            "pad_token_id": ids[ends[0]],
        },
        audio_token_id=ids["<|pad|>"],
    )
    model = GlmAsrForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        eos_token_id=[ids[one] for one in ends], pad_token_id=ids[ends[0]]
    )
    processor = GlmAsrProcessor(
        WhisperFeatureExtractor(feature_size=128), tokenizer, chat_template=_GLM_TEMPLATE
    )
    return [model, processor]


def _qwen2_audio() -> list[Any]:
    """One window of Whisper's 30 s, what is behind it is cut; two encoder frames are pooled."""
    from transformers import (
        GenerationConfig,
        Qwen2AudioConfig,
        Qwen2AudioForConditionalGeneration,
        Qwen2AudioProcessor,
        WhisperFeatureExtractor,
    )

    tokenizer = qwen_tokenizer(
        audio_token="<|AUDIO|>",
        audio_bos_token="<|audio_bos|>",
        audio_eos_token="<|audio_eos|>",
    )
    ids = tokenizer.get_vocab()
    config = Qwen2AudioConfig(
        audio_config={
            "d_model": WIDTH,
            "encoder_layers": 1,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 64,
        },
        text_config={
            "model_type": "qwen2",
            **PLAIN_LAYERS,
            "vocab_size": len(tokenizer),
        },
        audio_token_index=ids["<|AUDIO|>"],
    )
    model = Qwen2AudioForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        eos_token_id=[ids["<|im_end|>"], ids["<|endoftext|>"]],
        pad_token_id=ids["<|endoftext|>"],
    )
    processor = Qwen2AudioProcessor(WhisperFeatureExtractor(feature_size=128), tokenizer)
    return [model, processor]


def _audioflamingo3() -> list[Any]:
    """Windows of 30 s whose padding is masked; two encoder frames are pooled to a token."""
    from transformers import (
        AudioFlamingo3Config,
        AudioFlamingo3ForConditionalGeneration,
        AudioFlamingo3Processor,
        GenerationConfig,
        WhisperFeatureExtractor,
    )

    tokenizer = qwen_tokenizer("<sound>")
    ids = tokenizer.get_vocab()
    config = AudioFlamingo3Config(
        audio_config={
            "hidden_size": WIDTH,
            "intermediate_size": 64,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
        },
        text_config={"model_type": "qwen2", **PLAIN_LAYERS, "vocab_size": len(tokenizer)},
        audio_token_id=ids["<sound>"],
    )
    model = AudioFlamingo3ForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        eos_token_id=[ids["<|im_end|>"], ids["<|endoftext|>"]],
        pad_token_id=ids["<|endoftext|>"],
        # As published: what is recognized must not be left to chance all the same.
        do_sample=True,
        repetition_penalty=1.05,
        temperature=0.7,
        top_k=20,
        top_p=0.8,
    )
    processor = AudioFlamingo3Processor(
        WhisperFeatureExtractor(feature_size=128, return_attention_mask=True),
        tokenizer,
        chat_template=_FLAMINGO_TEMPLATE,
    )
    return [model, processor]


KINDS: dict[str, Callable[[], list[Any]]] = {
    "qwen3_asr": _qwen3_asr,
    "voxtral": _voxtral,
    "granite_speech": _granite_speech,
    "granite_speech_lora": lambda: _granite_speech(lora=True),
    "granite_speech_plus": lambda: _granite_speech(plus=True),
    "glmasr": _glmasr,
    "qwen2_audio": _qwen2_audio,
    "audioflamingo3": _audioflamingo3,
    **standins_audio_rare.KINDS,
    **standins_audio_omni.KINDS,
}
