"""The page's comparison with the untuned base: rates, and texts side by side."""

from __future__ import annotations

from mynah.evaluation.baseline.change import Changes, SetChange
from mynah.evaluation.baseline.table import COLUMNS, change_rows, claims
from mynah.pages import tables
from mynah.pages.markup import Markup, join, tag

_LISTED = 200  # utterances of a set on the page; all are in results.json


def before_after_section(found: Changes | None) -> Markup | None:
    """Base and tuned model beside each other; None where no base was measured."""
    if found is None:
        return None
    rows = [
        tag("tr", tag("th", first, scope="row"), [tag("td", cell) for cell in cells])
        for first, *cells in change_rows(found)
    ]
    heads = [tag("th", column, scope="col") for column in COLUMNS]
    first = found.sets[0].as_scored.first
    return join(
        [
            tag(
                "p",
                f"{found.before.base} untuned ({found.before.decoding}), and tuned, on the same "
                f"utterances. Differences with their 95 % intervals ({first.interval.method}); "
                f"p-values: {first.test}. Won and lost: utterances with fewer and with more "
                "errors than before.",
                class_="quiet",
            ),
            tables.plain(heads, rows, label="Before and after"),
            tag("ul", [tag("li", line) for line in claims(found)], class_="statement"),
            [_texts(one) for one in found.sets],
        ]
    )


def _texts(one: SetChange) -> Markup:
    """Reference, base and tuned model side by side, what changed most first."""
    rates = one.fairest
    pairs = list(zip(rates.before.per_utterance, rates.after.per_utterance, strict=True))
    order = sorted(
        range(len(pairs)),
        key=lambda row: (-abs(pairs[row][1].errors - pairs[row][0].errors), row),
    )
    listed = order[:_LISTED]
    headings = [
        tables.Heading("utterance", text=True),
        tables.Heading("reference", text=True),
        tables.Heading("base", text=True),
        tables.Heading("tuned", text=True),
        tables.Heading("errors before"),
        tables.Heading("errors after"),
        tables.Heading("change", title="errors after less errors before"),
    ]
    rows = []
    for row in listed:
        old, new = pairs[row]
        change = new.errors - old.errors
        rows.append(
            [
                old.id,
                one.base[row].reference,
                one.base[row].text or "(nothing)",
                one.tuned[row].text or "(nothing)",
                tables.Cell(f"{old.errors}", old.errors),
                tables.Cell(f"{new.errors}", new.errors),
                tables.Cell(f"{change:+d}" if change else "0", change),
            ]
        )
    name = f"guard {one.name}" if one.guard else one.name
    more = (
        f"The {len(listed):,} of {len(order):,} utterances that changed most; all are in "
        "results.json."
        if len(listed) < len(order)
        else f"All {len(order):,} utterances, those that changed most first."
    )
    label = f"Before and after: {name}"
    return join(
        [
            tag("h3", f"Reference, base and tuned: {name}"),
            tag("p", f"{more} Errors under {rates.normalizer}.", class_="quiet"),
            tables.sortable(headings, rows, label=label, searched=True),
        ]
    )
