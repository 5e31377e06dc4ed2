"""What ``mynah score`` finds beside the rates, and the files that it writes for other programs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jiwer
import pytest

from mynah.cli.main import main
from mynah.segmentation.timed_transcripts import read_timed

MANIFEST = [
    {"audio_filepath": "a.wav", "duration": 2.0, "text": "Call Anna Berg.", "gender": "f",
     "pred_text": "call hanna berg", "speaker": "ann"},
    {"audio_filepath": "b.wav", "duration": 4.0, "text": "Turn it off now, please", "gender": "m",
     "pred_text": "turn it of now", "speaker": "bob"},
    {"audio_filepath": "c (1).wav", "duration": 3.0, "text": "yes", "gender": "m",
     "pred_text": "", "speaker": "bob"},
]  # fmt: skip


@pytest.fixture
def manifest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    lines = "".join(json.dumps(row) + "\n" for row in MANIFEST)
    (tmp_path / "manifest.jsonl").write_text(lines)
    return tmp_path


def scored(capsys, *arguments: str) -> dict:
    assert main(["score", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_manifest_of_the_leaderboard_is_scored_by_itself_with_rates_by_its_columns(
    manifest, capsys
):
    found = scored(capsys, "manifest.jsonl")
    assert found["wer"] == pytest.approx(
        jiwer.wer(
            ["call anna berg", "turn it off now please", "yes"],
            ["call hanna berg", "turn it of now", ""],
        )
    )
    genders = {one["name"]: one for one in found["groups"]["gender"]["groups"]}
    assert (genders["f"]["words"], genders["f"]["substitutions"]) == (3, 1)
    assert (genders["m"]["words"], genders["m"]["deletions"]) == (6, 2)
    assert genders["f"]["small"] and genders["m"]["over"] == "2 utterances"
    # All are of 2 to 5 seconds, which is one group; 1.5, 1.25 and 0.3 words a second are two.
    assert set(found["groups"]) == {"speaker", "gender", "words_per_second"}
    assert main(["score", "manifest.jsonl"]) == 0
    assert "f *" in capsys.readouterr().out


def test_words_that_training_never_had_are_apart_and_a_rate_says_of_how_many(manifest, capsys):
    (manifest / "train.txt").write_text("Call now! Turn it off, please.\nberg\n")
    found = scored(capsys, "manifest.jsonl", "--vocabulary", "train.txt")["out_of_vocabulary"]
    assert (found["outside"]["words"], found["outside"]["wrong"]) == (2, 2)  # anna, yes
    assert (found["inside"]["words"], found["inside"]["wrong"]) == (7, 2)  # off, please
    assert main(["score", "manifest.jsonl", "--vocabulary", "train.txt"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "of 2 that were never in training" in said
    (manifest / "empty.txt").write_text("\n")
    assert main(["score", "manifest.jsonl", "--vocabulary", "empty.txt"]) == 2
    assert "There is no word in it." in capsys.readouterr().err


def test_a_training_s_transcripts_are_normalised_as_the_references_are(manifest, capsys):
    rows = [
        {"id": "a", "text": "gate twenty five", "pred_text": "gate 25"},
        {"id": "b", "text": "gate twenty", "pred_text": "gate"},
    ]
    (manifest / "gates.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (manifest / "train.txt").write_text("Gate twenty five.\n\nthe gate\n")
    asked = ["gates.jsonl", "--vocabulary", "train.txt", "--normalizer"]
    found = scored(capsys, *asked, "whisper_english")["out_of_vocabulary"]
    # gate, 25, gate are in training, 20 is not: there it is a part of 25.
    assert (found["inside"]["words"], found["inside"]["wrong"]) == (3, 0)
    assert found["most_missed"] == [{"word": "20", "said": 1, "wrong": 1}]
    found = scored(capsys, *asked, "basic")["out_of_vocabulary"]
    assert (found["inside"]["words"], found["outside"]["words"]) == (5, 0)
    (manifest / "train.txt").write_text("five\ngate\ntwenty\n")  # as a training keeps its words
    assert main(["score", *asked, "whisper_english"]) == 2
    said = capsys.readouterr().err
    assert "whisper_english looks at several words at once" in said and "train.txt" in said
    assert scored(capsys, *asked, "basic")["out_of_vocabulary"]["outside"]["words"] == 0


def test_words_and_terms_have_the_capitals_of_the_utterances_language(manifest, capsys):
    row = {"id": "a", "language": "tr", "text": "IŞIK var", "pred_text": "ışık var"}
    other = row | {"pred_text": "var"}
    (manifest / "tr.jsonl").write_text(json.dumps(row) + "\n")
    (manifest / "other.jsonl").write_text(json.dumps(other) + "\n")
    (manifest / "words.txt").write_text("IŞIK\n", encoding="utf-8")
    found = scored(capsys, "tr.jsonl", "--vocabulary", "words.txt", "--terms", "words.txt")
    assert (found["out_of_vocabulary"]["inside"]["words"], found["terms"]["term_recall"]) == (1, 1)
    asked = ["compare", "tr.jsonl", "other.jsonl", "--terms", "words.txt", "--to", "page.html"]
    assert main(asked) == 0
    terms = json.loads((manifest / "page.json").read_text())["terms"]
    assert [one["term_recall"] for one in terms] == [1, 0]


def test_the_files_for_sclite_hold_what_was_scored_and_score_the_same(manifest, capsys):
    before = scored(capsys, "manifest.jsonl")
    assert main(["score", "manifest.jsonl", "--write", "out"]) == 0
    capsys.readouterr()
    folder = manifest / "out"
    assert (folder / "ref.trn").read_text().splitlines() == [
        "call anna berg (ann-a.wav)",
        "turn it off now please (bob-b.wav)",
        "yes (bob-c_1_.wav)",
    ]
    assert (folder / "hyp.trn").read_text().splitlines()[2] == " (bob-c_1_.wav)"
    said, *lines = (folder / "hyp.ctm").read_text().splitlines()
    assert said.startswith(";;") and "spread evenly" in said
    ctm = [line.split() for line in lines]
    assert ctm[0] == ["ann-a.wav", "1", "0.000", "0.667", "call"]
    assert all(re.fullmatch(r"\d+\.\d{3}", cell) for row in ctm for cell in row[2:4])
    assert [row[4] for row in ctm] == ["call", "hanna", "berg", "turn", "it", "of", "now"]
    stm = read_timed(folder / "ref.stm").entries
    assert [(one.speaker, one.end_seconds) for one in stm] == [
        ("ann", 2.0),
        ("bob", 4.0),
        ("bob", 3.0),
    ]
    for reference, hypothesis in (("ref.trn", "hyp.trn"), ("ref.stm", "hyp.ctm")):
        again = scored(capsys, f"out/{reference}", f"out/{hypothesis}", "--normalizer", "none")
        for name in ("wer", "cer", "words", "substitutions", "deletions", "insertions"):
            assert again[name] == pytest.approx(before[name])


def test_words_of_the_ctm_file_have_the_times_that_a_model_gave(manifest, capsys):
    times = {
        "Hello, Anna-Berg!": [[0.25, 0.5], [0.75, 1.25]],  # two words, of which one is two
        "seen twice": [[0.5, 1.0]],  # not those of its words
        "at the end": [[2.5, 2.75], [2.875, 3.125], [3.125, 3.25]],  # behind the recording
    }
    rows = [
        {"id": f"u{number}", "speaker": "ann", "duration": 3.0, "text": text, "pred_text": text,
         "word_times": found} for number, (text, found) in enumerate(times.items())
    ]  # fmt: skip
    (manifest / "timed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert scored(capsys, "timed.jsonl", "--write", "out")["wer"] == 0
    said, *lines = (manifest / "out" / "hyp.ctm").read_text().splitlines()
    assert said == ";; in 1 of 3 utterances words are spread evenly: their times are not known"
    assert [line.split(" ", 2)[2] for line in lines] == [
        "0.250 0.250 hello", "0.750 0.250 anna", "1.000 0.250 berg",
        "0.000 1.500 seen", "1.500 1.500 twice",
        "2.500 0.250 at", "2.875 0.125 the", "2.998 0.002 end",
    ]  # fmt: skip
    again = scored(capsys, "out/ref.stm", "out/hyp.ctm", "--normalizer", "none")
    assert again["wer"] == 0 and again["words"] == 8


def test_the_manifest_that_is_written_is_the_leaderboard_s(manifest, capsys):
    assert main(["score", "manifest.jsonl", "--write", "out"]) == 0
    written = (manifest / "out" / "manifest.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in written]
    kept = ("audio_filepath", "duration", "text", "pred_text")
    # What its scoring reads: huggingface/open_asr_leaderboard, normalizer/eval_utils.py.
    assert rows == [{name: row[name] for name in kept} | {"time": None} for row in MANIFEST]


def test_a_run_is_scored_again_with_another_normaliser(manifest, capsys):
    folder = manifest / "run" / "evaluation"
    folder.mkdir(parents=True)
    row = {"split": "test", "id": "a", "reference": "Yes.", "hypothesis": "yes"}
    (folder / "utterances.jsonl").write_text(json.dumps(row) + "\n")
    results = {"format": 1, "evaluations": {"test": {"normalizer": "basic@1"}}}
    (folder / "results.json").write_text(json.dumps(results))
    assert scored(capsys, "run")["wer"] == 0
    assert scored(capsys, "run", "--normalizer", "none")["wer"] == 1
    assert main(["score", "run", "--split", "dev"]) == 2
    assert "no split 'dev'" in capsys.readouterr().err


def test_without_durations_no_times_are_made_up(manifest, capsys):
    (manifest / "ref.txt").write_text("one two\n")
    (manifest / "hyp.txt").write_text("one too\n")
    assert main(["score", "ref.txt", "hyp.txt", "--write", "out"]) == 0
    names = sorted(file.name for file in Path("out").iterdir())
    assert names == ["hyp.trn", "manifest.jsonl", "ref.trn"]
