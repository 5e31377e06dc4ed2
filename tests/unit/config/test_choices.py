"""Choices of a setting that are known only when they are needed."""

import dataclasses

import pytest

from mynah.config.reference import _row
from mynah.config.schema import Nature, setting
from mynah.config.settings import Setting
from mynah.config.values import limits_mistake, value_mistake


def _setting(choices):
    @dataclasses.dataclass
    class Section:
        layout: str = setting("auto", "Layout.", nature=Nature.ROWS, choices=choices)

    (found,) = dataclasses.fields(Section)
    # A name inside the real tree, so that types are converted as for a real setting.
    return Setting("data.format", str, "auto", found.metadata)


def test_choices_are_not_asked_for_where_the_schema_is_read():
    asked = []
    found = _setting(lambda: asked.append("now") or ("auto", "kaldi"))
    assert not asked
    assert found.choices == ("auto", "kaldi")
    assert asked == ["now"]


def test_a_name_that_was_added_later_is_a_choice_too():
    names = ["auto", "kaldi"]
    found = _setting(lambda: tuple(names))
    assert limits_mistake(found, "trn") is not None
    names.append("trn")
    assert limits_mistake(found, "trn") is None


@pytest.mark.parametrize("choices", [("auto", "kaldi"), lambda: ("auto", "kaldi")])
def test_a_wrong_name_is_answered_with_the_choices_and_the_nearest(choices):
    mistake = value_mistake(_setting(choices), "data.format", "kalid")
    assert mistake is not None
    assert mistake.what == 'data.format takes one of auto, kaldi, not "kalid".'
    assert mistake.instead == "kaldi"


def test_the_reference_lists_them():
    assert _row(_setting(lambda: ("auto", "kaldi")))[1] == "`auto`, `kaldi`"
