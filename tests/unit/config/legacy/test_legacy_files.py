"""A legacy file is read in full, reported in its own terms, and means what its YAML means."""

from __future__ import annotations

import dataclasses
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mynah.config.hydra.compose import compose
from mynah.config.legacy import files
from mynah.config.legacy.migrate import migrate
from mynah.errors import ConfigErrors, UserError

SHIPPED = Path(__file__).parents[4] / "configs" / "experiments"


def write(tmp_path: Path, content) -> Path:
    path = tmp_path / "old.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent=2))
    return path


def settings(overrides: list[str], **where) -> dict:
    return dataclasses.asdict(compose(overrides, **where).config)


@pytest.mark.parametrize(
    ("file", "experiment"),
    [("test_config", "test"), ("mac_minimal", "mac_minimal"), ("production", "production")],
)
def test_a_shipped_file_means_the_same_as_its_experiment(file, experiment):
    read = files.read_legacy(SHIPPED / f"{file}.json")
    assert settings(read.overrides) == settings([f"+experiments={experiment}"])


EVERYTHING = {
    "_comment": "all kinds of keys",
    "decoder_model_name": "some/llm",
    "lora_target_modules": ["q_proj", "v_proj"],
    "dataset_name": "librispeech_asr",
    "train_split": "train.100[:5]",
    "eval_splits": ["validation[:2]"],
    "dataset_cache_dir": "/workspace/data sets, 'quoted'",
    "learning_rate": 3.0000001e-05,
    "warmup_ratio": 0.05,
    "num_train_epochs": 2,
    "eval_strategy": "epoch",
    "lr_scheduler_kwargs": {"num_cycles": 2},
    "group_by_length": True,
    "d_model": 512,
    "resume_from_checkpoint": False,
    "training.batch_seconds": 33,
}


def test_a_migrated_file_composes_to_the_same_settings(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, EVERYTHING)
    migrate([str(path), "-o", "mine/experiments/old.yaml"])
    typed = settings(["+experiments=old"], config_dir=Path("mine"))
    assert typed == settings(files.read_legacy(path).overrides)
    assert typed["training"]["learning_rate"] == 3.0000001e-05
    assert typed["data"]["dataset_cache_dir"] == "/workspace/data sets, 'quoted'"
    printed = capsys.readouterr().out
    assert "--config-dir mine +experiments=old" in printed
    for key in EVERYTHING:
        assert key in printed.replace("\n", "")


def test_a_migrated_file_starts_with_its_package_and_names_what_was_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    migrate([str(write(tmp_path, EVERYTHING))])
    text = (tmp_path / "configs/hydra/experiments/old.yaml").read_text()
    assert text.startswith("# @package _global_\n")
    assert "#   python src/train_hydra.py +experiments=old\n" in text
    assert "#   group_by_length: true  (" in text and "#   d_model: 512  (" in text
    assert "warmup_steps: 0.05  # translated from warmup_ratio" in text
    assert yaml.safe_load(text)["defaults"][0] == {"override /model": "large"}


def test_migrating_never_overwrites_and_names_a_free_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, {"max_steps": 5})
    migrate([str(path), "-o", "experiments/old.yaml"])
    before = Path("experiments/old.yaml").read_text()
    path.write_text('{"max_steps": 6}')
    with pytest.raises(UserError) as caught:
        migrate([str(path), "-o", "experiments/old.yaml"])
    assert "experiments/old_2.yaml" in caught.value.fix
    assert Path("experiments/old.yaml").read_text() == before


def test_migrating_to_a_place_that_hydra_does_not_search_is_refused(tmp_path):
    path = write(tmp_path, {"max_steps": 5})
    with pytest.raises(UserError, match="folder named experiments"):
        migrate([str(path), "-o", str(tmp_path / "old.yaml")])
    assert not (tmp_path / "old.yaml").exists()


def test_migrating_to_the_screen_prints_the_file_alone(tmp_path, capsys):
    migrate([str(write(tmp_path, {"max_steps": 5})), "-o", "-"])
    assert yaml.safe_load(capsys.readouterr().out)["training"] == {"max_steps": 5}


BROKEN = [
    ('{"max_steps": 5,\n "seed": 1,\n}', "comma stands before the closing bracket"),
    ('{"max_steps": 5 // five\n}', "JSON has no comments"),
    ("{'max_steps': 5}", "double quotes"),
    ('{"bf16": True}', "true in JSON, not True"),
    ('{"max_steps": 5', "broken"),
    ("", "broken"),
    ("[1, 2]", "not a JSON object"),
    ('{"learning_rate": NaN}', "NaN is not a number"),
    ('{"model": {"lora_r": 8}}', "flat"),
]


