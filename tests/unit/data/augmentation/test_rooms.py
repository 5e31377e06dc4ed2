"""Rooms: reverberation against direct convolution, simulated responses against the physics."""

import math

import numpy as np
import pyroomacoustics
import pytest
from data_helpers import tone
from hypothesis import given, settings
from hypothesis import strategies as st

from mynah.data.augmentation.gain import level
from mynah.data.augmentation.rooms import fast_length, reverberate, trimmed
from mynah.data.augmentation.shoebox import (
    SPEED_OF_SOUND,
    Shoebox,
    _eyring,
    _paths,
    draw_shoebox,
    impulse_response,
    reverberation_time,
)

RATE = 16000


def sampled(seed, rt60=(0.2, 0.6)):
    return draw_shoebox(
        np.random.default_rng(seed),
        size_meters=[3.0, 10.0],
        rt60_seconds=list(rt60),
        distance_meters=[0.5, 3.0],
    )


@settings(max_examples=30, deadline=None)
@given(
    samples=st.integers(1, 800),
    taps=st.integers(1, 300),
    direct=st.integers(0, 299),
    seed=st.integers(0, 1000),
)
def test_a_room_is_a_convolution(samples, taps, direct, seed):
    generator = np.random.default_rng(seed)
    audio = generator.standard_normal(samples).astype(np.float32)
    response = generator.standard_normal(taps).astype(np.float32)
    direct = min(direct, taps - 1)
    recording = reverberate(audio, response, direct)
    wanted = np.convolve(audio.astype(np.float64), response)[direct : direct + samples]
    assert recording.shape == audio.shape and recording.dtype == np.float32
    if level(wanted) > 1e-6:
        assert np.allclose(recording, wanted * level(audio) / level(wanted), atol=1e-4)


def test_a_room_moves_speech_by_no_sample_and_leaves_its_level():
    click = np.zeros(8000, dtype=np.float32)
    click[2000] = 0.5
    for seed in range(5):
        recording = reverberate(click, impulse_response(sampled(seed), RATE))
        assert np.abs(recording[:2000]).max() < 1e-4 * np.abs(recording).max()
        assert np.argmax(np.abs(recording)) == 2000
    speech = tone(0.5)
    assert level(reverberate(speech, impulse_response(sampled(0), RATE))) == pytest.approx(
        level(speech), rel=1e-4
    )


def test_silence_in_a_room_is_silence():
    silence = np.zeros(100, dtype=np.float32)
    assert not reverberate(silence, impulse_response(sampled(0), RATE)).any()


@pytest.mark.parametrize("seed", range(6))
def test_the_reverberation_time_is_the_one_sampled(seed):
    room = sampled(seed)
    response = impulse_response(room, RATE)
    # Schroeder's integration, written out here: the slope between -5 and -25 decibels.
    squares = response.astype(np.float64) ** 2
    energy = np.array([squares[start:].sum() for start in range(0, len(response), 40)])
    decibels = 10 * np.log10(energy / energy[0])
    fitted = (decibels < -5) & (decibels > -25)
    slope = np.polyfit(np.arange(len(decibels))[fitted] * 40 / RATE, decibels[fitted], 1)[0]
    assert -60 / slope == pytest.approx(room.rt60_seconds, rel=0.15)
    assert reverberation_time(response, RATE) == pytest.approx(room.rt60_seconds, rel=0.03)


def test_the_time_of_a_known_decay_is_measured():
    times = np.arange(RATE) / RATE
    decay = np.random.default_rng(0).standard_normal(RATE) * 10 ** (-3 * times / 0.4)
    assert reverberation_time(decay, RATE) == pytest.approx(0.4, rel=0.03)


def test_reflections_arrive_when_and_as_loud_as_images_say():
    """Each wall once, by Allen and Berkley's arithmetic done by hand for a dry room."""
    room = Shoebox((6.0, 5.0, 3.0), (2.0, 2.0, 1.5), (4.0, 3.0, 1.2), 0.15)
    response = impulse_response(room, 48000)
    speaker, microphone = np.array(room.speaker), np.array(room.microphone)
    direct = np.linalg.norm(speaker - microphone)
    images = []
    for axis in range(3):
        for wall in (0.0, room.size[axis]):
            image = speaker.copy()
            image[axis] = 2 * wall - image[axis]
            images.append(np.linalg.norm(image - microphone))
    first = min(images)
    place = round((first - direct) / SPEED_OF_SOUND * 48000)
    around = np.abs(response[1 : place + 20])
    assert abs(int(np.argmax(around)) + 1 - place) <= 1
    # A wall takes some of it, and the way is longer.
    assert around.max() < response[0] * direct / first


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    low=st.floats(1.0, 5.0),
    more=st.floats(0.0, 20.0),
    distance=st.floats(0.1, 50.0),
)
def test_speaker_and_microphone_stand_in_the_room(seed, low, more, distance):
    room = draw_shoebox(
        np.random.default_rng(seed),
        size_meters=[low, low + more],
        rt60_seconds=[0.3, 0.3],
        distance_meters=[distance, distance],
    )
    for place in (room.speaker, room.microphone):
        assert all(0.29 < at < side - 0.29 for at, side in zip(place, room.size, strict=True))
    assert room.distance_meters <= distance + 1e-9
    if distance <= 0.3 and low >= 2:
        assert room.distance_meters == pytest.approx(distance)


def test_a_measured_response_is_cut_where_nothing_is_audible():
    response = np.zeros(20_000, dtype=np.float32)
    response[300] = -1.0
    response[301:4000] = 0.1 * np.random.default_rng(0).standard_normal(3699)
    kept, direct = trimmed(response)
    assert direct == 300 and 3900 < len(kept) <= 4000


def test_a_fast_length_is_the_next_product_of_small_primes():
    def smooth(number):
        for prime in (2, 3, 5):
            while number % prime == 0:
                number //= prime
        return number == 1

    lengths = [number for number in range(1, 4097) if smooth(number)]
    for length in range(1, 4097):
        assert fast_length(length) == next(number for number in lengths if number >= length)


@pytest.mark.parametrize("seed", range(4))
def test_echoes_come_when_and_as_loud_as_pyroomacoustics_has_them(seed):
    room = sampled(seed, rt60=(0.2, 0.3))
    reflected = math.exp(2 * _eyring(room))  # of a sound's energy, by each wall
    theirs = pyroomacoustics.ShoeBox(
        room.size, fs=RATE, materials=pyroomacoustics.Material(1 - reflected), max_order=1
    )
    theirs.add_source(room.speaker)
    theirs.add_microphone(room.microphone)
    theirs.image_source_model()
    source = theirs.sources[0]
    meters = np.linalg.norm(source.images - np.array(room.microphone)[:, None], axis=0)
    loudness = source.damping[0] / meters
    ours_meters, reflections = _paths(room)
    early = reflections <= 1
    order = np.argsort(ours_meters[early])
    ours_loudness = np.exp(_eyring(room) * reflections[early]) / ours_meters[early]
    assert early.sum() == len(meters) == 7  # the direct sound and six walls
    assert np.allclose(ours_meters[early][order], np.sort(meters), rtol=1e-5)
    assert np.allclose(ours_loudness[order], loudness[np.argsort(meters)], rtol=1e-4)
