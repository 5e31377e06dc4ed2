"""Tiny random checkpoints of all classes of AutoModelForCTC, with their real processors."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}
SMALL_WAV2VEC2 = {
    **SMALL,
    "conv_dim": (16,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "mask_time_prob": 0.0,
    "pad_token_id": 0,
    "vocab_size": 32,
}


def _wav2vec2_family(
    family: str, *, head: bool = True, layer_norm: bool = False, **settings: Any
) -> list[Any]:
    """A model that takes samples; with layer norm it is given what is padding."""
    import transformers

    settings = {
        **SMALL_WAV2VEC2,
        "feat_extract_norm": "layer" if layer_norm else "group",
        **settings,
    }
    config = getattr(transformers, f"{family}Config")(**settings)
    model = getattr(transformers, f"{family}{'ForCTC' if head else 'Model'}")(config)
    extractor = transformers.Wav2Vec2FeatureExtractor(return_attention_mask=layer_norm)
    return [model, extractor, *([capital_letters()] if head else [])]


def _data2vec() -> list[Any]:
    """data2vec's extractor has layer norm without saying so, and five positional convolutions."""
    import transformers

    small = {name: value for name, value in SMALL_WAV2VEC2.items() if "pos_embed" not in name}
    config = transformers.Data2VecAudioConfig(**small, num_conv_pos_embedding_groups=4)
    extractor = transformers.Wav2Vec2FeatureExtractor(return_attention_mask=True)
    return [transformers.Data2VecAudioForCTC(config), extractor, capital_letters()]


def _sew(family: str, *, layer_norm: bool = False) -> list[Any]:
    """SEW's extractor has 13 layers; its transformer runs at half the rate."""
    return _wav2vec2_family(family, layer_norm=layer_norm, conv_dim=(16,) * 13)


def capital_letters() -> Any:
    """The vocabulary of wav2vec2-base-960h: capitals, apostrophe, a bar between words."""
    from transformers import Wav2Vec2CTCTokenizer

    pieces = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ"]
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "vocab.json"
        file.write_text(json.dumps({piece: i for i, piece in enumerate(pieces)}))
        return Wav2Vec2CTCTokenizer(str(file), do_lower_case=False)


def _w2v_bert(*, head: bool = False) -> list[Any]:
    """w2v-BERT 2.0 as it is published, an encoder without head or tokenizer; or fine-tuned,
    with an adapter that halves its frames."""
    import transformers

    config = transformers.Wav2Vec2BertConfig(
        **SMALL,
        conv_depthwise_kernel_size=7,
        apply_spec_augment=False,
        mask_time_prob=0.0,
        vocab_size=32 if head else None,
        add_adapter=head,
        num_adapter_layers=1,
        output_hidden_size=32,
    )
    extractor = transformers.SeamlessM4TFeatureExtractor()
    if not head:
        return [transformers.Wav2Vec2BertModel(config), extractor]
    return [transformers.Wav2Vec2BertForCTC(config), extractor, capital_letters()]


def _parakeet() -> list[Any]:
    import transformers

    from mynah.models.text.tokenizers import train_tokenizer

    tokenizer = train_tokenizer(_sentences(), kind="bpe", vocab_size=48)
    encoder = transformers.ParakeetEncoderConfig(
        **SMALL, subsampling_conv_channels=8, layerdrop=0.0
    )
    config = transformers.ParakeetCTCConfig(
        vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, encoder_config=encoder
    )
    processor = transformers.ParakeetProcessor(transformers.ParakeetFeatureExtractor(), tokenizer)
    return [transformers.ParakeetForCTC(config), processor]


def _lasr() -> list[Any]:
    """medasr: SentencePiece's unigram pieces, and a head that is a convolution."""
    import transformers

    letters = sorted(set("".join(_sentences())) - {" "})
    words = sorted({f"▁{word}" for text in _sentences() for word in text.split()})
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces = [("▁", -2.0), *((letter, -4.0) for letter in letters)]
    pieces += [(word, -6.0) for word in words[:12]]
    tokenizer = transformers.LasrTokenizer(vocab=[*special, *pieces], extra_ids=0)
    encoder = transformers.LasrEncoderConfig(
        **SMALL,
        subsampling_conv_channels=16,
        conv_kernel_size=8,
        layerdrop=0.0,
        dropout=0.0,
        activation_dropout=0.0,
        attention_dropout=0.0,
    )
    config = transformers.LasrCTCConfig(
        vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, encoder_config=encoder
    )
    processor = transformers.LasrProcessor(transformers.LasrFeatureExtractor(), tokenizer)
    return [transformers.LasrForCTC(config), processor]


