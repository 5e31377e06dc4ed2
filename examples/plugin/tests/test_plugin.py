"""The package as Mynah finds it, once it is installed."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
from mynah_trn.numbers import NumbersRecognized

import mynah
from mynah.data.corpus import Corpus
from mynah.errors import UserError


@pytest.fixture
def corpus(tmp_path):
    """Three recordings to train on, and one to measure by."""
    lines = ["two tickets please (call-1)", "no thank you (call-2)", "gate 12 (call-3)"]
    (tmp_path / "train.trn").write_text("\n".join(lines) + "\n")
    (tmp_path / "validation.trn").write_text("row 7 (call-4)\n")
    noise = np.random.default_rng(0)
    for number in (1, 2, 3, 4):
        with wave.open(str(tmp_path / f"call-{number}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes(noise.integers(-9000, 9000, 32000).astype("<i2").tobytes())
    return tmp_path


def prepared(corpus: Path) -> Corpus:
    return mynah.prepare(corpus)


def test_a_folder_of_trn_files_is_recognized_and_read(corpus):
    found = prepared(corpus)
    texts = {found[row].id: found[row].text for row in range(len(found))}
    assert texts == {
        "call-1": "two tickets please",
        "call-2": "no thank you",
        "call-3": "gate 12",
    }


def test_a_line_without_an_id_is_an_error_that_names_it(corpus):
    with (corpus / "train.trn").open("a") as file:
        file.write("nobody knows whose\n")
    with pytest.raises(UserError) as raised:
        prepared(corpus)
    assert "train.trn:4" in str(raised.value)


def test_numbers_are_right_where_all_of_them_are():
    metric = NumbersRecognized()
    pairs = [
        ("two tickets to gate 12", "too tickets to gate 12"),  # "two" is missing
        ("flight one nine", "a flight nine one"),  # the same numbers
        ("no thank you", "no thank you"),  # none
        ("call 7", "call seven"),  # another way to write it is another word here
    ]
    total = sum(metric.statistics(*pair) for pair in pairs)
    assert metric.value(total) == pytest.approx(1 / 3)
    assert np.isnan(metric.value(metric.statistics("no", "no")))
