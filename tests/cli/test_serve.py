"""``mynah serve``: a process that answers until a signal ends it."""

from __future__ import annotations

import re
import signal
import socket
from contextlib import contextmanager

import forked_commands
import openai
import pytest
from page_commands import REPOSITORY
from standin_corpora import tone
from workspaces import environment

from mynah.cli.main import main

RATE = 16000


@contextmanager
def started(folder, *arguments):
    """A server as a process, and the address that it prints."""
    variables = environment(HF_HUB_OFFLINE="1", PYTHONUNBUFFERED="1")
    command = ["mynah", "serve", *map(str, arguments)]
    process = forked_commands.start(command, folder, variables, together=True)
    try:
        printed = ""
        for line in process.stdout:
            printed += line
            if found := re.search(r"Address: (http://\S+)/v1", line):
                yield process, found[1]
                break
        else:
            pytest.fail(printed)
    finally:
        process.kill()
        process.communicate()


def test_the_page_s_program_works_and_a_signal_ends_the_server(
    checkpoints, tmp_path, monkeypatch, capsys
):
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(tmp_path / "call.wav", tone("abc cab", 2.0, 1), RATE)
    page = (REPOSITORY / "docs" / "serve.md").read_text(encoding="utf-8")
    program = re.search(r"```python\n(.*?)```", page, re.DOTALL)[1]
    name = checkpoints("hubert_ctc").name
    monkeypatch.chdir(tmp_path)
    with started(tmp_path, checkpoints("hubert_ctc"), "--port", "0") as (process, address):
        program = program.replace("http://127.0.0.1:8000", address).replace('"model"', repr(name))
        exec(compile(program, "serve.md", "exec"), {"__name__": "__main__"})
        assert capsys.readouterr().out.strip()
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "Interrupted by SIGTERM" in rest and "Traceback" not in rest


def test_a_token_is_read_from_its_file_and_no_name_shows_a_path(checkpoints, tmp_path):
    (tmp_path / "token.txt").write_text("a-token-of-this-test\n")
    model = checkpoints("hubert_ctc")
    with started(tmp_path, model, "--port", "0", "--token-file", "token.txt", "--queue", "7") as (
        _,
        address,
    ):
        client = openai.OpenAI(base_url=f"{address}/v1", api_key="a-token-of-this-test")
        assert [one.id for one in client.models.list()] == [model.name]
        other = openai.OpenAI(base_url=f"{address}/v1", api_key="wrong", max_retries=0)
        with pytest.raises(openai.AuthenticationError):
            other.models.list()


@pytest.fixture
def refused(capsys):
    def run(*arguments):
        try:
            status = main(["serve", *map(str, arguments)])
        except SystemExit as leaving:
            status = leaving.code
        err = capsys.readouterr().err
        assert status == 2 and "Traceback" not in err
        return err

    return run


def test_what_cannot_be_served_is_said_before_a_model_is_loaded(refused, tmp_path, checkpoints):
    model = checkpoints("hubert_ctc")
    assert "--open" in refused(model, "--host", "0.0.0.0")
    assert "token cannot be read" in refused(model, "--token-file", tmp_path / "none")
    (tmp_path / "short").write_text("secret")
    assert "at least 16" in refused(model, "--token-file", tmp_path / "short")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"Port {port} is taken" in refused(model, "--port", port)
    assert "no address" in refused(model, "--host", "nowhere.invalid", "--open")
    assert "does not have the address" in refused(model, "--host", "192.0.2.1", "--open")
    assert "number above 0" in refused(model, "--timeout", "-1")
    assert "There is no" in refused(tmp_path / "nowhere", "--port", "0")


def test_packages_that_are_missing_are_named_with_their_extra(refused, monkeypatch):
    from importlib import util

    find = util.find_spec
    monkeypatch.setattr(
        util, "find_spec", lambda name, *rest: None if name == "uvicorn" else find(name, *rest)
    )
    message = refused("outputs/model")
    assert "uvicorn" in message and 'pip install "mynah-asr[serve]"' in message
