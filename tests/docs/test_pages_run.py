"""Every command of README.md and docs/ runs, typed as it is printed and made short behind it."""

from __future__ import annotations

import json
import shlex
import tomllib
from pathlib import Path

import plugin_packages
import pytest
import standin_archives
from archive_server import serving
from guide_commands import TRAININGS
from page_commands import REPOSITORY, PageCommand, commands
from workspaces import SHORT

from mynah.config.hydra.compose import compose

# What only composing and parsing check, and why it is not run.
NOT_RUN = {
    "pip install hatch": "needs the package index",
    "hatch run test": "is this suite",
    **dict.fromkeys(
        (
            "python benchmarks/segmentation.py outputs/model AN4",
            "python benchmarks/segmentation.py outputs/model AN4 --min-score -0.5",
        ),
        "aligns all of AN4's test set with a model that has learned",
    ),
    "python benchmarks/confidences.py CORPUS": (
        "needs Whisper tiny.en's own weights, in whose place the pages' hub has random ones"
    ),
    **dict.fromkeys(
        (
            "mynah export outputs/model --to ctranslate2 --output exported",
            "mynah export outputs/model --to ggml --output exported",
        ),
        "needs a Whisper of OpenAI's vocabulary: tests/real/test_real_export.py",
    ),
    **dict.fromkeys(
        (
            "srun --ntasks=4 mynah train +experiments=production",
            "srun --kill-on-bad-exit=1 mynah train +experiments=production "
            "resume_from_checkpoint=auto",
        ),
        "needs a SLURM cluster",
    ),
    'pip install "mynah-asr[base,transcribe]"': "is run by tests/docs/test_first_hour.py",
    'pip install "mynah-asr[base,speech,transcribe]"': "needs the package index",
}
# Commands that end when a person or a signal ends them, which have tests of their own: in
# tests/cli, test_serve.py, test_demo.py and test_record.py.
WAITING = ("serve", "demo", "record")
# Where a command starts from a model, which of conftest's.
MODELS = {
    "runs": "calls",
    "train": "default",
    "eval": "calls",
    "data inspect": "calls",
    "data segment": "calls",
    "export": "calls",
    "merge": "adapted",
    "average": "calls",
    "tune-beam": "calls",
    "transcribe": "calls",
    "adapt-scale": "adapted",
    "publish": "calls",
    "benchmarks/serve_load.py": "calls",
}
NEEDS_A_MODEL = ("tune-beam", "merge", "average", "export", "eval", "transcribe", "publish")
DECODER = "mynah train model.pretrained=outputs/model/checkpoint-1000 model.decoder_tuning=lora"
LM = "mynah lm minutes.txt mails.txt --case lower --to domain.arpa"
# Commands that need what another command of their page leaves.
AFTER = {
    "mynah publish merged anna/whisper-calls --license mit": (
        "mynah merge outputs/model --to merged"
    ),
    "mynah eval ./merged": "mynah merge outputs/model --to merged",
    "mynah eval ./both": (
        "mynah average outputs/model/checkpoint-2 outputs/model/checkpoint-1000 --to both"
    ),
    "mynah tune-beam outputs/model model.language_model=domain.arpa": LM,
    "mynah eval outputs/model model.language_model=domain.arpa model.language_model_weight=0.7": LM,
    (
        "mynah eval openai/whisper-tiny.en data.dataset_name=./recordings evaluation.n_best=5 "
        "model.language_model=domain.arpa"
    ): LM,
    "mynah eval ./half": "mynah adapt-scale outputs/model --scale 0.5 --to half",
    "mynah eval ./scaled": "mynah adapt-scale outputs/model --scale 0.75 --to scaled",
    "mynah train data.dataset_name=calls-packed data.eval_splits=null": (
        "mynah data pack calls/ --to calls-packed"
    ),
    "mynah train data.dataset_name=utterances data.eval_splits=null": (
        "mynah data segment calls/ --to utterances"  # by times: a random model aligns nothing
    ),
    "python src/train_hydra.py +experiments=test_config": (
        "mynah migrate configs/experiments/test_config.json"
    ),
}
# Commands that a model with random weights ends, and what is said then.
REFUSED = dict.fromkeys(
    (
        "mynah data segment lectures/ --model outputs/model --to utterances",
        "mynah data segment calls/ --model facebook/wav2vec2-base-960h --to utterances",
    ),
    "No utterance was kept",
)
REFUSED[
    "mynah publish outputs/model anna/ctc-calls --license mit --results outputs/2026-11-28/10-15-00"
] = "This run has no results"
BENCHMARKS = {
    "benchmarks/gpu_day.py": "--toy --only machine",
    "benchmarks/gpu_day_wheels.py": "--list",  # the wheels are the package index's
    "benchmarks/gradient_splits.py": "--families 'ctc, FastConformer from scratch' --steps 2",
    "benchmarks/exact_resume.py": "--kills 1 --terms 1 --full-disks 1 --damaged 1",
    "benchmarks/kills.py": "--preparation 1 --training 1 --evaluation 1 --report 1",
    "benchmarks/checkpoint_cost.py": "--steps 4 --every 2 --repeats 1",
    "benchmarks/resume_time.py": "--rows 2000 --step 10 --repeats 1",
    "benchmarks/memory_flat.py": "--rows 200",
    "benchmarks/sharded_memory.py": "--width 32 --layers 1 --steps 2",
    "benchmarks/serve_load.py": "--requests 40 --clients 4",
    "benchmarks/search.py": "--seeds 1 --steps 4 --trials 4 --sentences 24",
}
PLUGINS = (REPOSITORY / "docs" / "plugins.md").read_text(encoding="utf-8")
PARTS = {
    "mini_librispeech": ("train-clean-5", "dev-clean-2"),
    "librispeech": ("train-clean-100", "dev-clean", "test-clean"),
}
GUIDE = {tuple(shlex.split(one.command.replace("\\\n", " "))) for one in TRAININGS.values()}