def _granite() -> list[Any]:
    """Granite Speech 5: its head is also a layer in the middle of the encoder."""
    import transformers

    from mynah.models.features.granite import GraniteSpeech5FeatureExtractor
    from mynah.models.text.tokenizers import train_tokenizer

    tokenizer = train_tokenizer(_sentences(), kind="bpe", vocab_size=48)
    encoder = transformers.GraniteSpeech5EncoderConfig(
        **SMALL, vocab_size=len(tokenizer), context_size=16, max_position_embeddings=16
    )
    config = transformers.GraniteSpeech5CTCConfig(
        vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, encoder_config=encoder
    )
    processor = transformers.GraniteSpeech5Processor(GraniteSpeech5FeatureExtractor(), tokenizer)
    return [transformers.GraniteSpeech5ForCTC(config), processor]


def _sentences() -> tuple[str, ...]:
    from standins import SENTENCES

    return SENTENCES


# One or more of each class of AutoModelForCTC, by its model_type.
BY_TYPE: dict[str, tuple[str, ...]] = {
    "wav2vec2": ("wav2vec2_ctc", "wav2vec2_ctc_layer_norm"),
    "hubert": ("hubert_ctc", "hubert_batch_norm_ctc"),
    "wavlm": ("wavlm_ctc",),
    "wav2vec2-bert": ("w2v_bert_ctc",),
    "wav2vec2-conformer": ("conformer_ctc", "conformer_rope_ctc"),
    "data2vec-audio": ("data2vec_ctc",),
    "sew": ("sew_ctc",),
    "sew-d": ("sew_d_ctc",),
    "unispeech": ("unispeech_ctc",),
    "unispeech-sat": ("unispeech_sat_ctc",),
    "parakeet_ctc": ("parakeet_ctc",),
    "lasr_ctc": ("lasr_ctc",),
    "granite_speech5_ctc": ("granite5_ctc",),
}

_STABLE = {"layer_norm": True, "do_stable_layer_norm": True}
# Three convolutions at the rate of seven, and one layer: a graph is written in half the time.
_SHORT = {"conv_dim": (16,) * 3, "conv_stride": (10, 8, 4), "conv_kernel": (10, 8, 4)}
_CONFORMER = {"layer_norm": True, "conv_depthwise_kernel_size": 7, "conformer_conv_dropout": 0.0}

KINDS: dict[str, Callable[[], list[Any]]] = {
    "wav2vec2_ctc": lambda: _wav2vec2_family("Wav2Vec2"),
    "wav2vec2_ctc_layer_norm": lambda: _wav2vec2_family("Wav2Vec2", **_STABLE),
    "wav2vec2_ctc_short": lambda: _wav2vec2_family(
        "Wav2Vec2", **_STABLE, **_SHORT, num_hidden_layers=1
    ),
    "wav2vec2_base": lambda: _wav2vec2_family("Wav2Vec2", head=False),
    "hubert_ctc": lambda: _wav2vec2_family("Hubert", **_STABLE),
    "hubert_batch_norm_ctc": lambda: _wav2vec2_family(
        "Hubert", layer_norm=True, conv_pos_batch_norm=True
    ),
    "wavlm_ctc": lambda: _wav2vec2_family("WavLM", **_STABLE),
    "w2v_bert": _w2v_bert,
    "w2v_bert_ctc": lambda: _w2v_bert(head=True),
    "conformer_ctc": lambda: _wav2vec2_family("Wav2Vec2Conformer", **_CONFORMER),
    "conformer_rope_ctc": lambda: _wav2vec2_family(
        "Wav2Vec2Conformer", position_embeddings_type="rotary", **_CONFORMER
    ),
    "data2vec_ctc": _data2vec,
    "sew_ctc": lambda: _sew("SEW"),
    "sew_d_ctc": lambda: _sew("SEWD", layer_norm=True),
    "unispeech_ctc": lambda: _wav2vec2_family("UniSpeech", **_STABLE),
    "unispeech_sat_ctc": lambda: _wav2vec2_family("UniSpeechSat"),
    "parakeet_ctc": _parakeet,
    "lasr_ctc": _lasr,
    "granite5_ctc": _granite,
}
