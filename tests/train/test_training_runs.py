"""A training runs to its end: what it writes, says and returns."""

from __future__ import annotations

import errno
import io
import json
import multiprocessing
import os
import signal

import pytest
import torch
from rich.console import Console
from training_fakes import TinyCorpus, TinyFamily, tiny_config, tiny_train, weights

from mynah import console
from mynah.checkpoints.clip_lengths import ClipLengths
from mynah.checkpoints.commit import intact_checkpoints, is_intact
from mynah.errors import UserError


def test_a_short_training_evaluates_and_commits_its_last_step(tmp_path):
    config = tiny_config(max_steps=2, eval_steps=100, save_steps=100)
    family, result = tiny_train(tmp_path / "model", config)
    assert [path.name for path in intact_checkpoints(tmp_path / "model")] == ["checkpoint-2"]
    assert result.steps == 2
    assert result.best_checkpoint == tmp_path / "model" / "checkpoint-2"
    assert [entry["step"] for entry in result.history if "eval_wer" in entry] == [2]
    assert is_intact(tmp_path / "model")
    published = weights(TinyFamily.load(tmp_path / "model"))
    assert all(torch.equal(published[name], value) for name, value in weights(family).items())
    assert not (tmp_path / "model" / "optimizer.safetensors").exists()


def test_a_checkpoint_holds_no_pickle_and_the_files_given(tmp_path):
    clips = ClipLengths(0.35, 0.5)
    config = tiny_config(max_steps=2)
    tiny_train(tmp_path / "model", config, extra_files={"config.yaml": "a: 1\n"}, clips=clips)
    directory = tmp_path / "model" / "checkpoint-2"
    names = {path.name for path in directory.iterdir()}
    assert {name.rpartition(".")[2] for name in names} <= {
        "json",
        "safetensors",
        "yaml",
        "md",
        "SHA256SUMS",
    }
    assert (directory / "config.yaml").read_text() == "a: 1\n"
    about = json.loads((directory / "mynah.json").read_text())
    assert about["family"] == "tiny" and about["step"] == 2
    assert about["scores"]["eval_wer"] == 1 / 3
    assert about["clips"] == {"mean_seconds": 0.35, "longest_seconds": 0.5}


def scores_by_step(scores):
    return lambda step: {"eval_wer": scores[step]}


def test_the_best_model_is_saved_when_found_kept_and_published(tmp_path):
    scores = {2: 0.5, 4: 0.2, 6: 0.4, 8: 0.3}
    config = tiny_config(eval_steps=2, save_steps=3, save_total_limit=1)
    _, result = tiny_train(tmp_path, config, evaluate=scores_by_step(scores))
    assert [path.name for path in intact_checkpoints(tmp_path)] == ["checkpoint-4", "checkpoint-8"]
    assert result.best_checkpoint == tmp_path / "checkpoint-4"
    assert result.best_score == 0.2
    best = weights(TinyFamily.load(tmp_path / "checkpoint-4"))
    published = weights(TinyFamily.load(tmp_path))
    assert all(torch.equal(best[name], published[name]) for name in best)


def test_where_the_best_is_not_wanted_the_last_is_published(tmp_path):
    config = tiny_config(eval_steps=4, load_best_model_at_end=False)
    _, result = tiny_train(tmp_path, config, evaluate=scores_by_step({4: 0.1, 8: 0.3}))
    assert result.best_checkpoint == tmp_path / "checkpoint-8"
    assert result.best_score == 0.1


def test_a_greater_score_is_better_where_that_is_asked_for(tmp_path):
    config = tiny_config(eval_steps=4, greater_is_better=True)
    _, result = tiny_train(tmp_path, config, evaluate=scores_by_step({4: 0.1, 8: 0.3}))
    assert result.best_checkpoint == tmp_path / "checkpoint-8"


def test_a_score_that_is_not_a_number_is_never_the_best(tmp_path):
    config = tiny_config(eval_steps=4)
    _, result = tiny_train(tmp_path, config, evaluate=scores_by_step({4: 0.4, 8: float("nan")}))
    assert result.best_checkpoint == tmp_path / "checkpoint-4"


