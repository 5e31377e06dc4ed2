"""Rules between settings, notices, and what becomes of TrainingArguments' fields."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from mynah.config.checks.check import check
from mynah.config.notices import notices
from mynah.config.origins import Origin
from mynah.config.schema import Config, TrainingConfig
from mynah.config.settings import all_settings
from mynah.config.trainer_fields.disposition import GONE, UPSTREAM_DISPOSITION, refusal
from mynah.config.trainer_fields.installed import optimizer_names, upstream_fields
from mynah.errors import ConfigErrors


def config_with(**settings: Any) -> Config:
    """The schema's defaults with some values, by dotted name with __ for each dot."""
    config = Config()
    for name, value in settings.items():
        *path, leaf = name.split("__")
        target: Any = config
        for part in path:
            target = getattr(target, part)
        assert hasattr(target, leaf)
        setattr(target, leaf, value)
    return config


def problems(**settings: Any) -> ConfigErrors:
    with pytest.raises(ConfigErrors) as caught:
        check(config_with(**settings))
    return caught.value


def test_the_schemas_own_defaults_pass():
    check(Config())


RULES = [
    ({"training__bf16": True, "training__fp16": True}, "exclude each other", "training.fp16=false"),
    ({"model__family": "ctc", "evaluation__n_best": 5}, "gives one hypothesis", "n_best=0"),
    ({"training__eval_strategy": "no"}, "saved and measured", "load_best_model_at_end=false"),
    (
        {"training__average_checkpoints": 3, "training__load_best_model_at_end": False},
        "the best has to be known",
        "load_best_model_at_end=true",
    ),
    (
        {
            "model__pretrained": "openai/whisper-tiny",
            "model__use_lora": True,
            "model__lora_r": 7,
            "model__lora_init_weights": "orthogonal",
        },
        "even rank",
        "model.lora_r=8",
    ),
    (
        {
            "training__eval_strategy": "no",
            "training__load_best_model_at_end": False,
            "training__early_stopping_patience": 3,
        },
        "has to be measured",
        "early_stopping_patience=null",
    ),
    ({"training__save_strategy": "no"}, "saved and measured", "load_best_model_at_end=false"),
    ({"training__save_strategy": "epoch"}, "goes with measuring", "save_strategy=steps"),
    ({"training__eval_steps": 30, "training__save_steps": 100}, "not a multiple", "save_steps=90"),
    (
        {"training__eval_steps": 300, "training__save_steps": 100},
        "not a multiple",
        "save_steps=300",
    ),
    (
        {"training__eval_steps": 0.1, "training__save_steps": 100},
        "not a multiple",
        "save_steps=0.1",
    ),
    (
        {
            "training__eval_strategy": "no",
            "training__save_strategy": "best",
            "training__load_best_model_at_end": False,
        },
        "has to be measured",
        "save_strategy=steps",
    ),
    ({"data__eval_splits": []}, "nothing to evaluate on", "eval_strategy=no"),
    ({"data__train_splits": []}, "nothing to train on", "train_splits=[train]"),
    ({"training__max_steps": 0}, "Nothing would be trained", "max_steps=-1"),
    ({"training__num_train_epochs": 0.0}, "Nothing would be trained", "num_train_epochs=1"),
    ({"training__adam_beta2": 1.0}, "below 1", "adam_beta2=0.98"),
    ({"training__logging_steps": 2.5}, "whole number of steps", "logging_steps=2"),
    ({"training__optim": "adamm"}, "not an optimizer", "optim=adamw_torch"),
    ({"training__report_to": ["wundb"]}, "no tracker", "report_to=null"),
    ({"data__augmentation__noise_snr_db": [20.0]}, "[low, high]", "noise_snr_db=[20,20]"),
    ({"data__augmentation__noise_snr_db": [20.0, 5.0]}, "[low, high]", "noise_snr_db=[5,20]"),
    ({"data__synthesis__noise_snr_db": [1.0, 2.0, 3.0]}, "[low, high]", "noise_snr_db=[1,3]"),
    ({"data__augmentation__speed_factors": [9.0]}, "0.5 and 2", "speed_factors=[0.9,1.0,1.1]"),
    ({"data__max_audio_seconds": 0.05}, "No utterance", "max_audio_seconds=30.0"),
    ({"model__encoder__hidden_size": 100, "model__encoder__heads": 8}, "shared out", "size=104"),
    ({"model__encoder__conv_kernel_size": 8}, "must be odd", "conv_kernel_size=9"),
    ({"model__encoder__subsampling_factor": 6}, "power of two", "subsampling_factor=4"),
    (
        {"model__pretrained": "a", "model__encoder_model_name": "b"},
        "full recognizer",
        "encoder_model_name=null",
    ),
    ({"model__family": "speech_llm"}, "needs a language model", "family=auto"),
    (
        {
            "model__family": "ctc",
            "model__encoder_model_name": "a",
            "model__decoder_model_name": "b",
        },
        "no language model",
        "family=auto",
    ),
    (
        {"eval_checkpoint": "a", "resume_from_checkpoint": "b"},
        "only one of them",
        "resume_from_checkpoint=null",
    ),
    ({"training__learning_rate": 2.0}, "from 0 to 1, not 2", "learning_rate=1"),
    ({"training__learning_rate": float("nan")}, "not a number", "learning_rate=null"),
    ({"model__tokenizer": "bpee"}, "one of bpe, character", "tokenizer=bpe"),
    ({"training__fsdp_config": {"a": 1}}, "cannot be honoured", "remove training.fsdp_config"),
    ({"training__fsdp": True, "training__optim": "adafactor"}, "adafactor", "optim=adamw_torch"),
    ({"training__fsdp": True, "training__fp16": True}, "scale of fp16", "training.fp16=false"),
    (
        {"training__fsdp": True, "training__torch_compile": True},
        "torch.compile has not been tried",
        "training.torch_compile=false",
    ),
    (
        {
            "training__fsdp": True,
            "training__gradient_checkpointing": True,
            "training__gradient_checkpointing_kwargs": {"use_reentrant": True},
        },
        "Re-entrant",
        "remove training.gradient_checkpointing_kwargs",
    ),
    ({"training__push_to_hub": True}, "cannot be honoured", "remove training.push_to_hub"),
    ({"model__family": "seq2seq"}, "from pretrained weights", "model.family=auto"),
    (
        {"data__mixture": {"a": {"dataset_name": "s3://x/y"}}, "offline": True},
        "uses no network",
        "",
    ),
]


