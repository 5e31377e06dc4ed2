"""``mynah eval MODEL [key=value ...]``: measure a checkpoint, or any recognizer as it is."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Sequence
from pathlib import Path

_HELP = """\
usage: mynah eval MODEL [CORPUS] [key=value ...]

Measure a checkpoint: with its own model, tokenizer and text normaliser, and on the data that it
was trained with unless others are named. Of a corpus that is named the test split is measured, or
the validation split, or all of a corpus without splits. MODEL may also be a recognizer as it is: a
folder of transformers or, of a Whisper, of CTranslate2, or a name of the Hugging Face hub.

examples:
  mynah eval outputs/model                              the newest training run's model
  mynah eval outputs/model/checkpoint-1000              one of its checkpoints
  mynah eval outputs/model calls/                       on another corpus
  mynah eval openai/whisper-tiny.en calls/              a model as it was published
  mynah eval outputs/model data.eval_splits=[test]      on another split
  mynah eval outputs/model model.language_model=none    decoded in another way

`mynah train --help` lists the settings."""


def main(arguments: Sequence[str]) -> int:
    """Measure the checkpoint that the first plain argument names.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    from mynah.cli.shared.command_line import command_line
    from mynah.cli.shared.entry import job
    from mynah.cli.shared.exit_status import exit_status
    from mynah.errors import UserError

    if any(token in ("--help", "-h") for token in arguments):
        print(_HELP)
        return 0
    if "--hydra-help" in arguments:
        return command_line(job, arguments, "mynah train")
    try:
        settings = as_settings(arguments)
    except UserError as problem:
        return exit_status(functools.partial(_fail, problem))
    return command_line(job, settings, "mynah train")


def _fail(problem: Exception) -> None:
    raise problem


def as_settings(arguments: Sequence[str]) -> list[str]:
    """The arguments of a run, the plain ones as the settings that they stand for.

    Raises:
        UserError: There is no plain argument, there are too many, or the corpus is not there.
    """
    from mynah.cli.shared.settings import read_settings, there
    from mynah.config.values import argument
    from mynah.errors import UserError

    plain = [i for i in range(len(arguments)) if _is_path(arguments, i)]
    if not plain:
        # What else is wrong with them is said first: a setting may have been meant otherwise.
        typed = [one for one in arguments if "=" in one and not one.startswith("-")]
        newest = argument("eval_checkpoint", "outputs/model")
        read_settings([newest, *typed], "mynah train", trains=False, submits=True)
        raise UserError(
            "Which checkpoint is to be measured?",
            fix=f"mynah eval {shlex.join(['outputs/model', *typed])}  measures the newest "
            "training run's",
        )
    settings = list(arguments)
    settings[plain[0]] = argument("eval_checkpoint", settings[plain[0]])
    if len(plain) > 2:
        raise UserError(
            "One checkpoint is measured on one corpus at a time.",
            where=f"command line: {settings[plain[2]]}",
            fix="data.mixture names several corpora",
        )
    if len(plain) == 2:
        corpus = there(settings[plain[1]], "mynah eval MODEL")
        settings[plain[1]] = argument("data.dataset_name", corpus)
    return settings


def _is_path(arguments: Sequence[str], position: int) -> bool:
    """Whether this argument is a path, and no setting, flag or flag's value."""
    from mynah.config.hydra.flags import WITH_VALUE

    token = arguments[position]
    if position and arguments[position - 1] in WITH_VALUE:
        return False
    if token.startswith(("-", "+")) or (token.startswith("~") and not token.startswith("~/")):
        return False
    key, equals, _ = token.partition("=")
    return not equals or "/" in key or Path(token).exists() or not _names_setting(key)


def _names_setting(key: str) -> bool:
    """Whether it is, or may have meant, a setting or a group; a path may hold a ``=`` too."""
    import difflib

    from mynah.config.hydra.config_files import ConfigFiles
    from mynah.config.hydra.search_path import config_directories
    from mynah.config.settings import find

    groups = ConfigFiles(config_directories()).groups()
    known = (*groups, "hydra", "eval_checkpoint", "resume_from_checkpoint", "offline")
    return "." in key or find(key) is not None or bool(difflib.get_close_matches(key, known, n=1))
