"""``mynah export MODEL --to LAYOUT``: a model for other programs, with proof."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import math
import shlex
from collections.abc import Sequence

from mynah.cli.shared.adapters import checkpoint_as_typed
from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser

_COMMAND = "mynah export"
_LAYOUTS = ("ctranslate2", "ggml", "onnx", "sherpa-onnx", "safetensors", "lora")


def main(arguments: Sequence[str]) -> int:
    """Export one model.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    parsed = parser().parse_intermixed_args(arguments)
    return exit_status(lambda: _export(parsed))


def parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog=_COMMAND,
        allow_abbrev=False,
        description="Write a model in the layout of other programs, and prove that it says the "
        "same there: the same features into both graphs, then recordings into the programs "
        "themselves. What is worse is refused.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=(
            "examples:\n"
            "  mynah export outputs/model --to ctranslate2 --output exported    faster-whisper\n"
            "  mynah export outputs/model --to ggml --output exported           whisper.cpp\n"
            "  mynah export outputs/model --to onnx --output exported           a CTC model\n"
            "  mynah export outputs/model --to onnx --output exported calls/    proven on calls/\n"
        ),
    )
    parser.add_argument(
        "model", help="a checkpoint, a run's directory, a folder of transformers, or a hub name"
    )
    parser.add_argument(
        "settings",
        nargs="*",
        metavar="CORPUS | KEY=VALUE",
        help="what it is proven on and measured with, as of mynah eval (default: its own)",
    )
    parser.add_argument("--to", required=True, choices=_LAYOUTS, help="the layout")
    parser.add_argument(
        "--output", required=True, metavar="DIR", help="the folder to write; not there yet"
    )
    parser.add_argument(
        "--dtype", help="what weights are stored in (ctranslate2: float32, float16, int8)"
    )
    parser.add_argument(
        "--utterances", type=_count, default=100, help="how many it is proven on (default: 100)"
    )
    parser.add_argument(
        "--tolerance",
        type=_points,
        default=0.5,
        metavar="POINTS",
        help="points of error rate that a program may be worse by (default: 0.5)",
    )
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 2:
        raise argparse.ArgumentTypeError("a whole number, and at least 2 are compared")
    return int(text)


def _points(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 <= float(text) < math.inf:
            return float(text)
    raise argparse.ArgumentTypeError("points of error rate, 0 or more")


def _export(parsed: argparse.Namespace) -> None:
    from mynah.cli.shared.settings import read_settings

    typed = [_COMMAND, shlex.quote(parsed.model), "--to", parsed.to, "--output"]
    command = " ".join([*typed, shlex.quote(parsed.output)])
    composed = read_settings(parsed.settings, command, trains=False)
    config = dataclasses.replace(composed.config, eval_checkpoint=parsed.model)

    from mynah.export.exporting import export, request_of, show_proof
    from mynah.export.targets import chosen

    target = chosen(parsed.to)
    behind = [f" --to {parsed.to} --output {shlex.quote(parsed.output)}"]
    behind += [shlex.quote(one) for one in parsed.settings]
    where = f"{_COMMAND} {shlex.quote(parsed.model)}"
    with checkpoint_as_typed(where, f"{_COMMAND} ", " ".join(behind)):
        request = request_of(
            parsed.model,
            parsed.output,
            target,
            parsed.dtype,
            parsed.utterances,
            config,
            composed.origins,
            parsed.tolerance / 100,
        )
    show_proof(export(request, target), request.folder)
