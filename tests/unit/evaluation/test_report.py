"""The three files an evaluation leaves behind."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
from browser import on_a_phone
from evaluation_fakes import FakeCorpus, evaluation_of

import mynah
from mynah.data.preparation.prepare import PreparedData
from mynah.evaluation import report, run_report
from mynah.pages.clips import ClipBudget, data_address

SAID = ["Turn left.", "Set a timer!", "What time is it?", "Play the song"]
RECOGNIZED = ["turn left now", "set the timer", "what time is it", "play song"]
EVIL = "</script></style><script>alert(1)</script><img src=x onerror='alert(2)'>\"&"
ABOUT = {
    "statement": "All voices are new.",
    "checkpoint": "model/checkpoint-7",
    "config": "model:\n  family: ctc\n",
}


class Page(HTMLParser):
    """What a browser would find: elements, attributes, and the text of each."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.text += data

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.elements if name == tag]


def write(directory, evaluations, **changes):
    corpora = changes.pop("corpora", {})
    arguments = {"history": [], "about": ABOUT, "corpora": corpora} | changes
    path = report.write_evaluation(directory, evaluations, **arguments)
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture
def corpus():
    return FakeCorpus(SAID, speakers=[""] * 4)


@pytest.fixture
def evaluation(corpus):
    return evaluation_of(corpus, RECOGNIZED)


def test_results_hold_every_number_and_what_is_needed_to_believe_it(tmp_path):
    evaluation = evaluation_of(FakeCorpus(SAID), RECOGNIZED)
    history = [{"step": 1, "loss": float("nan")}]
    write(tmp_path, {"validation": evaluation}, history=history)
    found = json.loads((tmp_path / "results.json").read_text())
    numbers = found["evaluations"]["validation"]
    assert numbers["wer"] == evaluation.scores["wer"].value == 3 / 12
    assert numbers["wer_low"] == evaluation.scores["wer"].by_utterance.low
    assert [numbers[k] for k in ("substitutions", "deletions", "insertions", "words")] == [
        *(1, 1, 1, 12)
    ]
    assert numbers["normalizer"] == "basic@2"
    assert numbers["corpus_fingerprint"] == "f00d"
    assert numbers["bootstrap"]["samples"] == 50
    assert numbers["bootstrap"]["confidence"] == 0.95
    assert numbers["speakers"] == 2
    speakers = {one["name"]: one for one in numbers["groups"]["speaker"]["groups"]}
    assert speakers["s0"]["words"] == 6 and speakers["s0"]["small"]
    assert numbers["confusions"]["substitutions"] == [["a", "the", 1]]
    assert found["statement"] == "All voices are new."
    assert found["versions"]["mynah"] == mynah.__version__
    assert found["versions"]["rapidfuzz"]
    assert found["history"] == [{"step": 1, "loss": None}]
    assert found["about"]["command"] == "mynah eval eval_checkpoint=model/checkpoint-7"


