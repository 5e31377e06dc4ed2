"""Files and arguments come to one typed configuration, each value with its origin."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest
import yaml
from config_files import GUIDE_EXPERIMENT, composed, experiment, write

from mynah.config.effective import effective_yaml
from mynah.config.hydra.compose import compose, from_mapping
from mynah.config.hydra.search_path import shipped_configs
from mynah.config.mistakes.yaml_file import load_yaml, read_header, read_yaml
from mynah.config.recorded import read_recorded
from mynah.config.schema import Config
from mynah.config.settings import all_settings
from mynah.errors import ConfigErrors

PRESETS = sorted(path.stem for path in (shipped_configs() / "model").glob("*.yaml"))
OWN = ("default", "fastconformer", "large", "small")  # whose settings are Mynah's own
GROUPS = {
    "model": PRESETS,
    "data": ["an4", "default", "full", "general", "small"],
    "training": ["default", "mac", "production"],
    "launch": ["local", "ray", "slurm"],
}


@pytest.mark.parametrize(
    "choice", [f"{group}={name}" for group, names in GROUPS.items() for name in names]
)
def test_every_shipped_group_composes_and_passes_every_check(choice):
    assert isinstance(composed(None, choice).config, Config)


@pytest.mark.parametrize("name", ["an4", "test", "mac_minimal", "production"])
def test_every_shipped_experiment_composes_and_names_its_command_in_its_header(name):
    assert isinstance(composed(None, f"+experiments={name}").config, Config)
    text = (shipped_configs() / "experiments" / f"{name}.yaml").read_text()
    assert f"python src/train_hydra.py +experiments={name}" in text.split("defaults:")[0]


@pytest.mark.parametrize("name", [name for name in PRESETS if name not in OWN])
def test_every_preset_names_its_command_and_where_its_settings_are_from(name):
    header = (shipped_configs() / "model" / f"{name}.yaml").read_text().split("\n\n")[0]
    assert f"python src/train_hydra.py model={name} " in header
    assert "https://" in header
    model = composed(None, f"model={name}").config.model
    assert model.pretrained or (model.encoder_model_name and model.decoder_model_name)


def test_every_key_of_every_shipped_file_has_a_comment():
    bare = []
    for path in sorted(shipped_configs().rglob("*.yaml")):
        lines = path.read_text().splitlines()
        for entry in read_yaml(path).entries:
            for name, leaf in entry.leaves():
                if not name.startswith("hydra.") and "  #" not in lines[leaf.line - 1]:
                    bare.append(f"{path.name}:{leaf.line} {name}")
    assert bare == []


def test_the_guides_experiment_works_word_for_word_with_its_path_comment_first(tmp_path):
    write(tmp_path, "experiments/my_experiment", GUIDE_EXPERIMENT)
    config = composed(tmp_path, "+experiments=my_experiment").config
    assert (config.training.learning_rate, config.training.max_steps) == (3e-5, 10000)
    assert config.training.output_dir == "./outputs/my_experiment"
    assert config.model.lora_r == 16
    assert config.model.decoder_model_name == "HuggingFaceTB/SmolLM2-1.7B-Instruct"
    assert config.data.dataset_configs == ["clean", "other"]


def test_a_package_is_found_behind_more_comments_than_hydra_reads(tmp_path):
    long = "# a long story\n" * 100
    experiment(tmp_path, f"{long}# @package _global_\nmodel:\n  vocab_size: 99\n", header=False)
    assert composed(tmp_path, "+experiments=mine").config.model.vocab_size == 99


def test_a_header_ends_where_the_content_begins():
    assert read_header("# a\n\n# @package _global_\nx: 1\n")["package"] == "_global_"
    assert read_header("x: 1\n# @package _global_\n")["package"] is None


@pytest.mark.parametrize("first", [True, False])
def test_the_command_line_beats_the_experiment_in_whatever_order(tmp_path, first):
    experiment(tmp_path, "training:\n  max_steps: 7\n")
    arguments = ["+experiments=mine", "training.max_steps=9"]
    config = composed(tmp_path, *(arguments if first else arguments[::-1])).config
    assert config.training.max_steps == 9


def test_a_group_on_the_command_line_beats_the_one_an_experiment_chooses():
    found = composed(None, "+experiments=production", "model=small")
    assert found.config.model.encoder_model_name is None
    assert found.config.data.dataset_name == "openslr/librispeech_asr"


def test_a_removed_group_leaves_the_schemas_defaults():
    config = composed(None, "~data").config
    assert config.data == Config().data


@pytest.mark.parametrize("argument", ["training.seed=5", "++training.seed=5", "+training.seed=5"])
def test_one_and_two_plus_signs_set_a_known_key(argument):
    assert composed(None, argument).config.training.seed == 5


def test_keys_inside_a_mapping_need_no_plus():
    config = composed(None, "data.columns.text=sentence", "data.columns.audio=clip").config
    assert config.data.columns == {"text": "sentence", "audio": "clip"}


def test_keys_inside_an_upstream_mapping_need_no_plus():
    config = composed(
        None,
        "training.lr_scheduler_type=cosine_with_min_lr",
        "training.lr_scheduler_kwargs.min_lr=1e-5",
    ).config
    assert config.training.lr_scheduler_kwargs == {"min_lr": 1e-5}


def test_a_dict_sets_several_settings_at_once():
    config = composed(
        None, "model=fastconformer", "model.encoder={hidden_size: 64, heads: 2}"
    ).config
    assert (config.model.encoder.hidden_size, config.model.encoder.heads) == (64, 2)
    assert config.model.encoder.layers == 5


def test_save_steps_follow_eval_steps_unless_set():
    assert composed(None, "training.eval_steps=40").config.training.save_steps == 40
    both = composed(None, "training.eval_steps=40", "training.save_steps=80").config
    assert both.training.save_steps == 80


def test_no_stays_a_word_in_yaml(tmp_path):
    experiment(
        tmp_path, "training:\n  eval_strategy: no\n  load_best_model_at_end: no\n  bf16: off\n"
    )
    training = composed(tmp_path, "+experiments=mine").config.training
    assert training.eval_strategy == "no"
    assert training.load_best_model_at_end is False
    assert training.bf16 is False


def test_numbers_keep_their_yaml_meaning():
    assert load_yaml("a: 3e-5\nb: true\nc: 1_000\nd: 2026-11-22\n") == {
        "a": 3e-5,
        "b": True,
        "c": 1000,
        "d": "2026-11-22",
    }


def test_every_setting_has_an_origin_and_each_layer_is_named():
    origins = composed(None, "+experiments=test", "training.seed=1", "model.lora_r=8").origins
    assert set(origins) == set(all_settings())
    assert origins["training.seed"].layer == "command line"
    assert origins["training.seed"].detail == "training.seed=1"
    assert origins["training.eval_steps"].layer == "experiment"
    assert origins["training.eval_steps"].detail.startswith("experiments/test.yaml:")
    assert origins["model.encoder.layers"].layer == "group"
    assert origins["training.adam_beta1"].layer == "schema"


def test_an_origin_names_the_very_line():
    origin = composed(None, "training=mac").origins["training.warmup_steps"]
    path, _, line = origin.detail.partition(":")
    text = (shipped_configs() / path).read_text().splitlines()[int(line) - 1]
    assert text.startswith("warmup_steps:")


@pytest.mark.parametrize(
    ("overrides", "name", "rate"),
    [
        ([], "model.recommended_learning_rate, configs/hydra/model/default", 1e-3),
        (["model=small"], "follows from the model", 2e-3),
        (["model=small", "training=mac"], "follows from the model", 2e-3),
        (["model=whisper_small"], "model.recommended_learning_rate, configs/hydra/model/", 1e-5),
        (["model=whisper_small", "model.use_lora=true"], "follows from the model", 1e-4),
        (["training.learning_rate=1e-3"], "training.learning_rate=1e-3", 1e-3),
        (["model=small", "training.learning_rate=null"], "follows from the model", 2e-3),
    ],
)
def test_a_value_that_nobody_gave_is_explained_by_what_it_follows_from(overrides, name, rate):
    found = composed(None, *overrides)
    assert found.config.training.learning_rate == rate
    assert found.origins["training.learning_rate"].detail.startswith(name)


def test_a_group_counts_as_typed_only_where_a_person_chose_it():
    default = composed(None).origins["model.lora_r"]
    by_line = composed(None, "model=small").origins["model.encoder.layers"]
    by_experiment = composed(None, "+experiments=test").origins["model.encoder.layers"]
    assert [o.typed for o in (default, by_line, by_experiment)] == [False, True, True]
    assert not composed(None).origins["training.adam_beta1"].typed


def test_experiments_may_build_on_experiments(tmp_path):
    experiment(tmp_path, "training:\n  max_steps: 5\n", name="base")
    experiment(tmp_path, "defaults:\n  - base\n  - _self_\ntraining:\n  seed: 3\n", name="derived")
    found = composed(tmp_path, "+experiments=derived")
    assert (found.config.training.max_steps, found.config.training.seed) == (5, 3)
    assert found.origins["training.max_steps"].detail == "experiments/base.yaml:3"


def test_experiments_beside_the_working_directory_are_found(tmp_path, monkeypatch):
    experiment(tmp_path / "configs" / "hydra", "training:\n  max_steps: 11\n", name="here")
    monkeypatch.chdir(tmp_path)
    assert compose(["+experiments=here"]).config.training.max_steps == 11


def test_a_file_of_ones_own_comes_before_the_shipped_one_of_the_same_name(tmp_path):
    write(tmp_path, "model/small", "vocab_size: 77\n")
    assert composed(tmp_path, "model=small").config.model.vocab_size == 77


def test_a_root_file_without_the_schema_is_checked_all_the_same(tmp_path):
    write(tmp_path, "config", "defaults:\n  - model: default\n  - _self_\noffline: true\n")
    assert composed(tmp_path).config.offline is True
    with pytest.raises(ConfigErrors, match="learning_rate"):
        composed(tmp_path, "training.learning_rat=3")


def test_the_effective_configuration_reads_back_as_itself(tmp_path):
    config = composed(None, "+experiments=production", "data.columns.text=sentence").config
    path = tmp_path / "config.yaml"
    path.write_text(effective_yaml(config), encoding="utf-8")
    assert read_recorded(path) == config
    assert yaml.safe_load(path.read_text()) == dataclasses.asdict(config)


def test_an_effective_configuration_with_a_foreign_key_is_refused():
    with pytest.raises(ConfigErrors, match=r"model\.colour"):
        from_mapping({"model": {"colour": "blue"}}, "run/config.yaml")


def test_a_configuration_is_composed_without_torch_or_transformers():
    import subprocess

    code = (
        "import sys\nfrom mynah.config.hydra.compose import compose\n"
        "compose(['+experiments=production'])\n"
        "print(*sorted({'torch', 'transformers', 'datasets', 'peft'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_shipped_configurations_are_where_the_repository_has_them():
    assert shipped_configs() == Path(__file__).parents[4] / "configs" / "hydra"
