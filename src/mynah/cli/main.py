"""The ``mynah`` command: train, eval, merge, models, prefetch, data, config, migrate."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import mynah

_OVERRIDES = "settings as key=value, group=option, +experiments=name; flags as --cfg job"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand.

    Args:
        argv: The arguments after ``mynah``; None: those of this process.

    Returns:
        The exit status (see ``mynah.cli.exit_status``).
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    command, rest = (arguments[0], arguments[1:]) if arguments else ("--help", [])
    if command in ("train", "eval"):
        return _train(rest) if command == "train" else _evaluate(rest)
    if command == "migrate":
        return _migrate(rest)
    if command == "data":
        return _data(rest)
    if command in ("models", "prefetch"):
        return _models(rest) if command == "models" else _prefetch(rest)
    if command == "merge":
        return _merge(rest)
    parsed = _parser().parse_args(arguments)
    if parsed.command == "config":
        return _config(parsed)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mynah",
        description="Train speech recognizers and measure their error rates.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=(
            "examples:\n"
            "  mynah train                                  train with the defaults, offline\n"
            "  mynah train +experiments=test                an experiment\n"
            "  mynah train training.learning_rate=1e-4      any setting\n"
            "  mynah eval outputs/model                     measure the newest model\n"
            "  mynah config explain model=large             every value and who set it\n"
            "  mynah models --for-device                    pretrained models that fit here\n"
            "  mynah prefetch model=large data=full         download what a run needs\n"
            "\n`mynah train --cfg job` shows a configuration, `mynah train -m ...` sweeps."
        ),
    )
    parser.add_argument("--version", action="version", version=f"mynah {mynah.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    train = commands.add_parser("train", help="train, measure, write a report")
    train.add_argument("overrides", nargs="*", help=_OVERRIDES)
    evaluate = commands.add_parser("eval", help="measure a checkpoint")
    evaluate.add_argument("checkpoint", help="a checkpoint, or a run's directory")
    evaluate.add_argument("overrides", nargs="*", help=_OVERRIDES)

    config = commands.add_parser("config", help="explain or compare configurations")
    actions = config.add_subparsers(dest="action", metavar="ACTION", required=True)
    explain = actions.add_parser("explain", help="every effective value and the layer that set it")
    explain.add_argument("overrides", nargs="*", help=_OVERRIDES)
    explain.add_argument("--only", metavar="KEY", help="only settings below KEY, as training")
    diff = actions.add_parser("diff", help="what differs between two runs or experiments")
    diff.add_argument("first", help="a run's directory, an experiment, or a YAML file")
    diff.add_argument("second", help="the same")
    for action in (explain, diff):
        action.add_argument("--config-dir", metavar="DIR", help="more groups and experiments")

    commands.add_parser("models", help="pretrained models, and which fit here", add_help=False)
    commands.add_parser("merge", help="fold LoRA matrices into their base", add_help=False)
    commands.add_parser("prefetch", help="download all that a run needs", add_help=False)
    commands.add_parser("data", help="prepare, inspect, download, segment corpora", add_help=False)
    commands.add_parser("migrate", help="a legacy JSON config as an experiment", add_help=False)
    return parser


def _train(arguments: Sequence[str]) -> int:
    from mynah.cli.command_line import command_line
    from mynah.cli.entry import job

    return command_line(job, arguments, "mynah train")


def _evaluate(arguments: Sequence[str]) -> int:
    from mynah.cli.command_line import command_line
    from mynah.cli.entry import job
    from mynah.cli.exit_status import exit_status
    from mynah.config.values import argument
    from mynah.errors import UserError

    if any(token in ("--help", "-h", "--hydra-help") for token in arguments):
        return command_line(job, arguments, "mynah train")
    rest = list(arguments)
    position = next((i for i in range(len(rest)) if _is_checkpoint(rest, i)), None)
    if position is None:

        def fail() -> None:
            raise UserError(
                "Which checkpoint is to be measured?",
                fix="mynah eval outputs/model  measures the newest training run's",
            )

        return exit_status(fail)
    rest[position] = argument("eval_checkpoint", rest[position])
    return command_line(job, rest, "mynah train")


def _migrate(arguments: Sequence[str]) -> int:
    from mynah.cli.exit_status import exit_status
    from mynah.config.legacy.migrate import migrate

    return exit_status(lambda: migrate(arguments))


def _data(arguments: Sequence[str]) -> int:
    from mynah.cli.data import main as data_main

    return data_main.main(arguments)


def _merge(arguments: Sequence[str]) -> int:
    from mynah.cli import merge

    return merge.main(arguments)


def _models(arguments: Sequence[str]) -> int:
    from mynah.cli import models

    return models.main(arguments)


def _prefetch(arguments: Sequence[str]) -> int:
    from mynah.cli import prefetch

    return prefetch.main(arguments)


def _is_checkpoint(arguments: Sequence[str], position: int) -> bool:
    """Whether this argument is a path, and no setting, flag or flag's value."""
    from mynah.config.hydra.flags import WITH_VALUE

    token = arguments[position]
    if position and arguments[position - 1] in WITH_VALUE:
        return False
    is_path = "/" in token.partition("=")[0]
    return not token.startswith(("-", "+", "~")) and (is_path or "=" not in token)


def _config(parsed: argparse.Namespace) -> int:
    from pathlib import Path

    from mynah.cli.exit_status import exit_status

    directory = Path(parsed.config_dir) if parsed.config_dir else None

    def action() -> None:
        from mynah.cli import explain

        if parsed.action == "explain":
            explain.explain(parsed.overrides, only=parsed.only, config_dir=directory)
        else:
            explain.diff(parsed.first, parsed.second, config_dir=directory)

    return exit_status(action)


if __name__ == "__main__":
    sys.exit(main())