def test_a_metric_that_the_evaluation_does_not_give_is_the_users_to_fix(tmp_path):
    with pytest.raises(UserError, match="gives no loss; it gives cer, wer"):
        tiny_train(tmp_path, tiny_config(metric_for_best_model="loss"))


def test_epoch_strategies_evaluate_and_save_at_each_epochs_end(tmp_path):
    config = tiny_config(max_steps=-1, num_train_epochs=2.0, eval_strategy="epoch",
                         save_strategy="epoch", save_total_limit=None)  # fmt: skip
    _, result = tiny_train(tmp_path, config)
    assert [entry["step"] for entry in result.history if "eval_wer" in entry] == [5, 10]
    assert [path.name for path in intact_checkpoints(tmp_path)] == ["checkpoint-5", "checkpoint-10"]
    assert result.epochs == 2.0


def test_without_saves_the_last_step_is_still_committed(tmp_path):
    config = tiny_config(save_strategy="no", eval_strategy="no")
    _, result = tiny_train(tmp_path, config)
    assert [path.name for path in intact_checkpoints(tmp_path)] == ["checkpoint-8"]
    assert result.best_checkpoint == tmp_path / "checkpoint-8"


def test_intervals_below_one_are_shares_of_all_steps(tmp_path):
    config = tiny_config(logging_steps=0.25, eval_steps=0.5, save_steps=0.5, save_total_limit=None)
    _, result = tiny_train(tmp_path, config)
    assert [entry["step"] for entry in result.history if "loss" in entry] == [2, 4, 6, 8]
    assert [entry["step"] for entry in result.history if "eval_wer" in entry] == [4, 8]


def test_the_first_checkpoint_is_announced_once_when_it_is_complete(tmp_path):
    seen = []
    tiny_train(
        tmp_path,
        tiny_config(save_steps=2),
        on_first_checkpoint=lambda: seen.append(intact_checkpoints(tmp_path)),
    )
    assert seen == [[tmp_path / "checkpoint-2"]]


def test_a_person_sees_loss_rates_and_nothing_of_transformers(tmp_path, capfd):
    tiny_train(tmp_path, tiny_config())
    said = capfd.readouterr()
    assert "step 3/8  epoch 0.60  loss" in said.out
    assert "audio s/s" in said.out and "left" in said.out
    assert "step 4: WER 20.00 %  CER 50.00 %  (best so far)" in said.out
    assert "{'loss'" not in said.out and "it/s" not in said.err
    assert said.err == ""


def test_tensorboard_gets_the_curves_in_the_runs_directory(tmp_path):
    tiny_train(tmp_path / "model", tiny_config(report_to=["tensorboard"]))
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    curves = EventAccumulator(str(tmp_path / "tensorboard"))
    curves.Reload()
    assert [point.step for point in curves.Scalars("train/loss")] == [3, 6, 8]
    assert [point.step for point in curves.Scalars("eval/wer")] == [4, 8]


def test_what_a_killed_save_left_is_removed_and_said_at_the_next_start(tmp_path, capsys):
    (tmp_path / ".checkpoint-3.partial").mkdir(parents=True)
    tiny_train(tmp_path, tiny_config(max_steps=1))
    assert "checkpoint-3 was cut short" in capsys.readouterr().out
    assert not (tmp_path / ".checkpoint-3.partial").exists()


def test_a_full_disk_ends_the_training_with_what_was_saved_before(tmp_path, monkeypatch):
    def full_at_four(self, directory):
        if "checkpoint-4" in directory.name:
            (directory / "model.safetensors").write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        save(self, directory)

    save = TinyFamily.save
    monkeypatch.setattr(TinyFamily, "save", full_at_four)
    with pytest.raises(UserError, match="The disk is full: checkpoint-4 needs about"):
        tiny_train(tmp_path, tiny_config(save_steps=2, eval_strategy="no"))
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint-2", "minutes.jsonl"}


