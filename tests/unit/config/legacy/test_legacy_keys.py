"""Every key of the legacy dialect ends in exactly one way, and means what it meant."""

from __future__ import annotations

import pytest

from mynah.config.legacy.keys import KNOWN, Fate, base_groups, fate, nearest_key
from mynah.config.settings import find
from mynah.config.trainer_fields.installed import upstream_fields

# The dialect, as its files in the wild have it.
MODEL = [
    "decoder_model_name",
    "use_lora",
    "lora_r",
    "lora_alpha",
    "lora_dropout",
    "lora_target_modules",
]
DATA = [
    "dataset_name",
    "dataset_configs",
    "train_splits",
    "eval_splits",
    "max_audio_seconds",
    "max_text_words",
    "sample_rate",
    "dataset_cache_dir",
    "num_proc",
    "max_train_samples",
    "max_eval_samples",
]
TRAINING = [
    "output_dir",
    "max_steps",
    "per_device_train_batch_size",
    "per_device_eval_batch_size",
    "gradient_accumulation_steps",
    "eval_accumulation_steps",
    "learning_rate",
    "lr_scheduler_type",
    "warmup_steps",
    "weight_decay",
    "optim",
    "adam_beta1",
    "adam_beta2",
    "adam_epsilon",
    "max_grad_norm",
    "logging_steps",
    "logging_first_step",
    "logging_nan_inf_filter",
    "eval_strategy",
    "eval_steps",
    "save_strategy",
    "save_steps",
    "save_total_limit",
    "load_best_model_at_end",
    "metric_for_best_model",
    "greater_is_better",
    "push_to_hub",
    "report_to",
    "dataloader_num_workers",
    "dataloader_pin_memory",
    "dataloader_prefetch_factor",
    "dataloader_persistent_workers",
    "gradient_checkpointing",
    "fp16",
    "bf16",
    "seed",
    "disable_tqdm",
    "log_level",
    "torch_compile",
]
REMOVED = [
    "warmup_ratio",
    "overwrite_output_dir",
    "logging_dir",
    "save_safetensors",
    "evaluation_strategy",
    "group_by_length",
]
ONCE_IGNORED = [
    "generation_max_length",
    "predict_with_generate",
    "compute_metrics",
    "use_cache",
    "do_generation_test",
    "test_checkpoint_loading",
    "compile_mode",
]
SIZES = [
    "n_mels",
    "d_model",
    "n_head",
    "num_layers",
    "kernel_size",
    "conformer_dropout",
    "num_queries",
    "projector_num_heads",
    "projector_num_layers",
    "projector_dropout",
]
SINGULAR = [
    "dataset_config_name",
    "train_split",
    "eval_split",
]
WITHOUT_EFFECT_UPSTREAM = {"eval_accumulation_steps", "logging_nan_inf_filter"}


def of(key: str, value, **others) -> Fate:
    found = fate(key, value, {key: value, **others})
    assert found is not None, key
    return found


@pytest.mark.parametrize("key", MODEL)
def test_a_model_key_keeps_its_name(key):
    found = of(key, ["a"] if key == "lora_target_modules" else 1)
    assert (found.kind, found.settings[0][0]) == ("honoured", f"model.{key}")


@pytest.mark.parametrize("key", DATA)
def test_a_data_key_keeps_its_name(key):
    found = of(key, ["x"])
    assert (found.kind, found.settings) == ("honoured", ((f"data.{key}", ["x"]),))


@pytest.mark.parametrize("key", sorted(set(TRAINING) - WITHOUT_EFFECT_UPSTREAM))
def test_a_training_argument_keeps_its_name_and_value(key):
    value = {"report_to": ["tensorboard"], "push_to_hub": False}.get(key, 7)
    found = of(key, value)
    assert (found.kind, found.settings) == ("honoured", ((f"training.{key}", value),))


@pytest.mark.parametrize("key", [*SINGULAR, *REMOVED, *ONCE_IGNORED, *SIZES])
def test_every_other_key_of_the_dialect_has_a_fate_with_a_reason(key):
    assert of(key, 1).reason or of(key, 1).kind == "honoured"


@pytest.mark.parametrize("key", KNOWN)
@pytest.mark.parametrize("content", [{}, {"decoder_model_name": "x"}])
def test_every_known_key_sets_settings_that_exist_or_says_why_it_sets_none(key, content):
    for value in (True, 1, "steps", ["a"], None):
        found = of(key, value, **content)
        assert found.kind in ("honoured", "renamed", "translated", "without effect")
        assert all(find(name) is not None for name, _ in found.settings)
        assert found.reason or found.kind == "honoured"
        assert found.kind != "without effect" or not found.settings
        assert found.kind != "honoured" or found.settings


def test_every_training_argument_of_the_installed_version_is_known():
    assert set(upstream_fields()) <= set(KNOWN)


@pytest.mark.parametrize(
    ("key", "plural"),
    [
        ("dataset_config_name", "dataset_configs"),
        ("train_split", "train_splits"),
        ("eval_split", "eval_splits"),
    ],
)
def test_a_singular_form_becomes_the_list(key, plural):
    found = of(key, "train.100[:5]")
    assert (found.kind, found.settings) == ("renamed", ((f"data.{plural}", ["train.100[:5]"]),))


def test_a_singular_form_beside_its_list_has_no_effect():
    assert of("train_split", "train.100", train_splits=["train.360"]).kind == "without effect"