@pytest.mark.parametrize(("settings", "what", "fix"), RULES, ids=[str(case[0]) for case in RULES])
def test_settings_that_contradict_each_other_are_reported_with_their_fix(settings, what, fix):
    problem = problems(**settings)
    assert len(problem.errors) == 1
    assert what in problem.errors[0].what
    assert fix in (problem.errors[0].fix or "")


@pytest.mark.parametrize(
    "settings",
    [
        {"training__eval_steps": 50.0, "training__save_steps": 100.0},
        {"training__eval_steps": None, "training__logging_steps": 25, "training__save_steps": 100},
        {"training__eval_steps": 0.1, "training__save_steps": 0.3},
        {"training__eval_strategy": "epoch", "training__save_strategy": "epoch"},
        {"training__eval_strategy": "no", "training__load_best_model_at_end": False},
        {"data__eval_splits": None},
        {"data__augmentation__noise_snr_db": [5.0, 5.0]},
        {"model__pretrained": "facebook/wav2vec2-base-960h"},
        {"model__encoder_model_name": "a", "model__decoder_model_name": "b"},
        {"training__warmup_steps": 1000.0, "training__max_steps": 2},
        {"training__report_to": ["none"]},
        {"eval_checkpoint": "a", "training__eval_strategy": "no"},
    ],
    ids=str,
)
def test_what_goes_together_passes(settings):
    check(config_with(**settings))


def test_several_contradictions_are_reported_at_once():
    problem = problems(training__bf16=True, training__fp16=True, model__encoder__heads=5)
    assert len(problem.errors) == 2


def test_a_contradiction_names_the_file_and_line_that_set_it():
    config = config_with(model__encoder__conv_kernel_size=8)
    place = "configs/hydra/model/mine.yaml:9"
    origins = {"model.encoder.conv_kernel_size": Origin("group", "model/mine.yaml:9", place=place)}
    with pytest.raises(ConfigErrors) as caught:
        check(config, origins)
    assert caught.value.errors[0].where == place


TYPED = Origin("command line", "typed")


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"model__lora_r": 8}, "model.lora_r has no effect: nothing pretrained"),
        (
            {"model__lora_r": 8, "model__lora_alpha": 9},
            "model.lora_r, model.lora_alpha have no effect",
        ),
        ({"model__use_lora": True}, "model.use_lora has no effect"),
        (
            {"model__pretrained": "a", "model__lora_r": 8},
            "model.lora_r has no effect: model.use_lora is false",
        ),
        (
            {"model__pretrained": "a", "model__encoder__layers": 3},
            "the encoder is a pretrained one",
        ),
        (
            {"data__dataset_name": "an4", "data__synthesis__seed": 1},
            "data.synthesis.seed has no effect: data.dataset_name is an4",
        ),
        (
            {"training__per_device_train_batch_size": 4, "training__batch_seconds": 9.0},
            "training.batch_seconds has no effect",
        ),
        ({"training__max_steps": 10, "training__warmup_steps": 10.0}, "never reaches its peak"),
        (
            {"training__eval_accumulation_steps": 4},
            "training.eval_accumulation_steps has no effect",
        ),
    ],
    ids=str,
)
def test_a_setting_without_effect_is_a_notice_and_no_error(settings, part):
    config = config_with(**settings)
    check(config)
    origins = {name.replace("__", "."): TYPED for name in settings}
    assert any(part in text for text in notices(config, origins))


