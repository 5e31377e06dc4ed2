"""The confidence of a word is the share of such words that are right."""

from __future__ import annotations

import json

import jiwer
import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from tone_reader import speech
from tone_speech import ToneFamily

from mynah.checkpoints.commit import add_file, commit, find_damage
from mynah.errors import UserError
from mynah.evaluation.normalize import get_normalizer
from mynah.inference import word_times
from mynah.inference.confidence import calibration
from mynah.inference.confidence.calibration import Calibration, ScoredWord
from mynah.inference.confidence.fitting import words_right
from mynah.models.ctc.greedy import best_paths
from mynah.models.text.word_times import timed_words
from mynah.models.transcript import Clip, Transcript


def words_of(speakers: int, each: int, *, temperature: float, bias: float, seed: int = 0):
    """Words whose true likelihood is known: what their model says of them is too sure."""
    random = np.random.default_rng(seed)
    made = []
    for speaker in range(speakers):
        odds = random.normal(4.0, 3.0, each)
        likely = 1 / (1 + np.exp(-(odds / temperature + bias)))
        right = random.random(each) < likely
        made += [
            ScoredWord(float(-np.log1p(np.exp(-one))), bool(is_right), f"speaker{speaker}")
            for one, is_right in zip(odds, right, strict=True)
        ]
    return made


def brute_force_error(confidences, right):
    total = 0.0
    for low in range(10):
        inside = [
            (given, is_right)
            for given, is_right in zip(confidences, right, strict=True)
            if low / 10 <= given < (low + 1) / 10 or (low == 9 and given == 1.0)
        ]
        if inside:
            mean = sum(given for given, _ in inside) / len(inside)
            share = sum(is_right for _, is_right in inside) / len(inside)
            total += len(inside) / len(confidences) * abs(mean - share)
    return total


def test_the_expected_calibration_error_is_that_of_a_loop_over_its_bins():
    random = np.random.default_rng(1)
    given = [*random.random(500).tolist(), 0.0, 1.0, 0.5]
    right = [bool(one) for one in random.random(503) < 0.6]
    found = calibration.expected_calibration_error(given, right)
    assert found == pytest.approx(brute_force_error(given, right))
    assert calibration.expected_calibration_error([0.85, 0.85], [True, False]) == pytest.approx(
        0.35
    )


def test_temperature_and_bias_are_the_likeliest():
    words = words_of(4, 300, temperature=2.5, bias=-0.5)
    odds = np.array(
        [np.log(np.exp(w.log_probability) / -np.expm1(w.log_probability)) for w in words]
    )
    right = np.array([word.is_right for word in words])

    def unlikelihood(parameters):
        likely = 1 / (1 + np.exp(-(odds / parameters[0] + parameters[1])))
        return -np.log(np.where(right, likely, 1 - likely)).sum()

    best = minimize(unlikelihood, [1.0, 0.0], method="Nelder-Mead").x
    found = calibration.fit(words)
    assert (found.temperature, found.bias) == pytest.approx(tuple(best), rel=0.01, abs=0.01)
    assert found.words == 1200


def test_confidences_are_right_on_speakers_that_they_were_not_fitted_on():
    words = words_of(20, 150, temperature=3.0, bias=-0.3)
    found = calibration.fit(words)
    others = words_of(10, 200, temperature=3.0, bias=-0.3, seed=9)
    right = [word.is_right for word in others]
    raw = [float(np.exp(word.log_probability)) for word in others]
    fitted = [found.confidence(word.log_probability) for word in others]
    assert brute_force_error(raw, right) > 0.1
    assert brute_force_error(fitted, right) <= 0.05
    assert found.error == pytest.approx(brute_force_error(fitted, right), abs=0.02)


def test_the_error_that_is_stored_is_of_speakers_left_out():
    """Each speaker is as sure as the others and half of them are always wrong: what was fitted on
    the others says nothing of one."""
    words = [
        ScoredWord(np.log(0.9), speaker % 2 == 0, f"speaker{speaker}")
        for speaker in range(2)
        for _ in range(50)
    ]
    assert calibration.fit(words).error > 0.8
    assert calibration.fit([w for w in words if w.spoken_by == "speaker0"]).error is None


@pytest.mark.parametrize("right", [True, False])
def test_words_that_are_all_right_or_all_wrong_give_finite_confidences(right):
    words = [
        ScoredWord(log, right, "a") for log in (0.0, -1e-9, -0.5, -40.0, -np.inf) for _ in range(9)
    ]
    found = calibration.fit(words)
    sure = [found.confidence(log) for log in (0.0, -0.5, -np.inf)]
    assert all(0 <= one <= 1 for one in sure) and sure == sorted(sure, reverse=True)
    assert (sure[1] > 0.8) is right


