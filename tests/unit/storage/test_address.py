"""Addresses of storage: what is one, and that no secret in one is kept or printed."""

from __future__ import annotations

import os

import pytest

from mynah.cli.main import main
from mynah.cli.shared.command_line import CommandLine
from mynah.config.checks.check import check
from mynah.config.schema import Config
from mynah.errors import ConfigErrors
from mynah.storage.address import is_address, join, masked, mistake_in, name_of

SECRET = "5ecret"


@pytest.mark.parametrize("text", ["s3://b/x", "https://host/x.tar", "hf://datasets/a/b", "GS://b"])
def test_a_scheme_makes_an_address(text):
    assert is_address(text)


@pytest.mark.parametrize("text", ["outputs/model", "org/model", "C:/x", "a b://c", None, 3, ""])
def test_a_path_or_a_name_of_the_hub_is_not_one(text):
    assert not is_address(text)


@pytest.mark.parametrize(
    "address",
    [
        f"s3://user:{SECRET}@bucket/x",
        f"https://{SECRET}@host/x",
        f"https://host/x.tar?X-Amz-Signature={SECRET}&X-Amz-Credential={SECRET}",
        f"https://host/x?sig={SECRET}",
        f"https://host/x?access_token={SECRET}",
    ],
)
def test_an_address_with_a_secret_is_refused_without_repeating_it(address):
    assert mistake_in(address) is not None
    assert SECRET not in mistake_in(address) + masked(address)


@pytest.mark.parametrize("address", ["s3://", "ftp://host/x", "s3://bucket/../other", "s3://b/./x"])
def test_an_address_that_cannot_be_used_is_refused(address):
    assert mistake_in(address) is not None


@pytest.mark.parametrize(
    "address", ["s3://bucket", "s3://b/a b/ü", "https://host/x.tar?download=1"]
)
def test_others_are_taken(address):
    assert mistake_in(address) is None


def test_an_address_has_names_below_it_and_one_of_its_own():
    assert join("s3://b/x/", "model", "checkpoint-1") == "s3://b/x/model/checkpoint-1"
    assert name_of("s3://b/x/checkpoint-1/") == "checkpoint-1"


@pytest.mark.parametrize(
    ("section", "name", "address", "what"),
    [
        ("training", "mirror", f"s3://me:{SECRET}@b/x", "password"),
        ("training", "mirror", "https://host/x", "Only s3:// and gs:// can be written to"),
        ("training", "mirror", "a/folder", "training.mirror is a folder of a bucket"),
        ("training", "output_dir", "s3://b/x", "training.output_dir is a folder of this machine"),
        (None, "eval_checkpoint", f"s3://me:{SECRET}@b/x", "password"),
    ],
)
def test_a_setting_takes_no_address_that_it_cannot_use(section, name, address, what):
    config = Config()
    setattr(getattr(config, section) if section else config, name, address)

    with pytest.raises(ConfigErrors) as found:
        check(config)

    assert what in str(found.value) and SECRET not in str(found.value)


def test_offline_takes_no_address():
    config = Config(offline=True)
    config.training.mirror = "s3://bucket/x"

    with pytest.raises(ConfigErrors, match="offline=true uses no network"):
        check(config)


def command(*arguments: str) -> ConfigErrors:
    with pytest.raises(ConfigErrors) as caught:
        CommandLine(arguments, "mynah train").run(lambda: pytest.fail("it was run"))
    return caught.value


def test_offline_is_turned_off_by_the_corrected_command_and_the_address_stays():
    assert (
        command("eval_checkpoint=s3://b/x", "offline=true").command
        == "mynah train eval_checkpoint=s3://b/x offline=false"
    )


@pytest.mark.parametrize(
    ("typed", "fix"),
    [
        ("model.context_file=s3://b/words.txt", "model.context_file=words.txt"),
        ("evaluation.terms=s3://b/terms.txt", "aws s3 cp s3://b/terms.txt terms.txt"),
        ("data.audio_folders=[gs://b/x]", "gcloud storage cp -r gs://b/x ."),
        ("training.mirror=a/folder", "training.mirror=s3://BUCKET/FOLDER"),
        ("eval_checkpoint=s3://X_Y!/y", "X_Y! is not the name of a bucket"),
        ("training.mirror=gs://a b/y", "not the name of a bucket"),
    ],
)
def test_an_address_where_none_can_be_is_refused_once_with_what_to_do(typed, fix):
    problem = command("model=small", typed)
    assert len(problem.errors) == 1
    assert fix in str(problem) and "fix:" in str(problem)
    assert problem.command is None


@pytest.mark.parametrize(
    ("arguments", "fix"),
    [
        (["train", "hydra.run.dir=s3://b/x"], "training.mirror=s3://b/x in its place"),
        (["train", "-m", "hydra.sweep.dir=gs://b/x", "model.lora_r=1,2"], "mirror=gs://b/x"),
        (["average", "a", "b", "--to", "s3://b/mean"], "--to mean, and copy it there"),
        (["export", "a", "--to", "onnx", "--output=gs://b/x"], "--output x, and copy"),
        (["data", "pack", "calls", "--to", "hf://b/x"], "--to x, and copy"),
    ],
)
def test_what_is_written_is_written_to_this_machine(arguments, fix, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert fix in capsys.readouterr().err
    assert not list(tmp_path.iterdir())  # no folder called s3:


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "hydra.run.dir=file/x"],
        ["train", "training.output_dir=file/x/y"],
        ["train", "data.dataset_cache_dir=file"],
        ["train", "-m", "hydra.sweep.dir=file/x", "model.lora_r=1,2"],
        ["average", "a", "b", "--to", "file/x"],
        ["lm", "a.txt", "--to=file/x.arpa"],
    ],
)
def test_what_is_written_is_not_written_below_a_file(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert main(arguments) == 2
    assert "file is a file, and nothing can lie in it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "fix"),
    [
        (["transcribe", "s3://b/call.wav"], "aws s3 cp s3://b/call.wav call.wav"),
        (["transcribe", "a.wav", "gs://b/calls"], "gcloud storage cp -r gs://b/calls ."),
        (["lm", "https://b/text.txt", "--to", "x.arpa"], "copy it here and name text.txt"),
        (["data", "segment", "s3://b/calls", "--to", "x"], "aws s3 cp --recursive s3://b/calls"),
    ],
)
def test_what_is_read_here_alone_is_not_an_address(arguments, fix, capsys):
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "lies on this machine, and this is an address" in said and fix in said


def test_a_folder_that_is_read_only_is_named_before_anything_is_done(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    assert main(["average", "a", "b", "--to", str(tmp_path / "c" / "d")]) == 2
    assert f"{tmp_path} cannot be written to" in capsys.readouterr().err
