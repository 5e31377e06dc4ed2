"""A long recording is cut block by block: what is held stays small, its pieces stay the same."""

from __future__ import annotations

import numpy as np
import pytest
from tone_reader import ToneReader, speech

from mynah.checkpoints.clip_lengths import ClipLengths
from mynah.inference import long_form
from mynah.inference.long_form import Cutting, LongForm
from mynah.inference.recognizer import Recognizer
from mynah.inference.voice_activity import LevelDetector

RATE, FRAME = 1000, 32  # hertz, samples
CLIPS = ClipLengths(2.0, 5.0)
# First frame and frames of each piece of ``recording(152)``, by the version that held everything
# since the last piece until another followed it.
PIECES = {
    "clips": [
        (0, 46), (70, 56), (130, 49), (203, 63), (290, 71), (505, 93), (622, 65), (687, 34),
        (3205, 89), (3294, 52), (3370, 68), (3439, 61), (4384, 53), (4438, 19), (4481, 74),
        (4559, 53), (4656, 24), (4684, 119), (4804, 20), (4824, 45), (4978, 95), (5074, 47),
        (5125, 90), (5359, 83), (5551, 91), (5642, 53), (5695, 102), (5941, 21), (5966, 38),
        (6005, 58), (6064, 93), (6301, 74), (6375, 112), (6487, 25), (7396, 74), (7470, 130),
        (7600, 73), (7717, 29), (7746, 138), (7884, 37), (7945, 34), (14963, 67), (15030, 73),
        (15107, 74), (15205, 67), (15272, 98), (15371, 54), (15534, 34), (15569, 42), (15612, 55),
        (15671, 67), (15738, 60), (15798, 143),
    ],
    "joined": [
        (0, 179), (203, 158), (505, 216), (3205, 141), (3370, 130), (4384, 228), (4656, 213),
        (4978, 237), (5359, 83), (5551, 246), (5941, 216), (6301, 211), (7396, 204), (7600, 146),
        (7746, 233), (14963, 218), (15205, 220), (15534, 204), (15738, 203),
    ],
}  # fmt: skip
CUTTINGS = {"clips": Cutting(9.0, clips=CLIPS), "joined": Cutting(9.0, joined_seconds=8.1)}


class Marked:
    """Speech is where the sound is loud; counts the frames that it is asked of."""

    name, frame_samples = "marked", FRAME

    def __init__(self) -> None:
        self.asked: list[int] = []

    def feed(self, audio: np.ndarray) -> np.ndarray:
        return np.abs(audio.reshape(-1, FRAME)).mean(axis=1).astype(np.float32)

    def speech(self, scores: np.ndarray) -> np.ndarray:
        self.asked.append(len(scores))
        return scores > 0.5


def sound(*frames: int) -> np.ndarray:
    """So many frames of speech, of silence, of speech, ..."""
    loud = [np.full(count, (number + 1) % 2) for number, count in enumerate(frames)]
    return np.repeat(np.concatenate(loud), FRAME).astype(np.float32)


def recording(seed: int) -> np.ndarray:
    """Fourteen talks with pauses of up to 1.3 s, and up to four minutes between two of them."""
    draw = np.random.default_rng(seed)
    frames: list[int] = []
    for _ in range(14):
        for _ in range(int(draw.integers(2, 9))):
            frames += [int(draw.integers(3, 60)), int(draw.choice([2, 4, 6, 9, 14, 20, 40]))]
        frames += [int(draw.integers(3, 60)), int(draw.choice([60, 125, 160, 900, 2500, 7000]))]
    return sound(*frames)


def blocks(audio, size=7 * RATE):
    return (audio[at : at + size] for at in range(0, len(audio), size))


def cut(audio, cutting):
    long = LongForm(RATE, cutting, Marked())
    found = []
    for one in long.pieces(blocks(audio)):
        start = round(one.start_seconds * RATE)
        assert np.array_equal(one.audio, audio[start : start + len(one.audio)])
        found.append((start / FRAME, len(one.audio) / FRAME))
    said = sum(frames for _, frames in found) * FRAME / RATE
    assert long.silent_seconds == pytest.approx(len(audio) / RATE - said, abs=0.04)
    return found


@pytest.mark.parametrize("way", CUTTINGS)
def test_pieces_are_those_that_were_cut_when_all_was_held(way):
    """One of the talks before four minutes of silence has a pause that is cut at only by what is
    known after it: it is held until then."""
    assert cut(recording(152), CUTTINGS[way]) == PIECES[way]


@pytest.mark.parametrize("seed", range(12))
def test_pieces_are_those_of_a_recording_that_is_cut_at_once(seed, monkeypatch):
    audio = recording(seed)
    found = cut(audio, CUTTINGS["joined"])
    monkeypatch.setattr(long_form, "_BLOCK_SECONDS", 1e6)
    assert found == cut(audio, CUTTINGS["joined"]) and len(found) > 14


