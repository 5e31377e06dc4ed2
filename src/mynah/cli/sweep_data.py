"""``mynah sweep-data``: train on shares of the data, and forecast what twice as much would give."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mynah.errors import UserError

_COMMAND = "mynah sweep-data"
_SHARE = "data.train_share"
_SHARES = f"{_SHARE}=0.25,0.5,1"
_HELP = f"""\
usage: {_COMMAND} [key=value ...]

Train on 25, 50 and 100 % of the training data, each share a part of the next one, and fit a power
law to the error rates: what twice the data would give, with an interval, and a plot. It is a sweep
(`mynah train -m {_SHARES}`): jobs that are done are not run again.

examples:
  {_COMMAND} data.dataset_name=recordings
  {_COMMAND} data.dataset_name=recordings training.seed=1,2,3    seeds make it surer
  {_COMMAND} data.train_share=0.1,0.2,0.4,1                      other shares
"""


def main(arguments: Sequence[str]) -> int:
    """Run the sweep.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    if {"-h", "--help"} & set(arguments):
        print(_HELP, end="", flush=True)
        return 0

    from mynah.cli.shared.command_line import command_line
    from mynah.cli.shared.entry import job
    from mynah.cli.shared.exit_status import exit_status

    status = exit_status(lambda: check_corpus(swept(arguments)))
    if status != 0:
        return status
    return command_line(job, swept(arguments), _COMMAND)


def check_corpus(arguments: Sequence[str]) -> None:
    """Prepare the corpus, as every job would, before the first one starts.

    Nothing is looked at where the settings have a mistake, which the sweep names, where the
    corpus is streamed, or where jobs run on a cluster.

    Args:
        arguments: Those of the sweep.

    Raises:
        UserError: The corpus is not there or damaged, or the smallest share is too small.
    """
    from mynah.cli.shared.settings import read_settings
    from mynah.config.checkpointed import with_absolute_paths

    try:
        composed = read_settings([*_first_values(arguments), _share_of(arguments)], _COMMAND)
    except UserError:
        return
    here = Path.cwd()
    config = with_absolute_paths(composed.config, here)
    if config.data.streaming:
        return

    from mynah.data.preparation.prepare import prepare
    from mynah.sweeps import data_curve

    data = prepare(config.data, offline=config.offline, working_directory=here)
    if data.train is not None and data_curve.is_too_few(len(data.train)):
        raise UserError(
            f"No curve: {data_curve.too_few(config.data.train_share, len(data.train))}.",
            where="data.train_share",
            fix="give more data, or larger shares, as data.train_share=0.5,0.75,1",
        )


def _first_values(arguments: Sequence[str]) -> list[str]:
    """The settings of one of the jobs, its share left out."""
    found = []
    for one in arguments:
        name, equals, value = one.partition("=")
        if not equals or name.startswith(("-", "hydra.")) or name.lstrip("+") == _SHARE:
            continue
        if value.partition("(")[0] in ("range", "choice", "glob", "interval"):
            continue
        if not value.startswith(("[", "{", "'", '"')):
            value = value.partition(",")[0]
        found.append(f"{name}={value}")
    return found


def _share_of(arguments: Sequence[str]) -> str:
    """The smallest share that is asked for, as a setting."""
    typed = next(one for one in arguments if one.lstrip("+").startswith(f"{_SHARE}="))
    shares = []
    for one in typed.partition("=")[2].split(","):
        try:
            shares.append(float(one))
        except ValueError:
            continue
    return f"{_SHARE}={min(shares, default=1.0):g}"


def swept(arguments: Sequence[str]) -> list[str]:
    """The arguments of the sweep that is asked for."""
    known = any(one.lstrip("+").startswith("data.train_share=") for one in arguments)
    flag = [] if {"-m", "--multirun"} & set(arguments) else ["-m"]
    return [*flag, *arguments, *([] if known else [_SHARES])]
