"""The legacy script and `mynah migrate`, each as a process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import forked_commands
import pytest
import yaml

ROOT = Path(__file__).parents[2]
SHRINK = [
    "model.encoder.layers=1",
    "data.synthesis.train_sentences=24",
    "data.synthesis.eval_sentences=4",
    "training.max_steps=2",
    "training.eval_steps=2",
    "training.save_steps=2",
    "evaluation.bootstrap_samples=50",
]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return forked_commands.run([sys.executable, *arguments], folder, forked_commands.environment())


def legacy(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return run(folder, str(ROOT / "src" / "train.py"), *arguments)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("legacy")
    (folder / "configs").symlink_to(ROOT / "configs")
    return folder, legacy(folder, "configs/experiments/test_config.json", *SHRINK)


def test_the_guides_legacy_command_trains_and_tells_every_key(trained):
    folder, ended = trained
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for key in json.loads((ROOT / "configs/experiments/test_config.json").read_text()):
        assert key in ended.stdout
    assert list(folder.glob("outputs/*/*/evaluation/results.json"))
    assert (folder / "outputs" / "model" / "checkpoint-2").is_dir()


def test_eval_measures_a_checkpoint_and_moves_nothing(trained):
    folder, _ = trained
    before = (folder / "outputs" / "model").resolve()
    ended = legacy(
        folder,
        "configs/experiments/test_config.json",
        "--eval",
        "./outputs/model/checkpoint-2",
        *SHRINK,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (folder / "outputs" / "model").resolve() == before
    assert len(list(folder.glob("outputs/*/*/evaluation/results.json"))) == 2


@pytest.mark.parametrize("name", ["test_config", "mac_minimal", "production"])
def test_every_shipped_file_shows_its_configuration_alone(tmp_path, name):
    file = str(ROOT / "configs" / "experiments" / f"{name}.json")
    ended = legacy(tmp_path, file, "--cfg", "job")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("model:")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "FILE.json"),
        (["gone.json"], "no file gone.json"),
        (["old.json", "--eval"], "--eval needs a checkpoint"),
        (["old.json", "--eval", "gone"], "no checkpoint gone"),
        (["old.json", "training.max_stps=2"], "training.max_steps"),
        (["wrong.json"], 'did you mean "learning_rate"'),
        (["broken.json"], "comma"),
    ],
)
def test_mistakes_are_reported_in_a_few_lines_with_status_two(tmp_path, arguments, said):
    (tmp_path / "old.json").write_text('{"max_steps": 2}')
    (tmp_path / "wrong.json").write_text('{"learning_rte": 2}')
    (tmp_path / "broken.json").write_text('{"max_steps": 2,}')
    ended = legacy(tmp_path, *arguments)
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr and len(ended.stderr.splitlines()) <= 8
    assert not (tmp_path / "outputs" / "model").exists()


def test_settings_that_name_a_json_file_and_flags_with_a_value_are_taken(tmp_path):
    (tmp_path / "old.json").write_text('{"max_steps": 2}')
    (tmp_path / "more").mkdir()
    typed = ("data.path=/mine/train.json", "--config-dir", "more", "--cfg", "job")
    shown = legacy(tmp_path, "old.json", *typed)
    assert shown.returncode == 0, shown.stderr
    assert yaml.safe_load(shown.stdout)["data"]["path"] == "/mine/train.json"


def test_migrate_writes_an_experiment_that_its_own_header_runs(tmp_path):
    file = str(ROOT / "configs" / "experiments" / "mac_minimal.json")
    migrated = run(tmp_path, "-m", "mynah.cli", "migrate", file, "-o", "mine/experiments/mac.yaml")
    assert migrated.returncode == 0, migrated.stderr
    header = (tmp_path / "mine/experiments/mac.yaml").read_text().splitlines()[4]
    _, _, _, *arguments = header.split()
    assert header.startswith("#   python src/train_hydra.py ")
    script = str(ROOT / "src" / "train_hydra.py")
    shown = run(tmp_path, script, *arguments, "--cfg", "job", "--resolve")
    assert shown.returncode == 0, shown.stderr
    shipped = run(tmp_path, script, "+experiments=mac_minimal", "--cfg", "job", "--resolve")
    assert yaml.safe_load(shown.stdout) == yaml.safe_load(shipped.stdout)


def test_migrate_refuses_to_overwrite(tmp_path):
    (tmp_path / "old.json").write_text('{"max_steps": 2}')
    command = ("-m", "mynah.cli", "migrate", "old.json", "-o", "experiments/old.yaml")
    assert run(tmp_path, *command).returncode == 0
    again = run(tmp_path, *command)
    assert again.returncode == 2
    assert "was left as it is" in again.stderr and "old_2.yaml" in again.stderr
