"""What the terminal shows of an inspection: tables and small histograms."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from rich.text import Text

from mynah import console
from mynah.inspection.figures import FIGURES, Figure, show_rates
from mynah.inspection.histogram import Histogram
from mynah.inspection.inspect import Inspection, SplitInspection

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_PLAIN = " ......:::"  # where the output has no blocks, as in a log of an old encoding
_HEIGHT = 4  # lines of a histogram
_GAP = 4  # columns between two
_SHOWN = ("duration_seconds", "characters_a_second", "level_db", "snr_db")
_NAMED = 3
_SPLITS_ABREAST = 4


def show_inspection(inspection: Inspection) -> None:
    """Print it all; a split's details follow the table of all splits."""
    _overview(inspection)
    for split in inspection.splits.values():
        _split(split)


def text_bars(
    counts: Sequence[int], height: int = _HEIGHT, width: int = 32, blocks: str = _EIGHTHS
) -> list[str]:
    """A histogram as lines of block characters, ``height`` lines of at most ``width``.

    A bin with anything in it is never empty: a small count has at least an eighth.
    """
    counts = _squeezed(counts, width)
    most = max(counts, default=0)
    if not most:
        return [" " * len(counts)] * height
    eighths = [max(round(8 * height * count / most), 1) if count else 0 for count in counts]
    return [
        "".join(blocks[min(max(value - 8 * line, 0), 8)] for value in eighths)
        for line in reversed(range(height))
    ]


def plot(figure: Figure, binned: Histogram, width: int = 32, blocks: str = _EIGHTHS) -> list[str]:
    """A titled histogram with its axis, in lines of equal length."""
    lines = text_bars(binned.counts, width=width, blocks=blocks)
    size = max(len(lines[0]), 24)
    low, high = binned.low * figure.scale, binned.high * figure.scale
    middle = f"median {_number(binned.median * figure.scale)}"
    ends = f"{_number(low)}{_number(high):>{max(len(lines[0]) - len(_number(low)), 1)}}"
    beyond = f" +{binned.beyond:,} above" if binned.beyond else ""
    made = [f"{figure.title}: {figure.axis}", *lines, ends + beyond, middle]
    size = max(size, *(len(line) for line in made))
    return [line.ljust(size) for line in made]


def _overview(inspection: Inspection) -> None:
    """One column a split: there are few of them, and names of any length have room."""
    splits = list(inspection.splits.values())
    for start in range(0, len(splits), _SPLITS_ABREAST):
        together = splits[start : start + _SPLITS_ABREAST]
        facts = [_facts(split) for split in together]
        rows = [[name, *(column[name] for column in facts)] for name in facts[0]]
        console.table(inspection.name, ["", *(split.name for split in together)], rows)
    if inspection.sample is not None:
        listened = ", ".join(
            f"{len(split.scan):,} of {len(split.rows):,} in {split.name}"
            for split in splits
            if split.scan is not None
        )
        if listened:
            console.say(f"Listened to a sample: {listened}; all else is of every row.")


def _facts(split: SplitInspection) -> dict[str, str]:
    rows, words = split.rows, split.vocabulary
    return {
        "hours": f"{rows.durations.sum() / 3600:,.2f}",
        "utterances": f"{len(rows):,}",
        "speakers": f"{len(rows.speakers.known):,}" if rows.speakers.known else "not known",
        "files": show_rates(split.file_rates) or "not listened to",
        "running words": f"{words.running_words:,}",
        "different words": f"{len(words.words):,}",
        "never in training": "" if split.unseen is None else f"{split.unseen.running:.1%}",
        "different characters": f"{len(words.characters):,}",
        "left out": f"{sum(split.account.get('dropped', {}).values()):,}",
        "looking wrong": f"{len(split.suspicious_rows):,}",
    }


def _split(split: SplitInspection) -> None:
    console.say()
    console.console().rule(Text(f" {split.name} ", style="bold"), align="left", style="dim")
    _plots(split)
    _left_out(split)
    _groups(split)
    _words(split)
    _suspicious(split)
    _disagreement(split)


