"""Memory in which data workers hand batches over, and which is used again and again.

A worker's tensors reach the training in shared memory that is made for each of them, sent as a
file descriptor, mapped, and given back: for a small batch that takes a third of the time of its
decoding, and a container's /dev/shm is soon full. Here the memory is made once, before the
workers are forked, and of a batch only its place goes through the queue.
"""

from __future__ import annotations

import itertools
import mmap
import multiprocessing
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

_ALIGNMENT = 64  # bytes between tensors: a cache line, and a multiple of every item
_SLOT_BYTES = 64 << 20  # of addresses; what no batch ever filled takes no memory
_LONGEST_CLAIM = 1.0  # seconds that a worker waits for the others, one of which may have died
_FREE, _TAKEN = 0, 1

_numbers = itertools.count()
# Where the training finds the memory that a worker's message names.
_memories: weakref.WeakValueDictionary[int, BatchMemory] = weakref.WeakValueDictionary()


@dataclass(frozen=True)
class _Place:
    """Where in a slot a tensor lies."""

    offset: int
    size: int  # bytes
    shape: tuple[int, ...]
    dtype: torch.dtype


class BatchMemory:
    """Slots for a batch each, shared by the training and the workers that are forked from it.

    A slot is taken by the worker that fills it and is free again once the training has let the
    last tensor in it go. Where no slot is free, or a batch is larger than one, its tensors go
    torch's own way: nothing ever waits here, and nothing that is still held is overwritten.

    Args:
        slots: How many batches there can be at a time.
        slot_bytes: The largest batch.

    Raises:
        OSError: The system does not give so many addresses.
    """

    def __init__(self, slots: int, slot_bytes: int = _SLOT_BYTES) -> None:
        self._slot_bytes = slot_bytes
        self._map = mmap.mmap(-1, slots * slot_bytes)  # shared with what is forked
        self._states = np.frombuffer(mmap.mmap(-1, slots), dtype=np.uint8)
        self._lock = multiprocessing.get_context("fork").Lock()
        self._number = next(_numbers)
        _memories[self._number] = self

    @property
    def free(self) -> int:
        """Slots that are free."""
        return int((self._states == _FREE).sum())

    def store(self, tensors: Mapping[str, Any]) -> Any:
        """In a worker: the tensors as they are sent to the training, which unpickles a dict."""
        places, end = {}, 0
        for name, tensor in tensors.items():
            if not isinstance(tensor, torch.Tensor):
                return tensors
            places[name] = _Place(end, tensor.nbytes, tuple(tensor.shape), tensor.dtype)
            end += -(-tensor.nbytes // _ALIGNMENT) * _ALIGNMENT
        slot = self._claim() if end <= self._slot_bytes else None
        if slot is None:
            return tensors
        data = self._bytes(slot, end)
        for name, place in places.items():
            _view(data, place).copy_(tensors[name])
        return _Stored(self._number, slot, end, places)

    def fetch(self, slot: int, end: int, places: Mapping[str, _Place]) -> dict[str, torch.Tensor]:
        """In the training: the tensors of a slot, which is theirs for as long as one is held."""
        data = self._bytes(slot, end)
        # Every tensor holds this very array: it goes with the last of them.
        weakref.finalize(data, self._release, slot).atexit = False
        return {name: _view(data, place) for name, place in places.items()}

    def _claim(self) -> int | None:
        if not self._lock.acquire(timeout=_LONGEST_CLAIM):
            return None
        try:
            # The lowest, so that no more of them are ever filled than are needed.
            free = np.flatnonzero(self._states == _FREE)
            if not len(free):
                return None
            self._states[free[0]] = _TAKEN
            return int(free[0])
        finally:
            self._lock.release()

    def _release(self, slot: int) -> None:
        self._states[slot] = _FREE

    def _bytes(self, slot: int, end: int) -> np.ndarray:
        return np.frombuffer(self._map, dtype=np.uint8, count=end, offset=slot * self._slot_bytes)


@dataclass(frozen=True)
class _Stored:
    """Tensors in a slot; where it is unpickled, the tensors."""

    memory: int
    slot: int
    end: int
    places: dict[str, _Place]

    def __reduce__(self) -> tuple[Any, ...]:
        return _fetched, (self.memory, self.slot, self.end, self.places)


def _fetched(
    memory: int, slot: int, end: int, places: dict[str, _Place]
) -> dict[str, torch.Tensor]:
    return _memories[memory].fetch(slot, end, places)


def _view(data: np.ndarray, place: _Place) -> torch.Tensor:
    """A tensor in a slot's bytes."""
    if not place.size:
        return torch.empty(place.shape, dtype=place.dtype)
    count = place.size // place.dtype.itemsize
    found = torch.frombuffer(data, dtype=place.dtype, count=count, offset=place.offset)
    return found.view(place.shape)
