"""Fingerprints keep the values they had when a checkpoint or a cache was written.

The values were recorded before names of classes and attributes had left what is hashed: a
checkpoint from then must resume today, and a prepared table must be found again.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mynah.config.schema import DataConfig, SynthesisConfig
from mynah.data.pieces import Piece, fingerprint_of
from mynah.data.preparation import candidates
from mynah.data.preparation.requests import Request
from mynah.data.preparation.selection import Stretch
from mynah.data.sources import synthetic
from mynah.data.sources.reading.source import Place
from mynah.data.synthetic.espeak import Spoken
from mynah.data.text import TextPolicy
from mynah.segmentation import segment
from mynah.segmentation.aligning.aligned_text import Rules
from mynah.segmentation.aligning.posteriors import PosteriorWindows


def a_table(fingerprint: str) -> SimpleNamespace:
    return SimpleNamespace(fingerprint=fingerprint, directory=Path("/cache/an4-0123"))


@pytest.mark.parametrize(
    ("policy", "recorded"),
    [
        (None, "5995ec7e732f88e9039f10c4d9c66cbd"),
        (TextPolicy(), "5995ec7e732f88e9039f10c4d9c66cbd"),
        (TextPolicy(lower=True), "5478eb1d477ba662e7aaf01af70ea145"),
        (TextPolicy(strip_punctuation=True), "ee6512b043e1465e07bf2b72a6759208"),
        (
            TextPolicy(True, True, (("colour", "color"), ("it's", "it is"))),
            "710a8668ff9f87732a7787cf4b69940e",
        ),
        (TextPolicy(substitutions=(("*ß", "ss"),)), "33d1bc44e00023971d1db3b83432887f"),
        (
            TextPolicy(substitutions=(('say "it\'s"', "é\n"),)),
            "4f6272e4564d0d4dbe484e0e3fc88a1e",
        ),
    ],
)
def test_a_corpus_under_a_text_policy_keeps_its_fingerprint(policy, recorded):
    pieces = [Piece(a_table("0123abcd"), policy=policy)]
    assert fingerprint_of(pieces, None, repeats=None, sample_rate=16000) == recorded


def test_a_mixture_keeps_its_fingerprint():
    pieces = [
        Piece(a_table("0123abcd"), policy=TextPolicy(lower=True), prefix="a/"),
        Piece(a_table("ff"), language="de", source="b", prefix="b's/"),
    ]
    found = fingerprint_of(
        pieces, np.array([2, 0, 5]), repeats=np.array([1.0, 0.5, 2.0]), sample_rate=8000
    )
    assert found == "66b0b1f84c4444db76855dce16c9d2fa"


def test_rows_of_a_smaller_type_keep_their_fingerprint():
    rows = np.array([2, 0], dtype=np.int32)
    pieces = [Piece(a_table("0123abcd"), language="de")]
    found = fingerprint_of(pieces, rows, repeats=None, sample_rate=8000)
    assert found == "4d523b77b7b1c9310791a45a4b2ab209"


@pytest.mark.parametrize(
    ("training", "recorded"),
    # The first is of version 2 of the policies: it was 884af4c89a68ea1f5ae8421d before, without.
    [(True, "17fa9bfaa3172d9beab985e0"), (False, "cb8af428999a690a40c5b61d")],
)
def test_what_was_chosen_is_found_again_in_the_cache(monkeypatch, training, recorded, tmp_path):
    class FoundError(Exception):
        pass

    def reading(directory):
        raise FoundError(directory.name)

    monkeypatch.setattr(candidates, "read_view", reading)
    member = SimpleNamespace(name="calls", weight=2.0, max_samples=None, max_hours=1.5)
    request = Request("train", training, [Stretch("train", Piece(a_table("ab")))], [member])
    policy = TextPolicy(lower=True, substitutions=(("colour", "color"),))
    config = DataConfig(dataset_name="an4", on_other_script="drop")  # the default of then
    with pytest.raises(FoundError, match=f"^{recorded}$"):
        candidates.chosen_corpus(request, config, policy, tmp_path)


def test_embedded_speech_is_found_again_in_the_cache(monkeypatch, tmp_path):
    spoken = [
        Spoken("train-000000", "call me", "en-us", 170, 50, None, 7),
        Spoken("train-000001", "it's late", "en-gb+f3", 120, 33, 12.5, 2**31 - 1),
    ]
    monkeypatch.setattr(synthetic, "plan", lambda split, config: spoken)
    version = SimpleNamespace(version="1.52.0")
    monkeypatch.setattr(synthetic.espeak, "espeak", lambda: version)
    found = []
    monkeypatch.setattr(synthetic.tables, "open_or_make", lambda path, *_: found.append(path))
    config = DataConfig(synthesis=SynthesisConfig(), sample_rate=16000)
    source = synthetic.SyntheticSource.open(config, Place(tmp_path, tmp_path, None, 1, True))
    source.table(source.parts("train")[0])
    assert [path.name for path in found] == ["synthetic-train-afda40d0a8c1bfaf"]


def test_a_cut_recording_is_found_again_by_its_settings():
    request = SimpleNamespace(
        rules=Rules(least_score=-2.5), windows=PosteriorWindows(seconds=8.0), write_audio=True
    )
    settings = segment._settings(request, SimpleNamespace(identity="model@1"))
    written = json.dumps(settings, sort_keys=True).encode()
    found = hashlib.blake2b(written, digest_size=16).hexdigest()
    # Of the third method, which cuts no utterance from two channels: what older ones cut, as
    # 5bbdfabae7b01d2c0b4672819f3b484d, is cut again.
    assert found == "4326f1e5fbb8b8c44d72354ddea2510f"
