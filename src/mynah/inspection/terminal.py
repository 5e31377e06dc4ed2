"""What the terminal shows of an inspection: tables and small histograms."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from rich.text import Text

from mynah import console
from mynah.inspection.figures import FIGURES, Figure
from mynah.inspection.histogram import Histogram
from mynah.inspection.inspect import Inspection, SplitInspection

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_PLAIN = " ......:::"  # where the output has no blocks, as in a log of an old encoding
_HEIGHT = 4  # lines of a histogram
_GAP = 4  # columns between two
_SHOWN = ("duration_seconds", "characters_a_second", "level_db", "snr_db")
_NAMED = 3


def show(inspection: Inspection) -> None:
    """Print it all; a split's details follow the table of all splits."""
    _overview(inspection)
    for split in inspection.splits.values():
        _split(split)


def bars(
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
    lines = bars(binned.counts, width=width, blocks=blocks)
    size = max(len(lines[0]), 24)
    low, high = binned.low * figure.scale, binned.high * figure.scale
    middle = f"median {_number(binned.median * figure.scale)}"
    ends = f"{_number(low)}{_number(high):>{max(len(lines[0]) - len(_number(low)), 1)}}"
    beyond = f" +{binned.beyond:,} above" if binned.beyond else ""
    made = [f"{figure.title}: {figure.axis}", *lines, ends + beyond, middle]
    size = max(size, *(len(line) for line in made))
    return [line.ljust(size) for line in made]


def _overview(inspection: Inspection) -> None:
    rows = []
    for split in inspection.splits.values():
        table, words = split.rows, split.vocabulary
        left_out = sum(split.account.get("dropped", {}).values())
        rows.append(
            [
                split.name,
                f"{len(table):,}",
                f"{table.durations.sum() / 3600:,.2f}",
                f"{len(table.speakers.known):,}" if table.speakers.known else "–",
                f"{words.running_words:,}",
                f"{len(words.words):,}",
                "" if split.unseen is None else f"{100 * split.unseen.running:.1f}",
                f"{left_out:,}",
                f"{len(split.suspicious_rows):,}",
            ]
        )
    columns = ["split", "utts", "hours", "speakers", "words", "distinct", "OOV %", "left out"]
    console.table(f"{inspection.name}", [*columns, "suspicious"], rows)


def _split(split: SplitInspection) -> None:
    console.say()
    console.console().print(Text(split.name, style="bold"))
    _plots(split)
    _left_out(split)
    _groups(split)
    _words(split)
    _shared(split)
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
    console.table(
        "Left out by preparation",
        ["reason", "rows", "the first"],
        [
            [reason, f"{count:,}", _first_of(first.get(reason))]
            for reason, count in sorted(dropped.items(), key=lambda item: -item[1])
        ],
    )


def _first_of(row: dict[str, str] | None) -> str:
    if row is None:
        return ""
    return f"{row['id']} {row['detail']}".strip()[:60]


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


def _shared(split: SplitInspection) -> None:
    both = split.shared
    if both is None:
        return
    told = []
    if both.speakers:
        told.append(
            f"{len(both.speakers):,} speakers ({both.utterances_of_speakers:,} utterances here)"
        )
    if both.sentences:
        told.append(f"the sentences of {both.sentences:,} utterances")
    if both.recordings:
        told.append(f"the recordings of {both.recordings:,} utterances")
    if told:
        console.notice(f"{split.name} shares with training: {', '.join(told)}")


def _suspicious(split: SplitInspection) -> None:
    if not split.suspicions:
        listened = "" if split.scan is not None else " (the audio was not listened to)"
        console.say(f"No row looks wrong{listened}.")
        return
    rows = []
    for found in split.suspicions:
        named = [
            f"{split.corpus.ids[row]} {_bracketed(found.describe(row))}".strip()
            for row in found.rows[:_NAMED].tolist()
        ]
        rows.append([found.kind.title, f"{len(found):,}", "\n".join(named)])
    console.table("Rows that look wrong, the worst first", ["what", "rows", "as"], rows)


def _disagreement(split: SplitInspection) -> None:
    found = split.disagreement
    if found is None:
        return
    scores = found.evaluation.scores
    console.say(
        f"The model's word error rate on {len(found.rows):,} utterances: {scores.wer:.1%}; "
        f"{found.striking:,} disagree strikingly. The first:"
    )
    for position in found.order[:_NAMED].tolist():
        row = scores.per_utterance[position]
        console.say(f"  {row.id}")
        console.say(f"    transcript: {row.reference}")
        console.say(f"    heard:      {row.error or row.hypothesis or '(nothing)'}")


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
