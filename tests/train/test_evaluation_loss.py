"""The evaluation loss of processes that measure together, and the checkpoint it chooses."""

from __future__ import annotations

import json

import pytest
from test_training_together import together
from training_fakes import tiny_config, tiny_train

LOSS = """
from mynah.evaluation.loss import evaluation_loss
found = evaluation_loss(TinyFamily(), TinyCorpus(7, unreadable=frozenset({5})), batch_seconds=9,
                        batch_size=2, progress=False)
print("FOUND" + json.dumps(found.total.tolist()))
"""


def test_processes_together_find_the_very_loss_of_one(tmp_path):
    seed = "torch.manual_seed(3)\n"
    ((_, alone, _),) = together(tmp_path, seed + LOSS, world_size=1)
    both = together(tmp_path, seed + LOSS)
    sums = [json.loads(out.split("FOUND")[1]) for out in (alone, both[0][1], both[1][1])]
    assert sums[0] == sums[1] == sums[2]
    assert sums[0][1] > 0


def by_step(**series):
    return lambda step: {f"eval_{name}": values[step] for name, values in series.items()}


@pytest.mark.parametrize(("metric", "best"), [("loss", 4), ("cer", 8), (None, 8)])
def test_the_metric_that_was_asked_for_chooses_the_checkpoint(tmp_path, metric, best):
    config = tiny_config(eval_steps=4, metric_for_best_model=metric)
    evaluate = by_step(wer={4: 0.3, 8: 0.2}, cer={4: 0.3, 8: 0.2}, loss={4: 1.0, 8: 2.0})
    _, result = tiny_train(tmp_path, config, evaluate=evaluate)
    assert result.best_checkpoint == tmp_path / f"checkpoint-{best}"


def test_a_metric_of_which_more_is_better_chooses_the_highest(tmp_path):
    config = tiny_config(eval_steps=4, metric_for_best_model="bleu")
    _, result = tiny_train(tmp_path, config, evaluate=by_step(bleu={4: 30.0, 8: 20.0}))
    assert result.best_checkpoint == tmp_path / "checkpoint-4"
    assert result.best_score == 30.0


def test_scripts_without_spaces_are_chosen_by_their_first_metric(tmp_path):
    config = tiny_config(eval_steps=4)
    evaluate = by_step(mer={4: 0.3, 8: 0.2}, cer={4: 0.1, 8: 0.2})
    _, result = tiny_train(tmp_path, config, evaluate=evaluate)
    assert (result.best_checkpoint, result.best_score) == (tmp_path / "checkpoint-8", 0.2)
