"""Which metrics a split is measured with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mynah.config.best_metric import asked_metrics, best_metric
from mynah.config.options import typed_options
from mynah.config.plugins.metrics import LOSS, METRICS
from mynah.config.schema import Config
from mynah.errors import UserError
from mynah.evaluation.metrics.edits import EditRate
from mynah.evaluation.metrics.foreign import ForeignMetric
from mynah.evaluation.metrics.metric import Metric
from mynah.evaluation.metrics.mixed_error_rate import MixedErrorRate, mostly_without_spaces
from mynah.evaluation.metrics.word_error_rate import WordErrorRate

_OTHERS = ("cer",)  # of a split beside its word-based metric, where none are asked for


@dataclass(frozen=True)
class Choice:
    """What was asked for.

    Attributes:
        asked: Names of metrics in their order; None: word and character error rate, and mixed
            error rate in place of the former for scripts without spaces.
        best: What models are compared by, computed whether asked for or not; None: the first.
        options: The metrics' own settings, by name.
    """

    asked: tuple[str, ...] | None = None
    best: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Config) -> Choice:
        """What the settings ask for."""
        options = {
            name: typed_options(given, METRICS.get(name).Options)
            for name, given in config.evaluation.options.items()
        }
        return cls(asked_metrics(config), best_metric(config), options)

    @property
    def loss(self) -> bool:
        """Whether the evaluation loss is wanted."""
        return LOSS in (*(self.asked or ()), self.best)

    def check(self) -> None:
        """Load what was asked for, before anything is decoded for it.

        Raises:
            UserError: There is no such metric, what it computes with is not there, or it is a
                plug-in's that fails or breaks its contract.
        """
        for name in (*(self.asked or ()), self.best):
            if name is not None:
                make(name, self.options.get(name)).load()

    def metrics(self, references: Sequence[str]) -> list[Metric]:
        """The metrics of transcripts, the first to be shown first.

        Args:
            references: Normalised references of the split, whose script may decide.

        Raises:
            UserError: A plug-in's metric fails to import or breaks its contract.
        """
        names = list(self.asked or (errors_of(references).name, *_OTHERS))
        if self.best is not None and self.best not in names:
            names.append(self.best)
        names = [name for name in names if name != LOSS] or [errors_of(references).name]
        return [make(name, self.options.get(name)) for name in names]


def make(name: str, options: object = None) -> Metric:
    """The metric of a name.

    Raises:
        UserError: There is none, or it is a plug-in's that fails or breaks its contract.
    """
    if name not in METRICS:
        raise UserError(
            f"There is no metric {name}.",
            where="evaluation.metrics",
            fix=f"choose among {', '.join(METRICS.names)}",
        )
    kind: type[Metric] = METRICS.get(name)
    metric = kind() if options is None else kind(options)
    plugin = METRICS.plugin(name)
    return metric if plugin is None else ForeignMetric(metric, plugin)


def errors_of(references: Sequence[str]) -> EditRate:
    """What errors of a set are counted in: words, or mixed units in scripts without spaces.

    Args:
        references: Normalised references of the set.
    """
    return MixedErrorRate() if mostly_without_spaces(references) else WordErrorRate()
