"""``mynah lm``: n-grams of words from text, as a file that CTC models and transducers decode
with."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from mynah.cli.shared.exit_status import exit_status
from mynah.errors import UserError
from mynah.files import display_path

_COMMAND = "mynah lm"
_SHOWN_EVERY = 1_000_000  # lines


def main(arguments: Sequence[str]) -> int:
    """Estimate a language model.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    parsed = parser().parse_args(arguments)
    return exit_status(lambda: estimate_model(parsed.text, parsed.to, parsed.keep, parsed.case))


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = argparse.ArgumentParser(
        prog=_COMMAND,
        allow_abbrev=False,
        description="Estimate trigrams of words from text (interpolated Kneser-Ney, open "
        "vocabulary) and write them in the ARPA format. The text is read once, of any size: counts "
        "go to disk (TMPDIR). Write the text as transcripts are written: without punctuation, a "
        "sentence a line.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=(
            "examples:\n"
            "  mynah lm minutes.txt mails.txt --to domain.arpa\n"
            "  mynah lm corpus.txt --keep 1000000 --case lower --to large.arpa\n"
            "  mynah eval outputs/model model.language_model=domain.arpa\n"
        ),
    )
    made.add_argument("text", nargs="+", help="text files in UTF-8")
    made.add_argument(
        "--to", required=True, metavar="FILE", help="FILE.arpa to write; it must not be there yet"
    )
    made.add_argument(
        "--keep",
        type=int,
        default=300_000,
        metavar="N",
        help="bigrams and trigrams that are kept of each, the more frequent (default: 300000)",
    )
    made.add_argument(
        "--case", choices=("lower", "upper"), help="write all words in one letter case"
    )
    return made


def estimate_model(texts: Sequence[str], to: str, keep: int, case: str | None) -> Path:
    """Write the language model of texts.

    Args:
        texts: Text files in UTF-8, a sentence a line.
        to: The file to write, which ends with ``.arpa``.
        keep: Bigrams and trigrams that are kept, of each.
        case: ``lower`` or ``upper``, or None for the text's own.

    Returns:
        The file, complete where it is there.

    Raises:
        UserError: The file is there or has another ending, a text cannot be read, or the texts
            have no word.
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
    if keep < 1:
        raise UserError("At least one n-gram is kept.", where=f"--keep {keep}", fix="--keep 300000")
    paths = [Path(one).expanduser() for one in texts]
    for path in paths:
        if not path.is_file():
            raise UserError(
                f"There is no file {path}.", where="text", fix=f"{_COMMAND} FILE.txt --to {to}"
            )

    from mynah import console, files
    from mynah.models.fusion import text_ngrams

    model = text_ngrams.estimate_from_text(_shown(text_ngrams.lines(paths), case), keep=keep)
    target.parent.mkdir(parents=True, exist_ok=True)
    with files.staged(target) as beside:
        model.write(beside)
    counts = ", ".join(
        f"{sum(map(len, table.values())):,} {order}-grams"
        for order, table in enumerate(model.log10, start=1)
    )
    console.say(f"{display_path(target)}: {counts}")
    console.say(f"Next: mynah eval outputs/model model.language_model={display_path(target)}")
    return target


def _shown(lines: Iterator[str], case: str | None) -> Iterator[str]:
    """The lines in a letter case, how many were read said now and then."""
    from mynah import console
    from mynah.data.characters import lower

    for number, line in enumerate(lines, start=1):
        if number % _SHOWN_EVERY == 0:
            console.say(f"{number:,} lines read")
        yield line.upper() if case == "upper" else lower(line) if case == "lower" else line
