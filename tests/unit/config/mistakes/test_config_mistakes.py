"""Each mistake gets what is wrong, where, the nearest valid name, and a command to paste."""

from __future__ import annotations

import shlex

import pytest
from config_files import GUIDE_EXPERIMENT, experiment, messages, write

from mynah.cli.shared.command_line import CommandLine
from mynah.config.hydra.compose import compose
from mynah.config.hydra.config_files import ConfigFiles
from mynah.config.hydra.overrides import parse_overrides
from mynah.config.hydra.search_path import config_directories
from mynah.config.mistakes.command_line import Examination
from mynah.config.settings import value_of
from mynah.errors import ConfigError, ConfigErrors, UserError


def answer(*arguments: str) -> ConfigErrors:
    """What a command line is answered with that has a mistake."""

    def never() -> None:
        raise AssertionError("a command with a mistake was run")

    with pytest.raises(UserError) as caught:
        CommandLine(arguments, "mynah train").run(never)
    assert isinstance(caught.value, ConfigErrors)
    return caught.value


def mistakes_of(arguments: list[str]) -> list[ConfigError]:
    examination = Examination(ConfigFiles(config_directories()))
    examination.examine(parse_overrides(arguments))
    return examination.errors


FIXED = [
    # as typed, the corrected arguments, a part of the message
    (
        "training.lerning_rate=3e-4",
        "training.learning_rate=3e-4",
        "Nearest: training.learning_rate",
    ),
    ("learning_rate=3e-4", "training.learning_rate=3e-4", "no setting learning_rate"),
    ("training.lora_r=8", "model.lora_r=8", "Nearest: model.lora_r"),
    ("trainin.seed=3", "training.seed=3", "Nearest: training.seed"),
    ("data.augmentaton.gain_db=3", "data.augmentation.gain_db=3", "augmentation.gain_db"),
    ("++training.lerning_rate=1e-3", "training.learning_rate=1e-3", "lerning_rate"),
    ("+training.lerning_rate=1e-3", "training.learning_rate=1e-3", "lerning_rate"),
    ("modle=large", "model=large", "Nearest: model"),
    ("model=larg", "model=large", "There are: canary, default, "),
    ("training=prod", "training=production", "There is no training prod"),
    ("+experiments=tset", "+experiments=test", "There is no experiment tset"),
    ("+expriments=test", "+experiments=test", "Nearest: experiments"),
    ("experiments=test", "+experiments=test", "one + before it"),
    ("++experiments=test", "+experiments=test", "one + before it"),
    ("+model=large", "model=large", "chosen already"),
    ("++model=large", "model=large", "model"),
    ("test", "+experiments=test", "there is an experiment of that name"),
    ("training.max_steps=abc", "", 'takes a whole number or null, not "abc"'),
    ("-m training.max_steps=abc", "", 'takes a whole number or null, not "abc"'),
    ("-m training.max_steps=abc training.seed=1,2", "-m training.seed=1,2", 'not "abc"'),
    ("-m training.max_steps=abc +experiments=an4,test", "-m +experiments=an4,test", 'not "abc"'),
    ("training.max_steps=1e3", "training.max_steps=1000", "a whole number or null, not 1000.0"),
    ("training.max_steps=2.5", "", "takes a whole number or null, not 2.5"),
    ("training.max_steps=true", "", "takes a whole number or null, not true"),
    ("data.on_impossible=qqq", "", "takes one of"),
    ("data.on_impossible=dorp", "data.on_impossible=drop", "takes one of"),
    ("training.learning_rate=nan", "", "not a number"),
    ("training.bf16=5x", "", "takes true or false"),
    ("training.learning_rate=5", "training.learning_rate=1", "from 0 to 1, not 5"),
    ("training.learning_rate=-1", "training.learning_rate=0", "from 0 to 1, not -1"),
    ("model.lora_r=0", "model.lora_r=1", "at least 1, not 0"),
    ("data.sample_rate=9", "data.sample_rate=4000", "from 4000 to 192000 hertz"),
    ("model.tokenizer=bpee", "model.tokenizer=bpe", "one of bpe, character"),
    ("training.eval_strategy=step", "training.eval_strategy=steps", "one of no, steps, epoch"),
    ("~training.max_steps", "training.max_steps=-1", "cannot be removed, only set"),
    ("training.warmup_ratio=0.1", "training.warmup_steps=0.1", "a share of the steps"),
    ("training.evaluation_strategy=steps", "training.eval_strategy=steps", "eval_strategy now"),
    ("training.no_cuda=true", "training.use_cpu=true", "use_cpu now"),
    ("training.group_by_length=true", "", "always grouped by length"),
    ("training.overwrite_output_dir=true", "", "nothing is ever overwritten"),
    ("training.logging_dir=x", "", "logs are in the run's directory"),
    ("training.save_safetensors=true", "", "always saved as safetensors"),
    ("training.use_mps_device=true", "", "Metal"),
    ("training.half_precision_backend=auto", "", "autocast"),
    ("training.deepspeed=zero.json", "", "training.fsdp=true shards"),
    ("training.fsdp=full_shard", "training.fsdp=true", "takes true or false or null"),
    ("training.fsdp=None", "", "takes true or false or null"),
    ("training.fsdp=no_shard", "", "takes true or false or null"),
    ("training.auto_find_batch_size=true", "", "training.batch_seconds"),
    ("training.label_smoothing_factor=0.1", "", "smoothing"),
    ("training.resume_from_checkpoint=last", "resume_from_checkpoint=last", "setting of the root"),
    ("training.max_steps=1,2", "-m training.max_steps=1,2", "a sweep"),
    ("training.max_steps=4,x", "training.max_steps=4", 'or null, not "x"'),
    ("training.max_steps=4,x,8", "-m training.max_steps=4,8", 'or null, not "x"'),
    ("-m training.max_steps=4,x", "-m training.max_steps=4", 'or null, not "x"'),
    ("-m model.lora_r=x,0,8", "-m model.lora_r=1,8", 'a whole number, not "x"'),
    ("data.train_splits=a,b", "'data.train_splits=[a,b]'", "brackets"),
    ("--learning_rate 3e-4", "training.learning_rate=3e-4", "settings are written key=value"),
    ("--learning-rate=3e-4", "training.learning_rate=3e-4", "settings are written key=value"),
    ("--training.seed 7", "training.seed=7", "--training.seed is not a flag"),
    ("--model large", "model=large", "--model is not a flag"),
    ("--experiment test", "+experiments=test", "--experiment is not a flag"),
    ("--bf16", "training.bf16=true", "--bf16 is not a flag"),
    ("training.seed=1,2 --cfg job", "training.seed=1 --cfg job", "--cfg shows one configuration"),
    ("+experiments=an4,test --cfg job", "+experiments=an4 --cfg job", "--cfg shows one"),
    ("--cfg job -m training.seed=1,2", "--cfg job training.seed=1", "do not go together"),
    ("--resolve", "--cfg job --resolve", "goes with --cfg"),
]


