"""All augmentations together: they depend on nothing but their position, and not on each other."""

import json
import pickle

import numpy as np
import pytest
import soundfile
from data_helpers import tone, write_tone
from hypothesis import given, settings
from hypothesis import strategies as st

from mynah.config.schema import AugmentationConfig, SpecAugmentConfig
from mynah.data.augmentation.chain import Augmentation
from mynah.data.augmentation.gain import level

RATE = 16000
PLACE = {"epoch": 2, "utterance_id": "a"}
EVERYTHING = {
    "speed_factors": [0.9, 1.0, 1.1],
    "room_probability": 0.5,
    "simulated_rooms": 3,
    "room_rt60_seconds": [0.1, 0.3],
    "gain_db": 6.0,
    "noise_snr_db": [5.0, 20.0],
    "telephone_probability": 0.5,
}
# Which settings turn an augmentation on, and which draws are its own.
SWITCHES = {
    "speed": ("speed_factors",),
    "room": ("room_probability", "simulated_rooms"),
    "gain": ("gain_db",),
    "noise": ("noise_snr_db",),
    "telephone": ("telephone_probability",),
}


def augmentation(seed=1, rate=RATE, **settings):
    return Augmentation.open(AugmentationConfig(**settings), sample_rate=rate, seed=seed)


def made(audio, place=PLACE, **settings):
    one = augmentation(**settings)
    return one.waveform(audio, one.draw(**place))


def test_nothing_is_changed_where_nothing_is_on():
    audio, features = tone(0.5), np.ones((10, 4), dtype=np.float32)
    one = augmentation()
    assert one.draw(**PLACE) == {}
    assert one.waveform(audio, one.draw(**PLACE)) is audio
    assert one.features(features, **PLACE) is features


def test_the_same_place_gives_the_same_samples_and_another_gives_others():
    audio = tone(0.5)
    first = made(audio, **EVERYTHING)
    assert np.array_equal(first, made(audio, **EVERYTHING))
    for change in (
        {"seed": 3},
        {"place": PLACE | {"epoch": 3}},
        {"place": PLACE | {"utterance_id": "b"}},
    ):
        other = made(audio, **EVERYTHING | change)
        assert first.shape != other.shape or not np.array_equal(first, other)


def test_a_worker_makes_what_the_training_itself_would_make(tmp_path):
    write_tone(tmp_path / "noise" / "a.wav", 2.0, hertz=100)
    one = augmentation(**EVERYTHING, noise_folder=str(tmp_path / "noise"))
    sent = pickle.loads(pickle.dumps(one))
    audio = tone(0.4)
    for number in range(8):
        place = {"epoch": 1, "utterance_id": str(number)}
        assert sent.draw(**place) == one.draw(**place)
        assert np.array_equal(
            sent.waveform(audio, sent.draw(**place)), one.waveform(audio, one.draw(**place))
        )


@settings(max_examples=60, deadline=None)
@given(
    on=st.sets(st.sampled_from(sorted(SWITCHES))),
    seed=st.integers(0, 2**40),
    epoch=st.integers(0, 10**6),
    utterance=st.text(max_size=12),
)
def test_turning_one_augmentation_on_leaves_the_draws_of_the_others(on, seed, epoch, utterance):
    place = {"epoch": epoch, "utterance_id": utterance}
    everything = augmentation(seed=seed, **EVERYTHING).draw(**place)
    chosen = {name: EVERYTHING[name] for one in on for name in SWITCHES[one]}
    some = augmentation(seed=seed, **chosen).draw(**place)
    for one in SWITCHES:
        assert some.get(one) == (everything.get(one) if one in on else None)


