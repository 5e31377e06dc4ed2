"""Settings of augmentation that cannot be, and those that have no effect."""

import pytest

from mynah.config.checks.augmentation import augmentation_notices
from mynah.config.checks.check import check
from mynah.config.hydra.compose import compose
from mynah.config.notices import notices
from mynah.config.origins import Origin
from mynah.config.schema import Config, SpecAugmentConfig
from mynah.errors import ConfigErrors


def config_with(**settings):
    config = Config()
    for name, value in settings.items():
        setattr(config.data.augmentation, name, value)
    return config


def mistakes(origins=None, **settings):
    config = config_with(**settings)
    try:
        check(config, origins or {})
    except ConfigErrors as problem:
        return problem.errors
    return []


@pytest.mark.parametrize(
    ("name", "span", "instead"),
    [
        ("room_size_meters", [5.0], "[5,5]"),
        ("room_size_meters", [], "[1,100]"),
        ("room_size_meters", [9.0, 3.0], "[3,9]"),
        ("room_rt60_seconds", [0.2, 9.0], "[0.2,3]"),
        ("room_rt60_seconds", [0.0, 0.5], "[0.05,0.5]"),
        ("room_distance_meters", [0.0, 1.0, 2.0], "[0.1,2]"),
        ("vocal_tract_factors", [1.1], "[1.1,1.1]"),
        ("vocal_tract_factors", [1.2, 0.2], "[0.7,1.2]"),
        ("vocal_tract_factors", [float("nan"), 1.1], "[1.1,1.1]"),
    ],
)
def test_a_span_that_is_none_is_reported_with_the_nearest_one(name, span, instead):
    (mistake,) = mistakes(**{name: span})
    assert "[low, high]" in mistake.what
    assert mistake.fix == f"set data.augmentation.{name}={instead}"


def test_a_folder_that_is_not_there_is_reported_before_anything_is_done(tmp_path):
    for name in ("noise_folder", "room_folder"):
        (mistake,) = mistakes(**{name: str(tmp_path / "nowhere")})
        assert str(tmp_path / "nowhere") in mistake.what
        assert f"{name}=null" in mistake.fix


def test_noise_without_a_level_is_a_mistake_unless_it_was_turned_off(tmp_path):
    (mistake,) = mistakes(noise_folder=str(tmp_path))
    assert "noise_snr_db" in mistake.what
    assert any("noise_snr_db=[5,25]" in argument for argument in mistake.instead)
    assert not mistakes(noise_folder=str(tmp_path), noise_snr_db=[5.0, 20.0])
    assert not mistakes(noise_folder=str(tmp_path), noise_probability=0.0)
    typed = {"data.augmentation.noise_snr_db": Origin("command line")}
    assert not mistakes(typed, noise_folder=str(tmp_path))


@pytest.mark.parametrize("name", ["room", "noise", "gain", "speed", "telephone"])
def test_a_probability_lies_between_nothing_and_one(name):
    (mistake,) = mistakes(**{f"{name}_probability": 1.5})
    assert "from 0 to 1" in mistake.what


def test_an_evaluation_needs_no_folder_of_its_training():
    config = config_with(noise_folder="/nowhere")
    config.eval_checkpoint = "a"
    check(config, {})


@pytest.mark.parametrize(
    ("settings", "asked", "said"),
    [
        ({}, "noise_sources", "noise_sources has no effect"),
        ({}, "simulated_rooms", "simulated_rooms has no effect"),
        ({"room_probability": 0.0, "room_folder": "a"}, "room_folder", "room_folder has no effect"),
        ({"room_folder": "a"}, "room_rt60_seconds", "rooms come from"),
        ({"room_probability": 0.5}, "room_rt60_seconds", None),
        ({"room_folder": "a"}, "room_folder", None),
        ({}, "gain_probability", "gain_probability has no effect"),
        ({"gain_db": 3.0}, "gain_probability", None),
        ({}, "vocal_tract_probability", "vocal_tract_factors is off"),
        ({"vocal_tract_factors": [0.9, 1.1]}, "vocal_tract_probability", None),
        ({"warmup_epochs": 3}, "warmup_epochs", "warmup_epochs has no effect"),
        ({"warmup_epochs": 3, "speed_factors": [0.9]}, "warmup_epochs", None),
        ({"warmup_epochs": 3, "room_probability": 0.1}, "warmup_epochs", None),
        ({"warmup_epochs": 3, "telephone_probability": 0.1}, "warmup_epochs", None),
        (
            {"warmup_epochs": 3, "spec_augment": SpecAugmentConfig(frequency_masks=1)},
            "warmup_epochs",
            None,
        ),
        # Null turns masks off for the embedded corpus; a share or a width of 0 changes nothing.
        *(
            ({"warmup_epochs": 3, **off}, "warmup_epochs", "warmup_epochs has no effect")
            for off in (
                {"spec_augment": SpecAugmentConfig(time_masks=None, frequency_masks=None)},
                {"spec_augment": SpecAugmentConfig(time_masks=2, time_mask_fraction=0.0)},
                {"spec_augment": SpecAugmentConfig(frequency_masks=2, frequency_mask_bins=0)},
                {"spec_augment": SpecAugmentConfig(time_masks=2, probability=0.0)},
                {"speed_factors": [0.9], "speed_probability": 0.0},
                {"gain_db": 3.0, "gain_probability": 0.0},
            )
        ),
    ],
)
def test_what_has_no_effect_is_said(settings, asked, said):
    config = config_with(**settings)
    notices = list(augmentation_notices(config, lambda name: name == f"data.augmentation.{asked}"))
    assert len(notices) == (said is not None)
    assert all(said in notice for notice in notices)


@pytest.mark.parametrize(("corpus", "is_said"), [("an4", False), ("synthetic", True)])
def test_masks_that_are_null_begin_later_but_for_the_embedded_corpus(corpus, is_said):
    section = "data.augmentation"
    masks = [f"{section}.spec_augment.{name}_masks=null" for name in ("time", "frequency")]
    composed = compose([f"data.dataset_name={corpus}", f"{section}.warmup_epochs=3", *masks])
    said = " ".join(notices(composed.config, composed.origins))
    assert (f"{section}.warmup_epochs has no effect" in said) == is_said
