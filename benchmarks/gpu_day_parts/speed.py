"""Speed: model FLOPs of a speech LLM with LoRA, decoding, the wait for data, torch.compile."""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping
from typing import Any

from gpu_day_parts import corpora, flops, models
from gpu_day_parts.context import Context
from gpu_day_parts.lines import Lines
from gpu_day_parts.typed import TOY, Command, Ended, alone, training

_WARM_STEPS = 4
_GOAL = 0.40  # of the peak, in model FLOPs
_RANK = 32
# Seconds of audio a second of whisper-large-v3 and of parakeet on the Open ASR Leaderboard
# (2026-03), of programs with batches on an A100: no goal for random weights, and an order of size.
_WHISPER, _CTC = 146, 3386
_WAIT = 0.1  # of the time, from which on Mynah itself says that the loader is too slow


def utilisation(context: Context, lines: Lines) -> None:
    """LoRA (r 32) on a 1.7 B speech LLM, utterances of 15 s, random weights at real sizes."""
    seconds, rows = context.sized((15.0, 32), (3.0, 4))
    corpus = corpora.equal(context.corpora / "speech", 32 * rows, seconds, evaluated=2)
    steps = _WARM_STEPS + context.sized(12, 4)
    command = training(
        context, f"data.dataset_name={corpus}", "data.eval_splits=[dev]",
        f"model.encoder_model_name={models.large(context, 'whisper_small')}",
        f"model.decoder_model_name={models.large(context, 'smollm2_1.7b')}",
        "model.use_lora=true", f"model.lora_r={_RANK}", "model.lora_dropout=0.0",
        f"model.projector.hidden_size={context.sized(2048, 32)}",
        "model.dtype=bfloat16", "training.bf16=true", f"training.max_steps={steps}",
        f"training.per_device_train_batch_size={rows}", "training.dataloader_num_workers=4",
        *(("model.attn_implementation=eager",) if context.toy else ()),  # whose sums torch counts
        count_flops_at=2, leave=True,
    )  # fmt: skip
    ended = alone("lora", command, context)
    if ended.status:
        lines.check("LoRA on a 1.7 B speech LLM", ended.complaint, expected="trains", held=False)
        return
    step = statistics.median(ended.step_seconds[_WARM_STEPS:])
    lines.figure("a step", 1000 * step, "ms")
    lines.figure("audio", rows * seconds / step, "s/s")
    needed = _needed(context, next(ended.named("batch")), seconds)
    counted = next(ended.named("flops"))["counted"]
    lines.check(
        "operations that ran, by torch's count", counted / needed, "of the model's",
        expected="0.93 to 1.07: nothing is computed twice or left out",
        held=0.93 <= counted / needed <= 1.07,
    )  # fmt: skip
    _rate(context, lines, needed / step)


def _rate(context: Context, lines: Lines, rate: float) -> None:
    import torch

    peak = None if context.toy else flops.peak_of(torch.cuda.get_device_name(0))
    lines.figure("model FLOPs", rate / 1e12, "TFLOP/s")
    if peak is None:
        lines.figure("utilisation", "not known: no data sheet of this device is listed")
        return
    lines.check(
        "utilisation (model FLOPs)", rate / peak, f"of {peak / 1e12:.0f} TFLOP/s",
        expected=f"{_GOAL:.0%} at least", held=rate / peak >= _GOAL,
    )  # fmt: skip


def _needed(context: Context, batch: Mapping[str, Any], seconds: float) -> int:
    """Model FLOPs of a step on such a batch."""
    from transformers import AutoConfig

    encoder = AutoConfig.from_pretrained(models.large(context, "whisper_small"))
    text = AutoConfig.from_pretrained(models.large(context, "smollm2_1.7b"))
    rows, length = batch["shapes"]["input_ids"]
    width, layers = text.hidden_size, text.num_hidden_layers
    kv = width * text.num_key_value_heads // text.num_attention_heads
    inner, speech = text.intermediate_size, encoder.d_model
    step = flops.LoraStep(
        encoder=flops.whisper_layers(encoder.encoder_layers, speech, encoder.encoder_ffn_dim),
        stem=2 * 3 * encoder.num_mel_bins * speech + 3 * speech * speech,
        language_model=flops.llama_layers(layers, width, inner, kv),
        vocabulary=text.vocab_size,
        lora=flops.lora_weights(layers, width, inner, kv, _RANK),
        stack=5,
        projector=context.sized(2048, 32),
    )
    return step.flops(
        rows=rows, frames=round(seconds * 50), length=length, scored=batch["scored"]
    )  # fmt: skip


