"""Tiny random causal language models of the kinds that differ in what a prompt has to heed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

SENTENCES = (
    "turn on the kitchen lights",
    "set a timer for ten minutes",
    "call anna at five past nine",
    "what's the weather in paris",
    "play the next song",
)
CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
_QWEN3 = CHATML + (
    "{% if add_generation_prompt and enable_thinking is defined and not enable_thinking %}"
    "{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}"
)
_GEMMA = (
    "{{ bos_token }}{% for message in messages %}"
    "{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"
)
_SMALL = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "initializer_range": 0.3,  # large enough that one token does not simply repeat another
}


def byte_level_tokenizer(special: list[str]) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def _llama(tokenizer: Any) -> list[Any]:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
        initializer_range=0.3,  # large enough that one token does not simply repeat another
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return [LlamaForCausalLM(config), tokenizer]


def _chat_lm() -> list[Any]:
    """SmolLM2-Instruct: byte-level pieces, ChatML, the end of a turn ends the text."""
    tokenizer = byte_level_tokenizer(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.bos_token = "<|im_start|>"
    tokenizer.eos_token = tokenizer.pad_token = "<|im_end|>"
    tokenizer.chat_template = CHATML
    return _llama(tokenizer)


def _base_lm() -> list[Any]:
    """A base model: no chat template, no padding token."""
    tokenizer = byte_level_tokenizer(["<|endoftext|>"])
    tokenizer.bos_token = tokenizer.eos_token = "<|endoftext|>"
    return _llama(tokenizer)


def _gpt2() -> list[Any]:
    """Learned positions, tied, one token that begins and ends; linear layers of its own."""
    from transformers import GPT2Config, GPT2LMHeadModel

    tokenizer = byte_level_tokenizer(["<|endoftext|>"])
    tokenizer.bos_token = tokenizer.eos_token = tokenizer.unk_token = "<|endoftext|>"
    end = tokenizer.eos_token_id
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=128,
        n_embd=32,
        n_layer=2,
        n_head=4,
        initializer_range=0.3,
        bos_token_id=end,
        eos_token_id=end,
    )
    return [GPT2LMHeadModel(config), tokenizer]


def _opt() -> list[Any]:
    """OPT-350m: embeddings narrower than the layers, learned positions, a tokenizer that puts
    </s> before every text."""
    from tokenizers import processors
    from transformers import OPTConfig, OPTForCausalLM

    tokenizer = byte_level_tokenizer(["<s>", "<pad>", "</s>"])
    tokenizer.pad_token = "<pad>"
    tokenizer.bos_token = tokenizer.eos_token = "</s>"
    end = tokenizer.eos_token_id
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="</s> $A", special_tokens=[("</s>", end)]
    )
    config = OPTConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        word_embed_proj_dim=16,
        ffn_dim=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=128,
        init_std=0.3,
        do_layer_norm_before=False,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=end,
        eos_token_id=end,
    )
    return [OPTForCausalLM(config), tokenizer]


def _qwen3() -> list[Any]:
    """No token that begins, more rows than tokens, a template that knows of reasoning."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    tokenizer = byte_level_tokenizer(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens(["<think>", "</think>"])
    tokenizer.eos_token, tokenizer.pad_token = "<|im_end|>", "<|endoftext|>"
    tokenizer.chat_template = _QWEN3
    config = Qwen3Config(
        **_SMALL,
        vocab_size=len(tokenizer) + 3,
        num_key_value_heads=2,
        head_dim=8,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return [Qwen3ForCausalLM(config), tokenizer]


def _gemma() -> list[Any]:
    """Scaled embeddings; a turn ends with another token than a text."""
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    special = ["<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"]
    tokenizer = byte_level_tokenizer(special)
    tokenizer.pad_token, tokenizer.eos_token, tokenizer.bos_token = special[:3]
    tokenizer.chat_template = _GEMMA
    config = Gemma3TextConfig(
        **_SMALL,
        vocab_size=len(tokenizer),
        num_key_value_heads=2,
        head_dim=8,
        sliding_window=64,
        tie_word_embeddings=True,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=2,
    )
    return [Gemma3ForCausalLM(config), tokenizer]


def _qwen2_untied() -> list[Any]:
    """A head of its own, and a tokenizer that ends texts with a token that the model has no row
    of (transformers' class adds it)."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = byte_level_tokenizer(["<|begin|>"])
    config = Qwen2Config(
        **_SMALL,
        vocab_size=len(tokenizer),
        num_key_value_heads=2,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=None,
    )
    return [Qwen2ForCausalLM(config), tokenizer]


def _phi() -> list[Any]:
    """A head of its own with a bias, and a tokenizer in which nothing ends a text."""
    from transformers import PhiConfig, PhiForCausalLM

    tokenizer = byte_level_tokenizer(["<|begin|>"])
    config = PhiConfig(
        **_SMALL,
        vocab_size=len(tokenizer),
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=None,
    )
    return [PhiForCausalLM(config), tokenizer]


KINDS: dict[str, Callable[[], list[Any]]] = {
    "chat_lm": _chat_lm,
    "base_lm": _base_lm,
    "gpt2_lm": _gpt2,
    "opt_lm": _opt,
    "qwen3_lm": _qwen3,
    "gemma_lm": _gemma,
    "qwen2_untied_lm": _qwen2_untied,
    "phi_lm": _phi,
}
