"""``mynah tune-beam MODEL [key=value ...]``: the weights of a beam's language model and hot words,
chosen on a development split."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser
from mynah.errors import UserError

if TYPE_CHECKING:
    from mynah.config.schema import Config, ModelConfig
    from mynah.data.corpus import Corpus
    from mynah.models.family import Family
    from mynah.models.fusion.beam_weights import Trial
    from mynah.models.recognizer import FrameRecognizer

_COMMAND = "mynah tune-beam"


def main(arguments: Sequence[str]) -> int:
    """Tune the weights of one checkpoint.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    parsed = parser().parse_args(arguments)
    return exit_status(lambda: tune_beam(parsed.checkpoint, parsed.settings))


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = CommandParser(
        prog=_COMMAND,
        allow_abbrev=False,
        description="Measure a CTC model or a transducer with several weights of its language "
        "model and hot words, on the split that chose it (never on a test split), and print the "
        "best; of a Whisper those of n-grams that choose among several hypotheses.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=(
            "examples:\n"
            "  mynah tune-beam outputs/model model.language_model=domain.arpa\n"
            "  mynah tune-beam outputs/model model.context_file=names.txt\n"
        ),
    )
    made.add_argument("checkpoint", help="a checkpoint, or a run's directory")
    made.add_argument("settings", nargs="*", metavar="key=value", help="settings, as of mynah eval")
    return made


def tune_beam(checkpoint: str, arguments: Sequence[str]) -> None:
    """Print the error rates of several weights, and the command with the best.

    Args:
        checkpoint: A checkpoint, a run's directory, or a link to one.
        arguments: Settings, as ``mynah eval`` takes them.

    Raises:
        UserError: It is not a CTC model, transducer or Whisper, nothing joins its beam, the split
            is a test split, or a setting is wrong.
    """
    from mynah import console
    from mynah.cli.shared.settings import read_settings
    from mynah.config.checkpointed import with_absolute_paths
    from mynah.config.values import argument
    from mynah.data.preparation.prepare import prepare
    from mynah.evaluation.measured_model import measured_model
    from mynah.models.fusion import beam_weights as tuning
    from mynah.models.recognizer import FrameRecognizer

    here = Path.cwd()
    composed = read_settings(
        [argument("eval_checkpoint", checkpoint), *arguments], _COMMAND, trains=False
    )
    model = measured_model(with_absolute_paths(composed.config, here), composed.origins, here)
    config = model.config
    tuning.tuned_names(config.model)
    data = prepare(config.data, offline=config.offline, working_directory=here, train=False)
    split = tuning.development_split(data.evaluation)
    family = model.load()
    if isinstance(family, FrameRecognizer):
        measure, label = _by_decoding(family, data.evaluation[split], config, split)
    elif family.gives_n_best:
        measure, label = _by_rescoring(family, data.evaluation[split], config, split)
    else:
        raise UserError(
            "CTC models and transducers have a beam to tune, and a Whisper several hypotheses to "
            f"choose among; this model is a {family.name}.",
            where=checkpoint,
            fix=f"mynah eval {checkpoint}",
        )
    trials = tuning.tune(config.model, measure, predicts_labels=family.name == "transducer")
    best = tuning.best_of(trials)
    _show(trials, split, label())
    several = []
    if not isinstance(family, FrameRecognizer) and not config.evaluation.n_best:
        several = ["evaluation.n_best=5"]
    typed = " ".join(
        [
            *arguments,
            *several,
            *(f"model.{name}={value:g}" for name, value in best.settings.items()),
        ]
    )
    console.say(f"Best on {split}. Next: mynah eval {checkpoint} {typed}")


def _by_decoding(
    family: FrameRecognizer, corpus: Corpus, config: Config, split: str
) -> tuple[Callable[[ModelConfig], float], Callable[[], str]]:
    """The error rate with settings, each decoded again, and what it is called once one is known."""
    from mynah.evaluation.evaluate import evaluate_split

    labels: list[str] = []

    def measure(settings: ModelConfig) -> float:
        tried = dataclasses.replace(config, model=settings)
        family.configure_decoding(tried.model)
        scores = evaluate_split(family, corpus, tried, name=split).scores
        found = scores[scores.best]
        labels.append(found.metric.label)
        return -found.value if found.metric.greater_is_better else found.value

    return measure, lambda: labels[0]


def _by_rescoring(
    family: Family, corpus: Corpus, config: Config, split: str
) -> tuple[Callable[[ModelConfig], float], Callable[[], str]]:
    """The same of hypotheses that are decoded once and rescored; the bounds are said."""
    from mynah import console
    from mynah.evaluation.n_best.tuning import rescored_rates

    rates = rescored_rates(family, corpus, config, name=split)
    found = rates(config.model)
    label = found.errors_in.upper()
    console.say(
        f"{label} of {split}: {100 * found.first:.2f} % the likeliest of each, "
        f"{100 * found.oracle:.2f} % the oracle"
    )
    return lambda settings: rates(settings).rescored or 0.0, lambda: label


def _show(trials: Sequence[Trial], split: str, label: str) -> None:
    """What was measured, in its order, under the label of the rate."""
    from mynah import console

    console.table(
        f"Weights on {split}",
        [*trials[0].settings, label],
        [
            [*(f"{value:g}" for value in trial.settings.values()), f"{100 * abs(trial.rate):.2f} %"]
            for trial in trials
        ],
    )
