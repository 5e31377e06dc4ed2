"""The page of an inspection: one HTML file, nothing beside it needed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from mynah.inspection.figures import show_rates
from mynah.inspection.inspect import Inspection, SplitInspection
from mynah.inspection.page.rows import disagreement_section, sample_section, suspicious_section
from mynah.inspection.page.split import left_out_section, plots_section, split_groups_section
from mynah.inspection.page.words import words_section
from mynah.inspection.suspicions import Suspicion
from mynah.pages.clips import MAX_BYTES, ClipBudget
from mynah.pages.document import Section, document, resource
from mynah.pages.markup import Markup, join, tag

# Of the room that a page has for recordings.
_SAMPLE_SHARE, _DISAGREEMENT_SHARE = 0.15, 0.35


def inspection_page(
    inspection: Inspection, *, created: datetime, command: str, record: str, threads: int
) -> str:
    """The page as text.

    Args:
        inspection: What was found.
        created: When, UTC.
        command: How it is made again.
        record: Name of the file with all numbers beside the page.
        threads: How many recordings are read at once.
    """
    splits = list(inspection.splits.values())
    sections = [Section("At a glance", "glance", _glance(inspection))]
    room = MAX_BYTES // len(splits)
    for number, split in enumerate(splits):
        sections.append(
            Section(split.name, f"split{number}", _split(split, number, room, record, threads))
        )
    sections.append(Section("About this page", "about", _about(inspection, command, record)))
    hours = sum(float(split.rows.durations.sum()) for split in splits) / 3600
    return document(
        title=f"Mynah: {inspection.name}, {hours:,.1f} hours",
        heading=inspection.name,
        created=created,
        about=[" · what is in the corpus, and what looks wrong"],
        sections=sections,
        style=resource("mynah.inspection.page", "inspection_page.css"),
        script=resource("mynah.inspection.page", "inspection_page.js"),
    )


def _glance(inspection: Inspection) -> Markup:
    splits = list(inspection.splits.values())
    return join(
        [
            tag(
                "div", [_card(split, f"split{n}") for n, split in enumerate(splits)], class_="cards"
            ),
            _statement(inspection),
        ]
    )


def _statement(inspection: Inspection) -> Markup | None:
    statement = inspection.report.get("statement")
    text = statement.get("text") if isinstance(statement, dict) else statement
    return tag("p", text, class_="statement") if text else None


def _card(split: SplitInspection, anchor: str) -> Markup:
    rows, words = split.rows, split.vocabulary
    seconds = rows.durations
    speakers = len(rows.speakers.known)
    facts = [
        ("utterances", f"{len(rows):,}"),
        ("speakers", f"{speakers:,}" if speakers else "not known"),
        ("words", f"{words.running_words:,}"),
        ("different words", f"{len(words.words):,}"),
        ("different transcripts", f"{len(np.unique(rows.texts.keys)):,}"),
        ("longest", f"{seconds.max():.1f} s" if len(seconds) else "–"),
    ]
    if split.file_rates:
        facts.append(("files", show_rates(split.file_rates)))
    alerts = _alerts(split, anchor)
    return tag(
        "article",
        tag("h3", tag("a", split.name, href=f"#{anchor}")),
        tag("p", f"{seconds.sum() / 3600:,.2f}", tag("small", " hours"), class_="big"),
        tag(
            "dl",
            [tag("div", tag("dt", name), tag("dd", value)) for name, value in facts],
            class_="facts",
        ),
        tag("ul", [tag("li", alert) for alert in alerts], class_="alerts")
        if alerts
        else tag("p", "Nothing looks wrong.", class_="quiet"),
        class_="card",
    )


def _fact(name: str, value: str) -> Markup:
    return tag("div", tag("dt", name), tag("dd", value))


def _alerts(split: SplitInspection, anchor: str) -> list[Markup]:
    """What to look at first."""
    alerts: list[list[object]] = []
    total = len(split.rows)
    left_out = sum(split.account.get("dropped", {}).values())
    if left_out:
        link = tag("a", f"{left_out:,} rows", href=f"#{anchor}-left-out")
        alerts.append([link, " left out by preparation"])
    if split.suspicions:
        rows = len(split.suspicious_rows)
        kinds = ", ".join(f"{len(one):,} {one.kind.title}" for one in _largest(split))
        link = tag("a", f"{rows:,} rows", href=f"#{anchor}-suspicious")
        alerts.append([link, f" look wrong ({rows / total:.1%}): {kinds}"])
    if split.unseen is not None and split.unseen.words:
        link = tag("a", f"{split.unseen.running:.1%} of the words", href=f"#{anchor}-words")
        alerts.append([link, " never in training"])
    if split.shared is not None:
        alerts += [[f"{one} also in training"] for one in split.shared.described()]
    if split.disagreement is not None:
        found = split.disagreement
        link = tag("a", f"{found.striking:,} rows", href=f"#{anchor}-disagreement")
        scores = found.evaluation.scores
        rate = f"{scores.unit.label} {scores.error_rate:.1%} in all"
        alerts.append([link, f" the model recognizes otherwise ({rate})"])
    return [join(alert) for alert in alerts]


def _largest(split: SplitInspection) -> list[Suspicion]:
    return sorted(split.suspicions, key=lambda one: -len(one))[:3]


def _split(split: SplitInspection, number: int, room: int, record: str, threads: int) -> Markup:
    anchor = f"split{number}"
    sample = ClipBudget(round(_SAMPLE_SHARE * room))
    share = _DISAGREEMENT_SHARE if split.disagreement is not None else 0.0
    suspicious = ClipBudget(round((1 - _SAMPLE_SHARE - share) * room))
    parts: list[tuple[str, str, Markup | None]] = [
        ("In numbers", "numbers", plots_section(split)),
        ("Left out by preparation", "left-out", left_out_section(split, record)),
    ]
    for title, table in split_groups_section(split):
        parts.append((title, title.lower().replace(" ", "-"), table))
    parts.append(("Words and characters", "words", words_section(split)))
    parts.append(
        (
            "Rows that look wrong",
            "suspicious",
            suspicious_section(split, anchor, suspicious, record, threads)
            or tag("p", "None." if split.scan else "None; the audio was not listened to."),
        )
    )
    if split.disagreement is not None:
        body = disagreement_section(
            split, split.disagreement, ClipBudget(round(share * room)), record, threads
        )
        parts.append(("Where the model disagrees", "disagreement", body))
    parts.append(("A sample", "sample", sample_section(split, sample, threads)))
    return join(
        [
            [tag("h3", title, id=f"{anchor}-{name}"), body]
            for title, name, body in parts
            if body is not None
        ]
    )


def _about(inspection: Inspection, command: str, record: str) -> Markup:
    lines = _method(inspection, record)
    return join(
        [
            tag("ul", [tag("li", line) for line in lines]),
            tag("h3", "Make it again"),
            tag("pre", tag("code", command), tabindex="0"),
            tag("h3", "Fingerprints"),
            tag(
                "dl",
                [
                    [tag("dt", split.name), tag("dd", tag("code", split.corpus.fingerprint))]
                    for split in inspection.splits.values()
                ],
            ),
        ]
    )


def _method(inspection: Inspection, record: str) -> Sequence[str]:
    scanned = [split for split in inspection.splits.values() if split.scan is not None]
    lines = [
        f"All numbers, and the rows by kind, are in {record} beside this page.",
        "The splits are as a training would have them: after the transcript policy and the "
        "filters of data.*; what those left out is listed.",
        "Words are counted without case and punctuation (text normaliser basic); characters as "
        "the transcripts have them.",
    ]
    if not scanned:
        lines.append("The audio was not listened to (--no-audio).")
    elif inspection.sample is not None:
        listened = ", ".join(f"{len(s.scan):,} of {s.name}" for s in scanned if s.scan is not None)
        lines.append(
            f"Of the audio a sample was listened to, taken evenly: {listened}. Counts of what the "
            "audio tells are of that sample; all others are of every row."
        )
    if inspection.checkpoint is not None:
        lines.append(f"The model: {inspection.checkpoint}")
    return lines
