"""The files that ``mynah score --write`` makes, as NIST's own sclite reads and counts them."""

from __future__ import annotations

import json
import random

import pytest
from debian_packages import UnavailableError
from scipy import stats
from sclite import counted, find_sclite

from mynah.cli.main import main
from mynah.evaluation.comparing.files import read_hypotheses, read_references, with_references
from mynah.evaluation.score import score

# To sclite an alternative, no word, a subset's label, a comment, and what stands for a deletion.
SIGNS = ("{", "um/uh", "}", "@", "<o,f0>", ";;", "***", "(breath)", "ÄRGER", "a-")


@pytest.fixture(scope="module")
def sclite(tmp_path_factory):
    try:
        return find_sclite(tmp_path_factory.mktemp("sctk"))
    except UnavailableError as reason:
        pytest.skip(str(reason))


def written(tmp_path, monkeypatch, capsys, rows: list[dict]) -> dict:
    """Score a manifest, write the files into ``out``; what was counted."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = ["manifest.jsonl", "--normalizer", "none", "--write", "out", "--json"]
    assert main(["score", *asked]) == 0
    return json.loads(capsys.readouterr().out)


def utterance(key: str, speaker: str, text: str, recognized: str) -> dict:
    return {
        "audio_filepath": key, "speaker": speaker, "duration": 3.0, "text": text,
        "pred_text": recognized,
    }  # fmt: skip


def with_errors(words: list[str], rng: random.Random) -> list[str]:
    """An error in some words, each between words that are right: no alignment is in doubt."""
    found = []
    for place, word in enumerate(words):
        kind = rng.choice(("right", "sub", "del", "ins")) if place % 3 == 1 else "right"
        found += {"right": [word], "sub": ["another"], "del": [], "ins": [word, "more"]}[kind]
    return found


def test_sclite_counts_of_each_speaker_what_we_count(tmp_path, monkeypatch, capsys, sclite):
    rng = random.Random(0)
    vocabulary = [f"w{number}" for number in range(100)]
    rows = []
    # Not in the order of their ids, in which sclite goes through files of times.
    for number in range(60):
        words = rng.sample(vocabulary, rng.randint(1, 12))
        speaker = f"speaker_{rng.choice((10, 9, 100, 1))}"
        recognized = " ".join(with_errors(words, rng)) if number % 9 else ""
        rows.append(utterance(f"{number * 7 % 60}.wav", speaker, " ".join(words), recognized))
        if number % 3 == 0:  # times that a model gave, which end a little behind the recording
            each = 3.1 / max(len(recognized.split()), 1)
            starts = [place * each for place in range(len(recognized.split()))]
            rows[-1]["word_times"] = [[start, start + each] for start in starts]
    rows.append(utterance("silence.wav", "Speaker_1", "", "another word"))
    ours = written(tmp_path, monkeypatch, capsys, rows)
    by_speaker = {one["name"]: one for one in ours["groups"]["speaker"]["groups"]}
    assert len(by_speaker) == 5 and min(ours["substitutions"], ours["insertions"]) > 5
    for reference, hypothesis in (("ref.trn", "hyp.trn"), ("ref.stm", "hyp.ctm")):
        its = counted(sclite, tmp_path / "out" / reference, tmp_path / "out" / hypothesis)
        assert set(its) == {"Sum", *by_speaker}
        for name, mine in {"Sum": ours, **by_speaker}.items():
            for count in ("words", "substitutions", "deletions", "insertions"):
                assert getattr(its[name], count) == mine[count], (hypothesis, name, count)
        assert its["Sum"].utterances == 61


def test_words_that_mean_something_to_sclite_are_words(tmp_path, monkeypatch, capsys, sclite):
    rows = []
    for number, sign in enumerate(SIGNS):
        for place, text in enumerate((f"{sign} one two", f"one {sign} two", f"one two {sign}")):
            key = f";;{number}-{place}"
            rows += [
                utterance(f"{key}-right", "ann", text, text),
                utterance(f"{key}-missed", "ann", text, "one two"),
                utterance(f"{key}-made up", ";;bob", "one two", text),
            ]
    ours = written(tmp_path, monkeypatch, capsys, rows)
    texts = 3 * len(SIGNS)
    assert (ours["words"], ours["deletions"], ours["insertions"]) == (8 * texts, texts, texts)
    for reference, hypothesis in (("ref.trn", "hyp.trn"), ("ref.stm", "hyp.ctm")):
        its = counted(sclite, tmp_path / "out" / reference, tmp_path / "out" / hypothesis)["Sum"]
        assert its.utterances == 3 * texts, hypothesis
        assert (its.words, its.right) == (8 * texts, 7 * texts), hypothesis
        assert (its.substitutions, its.deletions, its.insertions) == (0, texts, texts)


def test_a_speaker_in_an_id_is_the_one_that_sclite_takes(tmp_path, monkeypatch, capsys, sclite):
    monkeypatch.chdir(tmp_path)
    ids = ("a_b-c", "a-b-c", "a-b_c", "a_b_c", "a_-1", "cmh_sa01")
    lines = "".join(f"one two ({key})\n" for key in ids)
    for name in ("ref.trn", "hyp.trn"):
        (tmp_path / name).write_text(lines)
    assert main(["score", "ref.trn", "hyp.trn", "--json"]) == 0
    groups = json.loads(capsys.readouterr().out)["groups"]["speaker"]["groups"]
    its = counted(sclite, tmp_path / "ref.trn", tmp_path / "hyp.trn")
    assert {one["name"]: one["words"] for one in groups} == {
        name: one.words for name, one in its.items() if name != "Sum"
    }


# As TED-LIUM and NIST write their references: unknown words, gaps, what is not to be scored.
STM = """\
;; a comment
talk 1 ann 0 10 <o,f0,male> one <unk> three
talk 1 ann 10 20 <o,f0,male> <UNK> five six
talk 1 ann 20 30 <unk> seven eight
talk 1 ann 30 40 <o,f0,male> ignore_time_segment_in_scoring
talk 1 ann 40 50 <o,f0,male> <unk>
talk 1 inter_segment_gap 50 60 <o,,unknown>
talk 1 bob 60 70 <o,f0,male> { gonna / going to } nine
talk 1 inter_segment_gap 70 80 <o,,> ignore_time_segment_in_scoring
"""
CTM = """\
talk 1 1 1 one
talk 1 2 1 two
talk 1 3 1 three
talk 1 11 1 <UNK>
talk 1 12 1 five
talk 1 13 1 six
talk 1 21 1 seven
talk 1 31 1 ignored
talk 1 41 1 word
talk 1 51 1 gap
talk 1 61 1 gonna
talk 1 62 1 nine
talk 1 71 1 ignored
talk 1 99 1 outside
"""


def test_segments_with_unknown_words_are_scored_as_sclite_does(
    tmp_path, monkeypatch, capsys, sclite
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ref.stm").write_text(STM)
    (tmp_path / "hyp.ctm").write_text(CTM)
    assert main(["score", "ref.stm", "hyp.ctm", "--normalizer", "none", "--json"]) == 0
    ours = json.loads(capsys.readouterr().out)
    its = counted(sclite, tmp_path / "ref.stm", tmp_path / "hyp.ctm")["Sum"]
    for count in ("words", "substitutions", "deletions", "insertions"):
        assert getattr(its, count) == ours[count], count
    assert its.utterances == ours["utterances"] == 6
    assert ours["words"] == 11 and ours["speakers"] == 2
    # By hand: ann has 4 errors in 9 words, one of them in the gap after her; bob none in 2.
    # Without either the rate is 0 or 4/9: a jackknife's standard error of 2/9.
    system = with_references(
        read_references(tmp_path / "ref.stm"), read_hypotheses(tmp_path / "hyp.ctm"), "hyp.ctm"
    )
    made = score(system.hypotheses, normalizer="none", bootstrap_samples=9, bootstrap_seed=0)
    wer = made.measures["wer"]
    assert wer.by_speaker.method == "jackknife-t over 2 speakers"
    half = stats.t.ppf(0.975, 1) * 2 / 9
    assert (wer.by_speaker.low, wer.by_speaker.high) == pytest.approx((0.0, 4 / 11 + half))
    assert ours["not_scored"] == [
        "Not scored of ref.stm: <unk> in the place of labels (1), "
        "segments marked ignore_time_segment_in_scoring (2), alternatives behind the first (1)",
        "Not scored of hyp.ctm: words in no segment that is scored (3)",
    ]
    assert main(["score", "ref.stm", "hyp.ctm"]) == 0
    assert "ignore_time_segment_in_scoring (2)" in capsys.readouterr().out


def test_marks_in_the_place_of_labels_are_said_to_be_left_out(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    segments = ["<noise> one", "<laugh> two", "<noise> three", "<o,f0,male> four", "five <noise>"]
    lines = [f"talk 1 ann {n} {n + 1} {said}\n" for n, said in enumerate(segments)]
    (tmp_path / "ref.stm").write_text("".join(lines))
    (tmp_path / "hyp.ctm").write_text("talk 1 0 1 one\n")
    assert main(["score", "ref.stm", "hyp.ctm", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["not_scored"] == [
        "Not scored of ref.stm: <noise> in the place of labels (2), <laugh> in the place of "
        "labels (1), marks of noises and hesitations, as [noise] and %uh (1)"
    ]


def test_marks_of_noises_are_said_to_be_left_out(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ref.stm").write_text("talk 1 ann 0 9 <o,f0> one [noise] two %uh\n")
    (tmp_path / "hyp.ctm").write_text("talk 1 1 1 one\ntalk 1 2 1 <sil>\ntalk 1 3 1 two\n")
    assert main(["score", "ref.stm", "hyp.ctm"]) == 0
    said = capsys.readouterr().out
    assert "Not scored of ref.stm: marks of noises and hesitations, as [noise] and %uh (2)" in said
    assert "Not scored of hyp.ctm: marks of noises and hesitations, as [noise] and %uh (1)" in said
    (tmp_path / "ref.stm").write_text("talk 1 ann 0 9 <o,f0> ignore_time_segment_in_scoring\n")
    assert main(["score", "ref.stm", "hyp.ctm"]) == 2
    assert "All of its segments are marked" in capsys.readouterr().err
