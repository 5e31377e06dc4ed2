"""What an evaluation leaves behind: ``results.json``, ``utterances.jsonl``, ``report.html``."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah.evaluation import results
from mynah.evaluation.evaluate import Evaluation
from mynah.evaluation.findings.findings import Findings, findings
from mynah.evaluation.pages.page import evaluation_page
from mynah.evaluation.summary import console_summary
from mynah.files import write_text

if TYPE_CHECKING:
    from mynah.data.corpus import Corpus
    from mynah.evaluation.baseline.change import Changes

__all__ = ["Evaluation", "console_summary", "write_evaluation"]


def write_evaluation(
    directory: Path,
    evaluations: Mapping[str, Evaluation],
    *,
    history: Sequence[Mapping[str, Any]],
    about: Mapping[str, Any],
    corpora: Mapping[str, Corpus],
    worst: int = 50,
    changed: Changes | None = None,
    found: Mapping[str, Findings] | None = None,
) -> Path:
    """Write the three files, each complete or not at all.

    Args:
        directory: Where they go; made if it is missing.
        evaluations: At least one, by the name that the page calls it.
        history: The training's log, entries with ``step``; empty where nothing was trained.
        about: What else one needs to know: ``statement`` on the corpus (text, a list or a
            mapping), ``command`` to measure again, ``config`` as YAML, ``checkpoint``,
            ``data``, ``model``, ``versions``; any other key is shown as it is.
        corpora: The corpora by the same names, for the recordings; one may be missing.
        worst: Utterances of each split that get a player, the worst first.
        changed: What tuning changed, where the base was measured.
        found: What else is found in each; None: it is looked for, without a training's words and
            without terms.

    Returns:
        The page, ``report.html``.
    """
    if not evaluations:
        raise ValueError("There is no evaluation to report")
    about = with_command(about)
    directory.mkdir(parents=True, exist_ok=True)
    created = datetime.now(UTC)
    if found is None:
        found = {name: findings(one.hypotheses, one.scores) for name, one in evaluations.items()}
    content = results.results(
        evaluations, found, history=history, about=about, created=created, changed=changed
    )
    write_text(directory / "results.json", [results.to_json(content, indent=2), "\n"])
    lines = (results.to_json(record) + "\n" for record in results.utterance_records(evaluations))
    write_text(directory / "utterances.jsonl", lines)
    text = evaluation_page(
        evaluations,
        found,
        history=history,
        about=about,
        corpora=corpora,
        worst=worst,
        created=created,
        changed=changed,
    )
    report = directory / "report.html"
    write_text(report, [text])
    return report


def with_command(about: Mapping[str, Any]) -> dict[str, Any]:
    """``about`` with the command that measures its ``checkpoint``, unless it has one."""
    if about.get("command") or not about.get("checkpoint"):
        return dict(about)
    typed = shlex.quote(f"eval_checkpoint={about['checkpoint']}")
    return {**about, "command": f"mynah eval {typed}"}
