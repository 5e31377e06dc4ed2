"""Small random Whispers in CTranslate2's layout, written by CTranslate2's own converter."""

import json
from pathlib import Path

import torch
from ctranslate2.converters import TransformersConverter
from tokenizers import Tokenizer, models
from transformers import WhisperConfig, WhisperForConditionalGeneration, WhisperTokenizer
from transformers.models.whisper.tokenization_whisper import LANGUAGES

_TASKS = (
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
)
ENGLISH, MULTILINGUAL, LARGE_V3 = 51864, 51865, 51866  # tokens


def write_whisper(folder, *, vocabulary=ENGLISH, **sizes):
    """A random Whisper as transformers saves it, with OpenAI's numbers of tokens and their ids."""
    languages = 100 if vocabulary == LARGE_V3 else 99
    first = 50256 if vocabulary == ENGLISH else 50257
    special = [
        "<|endoftext|>",
        "<|startoftranscript|>",
        *(f"<|{code}|>" for code in list(LANGUAGES)[:languages]),
        *_TASKS,
    ]
    ids = {name: first + at for at, name in enumerate(special)}
    letters = {f"piece{at}": at for at in range(first)}
    tokenizer = Tokenizer(models.BPE(vocab=letters, merges=[]))
    tokenizer.add_special_tokens(special)
    wrapped = WhisperTokenizer(tokenizer_object=tokenizer, extra_special_tokens=special[1:])
    wrapped.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = WhisperConfig(
        **{
            "vocab_size": vocabulary,
            "d_model": 16,
            "encoder_layers": 2,
            "decoder_layers": 3,
            "encoder_attention_heads": 4,
            "decoder_attention_heads": 2,
            "encoder_ffn_dim": 24,
            "decoder_ffn_dim": 40,
            "bos_token_id": first,
            "eos_token_id": first,
            "pad_token_id": first,
            "decoder_start_token_id": ids["<|startoftranscript|>"],
            **sizes,
        }
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = WhisperForConditionalGeneration(config)
        with torch.no_grad():
            for parameter in model.parameters():  # biases and norms too: not all zeros and ones
                parameter.add_(0.1 * torch.randn_like(parameter))
    settings = model.generation_config
    settings._from_model_config = False
    settings.suppress_tokens = [1, 2, ids["<|startoftranscript|>"]]
    settings.begin_suppress_tokens = [220, first]
    settings.alignment_heads = [[1, 0], [2, 1]]
    model.save_pretrained(folder)
    return model, ids


def convert(folder, output, quantization=None):
    """The same model in CTranslate2's layout."""
    converter = TransformersConverter(str(folder), copy_files=["tokenizer.json"])
    converter.convert(str(output), quantization=quantization, force=True)
    return Path(output)


def rewrite_settings(folder, **values):
    """Change CTranslate2's config.json."""
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
