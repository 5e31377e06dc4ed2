"""`mynah export`, from a checkpoint to another program that says the same."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil

import forked_commands
import page_corpora
import pytest
import soundfile
import standins
from workspaces import SHORT, assert_refused, clone, environment, run, run_directories

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A clone with a corpus, and a CTC model that was trained on it: its letters are random."""
    folder = clone(tmp_path_factory.mktemp("export"))
    page_corpora.lay_out(folder / "corpora")
    standins.write(folder / "weights", "wav2vec2_ctc_short")
    done = run(
        folder,
        "mynah train model.pretrained=weights data.dataset_name=corpora/recordings "
        f"model.language_model=none training.learning_rate=1e-9 {SHORT}",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_a_ctc_model_is_exported_with_both_proofs_and_a_card_whose_code_runs(folder):
    done = run(folder, "mynah export outputs/model --to onnx --output exported --utterances 4")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 of 4 transcripts are equal" in done.stdout
    proof = json.loads((folder / "exported" / "export.json").read_text())
    assert proof["same_features"] == {"equal": 4, "utterances": 4}
    assert [one["equal"] for one in proof["compared"]] == [4, 4]
    assert "onnxruntime" in proof["versions"]

    (directory,) = run_directories(folder)
    rows = (directory / "evaluation" / "utterances.jsonl").read_text().splitlines()
    measured = {row["id"]: row["hypothesis"] for row in map(json.loads, rows)}
    (code,) = re.findall(r"```python\n(.*?)```", (folder / "exported" / "README.md").read_text(),
                         re.DOTALL)  # fmt: skip
    (folder / "exported" / "opened.py").write_text(code)
    (name, expected), *_ = measured.items()
    (found,) = (folder / "corpora" / "recordings").rglob(name)
    audio, rate = soundfile.read(found)
    assert rate == 16000
    soundfile.write(folder / "exported" / "call.wav", audio, rate, subtype="FLOAT")
    opened = forked_commands.run(["python", "opened.py"], folder / "exported", environment())
    assert opened.returncode == 0, opened.stderr
    assert opened.stdout.strip().splitlines()[-1] == expected != ""


@pytest.mark.parametrize(
    "command",
    [
        "export PLACE --to onnx --output exported-of-it",
        pytest.param("serve PLACE", marks=pytest.mark.long),
        pytest.param("demo PLACE", marks=pytest.mark.long),
        pytest.param("transcribe corpora/recordings --model PLACE", marks=pytest.mark.long),
    ],
)
def test_a_model_in_a_folder_whose_name_is_not_utf_8_is_said_with_what_renames_it(folder, command):
    place = os.fsdecode(b"caf\xe9")
    if not (folder / place).exists():
        shutil.copytree(folder / "outputs" / "model", folder / place)
    done = run(folder, f"mynah {command.replace('PLACE', place)}")
    assert_refused(done, "is not UTF-8", "convmv -f latin1 -t utf8")
    assert "damaged" not in done.stderr and not (folder / "exported-of-it").exists()


@pytest.mark.parametrize("command", ["export outputs/model --to onnx --output", "average m --to"])
def test_a_folder_to_write_whose_name_is_not_utf_8_is_said_before_anything_is_read(folder, command):
    place = os.fsdecode(b"caf\xe8")
    done = run(folder, f"mynah {command} {place}")
    assert_refused(done, "is not UTF-8", "convmv -f latin1 -t utf8")
    assert not (folder / place).exists()


@pytest.mark.long
def test_a_ctc_model_says_the_same_in_sherpa_onnx(folder):
    pytest.importorskip("sherpa_onnx")
    command = "mynah export outputs/model --to sherpa-onnx --output sherpa --utterances 4"
    done = run(folder, command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 of 4 transcripts are equal" in done.stdout
    written = {path.name for path in (folder / "sherpa").iterdir()}
    assert written >= {"model.onnx", "tokens.txt", "README.md", "SHA256SUMS"}
    proof = json.loads((folder / "sherpa" / "export.json").read_text())
    assert [one["equal"] for one in proof["compared"]] == [4, 4]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("outputs/model --to onnx --output corpora", "nothing is overwritten"),
        ("outputs/model --to ctranslate2 --output there", "holds Whisper models"),
        ("outputs/model --to onnx --output there --dtype int8", "stores float32, not int8"),
        ("nowhere --to onnx --output there", "where: mynah export nowhere"),
        (
            "outputs/model/mynah.json --to onnx --output there",
            "mynah export outputs/model --to onnx --output there",
        ),
        (
            "outputs/model --to onnx --output there data.datset_name=x",
            "mynah export outputs/model --to onnx --output there data.dataset_name=x",
        ),
    ],
)
def test_mistakes_are_named_and_nothing_is_written(folder, arguments, said):
    assert_refused(run(folder, f"mynah export {arguments}"), said)
    assert not (folder / "there").exists()


def test_an_unknown_layout_names_those_that_there_are(folder):
    done = run(folder, "mynah export outputs/model --to tflite --output there")
    assert done.returncode == 2
    assert "ctranslate2" in done.stderr


def test_a_full_disk_is_named_and_leaves_nothing(folder, tmp_path, monkeypatch, capsys):
    """What the disk says while the graph is written."""
    from mynah.cli.main import main
    from mynah.export.onnx import Onnx

    def full(self, family, place, dtype):
        (place / "model.onnx").write_bytes(b"0" * 1000)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Onnx, "write", full)
    monkeypatch.chdir(folder)
    output = tmp_path / "exported"
    command = ["export", "outputs/model", "--to", "onnx", "--output", str(output)]
    assert main([*command, "--utterances", "2"]) == 2
    said = capsys.readouterr().err
    assert "The disk is full" in said and "type the command again" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_a_program_that_is_worse_is_shown_and_refused_but_for_who_accepts_it(
    folder, tmp_path, monkeypatch, capsys
):
    """A program that writes two words more than were said, none of them right."""
    from mynah.cli.main import main
    from mynah.export.onnx import Onnx
    from mynah.export.target import Said

    def rambling(self, program, family, place, samples, *, way, dtype):
        words = [len(sample.reference.split()) + 2 for sample in samples]
        return Said([" ".join(["never"] * count) for count in words], 1.0)

    monkeypatch.setattr(Onnx, "run", rambling)
    monkeypatch.chdir(folder)
    output = tmp_path / "exported"
    command = ["export", "outputs/model", "--to", "onnx", "--output", str(output)]
    assert main([*command, "--utterances", "4"]) == 2
    said = capsys.readouterr()
    assert "onnxruntime" in said.out and "0/4" in said.out.replace(" ", "")
    assert "onnxruntime is worse by" in said.err and not output.exists()
    accepted = said.err.partition("--tolerance ")[2].split()[0]
    assert main([*command, "--utterances", "4", "--tolerance", accepted]) == 0
    proof = json.loads((output / "export.json").read_text())
    assert [one["equal"] for one in proof["compared"]] == [4, 0]