@pytest.mark.parametrize("way", CUTTINGS)
@pytest.mark.parametrize("last", [(300,), (100, 10, 100)], ids=["one run", "a pause in it"])
def test_an_hour_of_silence_behind_speech_is_not_held(way, last):
    """The two minutes at a time that it takes to cut it, and not 112,500 frames."""
    detector = Marked()
    long = LongForm(RATE, CUTTINGS[way], detector)
    audio = sound(*last, 3600 * RATE // FRAME)
    assert 1 <= len(list(long.pieces(blocks(audio)))) <= 3
    assert max(detector.asked) < 200 * RATE / FRAME
    assert long.silent_seconds == pytest.approx(3600, abs=1)


def test_speech_that_begins_with_a_block_is_padded_by_the_silence_before_it():
    """Four blocks of 60.032 s: what comes behind the silence that is left out begins 0.25 s
    before its speech, in the sound of its own place."""
    audio = sound(100, 4 * 1876 - 100, 100, 50)
    found = [
        (round(one.start_seconds * RATE) / FRAME, len(one.audio) / FRAME)
        for one in LongForm(RATE, CUTTINGS["joined"], Marked()).pieces(blocks(audio, 1876 * FRAME))
    ]
    assert found == [(0, 108), (4 * 1876 - 8, 116)]


def test_the_last_piece_comes_before_the_silence_behind_it_is_read():
    read = []

    def counted(audio):
        for block in blocks(audio):
            read.append(len(block) / RATE)
            yield block

    audio = sound(100, 3600 * RATE // FRAME)
    pieces = LongForm(RATE, CUTTINGS["joined"], Marked()).pieces(counted(audio))
    assert next(pieces).start_seconds == 0 and sum(read) < 70
    assert list(pieces) == [] and sum(read) > 3600


def test_speech_without_a_pause_says_that_the_next_piece_begins_inside():
    """Windows of 281 frames share 70: with its padding, 2,508 frames are eleven and a rest."""
    long = LongForm(RATE, CUTTINGS["joined"], Marked())
    pieces = list(long.pieces(blocks(sound(2500, 60, 50, 300))))
    assert [one.is_continued for one in pieces] == 11 * [True] + [False, False]
    assert [one.overlap_seconds > 0 for one in pieces] == [False] + 11 * [True] + [False]


def test_the_last_segment_of_a_stream_comes_when_it_is_decoded(monkeypatch):
    """Not behind five minutes of silence."""
    from mynah.inference import recognizer

    monkeypatch.setattr(recognizer, "detector", LevelDetector)
    audio, _ = speech("call anna", 300.0, "stop", 1.0, noise=1e-5)
    read = [0.0]
    made = Recognizer(ToneReader(5.0), name="tones")
    streamed = made.stream_file(audio, check=lambda seconds: read.append(seconds))
    assert next(streamed).text == "call anna" and max(read) < 70
    assert [one.text for one in streamed] == ["stop"] and max(read) > 300


def test_noise_behind_speech_is_measured_against_the_speech():
    """By loudness: fifteen minutes of noise, 25 dB below speech, are not taken for it, though an
    hour of what is held with the speech would be."""
    audio, _ = speech("call anna now " * 8, 900.0, noise=1e-3)
    rate = ToneReader().sample_rate
    long = LongForm(rate, Cutting(20.0), LevelDetector(rate))
    (piece,) = long.pieces(blocks(audio, rate))
    assert len(piece.audio) / rate == pytest.approx(len(audio) / rate - 900, abs=0.5)


@pytest.mark.parametrize("soft", [0.0, 0.0032], ids=["noise", "soft speech"])
def test_noise_that_a_span_reaches_into_later_is_left_out(soft):
    """By loudness: speech 34 dB above the noise until 10 s, and 0.3 s of it from 55 s on, in a
    block of 60. With ten seconds more, those are 10 frames of some 477, so that all of the noise
    is taken for speech. What is behind 55.3 s is a piece only where somebody speaks in it, 10 dB
    above the noise: from 63 to 64 s."""
    draw = np.random.default_rng(0)
    level = np.full(70 * RATE, 0.001)
    level[: 10 * RATE] = level[55 * RATE : 55 * RATE + 300] = 0.05
    level[63 * RATE : 64 * RATE] += soft
    audio = (level * draw.standard_normal(len(level))).astype(np.float32)
    long = LongForm(RATE, Cutting(20.0, joined_seconds=18.0), LevelDetector(RATE))
    pieces = list(long.pieces(blocks(audio, RATE)))
    seconds = [(one.start_seconds, one.start_seconds + len(one.audio) / RATE) for one in pieces]
    assert seconds[:2] == [
        (0, pytest.approx(10.25, abs=0.05)),
        (pytest.approx(54.75, abs=0.05), pytest.approx(55.55, abs=0.05)),
    ]
    more = seconds[2:]
    assert any(start <= 63 and end >= 64 for start, end in more) if soft else more == []
    assert long.silent_seconds == pytest.approx(70 - sum(b - a for a, b in seconds), abs=0.001)