def test_training_leaves_the_signal_handlers_as_they_were(tmp_path):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    tiny_train(tmp_path, tiny_config(max_steps=1))
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_on_a_terminal_a_bar_is_shown_and_an_evaluation_may_show_its_own(tmp_path, monkeypatch):
    terminal = Console(file=io.StringIO(), force_terminal=True, width=120, highlight=False)
    monkeypatch.setattr(console, "console", lambda: terminal)

    def evaluate(step):
        with console.progress("decoding", total=2) as advance:
            advance(2)
        return {"eval_wer": 0.5}

    tiny_train(tmp_path, tiny_config(disable_tqdm=None), evaluate=evaluate)
    shown = terminal.file.getvalue()
    assert "training" in shown and "8/8" in shown and "step 3/8" in shown
    terminal.file.truncate(0)
    tiny_train(tmp_path / "again", tiny_config(disable_tqdm=True), evaluate=evaluate)
    assert "training" not in terminal.file.getvalue()


def test_an_evaluation_before_the_first_step_is_logged_and_has_its_line(tmp_path, capsys):
    _, result = tiny_train(tmp_path, tiny_config(max_steps=2, eval_on_start=True))
    assert [entry["step"] for entry in result.history if "eval_wer" in entry] == [0, 2]
    measured = [line for line in capsys.readouterr().out.splitlines() if " WER " in line]
    assert [line.partition(":")[0] for line in measured] == ["step 0", "step 2"]
    assert "best" not in measured[0]


def test_evaluations_before_the_delay_are_left_out(tmp_path):
    _, result = tiny_train(tmp_path, tiny_config(eval_steps=2, eval_delay=5))
    assert [entry["step"] for entry in result.history if "eval_wer" in entry] == [6, 8]


def test_the_plateau_schedule_follows_the_error_rate(tmp_path):
    config = tiny_config(
        max_steps=6, eval_steps=1, logging_steps=1, lr_scheduler_type="reduce_lr_on_plateau",
        lr_scheduler_kwargs={"patience": 1, "factor": 0.5},
    )  # fmt: skip
    _, result = tiny_train(tmp_path, config, evaluate=lambda step: {"eval_wer": 0.5})
    rates = [entry["learning_rate"] for entry in result.history if "loss" in entry]
    assert rates[0] == 0.01 and rates[-1] < 0.006


@pytest.mark.parametrize(
    ("mode", "greater_is_better", "lowered"),
    [
        ({}, None, False),  # a rising score is not on a plateau
        ({}, False, True),
        ({"mode": "min"}, None, True),
    ],
)
def test_the_plateau_schedule_knows_which_way_is_better(tmp_path, mode, greater_is_better, lowered):
    config = tiny_config(
        max_steps=4, eval_steps=1, logging_steps=1, lr_scheduler_type="reduce_lr_on_plateau",
        lr_scheduler_kwargs={"patience": 0, "factor": 0.5, **mode},
        metric_for_best_model="bleu", greater_is_better=greater_is_better,
    )  # fmt: skip
    _, result = tiny_train(tmp_path, config, evaluate=lambda step: {"eval_bleu": 10.0 * step})
    rates = [entry["learning_rate"] for entry in result.history if "loss" in entry]
    # Before step 4 there were three scores: 10, 20 and 30.
    assert rates == ([0.01, 0.01, 0.005, 0.0025] if lowered else [0.01] * 4)


def test_a_schedule_that_lacks_its_settings_is_the_users_to_fix(tmp_path):
    with pytest.raises(UserError, match="schedule cannot be made"):
        tiny_train(tmp_path, tiny_config(lr_scheduler_type="cosine_with_min_lr"))


class Hungry(TinyFamily):
    def loss(self, model, batch):
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_out_of_memory_names_the_batch_and_what_to_change(tmp_path):
    with pytest.raises(UserError, match="a batch of 4 utterances") as caught:
        tiny_train(tmp_path, tiny_config(), family=Hungry())
    assert "batch_seconds" in caught.value.fix and "utterance-0" in caught.value.where


def out_of_memory(*_, **__):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nMore")


