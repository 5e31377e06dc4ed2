"""What a signal does to a command depends on how far it has come."""

from __future__ import annotations

import signal

import pytest

from mynah.cli.shared.exit_status import exit_status
from mynah.stopping import signals


@pytest.fixture(autouse=True)
def handlers():
    before = {number: signal.getsignal(number) for number in signals.SIGNALS}
    signals.take_over()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_command_that_has_ended_is_not_disturbed_by_its_cluster():
    def interrupted() -> None:
        signal.raise_signal(signal.SIGUSR1)

    assert exit_status(interrupted) == 130
    signal.raise_signal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_the_next_command_of_a_process_is_interrupted_again():
    assert exit_status(lambda: 0) == 0
    assert exit_status(lambda: signal.raise_signal(signal.SIGTERM)) == 130
