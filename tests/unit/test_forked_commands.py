"""The process that the tests' commands are forked from."""

from __future__ import annotations

import forked_commands


def test_what_commands_are_forked_from_keeps_nothing_of_the_first_ones_environment(
    tmp_path, monkeypatch
):
    # Its folder is deleted after its test, and with it what was imported from there.
    made = []

    class Recorder:
        def __init__(self, environment):
            made.append(environment)

        def may_run(self, environment):
            return True

    monkeypatch.setattr(forked_commands, "_forkers", [])
    monkeypatch.setattr(forked_commands, "_Forker", Recorder)
    monkeypatch.setattr(forked_commands.sys, "platform", "linux")
    first = forked_commands.environment(PYTHONPATH=str(tmp_path), HF_HOME=str(tmp_path))
    assert forked_commands._forker_for(["mynah", "runs"], first) is not None
    (inherited,) = made
    assert str(tmp_path) not in inherited.get("PYTHONPATH", "")
    assert inherited.get("HF_HOME") != str(tmp_path)
