"""Replay: what the base says of other speech is learned beside the domain, at a share."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from data_helpers import settings, write_folder

from mynah.config.schema import Config
from mynah.data.augmentation.chain import Augmentation
from mynah.data.preparation.prepare import prepare
from mynah.data.preparation.training_rows import PreparedRows
from mynah.errors import UserError
from mynah.evaluation.baseline import replay
from mynah.models.transcript import Transcript
from mynah.training.sizing.batch_size import batch_plan

DOMAIN = [(f"d{row}.wav", f"calls {row}", "ann") for row in range(12)]
OTHER = [(f"o{row}.wav", "never learned", "ben") for row in range(8)]


@dataclass
class Base:
    """Says of each clip how many tenths of a second it has; of one it says nothing."""

    silent: int = 0
    asked: list[float] = field(default_factory=list)
    sample_rate = 16000
    model = torch.nn.Linear(1, 1)

    def untuned(self):
        return self

    def describe_decoding(self):
        return "greedy"

    def base_revisions(self):
        return {}

    def encoded_seconds(self, seconds):
        return seconds

    def transcribe(self, clips):
        tenths = [round(len(clip.audio) / 1600) for clip in clips]
        self.asked += tenths
        return [Transcript("" if one == self.silent else f" Of {one}.") for one in tenths]


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    """A run's rows with some of another folder replayed, and what was decoded for it."""
    monkeypatch.setattr(replay.hub, "commit_of", lambda part: "sha256:1")
    write_folder(tmp_path / "calls", DOMAIN)
    write_folder(tmp_path / "other", OTHER)

    def rows(share=0.5, base=None, **changed):
        config = Config()
        named = {"replay_from": str(tmp_path / "other")} | changed
        config.data = settings(
            tmp_path, dataset_name=str(tmp_path / "calls"), eval_splits=[], replay=share, **named
        )
        data = prepare(config.data, working_directory=tmp_path)
        given = PreparedRows(data, None, Augmentation.open(config.data.augmentation,
                                                           sample_rate=16000, seed=0))  # fmt: skip
        base = base or Base()
        checked = SimpleNamespace(parts={"pretrained": SimpleNamespace(name="base")})
        speech = replay.named_speech(config, checked, tmp_path)
        return config, replay.with_replay(config, checked, base, given, speech, tmp_path), base

    return rows


def test_what_the_base_says_is_learned_as_it_is_beside_the_transcripts(prepared):
    _, rows, _ = prepared()
    train = rows.data.train
    assert train.texts[:12] == [text for _, text, _ in DOMAIN]
    assert sorted(train.texts[12:]) == sorted(f"Of {5 + row}." for row in range(8))
    assert len(train.read_audio(12)) == round(train.durations[12] * 16000)
    assert all(one.startswith("replay/") for one in train.ids[12:])
    assert rows.data.report["replay"]["pieces"] == 8


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_an_epoch_s_audio_is_replayed_in_the_share_asked_for(prepared, share):
    config, rows, _ = prepared(share)
    train = rows.data.train
    config.training.batch_seconds = 4.0
    plan = batch_plan(train, config)
    seen = np.zeros(len(train))
    for epoch in range(40):
        for number in range(plan.batches_per_epoch):
            for row, weight in plan.batch(epoch, number):
                seen[row] += weight * train.durations[row]
    assert seen[12:].sum() / seen.sum() == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_nothing_of_the_domain_is_left_out_of_an_epoch_for_it(prepared, share):
    config, rows, _ = prepared(share)
    config.training.batch_seconds = 4.0
    plan = batch_plan(rows.data.train, config)
    learned = [row for n in range(plan.batches_per_epoch) for row, _ in plan.batch(0, n)]
    assert set(range(12)) <= set(learned)


def test_a_letter_that_the_base_writes_otherwise_elsewhere_makes_no_other_training(
    prepared, tmp_path
):
    class Elsewhere(Base):
        def transcribe(self, clips):
            return [Transcript(f"{one.text}!") for one in super().transcribe(clips)]

    here = prepared()[1].data
    there = prepared(base=Elsewhere(), dataset_cache_dir=str(tmp_path / "elsewhere"))[1].data
    assert here.train.texts[12:] != there.train.texts[12:]
    assert here.train.fingerprint == there.train.fingerprint
    assert here.report["replay"]["fingerprint"] != there.report["replay"]["fingerprint"]


def test_the_base_is_asked_once(prepared):
    assert len(prepared()[2].asked) == 8
    assert prepared()[2].asked == []


@pytest.mark.parametrize(("share", "pieces"), [(0.1, 2), (0.25, 5), (0.5, 8), (0.9, 8)])
def test_no_more_is_recognized_than_an_epoch_has_room_for(prepared, share, pieces):
    """12.6 s of calls: a tenth of an epoch is 1.4 s of others, which are 0.85 s on average."""
    assert len(prepared(share)[2].asked) == pieces


def test_another_share_is_another_corpus_and_none_is_the_corpus_itself(prepared):
    prints = [prepared(share)[1].data.report["fingerprints"]["train"] for share in (0.1, 0.2)]
    _, rows, base = prepared(0.0)
    assert base.asked == [] and "replay" not in rows.data.report and len(rows.data.train) == 12
    assert len({*prints, rows.data.report["fingerprints"]["train"]}) == 3


def test_pieces_in_which_the_base_recognizes_nothing_are_left_out(prepared):
    _, rows, _ = prepared(base=Base(silent=7))
    assert len(rows.data.train) == 12 + 7 and "" not in rows.data.train.texts


def test_a_base_that_recognizes_nothing_is_refused_where_speech_was_named(prepared, monkeypatch):
    monkeypatch.setattr(Base, "transcribe", lambda self, clips: [Transcript("")] * len(clips))
    with pytest.raises(UserError, match=r"recognizes nothing in .*other"):
        prepared()


def test_and_trained_without_replay_where_none_was(prepared, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(Base, "transcribe", lambda self, clips: [Transcript("")] * len(clips))
    other = replay.general_speech
    monkeypatch.setattr(
        replay, "general_speech", lambda named, *of, **to: other(str(tmp_path / "other"), *of, **to)
    )
    _, rows, _ = prepared(replay_from="general")
    assert len(rows.data.train) == 12 and "replay" not in rows.data.report
    assert "recognizes nothing in general speech" in capsys.readouterr().out


def test_long_recordings_are_not_replayed(prepared, monkeypatch):
    monkeypatch.setattr(replay, "LONGEST_REPLAYED_SECONDS", 0.4)
    with pytest.raises(UserError, match=r"no piece of 0\.4 s"):
        prepared()
