"""From settings to corpora: sources, splits, and an account of every row."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mynah.config.naming.one_corpus import OWN_SPLIT
from mynah.config.schema import DataConfig
from mynah.console import notice, say
from mynah.data import splits
from mynah.data.corpus import Corpus
from mynah.data.pieces import Piece
from mynah.data.preparation.account import LISTED_ROWS, count_known, tell, write_account
from mynah.data.preparation.candidates import chosen_corpus
from mynah.data.preparation.held_out import UTTERANCE, HeldOut, hold_out
from mynah.data.preparation.leaks import known_leaks, tell_leaks
from mynah.data.preparation.mixture import Member, entries, entry_config
from mynah.data.preparation.own_split import nothing_to_measure, test_splits_of, with_own_split
from mynah.data.preparation.requests import Request
from mynah.data.preparation.selection import Stretch, joined_rows
from mynah.data.sources import open_source
from mynah.data.sources.reading.source import Place, UnknownSplitError
from mynah.data.tables import table as tables
from mynah.data.text import TextPolicy
from mynah.errors import ConfigErrors, UserError
from mynah.ranks.spread import Spread

HELD_OUT = "held_out"
_TRAIN = "train"


@dataclass(frozen=True)
class PreparedData:
    """What a run learns from and measures on.

    Attributes:
        train: The training corpus; None where only evaluation was asked for.
        evaluation: Evaluation corpora by split; in a mixture by SOURCE.SPLIT.
        report: What is written to data.json.
        dropped_files: For each split the file that lists every row left out of it.
        cache: Where the prepared tables lie.
        tests: Corpora that are measured once, at the end of a training.
    """

    train: Corpus | None
    evaluation: dict[str, Corpus]
    report: dict[str, Any] = field(default_factory=dict)
    dropped_files: dict[str, Path] = field(default_factory=dict)
    cache: Path = Path()
    tests: dict[str, Corpus] = field(default_factory=dict)

    @property
    def measured(self) -> dict[str, Corpus]:
        """All that is measured at the end of a training, what chooses its checkpoint first."""
        return self.evaluation | self.tests

    def write(self, directory: Path) -> None:
        """Write ``data.json``, and the rows left out where they are too many for it."""
        write_account(directory, self.report, self.dropped_files)


def prepare(
    config: DataConfig,
    *,
    offline: bool = False,
    working_directory: Path,
    train: bool = True,
    tests: bool = False,
    spread: Spread | None = None,
) -> PreparedData:
    """Find the corpora, decode each recording once, and account for each row.

    Training rows that cannot be read, have no transcript or do not pass the filters are left
    out; an evaluation keeps every row that has a transcript, unless ``data.filter_eval``.
    ``max_train_samples`` and ``max_eval_samples`` (a split) choose rows evenly over the
    corpus, always the same; slices of a split, as ``train[:500]``, are its first rows.

    Args:
        config: The settings of ``data``.
        offline: Never use the network.
        working_directory: What relative paths are relative to.
        train: Whether the training splits are prepared too.
        tests: Whether what is measured at the end of a training is.
        spread: Where recordings are decoded; None: here.

    Raises:
        UserError: A corpus is not there, has no transcripts, or lacks a split; nothing is wanted.
    """
    policy = TextPolicy.of(config, working_directory)
    cache = tables.cache_directory(config.dataset_cache_dir, working_directory)
    processes = config.num_proc or os.cpu_count() or 1
    place = Place.of(config, working_directory, processes=processes, offline=offline, spread=spread)
    members = _members(config, place)
    requests = _requests(members, cache, working_directory, train=train, tests=tests)
    report = _header(members)
    corpora: dict[str, Corpus] = {}
    dropped_files: dict[str, Path] = {}
    for request in requests:
        name = request.name
        corpora[name], account, dropped_files[name] = chosen_corpus(request, config, policy, cache)
        corpora[name].release()
        report["splits"][name] = account
        report["fingerprints"][name] = account["fingerprint"]
        if request.held is not None and not request.training:
            held = _described(request.held)
            report.setdefault(HELD_OUT, {})[request.members[0].name] = held
    if HELD_OUT in report and not config.mixture:
        report[HELD_OUT] = report[HELD_OUT][""]
    train_corpus = corpora.pop(_TRAIN, None) if train else None
    if config.mixture and train:
        report["mixture"] = _mixture(config, report["splits"][_TRAIN])
    tell(report)
    if train_corpus is not None and config.on_leak != "ignore":
        report["leaks"] = {}
        for name, corpus in corpora.items():
            report["leaks"][name] = known_leaks(train_corpus, corpus, cache)
            train_corpus.release()
            tell_leaks(name, report["leaks"][name], config.on_leak)
    once = {request.name: corpora.pop(request.name) for request in requests if request.once}
    return PreparedData(train_corpus, corpora, report, dropped_files, cache, once)


def _mixture(config: DataConfig, account: dict[str, Any]) -> dict[str, Any]:
    return {"temperature": config.mixture_temperature, "sources": account["sources"]}


def _members(config: DataConfig, place: Place) -> list[Member]:
    """The corpora of the run, opened: one, or those of the mixture."""
    if not config.mixture:
        return [Member("", config, open_source(config, place))]
    members = []
    for name, entry in entries(config).items():
        own = entry_config(config, entry)
        try:
            source = open_source(own, place, section=f"data.mixture.{name}")
        except ConfigErrors:
            raise  # which says where
        except UserError as problem:
            raise UserError(
                problem.what, where=f"data.mixture.{name}: {problem.where}", fix=problem.fix
            ) from problem
        members.append(
            Member(name, own, source, entry.weight, entry.max_train_samples, entry.max_train_hours)
        )
    return members


def _header(members: Sequence[Member]) -> dict[str, Any]:
    """What is known of the corpora before any split is looked at."""
    first = members[0]
    alone = not first.name
    report: dict[str, Any] = {
        "corpus": first.source.name if alone else " + ".join(member.name for member in members),
        "format": first.source.format if alone else "mixture",
        "identity": first.source.identity
        if alone
        else {member.name: member.source.identity for member in members},
        "splits": {},
        "fingerprints": {},
    }
    statements = {member.name: statement for member in members if (statement := _said(member))}
    if statements:
        report["statement"] = statements[""] if alone else _joined_statements(statements)
    return report


def _said(member: Member) -> dict[str, Any]:
    return member.source.statement()


def _joined_statements(statements: dict[str, dict[str, Any]]) -> dict[str, Any]:
    text = " ".join(f"{name}: {statement['text']}" for name, statement in statements.items())
    return {"text": text, "sources": statements}


def _requests(
    members: Sequence[Member], cache: Path, working_directory: Path, *, train: bool, tests: bool
) -> list[Request]:
    """The corpora that are wanted: training first, then each evaluation split, then tests."""
    learned: list[tuple[Member, Stretch, HeldOut | None]] = []
    measured: list[Request] = []
    tested: list[Request] = []
    for member in members:
        eval_splits = _eval_splits(member, train=train or tests)
        held = None
        wanted = member.config.train_splits
        if wanted and (train or eval_splits is None):
            stretches = _stretches(member, wanted, "train_splits", training=train)
            if eval_splits is None and member.config.eval_fraction > 0:
                held = _held_out(member, stretches, cache, working_directory)
                own = [member] * len(stretches)
                measured.append(Request(member.called(HELD_OUT), False, stretches, own, held))
            learned += [(member, stretch, held) for stretch in stretches]
        elif not wanted and not member.name:
            raise UserError("data.train_splits names no split.", where="data.train_splits")
        for stretch in _stretches(member, eval_splits or [], "eval_splits", training=False):
            measured.append(Request(member.called(stretch.name), False, [stretch], [member]))
        for stretch in _tests(member, eval_splits) if tests else []:
            name = member.called(stretch.name)
            tested.append(Request(name, False, [stretch], [member], once=True))
    if not train:
        if not measured and not tested:
            raise nothing_to_measure(in_mixture=bool(members[0].name))
        return [*measured, *tested]
    if not learned:
        raise UserError("Nothing is left to train on.", where="data.mixture", fix=None)
    return [_training_request(learned), *measured, *tested]


def _tests(member: Member, eval_splits: Sequence[str] | None) -> list[Stretch]:
    """The rows of each part that is measured once, at the end of a training."""
    asked, learned = member.config.test_splits, member.config.train_splits
    # Where a part is held out, that is measured, of the splits that are trained on.
    measured = learned if eval_splits is None else eval_splits
    names = test_splits_of(asked, member.source, learned=learned, measured=measured)
    return _stretches(member, names, "test_splits", training=False)


def _training_request(learned: Sequence[tuple[Member, Stretch, HeldOut | None]]) -> Request:
    stretches = []
    for _, stretch, held in learned:
        stretches.append(stretch if held is None else _without(stretch, held))
    return Request(_TRAIN, True, stretches, [member for member, _, _ in learned])


def _without(stretch: Stretch, held: HeldOut) -> Stretch:
    rows, _ = joined_rows([stretch])
    corpus = Corpus([stretch.piece], name="", sample_rate=1, rows=rows, fingerprint="none")
    return Stretch(stretch.name, stretch.piece, rows[~held.rows(corpus)])


def _eval_splits(member: Member, *, train: bool) -> list[str] | None:
    """Evaluation splits, None where a part of the training splits is to be held out."""
    config, source = member.config, member.source
    if not config.eval_splits:
        return config.eval_splits
    if config.streaming and not source.has_splits:
        raise UserError(
            f"{source.name} has no evaluation split, and nothing can be held out of a stream.",
            where="data.eval_splits",
            fix="put shards of a split beside those of training (validation-00000.parquet, "
            "validation/0000.tar), or measure nothing: data.eval_splits=[] "
            "training.eval_strategy=no training.load_best_model_at_end=false",
        )
    if config.eval_splits == [OWN_SPLIT]:
        try:
            return with_own_split(config.eval_splits, source, train=train)
        except UnknownSplitError as problem:
            raise _with_a_way_out(problem, member, "eval_splits") from None
    if source.has_splits:
        return config.eval_splits
    if config.eval_splits == ["validation"]:  # the default: the corpus has no splits at all
        notice(
            f"{source.name} has no evaluation split: about {config.eval_fraction:.0%} of it is "
            f"held out ({member.setting('eval_splits')}=null, data.eval_fraction)"
        )
        return None
    return config.eval_splits


def _stretches(
    member: Member, specifications: Sequence[str], setting: str, *, training: bool
) -> list[Stretch]:
    """The rows of each part that a setting asks for."""
    source = member.source
    source.stops_at_error = training and member.config.on_error == "fail"
    found = []
    for specification in specifications:
        for wanted in splits.parse_split(specification):
            try:
                parts = source.parts(wanted.name)
            except UnknownSplitError as problem:
                raise _with_a_way_out(problem, member, setting) from None
            for part in parts:
                table = source.table(part, wanted.first_rows)
                piece = Piece(table, language=member.config.language, source=member.name or None)
                rows = wanted.rows(len(table))
                kept_all = len(rows) == len(table)
                name = str(splits.SplitSlice(part.name, wanted.start, wanted.stop))
                found.append(
                    Stretch(name, piece, None if kept_all else np.arange(len(table))[rows])
                )
    return found


def _with_a_way_out(problem: UnknownSplitError, member: Member, setting: str) -> UnknownSplitError:
    problem.where = member.setting(setting)
    if setting == "eval_splits" and (path := _path_among(member.config.eval_splits or [])):
        problem.fix = (
            f"{path} is a corpus of its own: `mynah eval outputs/model {path}` measures on it, and "
            "data.mixture trains on one corpus and measures on another"
        )
    elif problem.there:
        # What is trained on is the last thing to propose for measuring.
        trained = {text.partition("[")[0] for text in member.config.train_splits}
        unseen = [name for name in problem.there if name not in trained]
        likely = (unseen or problem.there) if setting == "eval_splits" else problem.there
        problem.fix = f"{member.setting(setting)}=[{likely[0]}]"
        if setting == "eval_splits":
            problem.fix += ", or hold out a part of the training data: "
            problem.fix += f"{member.setting(setting)}=null"
    return problem


def _path_among(names: Sequence[str]) -> str | None:
    """The first of some splits' names that is a folder or a file here."""
    return next((name for name in names if Path(name).expanduser().exists()), None)


