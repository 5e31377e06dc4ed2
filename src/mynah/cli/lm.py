"""``mynah lm``: n-grams of words from text, as a file that CTC models and transducers decode
with."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser
from mynah.errors import UserError
from mynah.files import display_path

if TYPE_CHECKING:
    from mynah.models.fusion.kneser_ney import Limits
    from mynah.models.fusion.smoothing import Discounts

_COMMAND = "mynah lm"
_HIGHEST = 6  # words of an n-gram
_SHOWN_EVERY = 1_000_000  # lines


def main(arguments: Sequence[str]) -> int:
    """Estimate a language model.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    parsed = parser().parse_args(arguments)
    return exit_status(
        lambda: estimate_model(parsed.text, parsed.to, limits_of(parsed), parsed.case)
    )


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = CommandParser(
        prog=_COMMAND,
        allow_abbrev=False,
        description="Estimate n-grams of words from text (interpolated modified Kneser-Ney, open "
        "vocabulary) and write them in the ARPA format. The text is read once, of any size: counts "
        "go to disk (TMPDIR), and memory holds a part of them, all different words and what is "
        "kept. Write the text as transcripts are written: without punctuation, a sentence a line.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=(
            "examples:\n"
            "  mynah lm minutes.txt mails.txt --to domain.arpa\n"
            "  mynah lm corpus.txt --order 4 --prune 0 0 1 --case lower --to large.arpa\n"
            "  mynah eval outputs/model model.language_model=domain.arpa\n"
        ),
    )
    made.add_argument("text", nargs="+", help="text files in UTF-8, plain or .gz")
    made.add_argument(
        "--to", required=True, metavar="FILE", help="FILE.arpa to write; it must not be there yet"
    )
    made.add_argument(
        "--order",
        type=int,
        default=3,
        metavar="N",
        help=f"words of the longest n-grams, 2 to {_HIGHEST} (default: 3)",
    )
    made.add_argument(
        "--prune",
        type=int,
        nargs="+",
        default=[0],
        metavar="N",
        help="leave out n-grams that came N times or less: a number for each order, the last one "
        "for those above it too, as KenLM's lmplz has it (default: 0, none)",
    )
    made.add_argument(
        "--keep",
        type=int,
        default=300_000,
        metavar="N",
        help="n-grams that are kept of each order above the first, the more frequent "
        "(default: 300000)",
    )
    made.add_argument(
        "--words",
        type=int,
        default=300_000,
        metavar="N",
        help="words that are kept, the more frequent (default: 300000)",
    )
    made.add_argument(
        "--case", choices=("lower", "upper"), help="write all words in one letter case"
    )
    return made


def limits_of(parsed: argparse.Namespace) -> Limits:
    """What is estimated and kept.

    Raises:
        UserError: A number is out of its range.
    """
    prune: list[int] = parsed.prune
    if not 2 <= parsed.order <= _HIGHEST:
        raise UserError(
            f"N-grams have 2 to {_HIGHEST} words.", where=f"--order {parsed.order}", fix="--order 3"
        )
    for name in ("keep", "words"):
        if getattr(parsed, name) < 1:
            raise UserError(
                "At least one is kept.",
                where=f"--{name} {getattr(parsed, name)}",
                fix=f"--{name} 300000",
            )
    if prune != sorted(prune) or prune[0] < 0 or len(prune) > parsed.order:
        raise UserError(
            "Thresholds are 0 or more, one for each order at most, and none is lower than the one "
            "before it: an n-gram needs its parts.",
            where=f"--prune {' '.join(map(str, prune))}",
            fix=f"--prune {' '.join(map(str, sorted(map(abs, prune))[: parsed.order]))}",
        )
    from mynah.models.fusion.kneser_ney import Limits

    return Limits(parsed.order, parsed.keep, parsed.words, tuple(prune))


def estimate_model(texts: Sequence[str], to: str, limits: Limits, case: str | None) -> Path:
    """Write the language model of texts.

    Args:
        texts: Text files in UTF-8, a sentence a line.
        to: The file to write, which ends with ``.arpa``.
        limits: The order, and what is kept.
        case: ``lower`` or ``upper``, or None for the text's own.

    Returns:
        The file, complete where it is there.

    Raises:
        UserError: The file is there or has another ending, a text cannot be read, the texts have
            no word, or the disk is full.
    """
    target = Path(to).expanduser()
    if target.suffix != ".arpa":
        raise UserError(
            "A language model's file ends with .arpa.",
            where=f"--to {to}",
            fix=f"--to {display_path(target.with_name(f'{target.stem}.arpa'))}",
        )
    if target.exists():
        raise UserError(
            "There is something of that name already, and nothing is overwritten.",
            where=f"--to {to}",
            fix=f"--to {display_path(target.with_name(f'{target.stem}-new.arpa'))}",
        )
    paths = [Path(one).expanduser() for one in texts]
    for path in paths:
        if not path.is_file():
            raise UserError(
                f"There is no file {path}.", where="text", fix=f"{_COMMAND} FILE.txt --to {to}"
            )

    from mynah import console, files
    from mynah.models.fusion import kneser_ney, text_ngrams

    files.remove_left(target)
    model = kneser_ney.estimate_ngrams(
        _shown(text_ngrams.lines(paths), case), limits, report=_say_discounts, where="text"
    )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with files.staged(target) as beside:
            model.write(beside)
    except OSError as error:
        raise UserError(
            f"The language model cannot be written: {error.strerror or error}.",
            where=f"--to {to}",
            fix="free some space there, or name another place with --to",
        ) from error
    counts = ", ".join(
        f"{sum(map(len, table.values())):,} {order}-grams"
        for order, table in enumerate(model.log10, start=1)
    )
    console.say(f"{display_path(target)}: {counts}")
    console.say(f"Next: mynah eval outputs/model model.language_model={display_path(target)}")
    return target


def _say_discounts(orders: Sequence[Discounts]) -> None:
    """Say what is taken from counts, and where it is the same for all."""
    from mynah import console

    for size, discounts in enumerate(orders, start=2):
        if not discounts.by_count:
            console.notice(
                f"The text has too few {size}-grams for a discount for each count: "
                f"{discounts.amounts[0]:.2f} is taken from every count."
            )


def _shown(lines: Iterator[str], case: str | None) -> Iterator[str]:
    """The lines in a letter case, how many were read said now and then."""
    from mynah import console
    from mynah.data.characters import lower

    for number, line in enumerate(lines, start=1):
        if number % _SHOWN_EVERY == 0:
            console.say(f"{number:,} lines read")
        yield line.upper() if case == "upper" else lower(line) if case == "lower" else line
