"""``mynah data segment``: long recordings and their transcripts to utterances to train on."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser
from mynah.errors import UserError

_EPILOG = """\
A transcript lies beside its recording: NAME.txt, or with times NAME.stm, .ctm, .srt, .vtt,
.TextGrid. Without times a CTC model of the language aligns it.

examples:
  mynah data segment lecture.wav --model outputs/model --to utterances
  mynah data segment calls/ --model facebook/wav2vec2-base-960h --to utterances
  mynah data segment talks/ --text talks.stm --to utterances
  mynah train data.dataset_name=utterances data.eval_splits=null
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    parsed = parser().parse_args(arguments)
    return exit_status(lambda: _segment(parsed))


def _segment(parsed: argparse.Namespace) -> None:
    least, most = parsed.min_seconds, parsed.max_seconds
    if least >= most:
        raise UserError(
            f"Utterances of at least {least:g} s cannot have at most {most:g} s.",
            where=f"--min-seconds {least:g} --max-seconds {most:g}",
            fix="--min-seconds 1 --max-seconds 20",
        )
    from mynah.segmentation.aligning.aligned_text import Rules
    from mynah.segmentation.aligning.posteriors import PosteriorWindows
    from mynah.segmentation.cutting import Lengths
    from mynah.segmentation.pauses import PauseRule
    from mynah.segmentation.segment import SegmentationRequest, segment
    from mynah.segmentation.summary import check_kept

    request = SegmentationRequest(
        source=Path(parsed.source),
        to=Path(parsed.to),
        model=parsed.model,
        revision=parsed.revision,
        text=None if parsed.text is None else Path(parsed.text),
        tiers=tuple(parsed.tier),
        language=parsed.language,
        write_audio=parsed.write_audio,
        skip_missing=parsed.skip_missing,
        offline=parsed.offline,
        rules=Rules(
            least_score=parsed.min_score,
            lengths=Lengths(least, most),
            pause=PauseRule(parsed.min_pause, parsed.padding),
        ),
        windows=PosteriorWindows(seconds=parsed.window_seconds),
    )
    found = segment(request, Path.cwd())
    check_kept(found, request.to)


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = CommandParser(
        prog="mynah data segment",
        description="Cut long recordings with full transcripts into utterances to train on.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EPILOG,
    )
    add = made.add_argument
    add("source", metavar="AUDIO_OR_FOLDER", help="a recording, or a folder of recordings")
    add("--to", metavar="DIR", required=True, help="the folder to write")
    add(
        "--model",
        metavar="NAME",
        help="a CTC model that aligns: a checkpoint, or a name of the Hugging Face hub; not "
        "needed where the transcripts have times (it then scores them)",
    )
    add("--revision", metavar="NAME", help="branch, tag or commit of a hub model")
    add("--text", metavar="FILE", help="the transcript, where it does not lie beside the audio")
    add(
        "--tier",
        metavar="NAME",
        action="append",
        default=[],
        help="the tier of a TextGrid; several times: each is a speaker",
    )
    add("--language", metavar="CODE", default="", help="ISO 639-1 code to write beside each")
    add(
        "--min-score",
        type=_number(-math.inf, 0.0),
        default=-1.2,
        metavar="SCORE",
        help="reject utterances with a lower score: the mean log posterior of their worst "
        "second, 0 at best (default: %(default)s)",
    )
    for name, least, default, what in (
        ("min-seconds", 0.0, 1.0, "reject shorter utterances"),
        ("max-seconds", 0.0, 20.0, "make no longer utterances"),
        ("min-pause", 0.0, 0.2, "cut at no shorter pause"),
        ("padding", 0.0, 0.15, "of a pause, keep so much beside an utterance"),
        ("window-seconds", 1.0, 16.0, "what the model encodes at once, context not counted"),
    ):
        add(
            f"--{name}",
            type=_number(least, math.inf),
            default=default,
            metavar="SECONDS",
            help=f"{what} (default: %(default)s)",
        )
    add("--write-audio", action="store_true", help="write each utterance as a FLAC file")
    add("--skip-missing", action="store_true", help="pass over recordings without transcript")
    add("--offline", action="store_true", help="use nothing that is not on this machine")
    return made


def _number(least: float, most: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        found = float(text)
        if not least <= found <= most:
            raise argparse.ArgumentTypeError(f"{text} is not between {least:g} and {most:g}")
        return found

    return number
