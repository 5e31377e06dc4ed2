"""What tuning changed: paired by construction, in two notations, and what may be claimed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from evaluation_fakes import FakeCorpus

from mynah.config.schema import Config
from mynah.evaluation.baseline.before import Before, MeasuredBase
from mynah.evaluation.baseline.change import Changes, set_change
from mynah.evaluation.baseline.record import changes_record
from mynah.evaluation.baseline.table import change_rows, claim_of, say_changes, ways_back
from mynah.evaluation.hypothesis import Hypothesis
from mynah.evaluation.pages.before_after import before_after_section

REFERENCES = ["five one five", "the colour of R O B I N", "yes", "turn it off"]


def hypotheses(texts, references=REFERENCES, language="en"):
    return [
        Hypothesis(f"u{row}", reference, text, 1.0, speaker=None, language=language)
        for row, (reference, text) in enumerate(zip(references, texts, strict=True))
    ]


def changed(base, tuned, *, guard=False, references=REFERENCES, language="en", name="dev"):
    config = Config()
    config.evaluation.bootstrap_samples = 200
    measured = MeasuredBase(
        FakeCorpus(list(references)), hypotheses(base, references, language), 1.0, 400, False
    )
    after = hypotheses(tuned, references, language)
    return set_change(config, name, measured, after, guard=guard)


BASE = ["5-1-5", "the color of R-O-B-I-N.", "yes", "turn it on"]
TUNED = ["five one five", "the colour of r o b i n", "yes", "turn it off"]


def test_the_rate_stands_as_scored_and_in_one_notation():
    found = changed(BASE, TUNED)
    # As scored (lower case, no punctuation): "5 1 5" against "five one five" is 3 of 15 words,
    # "color" one, and "on" for "off" one; hyphens separate.
    assert found.as_scored.first.before == pytest.approx(5 / 15)
    # In one notation 3 + 4 + 1 + 3 words, and one error.
    assert found.one_notation.first.before == pytest.approx(1 / 11)
    assert found.as_scored.first.after == found.one_notation.first.after == 0
    assert (found.one_notation.comparison.won, found.one_notation.comparison.lost) == (1, 0)


def test_what_is_not_english_has_one_rate():
    found = changed(BASE, TUNED, language="de")
    assert found.one_notation is None
    assert found.fairest is found.as_scored


def test_the_tuned_model_s_other_utterances_are_not_compared():
    measured = MeasuredBase(FakeCorpus(REFERENCES), hypotheses(BASE), 1.0, 400, False)
    more = [*hypotheses(TUNED), Hypothesis("another", "no", "nothing right here", 1.0)]
    found = set_change(Config(), "dev", measured, more[::-1], guard=False)
    assert [one.id for one in found.tuned] == [one.id for one in found.base]
    assert found.as_scored.after.utterances == 4


def test_base_and_tuned_over_different_utterances_are_impossible():
    measured = MeasuredBase(FakeCorpus(REFERENCES), hypotheses(BASE), 1.0, 4, False)
    with pytest.raises(ValueError, match="was not measured on u3"):
        set_change(Config(), "dev", measured, hypotheses(TUNED)[:3], guard=False)
    other = hypotheses(TUNED, references=["six one five", *REFERENCES[1:]])
    with pytest.raises(ValueError, match="other transcripts"):
        set_change(Config(), "dev", measured, other, guard=False)


def test_times_better_is_claimed_of_one_notation_and_where_it_is_not_chance():
    references = [f"word number {'abcdefghij'[row % 10]} here" for row in range(40)]
    wrong = [reference.replace("word", "bird") for reference in references]
    # 30 of 40 wrong before, 10 after: three times fewer.
    base = [*wrong[:30], *references[30:]]
    tuned = [*references[:30], *wrong[30:]]
    text = claim_of(changed(base, tuned, references=references))
    assert "in one notation 18.75 % before, 6.25 % after, 3.0 times fewer errors" in text
    few = claim_of(changed(base[:4], [wrong[0], *references[1:4]], references=references[:4]))
    assert "may be chance" in few and "times" not in few


def test_notation_alone_is_not_a_gain():
    found = changed(["5-1-5", "The color of ROBIN", "Yes.", "turn it off"], TUNED)
    assert found.as_scored.first.better
    assert found.one_notation.first.value == 0
    assert "times" not in claim_of(found)


@pytest.fixture
def both():
    """A split that gets better, and two guards of which one gets worse."""
    references = [f"sentence number {'abcdefghij'[row % 10]}" for row in range(40)]
    wrong = [reference.replace("sentence", "cent ants") for reference in references]
    sets = [
        changed(wrong, references, references=references),
        changed(references, wrong, references=references, guard=True, name="read speech"),
        changed(references, references, references=references, guard=True, name="general"),
    ]
    base = {one.name: MeasuredBase(FakeCorpus(references), [], 2.0, 40, False) for one in sets}
    before = Before("openai/whisper-tiny.en", "in its window", base, base)
    return Changes(before, sets)


def test_the_table_has_guards_and_their_mean(both):
    rows = list(change_rows(both))
    assert [row[0] for row in rows[::2]] == [
        "dev",
        "guard read speech",
        "guard general",
        "mean of guards",
    ]
    assert [row[2] for row in rows[:2]] == ["basic", "one notation"]
    assert rows[0][1] == "40 of 400"
    # Two errors in three words, and none: a third is the mean.
    assert rows[6][3:6] == ("0.00", "33.33", "+33.33")
    assert rows[0][7] == "40/0" and rows[2][7] == "0/40"
    means = {name.partition("@")[0]: (old, new) for name, old, new in both.guard_means()}
    assert means["basic"] == pytest.approx((0, 1 / 3))
    assert changes_record(both)["guard_means"]["basic@2"]["tuned"] == pytest.approx(1 / 3)


def test_a_guard_that_got_worse_is_said_with_what_helps(both, capsys):
    config = Config()
    config.model.use_lora = True
    say_changes(both, ways_back(config, Path("outputs/model/checkpoint-180")))
    printed = " ".join(capsys.readouterr().out.split())
    assert "was not tuned on got worse: read speech." in printed
    assert (
        "mynah adapt-scale outputs/model/checkpoint-180 --scale 0.75 --to scaled and "
        "data.replay=0.1" in printed
    )
    assert "espeak synthesizes it" in printed


@pytest.mark.parametrize(("lora", "dora"), [(False, False), (True, True)])
def test_no_scale_is_offered_of_what_has_none(both, capsys, lora, dora):
    config = Config()
    config.model.use_lora, config.model.lora_use_dora = lora, dora
    say_changes(both, ways_back(config, Path("outputs/model/checkpoint-180")))
    printed = capsys.readouterr().out
    assert "data.replay=0.1" in printed and "adapt-scale" not in printed


@pytest.mark.parametrize(
    ("replayed", "helps"), [(0.1, "data.replay=0.25 replays more"), (0.3, "data.replay=0.5 "),
                            (0.5, "training.max_steps")]
)  # fmt: skip
def test_more_is_offered_than_was_replayed(replayed, helps):
    config = Config()
    config.data.replay = replayed
    assert helps in ways_back(config, None)


def test_the_page_has_reference_base_and_tuned_side_by_side(both):
    page = str(before_after_section(both))
    rows = re.findall(r"<tr>(?:(?!</tr>).)*sentence number a.*?</tr>", page, re.DOTALL)
    assert any("cent ants number a" in row for row in rows)
    assert before_after_section(None) is None
