"""What a resumed training may change, as the table in docs/resuming.md promises it."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from mynah.config.effective import effective_yaml
from mynah.config.hydra.compose import compose
from mynah.config.schema import Config
from mynah.errors import UserError
from mynah.training.resuming.resume import (
    check_resume,
    fixed_settings,
    measured_by,
    other_measure,
)

AUGMENTATION: Any = SimpleNamespace(fingerprints=dict)


def settings_of(config: Config, streamed: bool = False) -> dict[str, Any]:
    size = None if streamed else 7
    corpus: Any = SimpleNamespace(sample_rate=16000, fingerprint="abc", size=size)
    return fixed_settings(config, corpus, AUGMENTATION)


def changed(config: Config, name: str, value: Any) -> Config:
    first, _, rest = name.partition(".")
    section = getattr(config, first)
    return dataclasses.replace(config, **{first: changed(section, rest, value) if rest else value})  # type: ignore[arg-type]


def checkpoint_of(folder: Path, config: Config, settings: dict[str, Any]) -> Path:
    training = {"settings": settings, "world_size": 1, "steps_total": 10, "machine": "a CPU"}
    folder.mkdir(exist_ok=True)
    (folder / "mynah.json").write_text(json.dumps({"step": 5, "training": training}))
    (folder / "trainer_state.json").write_text("{}")
    (folder / "config.yaml").write_text(effective_yaml(config))
    return folder


def resume(checkpoint: Path, config: Config, streamed: bool = False) -> int:
    settings = settings_of(config, streamed)
    return check_resume(checkpoint, settings, world_size=1, steps=10, machine="a CPU")


@pytest.fixture(scope="module")
def config() -> Config:
    return compose(["model=fastconformer", "data=general"]).config


# logging, save_*, trackers, data workers, guards, time limits, decoding; device, threads
MAY_CHANGE = {
    "training.max_steps": 500,
    "training.num_train_epochs": 9.0,
    "training.logging_steps": 3,
    "training.logging_first_step": True,
    "training.save_steps": 100,
    "training.save_total_limit": 1,
    "training.save_strategy": "epoch",
    "training.report_to": [],
    "training.run_name": "other",
    "training.dataloader_num_workers": 0,
    "training.dataloader_prefetch_factor": 4,
    "training.loader_timeout_seconds": 5.0,
    "training.ranks_timeout_seconds": 50.0,
    "training.max_bad_steps": 99,
    "training.max_time": "2h",
    "training.requeue": False,
    "training.use_cpu": True,
    "training.cpu_threads": 1,
    "training.torch_compile": True,
    "training.gradient_checkpointing": True,
    "training.fsdp": True,
    "training.eval_strategy": "epoch",
    "training.eval_steps": 7,
    "training.eval_batch_seconds": 20.0,
    "training.output_dir": "/elsewhere",
    "model.beam_size": 3,
    "model.language_model": "none",
    "model.language_model_weight": 0.1,
    "model.word_bonus": 1.0,
    "model.generation_max_length": 9,
    "model.attn_implementation": "eager",
    "evaluation.normalizer": "none",
    "data.num_proc": 1,
    "data.dataset_cache_dir": "/elsewhere",
    "offline": True,
}
# augmentation, seed, batch size; model, optimizer, learning rate, schedule, loss, precision, ...
MUST_AGREE = {
    "training.seed": 7,
    "training.batch_seconds": 3.0,
    "training.batch_characters_a_second": None,
    "training.gradient_accumulation_steps": 2,
    "training.loss_normalization": "utterance",
    "training.learning_rate": 0.5,
    "training.encoder_learning_rate": 0.5,
    "training.projector_learning_rate": 0.5,
    "training.decoder_learning_rate": 0.5,
    "training.lr_scheduler_type": "linear",
    "training.lr_scheduler_kwargs": {"num_cycles": 2},
    "training.warmup_steps": 5,
    "training.optim": "adamw_torch",
    "training.optim_args": "a=1",
    "training.optim_target_modules": "all-linear",
    "training.weight_decay": 0.5,
    "training.adam_beta1": 0.5,
    "training.adam_beta2": 0.5,
    "training.adam_epsilon": 0.5,
    "training.max_grad_norm": 0.5,
    "training.neftune_noise_alpha": 0.5,
    "training.bf16": True,
    "training.fp16": True,
    "training.tf32": True,
    "training.exploding_loss_factor": 0.0,
    "training.metric_for_best_model": "cer",
    "training.greater_is_better": True,
    "data.augmentation.gain_db": 3.0,
    "data.augmentation.spec_augment.time_masks": 5,
    "model.encoder.dropout": 0.5,
    "model.encoder.layers": 3,
    "model.tokenizer": "bpe",
    "model.context_dropout": 0.1,
    "model.language": "en",
    "model.task": "translate",
    "model.timestamps": True,
    "model.audio_window": "clip",
    "model.audio_tail_seconds": 5.0,
}


@pytest.mark.parametrize("name", MAY_CHANGE)
def test_what_learns_nothing_may_change(tmp_path, config, name):
    checkpoint = checkpoint_of(tmp_path, config, settings_of(config))
    assert resume(checkpoint, changed(config, name, MAY_CHANGE[name])) == 5


@pytest.mark.parametrize("name", MUST_AGREE)
def test_what_the_next_step_depends_on_must_agree(tmp_path, config, name):
    checkpoint = checkpoint_of(tmp_path, config, settings_of(config))
    with pytest.raises(UserError, match=f"this changed:.*{name}: "):
        resume(checkpoint, changed(config, name, MUST_AGREE[name]))


@pytest.mark.parametrize("name", ["training.eval_steps", "training.eval_delay"])
def test_when_is_measured_must_agree_where_the_learning_rate_follows_the_scores(
    tmp_path, config, name
):
    follows = changed(config, "training.lr_scheduler_type", "reduce_lr_on_plateau")
    checkpoint = checkpoint_of(tmp_path, follows, settings_of(follows))
    with pytest.raises(UserError, match=name):
        resume(checkpoint, changed(follows, name, 7))


def test_steps_between_log_lines_count_where_measuring_goes_by_them(tmp_path, config):
    follows = changed(config, "training.lr_scheduler_type", "reduce_lr_on_plateau")
    follows = changed(follows, "training.eval_steps", None)
    checkpoint = checkpoint_of(tmp_path, follows, settings_of(follows))
    with pytest.raises(UserError, match=r"training\.logging_steps"):
        resume(checkpoint, changed(follows, "training.logging_steps", 7))


LISTED_BEFORE = yaml.safe_load((Path(__file__).parent / "settings_of_before.yaml").read_text())


@pytest.mark.parametrize("kind", LISTED_BEFORE)
def test_a_checkpoint_of_a_version_before_resumes(tmp_path, kind):
    """Its settings are those that were listed by hand; what it lacks stands in its config.yaml."""
    overrides, before = LISTED_BEFORE[kind]["overrides"], LISTED_BEFORE[kind]["settings"]
    base = ("model=fastconformer", "data=general")
    config = compose([*base, *overrides, "training.exploding_loss_factor=7"]).config
    streamed = config.data.streaming
    checkpoint = checkpoint_of(tmp_path, config, before)
    assert "training.exploding_loss_factor" not in before
    assert resume(checkpoint, config, streamed) == 5
    other = changed(config, "training.exploding_loss_factor", 8.0)
    with pytest.raises(UserError, match=r"exploding_loss_factor: 7\.0 in the checkpoint, 8\.0 now"):
        resume(checkpoint, other, streamed)


# The last four differ from what a stream's corpus has by itself, and from the values below.
STREAM = (
    "data.streaming=true",
    "data.dataset_name=a/b",
    "training.max_steps=50",
    "data.text_case=lower",
    "data.on_other_script=drop",
    "data.augmentation.spec_augment.time_masks=0",
    "data.augmentation.spec_augment.frequency_masks=0",
)


@pytest.fixture(scope="module")
def streamed() -> Config:
    return compose(list(STREAM)).config


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("data.dataset_name", "/moved/to"),
        ("data.path", "/moved/to"),
        ("data.audio_folders", ["/moved/to"]),
        ("data.eval_splits", ["test"]),
        ("data.max_eval_samples", 5),
        ("data.on_leak", "ignore"),
        ("data.on_error", "fail"),
        ("data.synthesis.eval_sentences", 3),
    ],
)
def test_a_stream_may_be_moved_and_measured_otherwise(tmp_path, streamed, name, value):
    checkpoint = checkpoint_of(tmp_path, streamed, settings_of(streamed, True))
    assert resume(checkpoint, changed(streamed, name, value), True) == 5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("data.shuffle_buffer", 5),
        ("data.max_audio_seconds", 5.0),
        ("data.text_case", "keep"),
        ("data.columns", {"text": "sentence"}),
        ("data.train_splits", ["other"]),
        ("data.text_substitutions", {"a": "b"}),
        ("data.on_other_script", "keep"),
    ],
)
def test_what_changes_the_rows_of_a_stream_must_agree(tmp_path, streamed, name, value):
    checkpoint = checkpoint_of(tmp_path, streamed, settings_of(streamed, True))
    with pytest.raises(UserError, match=name):
        resume(checkpoint, changed(streamed, name, value), True)


SPLITS: Any = {"dev": SimpleNamespace(fingerprint="abc"), "test": SimpleNamespace(fingerprint="d")}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model.beam_size", 3),
        ("model.language_model", "other.arpa"),
        ("model.context_file", "/here/other.txt"),
        ("evaluation.normalizer", "none"),
        ("evaluation.options", {"bleu": {"tokenizer": "zh"}}),
    ],
)
def test_scores_depend_on_how_they_are_decoded_and_on_what(config, name, value):
    before = measured_by(config, SPLITS)
    assert other_measure(before, measured_by(changed(config, name, value), SPLITS)) == [name]
    others: Any = {"dev": SimpleNamespace(fingerprint="xyz")}
    data = "evaluation data (fingerprint)"
    assert other_measure(before, measured_by(config, others)) == [data]
    by_loss = changed(config, "training.metric_for_best_model", "loss")
    assert measured_by(by_loss, SPLITS) == measured_by(changed(by_loss, name, value), SPLITS)
    assert measured_by(config, {}) == {}


def test_scores_do_not_depend_on_what_else_is_measured_or_where_files_lie(config):
    first = changed(config, "model.context_file", "/here/names.txt")
    before = measured_by(first, SPLITS)
    now = changed(changed(first, "evaluation.metrics", ["wer", "cer"]), "evaluation.n_best", 4)
    moved = changed(changed(now, "model.context_file", "/there/names.txt"), "training.seed", 5)
    dev: Any = {"dev": SPLITS["dev"]}
    assert other_measure(before, measured_by(moved, dev)) == []
    assert other_measure({}, before) == other_measure(before, {}) == []
