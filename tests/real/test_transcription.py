"""The real base transcribes: its words have the times at which they are spoken."""

from __future__ import annotations

import difflib
import re

import numpy as np
import pytest
from espeak_words import spoken
from transcripts import transcribed
from transformers import pipeline

import mynah
from mynah.data.audio.files import resample
from mynah.inference.load import BASE
from mynah.models.transcript import Clip

SENTENCES = (
    "the quick brown fox jumps over the lazy dog near the river bank",
    "please call anna tomorrow morning about the new contract",
    "we were walking along the old road when the rain began to fall",
)


@pytest.fixture(scope="module")
def recognizer(cache):
    return mynah.load(BASE, offline=True)


@pytest.fixture(scope="module")
def talk():
    """Sentences of espeak-ng's, half a second of silence before each: sound, hertz, words with
    when each begins."""
    pytest.importorskip("espeakng_loader")
    made = []
    for text in SENTENCES:
        audio, hertz, starts = spoken(text, rate=140)
        words = text.split()
        assert len(words) == len(starts)
        silence = np.zeros(hertz // 2, np.float32)
        made.append((np.concatenate([silence, audio]), hertz, words, [s + 0.5 for s in starts]))
    return made


def plain(word):
    return re.sub(r"\W", "", word.lower())


@pytest.mark.long
def test_words_begin_where_espeak_begins_them(recognizer, talk):
    errors = []
    for audio, hertz, words, starts in talk:
        found = recognizer.transcribe(audio, sample_rate=hertz, words=True).words
        said = [plain(word.text) for word in found]
        matcher = difflib.SequenceMatcher(None, words, said, autojunk=False)
        for same in matcher.get_matching_blocks():
            for step in range(same.size):
                errors.append(found[same.b + step].start_seconds - starts[same.a + step])
    assert len(errors) > 20
    assert np.median(np.abs(errors)) <= 0.1


@pytest.mark.long
def test_words_have_the_times_of_transformers(recognizer, converted, talk):
    family = recognizer.family
    theirs = pipeline("automatic-speech-recognition", model=str(converted), device="cpu")
    for audio, hertz, _, _ in talk[1:2]:
        clip = Clip(resample(audio, hertz, family.sample_rate))
        transcript = family.transcribe([clip])
        (ours,) = family.word_times([clip], transcript)
        chunks = theirs(clip.audio, return_timestamps="word", generate_kwargs={"num_beams": 1})[
            "chunks"
        ]
        assert [word.text for word in ours] == [one["text"].strip() for one in chunks]
        starts = [one["timestamp"][0] for one in chunks]
        assert np.median(np.abs(np.subtract([w.start_seconds for w in ours], starts))) <= 0.02


def test_a_clip_has_the_text_that_is_measured(recognizer, untuned, utterances):
    clips = utterances[:2]
    found = [one.text for one in recognizer.transcribe_many(clips)]
    assert found == transcribed(untuned, clips)


@pytest.mark.long  # of stand-ins fast in test_long_form.py
def test_a_recording_of_pauses_and_sentences_is_their_texts(recognizer, talk):
    """Longer than the window, with what a decoder would make words of."""
    hertz = talk[0][1]
    noise = 1e-3 * np.random.default_rng(0).standard_normal(8 * hertz)
    parts = [part for audio, *_ in [*talk, *talk] for part in (audio, noise)]
    found = recognizer.transcribe(np.concatenate(parts).astype(np.float32), sample_rate=hertz)
    assert found.duration_seconds > 60
    said = " ".join(map(plain, found.text.split())).split()
    expected = [word for _, _, words, _ in [*talk, *talk] for word in words]
    same = difflib.SequenceMatcher(None, expected, said, autojunk=False).get_matching_blocks()
    assert sum(one.size for one in same) > 0.85 * len(expected) and len(said) < 1.1 * len(expected)
    assert found.guarded.silent_seconds > 30