def ctc_decoding(context: Context, lines: Lines) -> None:
    """CTC, greedy: a Parakeet at the sizes of the 0.6 B one, through `mynah eval`."""
    rows, seconds = context.sized((600, 15.0), (12, 3.0))
    corpus = corpora.equal(context.corpora / "decoded", 4, seconds, evaluated=rows)
    folder = models.large(context, "parakeet_ctc_0.6b")
    _decoding(context, lines, str(folder), str(corpus), _CTC, "parakeet-tdt-0.6b-v2")


def whisper_decoding(context: Context, lines: Lines) -> None:
    """Whisper, greedy, 96 tokens for each 30 s: the sizes of large-v3-turbo, `mynah eval`."""
    rows, seconds = context.sized((64, 30.0), (4, 3.0))
    corpus = corpora.equal(context.corpora / "windows", 4, seconds, evaluated=rows)
    folder = models.large(context, "whisper_large_v3_turbo")
    _decoding(
        context, lines, str(folder), str(corpus), _WHISPER, "whisper-large-v3",
        "model.language=en", f"model.generation_max_length={context.sized(96, 16)}",
    )  # fmt: skip


def _decoding(
    context: Context, lines: Lines, model: str, corpus: str, known: int, whose: str, *more: str
) -> None:
    """As it was published, in float32; then with LoRA on weights held in bfloat16."""
    measured = (
        "data.eval_splits=[dev]", "offline=true", "evaluation.bootstrap_samples=20",
        "evaluation.report_utterances=0", "training.eval_batch_seconds=960", *more,
        *(TOY if context.toy else ()),
    )  # fmt: skip
    ended = alone("float32", Command(("eval", model, corpus, *measured)), context)
    _decoded(context, lines, "float32", ended, known, whose)
    adapted = training(
        context, f"data.dataset_name={corpus}", "data.eval_splits=[dev]",
        f"model.pretrained={model}", "model.use_lora=true", "model.dtype=bfloat16",
        "training.bf16=true", "training.max_steps=1", "training.per_device_train_batch_size=2",
        "data.max_eval_samples=2", *more, leave=True,
    )  # fmt: skip
    ended = alone("adapted", adapted, context)
    if ended.status:
        lines.check("LoRA on bfloat16: one step", ended.complaint, expected="trains", held=False)
        return
    words = ("eval", "outputs/model", corpus, "data.max_eval_samples=null", *measured)
    ended = alone("adapted", Command(words), context)
    _decoded(context, lines, "LoRA on bfloat16", ended, known, whose)


def _decoded(
    context: Context, lines: Lines, way: str, ended: Ended, known: int, whose: str
) -> None:
    if ended.status:
        lines.check(way, ended.complaint, expected="decodes", held=False)
        return
    (found,) = ended.results.values()
    speed, failed = found["audio_seconds_per_second"], len(found["failures"])
    lines.check(
        f"{way}: utterances that could not be decoded", failed, expected="0", held=not failed
    )
    lines.figure(f"{way}: audio decoded", found["audio_seconds"], "s")
    batches = list(ended.named("generated"))
    if batches:
        written = sum(batch["rows"] * batch["tokens"] for batch in batches)
        lines.figure(f"{way}: tokens of each text", max(batch["tokens"] for batch in batches))
        lines.figure(f"{way}: tokens", written / found["decoding_seconds"], "tokens/s")
    what = f"{way}: decoding, reading included"
    if context.toy:
        lines.figure(what, speed, "s/s")
        return
    lines.check(
        what, speed, "s/s", expected=f"{known} or more ({whose}, Open ASR Leaderboard)",
        held=speed >= known,
    )  # fmt: skip