@pytest.mark.parametrize(("typed", "fixed", "part"), FIXED, ids=[case[0] for case in FIXED])
def test_a_mistake_is_answered_with_a_command_that_works(typed, fixed, part):
    problem = answer(*shlex.split(typed))
    assert part in str(problem)
    assert problem.command == f"mynah train {fixed}".rstrip()
    assert len(str(problem).splitlines()) <= 4
    arguments = [a for a in shlex.split(fixed) if a not in ("-m", "--cfg", "job", "--resolve")]
    if not fixed.startswith("-m"):
        assert mistakes_of(arguments) == []


def test_a_tilde_is_quoted_that_a_shell_would_take_for_a_home():
    problem = answer("~launch", "model=larg")
    assert problem.command == "mynah train '~launch' model=large"


def test_what_is_right_on_the_command_line_stays_in_the_corrected_command():
    problem = answer("model=small", "trainin.seed=3", "-m", "training.learning_rate=1e-4,1e-3")
    assert problem.command == (
        "mynah train model=small training.seed=3 -m training.learning_rate=1e-4,1e-3"
    )


def test_all_mistakes_of_command_line_and_files_are_reported_at_once(tmp_path):
    experiment(tmp_path, "training:\n  max_stps: 3\nmodel:\n  vocab_size: many\n")
    problem = answer(
        "--config-dir", str(tmp_path), "+experiments=mine", "data.pth=x", "training.seed=a"
    )
    text = str(problem)
    assert text.startswith("4 mistakes")
    for part in ("data.pth", 'not "a"', "max_stps", "vocab_size"):
        assert part in text
    assert "mine.yaml:3" in text
    assert "mine.yaml:5" in text


def test_no_command_is_proposed_that_would_still_be_wrong():
    assert answer("training.seed=a", "training.zzz=1").command is None


@pytest.mark.parametrize("typed", ["training.max_steps=x,y", "-m training.max_steps=x,y"])
def test_where_no_value_can_be_tried_no_command_is_given(typed):
    problem = answer(*typed.split())
    assert problem.command is None
    assert str(problem) == (
        'training.max_steps takes a whole number or null, not "x".\n'
        "  where: command line: training.max_steps=x,y"
    )


