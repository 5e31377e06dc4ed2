"""General speech that a training replays, with what the base recognizes in it for transcripts.

Tuning on one domain takes a recognizer away from all others. What it says of other speech today is
known without a person's transcripts: the base says it, at its own native window. Learned beside
the domain, it is kept (rehearsal of Robins 1995, with the base as its own teacher: Li and Hoiem
2016, arXiv 1606.09282).
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mynah import console
from mynah.config.schema import SynthesisConfig
from mynah.data.pieces import Piece
from mynah.data.tables import table as tables
from mynah.data.tables.shards import write_shard
from mynah.data.text import TextPolicy
from mynah.errors import UserError
from mynah.evaluation.baseline.before import BaseWeights, about_base, recognized
from mynah.evaluation.baseline.guards import GENERAL_GUARD, general_speech
from mynah.evaluation.baseline.kept import KeptPlace
from mynah.evaluation.baseline.sample import fixed_sample
from mynah.models.pretrained import hub

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.corpus import Corpus
    from mynah.data.preparation.training_rows import PreparedRows
    from mynah.models.family import Family
    from mynah.models.registry import CheckedModel

FEW_PIECES, PIECES = 200, 1000
_FEW_SECONDS = 400.0  # that few sentences of espeak have for certain
LONGEST_REPLAYED_SECONDS = 10.0
_SETTING = "data.replay_from"


def named_speech(config: Config, checked: CheckedModel, working_directory: Path) -> Corpus | None:
    """The speech that ``data.replay_from`` names, found before anything else is prepared.

    None where nothing is replayed, and for general speech, of which there is as much as is asked.

    Raises:
        UserError: It is not there, or lacks the split.
    """
    named = config.data.replay_from
    if not config.data.replay or named == GENERAL_GUARD or checked.parts.get("pretrained") is None:
        return None
    return general_speech(named, config, working_directory, setting=_SETTING, likeliest="train")


def with_replay(
    config: Config,
    checked: CheckedModel,
    family: Family,
    rows: PreparedRows,
    speech: Corpus | None,
    working_directory: Path,
) -> PreparedRows:
    """The rows to learn from with replayed ones among them, as ``data.replay`` asks.

    Args:
        config: The settings.
        checked: The model that is tuned.
        family: It, before its first step.
        rows: What there is to learn from.
        speech: What :func:`named_speech` found.
        working_directory: What relative paths are relative to.

    Raises:
        UserError: The speech to replay is not there, or the base recognizes nothing in it.
    """
    part, untuned = checked.parts.get("pretrained"), family.untuned()
    if not config.data.replay or part is None or untuned is None or rows.data.train is None:
        return rows
    share = config.data.replay
    wanted = share / (1 - share) * rows.data.train.hours * 3600
    pieces = _pieces(config, wanted, speech, working_directory)
    weights = BaseWeights(part.name, hub.commit_of(part))
    about = about_base(config, untuned, weights, untuned.describe_decoding())
    place = KeptPlace(rows.data.cache, about)
    named = config.data.replay_from
    console.say(
        f"Replaying {len(pieces):,} pieces of {named}, transcribed by {part.name}, in "
        f"{100 * share:g} % of the audio (data.replay=0 leaves them out)"
    )
    kept, _ = recognized(config, untuned, pieces, named, place)
    texts = [hypothesis.text.strip() for hypothesis in kept.hypotheses]
    there = np.flatnonzero([bool(text) for text in texts])
    if not len(there) and named == GENERAL_GUARD:
        console.notice(f"{part.name} recognizes nothing in general speech: none is replayed.")
        return rows
    if not len(there):
        raise UserError(
            f"{part.name} recognizes nothing in {named}.",
            where=_SETTING,
            fix="name other speech, or data.replay=0",
        )
    chosen = pieces.select(there)
    table = _table(chosen, [texts[row] for row in there], rows.data.cache)
    # A training that resumes elsewhere is the same one, though the base may there write another
    # letter of a piece: which pieces and whose transcripts counts, and not their letters.
    learned = dataclasses.replace(table, fingerprint=f"{chosen.fingerprint} {weights.commit}")
    train = rows.data.train.joined(Piece(learned, TextPolicy(), prefix="replay/"), share)
    rows.data.report["replay"] = {
        "from": named, "pieces": len(table), "share": share, "base": part.name,
        "fingerprint": table.fingerprint,
    }  # fmt: skip
    rows.data.report["fingerprints"]["train"] = train.fingerprint
    return dataclasses.replace(rows, data=dataclasses.replace(rows.data, train=train))


def _pieces(
    config: Config, seconds: float, speech: Corpus | None, working_directory: Path
) -> Corpus:
    """A fixed part of the speech to replay, short pieces alone: some so many seconds, as an
    epoch has room for no more and each has to be recognized first."""
    if speech is None:
        sentences = FEW_PIECES if seconds <= _FEW_SECONDS else PIECES
        synthesis = SynthesisConfig(train_sentences=sentences, noise_snr_db=[])
        speech = general_speech(
            GENERAL_GUARD,
            config,
            working_directory,
            setting=_SETTING,
            general=("train", synthesis),
        )
    short = speech.select(np.flatnonzero(speech.durations <= LONGEST_REPLAYED_SECONDS))
    if not len(short):
        raise UserError(
            f"{config.data.replay_from} has no piece of {LONGEST_REPLAYED_SECONDS:g} s or less.",
            where=_SETTING,
            fix="name speech in short pieces; `mynah data segment` cuts long recordings",
        )
    most = math.ceil(seconds * len(short) / float(short.durations.sum()))
    return fixed_sample(short, max(1, min(PIECES, most)))


def _table(pieces: Corpus, texts: list[str], cache: Path) -> tables.Table:
    digest = hashlib.blake2b(pieces.fingerprint.encode(), digest_size=8)
    digest.update("\n".join(texts).encode())

    def make(staging: Path, missing: list[int]) -> None:
        write_shard(tables.shard(staging, 0), pieces.with_texts(texts))

    directory = cache / f"replay-{digest.hexdigest()}"
    return tables.open_or_make(directory, 1, make, lambda: {"source": "replay"})