@settings(max_examples=40, deadline=None)
@given(
    order=st.permutations(range(6)),
    workers=st.integers(1, 4),
    seed=st.integers(0, 2**31),
)
def test_draws_do_not_depend_on_what_was_sampled_before(order, workers, seed):
    places = [{"epoch": epoch, "utterance_id": name} for epoch in (0, 1) for name in "abc"]
    straight = augmentation(seed=seed, **EVERYTHING)
    wanted = [straight.draw(**place) for place in places]
    several = [augmentation(seed=seed, **EVERYTHING) for _ in range(workers)]
    found = {number: several[number % workers].draw(**places[number]) for number in order}
    assert [found[number] for number in range(6)] == wanted


def test_an_augmentation_is_made_as_often_as_its_probability_says():
    names = ("speed_probability", "gain_probability", "noise_probability")
    shares = EVERYTHING | dict.fromkeys(names, 0.25) | {"room_probability": 0.25}
    one = augmentation(**shares | {"telephone_probability": 0.25})
    sampled = [one.draw(epoch=0, utterance_id=str(number)) for number in range(2000)]
    for name in SWITCHES:
        made = sum(name in found for found in sampled) / len(sampled)
        assert made == pytest.approx(0.25, abs=0.04), name


def test_another_probability_changes_no_value_that_is_sampled():
    often, seldom = (augmentation(gain_db=6.0, gain_probability=share) for share in (1.0, 0.3))
    for number in range(50):
        place = {"epoch": 0, "utterance_id": str(number)}
        found = seldom.draw(**place).get("gain")
        assert found in (None, often.draw(**place)["gain"])


def test_every_speed_factor_is_sampled_about_equally_often():
    one = augmentation(speed_factors=[0.9, 1.0, 1.1])
    sampled = [one.draw(epoch=0, utterance_id=str(number))["speed"] for number in range(600)]
    assert [150 < sampled.count(factor) < 250 for factor in (0.9, 1.0, 1.1)] == [True] * 3


def test_gain_is_sampled_from_all_of_its_range():
    one = augmentation(gain_db=6.0)
    audio = tone(0.1) * 0.1
    gains = [
        20 * np.log10(
            np.abs(one.waveform(audio, one.draw(epoch=0, utterance_id=str(n)))).max()
            / np.abs(audio).max()
        )
        for n in range(200)
    ]  # fmt: skip
    assert -6.01 <= min(gains) < -5 and 5 < max(gains) <= 6.01


def test_the_noise_has_the_ratio_that_was_sampled():
    audio = tone(2.0) * 0.2
    one = augmentation(noise_snr_db=[0.0, 30.0])
    for number in range(10):
        sampled = one.draw(epoch=0, utterance_id=str(number))
        added = one.waveform(audio, sampled) - audio
        assert 20 * np.log10(level(audio) / level(added)) == pytest.approx(
            sampled["noise"].snr_db, abs=0.01
        )


@settings(max_examples=25, deadline=None)
@given(
    loudness=st.floats(0.0, 3.0),
    samples=st.integers(1, 4000),
    seed=st.integers(0, 1000),
    rate=st.sampled_from([4000, 8000, 11025, 16000, 44100]),
)
def test_whatever_is_sampled_stays_finite_and_within_full_scale(loudness, samples, seed, rate):
    audio = np.random.default_rng(seed).standard_normal(samples).astype(np.float32)
    audio *= np.float32(loudness)
    one = augmentation(
        seed=seed, rate=rate, **EVERYTHING | {"gain_db": 60.0, "telephone_probability": 0.7}
    )
    sampled = one.draw(epoch=0, utterance_id="a")
    recording = one.waveform(audio, sampled)
    assert recording.dtype == np.float32 and np.isfinite(recording).all()
    assert np.abs(recording).max() <= 1.0 + 1e-6
    assert len(recording) == round(samples / sampled.get("speed", 1.0))


def test_a_loud_sound_is_scaled_and_not_clipped():
    audio = tone(0.2)
    recording = augmentation(gain_db=40.0).waveform(audio, {"gain": 30.0})
    assert np.abs(recording).max() == pytest.approx(1.0)
    assert np.allclose(recording / np.abs(recording).max(), audio / np.abs(audio).max(), atol=1e-5)