def write_transcripts(folder: Path) -> None:
    """The files of docs/comparing.md."""
    files = {
        "ref.txt": "one two\nthree\n",
        "hyp.txt": "one too\nthree\n",
        "a.txt": "one too\nthree\n",
        "b.txt": "one two\nfree\n",
        "terms.txt": "two\n",
        "ref.trn": "one two (ann-1)\n",
        "hyp.trn": "one too (ann-1)\n",
        "ref.stm": "call 1 ann 0 2 one two\n",
        "hyp.ctm": "call 1 0.1 0.5 one\ncall 1 1.0 0.5 too\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def typed(command: PageCommand) -> list[str]:
    """The command's words, a hatch script's own in its place."""
    if not command.text.startswith("hatch "):
        return command.words
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    script = project["tool"]["hatch"]["envs"]["default"]["scripts"][command.words[2]]
    typed_behind = shlex.join(command.words[3:])
    return shlex.split(script.replace("{root}/", "").replace("{args}", typed_behind))


def starts_from_an_adapter(command: PageCommand) -> bool:
    """Whether it, or what is typed before it, makes another model of one with LoRA."""
    before = AFTER.get(command.text, "")
    return "--to lora" in command.text or ("--to" in before and "outputs/model" in before)


def is_of_the_guide(command: PageCommand) -> bool:
    """Whether tests/cli/test_guide_trainings.py runs the same words."""
    return tuple(typed(command)) in GUIDE


def shortened(folder: Path, command: PageCommand, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is typed behind a training so that it ends within seconds."""
    monkeypatch.chdir(folder)
    sweeping = {"-m", "--multirun"} & set(command.arguments)
    kept = [one for one in command.arguments if not sweeping or "," not in one]
    kept = [one for one in kept if not one.startswith(("-m", "hydra."))]
    if command.page == "plugins.md":
        kept = []
    config = compose([one for one in kept if "=test_config" not in one]).config
    words = SHORT.split()
    if config.training.max_steps and config.resume_from_checkpoint:
        words = [one.replace("max_steps=2", "max_steps=4") for one in words]
    if config.data.dataset_name == "synthetic" and not config.data.path:
        words.append("data.synthesis.train_sentences=24")
    if config.model.pretrained or config.model.decoder_model_name:
        words.append("model.generation_max_length=16")
    if config.evaluation.guard == ["general"]:
        words.append("evaluation.guard=[]")
    if not (config.model.pretrained or config.model.encoder_model_name):
        words.append("model.encoder.layers=1")
    words.append("training.dataloader_num_workers=0")
    if "interval(" in command.text:
        words.append("sweep.trials=2")
    if "sweep.pruner=halving" in command.words:  # there is an evaluation before the end
        words.append("training.eval_steps=1")
    if config.data.streaming:
        words = [one for one in words if "max_train_samples" not in one]
    return words


def assert_done(folder: Path, command: PageCommand, output: str) -> None:
    """Assert that the command left what its page says."""
    if command.program in ("train", "eval", "legacy"):
        if {"-m", "--multirun"} & set(command.arguments):
            assert list(folder.glob("outputs/sweeps/*/sweep.csv"))
            return
        run = max(folder.glob("outputs/*/*/run.json"), key=lambda one: one.stat().st_mtime)
        assert json.loads(run.read_text())["status"] == "done"
        assert json.loads((run.parent / "evaluation" / "results.json").read_text())["evaluations"]
        if command.program == "train" and "eval_checkpoint" not in command.text:
            assert (folder / "outputs" / "model" / "mynah.json").is_file()
    if command.program == "sweep-data":
        assert list(folder.glob("outputs/sweeps/*/sweep.csv"))
    written = "--output" if command.program == "export" else "--to"
    if written in command.words:
        place = folder / command.words[command.words.index(written) + 1]
        assert place.is_file() or any(place.iterdir())
    assert output.strip() and "Traceback" not in output


# In the README's trainings that are long: the guide has the same (test_guide_trainings.py), or they
# name another corpus or model alone.
SEEN = {
    "data.dataset_name=calls/",
    "training.max_steps=180",
    "model=whisper_small",
    "training.learning_rate=1e-3",
    "model=small",
}


def _marked(command: PageCommand) -> object:
    slow = {"-m", "--multirun"} & set(command.arguments)
    slow |= SEEN & set(command.arguments)
    is_long = command.page != "README.md" or slow
    identity = f"{command.page}: {command.text}"[:110]
    return pytest.param(command, id=identity, marks=[pytest.mark.long] if is_long else [])


def is_of_a_cluster(command: PageCommand) -> bool:
    """Whether it makes a job, or looks at one: tests/cluster runs those on a real SLURM and Ray."""
    return command.program == "jobs" or bool({"launch=slurm", "launch=ray"} & set(command.words))


RUN = [
    one
    for one in commands()
    if one.text not in NOT_RUN
    and one.program not in WAITING
    and not is_of_the_guide(one)
    and not is_of_a_cluster(one)
]


@pytest.mark.parametrize("command", [_marked(one) for one in RUN if one.program != "data download"])
def test_a_command_of_a_page_runs(command, workplace, monkeypatch):
    outputs = "outputs/" in command.text or "resume_from" in command.text
    outputs = outputs or command.program == "runs"
    model = MODELS[command.program] if outputs or command.program in NEEDS_A_MODEL else None
    if command.text.startswith(DECODER):
        model = "speech LLM"
    elif "encoder_model_name=outputs" in command.text:
        model = "calls"
    elif starts_from_an_adapter(command):
        model = "adapted"
    long_recordings = command.page == "segmentation.md" or command.program == "data segment"
    renamed = {"calls": "lectures"} if long_recordings else {}
    if command.text in AFTER and renamed:
        renamed = {"calls": "subtitled"}
    folder = workplace.folder(model, **renamed)
    if command.program in ("compare", "score"):
        write_transcripts(folder)
    if command.page == "plugins.md":
        plugin_packages.install_page(folder / "site", PLUGINS)
    if command.text in AFTER:
        before = workplace.run(folder, shlex.split(AFTER[command.text]))
        assert before.returncode == 0, before.output
    behind = []
    if command.program in ("train", "legacy") and "eval_checkpoint" not in command.text:
        behind = shortened(folder, command, monkeypatch) if command.program == "train" else []
        if command.program == "legacy":
            behind = [*SHORT.split(), "model.encoder.layers=1", "data.synthesis.train_sentences=24"]
    elif command.program == "sweep-data":
        behind = [*SHORT.split(), "model.generation_max_length=16", "evaluation.guard=[]"]
        behind += ["hydra/launcher=mynah_process"]  # typed: stand-ins are too few for a forecast
    elif command.program == "publish":
        behind = ["--dry-run"]  # the hub is that of tests/cli/test_publish.py
    elif command.program in BENCHMARKS:
        behind = shlex.split(BENCHMARKS[command.program])
    stored = workplace.bucket() if "s3://" in command.text else {}
    if "mirror" in command.text and "resume_from_checkpoint" in command.text:
        first = [one for one in typed(command) if not one.startswith("resume_from_checkpoint")]
        before = workplace.run(workplace.folder(), [*first, *behind], **stored)
        assert before.returncode == 0, before.output
        behind = [one.replace("max_steps=2", "max_steps=4") for one in behind]
    ended = workplace.run(folder, [*typed(command), *behind], **stored)
    if command.text in REFUSED:
        assert ended.returncode == 2 and REFUSED[command.text] in ended.output
        return
    assert ended.returncode == 0, ended.output
    assert_done(folder, command, ended.output)


@pytest.mark.parametrize("command", [_marked(one) for one in RUN if one.program == "data download"])
def test_a_download_of_a_page_leaves_a_corpus(command, tmp_path, monkeypatch, capsys):
    from mynah.cli.main import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with serving() as server:
        mirror = []
        if "--to" in command.words:
            name = command.arguments[0]
            parts = {part: standin_archives.librispeech(part) for part in PARTS[name]}
            mirror = ["--mirror", standin_archives.publish(server, monkeypatch, name, parts)]
        assert main([*command.words[1:], *mirror]) == 0
    said = capsys.readouterr().out
    assert "librispeech" in said
    assert ("--list" in command.words) or "Next: mynah train" in said


def test_what_is_not_run_still_stands_on_a_page():
    assert set(NOT_RUN) <= {one.text for one in commands()}
    assert set(AFTER) <= {one.text for one in RUN} and len(NOT_RUN) < 12


def test_the_readme_shows_what_the_command_prints(workplace):
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    command, *shown = text.split("```\n$ ")[1].split("```")[0].splitlines()
    ended = workplace.run(workplace.folder(), command.split(), COLUMNS="80")
    printed = [line.strip() for line in ended.output.splitlines() if line.strip()]
    assert len(shown) > 4 and printed[: len(shown)] == [line.strip() for line in shown]
