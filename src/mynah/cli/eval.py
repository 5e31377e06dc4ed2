"""``mynah eval CHECKPOINT [key=value ...]``: measure a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence

_HELP = """\
usage: mynah eval CHECKPOINT [key=value ...]

Measure a checkpoint: with its own model, tokenizer and text normaliser, and on the data that it
was trained with unless settings of data are typed.

examples:
  mynah eval outputs/model                              the newest training run's model
  mynah eval outputs/model/checkpoint-1000              one of its checkpoints
  mynah eval outputs/model data.dataset_name=calls/     on another corpus
  mynah eval outputs/model model.language_model=none    decoded in another way

`mynah train --help` lists the settings."""


def main(arguments: Sequence[str]) -> int:
    """Measure the checkpoint that the first plain argument names.

    Returns:
        The exit status (see ``mynah.cli.exit_status``).
    """
    from mynah.cli.command_line import command_line
    from mynah.cli.entry import job
    from mynah.cli.exit_status import exit_status
    from mynah.config.values import argument
    from mynah.errors import UserError

    if any(token in ("--help", "-h") for token in arguments):
        print(_HELP)
        return 0
    if "--hydra-help" in arguments:
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


def _is_checkpoint(arguments: Sequence[str], position: int) -> bool:
    """Whether this argument is a path, and no setting, flag or flag's value."""
    from mynah.config.hydra.flags import WITH_VALUE

    token = arguments[position]
    if position and arguments[position - 1] in WITH_VALUE:
        return False
    is_path = "/" in token.partition("=")[0]
    return not token.startswith(("-", "+", "~")) and (is_path or "=" not in token)
