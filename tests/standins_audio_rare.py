"""Stand-ins for the less common speech language models; see ``standins_audio_llm``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from standins_audio_parts import LAYERS, PLAIN_LAYERS, WIDTH, Files, qwen_tokenizer, tekken

# Asks in Chinese, in which the model is given context, keywords and language.
_FUN_TEMPLATE = (
    "{{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' -}}"
    "{%- for turn in messages -%}{{- '<|im_start|>' + turn.role + '\\n' -}}"
    "{%- if turn.content is string -%}{{- turn.content -}}{%- else -%}"
    "{%- set given = namespace(context='', names=[], language='', audio='') -%}"
    "{%- for part in turn.content -%}"
    "{%- if part.type == 'text' -%}{%- set given.context = given.context + part.text + '\\n' -%}"
    "{%- elif part.type == 'keywords' -%}{%- set given.names = given.names + part.keywords -%}"
    "{%- elif part.type == 'language' -%}"
    "{%- set given.language = '\u6210' + part.language -%}"
    "{%- else -%}{%- set given.audio = given.audio + '<|object_ref_start|>' -%}{%- endif -%}"
    "{%- endfor -%}"
    "{%- if given.context or given.names -%}"
    "{{- '\u8bf7\u7ed3\u5408\u4e0a\u4e0b\u6587\u4fe1\u606f\uff0c\u66f4\u52a0\u51c6\u786e\u5730"
    "\u5b8c\u6210\u8bed\u97f3\u8f6c\u5199\u4efb\u52a1\u3002\u5982\u679c\u6ca1\u6709\u76f8\u5173"
    "\u4fe1\u606f\uff0c\u6211\u4eec\u4f1a\u7559\u7a7a\u3002\\n\\n\\n"
    "**\u4e0a\u4e0b\u6587\u4fe1\u606f\uff1a**\\n\\n\\n' + given.context -}}"
    "{%- if given.names -%}"
    "{{- '\u70ed\u8bcd\u5217\u8868\uff1a[' + given.names | join(', ') + ']\\n' -}}"
    "{%- endif -%}{%- endif -%}"
    "{{- '\u8bed\u97f3\u8f6c\u5199' + given.language + '\uff1a' + given.audio -}}"
    "{%- endif -%}{{- '<|im_end|>\\n' -}}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"
)
# The model itself begins the assistant's turn, and answers in JSON.
_VIBEVOICE_TEMPLATE = (
    "{{- '<|im_start|>system\\nYou are a helpful assistant that transcribes audio input into "
    "text output in JSON format.<|im_end|>\\n' -}}"
    "{%- for turn in messages if turn.role == 'user' -%}"
    "{%- set given = turn.content | selectattr('type', 'equalto', 'text') | list -%}"
    "{{- '<|im_start|>user\\n<|object_ref_start|><|box_start|><|object_ref_end|>\\n"
    "This is a <|AUDIO_DURATION|> seconds audio, ' -}}"
    "{%- if given -%}{{- 'with extra info: ' + given[0].text + '\\n\\nPlease' -}}"
    "{%- else -%}{{- 'please' -}}{%- endif -%}"
    "{{- ' transcribe it with these keys: Start time, End time, Speaker ID, Content"
    "<|im_end|>\\n' -}}{%- endfor -%}"
)
# Asks in Chinese for segments, each with its times and its speaker.
_MOSS_TEMPLATE = (
    "{{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' -}}"
    "{%- for turn in messages -%}{{- '<|im_start|>' + turn.role + '\\n' -}}"
    "{%- if turn.content is string -%}{{- turn.content -}}{%- else -%}"
    "{%- for part in turn.content if part.type == 'audio' -%}"
    "{{- '<|audio_start|><|audio_pad|><|audio_end|>\\n' -}}{%- endfor -%}"
    "{%- for part in turn.content if part.type == 'text' -%}"
    "{{- '\u8865\u5145\u4fe1\u606f\uff1a' + part.text + '\\n\\n' -}}{%- endfor -%}"
    "{%- for part in turn.content if part.type == 'keywords' -%}"
    "{{- '\u70ed\u8bcd\u5217\u8868\uff1a[' + part.keywords | join(', ') + ']\\n\\n' -}}"
    "{%- endfor -%}"
    "{{- '\u8bf7\u5c06\u97f3\u9891\u8f6c\u5199\u4e3a\u6587\u672c\uff0c\u6bcf\u4e00\u6bb5\u9700"
    "\u4ee5\u8d77\u59cb\u65f6\u95f4\u6233\u548c\u8bf4\u8bdd\u4eba\u7f16\u53f7\uff08[S01]\u3001["
    "S02]\u3001[S03]\u2026\uff09\u5f00\u5934\uff0c\u6b63\u6587\u4e3a\u5bf9\u5e94\u7684\u8bed"
    "\u97f3\u5185\u5bb9\uff0c\u5e76\u5728\u6bb5\u672b\u6807\u6ce8\u7ed3\u675f\u65f6\u95f4\u6233"
    "\uff0c\u4ee5\u6e05\u6670\u6807\u660e\u8be5\u6bb5\u8bed\u97f3\u8303\u56f4\u3002' -}}"
    "{%- endif -%}{{- '<|im_end|>\\n' -}}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"
)


def _fun_asr_nano() -> list[Any]:
    """SenseVoice's encoder on stacked Kaldi frames, before a Qwen3 with tied embeddings.

    Its feature extractor cannot be made without torchaudio, so that the processor's file is
    written as that would. What it computes is Kaldi's own: frames of 400 samples every 160
    within the clip (none is padded), mean removed, preemphasis 0.97 (the first sample with
    itself), symmetric Hamming window, power spectrum of 512 points, 80 Kaldi mel bands of 20 Hz
    to 8 kHz that are triangles in mel, natural log of at least 1.1920929e-07. Then 7 frames
    around every sixth one are stacked, the first and the last repeated at the ends.
    ``s`` samples are ``ceil((1 + (s - 400) // 160) / 6)`` tokens.
    """
    from transformers import (
        FunAsrNanoConfig,
        FunAsrNanoForConditionalGeneration,
        GenerationConfig,
    )

    tokenizer = qwen_tokenizer("<|object_ref_start|>")
    ids = tokenizer.get_vocab()
    config = FunAsrNanoConfig(
        audio_config={
            "hidden_size": WIDTH,
            "num_attention_heads": 2,
            "intermediate_size": 64,
            "num_hidden_layers": 3,
            "num_timestamp_prediction_layers": 1,
            "hidden_dropout": 0.0,
            "attention_dropout": 0.0,
        },
        adaptor_config={
            "hidden_size": WIDTH,
            "num_attention_heads": 2,
            "intermediate_size": WIDTH // 4,
            "num_hidden_layers": 1,
            "projector_hidden_size": 64,
        },
        text_config={
            "model_type": "qwen3",
            **LAYERS,
            "vocab_size": len(tokenizer),
            "tie_word_embeddings": True,
            "bos_token_id": ids["<|endoftext|>"],
            "eos_token_id": ids["<|im_end|>"],
        },
        audio_token_id=ids["<|object_ref_start|>"],
    )
    model = FunAsrNanoForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        eos_token_id=ids["<|im_end|>"], bos_token_id=ids["<|endoftext|>"]
    )
    processor = {
        "audio_token": "<|object_ref_start|>",
        "feature_extractor": {
            "feature_extractor_type": "FunAsrNanoFeatureExtractor",
            "feature_size": 80,
            "frame_length": 25,
            "frame_shift": 10,
            "num_frames_lfr": 7,
            "padding_side": "right",
            "padding_value": 0.0,
            "return_attention_mask": True,
            "sampling_rate": 16000,
            "stride_lfr": 6,
        },
        "processor_class": "FunAsrNanoProcessor",
    }
    tokenizer.padding_side = tokenizer.init_kwargs["padding_side"] = "left"
    files = Files({"processor_config.json": processor, "chat_template.jinja": _FUN_TEMPLATE})
    return [model, tokenizer, files]


def _vibevoice_asr() -> list[Any]:
    """Two causal convolutional encoders of 24 kHz samples, 3200 of which are a token."""
    from transformers import (
        GenerationConfig,
        VibeVoiceAcousticTokenizerFeatureExtractor,
        VibeVoiceAsrConfig,
        VibeVoiceAsrForConditionalGeneration,
        VibeVoiceAsrProcessor,
    )

    tokenizer = qwen_tokenizer(
        "<|box_start|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|image_pad|>"
    )
    tokenizer.eos_token = "<|endoftext|>"
    ids = tokenizer.get_vocab()
    sizes = {
        "num_filters": 4,
        "downsampling_ratios": [8, 16, 25],  # of six stages: their product is what counts
        "depths": [1] * 4,
        "layer_scale_init_value": 0.1,
        "initializer_range": 0.1,
    }
    config = VibeVoiceAsrConfig(
        acoustic_tokenizer_encoder_config={
            "model_type": "vibevoice_acoustic_tokenizer_encoder",
            "hidden_size": 8,
            **sizes,
        },
        semantic_tokenizer_encoder_config={
            "model_type": "vibevoice_acoustic_tokenizer_encoder",
            "hidden_size": 16,
            **sizes,
        },
        text_config={"model_type": "qwen2", **PLAIN_LAYERS, "vocab_size": len(tokenizer)},
        audio_token_id=ids["<|box_start|>"],
        audio_bos_token_id=ids["<|object_ref_start|>"],
        audio_eos_token_id=ids["<|object_ref_end|>"],
    )
    model = VibeVoiceAsrForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        eos_token_id=ids["<|endoftext|>"], pad_token_id=ids["<|image_pad|>"], max_new_tokens=512
    )
    processor = VibeVoiceAsrProcessor(
        VibeVoiceAcousticTokenizerFeatureExtractor(),
        tokenizer,
        chat_template=_VIBEVOICE_TEMPLATE,
    )
    return [model, processor]


def _voxtral_realtime() -> list[Any]:
    """Writes as it listens: each token is added to the audio of its frame, words come delayed.

    Its processor cannot be made without mistral-common.
    """
    from transformers import (
        GenerationConfig,
        VoxtralRealtimeConfig,
        VoxtralRealtimeFeatureExtractor,
        VoxtralRealtimeForConditionalGeneration,
    )

    tokenizer = tekken(streaming=True)
    ends = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 11}
    config = VoxtralRealtimeConfig(
        audio_config={
            "hidden_size": WIDTH,
            "intermediate_size": 64,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "head_dim": 16,
        },
        text_config={
            "model_type": "voxtral_realtime_text",
            **LAYERS,
            "vocab_size": tokenizer.vocab_size,
            **ends,
        },
    )
    model = VoxtralRealtimeForConditionalGeneration(config)
    model.generation_config = GenerationConfig(**ends)
    return [model, VoxtralRealtimeFeatureExtractor(), tokenizer]


def _kyutai_speech_to_text() -> list[Any]:
    """Writes as it listens: a token for each frame of Mimi's codes, words come delayed."""
    from standins import byte_level_tokenizer
    from transformers import (
        GenerationConfig,
        KyutaiSpeechToTextConfig,
        KyutaiSpeechToTextFeatureExtractor,
        KyutaiSpeechToTextForConditionalGeneration,
        KyutaiSpeechToTextProcessor,
    )

    tokenizer = byte_level_tokenizer(["<unk>", "<s>", "</s>", "<pad>"])
    tokenizer.pad_token = "<pad>"
    codes = 2
    config = KyutaiSpeechToTextConfig(
        vocab_size=len(tokenizer),
        codebook_vocab_size=17,
        num_codebooks=codes,
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        ffn_dim=64,
        audio_bos_token_id=16,
        audio_pad_token_id=len(tokenizer) + codes * 17,
        pad_token_id=3,
        bos_token_id=len(tokenizer) - 1,
        codec_config={
            "model_type": "mimi",
            "hidden_size": WIDTH,
            "num_filters": 2,
            "num_residual_layers": 1,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "intermediate_size": 64,
            "codebook_size": 16,
            "codebook_dim": 8,
            "vector_quantization_hidden_dimension": 8,
            "num_quantizers": codes,
            "num_semantic_quantizers": 1,
            "upsample_groups": WIDTH,
        },
    )
    model = KyutaiSpeechToTextForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        bos_token_id=len(tokenizer) - 1, pad_token_id=3, audio_window_size=25
    )
    extractor = KyutaiSpeechToTextFeatureExtractor(
        audio_delay_seconds=0.5, audio_silence_prefix_seconds=1.0
    )
    return [model, KyutaiSpeechToTextProcessor(extractor, tokenizer)]


def _moss_transcribe_diarize() -> list[Any]:
    """Windows of Whisper's encoder; the second is written between the tokens of its audio."""
    from transformers import (
        GenerationConfig,
        MossTranscribeDiarizeConfig,
        MossTranscribeDiarizeFeatureExtractor,
        MossTranscribeDiarizeForConditionalGeneration,
        MossTranscribeDiarizeProcessor,
    )

    tokenizer = qwen_tokenizer("<|audio_start|>", "<|audio_pad|>", "<|audio_end|>")
    ids = tokenizer.get_vocab()
    config = MossTranscribeDiarizeConfig(
        audio_config={
            "hidden_size": WIDTH,
            "intermediate_size": 64,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
        },
        text_config={"model_type": "qwen3", **LAYERS, "vocab_size": len(tokenizer)},
        audio_token_id=ids["<|audio_pad|>"],
    )
    model = MossTranscribeDiarizeForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        eos_token_id=[ids["<|im_end|>"], ids["<|endoftext|>"]], pad_token_id=ids["<|endoftext|>"]
    )
    tokenizer.padding_side = tokenizer.init_kwargs["padding_side"] = "left"
    tokenizer.init_kwargs |= {"padding": True, "return_tensors": "pt"}
    processor = MossTranscribeDiarizeProcessor(
        MossTranscribeDiarizeFeatureExtractor(return_attention_mask=True),
        tokenizer,
        chat_template=_MOSS_TEMPLATE,
    )
    return [model, processor]


KINDS: dict[str, Callable[[], list[Any]]] = {
    "fun_asr_nano": _fun_asr_nano,
    "vibevoice_asr": _vibevoice_asr,
    "moss_transcribe_diarize": _moss_transcribe_diarize,
    "voxtral_realtime": _voxtral_realtime,
    "kyutai_speech_to_text": _kyutai_speech_to_text,
}
