"""What cannot be read or learned is named, counted, and does not end a training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import forked_commands
import numpy as np
import pytest
import soundfile
import torch
from test_training_gradients import FixedPlan, make_family
from training_fakes import TinyCorpus, TinyFamily, TinyPlan, tiny_config, tiny_train, weights

from mynah.config.schema import DataConfig
from mynah.data.augmentation.chain import Augmentation
from mynah.data.preparation.prepare import prepare
from mynah.errors import UserError
from mynah.models.family import LossSum
from mynah.training.loading.dataset import PlanSampler, TrainingRows
from mynah.training.loading.loader import make_loader


def on_error(config, value):
    return replace(config, data=replace(config.data, on_error=value))


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_row_is_named_once_and_left_out(tmp_path, capsys, workers):
    config = tiny_config(max_steps=10, dataloader_num_workers=workers)
    corpus = TinyCorpus(unreadable=frozenset({3}))
    _, result = tiny_train(tmp_path, config, corpus=corpus)
    assert result.steps == 10
    assert result.skipped == {"utterance-003": "The recording cannot be read"}
    said = capsys.readouterr().out
    assert said.count("utterance-003") == 1
    assert "1 training utterance(s) could not be used" in said


def test_a_step_without_its_unreadable_row_is_the_step_of_the_others(tmp_path):
    config = tiny_config(max_steps=1, optim="sgd")
    ends = [
        weights(
            tiny_train(
                tmp_path / str(len(rows)),
                config,
                family=make_family(),
                corpus=TinyCorpus(unreadable=frozenset({3})),
                plan=FixedPlan([rows]),
            )[0]
        )
        for rows in ([0, 1, 2, 3], [0, 1, 2])
    ]
    for name, value in ends[0].items():
        torch.testing.assert_close(ends[1][name], value, rtol=1e-9, atol=1e-12)


def test_a_step_in_which_nothing_can_be_read_changes_nothing(tmp_path):
    config = tiny_config(max_steps=3, weight_decay=0.5, lr_scheduler_type="constant")
    corpus = TinyCorpus(unreadable=frozenset({4, 5}))
    batches = [[0, 1], [4, 5], [2, 3]]
    seen = []

    class Watching(FixedPlan):
        def batch(self, epoch, index, rank=0):
            seen.append(weights(family))
            return super().batch(epoch, index, rank)

    family = make_family()
    _, result = tiny_train(
        tmp_path, config, family=family, corpus=corpus, plan=Watching([*batches, [6]])
    )
    assert result.steps == 3 and set(result.skipped) == {"utterance-004", "utterance-005"}
    # Batches are planned just before they are used: the third when step 2 is done.
    assert all(torch.equal(seen[1][name], seen[2][name]) for name in seen[1])
    assert not all(torch.equal(seen[0][name], seen[1][name]) for name in seen[0])


def test_a_corpus_that_vanished_ends_the_training_and_says_so(tmp_path):
    corpus = TinyCorpus(unreadable=frozenset(range(20)))
    with pytest.raises(UserError, match="no utterance could be read"):
        tiny_train(tmp_path, tiny_config(max_steps=50), corpus=corpus)


def test_with_on_error_fail_an_unreadable_row_ends_the_training(tmp_path):
    config = on_error(tiny_config(), "fail")
    with pytest.raises(UserError, match="cannot be read") as caught:
        tiny_train(tmp_path, config, corpus=TinyCorpus(unreadable=frozenset({3})))
    assert caught.value.where == "utterance utterance-003"


def test_an_utterance_with_more_labels_than_frames_is_left_out_by_name(tmp_path):
    corpus = TinyCorpus()
    corpus.texts[6] = "abcdefgh" * 20
    corpus.read_audio_of = corpus.read_audio
    corpus.read_audio = lambda row: corpus.read_audio_of(row if row != 6 else 0)
    _, result = tiny_train(tmp_path, tiny_config(), corpus=corpus)
    assert result.skipped == {"utterance-006": "more labels than frames"}


class Exploding(TinyFamily):
    """Its loss is not a number in the steps given."""

    steps = frozenset({1})
    calls = 0

    def loss(self, model, batch):
        found = super().loss(model, batch)
        self.calls += 1
        factor = float("nan") if self.calls - 1 in self.steps else 1.0
        return LossSum(found.total * factor, found.count)


def test_a_loss_that_is_not_finite_is_named_and_its_step_left_out(tmp_path, capsys):
    torch.manual_seed(0)
    family = Exploding()
    config = tiny_config(max_steps=4, logging_steps=4, eval_strategy="no")
    _, result = tiny_train(tmp_path, config, family=family, plan=TinyPlan(20, 4))
    assert all(torch.isfinite(value).all() for value in weights(family).values())
    assert 0 < result.history[-1]["loss"] < 100
    said = capsys.readouterr().out
    assert "Step 2 is left out: the loss is not finite" in said and "utterance-0" in said


def test_a_loss_that_stays_not_finite_ends_the_training(tmp_path):
    torch.manual_seed(0)
    family = Exploding()
    family.steps = frozenset(range(3, 1000))
    with pytest.raises(UserError, match="the loss is not finite") as caught:
        tiny_train(tmp_path, tiny_config(max_steps=100, save_steps=2), family=family)
    assert "learning_rate" in caught.value.fix
    assert all(torch.isfinite(value).all() for value in weights(family).values())


def broken_in_turn(path: Path, way: str) -> None:
    """Break a recording as recordings break."""
    content = path.read_bytes()
    samples, rate = soundfile.read(path, dtype="float32")
    if way == "cut short":
        path.write_bytes(content[: len(content) // 2])
    elif way == "zero bytes":
        path.write_bytes(b"")
    elif way == "zeroes":
        path.write_bytes(bytes(len(content)))
    elif way == "text":
        path.write_text("this was a recording once\n" * 40)
    elif way == "no numbers":
        samples[100] = np.nan
        soundfile.write(path, samples, rate, subtype="FLOAT")
    elif way == "shorter":
        soundfile.write(path, samples[:100], rate)
    elif way == "missing":
        path.unlink()
    elif way == "a folder":
        path.unlink()
        path.mkdir()


WAYS = (
    "cut short", "zero bytes", "zeroes", "text", "no numbers", "shorter", "missing", "a folder",
)  # fmt: skip


def spoken_folder(root: Path, rows: int):
    """A prepared corpus of real files whose tones encode their transcripts."""
    written = TinyCorpus(rows)
    (root / "train").mkdir(parents=True)
    lines = ["file_name,text"]
    for row in range(rows):
        soundfile.write(root / "train" / f"{row}.wav", written.read_audio(row) * 0.5, 8000)
        lines.append(f"{row}.wav,{written.texts[row]}")
    (root / "train" / "metadata.csv").write_text("\n".join(lines) + "\n")
    config = DataConfig(
        dataset_name=str(root), eval_splits=[], sample_rate=8000, num_proc=1,
        dataset_cache_dir=str(root / "cache"),
    )  # fmt: skip
    return prepare(config, working_directory=root).train


@pytest.mark.parametrize("workers", [0, 2])
def test_files_that_break_after_preparation_are_named_and_the_rest_is_learned(
    tmp_path, capsys, workers
):
    corpus = spoken_folder(tmp_path / "corpus", 20)
    for row, way in enumerate(WAYS):
        broken_in_turn(tmp_path / "corpus" / "train" / f"{row}.wav", way)
    _, result = tiny_train(
        tmp_path / "model",
        tiny_config(max_steps=10, dataloader_num_workers=workers),
        corpus=corpus,
    )
    assert result.steps == 10
    assert set(result.skipped) == {corpus.ids[row] for row in range(len(WAYS))}
    assert all(reason for reason in result.skipped.values())
    said = capsys.readouterr().out
    assert f"{len(WAYS)} training utterance(s) could not be used" in said
    losses = [entry["loss"] for entry in result.history if "loss" in entry]
    assert np.isfinite(losses).all()


def test_a_batch_of_which_every_file_broke_leaves_the_model_as_it_was(tmp_path):
    corpus = spoken_folder(tmp_path / "corpus", 8)
    for row in (2, 3):
        broken_in_turn(tmp_path / "corpus" / "train" / f"{row}.wav", "missing")
    ends = []
    for name, batches in (("with", [[0, 1], [2, 3]]), ("without", [[0, 1]])):
        config = tiny_config(max_steps=len(batches), optim="sgd", lr_scheduler_type="constant")
        family = make_family()
        tiny_train(tmp_path / name, config, family=family, corpus=corpus, plan=FixedPlan(batches))
        ends.append(weights(family))
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def noisy(config, folder: Path):
    augmentation = replace(
        config.data.augmentation, noise_folder=str(folder), noise_snr_db=[10.0, 10.0]
    )
    return replace(config, data=replace(config.data, augmentation=augmentation))


def test_an_utterance_whose_noise_vanished_is_left_out_by_name(tmp_path):
    for name in ("a.wav", "b.wav"):
        (tmp_path / "noise").mkdir(exist_ok=True)
        noise = np.random.default_rng(0).uniform(-0.1, 0.1, 8000)
        soundfile.write(tmp_path / "noise" / name, noise, 8000)
    config = noisy(tiny_config(max_steps=10), tmp_path / "noise")
    made = Augmentation.open(config.data.augmentation, sample_rate=8000, seed=42)
    (tmp_path / "noise" / "a.wav").unlink()
    _, result = tiny_train(tmp_path / "model", config, augmentation=made)
    sampled = {
        f"utterance-{row:03d}": {
            made.draw(epoch=epoch, utterance_id=f"utterance-{row:03d}")["noise"].pieces[0].file
            for epoch in (0, 1)
        }
        for row in range(20)
    }
    assert set(result.skipped) == {name for name, files in sampled.items() if 0 in files}
    assert 0 < len(result.skipped) < 20
    assert all("a.wav cannot be read" in reason for reason in result.skipped.values())


def test_a_resumed_training_with_other_noise_is_refused(tmp_path):
    (tmp_path / "noise").mkdir()
    soundfile.write(tmp_path / "noise" / "a.wav", 0.1 * np.ones(8000), 8000)
    config = noisy(tiny_config(max_steps=2, save_steps=2), tmp_path / "noise")
    tiny_train(tmp_path / "model", config)
    checkpoint = tmp_path / "model" / "checkpoint-2"
    longer = replace(config, training=replace(config.training, max_steps=3))
    moved = (tmp_path / "noise").rename(tmp_path / "elsewhere")
    _, result = tiny_train(tmp_path / "model", noisy(longer, moved), resume=checkpoint)
    assert result.steps == 3  # the same recordings, wherever they lie
    soundfile.write(moved / "b.wav", 0.2 * np.ones(8000), 8000)
    with pytest.raises(UserError, match="noise_folder \\(fingerprint\\)"):
        tiny_train(tmp_path / "model", noisy(longer, moved), resume=checkpoint)


class RanksPlan(FixedPlan):
    """One epoch of given steps, each a batch a rank."""

    def batch(self, epoch, index, rank=0):
        return [(row, 1.0) for row in self.batches[index][rank]]

    def copies(self, epoch, index, rank=0):
        return [0] * len(self.batches[index][rank])


RANKS_SCRIPT = """
import sys
from pathlib import Path
import torch
here = Path(sys.argv[1])
sys.path[:0] = [str(here), str(here.parent), str(here.parent / "helpers")]
from test_training_bad_rows import train_with_broken
torch.set_num_threads(1)
train_with_broken(Path(sys.argv[2]), [[[0, 1], [2, 3]], [[4, 5], [6, 7]], [[8, 9], [10, 11]]])
"""


def train_with_broken(directory: Path, steps: list[list[list[int]]]):
    """Three steps; rows 6 and 7 cannot be read: of two ranks the second has nothing to learn."""
    torch.manual_seed(5)
    family = TinyFamily(dropout=0.0, dtype=torch.float64)
    config = tiny_config(max_steps=3, optim="sgd", logging_steps=1)
    corpus = TinyCorpus(unreadable=frozenset({6, 7}))
    return tiny_train(directory, config, family=family, corpus=corpus, plan=RanksPlan(steps))


def test_a_batch_left_empty_on_one_rank_of_two_costs_the_other_nothing(tmp_path):
    alone, _ = train_with_broken(tmp_path / "one", [[[0, 1, 2, 3]], [[4, 5]], [[8, 9, 10, 11]]])
    script = tmp_path / "script.py"
    script.write_text(RANKS_SCRIPT)
    here, there = str(Path(__file__).parent), str(tmp_path / "two" / "model")
    command = ["python", str(script), here, there]
    for ended in forked_commands.run_ranks(command, tmp_path, forked_commands.environment()):
        assert ended.returncode == 0, ended.stderr
    shared = weights(TinyFamily.load(tmp_path / "two" / "model" / "checkpoint-3"))
    for name, value in weights(alone).items():
        torch.testing.assert_close(shared[name], value, rtol=1e-9, atol=1e-12)


def test_a_worker_gives_the_batch_that_the_training_itself_would_make(tmp_path):
    corpus = spoken_folder(tmp_path / "corpus", 12)
    config = noisy(tiny_config(), tmp_path / "corpus" / "train").data.augmentation
    config = replace(
        config, speed_factors=[0.9, 1.1], room_probability=0.5, simulated_rooms=2,
        telephone_probability=0.5, room_rt60_seconds=[0.1, 0.2],
    )  # fmt: skip
    found = []
    for workers in (0, 4):
        augmentation = Augmentation.open(config, sample_rate=8000, seed=3)
        rows = TrainingRows(TinyFamily(), corpus, augmentation)
        sampler = PlanSampler(TinyPlan(12, 3))
        sampler.begin(1, 0)
        loader = make_loader(rows, sampler, pin_memory=False, num_workers=workers)
        found.append([batch["tensors"] for batch in loader])
    assert len(found[0]) == 4
    for one, other in zip(*found, strict=True):
        assert one.keys() == other.keys()
        for name, tensor in one.items():
            assert tensor.dtype == other[name].dtype and torch.equal(tensor, other[name]), name