@pytest.mark.parametrize(("text", "said"), BROKEN)
def test_broken_files_are_reported_in_a_sentence(tmp_path, text, said):
    with pytest.raises(UserError) as caught:
        files.read_legacy(write(tmp_path, text))
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 4


def test_a_broken_line_is_named(tmp_path):
    with pytest.raises(UserError) as caught:
        files.read_legacy(write(tmp_path, '{\n "max_steps": 5\n "seed": 1\n}'))
    assert caught.value.where.endswith("old.json:3")


def test_a_key_that_stands_twice_is_an_error_with_both_lines(tmp_path):
    text = '{\n "learning_rate": 1e-4,\n "max_steps": 5,\n "learning_rate": 1e-5\n}'
    with pytest.raises(UserError) as caught:
        files.read_legacy(write(tmp_path, text))
    assert '"learning_rate"' in caught.value.what and "lines 2, 4" in caught.value.where


def test_all_unknown_keys_are_named_with_line_and_nearest_name(tmp_path):
    with pytest.raises(ConfigErrors) as caught:
        files.read_legacy(write(tmp_path, {"learning_rte": 1, "max_steps": 5, "lora_rank": 8}))
    first, second = caught.value.errors
    assert first.where.endswith("old.json:2") and '"learning_rate"' in first.fix
    assert second.where.endswith("old.json:4") and '"lora_r"' in second.fix


@pytest.mark.parametrize(
    ("key", "value", "fix"),
    [
        # a default that nothing written is near to is not proposed
        ("max_steps", "many", 'leave "max_steps" out, or write a whole number or null'),
        ("learning_rate", "slow", 'leave "learning_rate" out, or write a number or null'),
        ("use_lora", "some", 'leave "use_lora" out, or write true or false'),
        # transformers' FSDP (FSDPOption); "" is its default, none
        ("fsdp", "full_shard auto_wrap", 'write "fsdp": true'),
        ("fsdp", ["full_shard", "offload"], 'write "fsdp": true'),
        ("fsdp", "", 'leave "fsdp" out, or write true or false or null'),
    ],
)
def test_a_wrong_type_is_reported_with_the_files_line_and_what_to_write(tmp_path, key, value, fix):
    with pytest.raises(ConfigErrors) as caught:
        files.read_legacy(write(tmp_path, {"seed": 1, key: value}))
    assert caught.value.errors[0].where.endswith("old.json:3")
    assert caught.value.errors[0].fix == fix


def test_settings_that_contradict_each_other_are_reported_in_terms_of_the_file(tmp_path):
    path = write(tmp_path, {"seed": 1, "bf16": True, "fp16": True})
    read = files.read_legacy(path)
    with pytest.raises(ConfigErrors) as caught:
        compose(read.overrides)
    reported = read.in_terms_of_the_file(caught.value)
    assert reported.errors[0].where == f"{path}:4"
    assert reported.errors[0].fix == f'write "fp16": false in {path}'


def test_a_missing_file_names_those_beside_it(tmp_path):
    write(tmp_path, {})
    with pytest.raises(UserError) as caught:
        files.read_legacy(tmp_path / "odl.json")
    assert "old.json" in caught.value.fix