def test_recorded_noise_and_rooms_come_from_the_folders(tmp_path):
    for name, hertz in (("deep/hum.flac", 50), ("hiss.wav", 3000)):
        write_tone(tmp_path / "noise" / name, 3.0, hertz=hertz)
    response = np.zeros(4000, dtype=np.float32)
    response[[100, 900]] = 0.8, 0.4
    (tmp_path / "rooms").mkdir()
    soundfile.write(tmp_path / "rooms" / "hall.wav", response, RATE)
    one = augmentation(
        noise_snr_db=[0.0, 0.0],
        noise_folder=str(tmp_path / "noise"),
        room_folder=str(tmp_path / "rooms"),
    )
    places = [{"epoch": 0, "utterance_id": str(number)} for number in range(40)]
    sampled = [one.draw(**place) for place in places]
    described = [one.describe(found, **place) for found, place in zip(sampled, places, strict=True)]
    files = {piece["file"] for found in described for piece in found["noise"]["pieces"]}
    assert files == {"deep/hum.flac", "hiss.wav"}
    rooms = [found.get("room") for found in described]
    assert set(rooms) == {"hall.wav", None} and 10 < rooms.count("hall.wav") < 30
    number = rooms.index("hall.wav")
    hertz = {0: 50, 1: 3000}[sampled[number]["noise"].pieces[0].file]
    recording = one.waveform(tone(0.5, hertz=440), sampled[number])
    spectrum = np.abs(np.fft.rfft(recording))
    assert set(np.argsort(spectrum)[-2:] * 2) == {440, hertz}


def test_masks_are_sampled_apart_from_the_waveform():
    features = np.random.default_rng(0).normal(size=(100, 80)).astype(np.float32)
    masks = SpecAugmentConfig(time_masks=2, frequency_masks=2)
    alone = augmentation(spec_augment=masks).features(features, **PLACE)
    beside = augmentation(spec_augment=masks, **EVERYTHING).features(features, **PLACE)
    assert np.array_equal(alone, beside) and not np.array_equal(alone, features)


def test_what_was_sampled_can_be_written_down():
    one = augmentation(**EVERYTHING | {"room_probability": 1.0})
    described = json.loads(json.dumps(one.describe(one.draw(**PLACE), **PLACE)))
    assert described["speed"] in EVERYTHING["speed_factors"]
    assert 0.1 <= described["room"]["rt60_seconds"] <= 0.3
    assert 5 <= described["noise"]["snr_db"] <= 20


def test_augmentation_begins_with_none_and_then_a_share_that_rises_linearly():
    features = np.random.default_rng(0).normal(size=(60, 20)).astype(np.float32)
    masks = SpecAugmentConfig(frequency_masks=2, frequency_mask_bins=9, time_masks=1)
    settings = {"gain_db": 6.0, "spec_augment": masks}
    always, warming = augmentation(**settings), augmentation(**settings, warmup_epochs=4)
    shares = []
    for epoch in range(6):
        changed = 0
        for number in range(400):
            place = {"epoch": epoch, "utterance_id": str(number)}
            sampled, made = warming.draw(**place), warming.features(features, **place)
            if made is features:  # all of it is left out, or nothing
                assert sampled == {} and warming.describe(sampled, **place) == {}
                continue
            # What is changed is changed as it would be without a warm-up.
            assert sampled == always.draw(**place) != {}
            assert np.array_equal(made, always.features(features, **place))
            changed += 1
        shares.append(changed / 400)
    # The second copy of a row that comes twice in an epoch, which numbers far apart tell apart.
    first_pass = {"epoch": 2**32, "utterance_id": "0"}
    assert warming.draw(**first_pass) == {} and always.draw(**first_pass) != {}
    # By hand: 0, 1/4, 2/4, 3/4 and then all, within four standard deviations of a share.
    assert shares[0] == 0 and shares[4] == shares[5] == 1
    assert shares[1:4] == pytest.approx([0.25, 0.5, 0.75], abs=4 * (0.25 / 400) ** 0.5)