def _plots(split: SplitInspection) -> None:
    out = console.console()
    blocks = _EIGHTHS if out.encoding.lower().startswith("utf") else _PLAIN
    figures = {figure.key: figure for figure in FIGURES}
    drawn = [
        plot(figures[key], split.histograms[key], blocks=blocks)
        for key in _SHOWN
        if key in split.histograms
    ]
    across = max((out.width + _GAP) // (36 + _GAP), 1) if out.is_terminal else 2
    for start in range(0, len(drawn), across):
        together = drawn[start : start + across]
        for number, parts in enumerate(zip(*together, strict=True)):
            line = Text((" " * _GAP).join(parts).rstrip())
            style = "bold" if number == 0 else "cyan" if number <= _HEIGHT else "dim"
            out.print(Text("  ") + Text(line.plain, style=style))
        out.print()


def _left_out(split: SplitInspection) -> None:
    dropped = split.account.get("dropped", {})
    if not dropped:
        return
    first: dict[str, dict[str, str]] = {}
    for row in split.account.get("dropped_rows", []):
        first.setdefault(row["reason"], row)
    _heading("Left out by preparation")
    for reason, count in sorted(dropped.items(), key=lambda item: -item[1]):
        console.say(f"  {count:>7,}  {reason:<16} {_first_of(first.get(reason))}".rstrip())


def _first_of(row: dict[str, str] | None) -> str:
    if row is None:
        return ""
    return f"{row['id']} {_bracketed(row.get('detail', ''))}".strip()


def _groups(split: SplitInspection) -> None:
    for what in ("source", "language", "channel"):
        groups = split.groups[what]
        if len(groups) < 2:
            continue
        console.table(
            f"By {what}",
            [what, "utts", "hours", "speakers", "chars/s"],
            [
                [
                    group.name or "(unknown)",
                    f"{group.utterances:,}",
                    f"{group.hours:,.2f}",
                    f"{group.speakers:,}",
                    _number(group.median_characters_a_second),
                ]
                for group in groups[:10]
            ],
        )


def _words(split: SplitInspection) -> None:
    words = split.vocabulary
    frequent = ", ".join(f"{word} {count:,}" for word, count in list(words.words.items())[:8])
    console.say(
        f"Words: {len(words.words):,} different, {words.once:,} of them once; most often {frequent}"
    )
    rare = words.rare_characters
    characters = f"Characters: {len(words.characters):,} different"
    if rare:
        shown = " ".join(f"{_visible(c)} {count}" for c, count in list(rare.items())[:12])
        characters += f", {len(rare):,} of them fewer than 10 times: {shown}"
    console.say(characters)
    if split.unseen is not None and split.unseen.words:
        first = ", ".join(list(split.unseen.words)[:8])
        console.say(
            f"Never in training: {split.unseen.running:.1%} of the running words, "
            f"{len(split.unseen.words):,} different ones: {first}"
        )
        if split.unseen.characters:
            console.notice(
                "letters that training never has: " + " ".join(split.unseen.characters[:20])
            )


def _suspicious(split: SplitInspection) -> None:
    if not split.suspicions:
        listened = "" if split.scan is not None else " (the audio was not listened to)"
        console.say(f"No row looks wrong{listened}.")
        return
    _heading("Rows that look wrong, the worst first")
    for found in split.suspicions:
        for number, row in enumerate(found.rows[:_NAMED].tolist()):
            begins = f"  {len(found):>7,}  {found.kind.title:<16}" if number == 0 else " " * 27
            named = f"{split.corpus.ids[row]} {_bracketed(found.describe(row))}".rstrip()
            console.say(f"{begins} {named}")


def _disagreement(split: SplitInspection) -> None:
    found = split.disagreement
    if found is None:
        return
    scores = found.evaluation.scores
    _heading("Where the model disagrees")
    console.say(
        f"  {scores.unit.title} {scores.error_rate:.1%} on {len(found.rows):,} utterances; "
        f"{found.striking:,} disagree more than that explains"
    )
    if found.is_weak:
        console.say("  (a model that is wrong so often says little of the transcripts)")
    wrong = [at for at in found.order.tolist() if scores.per_utterance[at].wrong]
    for at in wrong[:_NAMED]:
        row = scores.per_utterance[at]
        console.say(f"  {row.id}")
        console.say(f"    transcript: {row.reference}")
        console.say(f"    recognized: {row.error or row.hypothesis or '(nothing)'}")


def _heading(text: str) -> None:
    console.say()
    console.console().print(Text(text, style="bold"))


def _squeezed(counts: Sequence[int], width: int) -> list[int]:
    """Neighbouring bins together until they fit."""
    together = max(math.ceil(len(counts) / width), 1)
    return [
        int(np.sum(counts[start : start + together])) for start in range(0, len(counts), together)
    ]


def _bracketed(detail: str) -> str:
    return f"({detail})" if detail else ""


def _visible(character: str) -> str:
    return character if character.isprintable() and character.strip() else f"U+{ord(character):04X}"


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "–"
    return f"{value:,.0f}" if value == round(value) or abs(value) >= 1000 else f"{value:.3g}"
