"""The search for garbage rests while settings are composed, and only then."""

from __future__ import annotations

import gc
import sys

import pytest

from mynah.config import garbage


@pytest.fixture(autouse=True)
def searching():
    was_on = gc.isenabled()
    gc.enable()
    yield
    gc.enable() if was_on else gc.disable()


def test_it_rests_inside_and_resumes_after():
    with garbage.uncollected():
        assert not gc.isenabled()
        with garbage.uncollected():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_resumes_after_an_error():
    with pytest.raises(ValueError, match="wrong"), garbage.uncollected():
        raise ValueError("wrong")
    assert gc.isenabled()


def test_where_it_was_off_it_stays_off():
    gc.disable()
    with garbage.uncollected():
        pass
    assert not gc.isenabled()


def test_what_a_training_left_is_searched_at_the_end(monkeypatch):
    frozen = []
    monkeypatch.setattr(garbage.gc, "freeze", lambda: frozen.append(True))
    monkeypatch.setitem(sys.modules, "torch", object())
    garbage._leave()
    assert not frozen
    monkeypatch.delitem(sys.modules, "torch")
    garbage._leave()
    assert frozen
