"""Which models may align, and a real CTC model of each kind through the full command."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

sys.path.insert(0, str(Path(__file__).parents[3]))

import standins

from mynah.cli import main
from mynah.config.schema import EncoderConfig, ModelConfig
from mynah.errors import UserError
from mynah.models import registry
from mynah.models.features.frontends import frame_samples
from mynah.segmentation.aligning.model import find_aligner
from mynah.segmentation.aligning.posteriors import PosteriorWindows, listen
from mynah.segmentation.recording import Recording

TEXTS = ["call anna at five", "what's the weather in paris"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """A checkpoint of ours with random weights."""
    encoder = EncoderConfig(
        hidden_size=16, layers=1, heads=2, feed_forward_size=32, subsampling_channels=4, mel_bins=24
    )
    config = ModelConfig(encoder=encoder, tokenizer="character")
    family = registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)
    directory = tmp_path_factory.mktemp("checkpoint")
    family.save(directory)
    return directory


@pytest.fixture
def recording(tmp_path) -> Path:
    draw = np.random.default_rng(0)
    soundfile.write(tmp_path / "talk.flac", 0.1 * draw.standard_normal(16000 * 7), 16000)
    (tmp_path / "talk.txt").write_text("Call Anna at five! What's the weather in Paris?")
    return tmp_path / "talk.flac"


def accounted_for(folder: Path) -> str:
    """All the text that was kept or rejected, in its order."""
    rows = [
        json.loads(line)
        for name in ("manifest.jsonl", "rejected.jsonl")
        for line in (folder / name).read_text(encoding="utf-8").splitlines()
    ]
    return " ".join(row["text"] for row in sorted(rows, key=lambda row: row["id"]))


def test_a_checkpoint_of_ours_accounts_for_every_word(checkpoint, recording, tmp_path):
    arguments = ["data", "segment", str(recording), "--model", str(checkpoint)]
    # 2: of random weights every utterance may be rejected, and is listed all the same.
    assert main.main([*arguments, "--to", str(tmp_path / "to"), "--offline"]) in (0, 2)
    assert accounted_for(tmp_path / "to") == recording.with_suffix(".txt").read_text()


@pytest.mark.parametrize("kind", ["wav2vec2_ctc", "parakeet_ctc"])
def test_a_model_of_the_hub_accounts_for_every_word(kind, recording, tmp_path, monkeypatch):
    cache = tmp_path / "hub"
    standins.install(cache, f"someone/{kind}", kind)
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    arguments = ["data", "segment", str(recording), "--model", f"someone/{kind}"]
    # 2: of random weights every utterance may be rejected, and is listed all the same.
    assert main.main([*arguments, "--to", str(tmp_path / "to"), "--offline"]) in (0, 2)
    assert accounted_for(tmp_path / "to") == recording.with_suffix(".txt").read_text()


def test_windows_lose_no_frame_and_put_each_at_its_time(checkpoint, recording):
    family = find_aligner(str(checkpoint), Path.cwd()).load()
    full, windows = (
        listen(
            Recording(recording),
            family,
            [2, 3],
            separators=frozenset(),
            star_cost=2.0,
            windows=PosteriorWindows(seconds, context_seconds=1.0),
        )
        for seconds in (100.0, 2.0)
    )
    assert full.frame_seconds == frame_samples(family.frontend) / 16000 == 0.04
    assert len(full.scores) == len(windows.scores) == len(windows.levels) == 7 * 25
    np.testing.assert_allclose(full.levels, windows.levels, atol=1e-3)


def test_a_stretch_is_read_from_where_it_begins(checkpoint, recording):
    family = find_aligner(str(checkpoint), Path.cwd()).load()

    def levels(**stretch):
        return listen(
            Recording(recording),
            family,
            [2],
            separators=frozenset(),
            star_cost=2.0,
            windows=PosteriorWindows(),
            **stretch,
        ).levels

    part = levels(start_seconds=2.0, end_seconds=3.0)
    np.testing.assert_allclose(part, levels()[50:75], atol=1e-3)


def test_a_model_that_does_not_say_when_a_word_is_said_is_refused(tmp_path):
    whisper = standins.write(tmp_path / "whisper", "whisper")
    with pytest.raises(UserError):
        find_aligner(str(whisper), tmp_path)
    chat = standins.write(tmp_path / "chat", "chat_lm")
    with pytest.raises(UserError, match="language model"):
        find_aligner(str(chat), tmp_path)
    (tmp_path / "speech_llm").mkdir()
    (tmp_path / "speech_llm" / "config.json").write_text('{"model_type": "mynah_speech_llm"}')
    with pytest.raises(UserError, match="does not say when a word is said"):
        find_aligner(str(tmp_path / "speech_llm"), tmp_path)


def test_an_encoder_that_never_learned_to_recognize_is_refused(checkpoint, tmp_path):
    import shutil

    bare = shutil.copytree(checkpoint, tmp_path / "bare")
    (bare / "tokenizer.json").unlink()
    (bare / "tokenizer_config.json").unlink()
    encoder = standins.write(tmp_path / "encoder", "w2v_bert")
    for folder in (bare, encoder):
        with pytest.raises(UserError, match="never trained to recognize"):
            find_aligner(str(folder), tmp_path)


@pytest.mark.parametrize("name", ["./nothing", "nothing", "a/b/c"])
def test_a_model_that_is_not_there_is_said_to_be_missing(name, tmp_path):
    with pytest.raises(UserError, match="There is no checkpoint") as caught:
        find_aligner(name, tmp_path)
    assert caught.value.where == f"--model {name}"


def test_a_folder_without_a_checkpoint_is_said_to_hold_none(tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(UserError, match="holds no checkpoint") as caught:
        find_aligner("run", tmp_path)
    assert caught.value.where == "--model run"
