"""A training that was stopped and went on ends where one that was never touched does."""

from __future__ import annotations

import json
import os
import shutil
import signal
from dataclasses import replace

import pytest
import torch
from training_fakes import TinyCorpus, TinyFamily, TinyPlan, tiny_config, tiny_train, weights

from mynah.checkpoints.commit import intact_checkpoints
from mynah.data.augmentation.chain import Augmentation
from mynah.errors import UserError
from mynah.training import trainer
from mynah.training.guards import directory as directory_watch
from mynah.training.resuming.resume import check_resume, fixed_settings
from mynah.training.resuming.state import load_tree


class StoppingPlan(TinyPlan):
    """Sends this process a signal when the batch of a step is planned."""

    def __init__(self, *args, at, **options):
        super().__init__(*args, **options)
        self.at = at
        self.armed = True

    def batch(self, epoch, index, rank=0):
        if self.armed and (epoch, index) == self.at:
            self.armed = False
            os.kill(os.getpid(), signal.SIGTERM)
        return super().batch(epoch, index, rank)


def optimizer_tensors(checkpoint):
    return load_tree(checkpoint, "optimizer")["state"]


def assert_same_end(straight, resumed, directory_straight, directory_resumed):
    (family_a, result_a), (family_b, result_b) = straight, resumed
    left, right = weights(family_a), weights(family_b)
    assert all(torch.equal(left[name], right[name]) for name in left)
    assert result_a.history == result_b.history
    assert result_a.best_score == result_b.best_score
    step = result_a.steps
    states = [
        optimizer_tensors(directory / f"checkpoint-{step}")
        for directory in (directory_straight, directory_resumed)
    ]
    for key, entry in states[0].items():
        assert all(torch.equal(entry[name], states[1][key][name]) for name in entry)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_resumed_training_ends_bit_for_bit_like_an_untouched_one(tmp_path, workers):
    # 20 rows in batches of 4, two batches a step: 3 steps an epoch, so step 4 is in epoch 2.
    config = tiny_config(gradient_accumulation_steps=2, dataloader_num_workers=workers)
    straight = tiny_train(tmp_path / "a", config)
    stopping = StoppingPlan(20, 4, config.training.seed, at=(1, 1 + workers * 2))
    _, stopped = tiny_train(tmp_path / "b", config, plan=stopping)
    assert stopped.interrupted and 3 < stopped.steps < 6
    resumed = tiny_train(
        tmp_path / "b", config, resume=tmp_path / "b" / f"checkpoint-{stopped.steps}"
    )
    assert not resumed[1].interrupted
    assert_same_end(straight, resumed, tmp_path / "a", tmp_path / "b")


def test_the_running_loss_continues_between_two_log_lines(tmp_path):
    config = tiny_config(logging_steps=4, eval_strategy="no")
    _, straight = tiny_train(tmp_path / "a", config)
    _, stopped = tiny_train(tmp_path / "b", config, plan=StoppingPlan(20, 4, 42, at=(0, 1)))
    assert stopped.steps == 2 and stopped.history == []
    _, resumed = tiny_train(tmp_path / "b", config, resume=tmp_path / "b" / "checkpoint-2")
    assert [entry["step"] for entry in resumed.history] == [4, 8]
    assert resumed.history == straight.history


def test_an_evaluation_that_a_signal_cut_short_is_done_by_the_resumed_training(tmp_path):
    calls = []

    def stopped_once(step):
        calls.append(step)
        if calls == [4]:
            os.kill(os.getpid(), signal.SIGINT)
        torch.rand(3)  # an evaluation may draw; training must not notice
        return {"eval_wer": 1.0 / step}

    config = tiny_config()
    straight = tiny_train(tmp_path / "a", config, evaluate=lambda step: {"eval_wer": 1.0 / step})
    _, stopped = tiny_train(tmp_path / "b", config, evaluate=stopped_once)
    assert stopped.interrupted and stopped.steps == 4
    assert not any("eval_wer" in entry for entry in stopped.history)
    resumed = tiny_train(
        tmp_path / "b", config, evaluate=stopped_once, resume=tmp_path / "b" / "checkpoint-4"
    )
    assert calls == [4, 4, 8]
    assert_same_end(straight, resumed, tmp_path / "a", tmp_path / "b")
    about = json.loads((tmp_path / "b" / "checkpoint-4" / "mynah.json").read_text())
    assert about["scores"] == {"eval_wer": 0.25}


