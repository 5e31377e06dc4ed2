"""Where cuts are made, and what becomes of pauses."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mynah.segmentation.aligning.scoring import AgreementScores
from mynah.segmentation.cutting import Cut, Lengths, choose_cuts, utterance_seconds
from mynah.segmentation.pauses import PauseRule, pauses_between


def spoken(words: list[tuple[float, float, bool]]) -> list[Cut | None]:
    """Words of (seconds, pause after it, sentence ends) one after another, as places to cut."""
    cuts: list[Cut | None] = [Cut(0.0, 0.0)]
    time = 0.0
    for seconds, pause, ends in words:
        time += seconds
        cuts.append(Cut(time, time + pause, pause, ends) if pause else None)
        time += pause
    cuts[-1] = Cut(time, time)
    return cuts


sampled_words = st.lists(
    st.tuples(
        st.sampled_from([0.3, 0.7, 2.0, 9.0]),
        st.sampled_from([0.0, 0.2, 0.6, 3.0]),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(sampled_words, st.sampled_from([4.0, 10.0, 20.0]))
def test_every_word_is_in_one_utterance_that_is_too_long_only_without_a_pause(words, most):
    cuts = spoken(words)
    utterances = choose_cuts(cuts, Lengths(1.0, most), lambda first, last: False)
    assert utterances[0][0] == 0
    assert utterances[-1][1] == len(words)
    for before, after in itertools.pairwise(utterances):
        assert before[1] == after[0]
    for first, last in utterances:
        assert cuts[first] is not None
        assert cuts[last] is not None
        if utterance_seconds(cuts, first, last) > most:
            assert not any(cuts[first + 1 : last])


@settings(max_examples=60, deadline=None)
@given(sampled_words, st.sampled_from([4.0, 10.0]), st.data())
def test_no_other_choice_of_cuts_keeps_more_apart_from_bad_words_at_less_cost(words, most, data):
    cuts = spoken(words)
    bad_words = data.draw(st.sets(st.integers(0, len(words) - 1), max_size=2))
    lengths = Lengths(1.0, most)

    def is_bad(first, last):
        return any(first <= word < last for word in bad_words)

    def cost(places):
        total = 0.0
        for first, last in itertools.pairwise(places):
            seconds = utterance_seconds(cuts, first, last)
            pause = min(cuts[last].pause_seconds, 2.0)
            total += 1.0 - pause / 0.5 - (1.0 if cuts[last].ends_sentence else 0.0)
            total += 100.0 * (seconds > most)
            total += 1.0 + 0.5 * seconds if is_bad(first, last) else 3.0 * (seconds < 1.0)
        return total

    inner = [place for place in range(1, len(words)) if cuts[place] is not None]
    best = np.inf
    for kept in itertools.product([True, False], repeat=len(inner)):
        places = [0, *itertools.compress(inner, kept), len(words)]
        if any(
            utterance_seconds(cuts, first, last) > most and any(cuts[first + 1 : last])
            for first, last in itertools.pairwise(places)
        ):
            continue
        best = min(best, cost(places))
    chosen = choose_cuts(cuts, lengths, is_bad)
    assert cost([0, *(last for _, last in chosen)]) <= best + 1e-9


def test_a_sentence_end_is_preferred_to_a_longer_pause():
    words = [(6.0, 0.0, False), (6.0, 0.4, True), (3.0, 0.6, False), (6.0, 0.0, False)]
    found = choose_cuts(spoken(words), Lengths(1.0, 20.0), lambda first, last: False)
    assert (0, 2) in found


FRAME = 0.04


def levels_of(*stretches: tuple[float, float]) -> np.ndarray:
    return np.concatenate(
        [np.full(round(seconds / FRAME), level, np.float32) for seconds, level in stretches]
    )


def test_a_pause_is_where_it_is_quiet_between_the_words():
    levels = levels_of((1.0, -20), (0.8, -20), (1.0, -60), (1.0, -25))
    silent = np.ones(len(levels), dtype=bool)
    # The last label of the word before is said at 1 s; its sound lasts for 0.8 s.
    (found,) = pauses_between(
        25, 70, silent=silent, levels=levels, frame_seconds=FRAME, rule=PauseRule()
    )
    assert (found.start, found.end) == (45, 70)


def test_a_label_said_before_its_sound_does_not_shorten_the_pause():
    levels = levels_of((1.0, -20), (1.0, -60), (1.0, -20))
    silent = np.ones(len(levels), dtype=bool)
    silent[45:50] = False  # the label, a fifth of a second early
    (found,) = pauses_between(
        25, 45, silent=silent, levels=levels, frame_seconds=FRAME, rule=PauseRule()
    )
    assert (found.start, found.end) == (25, 50)


def test_where_noise_hides_the_pause_the_time_without_labels_counts():
    levels = levels_of((3.0, -20))
    silent = np.ones(len(levels), dtype=bool)
    (found,) = pauses_between(
        25, 50, silent=silent, levels=levels, frame_seconds=FRAME, rule=PauseRule()
    )
    assert (found.start, found.end) == (28, 47)
    assert not pauses_between(
        25, 32, silent=silent, levels=levels, frame_seconds=FRAME, rule=PauseRule()
    )


def test_what_is_said_between_two_words_is_not_a_pause():
    levels = levels_of((1.0, -20), (0.4, -60), (0.6, -20), (0.4, -60), (1.0, -20))
    silent = np.ones(len(levels), dtype=bool)
    silent[35:50] = False
    found = pauses_between(
        25, 60, silent=silent, levels=levels, frame_seconds=FRAME, rule=PauseRule()
    )
    assert [(one.start, one.end) for one in found] == [(25, 35), (50, 60)]


def test_the_score_is_the_mean_of_the_worst_second():
    frames = np.zeros(200, dtype=np.float32)
    frames[80:90] = -5.0
    scores = AgreementScores(frames, np.zeros(200, dtype=bool), FRAME)
    by_hand = min(frames[start : start + 25].mean() for start in range(10, 176))
    assert scores.score(10, 200) == np.float32(by_hand) == -2.0
    assert scores.score(85, 95) == -2.5
    assert scores.score(0, 80) == 0.0


def test_what_the_text_does_not_have_counts_against_an_utterance():
    passed_over = np.zeros(50, dtype=bool)
    passed_over[20:25] = True
    assert AgreementScores(np.zeros(50, dtype=np.float32), passed_over, FRAME).score(0, 50) == -2.0