@pytest.mark.parametrize(
    ("singular", "plural"),
    [("train_split", "train_splits"), ("dataset_config_name", "dataset_configs")],
)
def test_a_list_that_is_null_has_no_effect_beside_its_singular_form(singular, plural):
    assert of(plural, None, **{singular: "clean"}).kind == "without effect"
    assert of(singular, "clean", **{plural: None}).settings == ((f"data.{plural}", ["clean"]),)
    assert of(plural, None).kind == "honoured"


def test_joined_splits_come_apart():
    assert of("train_split", "train.100+train.360").settings == (
        ("data.train_splits", ["train.100", "train.360"]),
    )


def test_a_warmup_ratio_becomes_warmup_steps_below_one():
    assert of("warmup_ratio", 0.1).settings == (("training.warmup_steps", 0.1),)
    assert of("warmup_ratio", 0.1, warmup_steps=0).settings == (("training.warmup_steps", 0.1),)
    assert of("warmup_steps", 0, warmup_ratio=0.1).kind == "without effect"


def test_a_warmup_ratio_that_is_null_has_no_effect():
    assert of("warmup_ratio", None).kind == "without effect"


def test_warmup_steps_win_over_a_warmup_ratio_as_they_did():
    assert of("warmup_ratio", 0.1, warmup_steps=500).kind == "without effect"
    assert of("warmup_steps", 500, warmup_ratio=0.1).settings == (("training.warmup_steps", 500),)


def test_evaluation_strategy_is_renamed():
    found = of("evaluation_strategy", "epoch")
    assert (found.kind, found.settings) == ("renamed", (("training.eval_strategy", "epoch"),))


@pytest.mark.parametrize(
    "key", ["overwrite_output_dir", "logging_dir", "save_safetensors", "group_by_length"]
)
def test_what_transformers_removed_without_a_successor_has_no_effect(key):
    assert of(key, True).kind == "without effect"


def test_pushing_to_the_hub_is_never_done_in_silence_nor_refused_in_silence():
    assert of("push_to_hub", False).kind == "honoured"
    found = of("push_to_hub", True)
    assert found.kind == "without effect" and "upload" in found.reason


def test_sizes_of_an_encoder_count_where_one_is_built_and_else_do_not():
    found = of("d_model", 256)
    assert (found.kind, found.settings) == ("translated", (("model.encoder.hidden_size", 256),))
    assert of("d_model", 256, decoder_model_name="llm").kind == "without effect"
    assert of("num_queries", 4).kind == "without effect"


@pytest.mark.parametrize("value", ["none", ["none"], []])
def test_reporting_to_nothing_stays_so(value):
    assert of("report_to", value).settings == (("training.report_to", ["none"]),)


def test_one_tracker_becomes_a_list():
    assert of("report_to", "tensorboard").settings == (("training.report_to", ["tensorboard"]),)


def test_the_metrics_prefix_goes():
    assert of("metric_for_best_model", "eval_loss").settings == (
        ("training.metric_for_best_model", "loss"),
    )


def test_word_error_rate_is_the_default_metric_so_that_scripts_without_spaces_are_measured_too():
    for written in ("wer", "eval_wer"):
        assert of("metric_for_best_model", written).settings == (
            ("training.metric_for_best_model", None),
        )
    assert of("metric_for_best_model", "cer").settings == (
        ("training.metric_for_best_model", "cer"),
    )


def test_resuming_goes_to_the_root_and_true_means_last():
    assert of("resume_from_checkpoint", "x").settings == (("resume_from_checkpoint", "x"),)
    assert of("resume_from_checkpoint", True).settings == (("resume_from_checkpoint", "last"),)
    assert of("resume_from_checkpoint", False).settings == (("resume_from_checkpoint", None),)


def test_generation_settings_are_honoured_where_there_is_one():
    assert of("generation_max_length", 64).settings == (("model.generation_max_length", 64),)
    assert of("predict_with_generate", True).kind == "translated"
    assert of("predict_with_generate", False).kind == "without effect"


def test_a_compile_mode_counts_with_torch_compile_alone():
    assert of("compile_mode", "max-autotune").kind == "without effect"
    found = of("compile_mode", "max-autotune", torch_compile=True)
    assert found.settings == (("training.torch_compile_mode", "max-autotune"),)


def test_the_old_name_of_librispeech_on_the_hub_becomes_the_new_one():
    assert of("dataset_name", "librispeech_asr").settings == (
        ("data.dataset_name", "openslr/librispeech_asr"),
    )


def test_comments_have_no_effect():
    assert of("_comment", "a try").kind == "without effect"


def test_a_full_dotted_name_of_mynah_is_honoured():
    assert of("training.batch_seconds", 30).settings == (("training.batch_seconds", 30),)
    assert fate("training.batch_secnds", 30, {}) is None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("learning_rte", "learning_rate"),
        ("lora_rank", "lora_r"),
        ("train_spits", "train_splits"),
        ("training.batch_secnds", "training.batch_seconds"),
    ],
)
def test_an_unknown_key_is_none_and_the_nearest_is_found(typed, meant):
    assert fate(typed, 1, {}) is None
    assert meant in nearest_key(typed)


@pytest.mark.parametrize(
    ("content", "groups"),
    [
        ({}, ("fastconformer", "general", "default")),
        ({"decoder_model_name": "x"}, ("large", "general", "mac")),
        ({"decoder_model_name": "x", "bf16": True}, ("large", "general", "production")),
        ({"dataset_name": "librispeech_asr"}, ("fastconformer", "full", "default")),
        ({"train_split": "train.100[:5]"}, ("fastconformer", "full", "default")),
        ({"dataset_name": "mine", "train_split": "a"}, ("fastconformer", "general", "default")),
    ],
)
def test_the_groups_follow_from_what_the_file_names(content, groups):
    assert tuple(base_groups(content).values()) == groups
