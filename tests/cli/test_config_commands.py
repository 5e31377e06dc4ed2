"""The commands that show a configuration, and each mistake, as real processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import forked_commands
import pytest
import yaml
from guide_commands import MY_EXPERIMENT
from workspaces import environment

REPOSITORY = Path(__file__).parents[2]
SCRIPT = str(REPOSITORY / "src" / "train_hydra.py")
MYNAH = [sys.executable, "-m", "mynah.cli"]
HEAVY = ("torch", "transformers", "datasets", "peft", "accelerate", "numpy")
# Each of them takes as long to import as a twentieth of what it takes to show a configuration.
UNUSED = ("rich", "asyncio", "unittest", "ssl")


def run(command, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return forked_commands.run(command, folder, environment(**more), timeout=120)


def train(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, SCRIPT, *arguments], folder)


def imported(stderr: str, packages: tuple[str, ...] = HEAVY) -> set[str]:
    """Those of the packages that are in the log of ``-X importtime``."""
    names = {
        line.rpartition("|")[2].strip().partition(".")[0]
        for line in stderr.splitlines()
        if line.startswith("import time:")
    }
    return names & set(packages)


def test_the_entry_is_hydras_own_and_short():
    text = Path(SCRIPT).read_text()
    assert "@hydra.main" in text
    assert len(text.splitlines()) < 60


def test_cfg_job_shows_the_full_configuration(tmp_path):
    done = train(tmp_path, "--cfg", "job", "training.seed=7")
    content = yaml.safe_load(done.stdout)
    assert done.returncode == 0
    assert set(content) >= {"model", "data", "training", "eval_checkpoint"}
    assert content["training"]["seed"] == 7
    assert content["training"]["save_steps"] == "${.eval_steps}"


def test_cfg_job_resolve_fills_references_in(tmp_path):
    done = train(tmp_path, "--cfg", "job", "--resolve", "training.eval_steps=40")
    assert yaml.safe_load(done.stdout)["training"]["save_steps"] == 40


def test_cfg_job_with_hydra_help_shows_both(tmp_path):
    done = train(tmp_path, "--cfg", "job", "--hydra-help")
    assert done.returncode == 0
    assert "learning_rate:" in done.stdout
    assert "--multirun" in done.stdout
    assert "hydra/launcher: basic, mynah_process" in done.stdout


def test_cfg_of_one_package_and_of_hydra(tmp_path):
    one = train(tmp_path, "--cfg", "job", "--package", "model.encoder", "model=fastconformer")
    assert yaml.safe_load(one.stdout)["layers"] == 5
    assert "job_logging:" in train(tmp_path, "--cfg", "hydra").stdout


def test_info_shows_which_files_a_command_is_composed_of(tmp_path):
    done = train(tmp_path, "--info", "defaults", "+experiments=test")
    assert done.returncode == 0
    for name in ("experiments/test", "model/small", "training/default"):
        assert name in done.stdout


def test_flags_and_overrides_may_come_in_any_order(tmp_path):
    done = train(tmp_path, "--info", "+experiments=test")
    assert "experiments/test" in done.stdout
    mixed = ("training.seed=3", "-c", "job", "model=small", "-p", "training.seed", "data=small")
    assert train(tmp_path, *mixed).stdout == "3\n"


def test_help_names_groups_experiments_and_examples(tmp_path):
    done = train(tmp_path, "--help")
    assert done.returncode == 0
    for part in ("model: canary, default, ", "an4, mac_minimal, production, test", "+experiments="):
        assert part in done.stdout


def test_shells_complete_group_names_and_settings(tmp_path):
    query = [sys.executable, SCRIPT, "-sc", "query=bash"]
    line = f"python {SCRIPT} "
    done = run(query, tmp_path, COMP_LINE=f"{line}model=", COMP_CWORD="2")
    assert set(done.stdout.split()) >= {"model=default", "model=large", "model=small"}
    done = run(query, tmp_path, COMP_LINE=f"{line}training.learning", COMP_CWORD="2")
    assert "training.learning_rate=" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--cfg", "job", "+experiments=production"],
        ["--help"],
        ["training.lerning_rate=3"],
        ["--learning_rate", "3"],
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported_to_show_or_to_refuse(tmp_path, arguments):
    done = run([sys.executable, "-X", "importtime", SCRIPT, *arguments], tmp_path)
    assert "hydra" in done.stderr  # the log of imports is there
    assert imported(done.stderr) == set()
    if "--cfg" in arguments:
        assert imported(done.stderr, UNUSED) == set()


def test_showing_and_refusing_claim_no_directory(tmp_path):
    for arguments in (["--cfg", "job"], ["--info", "config"], ["model=huge"], ["--cfg", "hydra"]):
        train(tmp_path, *arguments)
    assert list(tmp_path.iterdir()) == []


BAD = [
    (["training.lerning_rate=3e-4"], "Nearest: training.learning_rate"),
    (["++training.lerning_rate=3e-4"], "Nearest: training.learning_rate"),
    (["model=larg"], "src/train_hydra.py model=large"),
    (["+experiments=tset"], "src/train_hydra.py +experiments=test"),
    (["training.max_steps=many"], "takes a whole number"),
    (["training.learning_rate=30"], "from 0 to 1, not 30"),
    (["--learning_rate", "3"], "src/train_hydra.py training.learning_rate=1"),
    (["--cfg", "job", "-m", "training.seed=1,2"], "do not go together"),
    (["--config-dir", "nowhere"], "There is no directory nowhere"),
    (["training.bf16=true", "training.fp16=true"], "exclude each other"),
    (["training.learning_rate=1e-4,1e-3"], "-m training.learning_rate=1e-4,1e-3"),
]


@pytest.mark.parametrize(("arguments", "part"), BAD, ids=[" ".join(case[0]) for case in BAD])
def test_a_mistake_is_a_short_message_and_exit_status_2(tmp_path, arguments, part):
    done = train(tmp_path, *arguments)
    assert done.returncode == 2
    assert part in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert len(done.stderr.splitlines()) <= 5
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_value_that_nothing_is_near_to_is_left_to_the_experiment(tmp_path):
    done = train(tmp_path, "+experiments=production", "training.max_steps=long")
    assert done.stderr.splitlines()[-1] == f"  run:   python {SCRIPT} +experiments=production"


def test_a_corrected_command_begins_as_it_was_started_by_hatch(tmp_path):
    from_hatch = [sys.executable, SCRIPT, "model=larg"]
    done = run(from_hatch, tmp_path, HATCH_ENV_ACTIVE="default")
    assert done.stderr.splitlines()[-1] == "  run:   hatch run train model=large"
    typed = [sys.executable, "src/train_hydra.py", "model=larg"]
    done = run(typed, REPOSITORY, HATCH_ENV_ACTIVE="default")
    assert done.stderr.splitlines()[-1] == "  run:   python src/train_hydra.py model=large"


BAD_FILES = [
    ("# @package _global_\ntraining:\n  lerning_rate: 3e-4\n", "mine.yaml:3"),
    ("# @package _global_\ntraining:\n  max_steps: many\n", "mine.yaml:3"),
    ("# @package _global_\ndefaults:\n  - override model: large\n", "override /model: large"),
    ("training:\n  seed: 1\n", "# @package _global_"),
    ("# @package _global_\nseed: 1\nseed: 2\n", "written twice, in line 2 and in line 3"),
    ("# @package _global_\ntraining:\n  seed: [1\n", "not valid YAML"),
]


@pytest.mark.parametrize(("content", "part"), BAD_FILES, ids=[repr(case[0]) for case in BAD_FILES])
def test_a_mistake_in_ones_own_experiment_names_file_and_line(tmp_path, content, part):
    experiments = tmp_path / "configs" / "hydra" / "experiments"
    experiments.mkdir(parents=True)
    (experiments / "mine.yaml").write_text(content)
    done = train(tmp_path, "+experiments=mine")
    assert done.returncode == 2
    assert part in done.stderr
    assert "configs/hydra/experiments/mine.yaml" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert len(done.stderr.splitlines()) <= 8


@pytest.mark.parametrize("where", ["beside", "config-dir"])
def test_the_guides_custom_experiment_works_word_for_word(tmp_path, where):
    folder = tmp_path / ("configs/hydra" if where == "beside" else "elsewhere")
    (folder / "experiments").mkdir(parents=True)
    (folder / "experiments" / "my_experiment.yaml").write_text(MY_EXPERIMENT)
    given = ["--config-dir", str(folder)] if where == "config-dir" else []
    done = train(tmp_path, *given, "--cfg", "job", "+experiments=my_experiment")
    content = yaml.safe_load(done.stdout)
    assert (content["training"]["learning_rate"], content["model"]["lora_r"]) == (3e-5, 16)


def test_the_mynah_command_takes_the_same_overrides(tmp_path):
    done = run([*MYNAH, "train", "--cfg", "job", "+experiments=test", "training.seed=7"], tmp_path)
    assert yaml.safe_load(done.stdout)["training"]["seed"] == 7
    done = run([*MYNAH, "eval", "a b/checkpoint-1", "--cfg", "job", "model=small"], tmp_path)
    assert yaml.safe_load(done.stdout)["eval_checkpoint"] == "a b/checkpoint-1"
    done = run([*MYNAH, "train", "modle=large"], tmp_path)
    assert (done.returncode, "mynah train model=large" in done.stderr) == (2, True)


def test_eval_without_a_checkpoint_says_what_to_type(tmp_path):
    done = run([*MYNAH, "eval"], tmp_path)
    assert (done.returncode, "mynah eval outputs/model" in done.stderr) == (2, True)


def test_config_explain_and_diff_are_commands(tmp_path):
    done = run([*MYNAH, "config", "explain", "model=small", "--only", "model.tokenizer"], tmp_path)
    assert done.returncode == 0
    assert "model/small.yaml:" in done.stdout
    done = run([*MYNAH, "config", "diff", "test", "production"], tmp_path)
    assert "model.use_lora" in done.stdout


def test_the_mynah_command_lists_its_subcommands_and_its_version(tmp_path):
    done = run([*MYNAH, "--help"], tmp_path)
    for name in ("train", "eval", "config", "migrate"):
        assert name in done.stdout
    assert run([*MYNAH, "--version"], tmp_path).stdout.startswith("mynah ")


def test_no_heavy_package_is_imported_to_explain(tmp_path):
    command = [sys.executable, "-X", "importtime", "-m", "mynah.cli", "config", "explain"]
    assert imported(run(command, tmp_path).stderr) == set()