def loader(context: Context, lines: Lines) -> None:
    """The wait for data with 8, 16 and 4 workers: a FastConformer of 110 M parameters, FLAC."""
    rows, seconds = context.sized((2400, 15.0), (24, 3.0))
    corpus = corpora.equal(context.corpora / "loaded", rows, seconds, evaluated=2)
    sizes = context.sized(
        "{hidden_size: 512, layers: 17, heads: 8, feed_forward_size: 2048, "
        "subsampling_factor: 8, subsampling_channels: 256}",
        "{hidden_size: 16, layers: 1, heads: 2, feed_forward_size: 32, subsampling_channels: 8}",
    )
    for workers in context.sized((8, 16, 4), (1, 2)):
        command = training(
            context, f"data.dataset_name={corpus}", "data.eval_splits=[dev]",
            "model=fastconformer", "model.language_model=none", "model.tokenizer=bpe",
            f"model.encoder={sizes}", "training.bf16=true",
            f"training.max_steps={context.sized(40, 6)}",
            f"training.per_device_train_batch_size={context.sized(40, 4)}",
            f"training.dataloader_num_workers={workers}", leave=True,
        )  # fmt: skip
        ended = alone(f"{workers} workers", command, context)
        share = re.search(r"Waited for data: ([\d.]+)%", ended.said)
        if ended.status or share is None:
            lines.check(f"{workers} workers", ended.complaint, expected="trains", held=False)
            continue
        batch = context.sized(40, 4) * seconds
        speed = batch / statistics.median(ended.step_seconds[2:])
        lines.figure(f"{workers} workers: audio trained on", speed, "s/s")
        waited = float(share[1]) / 100
        what = f"{workers} workers: time spent waiting for data"
        if context.toy or workers == 4:
            lines.figure(what, waited, "of all")
        else:
            lines.check(what, waited, "of all", expected=f"under {_WAIT}", held=waited < _WAIT)


def compiling(context: Context, lines: Lines) -> None:
    """A small CTC model on utterances of one length, as it is and under `torch.compile`."""
    corpus = corpora.equal(context.corpora / "split", 64, context.sized(15, 3), evaluated=2)
    steps = context.sized(16, 6)
    ended: dict[str, Ended] = {}
    # On a CPU the compiler's own backend would take minutes: the graphs are found, and run as is.
    backend = ["training.torch_compile_backend=eager"] if context.toy else []
    ways: Mapping[str, Any] = {"eager": [], "compiled": ["training.torch_compile=true", *backend]}
    for name, how in ways.items():
        command = training(
            context, f"data.dataset_name={corpus}", "data.eval_splits=[dev]",
            "model=fastconformer", "model.language_model=none", "model.encoder.layers=2",
            "training.bf16=true", f"training.max_steps={steps}",
            "training.per_device_train_batch_size=8", "training.dataloader_num_workers=2", *how,
            leave=True,
        )  # fmt: skip
        ended[name] = found = alone(name, command, context)
        if found.status or len(found.losses) != steps:
            lines.check(f"{name}: trains", found.complaint, expected="done", held=False)
            return
        lines.check(f"{name}: trains", "done", expected="done", held=True)
        late = found.step_seconds[len(found.step_seconds) // 2 :]
        lines.figure(f"{name}: a step", 1000 * statistics.median(late), "ms")
    compiled = ended["compiled"]
    lines.figure("slowest step, compilation in it", max(compiled.step_seconds), "s")
    graphs = compiled.end.get("graphs", 0)
    lines.check("graphs that were compiled", graphs, expected="1 or more", held=graphs >= 1)
    lines.figure("breaks between graphs", compiled.end.get("graph_breaks", 0))
    apart = max(
        abs(a - b) / abs(a) for a, b in zip(ended["eager"].losses, compiled.losses, strict=True)
    )
    lines.check(
        "losses beside eager ones, largest difference", apart, "of the loss",
        expected="under 0.05", held=apart < 0.05,
    )  # fmt: skip
