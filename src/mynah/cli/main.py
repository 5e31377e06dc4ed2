"""The ``mynah`` command, and the one table of what it can do."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mynah import neighbours
from mynah.cli.shared.commands import Command, listed, run_command
from mynah.cli.shared.exit_status import exit_status
from mynah.config.garbage import leave_without_search
from mynah.stopping import signals

COMMANDS = {
    "train": Command("mynah.cli.train", "train, evaluate, write a report"),
    "sweep-data": Command("mynah.cli.sweep_data", "forecast what more data would give"),
    "eval": Command("mynah.cli.eval", "evaluate a checkpoint"),
    "transcribe": Command("mynah.cli.transcribe", "transcribe recordings"),
    "serve": Command("mynah.cli.serve", "serve a model through OpenAI's transcription API"),
    "demo": Command("mynah.cli.demo", "try a model on a page, or two side by side"),
    "record": Command("mynah.cli.record", "record sentences read aloud, as a corpus"),
    "runs": Command("mynah.cli.runs", "list all runs, the best first"),
    "jobs": Command("mynah.cli.jobs", "jobs on a cluster: state, log, cancel"),
    "compare": Command("mynah.cli.compare", "test which of several systems is better"),
    "score": Command("mynah.cli.score", "score any system's transcripts"),
    "lm": Command("mynah.cli.lm", "count word n-grams for beam search"),
    "tune-beam": Command(
        "mynah.cli.tune_beam", "tune the weights of a language model and hot words"
    ),
    "average": Command("mynah.cli.average", "average checkpoints of one model"),
    "merge": Command("mynah.cli.merge", "merge LoRA weights into their base"),
    "adapt-scale": Command("mynah.cli.adapt_scale", "scale LoRA weights down or up"),
    "export": Command("mynah.cli.export", "export a model for other programs, with proof"),
    "publish": Command("mynah.cli.publish", "publish a model on the Hugging Face hub"),
    "models": Command("mynah.cli.models", "list pretrained models, and which fit here"),
    "prefetch": Command("mynah.cli.prefetch", "download all that a run needs"),
    "data": Command("mynah.cli.data.main", "prepare, inspect, download, segment corpora"),
    "config": Command("mynah.cli.config", "explain or compare configurations"),
    "migrate": Command("mynah.cli.migrate", "convert a legacy JSON config to an experiment"),
    "completion": Command("mynah.cli.completion", "complete commands on the shell's tab key"),
}

_HELP = f"""\
usage: mynah COMMAND ...

Train speech recognizers and measure their error rates.

commands:
{listed(COMMANDS)}

examples:
  mynah train                                  train with the defaults, offline
  mynah train +experiments=test                an experiment
  mynah train training.learning_rate=1e-4      any setting
  mynah eval outputs/model                     evaluate the newest model
  mynah transcribe call.wav                    transcribe a recording
  mynah serve outputs/model                    serve it through OpenAI's transcription API
  mynah runs --best                            list all runs, the best first
  mynah compare RUN ANOTHER                    is the difference chance?
  mynah config explain model=large             every value and who set it
  mynah models --for-device                    pretrained models that fit here
  mynah prefetch model=large data=full         download what a run needs

`mynah train --cfg job` shows a configuration, `mynah train -m ...` sweeps.
`mynah COMMAND --help` tells more; `mynah --version` prints the version."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The arguments after ``mynah``; None: those of this process.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    if argv is None:  # this process is the command's own
        signals.take_over()
        neighbours.watch()
        leave_without_search()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("--help", "-h"):
        return exit_status(lambda: print(_HELP, flush=True))
    if arguments[0] == "--version":
        from mynah.machine import __version__

        print(f"mynah {__version__}")
        return 0
    return run_command(COMMANDS, arguments, "mynah")


if __name__ == "__main__":
    sys.exit(main())