def test_a_second_signal_stops_at_once(tmp_path):
    def impatient(step):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
        return {}

    class Impatient(TinyPlan):
        def batch(self, epoch, index, rank=0):
            if index == 2:
                impatient(0)
            return super().batch(epoch, index, rank)

    with pytest.raises(KeyboardInterrupt):
        tiny_train(tmp_path / "model", tiny_config(), plan=Impatient(20, 4))
    assert intact_checkpoints(tmp_path / "model") == []


class GroupStoppingPlan(TinyPlan):
    """Sends SIGINT to every process of the group, as a terminal does for Ctrl-C."""

    def batch(self, epoch, index, rank=0):
        if (epoch, index) == (1, 2):
            os.killpg(os.getpgid(0), signal.SIGINT)
        return super().batch(epoch, index, rank)


def test_ctrl_c_reaches_the_workers_too_and_still_ends_in_a_checkpoint(tmp_path):
    child = os.fork()
    if child == 0:
        os.setsid()
        torch.set_num_threads(1)
        config = tiny_config(dataloader_num_workers=2, eval_strategy="no")
        try:
            _, result = tiny_train(tmp_path, config, plan=GroupStoppingPlan(20, 4))
        except BaseException:
            os._exit(9)
        os._exit(3 if result.interrupted else 4)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    assert len(intact_checkpoints(tmp_path)) == 1


def test_more_steps_are_allowed_and_said(tmp_path, capsys):
    tiny_train(tmp_path / "model", tiny_config(max_steps=4))
    checkpoint = tmp_path / "model" / "checkpoint-4"
    _, result = tiny_train(tmp_path / "model", tiny_config(max_steps=6), resume=checkpoint)
    assert result.steps == 6
    assert "4 steps and now takes 6" in capsys.readouterr().out


def test_resuming_a_finished_training_does_no_further_step(tmp_path):
    family, first = tiny_train(tmp_path / "model", tiny_config(max_steps=4))
    checkpoint = tmp_path / "model" / "checkpoint-4"
    again, result = tiny_train(tmp_path / "model", tiny_config(max_steps=4), resume=checkpoint)
    assert result.steps == 4 and result.best_checkpoint == checkpoint
    assert all(torch.equal(weights(family)[n], value) for n, value in weights(again).items())
    assert result.history == first.history


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 7}, "training.seed: 42 in the checkpoint, 7 now"),
        ({"loss_normalization": "utterance"}, 'training.loss_normalization: "token" in the'),
        ({"per_device_train_batch_size": 5}, "training.per_device_train_batch_size"),
        ({"learning_rate": 0.02}, "training.learning_rate: 0.01 in the checkpoint, 0.02 now"),
        ({"gradient_accumulation_steps": 2}, "training.gradient_accumulation_steps: 1 in the"),
        ({"loss_normalization": "utterance"}, "training.loss_normalization"),
        ({"metric_for_best_model": "cer"}, 'training.metric_for_best_model: "wer" in the'),
    ],
)
def test_a_resumed_training_with_another_setting_is_refused_by_name(tmp_path, change, named):
    tiny_train(tmp_path / "model", tiny_config(max_steps=1))
    with pytest.raises(UserError, match=named):
        tiny_train(
            tmp_path / "model",
            tiny_config(max_steps=2, **change),
            resume=tmp_path / "model" / "checkpoint-1",
        )


