"""Words have the times at which they are spoken."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from families import build
from scipy.ndimage import median_filter
from tone_reader import RATE, say, speech
from tone_speech import ToneFamily
from transformers import WhisperForConditionalGeneration
from transformers.models.whisper.generation_whisper import _dynamic_time_warping

from mynah.inference import word_times
from mynah.models.pretrained import weights
from mynah.models.seq2seq import word_alignment
from mynah.models.transcript import Clip, Transcript, Word
from mynah.segmentation.aligning.word_times import units_of


def test_a_ctc_model_places_each_word_where_its_letters_are():
    audio, words = speech(0.5, "call anna now", 1.0, "ten minutes", 0.3)
    made = word_times.aligned_words(ToneFamily(), audio, "call anna now ten minutes")
    assert [word.text for word in made] == [word for word, _ in words]
    # A frame is 0.04 s.
    assert [word.start_seconds for word in made] == pytest.approx([at for _, at in words], abs=0.05)
    ends = [at + len(say(word)) / RATE - 0.04 for word, at in words]
    assert [word.end_seconds for word in made] == pytest.approx(ends, abs=0.05)


def test_a_word_that_the_labels_cannot_write_is_where_the_one_before_ends():
    audio, _ = speech("call", 0.2, "anna")
    made = word_times.aligned_words(ToneFamily(), audio, "call 7 anna")
    assert [word.text for word in made] == ["call", "7", "anna"]
    assert made[1].start_seconds == made[1].end_seconds == made[0].end_seconds


def test_words_that_do_not_fit_into_the_sound_have_no_times():
    audio, _ = speech("a")
    assert word_times.aligned_words(ToneFamily(), audio, "call anna now " * 9) is None


@pytest.mark.parametrize("seed", range(4))
def test_the_path_through_attention_is_the_one_of_transformers(seed):
    matrix = np.random.default_rng(seed).normal(size=(3 + 9 * seed, 60)).astype(np.float32)
    tokens, frames = _dynamic_time_warping(-matrix)
    expected = [frames[np.flatnonzero(tokens == token)[0]] for token in range(len(matrix))]
    assert word_alignment._starts(matrix).tolist() == expected


def test_attention_is_smoothed_by_the_median_of_seven_frames():
    values = np.random.default_rng(0).normal(size=(2, 5, 40)).astype(np.float32)
    expected = median_filter(values, size=(1, 1, 7), mode="mirror")
    assert np.allclose(word_alignment._median(torch.from_numpy(values)).numpy(), expected)


def test_the_attention_is_what_transformers_gives_with_eager_attention(checkpoints, clips):
    family = build("seq2seq", checkpoints, audio_window="native")
    features = family.features(clips[0])
    inputs = family._inputs([features], len(features))["input_features"]
    ids = torch.tensor([[1, 5, 7, 9, 11]])
    aligner = word_alignment.WordAligner(weights.own(family.model), family.tokenizer, family._end)
    plain = WhisperForConditionalGeneration.from_pretrained(
        checkpoints("whisper_asr"), attn_implementation="eager"
    ).eval()
    with torch.no_grad(), aligner._attention() as kept:
        family.model.eval().model(input_features=inputs, decoder_input_ids=ids, use_cache=False)
        eager = plain.model(
            input_features=inputs, decoder_input_ids=ids, use_cache=False, output_attentions=True
        ).cross_attentions
    chosen = torch.stack([eager[layer][0, head] for layer, head in aligner._heads])
    deviation, mean = torch.std_mean(chosen, dim=1, keepdim=True, unbiased=False)
    normalized = ((chosen - mean) / deviation.clamp(min=1e-9)).numpy()
    expected = median_filter(normalized, size=(1, 1, 7), mode="mirror").mean(0)
    assert np.allclose(aligner._matrix(kept, chosen.shape[-1]), expected, atol=1e-2)


@pytest.mark.parametrize("window", ["clip", "native"])
def test_a_whisper_gives_each_of_its_words_a_time_within_the_clip(checkpoints, clips, window):
    family = build("seq2seq", checkpoints, audio_window=window)
    transcript = Transcript("call anna, ten minutes.", language="en")
    (words,) = word_times.timed(family, [Clip(clips[0])], [transcript])
    assert [word.text for word in words] == transcript.text.split()
    starts = [word.start_seconds for word in words]
    assert starts == sorted(starts)
    assert all(0 <= w.start_seconds <= w.end_seconds <= len(clips[0]) / 16000 + 0.02 for w in words)


def test_a_model_that_tells_no_times_gets_those_of_the_ctc_model_beside_it():
    class Silent:
        name, sample_rate = "audio_llm", RATE

        def word_times(self, clips, transcripts):
            return [None]

    audio, words = speech(0.4, "stop", 0.6, "now")
    found = [Transcript("stop now")]
    assert word_times.timed(Silent(), [Clip(audio)], found) == [None]
    (made,) = word_times.timed(Silent(), [Clip(audio)], found, ToneFamily())
    assert [word.start_seconds for word in made] == pytest.approx([at for _, at in words], abs=0.05)


def of_bytes(_, ids) -> str:
    return bytes(ids).decode("utf-8", errors="replace")


def test_a_whisper_times_each_character_of_a_script_without_spaces(monkeypatch):
    """The first token of 好 is written at 0.6 s; the mark behind it, at 1.2 s, is not spoken. A
    token of two characters gives each half of its time."""
    monkeypatch.setattr(word_alignment, "text_of", lambda _, ids: "".join(ids))
    aligner = word_alignment.WordAligner.__new__(word_alignment.WordAligner)
    aligner._tokenizer = None
    starts = np.array([0.0, 0.6, 1.2, 1.4, 2.0])
    tokens = ["今天", "好", "。", " ok"]
    word, other = aligner._words("今天好。 ok", tokens, starts, [-2, -3, -4, -5])
    found = [(one.text, one.start_seconds, one.end_seconds) for one in word.units]
    assert found == [
        ("今", 0.0, pytest.approx(0.3)),
        ("天", pytest.approx(0.3), 0.6),
        ("好。", 0.6, 1.2),
    ]
    assert [one.log_probability for one in word.units] == [-1, -1, -7]
    assert (word.start_seconds, word.end_seconds, other.units) == (0.0, 1.2, ())


def test_a_character_that_is_several_tokens_ends_with_the_last_of_them(monkeypatch):
    text, ids = "今天", list("今天".encode())
    monkeypatch.setattr(word_alignment, "text_of", of_bytes)
    starts = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    aligner = word_alignment.WordAligner.__new__(word_alignment.WordAligner)
    aligner._tokenizer = None
    (word,) = aligner._words(text, ids, starts, [-1.0] * 6)
    found = [(one.text, one.start_seconds, one.end_seconds) for one in word.units]
    middle, last = pytest.approx(0.3), pytest.approx(0.6)
    assert found == [("今", 0.0, middle), ("天", middle, last)]
    assert [one.log_probability for one in word.units] == [-3.0, -3.0]


def test_a_word_without_times_of_its_characters_is_shared_out():
    words = [Word("今天好。", 1.0, 3.0, -4.0), Word("ok", 3.0, 4.0, -1.0)]
    assert list(units_of(words)) == [
        Word("今", 1.0, 1.5, -1.0),
        Word("天", 1.5, 2.0, -1.0),
        Word("好。", 2.0, 3.0, -2.0),
        words[1],
    ]


def test_a_ctc_model_places_each_character_where_it_is_said():
    """Five letters stand for five characters, which have 0.12 s each."""

    class Characters(ToneFamily):
        def labels(self, text):
            return super().labels(text.translate(str.maketrans("今天气很好", "calna")))

    audio, _ = speech(0.4, "calna", 0.6, "now")
    (word, other) = word_times.aligned_words(Characters(), audio, "今天气，很好。 now")
    assert [one.text for one in word.units] == ["今", "天", "气，", "很", "好。"]
    each = len(say("calna")) / RATE / 5
    starts = [one.start_seconds for one in word.units]
    assert starts == pytest.approx([0.4 + each * n for n in range(5)], abs=0.05)
    assert sum(one.log_probability for one in word.units) == pytest.approx(word.log_probability)
    assert (word.units[0].start_seconds, word.units[-1].end_seconds, other.units) == (
        word.start_seconds, word.end_seconds, ()
    )  # fmt: skip