def test_a_yaml_file_is_sent_to_the_other_command(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("a: 1")
    with pytest.raises(UserError) as caught:
        files.read_legacy(path)
    assert "+experiments=mine" in caught.value.fix


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "old.json"
    path.write_bytes(b'\xef\xbb\xbf{"max_steps": 5}')
    assert files.read_legacy(path).settings == {"training.max_steps": 5}


def test_a_file_that_measures_but_never_asked_for_the_best_model_gets_the_last_as_it_did(tmp_path):
    path = write(tmp_path, {"eval_strategy": "steps", "eval_steps": 30, "save_steps": 50})
    read = files.read_legacy(path)
    assert read.settings["training.load_best_model_at_end"] is False
    compose(read.overrides)


def test_the_report_tells_every_key(tmp_path, capsys):
    files.report(files.read_legacy(write(tmp_path, EVERYTHING)))
    printed = capsys.readouterr().out
    for word in (*EVERYTHING, "renamed", "translated", "without effect", "[validation[:2]]"):
        assert word in printed
    assert "model=large data=full training=mac" in printed


def test_reading_a_file_does_not_import_torch_or_transformers():
    code = (
        "import sys; from mynah.config.legacy import files as legacy; from pathlib import Path;"
        f"legacy.report(legacy.read_legacy(Path({str(SHIPPED / 'production.json')!r})));"
        "sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


@pytest.mark.parametrize("named", [{}, {"metric_for_best_model": None}])
def test_the_best_model_of_a_file_that_names_no_metric_has_the_lowest_evaluation_loss(
    tmp_path, named
):
    # transformers.TrainingArguments: "Will default to "loss" if unspecified".
    read = files.read_legacy(write(tmp_path, {"load_best_model_at_end": True, **named}))
    assert settings(read.overrides)["training"]["metric_for_best_model"] == "loss"


@pytest.mark.parametrize(
    ("content", "setting", "meant", "idle"),
    [
        (
            {"dataset_config_name": "clean", "dataset_configs": None},
            "data.dataset_configs",
            ["clean"],
            "dataset_configs",
        ),
        (
            {"per_device_train_batch_size": 4, "per_gpu_train_batch_size": None},
            "training.per_device_train_batch_size",
            4,
            "per_gpu_train_batch_size",
        ),
        # The TrainingArguments of transformers 4: per_gpu_… or per_device_…, and
        # if self.no_cuda: self.use_cpu = self.no_cuda
        (
            {"per_device_train_batch_size": 4, "per_gpu_train_batch_size": 2},
            "training.per_device_train_batch_size",
            2,
            "per_device_train_batch_size",
        ),
        ({"use_cpu": False, "no_cuda": True}, "training.use_cpu", True, "use_cpu"),
        ({"no_cuda": True, "use_cpu": False}, "training.use_cpu", True, "use_cpu"),
        ({"no_cuda": False, "use_cpu": True}, "training.use_cpu", True, "no_cuda"),
        ({"lora_r": 8, "model.lora_r": 16}, "model.lora_r", 16, "lora_r"),
        ({"model.lora_r": 16, "lora_r": 8}, "model.lora_r", 16, "lora_r"),
    ],
)
def test_of_two_keys_of_one_setting_one_is_meant_and_the_other_is_said(
    tmp_path, content, setting, meant, idle
):
    read = files.read_legacy(write(tmp_path, content))
    assert read.settings[setting] == meant
    (without,) = (found for found in read.fates if found.kind == "without effect")
    assert without.key == idle and without.reason.endswith("is meant")


@pytest.mark.parametrize(
    ("content", "fix"),
    [
        ({"max_steps": 1e3}, 'write "max_steps": 1000'),
        ({"seed": 7.0}, 'write "seed": 7'),
        ({"train_splits": [["a"]]}, 'write "train_splits": ["train"]'),
        ({"train_splits": []}, 'write "train_splits": ["train"] in'),
    ],
)
def test_what_is_to_be_written_is_json_and_nearest_to_what_was_meant(tmp_path, content, fix):
    file = write(tmp_path, content)
    with pytest.raises(ConfigErrors) as caught:
        read = files.read_legacy(file)
        try:
            compose(read.overrides)
        except ConfigErrors as problem:
            raise read.in_terms_of_the_file(problem) from problem
    assert fix in str(caught.value)


def test_a_comment_of_several_lines_stays_one_in_the_yaml(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    migrate([str(write(tmp_path, {"_of\nseed: 1": "x\ny", "max_steps": 3}))])
    text = (tmp_path / "configs/hydra/experiments/old.yaml").read_text()
    assert yaml.safe_load(text)["training"] == {"max_steps": 3}


def test_the_commands_of_migrating_can_be_pasted_whatever_the_names_are(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {"max_steps": 3}).rename("my old.json")
    migrate(["my old.json", "-o", "my runs/experiments/one.yaml"])
    last = capsys.readouterr().out.splitlines()[-1]
    # Nothing is at src/train_hydra.py here.
    assert last == "Run it:  mynah train --config-dir 'my runs' +experiments=one"
    with pytest.raises(UserError) as caught:
        migrate(["my old.json", "-o", "my runs/experiments/one.yaml"])
    assert caught.value.fix == "mynah migrate 'my old.json' -o 'my runs/experiments/one_2.yaml'"
    with pytest.raises(UserError) as caught:
        migrate(["my old.json", "-o", "x.yaml"])
    assert caught.value.fix == "mynah migrate 'my old.json' -o experiments/x.yaml"
    capsys.readouterr()
    migrate(["my old.json", "-o", "my runs/experiments/a b.yaml"])
    last = capsys.readouterr().out.splitlines()[-1]
    _, *arguments = shlex.split(last.removeprefix("Run it:  mynah "))
    assert arguments == ["--config-dir", "my runs", '+experiments="a b"']