def _held_out(
    member: Member, stretches: Sequence[Stretch], cache: Path, working_directory: Path
) -> HeldOut:
    config = member.config
    about = f"{config.train_splits} {config.eval_fraction}"
    file = _held_out_file(member.source.identity, about, working_directory)
    rows, _ = joined_rows(stretches)
    corpus = Corpus(
        [stretch.piece for stretch in stretches],
        name="",
        sample_rate=config.sample_rate,
        rows=rows,
        fingerprint="none",
    )
    held = hold_out(
        corpus,
        fraction=config.eval_fraction,
        file=file,
        root=member.source.identity,
        lock=cache / f"held-out-{_digest(str(file))}",
    )
    kept = "as in earlier runs" if held.frozen else "for this and later runs"
    count = int(held.rows(corpus).sum())
    several = "" if len(held.names) == 1 else "s"
    say(
        f"Held out for evaluation {kept}: {len(held.names):,} {held.by}{several}, {count:,} of "
        f"{len(corpus):,} utterances ({count / len(corpus):.0%}), kept in {file}"
    )
    if held.by == UTTERANCE and count_known(corpus, "speaker"):
        notice(
            "The corpus has too few speakers to hold one out: those who are measured are also "
            "trained on, and the error rate says less of others."
        )
    return held


def _held_out_file(identity: str, about: str, working_directory: Path) -> Path:
    """Where a choice is kept: in the corpus's folder, so that it goes where that goes; where
    nothing can be written there, beside the runs."""
    place = Path(identity)
    folder = place if place.is_dir() else place.parent
    if place.is_absolute() and folder.is_dir() and os.access(folder, os.W_OK):
        return folder / f"held-out-{_digest(about)}.mynah"
    return working_directory / "outputs" / f"held-out-{_digest(f'{identity} {about}')}.json"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _described(held: HeldOut) -> dict[str, Any]:
    names = sorted(held.names)
    if len(names) <= LISTED_ROWS:
        return {"by": held.by, "names": names}
    return {"by": held.by, "count": len(names), "names": names[:LISTED_ROWS]}
