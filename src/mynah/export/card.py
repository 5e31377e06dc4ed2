"""What an export says of itself: where it comes from, and what was proven of it."""

from __future__ import annotations

import datetime
import importlib.metadata
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mynah import files
from mynah.evaluation.intervals.interval import says_something
from mynah.export.proof import ComparedTexts

FILE, CARD = "export.json", "README.md"


@dataclass
class Proof:
    """What was found out about an export.

    Attributes:
        target: The layout.
        dtype: What its weights are stored in.
        source: The model, as it was named.
        data: What it was proven on, in words.
        decoding: How the measured transcripts were found, in words.
        normalizer: ``name@version``.
        graph: How many transcripts of the graph are the same on the same features, of how many;
            None where the layout's programs take no features.
        plain: Greedy at the native window beside what was measured.
        programs: Each program beside what was measured; of ``CHECKED`` the first proof, the
            others are shown.
        bytes: Size of all its files.
        approximate: Why the programs come only near to what was measured, "" where they do not.
    """

    target: str
    dtype: str
    source: str
    data: str
    decoding: str
    normalizer: str = ""
    graph: tuple[int, int] | None = None
    plain: ComparedTexts | None = None
    programs: list[ComparedTexts] = field(default_factory=list)
    bytes: int = 0
    approximate: str = ""

    @property
    def rows(self) -> list[ComparedTexts]:
        """All that was compared, in the order in which it is shown."""
        return [*([self.plain] if self.plain else []), *self.programs]


CARD_COLUMNS = ("run by", "equal", "measured", "here", "difference", "seconds", "× real time")


def table_rows(proof: Proof) -> list[list[str]]:
    """The comparisons as cells, under :data:`CARD_COLUMNS`."""
    rows = []
    for one in proof.rows:
        found = one.difference
        ends = ""
        if says_something(found.interval.low, found.interval.high):
            ends = f" [{100 * found.interval.low:+.2f}, {100 * found.interval.high:+.2f}]"
        rows.append(
            [
                one.name,
                f"{one.equal}/{one.utterances}",
                f"{100 * found.before:.2f}",
                f"{100 * found.after:.2f}",
                f"{100 * found.value:+.2f}{ends}",
                f"{one.seconds:.1f}",
                "–" if math.isnan(one.speed) else f"{one.speed:.1f}",
            ]
        )
    return rows


def write(folder: Path, proof: Proof, packages: Sequence[str], usage: str) -> None:
    """Write ``export.json`` and ``README.md`` into an export.

    Args:
        folder: The export.
        proof: What was proven.
        packages: What it was proven with; their versions are written.
        usage: Code that opens it.
    """
    versions = _versions(packages)
    files.write_json(folder / FILE, _content(proof, versions), indent=2)
    files.write_text(folder / CARD, _card(proof, versions, usage))


def _versions(packages: Sequence[str]) -> dict[str, str]:
    return {
        name: importlib.metadata.version(name) for name in ("mynah-asr", *sorted(set(packages)))
    }


def _content(proof: Proof, versions: Mapping[str, str]) -> dict[str, Any]:
    graph = None
    if proof.graph is not None:
        graph = {"equal": proof.graph[0], "utterances": proof.graph[1]}
    return {
        "target": proof.target,
        "dtype": proof.dtype,
        "source": proof.source,
        "proven_on": proof.data,
        "decoding": proof.decoding,
        "normalizer": proof.normalizer,
        "same_features": graph,
        "approximate": proof.approximate,
        "compared": [one.numbers for one in proof.rows],
        "bytes": proof.bytes,
        "versions": dict(versions),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def _card(proof: Proof, versions: Mapping[str, str], usage: str) -> str:
    metric = proof.rows[0].difference.metric.column if proof.rows else "WER %"
    lines = [
        f"# A recognizer for {proof.target}",
        "",
        f"Written by Mynah from `{proof.source}`, weights in {proof.dtype}, "
        f"{proof.bytes / 1e6:.0f} MB.",
        "",
        "```python",
        usage.strip(),
        "```",
        "",
        "## What was proven",
        "",
        f"On {proof.data}. Measured: {proof.decoding}; text normaliser {proof.normalizer}.",
        "",
    ]
    if proof.approximate:
        lines += [f"Approximate: {proof.approximate}.", ""]
    if proof.graph is not None:
        lines += [
            f"The same features into both graphs: {proof.graph[0]} of {proof.graph[1]} transcripts "
            "are equal.",
            "",
        ]
    lines += [
        f"| run by | equal transcripts | {metric} measured | {metric} here | "
        "difference, 95 % interval | seconds | × real time |",
        "|---|---|---|---|---|---|---|",
        *("| " + " | ".join(row) + " |" for row in table_rows(proof)),
        "",
        "Versions: " + ", ".join(f"{name} {one}" for name, one in versions.items()) + ".",
        "",
    ]
    return "\n".join(lines)
