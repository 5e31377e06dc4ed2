"""Explaining, comparing, the reference, values as typed, exit statuses."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import yaml
from config_files import experiment

from mynah.cli import config as explaining
from mynah.cli.main import main
from mynah.cli.shared.exit_status import exit_status
from mynah.config.effective import effective_yaml, values
from mynah.config.hydra.compose import compose
from mynah.config.hydra.overrides import parse_overrides
from mynah.config.mistakes.command_line import plain_value
from mynah.config.mistakes.yaml_file import read_yaml
from mynah.config.reference import reference
from mynah.config.schema import Config
from mynah.config.settings import all_sections, all_settings, describe_type, find, nearest
from mynah.config.trainer_fields.disposition import UPSTREAM_DISPOSITION
from mynah.config.values import argument, typed
from mynah.errors import ConfigErrors, UserError

REPOSITORY = Path(__file__).parents[3]


def test_the_reference_in_docs_is_what_the_schema_says():
    written = (REPOSITORY / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert written == reference(), "stale: run `hatch run docs`"


def test_the_reference_names_every_setting():
    page = reference()
    for name in all_settings():
        assert f"`{name}`" in page
    for name in UPSTREAM_DISPOSITION:
        assert f"`training.{name}`" in page


def test_every_setting_of_mynahs_own_has_a_help_text():
    bare = [s.name for s in all_settings().values() if not s.metadata.get("help")]
    assert [name for name in bare if name.rpartition(".")[2] not in UPSTREAM_DISPOSITION] == []


def test_explain_prints_every_setting_with_the_layer_that_set_it(capsys):
    explaining.explain(["+experiments=test", "training.seed=5"])
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()[1:]}
    assert set(lines) == set(all_settings())
    assert lines["training.seed"].endswith("command line: training.seed=5")
    assert "experiments/test.yaml:" in lines["training.eval_steps"]
    assert "training/default.yaml:" in lines["training.warmup_steps"]
    assert lines["training.learning_rate"].endswith("follows from the model")
    assert lines["training.adam_beta1"].endswith("schema default")


def test_explain_only_keeps_one_section(capsys):
    explaining.explain([], only="model.encoder")
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]]
    assert names
    assert all(name.startswith("model.encoder.") for name in names)


def test_explain_only_of_an_unknown_name_names_the_nearest():
    with pytest.raises(UserError, match=r"Nearest: model\.encoder"):
        explaining.explain([], only="model.encodr")


def test_explain_answers_a_mistake_with_its_own_corrected_command():
    with pytest.raises(ConfigErrors) as caught:
        explaining.explain(["modle=large"])
    assert caught.value.command == "mynah config explain model=large"


def test_diff_of_two_experiments_shows_what_differs_and_nothing_else(capsys):
    explaining.diff("test", "production")
    rows = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()[1:]}
    first, second = (compose([f"+experiments={n}"]).config for n in ("test", "production"))
    before, after = values(first), values(second)
    assert set(rows) == {name for name in before if before[name] != after[name]}
    assert rows["model.use_lora"] == ["false", "true"]


def test_diff_takes_runs_and_files(tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    config = compose(["training.seed=5"]).config
    (run / "config.yaml").write_text(effective_yaml(config))
    other = tmp_path / "other.yaml"
    other.write_text(effective_yaml(compose(["training.seed=6"]).config))
    explaining.diff(str(run), str(other))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[1:]] == [["training.seed", "5", "6"]]


def test_diff_takes_an_experiments_file(tmp_path, capsys):
    path = experiment(tmp_path, "defaults:\n  - override /model: small\ntraining:\n  seed: 9\n")
    explaining.diff(str(path), str(path))
    assert capsys.readouterr().out == "No setting differs.\n"


@pytest.mark.parametrize(
    ("typed", "steps"),
    [
        (["training.eval_steps=null"], "100"),  # training/default.yaml's logging_steps
        (["training.eval_steps=50", "training.save_steps=null"], "50"),
        (["training.eval_steps=null", "training.logging_steps=20"], "20"),
    ],
)
def test_a_checkpoint_is_saved_for_every_measurement_where_steps_are_null(typed, steps, capsys):
    assert main(["config", "explain", *typed, "--only", "training.save_steps"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[:2] == ["training.save_steps", steps]


def test_diff_with_something_that_is_nowhere_names_the_experiments():
    with pytest.raises(UserError, match="Nearest: test"):
        explaining.diff("tset", "production")


def test_diff_with_a_folder_that_is_not_a_run_says_so(tmp_path):
    with pytest.raises(UserError, match="not a run's directory"):
        explaining.diff(str(tmp_path), str(tmp_path))


def test_the_effective_yaml_is_plain_yaml_in_the_schemas_order():
    content = yaml.safe_load(effective_yaml(Config()))
    assert list(content)[:3] == ["model", "data", "training"]
    assert content["training"]["seed"] == 42


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "with space",
        "a=b",
        'say "hi"',
        "it's",
        "back\\slash",
        "end\\",
        "[a]",
        "{b}",
        "",
        "null",
        "true",
        "3",
        "~/x",
        "a,b",
        "ü",
        "$HOME",
        "tab\there",
        'q\\"',
    ],
)
def test_any_text_survives_the_way_through_hydras_grammar(text):
    (override,) = parse_overrides([argument("model.prompt", text)])
    assert plain_value(override) == text


@pytest.mark.parametrize("text", ["/données/müller", "Größe & Maß", "a;b"])
def test_letters_beyond_ascii_need_no_quotes(text):
    found = compose([f"model.prompt={text}"])
    assert found.config.model.prompt == text
    assert found.origins["model.prompt"].detail == f"model.prompt={text}"


def test_values_are_shown_as_they_are_typed():
    shown = [typed(v) for v in (None, True, 250.0, 0.1, 3e-05, 1 / 3, ["a", 1.0], {"a": None})]
    assert shown == [
        "null",
        "true",
        "250",
        "0.1",
        "3e-05",
        "0.3333333333333333",
        "[a, 1]",
        "{a: null}",
    ]


def test_types_are_described_in_words():
    settings = all_settings()
    words = {name: describe_type(settings[name].type) for name in settings}
    assert words["training.max_steps"] == "a whole number or null"
    assert words["training.seed"] == "a whole number"
    assert words["data.max_audio_seconds"] == "a number or null"
    assert words["training.report_to"] == "a list of texts, as [a, b] or null"
    assert words["data.columns"] == "pairs, as {name: value}"


def test_a_name_inside_a_mapping_belongs_to_the_mapping():
    found = find("data.columns.text")
    assert found is not None
    assert found.name == "data.columns"
    assert find("data.path.text") is None
    assert "data.augmentation.spec_augment" in all_sections()


def test_the_nearest_name_prefers_the_same_leaf_elsewhere():
    assert nearest("training.lora_r")[0] == "model.lora_r"
    assert nearest("qqqqqq") == []


def test_lines_are_counted_from_one_and_comments_count(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("# one\n\nmodel:\n  # four\n  lora_r: 8\n")
    ((name, leaf),) = read_yaml(path).entries[0].leaves()
    assert (name, leaf.line, leaf.value) == ("model.lora_r", 5, 8)


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (UserError("no"), 2),
        (ConfigErrors([UserError("no")]), 2),
        (OSError(errno.ENOSPC, "full", "/big/file"), 2),
        (KeyboardInterrupt(), 130),
        (ValueError("bug"), 1),
        (OSError(errno.EIO, "broken"), 2),
        (RuntimeError("Caught OSError\nOSError: [Errno 24] Too many open files: 'x'"), 2),
        (RuntimeError("I/O error: read-only (os error 30)"), 2),
        (OSError(errno.EINVAL, "bug"), 1),
    ],
)
def test_each_end_has_its_exit_status(raised, status, capsys):
    def action():
        raise raised

    assert exit_status(action) == status
    assert ("Traceback" in capsys.readouterr().err) == (status == 1)


def test_a_full_disk_is_reported_with_the_file_and_how_to_continue(capsys):
    def action():
        raise OSError(errno.ENOSPC, "full", "/big/file")

    exit_status(action)
    message = capsys.readouterr().err
    assert "The disk is full" in message
    assert "/big/file" in message
    assert "resume_from_checkpoint=last" in message


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("EIO", "drive failed"),
        ("EROFS", "read-only"),
        ("EFBIG", "ulimit -f"),
        ("EMFILE", "ulimit -n"),
        ("ESTALE", "mount the drive again"),
        ("EDQUOT", "quota"),
    ],
)
def test_what_the_machine_does_is_one_message_with_a_way_out(number, said, capsys):
    def action():
        try:
            raise OSError(getattr(errno, number), "broken", b"/big/f\xefle")
        except OSError as problem:  # a library makes one of its own of it
            raise RuntimeError("writing failed") from problem

    assert exit_status(action) == 2
    message = capsys.readouterr().err
    assert said in message and message.count("error: ") == 1 and "Traceback" not in message
    assert len(message.splitlines()) <= 4


def test_an_interrupted_result_is_an_interrupt_and_a_number_is_a_status():
    class Result:
        interrupted = True

    assert exit_status(Result) == 130
    assert exit_status(lambda: 3) == 3
    assert exit_status(lambda: None) == 0


def test_a_message_is_printed_once_in_a_distributed_run(capsys, monkeypatch):
    def action():
        raise UserError("no")

    monkeypatch.setenv("RANK", "1")
    assert exit_status(action) == 2
    assert capsys.readouterr().err == ""