def test_every_value_of_a_sweep_is_checked_before_any_job_runs():
    problem = answer("-m", "training.learning_rate=1e-4,7", "model=small,huge")
    assert "There is no model huge" in str(problem) or "not 7" in str(problem)


FILES = [
    # content, parts of the message; the header is written before each
    ("training:\n  lerning_rate: 3e-4\n", ["lerning_rate. Nearest: training.learning_rate", ":3"]),
    ("learning_rate: 3e-4\n", ["training.learning_rate", "below `training:`", ":2"]),
    ("training.learning_rate: 3e-4\n", ["must be nested", "learning_rate: 0.0003", ":2"]),
    (
        "training:\n  max_steps: abc\n",
        [
            'whole number or null, not "abc"',
            "fix:   leave max_steps out, or write a whole number or null",
            ":3",
        ],
    ),
    ("training:\n  bf16: some\n", ["fix:   leave bf16 out, or write true or false", ":3"]),
    ("training:\n  max_steps: 1e3\n", ["fix:   write  max_steps: 1000", ":3"]),
    ("training:\n  eval_strategy: step\n", ["fix:   write  eval_strategy: steps", ":3"]),
    ("data:\n  mixture: {a: {weight: many}}\n", ["a number", "fix:   correct mixture", ":3"]),
    ("training:\n  learning_rate: 7\n", ["from 0 to 1, not 7", "write  learning_rate: 1", ":3"]),
    ("training:\n  warmup_ratio: 0.1\n", ["is gone", "write  warmup_steps: 0.1", ":3"]),
    ("training:\n  group_by_length: true\n", ["is gone", "remove it", ":3"]),
    ("training:\n  deepspeed: a.json\n", ["cannot be honoured", "leave deepspeed out", ":3"]),
    ("training:\n", ["has nothing below it", ":2"]),
    ("training: 3\n", ["is a group of settings, not 3", ":2"]),
    ("model: large\n", ["override /model: large", ":2"]),
    ("defaults:\n  - override model: large\n", ["write  - override /model: large", ":3"]),
    ("defaults:\n  - model: large\n", ["write  - override /model: large", ":3"]),
    ("defaults:\n  - /model: large\n", ["write  - override /model: large", ":3"]),
    ("defaults:\n  - override /model: larg\n", ["no model larg. Nearest: large", ":3"]),
    ("defaults:\n  - override /modle: large\n", ["no group modle; nearest: model", ":3"]),
    ("defaults:\n  - tset\n", ["no experiment tset. Nearest: test", ":3"]),
    ("seed: 1\ntraining:\n  seed: 1\n  seed: 2\n", ["`training.seed` is written twice", ":5"]),
    ("training:\n  seed: 1\ntraining:\n  max_steps: 2\n", ["`training` is written twice", ":4"]),
    ("training:\n\tseed: 1\n", ["not valid YAML", "no tabs", ":3"]),
    ("training:\n  seed: 1\n max_steps: 2\n", ["not valid YAML", "indentation", ":4"]),
    ("model:\n  prompt: Say: this\n", ["not valid YAML", "quote a text that holds `: `", ":3"]),
    ("model:\n  lora_target_modules: [a, b\n", ["not valid YAML", "brackets"]),
    ("just words\n", ["no `key: value` lines", ":2"]),
]


@pytest.mark.parametrize(("content", "parts"), FILES, ids=[repr(case[0]) for case in FILES])
def test_a_mistake_in_a_file_is_reported_with_its_line(tmp_path, content, parts):
    path = experiment(tmp_path, content)
    found = "\n".join(messages(tmp_path, "+experiments=mine"))
    for part in parts:
        assert (f"{path.name}{part}" if part.startswith(":") else part) in found


def test_an_experiment_without_its_package_line_is_asked_to_add_it(tmp_path):
    experiment(tmp_path, "training:\n  seed: 1\n", header=False)
    (message,) = messages(tmp_path, "+experiments=mine")
    assert "lacks `# @package _global_`" in message
    assert "mine.yaml:1" in message


def test_a_group_file_that_repeats_its_group_is_reported(tmp_path):
    write(tmp_path, "model/mine", "model:\n  lora_r: 8\n")
    (message,) = messages(tmp_path, "model=mine")
    assert "one level too many" in message
    assert "mine.yaml:1" in message


def test_a_mistake_in_an_experiments_base_is_found_in_the_base(tmp_path):
    experiment(tmp_path, "training:\n  sed: 5\n", name="base")
    experiment(tmp_path, "defaults:\n  - base\n  - _self_\n", name="derived")
    (message,) = messages(tmp_path, "+experiments=derived")
    assert "base.yaml:3" in message


