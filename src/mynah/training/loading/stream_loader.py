"""Batches of a stream: each window of rows is bucketed and batched as a table would be.

Rows are read ahead by a thread, in order; which rows make which batch is arithmetic on the
window, so the batches are the same with any number of workers, and after a resume.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah import console
from mynah.data.batches import BatchPlan
from mynah.data.positions import Position
from mynah.data.read_ahead import ReadAhead
from mynah.data.streams.windows import Mark, Window

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.streams.rows import StreamedUtterance
    from mynah.data.streams.stream import Stream

_NAMED = 5  # rows named one by one when they are left out
_HELD = 2  # windows in memory: the one that batches consist of, and the next


class StreamPlan:
    """:class:`~mynah.data.positions.Batches` where nobody knows how long an epoch is.

    To the trainer the full training is one epoch; the passes over the stream are known by
    :attr:`passes`, and they are the epochs of augmentation.

    Args:
        stream: The rows.
        config: The settings; ``training.max_steps`` decides how long the training is.
        rank: Whose share of the stream.
        world_size: Ranks.
        left_out: Where rows that are not learned from are listed, a JSON object a line; None:
            nowhere.

    Attributes:
        batches_per_epoch: Batches of the full training, the same for every rank.
        left_out_counts: Rows of the first pass that are not learned from, by reason.
        passes: Which pass over the stream is being read, from 0.
    """

    def __init__(
        self,
        stream: Stream,
        config: Config,
        *,
        rank: int = 0,
        world_size: int = 1,
        left_out: Path | None = None,
    ) -> None:
        training = config.training
        self.batches_per_epoch = (training.max_steps or 0) * training.gradient_accumulation_steps
        self.passes: int = 0
        self.left_out_counts: dict[str, int] = {}
        self._windows = stream.windows(seed=training.seed, rank=rank, world_size=world_size)
        self._batch_seconds = training.batch_seconds
        size = training.per_device_train_batch_size
        self._batch_size = size if isinstance(size, int) else None
        self._characters_a_second = training.batch_characters_a_second
        self._rank = rank
        self._world_size = world_size
        self._list = left_out
        self._marks: deque[dict[str, Any]] = deque()
        self._start: dict[str, Any] = {"batch": 0, "mark": Mark().as_dict(), "left_out": {}}

    def positions(
        self, epoch: int, first: int = 0
    ) -> Generator[list[Position[StreamedUtterance]], None, None]:
        """The rows of each batch of the training, its only epoch, from batch ``first`` on.

        Raises:
            UserError: A shard cannot be read, or the stream has no usable row.
        """
        with closing(self.batches(first)) as endless:
            yield from islice(endless, self.batches_per_epoch - first)

    def expected(self, epoch: int, index: int) -> list[StreamedUtterance]:
        """No rows: which they are is known when they are read."""
        return []

    def batches(self, first: int = 0) -> Generator[list[Position[StreamedUtterance]], None, None]:
        """(epoch, row, weight) triples of each batch from batch ``first`` on, without end.

        Rows that batches before ``first`` had are read again as far back as their window's
        beginning, and not decoded.

        Raises:
            UserError: A shard cannot be read, or the stream has no usable row.
        """
        start = self._start
        batch = first if start["batch"] is None else start["batch"]
        self._marks.clear()
        self.left_out_counts = dict(start["left_out"])
        self._cut_list(start.get("listed_bytes", 0))
        read = self._windows.iterate(Mark(**start["mark"]))
        with ReadAhead(read, held=_HELD, name="stream") as windows:
            for window in windows:
                self._marks.append(self._state(batch, window.mark))
                self._note_left_out(window)
                self.passes = window.mark.epoch
                for rows in self._batched(window):
                    if batch >= first:
                        yield [(window.mark.epoch, row, 1.0) for row in rows]
                    batch += 1
                window.rows.clear()

    def _batched(self, window: Window) -> Iterator[list[StreamedUtterance]]:
        """The window's rows in batches; each row is let go once its batch is on its way."""
        if not window.rows:
            return
        plan = BatchPlan(
            [row.duration_seconds for row in window.rows],
            seed=window.seed,
            batch_seconds=self._batch_seconds if self._batch_size is None else None,
            batch_size=self._batch_size,
            text_lengths=[len(row.text) for row in window.rows],
            characters_a_second=self._characters_a_second,
        )
        held: list[StreamedUtterance | None] = list(window.rows)
        window.rows.clear()
        for index in range(plan.batches_per_epoch):
            places = [place for place, weight in plan.batch(0, index) if weight]
            rows = [row for place in places if (row := held[place]) is not None]
            for place in places:
                held[place] = None
            if rows:
                yield rows

    # Position

    def state(self, batches: int) -> dict[str, Any]:
        """Where this rank's stream is after so many batches, for a checkpoint."""
        while len(self._marks) > 1 and self._marks[1]["batch"] <= batches:
            self._marks.popleft()
        return dict(self._marks[0]) if self._marks else dict(self._start)

    def restore(self, states: Sequence[dict[str, Any]]) -> None:
        """Resume from the states of all ranks that a checkpoint holds.

        With another number of ranks the rows are dealt otherwise: the stream then begins its
        next pass, which is said.
        """
        if len(states) == self._world_size:
            self._start = dict(states[self._rank])
            return
        epoch = 1 + max(state["mark"]["epoch"] for state in states)
        self._start = {"batch": None, "mark": Mark(epoch).as_dict(), "left_out": {}}
        console.notice(
            f"The stream was dealt to {len(states)} process(es) and is now dealt to "
            f"{self._world_size}: it continues with pass {epoch + 1} from its beginning."
        )

    def _state(self, batch: int, mark: Mark) -> dict[str, Any]:
        listed = self._list.stat().st_size if self._list and self._list.exists() else 0
        return {
            "batch": batch,
            "mark": mark.as_dict(),
            "left_out": dict(self.left_out_counts),
            "listed_bytes": listed,
        }

    # Rows that are left out

    def _note_left_out(self, window: Window) -> None:
        """Count and list the first pass's; later passes meet the same rows again."""
        if window.mark.epoch or not window.left_out:
            return
        known = sum(self.left_out_counts.values())
        lines = []
        for row in window.left_out:
            self.left_out_counts[row.reason] = self.left_out_counts.get(row.reason, 0) + 1
            known += 1
            record = {"id": row.id, "reason": row.reason, "detail": row.detail}
            lines.append(json.dumps(record, ensure_ascii=False) + "\n")
            if known <= _NAMED:
                why = f"{row.reason}: {row.detail}" if row.detail else row.reason
                console.notice(f"Utterance {row.id} is left out: {why}")
            elif known == _NAMED + 1:
                listed = f"; {self._list} lists them" if self._list else ""
                console.notice(f"More utterances of the stream are left out{listed}.")
        if self._list is not None:
            with self._list.open("a", encoding="utf-8") as file:
                file.writelines(lines)

    def _cut_list(self, size: int) -> None:
        """Forget what was listed after the place that training resumes from."""
        if self._list is not None and self._list.exists() and self._list.stat().st_size > size:
            with self._list.open("r+b") as file:
                file.truncate(size)
