"""Models that cannot be meant: what their tests share."""

from __future__ import annotations

import dataclasses
import shlex
import shutil
from pathlib import Path

import huggingface_hub.constants as hub_constants
import pytest
import standins
import yaml

import mynah.run
from mynah.cli.shared.exit_status import exit_status
from mynah.config.hydra.compose import compose
from mynah.models.pretrained import hub


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder for each kind of stand-in, not to be written to."""
    root = tmp_path_factory.mktemp("models")

    def folder(kind):
        directory = root / kind
        return directory if directory.exists() else standins.write(directory, kind)

    return folder


@pytest.fixture
def mine(models, tmp_path):
    """A copy of a stand-in that a test may spoil."""
    return lambda kind: shutil.copytree(models(kind), tmp_path / "models" / kind)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Where the command is typed: an empty cache, an empty hub cache, no network."""
    (tmp_path / "clone").mkdir()
    monkeypatch.chdir(tmp_path / "clone")
    monkeypatch.setenv("MYNAH_CACHE", str(tmp_path / "prepared"))
    monkeypatch.setattr(hub_constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(hub_constants, "HF_HUB_OFFLINE", True)
    hub._hub_answers.cache_clear()
    yield tmp_path
    hub._hub_answers.cache_clear()


@pytest.fixture(scope="module")
def settings():
    """What is composed of a model from scratch, and the layer that set each."""
    composed = compose(["model=fastconformer", "data=general"])
    return composed.config, composed.origins


@pytest.fixture
def refused(place, settings, capsys):
    """Run what a command line means, and get the message that it ends with."""

    def typed(words, *said):
        config, origins = settings
        for word in shlex.split(words):
            name, _, value = word.partition("=")
            config = changed(config, name.split("."), yaml.safe_load(value))
        directory = place / "run"
        directory.mkdir(exist_ok=True)
        return ended(
            exit_status(
                lambda: mynah.run.run(
                    config, origins=origins, run_directory=directory, working_directory=Path.cwd()
                )
            ),
            *said,
        )

    def ended(status, *said):
        done = capsys.readouterr()
        assert status == 2, done.out + done.err
        assert "Traceback" not in done.out + done.err
        message = done.err[done.err.index("error: ") :]
        assert len(message.splitlines()) <= 4, message
        assert "fix:" in message
        for part in said:
            assert part in message, message
        assert not (place / "prepared").exists()
        assert not (place / "run" / "data.json").exists()
        return message

    return typed


def changed(section, names, value):
    first, *rest = names
    value = changed(getattr(section, first), rest, value) if rest else value
    return dataclasses.replace(section, **{first: value})
