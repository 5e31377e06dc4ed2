"""Tiny random sequence-to-sequence recognizers of the real classes, with their processors."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

_WIDTH = 32
_WINDOW_SECONDS = 5  # of Whisper's, in place of 30
# Large enough that a decoder's next token depends on more than the last one.
_SPREAD = 0.3
_TASKS = (
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
)
# The multitask prompt of Canary and Cohere, around the languages.
_PROMPT = (
    "<pad>",
    "<|endoftext|>",
    "<|startofcontext|>",
    "<|startoftranscript|>",
    "<|emo:undefined|>",
    "<|pnc|>",
    "<|nopnc|>",
    "<|noitn|>",
    "<|notimestamp|>",
    "<|nodiarize|>",
)
# Written after CanaryProcessor.apply_transcription_request, whose prompt it makes.
_CANARY_TEMPLATE = (
    "{% set asked = messages[0]['content'] | selectattr('type', 'equalto', 'text') | first %}"
    "<|startofcontext|><|startoftranscript|><|emo:undefined|>"
    "<|{{ asked['source_language'] }}|><|{{ asked['target_language'] }}|>"
    "{{ '<|pnc|>' if asked['punctuation'] else '<|nopnc|>' }}"
    "<|noitn|><|notimestamp|><|nodiarize|>"
)


def _whisper(*, multilingual: bool = True) -> list[Any]:
    """Whisper with all its languages, tasks and times, and a short window; or English-only."""
    import torch
    from transformers import (
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperProcessor,
    )

    tokenizer = _whisper_tokenizer()
    ids = tokenizer.get_vocab()
    config = WhisperConfig(
        vocab_size=len(tokenizer),
        d_model=_WIDTH,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        num_mel_bins=80,
        max_source_positions=50 * _WINDOW_SECONDS,
        max_target_positions=64,
        init_std=_SPREAD,
        pad_token_id=ids["<|endoftext|>"],
        bos_token_id=ids["<|endoftext|>"],
        eos_token_id=ids["<|endoftext|>"],
        decoder_start_token_id=ids["<|startoftranscript|>"],
    )
    model = WhisperForConditionalGeneration(config)
    with torch.no_grad():  # it would say hardly anything but times
        model.get_input_embeddings().weight[ids["<|startoftranscript|>"] :] *= 0.1
    generation = model.generation_config
    generation._from_model_config = False  # or transformers would make it again
    generation.is_multilingual = multilingual
    generation.no_timestamps_token_id = ids["<|notimestamps|>"]
    generation.suppress_tokens = [ids["!"], ids["<|startoftranscript|>"], ids["<|nospeech|>"]]
    generation.begin_suppress_tokens = [ids["Ġ"], ids["<|endoftext|>"]]
    generation.max_initial_timestamp_index = 50
    generation.max_length = 64
    extractor = WhisperFeatureExtractor(feature_size=80, chunk_length=_WINDOW_SECONDS)
    if multilingual:
        generation.lang_to_id = {
            name: ids[name] for name in ids if len(name) in (6, 7) and name[2:-2].isalpha()
        }
        generation.task_to_id = {
            "transcribe": ids["<|transcribe|>"],
            "translate": ids["<|translate|>"],
        }
    return [model, WhisperProcessor(extractor, tokenizer)]


def _whisper_tokenizer() -> Any:
    from tokenizers import AddedToken
    from transformers import WhisperTokenizer
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    pieces = _byte_level(["<|endoftext|>"])
    tokenizer = WhisperTokenizer(
        vocab=pieces["vocab"], merges=[tuple(one) for one in pieces["merges"]]
    )
    special = ["<|startoftranscript|>", *(f"<|{code}|>" for code in LANGUAGES), *_TASKS]
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    times = [f"<|{step * 0.02:.2f}|>" for step in range(1501)]
    tokenizer.add_tokens([AddedToken(one, normalized=False, special=False) for one in times])
    return tokenizer


def _byte_level(special: list[str]) -> dict[str, Any]:
    from standins import byte_level_tokenizer

    written = byte_level_tokenizer(special).backend_tokenizer.to_str()
    return json.loads(written)["model"]


def _moonshine() -> list[Any]:
    from transformers import (
        MoonshineConfig,
        MoonshineForConditionalGeneration,
        Wav2Vec2FeatureExtractor,
    )

    tokenizer = _sentence_pieces()
    config = MoonshineConfig(
        vocab_size=len(tokenizer),
        hidden_size=_WIDTH,
        intermediate_size=64,
        encoder_num_hidden_layers=2,
        decoder_num_hidden_layers=2,
        encoder_num_attention_heads=4,
        decoder_num_attention_heads=4,
        max_position_embeddings=64,
        initializer_range=_SPREAD,
    )
    extractor = Wav2Vec2FeatureExtractor(do_normalize=False, return_attention_mask=True)
    return [MoonshineForConditionalGeneration(config), extractor, tokenizer]


def _moonshine_streaming() -> list[Any]:
    from transformers import (
        MoonshineStreamingConfig,
        MoonshineStreamingForConditionalGeneration,
        MoonshineStreamingProcessor,
        Wav2Vec2FeatureExtractor,
    )

    tokenizer = _sentence_pieces()
    encoder = {
        "hidden_size": _WIDTH,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "sliding_windows": [[16, 4], [16, 0]],
    }
    config = MoonshineStreamingConfig(
        encoder_config=encoder,
        vocab_size=len(tokenizer),
        hidden_size=_WIDTH,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=256,
        decoder_start_token_id=1,
        initializer_range=_SPREAD,
    )
    extractor = Wav2Vec2FeatureExtractor(do_normalize=False, return_attention_mask=True)
    return [
        MoonshineStreamingForConditionalGeneration(config),
        MoonshineStreamingProcessor(extractor, tokenizer),
    ]


def _canary() -> list[Any]:
    from transformers import (
        CanaryConfig,
        CanaryForConditionalGeneration,
        CanaryProcessor,
        ParakeetFeatureExtractor,
    )

    tokenizer = _multitask_pieces(("bg", "de", "en", "fr"))
    ids = tokenizer.get_vocab()
    named = {
        "pad_token_id": ids["<pad>"],
        "eos_token_id": ids["<|endoftext|>"],
        "bos_token_id": ids["<|startoftranscript|>"],
    }
    decoder = {
        "vocab_size": len(tokenizer),
        "hidden_size": _WIDTH,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "head_dim": 8,
        "max_position_embeddings": 64,
        "initializer_range": _SPREAD,
        **named,
    }
    config = CanaryConfig(
        encoder_config=_parakeet(),
        decoder_config=decoder,
        vocab_size=len(tokenizer),
        decoder_start_token_id=ids["<|startofcontext|>"],
        initializer_range=_SPREAD,
        **named,
    )
    processor = CanaryProcessor(
        ParakeetFeatureExtractor(feature_size=80), tokenizer, chat_template=_CANARY_TEMPLATE
    )
    return [CanaryForConditionalGeneration(config), processor]


def _cohere() -> list[Any]:
    from transformers import (
        CohereAsrConfig,
        CohereAsrFeatureExtractor,
        CohereAsrForConditionalGeneration,
        CohereAsrProcessor,
    )

    tokenizer = _multitask_pieces(("de", "en", "fr", "ja"))
    ids = tokenizer.get_vocab()
    config = CohereAsrConfig(
        encoder_config=_parakeet(),
        vocab_size=len(tokenizer),
        hidden_size=_WIDTH,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        pad_token_id=ids["<pad>"],
        eos_token_id=ids["<|endoftext|>"],
        bos_token_id=ids["<|startoftranscript|>"],
        decoder_start_token_id=ids["<|startofcontext|>"],
        initializer_range=_SPREAD,
    )
    processor = CohereAsrProcessor(CohereAsrFeatureExtractor(feature_size=80), tokenizer)
    return [CohereAsrForConditionalGeneration(config), processor]


def _parakeet() -> dict[str, Any]:
    return {
        "hidden_size": _WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "subsampling_conv_channels": 8,
        "num_mel_bins": 80,
        "layerdrop": 0.0,
        "scale_input": False,
        "max_position_embeddings": 512,
        "dropout": 0.0,
        "activation_dropout": 0.0,
        "attention_dropout": 0.0,
        "dropout_positions": 0.0,
    }


def _speech_to_text() -> list[Any]:
    """Its own tokenizer needs sentencepiece; a fast one over pieces of the same kind does not."""
    from transformers import (
        Speech2TextConfig,
        Speech2TextFeatureExtractor,
        Speech2TextForConditionalGeneration,
    )

    tokenizer = _sentence_pieces(["<s>", "<pad>", "</s>", "<unk>"])
    config = Speech2TextConfig(
        vocab_size=len(tokenizer),
        d_model=_WIDTH,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        conv_channels=32,
        max_target_positions=64,
        init_std=_SPREAD,
        dropout=0.0,
        activation_dropout=0.0,
    )
    model = Speech2TextForConditionalGeneration(config)
    model.generation_config.num_beams = 2
    return [model, Speech2TextFeatureExtractor(), tokenizer]


def _speech_encoder_decoder() -> list[Any]:
    """A wav2vec2 that is given what is padding, and a BART's decoder."""
    from standins_ctc import SMALL_WAV2VEC2
    from transformers import (
        BartConfig,
        SpeechEncoderDecoderConfig,
        SpeechEncoderDecoderModel,
        Wav2Vec2Config,
        Wav2Vec2FeatureExtractor,
    )

    tokenizer = _sentence_pieces(["<s>", "<pad>", "</s>", "<unk>"])
    encoder = Wav2Vec2Config(
        **SMALL_WAV2VEC2,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        layerdrop=0.0,
        attention_dropout=0.0,
    )
    decoder = BartConfig(
        vocab_size=len(tokenizer),
        d_model=_WIDTH,
        decoder_layers=2,
        decoder_attention_heads=4,
        decoder_ffn_dim=64,
        max_position_embeddings=64,
        init_std=_SPREAD,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        dropout=0.0,
        forced_eos_token_id=None,
        is_decoder=True,
        add_cross_attention=True,
    )
    config = SpeechEncoderDecoderConfig.from_encoder_decoder_configs(
        encoder, decoder, decoder_start_token_id=0, pad_token_id=1, eos_token_id=2
    )
    extractor = Wav2Vec2FeatureExtractor(return_attention_mask=True)
    return [SpeechEncoderDecoderModel(config), extractor, tokenizer]


def _sentence_pieces(special: list[str] | None = None) -> Any:
    """Lower-case pieces with a mark where a word begins, as sentencepiece makes them."""
    from standins import SENTENCES
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    special = special or ["<unk>", "<s>", "</s>"]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=80, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator([*SENTENCES, "abcdefghijklmnopqrstuvwxyz'"], trainer)
    pad = {"pad_token": "<pad>"} if "<pad>" in special else {}
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>", **pad
    )


def _multitask_pieces(languages: tuple[str, ...]) -> Any:
    named = [f"<|{code}|>" for code in languages]
    tokenizer = _sentence_pieces(["<unk>", "<s>", "</s>", *_PROMPT, *named])
    tokenizer.eos_token = "<|endoftext|>"
    tokenizer.pad_token = "<pad>"
    return tokenizer


KINDS: dict[str, Callable[[], list[Any]]] = {
    "whisper_asr": _whisper,
    "whisper_asr_english": lambda: _whisper(multilingual=False),
    "moonshine": _moonshine,
    "moonshine_streaming": _moonshine_streaming,
    "canary": _canary,
    "cohere_asr": _cohere,
    "speech_to_text": _speech_to_text,
    "speech_encoder_decoder": _speech_encoder_decoder,
}