@pytest.mark.parametrize(
    ("section", "change", "named"),
    [
        ("encoder", {"dropout": 0.3}, "model.encoder.dropout: 0.1 in the checkpoint, 0.3 now"),
        ("projector", {"stack": 4}, "model.projector.stack: 5 in the checkpoint, 4 now"),
        (None, {"prompt": "Write."}, "model.prompt"),
        (
            None,
            {"encoder_tuning": "frozen"},
            'model.encoder_tuning: null in the checkpoint, "frozen" now',
        ),
        (None, {"pretrained": "/models/other"}, 'model.pretrained: "small" in the .*, "other" now'),
        (None, {"use_lora": True, "lora_r": 8}, "model.lora_r: 32 in the checkpoint, 8 now"),
    ],
)
def test_a_resumed_training_of_another_model_is_refused_by_name(tmp_path, section, change, named):
    config = tiny_config(max_steps=1)
    config = replace(config, model=replace(config.model, pretrained="/models/small"))
    tiny_train(tmp_path / "model", config)
    model = config.model
    part = {section: replace(getattr(model, section), **change)} if section else change
    changed = replace(tiny_config(max_steps=2), model=replace(model, **part))
    with pytest.raises(UserError, match=named):
        tiny_train(tmp_path / "model", changed, resume=tmp_path / "model" / "checkpoint-1")


def test_a_resumed_training_with_other_augmentation_is_refused_by_name(tmp_path):
    tiny_train(tmp_path / "model", tiny_config(max_steps=1))
    config = tiny_config(max_steps=2)
    louder = replace(config.data.augmentation, gain_db=6.0)
    config = replace(config, data=replace(config.data, augmentation=louder))
    with pytest.raises(UserError, match=r"data\.augmentation\.gain_db: 0\.0 in .*, 6\.0 now"):
        tiny_train(tmp_path / "model", config, resume=tmp_path / "model" / "checkpoint-1")


def test_what_does_not_change_the_course_may_change(tmp_path):
    straight = tiny_train(tmp_path / "a", tiny_config(max_steps=6))
    tiny_train(tmp_path / "b", tiny_config(max_steps=6, save_steps=3))
    for path in (tmp_path / "b").glob("checkpoint-6"):
        path.rename(tmp_path / "gone")
    config = tiny_config(
        max_steps=6, save_steps=2, dataloader_num_workers=1, save_total_limit=1, eval_steps=1,
        logging_steps=1, max_bad_steps=3,
    )  # fmt: skip
    decoding = replace(config.model, beam_size=3, language_model="words", pretrained=None)
    config = replace(config, model=decoding)
    resumed, _ = tiny_train(tmp_path / "b", config, resume=tmp_path / "b" / "checkpoint-3")
    assert all(torch.equal(weights(straight[0])[n], v) for n, v in weights(resumed).items())


def test_a_plateau_schedule_is_not_resumed_with_other_evaluations(tmp_path):
    plateau = {"lr_scheduler_type": "reduce_lr_on_plateau"}
    tiny_train(tmp_path / "model", tiny_config(max_steps=1, **plateau))
    with pytest.raises(UserError, match=r"training\.eval_steps: 4 in the checkpoint, 2 now"):
        tiny_train(
            tmp_path / "model",
            tiny_config(max_steps=2, eval_steps=2, **plateau),
            resume=tmp_path / "model" / "checkpoint-1",
        )


def test_another_machine_is_said(tmp_path, capsys, monkeypatch):
    tiny_train(tmp_path / "model", tiny_config(max_steps=1))
    monkeypatch.setattr(trainer, "describe_machine", lambda model: "CPU, 96 threads, torch 9.9")
    checkpoint = tmp_path / "model" / "checkpoint-1"
    tiny_train(tmp_path / "model", tiny_config(max_steps=2), resume=checkpoint)
    said = " ".join(capsys.readouterr().out.split())
    assert "resumes on CPU, 96 threads, torch 9.9" in said and "not end bit for bit" in said


def test_a_resumed_training_on_other_data_is_refused(tmp_path):
    tiny_train(tmp_path / "model", tiny_config(max_steps=1))
    with pytest.raises(UserError, match="training utterances: 20 in the checkpoint, 16 now"):
        tiny_train(
            tmp_path / "model",
            tiny_config(max_steps=2),
            corpus=TinyCorpus(16),
            resume=tmp_path / "model" / "checkpoint-1",
        )


def test_a_checkpoint_that_is_not_intact_is_refused_before_training(tmp_path):
    tiny_train(tmp_path / "model", tiny_config(max_steps=2, save_steps=1))
    broken = tmp_path / "model" / "checkpoint-2"
    path = broken / "optimizer.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"optimizer\.safetensors altered") as caught:
        tiny_train(tmp_path / "model", tiny_config(max_steps=4), resume=broken)
    assert "checkpoint-1" in caught.value.fix


