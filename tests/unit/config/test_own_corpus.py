"""The embedded corpus's defaults are not those of one's own: steps, letters' case and masks."""

import pytest

from mynah.config.hydra.compose import compose
from mynah.config.notices import notices


def lengths(*typed):
    training = compose(list(typed)).config.training
    return training.max_steps, training.eval_steps, training.save_steps


def of_data(*typed):
    data = compose(list(typed)).config.data
    masks = data.augmentation.spec_augment
    return data.text_case, masks.time_masks, masks.frequency_masks


def test_the_embedded_corpus_has_the_numbers_it_was_sized_for():
    assert lengths("model=small") == (1400, 700, 700)
    assert lengths("model=fastconformer", "data=general") == (1400, 700, 700)
    assert lengths("model=large", "data=small") == (1400, 700, 700)
    assert of_data() == ("lower", 0, 0)
    assert of_data("+experiments=test") == ("lower", 0, 0)


def test_a_full_recognizer_with_lora_has_learned_the_embedded_corpus_long_before():
    assert lengths() == lengths("data=small") == (160, 0.5, 0.5)
    assert lengths("training.eval_steps=40") == (160, 40, 40)
    assert lengths("model.use_lora=false") == (1400, 700, 700)


def test_ones_own_corpus_has_its_case_and_masks_and_its_hours_say_how_long():
    assert lengths("data.dataset_name=./mine") == (None, 0.5, 0.5)
    assert of_data("data.dataset_name=./mine") == ("keep", 2, 2)
    assert of_data("data.path=./mine") == ("keep", 2, 2)
    assert of_data("data.mixture.a.dataset_name=./mine") == ("keep", 2, 2)


def replayed(*typed):
    return compose(list(typed)).config.data.replay


@pytest.mark.long  # composes eight times
def test_a_tenth_of_what_the_default_model_learns_of_ones_own_corpus_is_general_speech():
    own = "data.dataset_name=./mine"
    assert replayed(own) == replayed("data=an4", "data.path=./an4") == 0.1
    assert replayed() == replayed("data=general") == replayed("data=full") == 0
    assert replayed(own, "data.replay=0") == 0
    assert replayed(own, "data.replay=0.3") == replayed("data.replay=0.3") == 0.3
    for other in ("model=small", "model=moonshine", "model.use_lora=false", "data.streaming=true"):
        assert replayed(own, other) == 0, other
    assert replayed(own, "data=general") == replayed(own, "data=small") == 0.1
    mixed = "data.mixture.a.dataset_name=synthetic"
    assert replayed(mixed) == 0 and replayed(mixed, "data.mixture.b.dataset_name=./mine") == 0.1


def test_and_no_other_tuning_replays_than_lora():
    own, encoder = "data.dataset_name=./mine", "model.encoder_tuning"
    assert replayed(own, "model.use_lora=false", f"{encoder}=lora") == 0.1
    assert replayed(own, f"{encoder}=full", "model.decoder_tuning=full") == 0


@pytest.mark.parametrize("name", ["librispeech", "an4"])
def test_corpora_in_capitals_are_lowered(name):
    assert of_data(f"data.dataset_name={name}")[0] == "lower"


def test_what_is_typed_wins():
    own = "data.dataset_name=./mine"
    assert lengths(own, "training.max_steps=20") == (20, 700, 700)
    assert lengths(own, "training.eval_steps=9") == (None, 9, 9)
    assert lengths(own, "training.num_train_epochs=5") == (-1, 0.5, 0.5)
    assert lengths("training.num_train_epochs=5") == (-1, 0.5, 0.5)
    assert lengths(own, "training=production")[0] == 50_000
    assert of_data(own, "data.text_case=lower") == ("lower", 2, 2)
    assert of_data(own, "data.augmentation.spec_augment.time_masks=0") == ("keep", 0, 2)
    assert of_data("data.text_case=keep") == ("keep", 0, 0)


def test_a_stream_which_does_not_say_how_long_it_is_has_the_most_steps_and_that_is_said():
    stream = ("data.dataset_name=./mine", "data.streaming=true")
    assert lengths(*stream)[0] == 5000
    made = compose(list(stream))
    (said,) = [one for one in notices(made.config, made.origins) if "stream" in one]
    assert "5,000 steps" in said and "training.max_steps=N" in said
    made = compose([*stream, "training.max_steps=7"])
    assert made.config.training.max_steps == 7
    assert not [one for one in notices(made.config, made.origins) if "stream" in one]