def test_lora_on_something_pretrained_gets_no_notice():
    config = config_with(model__pretrained="a", model__use_lora=True, model__lora_r=8)
    assert notices(config, {"model.lora_r": TYPED, "model.use_lora": TYPED}) == []


@pytest.mark.parametrize("layer", ["group", "command line"])
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"family": "transducer", "language_model": "words"}, "join CTC models alone"),
        ({"decoder_model_name": "a", "language_model": "x.arpa"}, "joins CTC models and trans"),
    ],
)
def test_words_join_a_beam_alone_which_is_an_error_where_they_were_asked_for(
    layer, settings, said, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.arpa").touch()
    config = config_with(**{f"model__{name}": value for name, value in settings.items()})
    origins = {"model.language_model": Origin(layer, "model.language_model=words")}
    if layer == "group":  # a default of a shipped model
        check(config, origins)
        assert [said in text for text in notices(config, origins)] == [True]
        return
    with pytest.raises(ConfigErrors) as caught:
        check(config, origins)
    assert said in caught.value.errors[0].what
    assert caught.value.errors[0].instead == "model.language_model=none"


def test_sizes_of_a_transducer_that_is_not_built_have_no_effect_and_that_is_said():
    config = config_with(model__transducer__max_duration=4)
    said = notices(config, {"model.transducer.max_duration": TYPED})
    assert len(said) == 1 and "no transducer is built from scratch" in said[0]


def test_defaults_that_have_no_effect_get_no_notice():
    assert notices(Config(), {}) == []


def test_every_field_of_the_installed_training_arguments_has_a_disposition():
    assert set(UPSTREAM_DISPOSITION) == set(upstream_fields())


def test_every_field_of_the_installed_training_arguments_is_a_setting():
    names = {found.name for found in dataclasses.fields(TrainingConfig)}
    assert set(upstream_fields()) <= names


def test_no_name_that_is_gone_is_a_setting():
    names = {found.name for found in dataclasses.fields(TrainingConfig)}
    assert not set(GONE) & names


def test_whatever_a_name_that_is_gone_is_replaced_by_exists():
    for gone in GONE.values():
        if gone.instead:
            assert gone.instead.partition("=")[0] in all_settings()


def test_a_field_is_refused_only_when_it_is_not_at_its_default():
    for name, disposition in UPSTREAM_DISPOSITION.items():
        default = upstream_fields()[name].default
        assert refusal(name, default) is None
        changed = "something" if not isinstance(default, bool) else not default
        refused = refusal(name, changed) is not None
        expected = disposition.kind == "refused" and changed is not False
        assert refused == expected, name


def test_what_is_not_honoured_says_how_or_why():
    for name, disposition in UPSTREAM_DISPOSITION.items():
        assert bool(disposition.reason) == (disposition.kind != "honoured"), name


@pytest.mark.long
def test_names_defaults_and_optimizers_are_those_that_transformers_itself_says():
    from transformers import TrainingArguments
    from transformers.training_args import OptimizerNames

    real = {found.name: found for found in dataclasses.fields(TrainingArguments) if found.init}
    read = upstream_fields()
    assert set(read) == set(real)
    for name, found in real.items():
        if isinstance(found.default, bool | int | float):
            assert read[name].default == found.default, name
    assert optimizer_names() == {found.value for found in OptimizerNames}


@pytest.mark.parametrize(("cores", "workers", "right"), [(2, 500, 2), (2, 17, 2), (64, 513, 8)])
def test_more_data_workers_than_a_machine_can_start_are_refused(monkeypatch, cores, workers, right):
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    (error,) = problems(training__dataloader_num_workers=workers).errors
    assert f"{workers} data workers are too many for {cores} cores" in str(error)
    assert error.instead == f"training.dataloader_num_workers={right}"


@pytest.mark.parametrize(("cores", "workers"), [(2, 8), (2, 16), (64, 512), (2, None)])
def test_as_many_data_workers_as_there_is_use_for_pass(monkeypatch, cores, workers):
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    check(config_with(training__dataloader_num_workers=workers))


def test_sharding_needs_a_torch_that_knows_weights_left_out(monkeypatch):
    monkeypatch.setattr("mynah.config.checks.sharding.metadata.version", lambda name: "2.12.1+cpu")
    problem = problems(training__fsdp=True)
    assert "torch 2.13 or newer, and this is 2.12.1+cpu" in problem.errors[0].what
    monkeypatch.setattr("mynah.config.checks.sharding.metadata.version", lambda name: "3.0.0")
    check(config_with(training__fsdp=True))


def test_a_model_that_is_measured_may_have_been_sharded():
    check(config_with(training__fsdp=True, training__fp16=True, eval_checkpoint="a"))


def test_weights_in_four_bits_cannot_be_sharded():
    adapted = {"model__pretrained": "openai/whisper-tiny", "model__use_lora": True}
    problem = problems(training__fsdp=True, model__quantization="4bit", **adapted)
    assert "packed, and cannot be sharded" in problem.errors[0].what
    assert "training.fsdp=false" in (problem.errors[0].fix or "")
