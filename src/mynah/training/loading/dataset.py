"""From a row of the corpus to a batch on its way to the model.

The sampler yields ``(epoch, row, weight)`` from the batch plan, so the loader knows no state
of its own: where training stands is arithmetic, with any number of workers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic

import numpy as np
from torch.utils.data import Dataset, Sampler

from mynah.data.audio.files import AudioError
from mynah.data.augmentation import draws
from mynah.data.positions import Batches, Key, Position
from mynah.errors import UserError, fault_of_machine
from mynah.models.family import Example, token_weight

if TYPE_CHECKING:
    from mynah.data.augmentation.chain import Augmentation
    from mynah.data.utterances import TrainingData, Utterance
    from mynah.models.family import Family

# What reading a file, or noise for it, can end in: errors of the disk, and of decoders.
_READ_ERRORS = (OSError, EOFError, ValueError, RuntimeError)
_KNOWN_ROWS = 1 << 14  # whose transcripts and labels a worker keeps: some 30 MB
_SECOND = "\0second"  # behind an id: what changes the other copy is sampled from this
_STAND_IN_AMPLITUDE = 1e-3  # of the noise that stands in for a batch that cannot be read


@dataclass(frozen=True)
class LoadedRow(Generic[Key]):
    """One row as a worker hands it over: an example, or why there is none.

    Attributes:
        id: Of its utterance.
        position: In the plan.
        seconds: Of its audio.
        example: What is learned.
        problem: What is wrong with the row, which is then left out and counted.
        mistake: What is wrong with the settings or the machine, as a package that is missing:
            it ends the training.
    """

    id: str
    position: Position[Key]
    seconds: float = 0.0
    example: Example | None = None
    problem: str | None = None
    mistake: UserError | None = None


class TrainingRows(Dataset[LoadedRow[Key]], Generic[Key]):
    """Rows of a corpus, read, augmented and turned into what a family collates.

    Args:
        family: Makes features and labels.
        corpus: Training utterances.
        augmentation: What becomes of the audio and of its features.
        normalization: ``training.loss_normalization``.
        context_dropout: ``model.context_dropout``.
        twice: Whether each row is masked (and warped) twice (``model.ctc_consistency``).
        seed: Of the run, for what is sampled here.
    """

    def __init__(
        self,
        family: Family,
        corpus: TrainingData[Key],
        augmentation: Augmentation,
        *,
        normalization: str = "token",
        context_dropout: float = 0.0,
        twice: bool = False,
        seed: int = 0,
    ) -> None:
        self._twice = twice
        self._context_dropout = context_dropout
        self._seed = seed
        self._family = family
        self.corpus = corpus
        self._augmentation = augmentation
        self._normalization = normalization
        self._known: dict[Key, tuple[Utterance, list[int]]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_known": {}}

    def __len__(self) -> int:
        if self.corpus.size is None:
            raise TypeError("nobody has counted the rows of a stream")
        return self.corpus.size

    def __getitem__(self, position: Position[Key]) -> LoadedRow[Key]:
        return self._row(position, *self._labelled(position[1]))

    def __getitems__(self, positions: Sequence[Position[Key]]) -> list[LoadedRow[Key]]:
        """The rows of a batch: first all transcripts, then all audio.

        Between two recordings a transcript takes five times as long: what tokenizing needs
        has left the processor's caches.
        """
        labelled = [self._labelled(row) for _, row, _ in positions]
        return [self._row(at, *found) for at, found in zip(positions, labelled, strict=True)]

    def _row(
        self, position: Position[Key], utterance: Utterance, labels: list[int]
    ) -> LoadedRow[Key]:
        try:
            return self._loaded(position, utterance, labels)
        except AudioError as error:
            return LoadedRow(utterance.id, position, problem=error.what)
        except UserError as error:
            return LoadedRow(utterance.id, position, mistake=error)
        except _READ_ERRORS as error:
            if fault_of_machine(error) is not None:
                raise  # a drive that fails is not a fault of the recording
            return LoadedRow(utterance.id, position, problem=str(error) or type(error).__name__)

    def _labelled(self, row: Key) -> tuple[Utterance, list[int]]:
        """The utterance and its labels; where rows are few, they are looked up once.

        Of short utterances this takes a tenth of the time of their audio.
        """
        numbered = self.corpus.size is not None  # a row of a stream comes once
        if numbered and row in self._known:
            return self._known[row]
        utterance = self.corpus[row]
        labelled = utterance, self._family.labels(utterance.text)
        if numbered and len(self._known) < _KNOWN_ROWS:
            self._known[row] = labelled
        return labelled

    def _loaded(
        self, position: Position[Key], utterance: Utterance, labels: list[int]
    ) -> LoadedRow[Key]:
        epoch, row, weight = position
        family, augmentation = self._family, self._augmentation
        audio = self.corpus.read_audio(row)
        sampled = augmentation.draw(epoch=epoch, utterance_id=utterance.id)
        altered = augmentation.waveform(audio, sampled)
        reason = family.impossible(len(altered), labels)
        if reason is not None and len(altered) < len(audio):
            # Played so fast, it has too few frames for its labels.
            altered = augmentation.waveform(audio, sampled, same_length=True)
            reason = family.impossible(len(altered), labels)
        if reason is not None:
            return LoadedRow(utterance.id, position, problem=reason)
        plain = features = family.features(altered)
        second = plain if self._twice else None
        seconds = len(altered) / self.corpus.sample_rate
        if family.feature_seconds is not None:
            change = partial(
                augmentation.features,
                plain,
                epoch=epoch,
                warp=family.log_mel,
                stacked=family.stacked,
            )
            features = change(utterance_id=utterance.id)
            if second is not None:
                second = change(utterance_id=f"{utterance.id}{_SECOND}")
        return LoadedRow(
            utterance.id,
            position,
            seconds=seconds,
            example=Example(
                utterance.id,
                features,
                labels,
                weight * token_weight(labels, self._normalization),
                utterance.language,
                seconds,
                self._context(epoch, utterance),
                second,
            ),
        )

    def _context(self, epoch: int, utterance: Utterance) -> str:
        """Names and terms of a row, left out now and then: a function of (seed, epoch, id)."""
        if not utterance.context:
            return ""
        sampled = draws.generator("context", self._seed, epoch, utterance.id).random()
        return "" if sampled < self._context_dropout else utterance.context

    def collate(self, rows: Sequence[LoadedRow[Key]]) -> dict[str, Any]:
        """A batch: ``tensors`` for the family's loss, and what is said about it.

        Returns:
            ``tensors``; ``ids`` of the utterances in it and the ``positions`` of all its rows;
            ``seconds`` of audio before padding; ``skipped`` as (id, reason) of the rows that
            are missing; ``mistake``: what the user has to fix, or None.
        """
        examples = [row.example for row in rows if row.example is not None]
        return {
            "tensors": self._family.collate(examples or [self._stand_in(rows[0])]),
            "ids": [example.id for example in examples],
            "positions": [row.position for row in rows],
            "seconds": sum(row.seconds for row in rows),
            "mistake": next((row.mistake for row in rows if row.mistake is not None), None),
            "skipped": [(row.id, row.problem) for row in rows if row.problem is not None],
        }

    def _stand_in(self, row: LoadedRow[Key]) -> Example:
        """Faint noise of weight zero: every rank runs a step, whatever could be read."""
        utterance, labels = self._labelled(row.position[1])
        samples = max(1, round(utterance.duration_seconds * self.corpus.sample_rate))
        noise = np.random.default_rng(0).standard_normal(samples).astype(np.float32)
        if self._family.impossible(samples, labels) is not None:
            labels = []
        return Example(
            row.id,
            self._family.features(noise * _STAND_IN_AMPLITUDE),
            labels,
            weight=0.0,
            language=utterance.language,
        )


class PlanSampler(Sampler[list[Position[Key]]]):
    """The batches of one epoch of a plan, from any batch on.

    Args:
        plan: Which rows make which batch.
    """

    def __init__(self, plan: Batches[Key]) -> None:
        self._plan = plan
        self._epoch = 0
        self._skipped = 0

    def begin(self, epoch: int, skipped: int) -> None:
        """Take the next iteration from this epoch; its first ``skipped`` batches are empty lists.

        Trainer skips as many batches of a resumed epoch by taking them; an empty list costs
        nothing, and no row is read for it.
        """
        self._epoch = epoch
        self._skipped = skipped

    def __len__(self) -> int:
        return self._plan.batches_per_epoch

    def __iter__(self) -> Iterator[list[Position[Key]]]:
        skipped = self._skipped
        for _ in range(skipped):
            yield []
        with closing(self._plan.positions(self._epoch, skipped)) as positions:
            yield from positions