def test_the_guides_experiment_with_a_typo_names_the_line(tmp_path):
    text = GUIDE_EXPERIMENT.replace("learning_rate", "learning_rte")
    write(tmp_path, "experiments/mine", text)
    (message,) = messages(tmp_path, "+experiments=mine")
    assert "learning_rte" in message
    assert "mine.yaml:12" in message


def test_an_unreadable_file_is_reported(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_bytes(b"prompt: \xff\xfe\n")
    (message,) = messages(tmp_path, "model=mine")
    assert "UTF-8" in message


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("prompt: ü 😀\nlanguage: a\x07b\n".encode(), ["U+0007", "mine.yaml:2", "remove"]),
        ("prompt: Say\n".encode("utf-16-le"), ["U+0000", "mine.yaml:1", "UTF-8"]),
        ("prompt: \ufffe\n".encode(), ["U+FFFE", "mine.yaml:1"]),
    ],
)
def test_a_character_that_yaml_does_not_allow_is_named_with_its_line(tmp_path, content, parts):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_bytes(content)
    (message,) = messages(tmp_path, "model=mine")
    assert all(part in message for part in ["not valid YAML", *parts])


def test_a_missing_config_dir_is_answered_with_the_nearest(tmp_path):
    (tmp_path / "configs").mkdir()
    problem = answer("--config-dir", str(tmp_path / "config"))
    assert "There is no directory" in str(problem)
    assert problem.command == f"mynah train --config-dir {tmp_path / 'configs'}"


def test_a_reference_that_leads_nowhere_is_reported_with_its_place(tmp_path):
    experiment(tmp_path, "training:\n  max_steps: ${data.nothing}\n")
    (message,) = messages(tmp_path, "+experiments=mine")
    assert "training.max_steps" in message
    assert "mine.yaml:3" in message


def test_a_mistake_in_hydras_own_settings_is_reported_without_its_noise():
    problem = answer("hydra.foo=1")
    assert "hydra.foo" in str(problem)
    assert "full_key" not in str(problem)


def test_a_value_that_hydra_cannot_read_is_quoted_for_the_user():
    problem = answer("model.prompt=don't say (this")
    assert problem.command is not None
    arguments = shlex.split(problem.command)[2:]
    assert mistakes_of(arguments) == []


@pytest.mark.parametrize(
    ("typed", "right", "meant"),
    [
        (
            "model.new_tokens=[<laughter>,<noise>]",
            'model.new_tokens=["<laughter>","<noise>"]',
            ["<laughter>", "<noise>"],
        ),
        (
            "data.train_splits=[train.100[:500],train.360]",
            'data.train_splits=["train.100[:500]","train.360"]',
            ["train.100[:500]", "train.360"],
        ),
        (
            "data.eval_splits=[prüfung, entwicklung]",
            'data.eval_splits=["prüfung","entwicklung"]',
            ["prüfung", "entwicklung"],
        ),
        (
            "data.eval_splits=prüfung,entwicklung",
            'data.eval_splits=["prüfung","entwicklung"]',
            ["prüfung", "entwicklung"],
        ),
        ("data.eval_splits=prüfung", 'data.eval_splits="prüfung"', ["prüfung"]),
        (
            """data.no_speech_texts=[<a>, 'b, c', (d,e),don't,"f\\",g"]""",
            """data.no_speech_texts=["<a>",'b, c',"(d,e)","don't","f\\",g"]""",
            ["<a>", "b, c", "(d,e)", "don't", 'f",g'],
        ),
        ("data.annotations=[:-(,<b>]", 'data.annotations=[":-(","<b>"]', [":-(", "<b>"]),
        (
            """data.annotations=[<a>,"b]""",
            """data.annotations=["<a>","\\"b"]""",
            ["<a>", '"b'],
        ),
    ],
)
def test_each_item_of_a_list_that_hydra_cannot_read_is_quoted(typed, right, meant):
    model = "model=whisper_smollm2_135m"
    problem = answer(model, typed)
    assert problem.command is not None
    arguments = shlex.split(problem.command)[2:]
    assert arguments == [model, right]
    assert value_of(compose(arguments).config, right.partition("=")[0]) == meant


def test_each_value_of_a_sweep_over_lists_that_hydra_cannot_read_is_quoted():
    right = 'data.eval_splits=["prüfung"],["entwicklung"]'
    problem = answer("-m", "data.eval_splits=prüfung,entwicklung")
    assert problem.command is not None
    assert shlex.split(problem.command)[2:] == ["-m", right]
