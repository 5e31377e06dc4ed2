"""Our settings reach transformers by their names, and steps are counted as they are taken."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mynah.config.schema import Config
from mynah.config.trainer_fields.disposition import UPSTREAM_DISPOSITION
from mynah.errors import UserError
from mynah.training import arguments
from mynah.training.arguments import (
    data_workers,
    interval,
    loader_options,
    steps_per_epoch,
    steps_total,
    training_arguments,
)


class Plan:
    batches_per_epoch = 10


def configured(**training):
    config = Config()
    return replace(config, training=replace(config.training, use_cpu=True, **training))


def translated(tmp_path, resuming=False, pretrained=True, **training):
    return training_arguments(
        configured(**training),
        Plan(),
        output_directory=tmp_path,
        resuming=resuming,
        rows=80,
        pretrained=pretrained,
    )


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        ({"max_steps": 7}, 7),
        ({"num_train_epochs": 2.0}, 20),
        ({"num_train_epochs": 2.0, "gradient_accumulation_steps": 3}, 8),
        ({"num_train_epochs": 0.5}, 5),
        ({"num_train_epochs": 0.0}, 1),
    ],
)
def test_steps_are_max_steps_or_what_the_epochs_come_to(training, expected):
    assert steps_total(Plan(), configured(**training)) == expected


def test_the_last_step_of_an_epoch_may_have_fewer_batches():
    assert steps_per_epoch(Plan(), configured(gradient_accumulation_steps=4)) == 3


@pytest.mark.parametrize(
    ("steps", "expected"),
    [(None, None), (0, None), (5.0, 5), (1.0, 1), (0.25, 25), (0.001, 1), (0.015, 2)],
)
def test_an_interval_is_steps_or_below_one_a_share(steps, expected):
    assert interval(steps, 100) == expected


def test_every_honoured_field_reaches_transformers_with_its_value(tmp_path):
    values = {
        "learning_rate": 0.002,
        "lr_scheduler_type": "cosine_with_min_lr",
        "lr_scheduler_kwargs": {"min_lr": 1e-6},
        "warmup_steps": 0.2,
        "optim": "adamw_torch",
        "weight_decay": 0.3,
        "adam_beta2": 0.95,
        "adam_epsilon": 1e-6,
        "max_grad_norm": 5.0,
        "gradient_accumulation_steps": 4,
        "seed": 9,
        "full_determinism": False,
        "run_name": "mine",
        "ddp_timeout": 60,
        "neftune_noise_alpha": 0.1,
    }
    made = translated(tmp_path, **values)
    for name, value in values.items():
        assert getattr(made, name) == value, name
    assert made.get_warmup_steps(50) == 10


def test_our_own_ways_of_saving_and_measuring_never_meet_transformers(tmp_path):
    made = translated(tmp_path, save_steps=7, eval_steps=5, load_best_model_at_end=True)
    assert made.save_strategy == "no" and not made.load_best_model_at_end
    assert made.remove_unused_columns is False and made.greater_is_better is False
    assert made.disable_tqdm and made.report_to == []
    assert made.per_device_train_batch_size == 8


def test_a_refused_field_is_never_handed_on(tmp_path):
    refused = {n for n, d in UPSTREAM_DISPOSITION.items() if d.kind == "refused"}
    assert "dataloader_drop_last" in refused
    assert translated(tmp_path, dataloader_drop_last=True).dataloader_drop_last is False


def test_an_evaluation_before_the_first_step_is_not_repeated_by_a_resume(tmp_path):
    assert translated(tmp_path, eval_on_start=True).eval_on_start
    assert not translated(tmp_path, eval_on_start=True, resuming=True).eval_on_start


def test_gradient_checkpointing_reaches_transformers_under_its_new_name(tmp_path):
    assert translated(tmp_path, gradient_checkpointing=True).activation_checkpointing


def test_a_value_that_transformers_refuses_is_the_users_to_fix(tmp_path):
    with pytest.raises(UserError, match="optimal"):
        translated(tmp_path, optim="optimal")


@pytest.mark.parametrize("setting", [{"fsdp_config": {"a": 1}}, {"deepspeed": "zero.json"}])
def test_other_ways_to_shard_are_refused_with_what_there_is(tmp_path, setting):
    with pytest.raises(UserError, match="fsdp=true shards") as caught:
        translated(tmp_path, **setting)
    assert "training.fsdp=true" in caught.value.fix


def test_sharding_is_not_left_to_accelerates_plugin(tmp_path):
    assert not translated(tmp_path, fsdp=True).fsdp


@pytest.mark.parametrize("wanted", ["bf16", "fp16"])
def test_a_precision_that_the_cpu_lacks_is_said_and_left_out(tmp_path, monkeypatch, capsys, wanted):
    monkeypatch.setattr(arguments, "_cpu_has_bfloat16", lambda: False)
    made = translated(tmp_path, **{wanted: True})
    assert not made.bf16 and not made.fp16
    assert "training in fp32" in capsys.readouterr().out


def test_bf16_is_used_on_a_cpu_that_has_it(tmp_path, monkeypatch):
    for probe in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, probe, lambda: True)
    assert translated(tmp_path, bf16=True).bf16


def test_worker_options_are_those_of_a_loader_with_workers():
    training = configured(dataloader_num_workers=0).training
    assert loader_options(training, "cpu") == {"num_workers": 0}
    training = configured(dataloader_num_workers=3, dataloader_prefetch_factor=4).training
    options = loader_options(training, "cpu")
    assert (options["num_workers"], options["prefetch_factor"]) == (3, 4)
    assert options["persistent_workers"]


@pytest.mark.parametrize(
    ("device", "cores", "ranks", "workers"),
    [
        ("cpu", 64, 1, 1),
        ("cuda", 2, 1, 1),
        ("cuda", 6, 1, 5),
        ("cuda", 64, 1, 8),
        ("cuda", 16, 4, 3),
        ("mps", 12, 1, 0),
    ],
)
def test_unset_workers_are_as_many_as_feed_the_device(monkeypatch, device, cores, ranks, workers):
    monkeypatch.setattr(arguments, "_cores", lambda: cores)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(ranks))
    assert data_workers(configured().training, device) == workers
    assert data_workers(configured(dataloader_num_workers=5).training, device) == 5


def test_a_prefetch_factor_needs_no_number_of_workers(tmp_path):
    assert translated(tmp_path, dataloader_prefetch_factor=4).dataloader_num_workers == 1


@pytest.mark.parametrize(
    ("pretrained", "training", "looks"),
    [
        (True, {}, True),
        (False, {}, False),
        (False, {"ddp_find_unused_parameters": True}, True),
        (True, {"ddp_find_unused_parameters": False}, False),
        (True, {"gradient_checkpointing": True}, True),
        (
            True,
            {
                "gradient_checkpointing": True,
                "gradient_checkpointing_kwargs": {"use_reentrant": True},
            },
            False,
        ),
    ],
)
def test_processes_look_for_unused_weights_where_a_model_may_drop_some(
    tmp_path, pretrained, training, looks
):
    found = translated(tmp_path, pretrained=pretrained, **training)
    assert found.ddp_find_unused_parameters is looks
