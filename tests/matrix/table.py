"""Writes docs/architectures.md from architectures.py: ``python tests/matrix/table.py``.

The checks need not run for it: ``pytest tests/matrix`` holds every line to what it declares.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from architectures import ARCHITECTURES, CHECKS, SUPPORTED, Architecture

PAGE = Path(__file__).parents[2] / "docs" / "architectures.md"

_HEAD = """# Architectures

What is trained here, and what holds for each: {recognizers} recognizers of transformers, and
{encoders} speech encoders before a language model (`speech_llm`), train, adapt with LoRA, save and
load. Each line is checked on a tiny random checkpoint of the real class with
its real processor, loaded as a training loads it. A ✓ is a test that passes; a dash is a test that
must fail, for the reason given. This page is written by `python tests/matrix/table.py`, and
`pytest tests/matrix` checks every mark.

- **{train}**: three steps of AdamW lower the loss of one batch.
- **{lora}**: exactly the tensors that the summary calls trainable change, all others stay as they
  are to the bit, the loss falls, and the merged model has the same loss.
- **{save}**: a checkpoint, in full or an adapter, loads strictly, with the same
  transcripts and the same loss; plain transformers and plain peft load the same weights.
- **{transcripts}**: the transcripts of four clips of different lengths are
  those of each clip alone.
- **{loss}**: so is their loss, to 1e-5, padding and all.
- **{length}**: for {lengths} lengths from nothing to two seconds the frames that are counted
  in advance are those that the encoder puts out.
- **{half}**: a file in fp16 or bf16 is trained as fp32 master weights.

"""


def page(lines: Sequence[Architecture] = ARCHITECTURES) -> str:
    """The full page."""
    from lengths import LENGTHS

    headings = {check: head[0].upper() + head[1:] for check, head in CHECKS.items()}
    encoders = sum(family == "speech_llm" for family, _ in supported(lines))
    recognizers = len(supported(lines)) - encoders
    counts = {"recognizers": recognizers, "encoders": encoders, "lengths": len(LENGTHS)}
    parts = [_HEAD.format(**counts, **headings)]
    notes: dict[str, int] = {}
    parts.append("| architecture | family | " + " | ".join(CHECKS.values()) + " |\n")
    parts.append("|---|---|" + "---|" * len(CHECKS) + "\n")
    for line in lines:
        marks = [_mark(line.fails.get(check), notes) for check in CHECKS]
        parts.append(f"| {_name(line)} | {line.family} | " + " | ".join(marks) + " |\n")
    parts.append("\n")
    parts += [f"[^{number}]: {_sentence(reason)}\n\n" for reason, number in notes.items()]
    parts.append(_refused())
    return "".join(parts)


def supported(lines: Sequence[Architecture] = ARCHITECTURES) -> set[tuple[str, str]]:
    """Architectures that train, adapt, save and load: (family, name) of each."""
    failing = {(one.family, one.name) for one in lines if set(SUPPORTED) & set(one.fails)}
    return {(one.family, one.name) for one in lines} - failing


def _name(line: Architecture) -> str:
    return f"{line.name} ({line.note})" if line.note else line.name


def _mark(reason: str | None, notes: dict[str, int]) -> str:
    if reason is None:
        return "✓"
    return f"–[^{notes.setdefault(reason, len(notes) + 1)}]"


def _sentence(reason: str) -> str:
    return f"{reason[0].upper()}{reason[1:]}."


def _refused() -> str:
    from mynah.models.audio_llm.registry import UNSUPPORTED_AUDIO_LLMS
    from mynah.models.seq2seq import registry as seq2seq

    why = seq2seq.UNSUPPORTED | UNSUPPORTED_AUDIO_LLMS
    parts = [
        "## What is refused\n\n",
        "transformers lists these too; naming one is an error that says why.\n\n",
        "| architecture | why |\n|---|---|\n",
    ]
    parts += [f"| {kind} | {reason} |\n" for kind, reason in sorted(why.items())]
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
