"""What a run or a checkpoint recorded is data: nothing of it is resolved, executed or endless."""

from __future__ import annotations

import time

import pytest
import yaml

from mynah.config.effective import effective_yaml
from mynah.config.recorded import read_recorded
from mynah.config.schema import Config
from mynah.errors import UserError


def written(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "${oc.env:MYNAH_SECRET}",
        "${oc.env:MYNAH_SECRET,none}",
        "a ${oc.decode:${oc.env:MYNAH_SECRET}} b",
        "${training.seed}",
        "runs/a${x}/b",
        "\\${x}",
        "${",
    ],
)
def test_a_reference_in_it_stays_the_letters_that_it_is(text, tmp_path, monkeypatch):
    monkeypatch.setenv("MYNAH_SECRET", "hunter2")
    path = written(
        tmp_path, yaml.safe_dump({"data": {"dataset_name": text, "columns": {text: text}}})
    )
    read = read_recorded(path)
    assert read.data.dataset_name == text
    assert read.data.columns == {text: text}
    assert "hunter2" not in repr(read)


def test_a_reference_where_a_number_belongs_is_refused_and_names_no_value(tmp_path, monkeypatch):
    monkeypatch.setenv("MYNAH_SECRET", "31337")
    path = written(tmp_path, "training:\n  max_steps: ${oc.env:MYNAH_SECRET}\n")
    with pytest.raises(UserError) as caught:
        read_recorded(path)
    assert "31337" not in str(caught.value)


def test_what_was_written_is_read_again(tmp_path):
    config = Config()
    config.data.dataset_name = "corpora/a${b}"
    config.data.text_substitutions = {"Mr.": "mister"}
    assert read_recorded(written(tmp_path, effective_yaml(config))).data == config.data


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "stands for more than"),
        ("a: &a [*a]\n", "holds itself"),
        ("[" * 3000 + "]" * 3000, ""),
        ("- a\n- b\n", "holds no settings"),
        ("a: b: c\n", ""),
        ("!!python/object/apply:os.system ['touch executed']\n", ""),
        ("x" * (5 * 2**20), "MiB"),
        ("\x00", ""),
    ],
)
def test_a_file_that_is_not_a_record_is_refused_at_once(text, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    began = time.monotonic()
    with pytest.raises(UserError) as caught:
        read_recorded(written(tmp_path, text))
    assert said in str(caught.value)
    assert time.monotonic() - began < 20  # it used to take the machine's memory, not seconds
    assert not (tmp_path / "executed").exists()


def test_hydra_s_own_record_may_let_one_setting_stand_for_another(tmp_path, monkeypatch):
    monkeypatch.setenv("MYNAH_SECRET", "hunter2")
    path = written(
        tmp_path,
        "training:\n  eval_steps: 70\n  save_steps: ${.eval_steps}\n"
        "data:\n  dataset_name: ${oc.env:MYNAH_SECRET}\n",
    )
    read = read_recorded(path, composed=True)
    assert read.training.save_steps == 70
    assert read.data.dataset_name == "${oc.env:MYNAH_SECRET}"
