"""With ``training.ema_decay`` the average of the weights is measured, chosen and published."""

from __future__ import annotations

import numpy as np
import pytest
import standins
import torch
from safetensors.torch import load_file
from test_training_ctc import RATE, make_config, run
from test_training_resume import StoppingPlan, assert_same_end
from training_fakes import TinyFamily, tiny_config, tiny_train, weights

from mynah.checkpoints.publishing import publishable
from mynah.config.schema import ModelConfig
from mynah.models import registry

DECAY = 0.6  # so that it warms up for the first 4 of 8 steps: (1 + s) / (10 + s) is below it
EVERY_STEP = {"eval_steps": 1, "save_steps": 1, "save_total_limit": None}


def model_of(checkpoint):
    return load_file(str(checkpoint / "model.safetensors"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The weights before the first step and after each, of a training without an average."""
    directory = tmp_path_factory.mktemp("plain")
    torch.manual_seed(3)
    first = weights(TinyFamily())
    tiny_train(directory, tiny_config(**EVERY_STEP))
    return [first, *(model_of(directory / f"checkpoint-{step}") for step in range(1, 9))]


@pytest.fixture(scope="module")
def averaged(tmp_path_factory):
    """The same training with an average: its directory, the family, what was measured when."""
    directory = tmp_path_factory.mktemp("averaged")
    torch.manual_seed(3)
    family, seen = TinyFamily(), {}

    def evaluate(step):
        seen[step] = weights(family)
        return {"eval_wer": abs(step - 5) / 10}

    tiny_train(directory, tiny_config(**EVERY_STEP, ema_decay=DECAY), family=family,
               evaluate=evaluate)  # fmt: skip
    return directory, family, seen


def averages(plain):
    """The average after each step, in double precision, as the formula says."""
    average = {name: value.double().numpy() for name, value in plain[0].items()}
    found = []
    for step, trained in enumerate(plain[1:], start=1):
        decay = min(DECAY, (1 + step) / (10 + step))
        average = {
            name: decay * average[name] + (1 - decay) * trained[name].double().numpy()
            for name in average
        }
        found.append(average)
    return found


def test_the_checkpoint_s_model_is_the_average_by_its_formula(plain, averaged):
    directory, _, _ = averaged
    for step, expected in enumerate(averages(plain), start=1):
        held = model_of(directory / f"checkpoint-{step}")
        for name, value in expected.items():
            np.testing.assert_allclose(held[name].numpy(), value, rtol=1e-5, atol=1e-7)
    assert not torch.equal(held["head.weight"], plain[-1]["head.weight"])


def test_the_training_itself_is_the_same_bit_for_bit(plain, averaged):
    directory, _, _ = averaged
    for step, expected in enumerate(plain[1:], start=1):
        held = load_file(str(directory / f"checkpoint-{step}" / "unaveraged.safetensors"))
        assert held.keys() == expected.keys()
        assert all(torch.equal(held[name], value) for name, value in expected.items())


def test_the_average_is_what_is_measured_and_what_is_left_in_the_model(averaged):
    directory, family, seen = averaged
    for step, measured in seen.items():
        held = model_of(directory / f"checkpoint-{step}")
        assert all(torch.equal(held[name], value) for name, value in measured.items())
    assert all(torch.equal(seen[8][name], value) for name, value in weights(family).items())


def test_the_best_average_is_published_and_the_weights_behind_it_stay_private(averaged):
    directory, _, _ = averaged
    held, best = model_of(directory), model_of(directory / "checkpoint-5")
    assert all(torch.equal(held[name], value) for name, value in best.items())
    assert not (directory / "unaveraged.safetensors").exists()
    names = [path.name for path in (directory / "checkpoint-5").iterdir()]
    assert "unaveraged.safetensors" in names
    assert "unaveraged.safetensors" not in publishable(names)


@pytest.mark.parametrize("evaluations", ["steps", "no"])
def test_resumed_it_ends_bit_for_bit_like_an_untouched_one(tmp_path, evaluations):
    config = tiny_config(
        ema_decay=0.9, gradient_accumulation_steps=2, eval_strategy=evaluations,
        load_best_model_at_end=False,
    )  # fmt: skip
    straight = tiny_train(tmp_path / "a", config)
    _, stopped = tiny_train(tmp_path / "b", config, plan=StoppingPlan(20, 4, 42, at=(1, 1)))
    assert stopped.interrupted and 3 < stopped.steps < 6
    resumed = tiny_train(
        tmp_path / "b", config, resume=tmp_path / "b" / f"checkpoint-{stopped.steps}"
    )
    assert_same_end(straight, resumed, tmp_path / "a", tmp_path / "b")
    names = ("model.safetensors", "checkpoint-8/unaveraged.safetensors")
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.long  # of a full model fast above
def test_the_average_of_adapters_resumes_bit_for_bit(tmp_path):
    standin = standins.write(tmp_path / "wav2vec2", "wav2vec2_ctc")

    def make(corpus):
        torch.manual_seed(1)
        config = ModelConfig(pretrained=str(standin), use_lora=True, lora_r=4, lora_alpha=8)
        return registry.build(config, texts=corpus.texts, sample_rate=RATE, offline=True)

    config = make_config(gradient_accumulation_steps=2, ema_decay=0.9)
    straight = run(tmp_path / "a", config, make=make)
    _, stopped = run(tmp_path / "b", config, at=(1, 3), make=make)
    assert stopped.interrupted and 3 <= stopped.steps < 8
    checkpoint = tmp_path / "b" / f"checkpoint-{stopped.steps}"
    resumed = run(tmp_path / "b", config, make=make, resume=checkpoint)
    assert_same_end(straight, resumed, tmp_path / "a", tmp_path / "b")
    held = load_file(str(tmp_path / "a" / "checkpoint-8" / "unaveraged.safetensors"))
    adapter = load_file(str(tmp_path / "a" / "checkpoint-8" / "adapter_model.safetensors"))
    assert len(held) == len(adapter) and all("lora_" in name or "lm_head" in name for name in held)
    for name in ("adapter_model.safetensors", "checkpoint-8/unaveraged.safetensors"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_running_statistics_go_with_the_average(tmp_path):
    shared = make_config(max_steps=3, **EVERY_STEP)
    run(tmp_path / "plain", shared)
    run(tmp_path / "average", make_config(max_steps=3, **EVERY_STEP, ema_decay=0.2))
    steps = [model_of(tmp_path / "plain" / f"checkpoint-{step}") for step in (1, 2, 3)]
    held = [model_of(tmp_path / "average" / f"checkpoint-{step}") for step in (1, 2, 3)]
    statistics = [name for name in steps[0] if name.endswith("running_var")]
    assert statistics
    for name in statistics:  # step 3 keeps min(0.2, 4 / 13) of the average
        expected = 0.2 * held[1][name].double() + 0.8 * steps[2][name].double()
        torch.testing.assert_close(held[2][name].double(), expected, rtol=1e-6, atol=1e-9)


def test_another_decay_is_refused_when_resuming(tmp_path):
    from mynah.errors import UserError

    tiny_train(tmp_path / "model", tiny_config(max_steps=1, ema_decay=0.9))
    with pytest.raises(UserError, match=r"training\.ema_decay: 0\.9 in the checkpoint, 0\.99 now"):
        tiny_train(
            tmp_path / "model", tiny_config(max_steps=2, ema_decay=0.99),
            resume=tmp_path / "model" / "checkpoint-1",
        )  # fmt: skip
