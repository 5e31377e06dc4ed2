"""Names and slices of splits."""

import pytest

from mynah.data.splits import parse_split
from mynah.errors import UserError


@pytest.mark.parametrize(
    ("written", "total", "rows"),
    [
        ("train", 10, range(10)),
        ("train[:3]", 10, range(3)),
        ("train.100[5:]", 10, range(5, 10)),
        ("train[2:4]", 10, range(2, 4)),
        ("train[-2:]", 10, range(8, 10)),
        ("train[:10%]", 50, range(5)),
        ("train[90%:]", 50, range(45, 50)),
        ("train[:99]", 10, range(10)),
        ("train[8:3]", 10, range(8, 8)),
    ],
)
def test_a_slice_means_the_rows_that_the_hub_means(written, total, rows):
    (wanted,) = parse_split(written)
    assert wanted.rows(total) == rows
    assert str(wanted) == written


def test_splits_can_be_added_up_and_know_how_many_rows_are_enough():
    first, second = parse_split("train.100[:500] + train.360[10%:20%]")
    assert (first.name, first.first_rows) == ("train.100", 500)
    assert (second.name, second.first_rows) == ("train.360", None)


@pytest.mark.parametrize("written", ["train[", "train[3]", "train[a:b]", "[:3]", ""])
def test_what_is_not_split_is_an_error_with_examples(written):
    with pytest.raises(UserError, match="is not a split"):
        parse_split(written)
