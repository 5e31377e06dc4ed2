"""A run's directory in storage: each checkpoint copied there after its commit, and never by half.

::

    s3://bucket/prefix/          training.mirror
      run.json                   written first: whose place it is, and that it can be written
      model/checkpoint-N/…       SHA256SUMS last, removed first: with it a checkpoint is complete
      model/…                    the model that was published, SHA256SUMS last as well
      evaluation/… config.yaml … the rest of the run's directory, once it is done

What is there follows what lies here: a checkpoint that retention removed here is removed there too,
once the newest one is complete there. A copy that fails is made again with the next one.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mynah import console
from mynah.checkpoints import commit
from mynah.checkpoints.fetch import fetch
from mynah.checkpoints.set_aside import sums_set_aside
from mynah.errors import UserError
from mynah.runs import stored
from mynah.runs.directory import MODEL, SUMS, complete_checkpoints, named_checkpoints
from mynah.runs.record import RECORD
from mynah.storage.address import masked
from mynah.storage.store import Entry, Store

_MOST_BYTES_OF_RECORD = 2**20
_AFTER_A_STOP_SECONDS = 60.0  # a job that is stopped has not long to live


class Mirror:
    """Copies what is committed, beside the training.

    Args:
        store: ``training.mirror``, of this run alone.
        run: The run's directory.
        model: Where its checkpoints go.
    """

    def __init__(self, store: Store, run: Path, model: Path) -> None:
        self.store = store
        self._run = run
        self._model = model
        self._complete: dict[str, bytes] = {}  # the sums of what is complete there, by its name
        self._problem: UserError | None = None
        self._said: str | None = None
        self._wanted = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._ended = False
        self._thread: threading.Thread | None = None

    # At the beginning

    def check(self, identity: Mapping[str, Any], *, resumes: bool) -> None:
        """See that this run may write there, and take the place.

        Args:
            identity: Data, model and seed of the run, as ``run.json`` holds them.
            resumes: Whether it resumes what may lie there.

        Raises:
            UserError: It cannot be read or written, or holds another run.
        """
        entries = self.store.list()
        where = f"training.mirror={masked(self.store.address)}"
        holds = bool(stored.steps_in(entries, f"{MODEL}/")) or any(
            entry.name == f"{MODEL}/{SUMS}" for entry in entries
        )
        if holds and not resumes:
            raise UserError(
                "training.mirror holds a run already; nothing in it was touched.",
                where=where,
                fix="resume that run with resume_from_checkpoint=last, or name another folder",
            )
        if holds and (written := self._identity_there()) is not None:
            wanted = json.loads(json.dumps(identity))
            differing = [key for key in wanted if wanted[key] != written.get(key)]
            if differing:
                raise UserError(
                    f"training.mirror holds another run: it differs in {', '.join(differing)}.",
                    where=where,
                    fix="give that run's settings, or name another folder",
                )
        about = {"identity": identity, "status": "running", "kind": "training"}
        self.store.put_bytes(RECORD, (json.dumps(about, indent=2) + "\n").encode())

    def _identity_there(self) -> dict[str, Any] | None:
        content = self.store.read_small(RECORD, _MOST_BYTES_OF_RECORD)
        try:
            found = json.loads(content or b"null")
        except (ValueError, RecursionError):
            return None
        identity = found.get("identity") if isinstance(found, dict) else None
        return identity if isinstance(identity, dict) else None

    def restore(self) -> None:
        """Bring the checkpoints here that are complete there and not intact here, the newest first.

        All of them: the best one counts as much as the newest. Not what was set aside here, which
        is of a course that was left.

        Raises:
            UserError: One cannot be fetched.
        """
        entries = self.store.list()
        aside = sums_set_aside(self._model)
        for step in reversed(stored.steps_in(entries, f"{MODEL}/")):
            final = commit.checkpoint_path(self._model, step)
            if commit.is_intact(final):  # a damaged one is fetched: there may be the last copy
                continue
            found = stored.checkpoint_in(self.store, entries, f"{MODEL}/{final.name}/")
            if aside and found.sums() in aside:
                continue
            if fetch(found, final):
                console.say(f"{final.name} was fetched from {masked(self.store.address)}")

    # While it trains

    def committed(self) -> None:
        """Copy what is new, beside the training; say what went wrong with the copy before."""
        self._tell()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="mirror", daemon=True)
            self._thread.start()
        self._idle.clear()
        self._wanted.set()

    def _work(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._ended:
                return
            self._try(self._follow)
            if not self._wanted.is_set():
                self._idle.set()

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
            self._problem = None
        except UserError as problem:
            self._problem = problem
        except OSError as problem:  # of this machine's disk
            self._problem = UserError(f"It cannot be read here: {problem}", where=str(self._run))

    def _tell(self) -> None:
        problem = self._problem
        if problem is not None and problem.what != self._said:
            console.notice(
                f"training.mirror: the last checkpoint is not complete there, and is copied again "
                f"with the next one; the training continues. {problem.what}"
            )
        self._said = problem.what if problem else None

    def wait(self, seconds: float | None = None) -> None:
        """Wait until what is committed is there, or cannot be."""
        if self._thread is not None:
            self._idle.wait(seconds)

    # At the end

    def stopped(self) -> None:
        """After a stop: what was committed last is copied, if that is soon done."""
        if self._thread is None:
            return
        self.wait(_AFTER_A_STOP_SECONDS)
        if missing := self._missing_checkpoints():
            reason = f": {self._problem.what}" if self._problem else " in time."
            console.notice(
                f"training.mirror: {', '.join(missing)} could not be copied to "
                f"{masked(self.store.address)}{reason}"
            )

    def finish(self) -> UserError | None:
        """Copy what is left of the run: the last checkpoints, the model, the report.

        Returns:
            What could not be copied, as a mistake to raise once all else is done.
        """
        self.wait()
        self._try(self._follow_all)
        if self._problem is None:
            console.say(f"The run lies in {masked(self.store.address)} too")
            return None
        missing = ", ".join([*self._missing_checkpoints(), "the model and the report"])
        return UserError(
            f"The run is done and complete here, and its mirror is not: {missing} "
            f"are missing there. {self._problem.what}",
            where=f"training.mirror={masked(self.store.address)}",
            fix="the same command with resume_from_checkpoint=last copies them"
            + (f"; {self._problem.fix}" if self._problem.fix else ""),
        )

    def close(self) -> None:
        """End the copying."""
        self._ended = True
        self._wanted.set()

    def _missing_checkpoints(self) -> list[str]:
        return [
            path.name
            for path in complete_checkpoints(self._model)
            if self._complete.get(f"{MODEL}/{path.name}/") != _sums(path)
        ]

    def _follow_all(self) -> None:
        self._follow()
        entries = {entry.name: entry for entry in self.store.list()}
        if (self._model / SUMS).is_file():
            self._put_summed(self._model, f"{MODEL}/", entries)
        for path in sorted(self._run.rglob("*")):
            name = path.relative_to(self._run)
            hidden = any(part.startswith(".") for part in name.parts)
            of_model = path.is_relative_to(self._model)
            if path.is_file() and not path.is_symlink() and not hidden and not of_model:
                self.store.put(name.as_posix(), path)

    def _follow(self) -> None:
        """Make the checkpoints there those that are here, the newest first."""
        entries = {entry.name: entry for entry in self.store.list()}
        here = complete_checkpoints(self._model)
        for path in reversed(here):
            try:
                self._put_summed(path, f"{MODEL}/{path.name}/", entries)
            except (UserError, FileNotFoundError):
                if path.is_dir():  # else retention removed it in the meantime
                    raise
        newest = f"{MODEL}/{here[-1].name}/" if here else ""
        if newest in self._complete:
            kept = {path.name for path in named_checkpoints(self._model)}
            for step in stored.steps_in(list(entries.values()), f"{MODEL}/"):
                if (name := f"checkpoint-{step}") not in kept:
                    self._remove(f"{MODEL}/{name}/", entries)

    def _put_summed(self, directory: Path, prefix: str, there: Mapping[str, Entry]) -> None:
        """Copy a directory with sums: they are removed there first, and written last."""
        while self._complete.get(prefix) != (sums := _sums(directory)):
            names = stored.names_in(sums)
            sizes = {name: (directory / name).stat().st_size for name in names}
            all_there = all(
                prefix + name in there and there[prefix + name].size == size
                for name, size in sizes.items()
            )
            has_sums = prefix + SUMS in there
            if has_sums and all_there and self.store.read_small(prefix + SUMS, 2**24) == sums:
                self._complete[prefix] = sums
                return
            self._complete.pop(prefix, None)
            if has_sums:
                self.store.delete(prefix + SUMS)
            for name in names:
                self.store.put(prefix + name, directory / name)
            if _sums(directory) == sums:  # a file may have been added in the meantime
                self.store.put_bytes(prefix + SUMS, sums)
                self._complete[prefix] = sums

    def _remove(self, prefix: str, there: Mapping[str, Entry]) -> None:
        self._complete.pop(prefix, None)
        names = [name for name in there if name.startswith(prefix)]
        for name in sorted(names, key=lambda one: one != prefix + SUMS):
            self.store.delete(name)


def _sums(directory: Path) -> bytes:
    return (directory / SUMS).read_bytes()
