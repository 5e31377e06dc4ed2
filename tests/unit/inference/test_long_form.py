"""Recordings of any length: no word is lost or written twice, whatever they are cut into."""

from __future__ import annotations

import numpy as np
import pytest
from tone_reader import RATE, ToneReader, speech

from mynah.inference.long_form import Cutting, LongForm
from mynah.inference.recognizer import Recognizer
from mynah.inference.voice_activity import LevelDetector

SENTENCES = ("call anna now", "ten minutes", "what is the time", "stop", "next song please")


@pytest.fixture(autouse=True)
def by_loudness(monkeypatch):
    """Tones are not speech to Silero VAD."""
    from mynah.inference import recognizer

    monkeypatch.setattr(recognizer, "detector", LevelDetector)


def recording(times: int, pause: float) -> tuple[np.ndarray, list[tuple[str, float]]]:
    parts: list[str | float] = [1.0]
    for number in range(times):
        parts += [SENTENCES[number % len(SENTENCES)], pause]
    return speech(*parts)


@pytest.mark.parametrize("tuned", [True, False])
@pytest.mark.parametrize("window", [4.0, 9.0])
def test_every_word_is_written_once_and_in_order(tuned, window):
    audio, words = recording(60, 0.7)
    made = Recognizer(ToneReader(window), name="tones", tuned=tuned).transcribe(audio, words=True)
    assert made.text.split() == [word for word, _ in words]
    starts = [word.start_seconds for word in made.words]
    assert starts == pytest.approx([start for _, start in words], abs=0.03)
    assert made.duration_seconds == pytest.approx(len(audio) / RATE)


def test_speech_without_a_pause_is_cut_in_windows_whose_words_are_joined():
    """0.08 s between words is not a pause, so that each window ends in the middle of something."""
    text = " ".join(f"{a}{b}{c}" for a in "abcdefg" for b in "hijkl" for c in "mno")
    audio, words = speech(text)
    reader = ToneReader(4.0)
    made = Recognizer(reader, name="tones").transcribe(audio, words=True)
    assert max(map(max, reader.heard)) <= 4.0 and len(audio) / RATE > 40
    wrong = sum(a != b for a, b in zip(made.text.split(), [w for w, _ in words], strict=True))
    assert wrong <= 2  # a word that a window's edge cuts on both sides
    assert [w.text for w in made.words] == made.text.split()


def test_a_tuned_model_is_given_clips_like_those_it_was_trained_on():
    audio, _ = recording(20, 0.7)
    tuned, untuned = ToneReader(9.0), ToneReader(9.0)
    Recognizer(tuned, name="tones", tuned=True).transcribe(audio)
    Recognizer(untuned, name="tones", tuned=False).transcribe(audio)
    assert sum(map(len, tuned.heard)) == 20
    assert sum(map(len, untuned.heard)) < 10
    assert all(seconds <= 0.9 * 9 + 0.1 for batch in untuned.heard for seconds in batch)


def test_silence_is_not_decoded_and_counted():
    audio, _ = speech(2.0, "call anna", 30.0, "stop", 20.0, noise=1e-5)
    reader = ToneReader(5.0)
    made = Recognizer(reader, name="tones").transcribe(audio)
    assert made.text == "call anna stop"
    assert sum(map(sum, reader.heard)) < 5
    assert made.guarded.silent_seconds > 48


def test_an_hour_of_zeros_is_an_empty_transcript():
    made = Recognizer(ToneReader(5.0), name="tones").transcribe(np.zeros(3600 * RATE, np.float32))
    assert (made.text, made.segments) == ("", ())
    assert made.duration_seconds == 3600
    assert made.guarded.silent_seconds == pytest.approx(3600, abs=0.1)


@pytest.mark.parametrize("block", [1000, RATE, 100 * RATE])
def test_pieces_do_not_depend_on_the_blocks_in_which_a_file_is_read(block):
    audio, _ = recording(300, 0.5)
    cutting = Cutting(5.0)

    def cut(size):
        blocks = (audio[at : at + size] for at in range(0, len(audio), size))
        long = LongForm(RATE, cutting, LevelDetector(RATE))
        return [(one.start_seconds, len(one.audio)) for one in long.pieces(blocks)]

    assert len(audio) / RATE > 300 and cut(block) == cut(7 * RATE)


def test_a_piece_is_the_sound_at_its_place():
    audio, _ = recording(40, 0.6)
    long = LongForm(RATE, Cutting(6.0), LevelDetector(RATE))
    pieces = list(long.pieces([audio[: len(audio) // 2], audio[len(audio) // 2 :]]))
    for piece in pieces:
        start = round(piece.start_seconds * RATE)
        assert np.array_equal(piece.audio, audio[start : start + len(piece.audio)])
    ends = [piece.start_seconds + len(piece.audio) / RATE for piece in pieces]
    assert all(a <= b.start_seconds for a, b in zip(ends, pieces[1:], strict=False))
