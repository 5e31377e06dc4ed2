"""When an export is refused, on transcripts whose error rates are counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mynah.errors import UserError
from mynah.export import proof
from mynah.export.target import Said, Sample

WORDS = "one two three four five six seven eight nine ten"


def samples(count):
    silence = np.zeros(16000, np.float32)
    return [Sample(f"u{i}", WORDS, silence, None, "", 1.0) for i in range(count)]


def beside(measured, said):
    scored = proof.scorer("basic", 1000, 0)
    return proof.compared(
        "a program", samples(len(said)), Said(measured, 1.0), Said(said, 2.0), scored,
        resamples=1000, seed=0,
    )  # fmt: skip


def with_errors(errors):
    """A transcript of ten words with so many of them wrong."""
    return " ".join(["wrong"] * errors + WORDS.split()[errors:])


def test_the_comparison_counts_equal_transcripts_and_both_error_rates():
    found = beside([WORDS] * 4, [WORDS, WORDS, with_errors(2), with_errors(1)])
    assert (found.equal, found.utterances) == (2, 4)
    assert found.difference.before == 0
    assert found.difference.after == pytest.approx(3 / 40)
    assert found.worst[0].id == "u2"
    assert found.numbers["audio_seconds_per_second"] == found.speed == 4 / 2  # 4 s took 2


def test_a_program_that_is_worse_for_sure_is_refused_with_its_worst_utterance():
    found = beside([WORDS] * 40, [with_errors(1 + i % 2) for i in range(40)])
    with pytest.raises(UserError) as refused:
        proof.check_program(found)
    assert "15.00 points" in refused.value.what  # three words in twenty
    assert "u1" in refused.value.where and "wrong wrong three" in refused.value.where


def test_what_is_worse_for_sure_is_written_where_so_many_points_are_accepted():
    found = beside([WORDS] * 40, [with_errors(1 + i % 2) for i in range(40)])
    with pytest.raises(UserError) as refused:
        proof.check_program(found, 0.10)
    accepted = refused.value.fix.partition("--tolerance ")[2].split()[0]
    assert 10 < float(accepted) <= 15 and "may be by 10" in refused.value.what
    proof.check_program(found, float(accepted) / 100)


def test_the_worst_utterance_is_one_that_got_worse():
    better = ["nothing of what was said", WORDS, WORDS]  # the program corrects all of it
    found = beside(better, [WORDS, with_errors(1), WORDS])
    assert found.worst[0].id == "u1"


def test_a_program_that_is_better_or_worse_by_chance_passes():
    texts = [with_errors(1) if i % 2 else WORDS for i in range(40)]
    proof.check_program(beside(texts, list(reversed(texts))))
    proof.check_program(beside(texts, [WORDS] * 40))


def test_decoding_that_costs_more_than_a_point_is_refused_with_the_advice():
    texts = [WORDS] * 20
    within = [*[WORDS] * 18, with_errors(1), with_errors(1)]  # 2 of 200 words
    proof.check_cost(beside(texts, within), "another window")
    with pytest.raises(UserError) as refused:
        proof.check_cost(beside(texts, [*within[1:], with_errors(1)]), "another window")
    assert refused.value.fix == "another window"
    assert "0.0 to 1.5" in refused.value.what


def test_one_transcript_that_differs_on_the_same_features_is_named():
    on = samples(3)
    proof.check_conversion([WORDS] * 3, [WORDS] * 3, on)
    with pytest.raises(UserError) as refused:
        proof.check_conversion([WORDS, "one two", WORDS], [WORDS] * 3, on)
    assert "1 of 3" in refused.value.what and refused.value.where.startswith("u1:")
