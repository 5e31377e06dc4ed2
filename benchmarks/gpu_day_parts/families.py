"""Every family trains in bfloat16, in full and with LoRA, and decodes what it came to."""

from __future__ import annotations

import math
import statistics

from gpu_day_parts import corpora, models
from gpu_day_parts.context import Context
from gpu_day_parts.lines import Lines
from gpu_day_parts.typed import Command, Ended, together, training

_STEPS = 16
_ENDS = 4  # of the steps, at each end, whose losses are compared

# The settings that name each family's parts; what is in braces is a stand-in of the tests.
FAMILIES = {
    "ctc": ("model.pretrained={parakeet_ctc}",),
    "transducer": ("model.pretrained={parakeet_tdt}",),
    "seq2seq": ("model.pretrained={whisper_asr}", "model.language=en"),
    "audio_llm": ("model.pretrained={qwen3_asr}",),
    "speech_llm": ("model.encoder_model_name={whisper}", "model.decoder_model_name={chat_lm}"),
}
_WAYS = {
    "all weights": ("model.use_lora=false",),
    "LoRA": ("model.use_lora=true", "model.lora_r=4", "model.lora_alpha=8"),
}


def families(context: Context, lines: Lines) -> None:
    """Tiny models of each family, in bfloat16, all weights and LoRA; several at a time."""
    corpus = corpora.short(context.corpora / "short", context.sized(96, 24))
    commands = {"ctc from scratch": _scratch(context, corpus)}
    for family, named in FAMILIES.items():
        for way, how in _WAYS.items():
            settings = [_filled(context, setting) for setting in named]
            if family == "speech_llm" and way == "all weights":
                settings.append("model.encoder_tuning=full")
            commands[f"{family}, {way}"] = _training(context, corpus, *settings, *how)
    for name, ended in together(commands, context):
        _judge(context, lines, name, ended)


def _filled(context: Context, setting: str) -> str:
    key, _, kind = setting.partition("={")
    return f"{key}={models.tiny(context, kind.removesuffix('}'))}" if kind else setting


def _training(context: Context, corpus: object, *settings: str) -> Command:
    return training(
        context, f"data.dataset_name={corpus}", "data.max_eval_samples=4", "training.bf16=true",
        f"training.max_steps={_STEPS}", "training.batch_seconds=16", "training.learning_rate=5e-3",
        "training.warmup_steps=2", "training.dataloader_num_workers=1", *settings,
    )  # fmt: skip


def _scratch(context: Context, corpus: object) -> Command:
    return _training(
        context, corpus, "model=fastconformer", "model.encoder.layers=2",
        "model.encoder.hidden_size=64", "model.encoder.feed_forward_size=128",
        "model.language_model=none",
    )  # fmt: skip


def _judge(context: Context, lines: Lines, name: str, ended: Ended) -> None:
    losses = ended.losses
    if ended.status or len(losses) != _STEPS:
        lines.check(name, ended.complaint, expected="trains and is measured", held=False)
        return
    first, last = (statistics.mean(part) for part in (losses[:_ENDS], losses[-_ENDS:]))
    lines.check(
        f"{name}: loss of the last {_ENDS} steps", last, f"of {first:.3g}",
        expected="finite, and less than that of the first",
        held=all(map(math.isfinite, losses)) and last < first,
    )  # fmt: skip
    bf16 = [batch["bf16"] for batch in ended.named("batch")]
    if context.toy:
        said = "slower than fp32: training in fp32" in ended.said
        lines.check(
            f"{name}: bfloat16", all(bf16), expected="or fp32, and said so, on a CPU without it",
            held=all(bf16) or said,
        )  # fmt: skip
    else:
        lines.check(f"{name}: bfloat16", all(bf16), expected="True", held=all(bf16))
    measured = sorted(ended.results)
    lines.check(
        f"{name}: measured", ", ".join(measured), expected="a split, decoded after training",
        held=bool(measured),
    )  # fmt: skip