def test_the_published_model_cannot_be_resumed_and_says_what_can(tmp_path):
    tiny_train(tmp_path / "model", tiny_config(max_steps=1))
    with pytest.raises(UserError, match="without its training state"):
        tiny_train(tmp_path / "b", tiny_config(max_steps=2), resume=tmp_path / "model")


def resumed_on(tmp_path, world_size, *, steps, **training):
    """The checkpoint of step 4 of 8, checked for as many processes."""
    config = tiny_config(gradient_accumulation_steps=2, save_steps=4)
    if not (tmp_path / "model").exists():
        tiny_train(tmp_path / "model", config)
    corpus = TinyCorpus()
    config = replace(config, training=replace(config.training, **training))
    noiseless = Augmentation.open(config.data.augmentation, sample_rate=8000, seed=42)
    checkpoint = tmp_path / "model" / "checkpoint-4"
    machine = json.loads((checkpoint / "mynah.json").read_text())["training"]["machine"]
    return check_resume(
        checkpoint,
        fixed_settings(config, corpus, noiseless),
        world_size=world_size,
        steps=steps,
        machine=machine,
    )


def test_another_number_of_processes_is_said_with_what_it_means(tmp_path, capsys):
    assert resumed_on(tmp_path, 2, steps=8) == 4
    said = " ".join(capsys.readouterr().out.split())
    assert "every step takes 4 batch(es) in place of 2" in said
    assert "training.gradient_accumulation_steps=1 keeps both" in said
    assert resumed_on(tmp_path, 2, steps=8, gradient_accumulation_steps=1) == 4
    assert "every step takes 2 batches as before" in " ".join(capsys.readouterr().out.split())


def test_more_processes_that_leave_no_step_to_do_are_refused(tmp_path):
    with pytest.raises(UserError, match="4 of 8 with 1") as caught:
        resumed_on(tmp_path, 2, steps=4)
    assert "training.max_steps=8" in caught.value.fix


def test_more_steps_begin_at_the_rate_of_the_longer_schedule(tmp_path):
    rates = []

    class Watched(TinyFamily):
        """Notes the learning rate that each step is about to be made with."""

        def loss(self, model, batch):
            if rates_of:
                rates.append(rates_of[0].param_groups[0]["lr"])
            return super().loss(model, batch)

    rates_of = []
    make = torch.optim.AdamW.__init__

    def noted(self, *arguments, **options):
        make(self, *arguments, **options)
        rates_of[:] = [self]

    options = {"lr_scheduler_type": "linear", "warmup_steps": 0, "save_steps": 4, "eval_steps": 4}
    tiny_train(tmp_path, tiny_config(max_steps=4, **options))
    torch.optim.AdamW.__init__ = noted
    try:
        tiny_train(
            tmp_path,
            tiny_config(max_steps=8, **options),
            family=Watched(),
            resume=tmp_path / "checkpoint-4",
        )
    finally:
        torch.optim.AdamW.__init__ = make
    assert rates == pytest.approx([0.01 * left / 8 for left in (4, 3, 2, 1)])


def test_a_run_whose_directory_is_deleted_ends_and_does_not_make_it_again(tmp_path, monkeypatch):
    monkeypatch.setattr(directory_watch, "_LOOK_SECONDS", 0.0)
    model = tmp_path / "run" / "model"

    evaluated = []

    def evaluate(step):
        evaluated.append(step)
        shutil.rmtree(tmp_path / "run")
        return {"eval_wer": 0.5}

    with pytest.raises(UserError, match="deleted or moved") as caught:
        tiny_train(model, tiny_config(eval_steps=2, save_steps=1000), evaluate=evaluate)
    assert caught.value.where == str(model)
    assert evaluated == [2] and not (tmp_path / "run").exists()


def test_the_largest_seed_trains(tmp_path):
    _, result = tiny_train(tmp_path, tiny_config(max_steps=1, seed=2**32 - 1))
    assert result.steps == 1
