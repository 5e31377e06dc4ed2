"""The tab key: what real shells make of ``mynah completion``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mynah.cli.main import COMMANDS, main

LINES = [
    ("mynah trai", ["train"]),
    ("mynah data pre", ["prepare"]),
    ("mynah data segment x --to y --mo", ["--model"]),
    ("mynah data pack --shar", ["--shard-size"]),
    ("mynah train training.bf16=t", ["true"]),
    ("mynah train +exper", ["+experiments="]),
    ("mynah train +experiments=t", ["test"]),
    ("mynah train model=whisper_sma", ["whisper_small"]),
    ("mynah eval outputs/model data.eval_sp", ["data.eval_splits="]),
    ("mynah train no_such_thing", []),
]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A PATH with a ``mynah`` of this Python's, and a folder that no file completes in."""
    folder = tmp_path_factory.mktemp("bin")
    command = folder / "mynah"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mynah.cli "$@"\n')
    command.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def run(shell: str, script: str, path: str, folder: Path) -> list[str]:
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    flags = {"bash": ["--norc", "-c"], "zsh": ["-f", "-c"], "fish": ["--no-config", "-c"]}[shell]
    done = subprocess.run(
        [shell, *flags, script],
        env={**os.environ, "PATH": path},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.splitlines()


def test_bash_completes_commands_settings_values_and_groups(path, tmp_path):
    script = ["source <(mynah completion bash)"]
    for line, _ in LINES:
        # As bash calls it: with "=" a word of its own, as in COMP_WORDBREAKS.
        words = line.replace("=", " = ").split()
        quoted = " ".join(f"'{word}'" for word in words)
        script += [
            f"COMP_LINE='{line}' COMP_POINT={len(line)} COMP_WORDS=({quoted})",
            f'COMP_CWORD={len(words) - 1}; compopt() {{ :; }}; _mynah; echo "${{COMPREPLY[*]}}"',
        ]
    found = run("bash", "\n".join(script), path, tmp_path)
    expected = [" ".join(words) for _, words in LINES]
    assert found == expected


def test_bash_lists_all_commands_where_nothing_is_typed(path, tmp_path):
    script = (
        "source <(mynah completion bash); COMP_LINE='mynah ' COMP_POINT=6 COMP_WORDS=(mynah '')\n"
        'COMP_CWORD=1; _mynah; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    assert run("bash", script, path, tmp_path) == sorted(COMMANDS)


def test_zsh_is_given_whole_words(path, tmp_path):
    script = [
        "compdef() { :; }; _files() { print -- files; }",
        'compadd() { while [[ $1 != -- ]]; do shift; done; shift; print -- "$@"; }',
        "source <(mynah completion zsh)",
    ]
    for line, _ in LINES:
        words = " ".join(f"'{word}'" for word in line.split())
        script.append(f"words=({words}); CURRENT={len(line.split())}; _mynah")
    found = run("zsh", "\n".join(script), path, tmp_path)
    for said, (line, expected) in zip(found, LINES, strict=True):
        prefix = line.split()[-1]
        name = prefix.partition("=")[0] + "=" if "=" in prefix else ""
        assert said == ("".join(f"{name}{word}" for word in expected) or "files")


@pytest.mark.long  # the words are those that bash is given
def test_fish_completes_as_it_would_on_a_terminal(path, tmp_path):
    script = ["mynah completion fish | source"]
    script += [f"echo (complete -C '{line}')" for line, _ in LINES]
    found = run("fish", "\n".join(script), path, tmp_path)
    for said, (line, expected) in zip(found, LINES, strict=True):
        prefix = line.split()[-1]
        name = prefix.partition("=")[0] + "=" if "=" in prefix else ""
        assert said == "".join(f"{name}{word}" for word in expected)


def test_a_shell_that_has_none_is_answered_with_those_that_do(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["completion", "tcsh"])
    assert ended.value.code == 2 and "bash" in capsys.readouterr().err
