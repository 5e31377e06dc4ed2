"""``mynah sweep-data``: train on shares of the data, and forecast what twice as much would give."""

from __future__ import annotations

from collections.abc import Sequence

_COMMAND = "mynah sweep-data"
_SHARES = "data.train_share=0.25,0.5,1"
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

    return command_line(job, swept(arguments), _COMMAND, of_hydra=_of_hydra(arguments))


def _of_hydra(arguments: Sequence[str]) -> list[str]:
    """What lets the sweep refuse shares that show no curve, unless another launcher is typed."""
    typed = any(one.startswith("hydra/launcher=") for one in arguments)
    return [] if typed else ["hydra.launcher.for_forecast=true"]


def swept(arguments: Sequence[str]) -> list[str]:
    """The arguments of the sweep that is asked for."""
    known = any(one.lstrip("+").startswith("data.train_share=") for one in arguments)
    flag = [] if {"-m", "--multirun"} & set(arguments) else ["-m"]
    return [*flag, *arguments, *([] if known else [_SHARES])]
