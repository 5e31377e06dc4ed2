"""What is measured of a recording, against signals whose facts are known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import soundfile
import soxr
from inspected_corpora import RATE, babble, real_corpus

from mynah.data.signals.signal_facts import NO_SOUND_DB, clipped_share, measure


def sine(amplitude: float, hertz: float = 200.0, seconds: float = 1.0) -> np.ndarray:
    times = np.arange(round(seconds * RATE)) / RATE
    return (amplitude * np.sin(2 * np.pi * hertz * times)).astype(np.float32)


def test_the_level_of_a_sine_is_three_decibels_below_its_peak():
    facts = measure(sine(0.5), RATE)
    assert facts.peak_db == pytest.approx(20 * np.log10(0.5), abs=0.01)
    assert facts.level_db == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.01)
    assert facts.file_rate == RATE


def test_an_offset_is_reported_and_does_not_count_as_level():
    facts = measure(sine(0.01) + np.float32(0.2), RATE)
    assert facts.dc_offset == pytest.approx(0.2, abs=1e-4)
    assert facts.level_db == pytest.approx(20 * np.log10(0.01 / np.sqrt(2)), abs=0.1)


def test_no_sound_at_all_has_a_level_and_no_bandwidth():
    facts = measure(np.zeros(1600, dtype=np.float32), RATE)
    assert facts.level_db == facts.peak_db == NO_SOUND_DB
    assert (facts.bandwidth_hz, facts.silence_share, facts.clipped_share) == (0.0, 1.0, 0.0)


@pytest.mark.parametrize("samples", [1, 2, 3, 100, 511])
def test_a_recording_of_a_few_samples_can_be_measured(samples):
    facts = measure(np.full(samples, 0.1, dtype=np.float32), RATE)
    assert np.isfinite([getattr(facts, name) for name in facts.__dataclass_fields__]).all()


@pytest.mark.parametrize("lowered", [1.0, 0.3])
def test_clipping_is_found_even_where_the_level_was_lowered_after_it(lowered):
    loud = babble(2.0, 0) * 12
    clipped = np.clip(loud, -0.9, 0.9) * lowered
    # Samples in plateaus of three and more, counted one by one.
    sides = np.where(loud >= 0.9, 1, np.where(loud <= -0.9, -1, 0)).tolist()
    runs = [(side, len(list(run))) for side, run in itertools.groupby(sides)]
    expected = sum(length for side, length in runs if side and length >= 3)
    at_most = sum(length for side, length in runs if side)
    share = clipped_share(clipped.astype(np.float32))
    assert expected > 50
    assert expected <= round(share * len(loud)) <= at_most


def test_a_sine_and_loud_noise_are_not_clipped():
    assert clipped_share(sine(0.99, hertz=100)) == 0.0
    assert clipped_share(babble(2.0, 1)) == 0.0


def test_silence_is_the_share_of_time_in_which_nothing_is_said():
    audio = np.concatenate([babble(1.0, 0) * 0, sine(0.3), np.zeros(2 * RATE, dtype=np.float32)])
    assert measure(audio, RATE).silence_share == pytest.approx(0.75, abs=0.02)


def test_the_ratio_of_speech_to_noise_is_what_was_mixed():
    speech = sine(0.5)
    noise = np.random.default_rng(0).standard_normal(3 * RATE).astype(np.float32) * 0.005
    noise[:RATE] += speech
    expected = 20 * np.log10(0.5 / np.sqrt(2) / 0.005)
    assert measure(noise, RATE).snr_db == pytest.approx(expected, abs=1.0)


@pytest.mark.parametrize("rate", [8000, 11025])
def test_what_was_upsampled_ends_at_half_its_former_rate(rate):
    upsampled = soxr.resample(soxr.resample(babble(2.0, 0), RATE, rate), rate, RATE)
    in_16_bits = np.round(upsampled * 32768) / 32768
    assert measure(babble(2.0, 0), RATE).bandwidth_hz > 7800
    assert measure(in_16_bits.astype(np.float32), RATE).bandwidth_hz == pytest.approx(
        rate / 2, rel=0.06
    )


def test_real_speech_of_16_khz_is_never_taken_for_upsampled_and_telephone_speech_always():
    folder = real_corpus("read_speech/librispeech_train_clean_5") / "audio"
    bands, narrowed = [], []
    for path in sorted(folder.iterdir())[::60]:
        audio, rate = soundfile.read(path, dtype="float32")
        bands.append(measure(audio, rate).bandwidth_hz)
        telephone = soxr.resample(soxr.resample(audio, rate, 8000), 8000, rate)
        narrowed.append(measure(telephone, rate).bandwidth_hz)
    assert min(bands) > 5000
    assert max(narrowed) < 4240