def test_memory_that_the_optimizer_has_not_is_the_users_to_fix(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.optim.AdamW, "step", out_of_memory)
    with pytest.raises(UserError, match="Tried to allocate 2") as caught:
        tiny_train(tmp_path, tiny_config(optim="adamw_torch"))
    assert "training.gradient_checkpointing=true" in caught.value.fix
    assert "More" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "smaller"),
    [
        ({}, "training.eval_batch_seconds=120"),  # half of 240, what a CPU takes of itself
        ({"eval_batch_seconds": 30.0}, "training.eval_batch_seconds=15"),
        ({"per_device_eval_batch_size": 8}, "training.per_device_eval_batch_size=4"),
        ({"per_device_eval_batch_size": 1}, "leave the longest utterances out"),
    ],
)
def test_memory_that_an_evaluation_has_not_is_the_users_to_fix(tmp_path, settings, smaller):
    with pytest.raises(UserError, match="memory is too small for the evaluation: CUDA") as caught:
        tiny_train(tmp_path, tiny_config(**settings), evaluate=out_of_memory)
    assert caught.value.where == "after step 4" and "More" not in str(caught.value)
    assert smaller in caught.value.fix and "model.beam_size" in caught.value.fix
    assert "gradient_checkpointing" not in caught.value.fix  # which helps the training alone


class Narrow(TinyFamily):
    """Memory holds two utterances; a larger batch fails when some gradients are there already."""

    most = 2

    def loss(self, model, batch):
        found = super().loss(model, batch)
        if self.most and len(batch["frames"]) > self.most:
            found.total.backward()
            raise torch.OutOfMemoryError("CUDA out of memory")
        return found


def test_a_batch_that_memory_does_not_hold_goes_in_pieces_with_the_same_gradient(tmp_path, capsys):
    def trained(name, most):
        torch.manual_seed(3)
        family = Narrow(dropout=0.0, dtype=torch.float64)
        family.most = most
        config = tiny_config(optim="sgd", eval_strategy="no", logging_steps=1)
        return tiny_train(tmp_path / name, config, family=family)

    (entire, expected), (split, found) = trained("one batch", 0), trained("split", 2)
    said = capsys.readouterr().out
    assert said.count("goes in 2 pieces") == 1 and "a batch of 4 utterances" in said
    for name, value in weights(entire).items():
        torch.testing.assert_close(weights(split)[name], value, rtol=1e-12, atol=1e-14)
    losses = [[entry["loss"] for entry in result.history] for result in (expected, found)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)


def test_memory_that_fails_in_the_middle_of_a_step_costs_that_step(tmp_path, capsys):
    class Later(Narrow):
        calls = 0

        def loss(self, model, batch):
            self.calls += 1
            self.most = 2 if self.calls == 4 else 0
            return super().loss(model, batch)

    config = tiny_config(gradient_accumulation_steps=2, max_steps=3)
    _, result = tiny_train(tmp_path / "model", config, family=Later())
    assert result.steps == 3
    assert "Step 2 is left out" in capsys.readouterr().out


class DeadlyCorpus(TinyCorpus):
    """Its reader is killed, as by the system when memory runs out."""

    def read_audio(self, row):
        if torch.utils.data.get_worker_info() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read_audio(row)


def test_a_worker_that_was_killed_is_said_with_what_to_do(tmp_path):
    with pytest.raises(UserError, match="data worker was killed") as caught:
        tiny_train(tmp_path, tiny_config(dataloader_num_workers=1), corpus=DeadlyCorpus())
    assert "fewer workers" in caught.value.fix


def test_a_training_that_ends_with_an_error_leaves_no_worker_to_wait_for(tmp_path):
    # The error holds the frames, and they hold the loader: nothing else ends its workers, which
    # leave SIGTERM to the training.
    config = tiny_config(dataloader_num_workers=2, save_steps=2)

    def full():
        raise UserError("The disk is full.", where="here", fix="free some space")

    with pytest.raises(UserError, match="disk is full") as caught:
        tiny_train(tmp_path / "model", config, on_first_checkpoint=full)
    assert caught.value.__traceback__ is not None
    assert not multiprocessing.active_children()
