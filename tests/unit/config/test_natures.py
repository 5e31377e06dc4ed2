"""What each setting is: said for every one of them, and asked by all that treats them by it.

The values here are those that docs/ promises, written out by hand.
"""

import dataclasses

import pytest

from mynah.config.checkpointed import runtime_settings
from mynah.config.derived import derived
from mynah.config.schema import Nature, setting
from mynah.config.schema.nature import DECIDES
from mynah.config.settings import all_settings, entry_names, leaves, names
from mynah.config.trainer_fields.disposition import UPSTREAM_DISPOSITION
from mynah.config.trainer_fields.installed import upstream_fields
from mynah.config.trainer_fields.natures import NATURES


def test_a_setting_cannot_be_written_without_its_nature():
    with pytest.raises(TypeError, match="nature"):
        setting(1, "A setting.")


@pytest.mark.parametrize("name", all_settings())
def test_every_setting_decides_something(name):
    assert all_settings()[name].nature & DECIDES


def test_every_setting_of_a_corpus_in_a_mixture_decides_something():
    for entry in (all_settings()["data.mixture"].record or {}).values():
        assert entry.nature & DECIDES, entry.name


def test_the_nature_of_every_installed_field_of_training_arguments_was_decided():
    own = {s.leaf for s in all_settings().values() if not s.metadata.get("upstream")}
    without_effect = {n for n, found in UPSTREAM_DISPOSITION.items() if found.has_no_effect}
    assert set(NATURES) == set(upstream_fields()) - own - without_effect


def test_a_field_of_a_newer_transformers_must_agree_on_resume():
    from mynah.config.trainer_fields.natures import upstream_nature

    assert upstream_nature("a_field_that_nobody_has_seen") is Nature.STEP


def test_nothing_that_idles_is_anything_else():
    for name in names(Nature.IDLE):
        assert all_settings()[name].nature is Nature.IDLE, name


def test_paths_are_meant_from_where_the_command_is_typed():
    assert set(names(Nature.PATH)) == {
        "data.path",
        "data.audio_folders",
        "data.text_substitutions_file",
        "data.dataset_cache_dir",
        "data.augmentation.noise_folder",
        "data.augmentation.room_folder",
        "evaluation.terms",
        "model.context_file",
        "training.output_dir",
    }
    assert set(names(Nature.NAME)) == {
        "data.dataset_name",
        "model.pretrained",
        "model.encoder_model_name",
        "model.decoder_model_name",
    }
    assert entry_names("data.mixture", Nature.PATH) == ("path",)
    assert entry_names("data.mixture", Nature.NAME) == ("dataset_name",)


def test_every_setting_that_says_folder_file_or_dir_is_a_path():
    words = ("_dir", "_folder", "_folders", "_file", ".path", "evaluation.terms")
    assert {name for name in all_settings() if name.endswith(words)} == set(names(Nature.PATH))


def test_a_checkpoint_may_be_decoded_in_another_way_and_run_in_another_way():
    assert runtime_settings() == {
        "attn_implementation",
        "beam_size",
        "context_file",
        "context_weight",
        "generation_max_length",
        "internal_language_model_weight",
        "language",
        "language_model",
        "language_model_weight",
        "task",
        "trust_remote_code",
        "word_bonus",
    }


def test_a_corpus_is_named_by_all_of_this():
    assert set(leaves(Nature.CORPUS, "data")) == {
        "dataset_name",
        "path",
        "format",
        "dataset_configs",
        "revision",
        "options",
        "columns",
        "audio_folders",
        "channels",
        "no_speech_texts",
        "language",
        "mixture",
        "mixture_temperature",
        "train_splits",
        "eval_splits",
        "test_splits",
        "eval_fraction",
    }
    # Of a mixture each entry has these of its own.
    assert set(entry_names("data.mixture", Nature.CORPUS)) == {
        "dataset_name",
        "path",
        "format",
        "dataset_configs",
        "revision",
        "options",
        "columns",
        "train_splits",
        "eval_splits",
        "test_splits",
    }


def test_what_looks_at_all_rows_is_not_for_streams():
    assert set(names(Nature.TABLE)) == {
        "data.mixture",
        "data.on_duplicates",
        "data.max_train_samples",
        "data.train_share",
        "data.replay",
    }


def test_what_follows_where_it_is_null_says_from_what():
    assert derived() == {
        "evaluation.guard": "follows from the model",
        "training.optim": "follows from the model",
        "training.learning_rate": "follows from the model",
        "training.report_to": "follows from what is installed",
        "training.max_steps": "follows from the corpus and its hours",
        "data.text_case": "follows from the corpus",
        "data.replay": "follows from the model and the corpus",
        "data.augmentation.spec_augment.time_masks": "follows from the corpus",
        "data.augmentation.spec_augment.frequency_masks": "follows from the corpus",
    }
    # Null by themselves, but for what is null in the groups of the embedded corpus alone.
    assert {name for name in derived() if all_settings()[name].default is not None} == {
        "training.max_steps",
        "data.text_case",
        "data.replay",
        "data.augmentation.spec_augment.time_masks",
        "data.augmentation.spec_augment.frequency_masks",
    }


def test_settings_of_lora_are_those_that_begin_with_its_name():
    assert set(names(Nature.LORA)) == {n for n in all_settings() if n.startswith("model.lora_")}


def test_a_section_is_not_a_setting():
    assert not any(dataclasses.is_dataclass(found.default) for found in all_settings().values())
