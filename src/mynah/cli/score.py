"""``mynah score REF HYP``: error rates of any system's transcripts, and where errors are."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser

if TYPE_CHECKING:
    from mynah.evaluation.comparing.system import System

_COMMAND = "mynah score"
_DEFAULT_NORMALIZER = "basic"
_NORMALIZERS = ("none", "basic", "whisper_basic", "whisper_english")
_EPILOG = """\
Files: text with a transcript a line, .trn, .jsonl with id and text, or .stm with .ctm; a manifest
of the Open ASR Leaderboard (.jsonl with text and pred_text) or a run has both texts.

examples:
  mynah score ref.txt hyp.txt
  mynah score ref.trn hyp.trn --normalizer none
  mynah score ref.stm hyp.ctm --json
  mynah score ref.txt hyp.txt --terms products.txt --vocabulary train.txt
  mynah score outputs/2026-11-22/14-03-11 --write sclite
"""


def main(arguments: Sequence[str]) -> int:
    """Score a file of hypotheses against a file of references.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    parsed = parser().parse_args(arguments)
    return exit_status(lambda: _score(parsed))


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = CommandParser(
        prog=_COMMAND,
        allow_abbrev=False,
        description="Error rates with their intervals of the transcripts of any system.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EPILOG,
    )
    add = made.add_argument
    add("reference", metavar="REF", help="the references; or a run, or a manifest with both texts")
    add("hypothesis", metavar="HYP", nargs="?", help="the hypotheses")
    add("--split", metavar="NAME", help="the split, where a run has several")
    add(
        "--normalizer",
        choices=_NORMALIZERS,
        help=f"the text normaliser (default: the run's, else {_DEFAULT_NORMALIZER})",
    )
    add("--metrics", metavar="A,B", help="the metrics (default: wer,cer, or mer,cer)")
    add("--terms", metavar="FILE", help="words that matter, one a line: names, codes, products")
    add("--vocabulary", metavar="FILE", help="text of the training: words it never had, apart")
    add("--write", metavar="FOLDER", help="write sclite's trn, stm and ctm, and a manifest")
    add("--json", action="store_true", help="all numbers, for programs")
    add("--confusions", type=int, default=10, metavar="N", help="how many are shown (default: 10)")
    return made


def _score(parsed: argparse.Namespace) -> None:
    from mynah import console
    from mynah.evaluation.comparing import files
    from mynah.evaluation.comparing.terminal import show_scores
    from mynah.evaluation.comparing.written import write_system
    from mynah.evaluation.findings.findings import findings, findings_record
    from mynah.evaluation.findings.shown import show_findings
    from mynah.evaluation.findings.training_words import read_training_text
    from mynah.evaluation.metrics.choice import Choice
    from mynah.evaluation.normalize import get_normalizer
    from mynah.evaluation.results import scoring_versions, to_json
    from mynah.evaluation.score import score
    from mynah.evaluation.terms.counts import none_is_said, read_terms
    from mynah.files import display_path

    here = Path.cwd()
    system = _system(parsed, here)
    choice = Choice(tuple(parsed.metrics.split(",")) if parsed.metrics else None)
    choice.check()
    normalizer = parsed.normalizer or system.normalizer or _DEFAULT_NORMALIZER
    scores = score(
        system.hypotheses,
        normalizer=normalizer,
        bootstrap_samples=1000,
        bootstrap_seed=0,
        choice=choice,
    )
    terms = words = None
    if parsed.terms is not None:
        languages = {one.language for one in system.hypotheses}
        terms = read_terms(files.typed_file(here, parsed.terms), normalizer, scores.unit, languages)
    if parsed.vocabulary is not None:
        file = files.typed_file(here, parsed.vocabulary)
        words = read_training_text(file, get_normalizer(normalizer))
    found = findings(system.hypotheses, scores, trained_on=words, terms=terms)
    if found.terms is not None and not found.terms.said:
        raise none_is_said(found.terms, "--terms")
    if parsed.json:
        numbers = {"normalizer": scores.normalizer, **scores.summary(), **findings_record(found)}
        numbers["not_scored"] = list(system.not_scored)
        print(to_json(numbers | {"versions": scoring_versions()}, indent=2))
    else:
        for note in system.not_scored:
            console.notice(note)
        show_scores(scores, system.name, parsed.confusions)
        show_findings({system.name: found})
    if parsed.write is not None:
        written = write_system(here / Path(parsed.write).expanduser(), system, normalizer)
        if not parsed.json:
            console.say(f"Written: {', '.join(display_path(file) for file in written)}")


def _system(parsed: argparse.Namespace, here: Path) -> System:
    """What is scored: two files joined, or a run or manifest that has both texts."""
    from mynah.evaluation.comparing import files
    from mynah.evaluation.comparing.reading import read_system

    if parsed.hypothesis is None:
        return read_system(
            parsed.reference,
            here,
            split=parsed.split,
            add_reference=f"{_COMMAND} REF {shlex.quote(parsed.reference)}",
        )
    reference = files.read_references(files.typed_file(here, parsed.reference))
    hypothesis = files.read_hypotheses(files.typed_file(here, parsed.hypothesis))
    return files.with_references(reference, hypothesis, parsed.hypothesis)
