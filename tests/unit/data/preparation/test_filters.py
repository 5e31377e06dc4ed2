"""Filters over columns give what a look at each row would."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mynah.config.schema import DataConfig
from mynah.data.preparation.filters import KEPT, REASONS, Measures, detail, reasons
from mynah.data.scripts import SCRIPTS

ROW = st.tuples(st.floats(0, 40), st.booleans(), st.booleans(), st.integers(0, 30), st.booleans())


def measures_of(rows):
    seconds, unreadable, silent, words, strange = (np.asarray(c) for c in zip(*rows, strict=True))
    return Measures(
        seconds=seconds.astype(float),
        unreadable=unreadable.astype(bool),
        no_speech=silent.astype(bool),
        words=words,
        characters=words * 5,
        scripts=np.full(len(seconds), SCRIPTS.index("Latin"), dtype=np.int8),
        strange=strange.astype(bool),
        annotated=np.zeros(len(seconds), dtype=bool),
    )


def look(row, config):
    seconds, unreadable, silent, words, strange = row
    characters = words * 5
    rate = characters / max(seconds, 1e-9)
    if not characters and not silent:
        return "no transcript"
    if unreadable:
        return "unreadable"
    if seconds < config.min_audio_seconds:
        return "too short"
    if config.max_audio_seconds is not None and seconds > config.max_audio_seconds:
        return "too long"
    if config.max_text_words is not None and words > config.max_text_words:
        return "too many words"
    slowest, fastest = config.min_characters_a_second, config.max_characters_a_second
    if slowest is not None and rate < slowest and not silent:
        return "too few characters a second"
    if fastest is not None and rate > fastest:
        return "too many characters a second"
    if strange and config.on_other_script == "drop":
        return "transcript in another script"
    return ""


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(ROW, min_size=1, max_size=30),
    longest=st.none() | st.floats(5, 35),
    words=st.none() | st.integers(1, 20),
    slowest=st.none() | st.floats(0, 5),
    fastest=st.none() | st.floats(5, 40),
    script=st.sampled_from(["drop", "keep"]),
)
def test_every_row_is_left_out_for_the_first_reason_that_holds(
    rows, longest, words, slowest, fastest, script
):
    config = DataConfig(
        max_audio_seconds=longest, min_audio_seconds=0.5, max_text_words=words,
        min_characters_a_second=slowest, max_characters_a_second=fastest, on_other_script=script,
    )  # fmt: skip
    measures = measures_of(rows)
    found = reasons(measures, config, training=True, filtering=True)
    assert [REASONS[code] for code in found] == [look(row, config) for row in rows]
    evaluated = reasons(measures, config, training=False, filtering=False)
    for code, row in zip(evaluated, rows, strict=True):
        assert (code == KEPT) == (look(row, config) != "no transcript")


def test_a_reason_names_the_figure_and_the_limit():
    config = DataConfig(max_characters_a_second=10, max_text_words=3, max_audio_seconds=None)
    measures = measures_of([(1.0, False, False, 3, False), (1.0, False, False, 9, False)])
    codes = reasons(measures, config, training=True, filtering=True)
    reported = [detail(int(codes[row]), row, measures, config, lambda row: "") for row in range(2)]
    assert reported == [
        "15 characters in 1.00 s, above max_characters_a_second=10",
        "9 words, above max_text_words=3",
    ]