def test_every_utterance_has_its_line_in_the_corpus_s_order(tmp_path):
    corpus = FakeCorpus([*SAID, "..."], unreadable={1})
    evaluation = evaluation_of(corpus, [*RECOGNIZED, "noise"])
    write(tmp_path, {"a": evaluation, "b": evaluation})
    lines = (tmp_path / "utterances.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [(r["split"], r["id"]) for r in records] == [(s, i) for s in "ab" for i in corpus.ids]
    assert records[0]["reference"] == "Turn left."
    assert records[0]["alignment"][-1] == ["insert", "", "now"]
    assert records[1]["error"] == "the file is cut off"
    assert (records[1]["hypothesis"], records[1]["wer"], records[1]["deletions"]) == ("", 1.0, 3)
    assert records[4]["wer"] is None  # words recognized where the reference has none
    total = sum(r["substitutions"] + r["deletions"] + r["insertions"] for r in records[:5])
    assert total / sum(r["words"] for r in records[:5]) == evaluation.scores["wer"].value


def test_the_page_shows_rates_intervals_counts_and_the_statement(tmp_path, evaluation):
    page = write(tmp_path, {"validation": evaluation, "test": evaluation})
    s = evaluation.scores
    assert "25.00 %" in page.text
    assert f"95 % interval {100 * s['wer'].low:.2f} to {100 * s['wer'].high:.2f}" in page.text
    assert "All voices are new." in page.text
    assert "Split: validation" in page.text and "Split: test" in page.text
    assert "mynah eval eval_checkpoint=model/checkpoint-7" in page.text
    assert "basic@2" in page.text


def test_what_was_shared_with_training_stands_beside_the_rates(tmp_path, evaluation):
    leak = {"utterances": 4, "recordings": {"shared": 0}, "sentences": {"shared": 0}}
    leak["speakers"] = {"shared": 2, "utterances": 3, "examples": ["ann", "bob"]}
    data = PreparedData(None, {}, {"leaks": {"validation": leak}}, {}, tmp_path)
    shared = run_report.shared_with_training(data)
    page = write(tmp_path, {"validation": evaluation}, about={**ABOUT, "shared": shared})
    assert page.text.count("2 speakers of validation (3 of 4 utterances; 'ann', 'bob')") == 1
    assert json.loads((tmp_path / "results.json").read_text())["about"]["shared"] == shared
    leak["speakers"]["shared"] = 0
    assert run_report.shared_with_training(data) is None


def test_on_a_phone_the_page_does_not_scroll_sideways_and_its_buttons_have_names(
    tmp_path, evaluation
):
    write(tmp_path, {"validation.clean": evaluation, "test": evaluation})
    found = on_a_phone(tmp_path / "report.html")
    assert found["width"] <= 360 and found["height"] > 2000
    assert found["buttons"] > 4 and found["nameless"] == 0


def test_a_page_with_fewer_players_than_utterances_says_why(tmp_path, corpus, evaluation):
    page = write(tmp_path, {"validation": evaluation}, corpora={"validation": corpus}, worst=2)
    assert "The first 2 have a player, so that the page stays small" in page.text
    assert "evaluation.report_utterances" in page.text
    page = write(tmp_path, {"validation": evaluation}, corpora={"validation": corpus}, worst=4)
    assert "have a player" not in page.text


def test_the_page_needs_nothing_from_anywhere(tmp_path, corpus, evaluation):
    page = write(tmp_path, {"validation": evaluation}, corpora={"validation": corpus})
    assert page.all("link") == [] and page.all("iframe") == []
    for _, attributes in page.elements:
        for name in ("src", "href", "action", "poster", "srcset"):
            assert attributes.get(name, "#").startswith(("#", "data:"))
    text = (tmp_path / "report.html").read_text()
    assert "http://" not in text and "https://" not in text
    assert "@import" not in text and "url(" not in text


def test_only_the_page_s_own_script_may_run(tmp_path, evaluation):
    write(tmp_path, {"validation": evaluation})
    text = (tmp_path / "report.html").read_text()
    [script] = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    [policy] = [m["content"] for m in Page(text).all("meta") if "http-equiv" in m]
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_a_transcript_with_a_script_in_it_is_inert_wherever_it_comes_from(tmp_path):
    corpus = FakeCorpus([f"{EVIL} {n}" for n in range(30)], speakers=[EVIL] * 30)
    corpus.ids = [f"{EVIL}{n}" for n in range(30)]
    corpus.unreadable = {3}
    evaluation = evaluation_of(corpus, [f"{EVIL} other {EVIL}"] * 30, normalizer="none")
    page = write(
        tmp_path,
        {EVIL: evaluation},
        corpora={EVIL: corpus},
        about={"statement": EVIL, "command": EVIL, "config": EVIL, EVIL: [EVIL], "data": {EVIL: 1}},
        history=[{"step": 1, f"eval_{EVIL}_wer": 0.5}, {"step": 1, "loss": 1.0}],
    )
    assert len(page.all("script")) == 1
    assert len(page.all("style")) == 1
    assert page.all("img") == []
    assert not any(name.startswith("on") for _, a in page.elements for name in a)
    assert page.text.count("alert(1)") > 30


def test_the_worst_utterances_have_players_with_their_own_recording(tmp_path, corpus, evaluation):
    page = write(tmp_path, {"validation": evaluation}, corpora={"validation": corpus}, worst=2)
    players = page.all("audio")
    assert [p["aria-label"] for p in players] == ["Recording of utt-0", "Recording of utt-3"]
    # One error each in utt-0, utt-3 and utt-1; of the last two utt-3 has more wrong characters.
    seconds = [_decoded(p["src"])[1] for p in players]
    assert seconds == pytest.approx([corpus.durations[0], corpus.durations[3]], abs=0.15)


def test_an_unreadable_recording_costs_its_player_not_the_page(tmp_path):
    corpus = FakeCorpus(SAID, unreadable={1})
    evaluation = evaluation_of(corpus, RECOGNIZED)
    page = write(tmp_path, {"validation": evaluation}, corpora={"validation": corpus})
    assert len(page.all("audio")) == 3
    assert "no recording: the file is cut off" in page.text
    assert "Not decoded: the file is cut off" in page.text


def test_a_clip_sounds_like_its_recording():
    seconds = np.arange(22050 * 2) / 22050
    address = data_address(0.5 * np.sin(2 * np.pi * 440 * seconds).astype(np.float32), 22050)
    samples, duration = _decoded(address)
    assert duration == pytest.approx(2.0, abs=0.1)
    spectrum = np.abs(np.fft.rfft(samples))
    assert np.argmax(spectrum) * 16000 / len(samples) == pytest.approx(440, abs=2)
    assert len(address) < 2 * 16000 * 2 / 3


def test_clips_end_where_the_page_is_large_enough(corpus):
    budget = ClipBudget(limit=len(data_address(corpus.read_audio(3), 16000)) + 10)
    assert budget.clip(corpus, 3) is not None
    assert budget.clip(corpus, 3) is None


def test_aligned_words_carry_their_kind_and_the_full_text_is_there_for_a_screen_reader(
    tmp_path, evaluation
):
    page = write(tmp_path, {"validation": evaluation})
    kinds = [a["class"] for a in page.all("span") if a.get("class", "").startswith("w ")]
    # The legend has one of each kind beside the utterances' own.
    assert [kinds.count(f"w {kind}") for kind in ("substitute", "delete", "insert")] == [2, 2, 2]
    assert "Reference: Set a timer! Hypothesis: set the timer" in page.text


def test_the_page_can_be_used_with_a_keyboard_and_a_screen_reader(tmp_path, corpus, evaluation):
    history = [{"step": s, "loss": 1 / s, "eval_wer": 0.5} for s in (1, 2)]
    page = write(
        tmp_path, {"validation": evaluation}, corpora={"validation": corpus}, history=history
    )
    assert page.all("html") == [{"lang": "en"}]
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    assert all(a["href"][1:] in ids for a in page.all("a"))
    assert all(a["aria-labelledby"] in ids for a in page.all("section"))
    assert all(s.get("role") == "img" or s.get("aria-hidden") == "true" for s in page.all("svg"))
    assert all(a["type"] == "button" for a in page.all("button"))


def test_a_missing_history_leaves_out_the_curves(tmp_path, evaluation):
    assert "training" not in [
        a.get("id") for a in write(tmp_path, {"v": evaluation}).all("section")
    ]


def test_a_failed_writing_leaves_the_page_that_was_there(tmp_path, evaluation, monkeypatch):
    write(tmp_path, {"validation": evaluation})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == {"results.json", "utterances.jsonl", "report.html"}

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path, {"other": evaluation})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_broken_character_in_a_transcript_does_not_cost_the_report(tmp_path):
    corpus = FakeCorpus(["caf\udce9 \x00 here", "fine"])
    write(tmp_path, {"v": evaluation_of(corpus, ["caf here", "fine"])})
    records = [json.loads(x) for x in (tmp_path / "utterances.jsonl").read_text().splitlines()]
    assert records[0]["reference"] == "caf\udce9 \x00 here"


def test_long_lists_in_the_data_s_report_are_cut_on_the_page_only(tmp_path, evaluation):
    about = {"data": {"dropped": [f"row-{n}" for n in range(500)]}}
    page = write(tmp_path, {"v": evaluation}, about=about)
    assert "row-19" in page.text and "row-20" not in page.text and "480 more" in page.text
    found = json.loads((tmp_path / "results.json").read_text())
    assert len(found["about"]["data"]["dropped"]) == 500


def test_there_must_be_something_to_report(tmp_path):
    with pytest.raises(ValueError, match="no evaluation"):
        report.write_evaluation(tmp_path, {}, history=[], about={}, corpora={})


def _decoded(address: str) -> tuple[np.ndarray, float]:
    kind, _, content = address.partition(";base64,")
    assert kind.startswith("data:audio/")
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(content)))
    assert rate == 16000
    return samples, len(samples) / rate
