"""Speech is found where it is, and a decoder is not asked what silence says."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch
from tone_reader import ToneReader, speech

from mynah.data.audio import files
from mynah.data.synthetic.espeak import espeak
from mynah.inference import voice_activity
from mynah.inference.recognizer import Recognizer
from mynah.inference.voice_activity import (
    FRAME_SECONDS,
    LevelDetector,
    SileroDetector,
    detector,
    nobody_speaks,
    silero_file,
)

RATE = 16000
installed = pytest.mark.skipif(
    importlib.util.find_spec("silero_vad") is None, reason="needs the extra transcribe"
)


@pytest.fixture(scope="module")
def talk():
    """Three sentences with two seconds of faint noise around each: sound, and where they are."""
    pytest.importorskip("espeakng_loader")
    draw = np.random.default_rng(0)
    pieces, spans, seconds = [np.zeros(2 * RATE, np.float32)], [], 2.0
    for text in ("please call anna tomorrow", "seven people waited", "the rain began to fall"):
        said = files.resample(espeak().speak(text, "en-us", 150, 50), espeak().sample_rate, RATE)
        loud = np.flatnonzero(np.abs(said) > 0.01)
        said = said[loud[0] : loud[-1]]
        spans.append((seconds, seconds + len(said) / RATE))
        pieces += [said, np.zeros(2 * RATE, np.float32)]
        seconds += len(said) / RATE + 2.0
    audio = np.concatenate(pieces)
    return (audio + 1e-3 * draw.standard_normal(len(audio))).astype(np.float32), spans


def marked(found, audio):
    frames = len(audio) // found.frame_samples
    return found.speech(found.feed(audio[: frames * found.frame_samples]))


@pytest.mark.parametrize("kind", ["loudness", pytest.param("Silero VAD", marks=installed)])
@pytest.mark.parametrize("rate", [8000, 16000, 24000])
def test_speech_is_found_where_it_is(kind, rate, talk, monkeypatch):
    if kind == "loudness":
        monkeypatch.setattr(voice_activity, "silero_file", lambda: None)
    audio, spans = talk
    found = detector(rate)
    assert found.name == kind
    speech_frames = marked(found, files.resample(audio, RATE, rate))
    times = (np.arange(len(speech_frames)) + 0.5) * FRAME_SECONDS
    inside = np.zeros(len(times), dtype=bool)
    for start, end in spans:
        inside |= (times > start) & (times < end)
    assert speech_frames[inside].mean() > 0.85
    far = np.ones(len(times), dtype=bool)
    for start, end in spans:
        far &= (times < start - 0.2) | (times > end + 0.4)
    assert speech_frames[far].mean() < 0.02


@installed
def test_many_stretches_at_once_are_scored_as_one_after_the_other(talk):
    """The model's own way, frame by frame from the beginning, is the right one."""
    audio = np.tile(talk[0], 3)[: 40 * RATE]
    count = len(audio) // 512
    model = torch.jit.load(str(silero_file()))
    model.reset_states()
    with torch.no_grad():
        expected = [
            float(model(torch.from_numpy(audio[at * 512 : (at + 1) * 512]), RATE))
            for at in range(count)
        ]
    ours = SileroDetector(RATE, silero_file())
    half = count // 2 * 512
    found = np.concatenate([ours.feed(audio[:half]), ours.feed(audio[half : count * 512])])
    assert len(found) == count
    assert np.mean((found > 0.5) != (np.array(expected) > 0.5)) < 0.02


@installed
def test_a_decoder_is_not_asked_what_noise_says(talk):
    noise = (0.05 * np.random.default_rng(0).standard_normal(4 * RATE)).astype(np.float32)
    assert nobody_speaks(noise, RATE) and not nobody_speaks(talk[0], RATE)
    for family, decoded in (("seq2seq", False), ("audio_llm", False), ("ctc", True)):
        reader = ToneReader(name=family)
        made = Recognizer(reader, name="tones").transcribe(noise)
        assert bool(reader.heard) is decoded
        assert (made.guarded.silent_seconds == 4.0) is not decoded


def test_without_silero_digital_silence_alone_is_kept_from_a_decoder(monkeypatch):
    monkeypatch.setattr(voice_activity, "silero_file", lambda: None)
    assert nobody_speaks(np.zeros(RATE, np.float32), RATE)
    assert nobody_speaks(np.full(RATE, 0.3, np.float32), RATE)  # a constant makes no sound
    assert not nobody_speaks(speech("stop", noise=0.0)[0], RATE)


def test_loudness_keeps_a_speaker_who_is_far_softer_than_another():
    loud, soft = speech("call anna")[0], speech("stop")[0] / 12  # 22 dB below
    pause = (1e-4 * np.random.default_rng(0).standard_normal(2 * RATE)).astype(np.float32)
    found = LevelDetector(RATE)
    speech_frames = marked(found, np.concatenate([pause, loud, pause, soft, pause]))
    first = round((4 + len(loud) / RATE) / FRAME_SECONDS)
    assert speech_frames[first : first + round(len(soft) / RATE / FRAME_SECONDS)].mean() > 0.5
    assert not speech_frames[: round(1.9 / FRAME_SECONDS)].any()
