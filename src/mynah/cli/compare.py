"""``mynah compare A B …``: which of several systems is better, and whether it may be chance."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser
from mynah.errors import UserError
from mynah.files import display_path

_COMMAND = "mynah compare"
_NORMALIZERS = ("none", "basic", "whisper_basic", "whisper_english")
_EPILOG = """\
examples:
  mynah compare outputs/2026-11-22/14-03-11 outputs/2026-11-23/09-12-44
  mynah compare runs/a runs/b runs/c --split test
  mynah compare a.txt b.txt --reference ref.txt        hypotheses of any system, a line each
  mynah compare a.ctm b.ctm --reference ref.stm
"""


def main(arguments: Sequence[str]) -> int:
    """Compare what several systems recognized in the same utterances.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    parsed = parser().parse_args(arguments)
    return exit_status(lambda: _compare(parsed, arguments))


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = CommandParser(
        prog=_COMMAND,
        allow_abbrev=False,
        description="Compare systems on the same utterances: differences with intervals and "
        "p-values, paired, what was won and lost, which words and speakers account for it, and a "
        "page with the hypotheses side by side. All texts are scored again with one normaliser.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EPILOG,
    )
    add = made.add_argument
    add("systems", nargs="+", metavar="SYSTEM", help="a run's directory, or a file")
    add("--reference", metavar="FILE", help="the references, where files have hypotheses alone")
    add("--split", metavar="NAME", help="the split, where runs have several")
    add(
        "--normalizer",
        choices=_NORMALIZERS,
        help="the text normaliser (default: the first run's, else basic)",
    )
    add("--terms", metavar="FILE", help="words that matter, one a line: names, codes, products")
    add("--audio", metavar="FOLDER", help="recordings for the page, named as the utterances")
    add(
        "--players",
        type=int,
        default=50,
        metavar="N",
        help="how many utterances get a player (default: %(default)s)",
    )
    add(
        "--to",
        metavar="FILE.html",
        default="outputs/comparison/comparison.html",
        help="the page; its numbers go beside it as JSON (default: %(default)s)",
    )
    return made


def _compare(parsed: argparse.Namespace, arguments: Sequence[str]) -> None:
    if len(parsed.systems) < 2:
        raise UserError(
            "A comparison takes two systems or more.",
            where=f"{_COMMAND} {shlex.join(arguments)}",
            fix=f"{_COMMAND} {parsed.systems[0]} ANOTHER",
        )
    page = Path(parsed.to).expanduser().absolute()
    if page.suffix.lower() not in (".html", ".htm"):
        raise UserError(
            "The page is an HTML file.", where=f"--to {parsed.to}", fix=f"--to {parsed.to}.html"
        )

    from mynah import console
    from mynah.evaluation.comparing import files
    from mynah.evaluation.comparing.reading import read_system
    from mynah.evaluation.comparing.record import comparison_record
    from mynah.evaluation.comparing.recordings import find_recordings
    from mynah.evaluation.comparing.several import compare_systems
    from mynah.evaluation.comparing.terminal import show_comparison
    from mynah.evaluation.pages.comparison import comparison_page
    from mynah.evaluation.results import to_json
    from mynah.evaluation.terms.counts import none_is_said, read_terms, score_terms
    from mynah.evaluation.terms.shown import show_terms, terms_record
    from mynah.files import write_text

    here = Path.cwd()
    reference = None
    if parsed.reference is not None:
        reference = files.read_references(files.typed_file(here, parsed.reference))
    systems = [
        read_system(typed, here, split=parsed.split, reference=reference)
        for typed in parsed.systems
    ]
    folder = here / Path(parsed.audio).expanduser() if parsed.audio else None
    recordings = find_recordings(systems, folder)
    compared = compare_systems(systems, normalizer=parsed.normalizer)
    terms = None
    if parsed.terms is not None:
        first = compared.scores[0]
        name = first.normalizer.partition("@")[0]
        languages = {one.language for one in compared.systems[0].hypotheses}
        listed = read_terms(files.typed_file(here, parsed.terms), name, first.unit, languages)
        terms = [score_terms(scores, listed) for scores in compared.scores]
        if not terms[0].said:
            raise none_is_said(terms[0], "--terms")
    show_comparison(compared)
    if terms is not None:
        show_terms(dict(zip(compared.labels, terms, strict=True)))
    command = shlex.join([*_COMMAND.split(), *arguments])
    page.parent.mkdir(parents=True, exist_ok=True)
    record = page.with_suffix(".json")
    numbers = comparison_record(compared, command)
    if terms is not None:
        numbers["terms"] = [terms_record(one) for one in terms]
    write_text(record, [to_json(numbers, indent=2), "\n"])
    write_text(page, [comparison_page(compared, command, recordings, parsed.players)])
    console.say(f"Page: {display_path(page)}")
    console.say(f"Numbers: {display_path(record)}")
