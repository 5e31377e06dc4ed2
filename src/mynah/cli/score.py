"""``mynah score REF HYP``: error rates of any system's transcripts, from two files."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mynah.cli.shared.exit_status import exit_status

_COMMAND = "mynah score"
_NORMALIZERS = ("none", "basic", "whisper_basic", "whisper_english")
_EPILOG = """\
Files: text with a transcript a line, .trn, .jsonl with id and text, or .stm with .ctm.

examples:
  mynah score ref.txt hyp.txt
  mynah score ref.trn hyp.trn --normalizer none
  mynah score ref.stm hyp.ctm --json
  mynah score ref.txt hyp.txt --terms products.txt
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
    made = argparse.ArgumentParser(
        prog=_COMMAND,
        allow_abbrev=False,
        description="Error rates with their intervals of the transcripts of any system.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EPILOG,
    )
    add = made.add_argument
    add("reference", metavar="REF", help="the references")
    add("hypothesis", metavar="HYP", help="the hypotheses")
    add(
        "--normalizer",
        choices=_NORMALIZERS,
        default="basic",
        help="the text normaliser (default: %(default)s)",
    )
    add("--metrics", metavar="A,B", help="the metrics (default: wer,cer, or mer,cer)")
    add("--terms", metavar="FILE", help="words that matter, one a line: names, codes, products")
    add("--json", action="store_true", help="all numbers, for programs")
    add("--confusions", type=int, default=10, metavar="N", help="how many are shown (default: 10)")
    return made


def _score(parsed: argparse.Namespace) -> None:
    from mynah.evaluation.comparing import files
    from mynah.evaluation.comparing.record import oddities_record
    from mynah.evaluation.comparing.terminal import show_scores
    from mynah.evaluation.metrics.choice import Choice
    from mynah.evaluation.results import scoring_versions, to_json
    from mynah.evaluation.score import score
    from mynah.evaluation.terms.counts import read_terms, score_terms
    from mynah.evaluation.terms.shown import show_terms, terms_record

    here = Path.cwd()
    reference, hypothesis = (
        files.read_transcripts(files.there(here, typed))
        for typed in (parsed.reference, parsed.hypothesis)
    )
    system = files.joined(reference, hypothesis, parsed.hypothesis)
    choice = Choice(tuple(parsed.metrics.split(",")) if parsed.metrics else None)
    choice.check()
    scores = score(
        system.hypotheses,
        normalizer=parsed.normalizer,
        bootstrap_samples=1000,
        bootstrap_seed=0,
        choice=choice,
    )
    terms = None
    if parsed.terms is not None:
        listed = read_terms(files.there(here, parsed.terms), parsed.normalizer, scores.unit)
        terms = score_terms(scores, listed)
    if parsed.json:
        found = {
            "normalizer": scores.normalizer,
            **scores.summary(),
            "wrong_in_kind": oddities_record(scores.per_utterance),
        }
        if terms is not None:
            found["terms"] = terms_record(terms)
        print(to_json(found | {"versions": scoring_versions()}, indent=2))
        return
    show_scores(scores, system.name, parsed.confusions)
    if terms is not None:
        show_terms({system.name: terms})
