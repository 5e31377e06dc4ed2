"""``mynah score REF HYP``: two files of any system, against jiwer and counts by hand."""

from __future__ import annotations

import json

import jiwer
import pytest

from mynah.cli.main import main

REFERENCES = ["one two three four", "five six", "seven eight nine", "ten"]
HYPOTHESES = ["one too three four four", "five six", "eight nine", "eleven twelve"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def scored(capsys, *arguments: str) -> dict:
    assert main(["score", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def expect(found: dict) -> None:
    theirs = jiwer.process_words(REFERENCES, HYPOTHESES)
    assert found["wer"] == pytest.approx(theirs.wer)
    for name in ("substitutions", "deletions", "insertions", "hits"):
        assert found[name] == getattr(theirs, name)
    assert found["cer"] == pytest.approx(jiwer.cer(REFERENCES, HYPOTHESES))


def test_text_with_a_transcript_a_line(place, capsys):
    (place / "ref.txt").write_text("\n".join(REFERENCES) + "\n")
    (place / "hyp.txt").write_text("\n".join(HYPOTHESES) + "\n")
    expect(scored(capsys, "ref.txt", "hyp.txt"))


def test_trn_in_any_order_with_speakers(place, capsys):
    ids = ["ann-1", "ann-2", "bob-1", "bob-2"]
    lines = [f"{text} ({key})" for text, key in zip(REFERENCES, ids, strict=True)]
    (place / "ref.trn").write_text("\n".join(lines) + "\n")
    lines = [f"{text} ({key})" for text, key in zip(HYPOTHESES, ids, strict=True)]
    (place / "hyp.trn").write_text("\n".join(reversed(lines)) + "\n")
    found = scored(capsys, "ref.trn", "hyp.trn")
    expect(found)
    assert found["speakers"] == 2


def test_json_lines_and_the_open_asr_leaderboard_s_manifests(place, capsys):
    for name, texts, key in (("ref", REFERENCES, "text"), ("hyp", HYPOTHESES, "pred_text")):
        lines = [
            json.dumps({"audio_filepath": f"{n}.wav", key: text}) for n, text in enumerate(texts)
        ]
        (place / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    expect(scored(capsys, "ref.jsonl", "hyp.jsonl"))


def test_what_was_recognized_beside_a_reference_is_not_a_reference(place, capsys):
    wrong = ["one", "five", "eight", "ten ten"]  # of another system
    rows = [
        {"audio_filepath": f"{n}.wav", "text": said, "pred_text": other}
        for n, (said, other) in enumerate(zip(REFERENCES, wrong, strict=True))
    ]
    (place / "nemo.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    mine = [
        {"id": row["audio_filepath"], "reference": row["text"], "hypothesis": row["pred_text"],
         "text": "not this", "error": "cut off" if n == 1 else None,
         "word_times": [[0.0, 0.5]] * len(HYPOTHESES[n].split())}
        for n, row in enumerate(rows)
    ]  # fmt: skip
    (place / "utterances.jsonl").write_text("".join(json.dumps(row) + "\n" for row in mine))
    rows = [
        {"id": f"{n}.wav", "text": "nor this", "pred_text": text, "duration": 3.0}
        for n, text in enumerate(HYPOTHESES)
    ]
    (place / "hyp.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for reference in ("nemo.jsonl", "utterances.jsonl"):
        found = scored(capsys, reference, "hyp.jsonl")
        expect(found)
        assert found["failed"] == 0  # the other system's failure is not this one's
    (place / "alone.jsonl").write_text(json.dumps({"id": "a", "pred_text": "one"}) + "\n")
    assert main(["score", "alone.jsonl", "hyp.jsonl"]) == 2
    assert "a text as reference or text" in capsys.readouterr().err


def test_words_with_times_belong_to_the_segment_that_their_middle_is_in(place, capsys):
    starts = [0.0, 10.0, 20.0, 30.0]
    stm = [
        f"call 1 ann {start} {start + 8} <o,f0,male> {text}"
        for start, text in zip(starts, REFERENCES, strict=True)
    ]
    (place / "ref.stm").write_text("\n".join(stm) + "\n")
    ctm = ["call 1 8.5 1.0 between"]  # in no segment: not scored
    for start, text in zip(starts, HYPOTHESES, strict=True):
        ctm += [f"call 1 {start + n:.2f} 0.5 {word}" for n, word in enumerate(text.split())]
    (place / "hyp.ctm").write_text("\n".join(reversed(ctm)) + "\n")
    expect(scored(capsys, "ref.stm", "hyp.ctm"))


def test_a_person_sees_rates_and_the_most_frequent_errors(place, capsys):
    (place / "ref.txt").write_text("one two\n" * 3)
    (place / "hyp.txt").write_text("one too\n" * 2 + "two\n")
    assert main(["score", "ref.txt", "hyp.txt"]) == 0
    said = capsys.readouterr().out
    assert "Substitutions: two → too (2)" in said and "Deletions: one (1)" in said
    assert "100.00 % of the utterances have an error" in said


def test_hypotheses_that_are_wrong_in_kind_are_counted(place, capsys):
    pairs = [
        ("one two", ""),  # empty
        ("", "thank you"),  # text in silence
        ("one two", "one two two two two"),  # a loop
        ("go go go go", "go go go go"),  # said so: not one
        ("no no no", "no no no no no no"),  # more often than it was said
        ("well well", "well well well"),  # three times: people do
        ("a b", "c a b a b a b a b"),  # two words that repeat together
        ("one two", "один два"),  # another script
        ("one two", "один two three"),  # most letters are of the same one
        ("1984", "один"),  # no letters to compare
    ]
    (place / "ref.txt").write_text("\n".join(said for said, _ in pairs) + "\n")
    (place / "hyp.txt").write_text("\n".join(text for _, text in pairs) + "\n")
    odd = scored(capsys, "ref.txt", "hyp.txt")["wrong_in_kind"]
    assert {name: (one["count"], one["of"]) for name, one in odd.items()} == {
        "empty": (1, 9),
        "text in silence": (1, 1),
        "looping": (3, 10),
        "other script": (1, 7),
    }
    assert odd["looping"]["first"] == "3"
    assert main(["score", "ref.txt", "hyp.txt"]) == 0
    assert "3 looping (30.0%; 3)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("files", "arguments", "said"),
    [
        ({"r.txt": "a\nb\n", "h.txt": "a\n"}, ["r.txt", "h.txt"], "2 and 1 lines"),
        ({"r.trn": "a (x)\n", "h.trn": "a (y)\n"}, ["r.trn", "h.trn"], "as 'x', 'y'"),
        ({"r.trn": "a (x)\na (x)\n", "h.trn": "a (x)\n"}, ["r.trn", "h.trn"], "there twice"),
        ({"r.trn": "a\n", "h.trn": "a (x)\n"}, ["r.trn", "h.trn"], "line 1"),
        ({"r.txt": ".\n", "h.txt": "a\n"}, ["r.txt", "h.txt"], "has a word"),
        ({"r.txt": "a\n"}, ["r.txt", "h.txt"], "There is no file h.txt"),
        ({"r.txt": "a\n", "h.ctm": "c 1 0 1 a\n"}, ["r.txt", "h.ctm"], "against an STM file"),
        ({"r.stm": "c 1 s 0 1 a\n", "h.txt": "a\n"}, ["r.stm", "h.txt"], "CTM file"),
        ({"r.stm": "c 1 s 0 1 a\n", "h.ctm": "d 1 0 1 a\n"}, ["r.stm", "h.ctm"], "d is not a"),
        ({"r.txt": "a\n", "h.txt": "a\n"}, ["r.txt", "h.txt", "--metrics", "wre"], "metric wre"),
    ],
)
def test_files_that_do_not_go_together_are_refused(place, capsys, files, arguments, said):
    for name, content in files.items():
        (place / name).write_text(content)
    assert main(["score", *arguments]) == 2
    message = capsys.readouterr().err
    assert said in message and len(message.splitlines()) <= 3


def test_a_file_alone_is_answered_with_how_references_are_given(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a b.txt").write_text("one two\n")
    assert main(["score", "a b.txt"]) == 2
    assert "fix:   mynah score REF 'a b.txt'" in capsys.readouterr().err