def test_too_few_words_say_nothing():
    assert calibration.fit(words_of(1, 20, temperature=1.0, bias=0.0)) is None


def test_a_word_is_right_where_the_alignment_that_is_counted_has_it():
    reference = "The cat's on 3 mats, isn't it — really"
    written = "the cats on three mats isn't really it ..."
    same = get_normalizer("basic")
    found = words_right(written.split(), reference, same)
    steps = jiwer.process_words(same(reference), same(written)).alignments[0]
    expected = [False] * len(same(written).split())
    for step in steps:
        if step.type == "equal":
            expected[step.hyp_start_idx : step.hyp_end_idx] = [True] * (
                step.hyp_end_idx - step.hyp_start_idx
            )
    assert found == [*expected, None]
    assert found[0] is True and found[3] is False


def test_the_probability_of_a_word_is_that_of_its_tokens_likeliest_frames():
    pieces = {1: "a", 2: "b", 3: " "}
    logits = torch.from_numpy(np.random.default_rng(2).normal(size=(1, 6, 4)).astype(np.float32))
    for frame, label in enumerate((1, 1, 0, 2, 3, 1)):
        logits[0, frame, label] += 6
    (path,) = best_paths(logits, [6], blank=0)
    words = timed_words("ab a", path, pieces, 0.1)
    log = logits[0].double().log_softmax(-1).numpy()
    first = max(log[0, 1], log[1, 1]) + log[3, 2]
    assert [w.log_probability for w in words] == pytest.approx([first, log[5, 1]], abs=1e-5)
    assert [(w.start_seconds, w.end_seconds) for w in words] == [
        (0.0, 0.4),
        (0.5, 0.6000000000000001),
    ]


def test_aligned_words_have_the_probability_of_their_labels():
    audio, _ = speech("call", 0.2, "anna")
    family = ToneFamily()
    sure = word_times.aligned_words(family, audio, "call anna")
    wrong = word_times.aligned_words(family, audio, "call anne")
    assert sure[0].log_probability == pytest.approx(wrong[0].log_probability)
    assert wrong[1].log_probability < sure[1].log_probability <= 0


def test_times_have_confidences_where_the_model_was_calibrated():
    class Timed(ToneFamily):
        name = "ctc"

        def word_times(self, clips, transcripts):
            pairs = zip(clips, transcripts, strict=True)
            return [word_times.aligned_words(self, clip.audio, one.text) for clip, one in pairs]

    audio, _ = speech("call", 0.2, "anna")
    family, clip = Timed(), Clip(audio)
    transcript = Transcript("call anna")
    scores = [one.log_probability for one in word_times.aligned_words(family, audio, "call anna")]
    (plain,) = word_times.timed(family, [clip], [transcript])
    assert [word.confidence for word in plain] == [None, None]
    (timed,) = word_times.timed(family, [clip], [transcript], None, Calibration(2.0, 0.5, 99))
    for word, score in zip(timed, scores, strict=True):
        likely = np.exp(min(score, -1e-7))
        odds = min(np.log(likely / (1 - likely)), 16.0)
        assert word.confidence == pytest.approx(1 / (1 + np.exp(-(odds / 2 + 0.5))), abs=1e-4)


def test_a_calibration_is_read_as_it_was_stored_and_the_checkpoint_stays_intact(tmp_path):
    with commit(tmp_path / "checkpoint-1") as staging:
        (staging / "weights").write_text("1")
    folder = tmp_path / "checkpoint-1"
    for stored in (Calibration(2.0, -0.25, 400, 0.03), Calibration(1.5, 0.0, 40)):
        add_file(folder, calibration.CALIBRATION_FILE, stored.to_json())
        assert calibration.read_calibration(folder) == stored
        assert find_damage(folder) is None
    (folder / calibration.CALIBRATION_FILE).write_text(stored.to_json().replace("1.5", "1.6"))
    assert "confidence.json altered" in find_damage(folder)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"version": 2}', json.dumps({"version": 1, "temperature": 0.0,
    "bias": 0, "words": 1, "error": None})]
)  # fmt: skip
def test_a_calibration_that_cannot_be_read_is_none(tmp_path, content):
    (tmp_path / calibration.CALIBRATION_FILE).write_text(content)
    assert calibration.read_calibration(tmp_path) is None
    assert calibration.read_calibration(tmp_path / "nowhere") is None


def test_a_disk_that_is_full_leaves_the_checkpoint_intact(tmp_path, monkeypatch):
    with commit(tmp_path / "checkpoint-1") as staging:
        (staging / "weights").write_text("1")

    def full(path, parts):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mynah.files.write_text", full)
    with pytest.raises(UserError, match="disk is full"):
        add_file(tmp_path / "checkpoint-1", calibration.CALIBRATION_FILE, "x")
    assert find_damage(tmp_path / "checkpoint-1") is None
