"""``mynah compare``: systems on the same utterances, against numpy and counts by hand."""

from __future__ import annotations

import json
import math
import random
import re
from pathlib import Path

import numpy as np
import pytest
from browser import on_a_phone
from data_helpers import tone, write_tone
from scipy import stats

from mynah.cli.main import main
from mynah.evaluation.comparing.several import holm

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "call", "the", "light", "on", "off"]


def rows(spoilt: float, seed: int, *, count: int = 96, speakers: int = 8) -> list[dict]:
    """Utterances of random words, of which a share is replaced by a word that is none of them."""
    said, wrong = random.Random(0), random.Random(seed)
    made = []
    for number in range(count):
        reference = [said.choice(WORDS) for _ in range(said.randint(3, 9))]
        recognized = ["nonsense" if wrong.random() < spoilt else word for word in reference]
        made.append(
            {
                "split": "test",
                "id": f"u{number}",
                "speaker": f"s{number % speakers}" if speakers else "",
                "duration_seconds": len(reference) * 0.5,
                "reference": " ".join(reference),
                "hypothesis": " ".join(recognized),
            }
        )
    return made


def write(folder, found, normalizer="basic@2"):
    (folder / "evaluation").mkdir(parents=True)
    lines = "".join(json.dumps(row) + "\n" for row in found)
    (folder / "evaluation" / "utterances.jsonl").write_text(lines)
    results = {"evaluations": {"test": {"normalizer": normalizer}}}
    (folder / "evaluation" / "results.json").write_text(json.dumps(results))


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path


def compared(*arguments: str) -> dict:
    assert main(["compare", *arguments, "--to", "page.html"]) == 0
    return json.loads(Path("page.json").read_text(encoding="utf-8"))


def errors(found) -> np.ndarray:
    """Substituted words of each utterance, by hand."""
    return np.array(
        [
            sum(
                a != b for a, b in zip(r["reference"].split(), r["hypothesis"].split(), strict=True)
            )
            for r in found
        ]
    )


def test_a_planted_difference_is_found_with_numpy_s_numbers(place):
    old, new = rows(0.2, 1), rows(0.1, 2)
    write(place / "old", old)
    write(place / "new", new)
    record = compared("old", "new")
    (pair,) = record["pairs"]
    found = pair["differences"]["wer"]
    before, after = errors(old), errors(new)
    words = np.array([len(row["reference"].split()) for row in old])
    names = np.array([row["speaker"] for row in old])
    value = (after - before).sum() / words.sum()
    without = [
        (after - before)[names != one].sum() / words[names != one].sum() for one in set(names)
    ]
    error = math.sqrt(7 / 8 * sum((one - np.mean(without)) ** 2 for one in without))
    half = stats.t.ppf(0.975, 7) * error
    assert found["difference"] == pytest.approx(value)
    assert (found["low"], found["high"]) == pytest.approx((value - half, value + half))
    assert found["p_value"] == pytest.approx(2 * stats.t.sf(abs(value) / error, 7), abs=1e-9)
    assert pair["significant"] and found["high"] < 0
    assert (pair["won"], pair["lost"], pair["tied"]) == (
        (after < before).sum(),
        (after > before).sum(),
        (after == before).sum(),
    )
    assert record["oracle"] == pytest.approx(np.minimum(before, after).sum() / words.sum())


def test_what_accounts_for_a_difference_adds_up_to_it(place, capsys):
    old, new = rows(0.2, 1), rows(0.1, 2)
    for row in new:  # one speaker gets worse, and one word is always right
        if row["speaker"] == "s3":
            row["hypothesis"] = " ".join("nonsense" for _ in row["reference"].split())
    write(place / "old", old)
    write(place / "new", new)
    (pair,) = compared("old", "new")["pairs"]
    difference = pair["differences"]["wer"]["difference"]
    for groups in pair["accounts"].values():
        assert sum(one["points"] for one in groups) == pytest.approx(difference)
        assert sum(one["utterances"] for one in groups) == 96
    first = pair["accounts"]["speaker"][0]
    mine = [i for i, row in enumerate(old) if row["speaker"] == "s3"]
    assert first["name"] == "s3" and first["points"] > 0
    assert (first["before"], first["after"]) == (errors(old)[mine].sum(), errors(new)[mine].sum())
    for one in [*pair["words_better"], *pair["words_worse"]]:
        for side, name in ((old, "before"), (new, "after")):
            wrong = [
                b != a
                for row in side
                for a, b in zip(row["reference"].split(), row["hypothesis"].split(), strict=True)
                if a == one["word"]
            ]
            assert one[name] == sum(wrong) and one["said"] == len(wrong)
    assert "B gets less often wrong: " in capsys.readouterr().out


def test_a_system_against_itself_is_not_a_difference_at_all(place, capsys):
    write(place / "old", rows(0.2, 1))
    (pair,) = compared("old", "old")["pairs"]
    found = pair["differences"]["wer"]
    assert (found["difference"], found["low"], found["high"]) == (0, 0, 0)
    assert found["p_value"] == 1 and not pair["significant"]
    assert (pair["won"], pair["lost"], pair["tied"]) == (0, 0, 96)
    said = capsys.readouterr().out
    assert "B - A: no difference." in said and "cannot reject" not in said


def test_few_speakers_against_themselves_do_not_differ_and_have_no_interval(place, capsys):
    write(place / "old", rows(0.2, 1, speakers=4))
    compared("old", "old")
    said = " ".join(capsys.readouterr().out.split())
    assert "B - A: no difference." in said and "cannot reject" not in said
    assert "│ +0.00 │ 4 speakers │ 1.000 │" in said


def test_five_speakers_can_reject_nothing_and_the_test_over_utterances_is_said_to_be_optimistic(
    place, capsys
):
    write(place / "old", rows(0.4, 1, speakers=5))
    write(place / "new", rows(0.05, 2, speakers=5))
    (pair,) = compared("old", "new")["pairs"]
    said = " ".join(capsys.readouterr().out.split())
    assert not pair["can_reject"] and not pair["significant"]
    assert pair["over_utterances"]["p_value"] < 0.001
    assert "5 speakers cannot reject chance at 5%" in said and "optimistic: p <0.001" in said


def test_where_no_speaker_is_known_utterances_are_compared(place):
    write(place / "old", rows(0.2, 1, speakers=0))
    write(place / "new", rows(0.1, 2, speakers=0))
    (pair,) = compared("old", "new")["pairs"]
    assert pair["differences"]["wer"]["test"] == "paired permutation test over 96 utterances"
    assert pair["over_utterances"] is None and pair["significant"]


def test_many_pairs_are_corrected_as_holm_does(place):
    for name, spoilt, seed in (("a", 0.2, 1), ("b", 0.1, 2), ("c", 0.2, 3)):
        write(place / name, rows(spoilt, seed))
    pairs = compared("a", "b", "c")["pairs"]
    p = [pair["differences"]["wer"]["p_value"] for pair in pairs]
    order = sorted(range(3), key=lambda one: p[one])
    expected, largest = {}, 0.0
    for rank, one in enumerate(order):
        largest = max(largest, min(1.0, (3 - rank) * p[one]))
        expected[one] = largest
    found = [pair["p_value_holm"] for pair in pairs]
    assert found == pytest.approx([expected[i] for i in range(3)])
    # Holm 1979, by hand: 0.01 x 4, 0.02 x 3, 0.03 x 2, and 0.5 alone.
    assert holm([0.02, 0.01, math.nan, 0.5, 0.03])[:2] == pytest.approx([0.06, 0.04])
    assert holm([0.02, 0.01, math.nan, 0.5, 0.03])[3:] == pytest.approx([0.5, 0.06])


def test_other_normalisers_and_another_order_are_not_an_obstacle(place):
    old, new = rows(0.2, 1), rows(0.1, 2)
    write(place / "old", old)
    write(place / "new", new)
    plain = compared("old", "new")
    for row in new:
        row["reference"] = row["reference"].capitalize() + "."
        row["hypothesis"] = row["hypothesis"].upper() + "!"
    random.Random(5).shuffle(new)
    write(place / "shuffled", new, normalizer="none@1")
    again = compared("old", "shuffled")
    assert again["pairs"] == plain["pairs"] and again["normalizer"].startswith("basic@")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda found: found[:-2], "2 are in old alone, as 'u94', 'u95'"),
        (lambda found: [*found, {**found[0], "id": "x"}], "1 are in new alone, as 'x'"),
        (lambda found: [*found, found[3]], "1 ids are there twice, as 'u3'"),
        (
            lambda found: [{**found[0], "reference": "other words"}, *found[1:]],
            "1 of 96 references differ, as of u0",
        ),
        (lambda found: [{**row, "split": "dev"} for row in found[:9]] + found, "several splits"),
        (lambda found: [{**found[0], "hypothesis": None}, *found[1:]], "line 1"),
        (lambda found: [], "no utterance in it"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_what_differs(place, capsys, spoil, said):
    write(place / "old", rows(0.2, 1))
    write(place / "new", spoil(rows(0.1, 2)))
    assert main(["compare", "old", "new"]) == 2
    message = capsys.readouterr().err
    assert said in message and "where:" in message and len(message.splitlines()) <= 4


def test_a_run_that_is_not_measured_yet_says_so(place, capsys):
    write(place / "old", rows(0.2, 1))
    (place / "new").mkdir()
    (place / "new" / "run.json").write_text('{"status": "running"}')
    assert main(["compare", "old", "new"]) == 2
    said = capsys.readouterr().err
    assert "new was not measured: the run is running." in said and "wait for its end" in said
    assert main(["compare", "old"]) == 2
    assert "two systems or more" in capsys.readouterr().err
    assert main(["compare", "old", "nowhere"]) == 2
    assert "There is no run and no file nowhere" in capsys.readouterr().err


def test_a_checkpoint_stands_for_the_run_that_measured_it_and_no_other_does(
    place, capsys, monkeypatch
):
    write(place / "run", rows(0.2, 1))
    for name in ("checkpoint-2", "checkpoint-4"):
        (place / "run" / "model" / name).mkdir(parents=True)
    monkeypatch.setattr(
        "mynah.evaluation.comparing.reading.resolve_checkpoint",
        lambda typed, here: (here / typed).resolve(),
    )
    file = place / "run" / "evaluation" / "results.json"
    results = json.loads(file.read_text())
    results["about"] = {"checkpoint": str(place / "run" / "model" / "checkpoint-4")}
    file.write_text(json.dumps(results))
    (place / "newest").symlink_to("run/model")
    compared("newest", "run/model/checkpoint-4")  # the top of the model is its best checkpoint
    assert main(["compare", "newest", "run/model/checkpoint-2"]) == 2
    said = capsys.readouterr().err
    assert "run/model/checkpoint-2 was not measured" in said
    assert "mynah eval run/model/checkpoint-2" in said


def test_references_without_words_and_three_utterances_are_answered(place, capsys):
    few = rows(0.2, 1)[:3]
    write(place / "few", few)
    compared("few", "few")
    write(place / "empty", [{**row, "reference": "."} for row in few])
    assert main(["compare", "empty", "empty"]) == 2
    assert "none of the 3 references has a word" in capsys.readouterr().err


def test_hypotheses_of_any_system_are_compared_on_a_file_of_references(place, capsys):
    (place / "ref.txt").write_text("one two three\nfour five\nsix\n")
    (place / "a.txt").write_text("one too three\nfour\nsix\n")
    (place / "b.txt").write_text("one two three\nfour five\nsicks\n")
    record = compared("a.txt", "b.txt", "--reference", "ref.txt")
    assert [one["wer"] for one in record["systems"]] == pytest.approx([2 / 6, 1 / 6])
    assert main(["compare", "a.txt", "b.txt"]) == 2
    assert "--reference FILE" in capsys.readouterr().err
    (place / "b.txt").write_text("one two three\nfour five\n")
    assert main(["compare", "a.txt", "b.txt", "--reference", "ref.txt"]) == 2
    assert "3 and 2 lines" in capsys.readouterr().err


def test_a_manifest_with_another_system_s_texts_is_a_file_of_references(place):
    said = ["one two three", "four five"]
    for name, texts in {
        "a": ["one two three", "four four"],
        "b": ["one", "four"],
        "manifest": ["nothing", "of it"],
    }.items():
        found = [
            {"audio_filepath": f"{n}.wav", "pred_text": text}
            | ({"text": said[n]} if name == "manifest" else {})
            for n, text in enumerate(texts)
        ]
        lines = "".join(json.dumps(row) + "\n" for row in found)
        (place / f"{name}.jsonl").write_text(lines)
    record = compared("a.jsonl", "b.jsonl", "--reference", "manifest.jsonl")
    assert [one["wer"] for one in record["systems"]] == pytest.approx([1 / 5, 3 / 5])


def test_the_page_has_the_hypotheses_side_by_side_and_fits_a_phone(place):
    old, new = rows(0.2, 1), rows(0.1, 2)
    old[0]["hypothesis"] = "<script>alert(1)</script>"
    write(place / "old", old)
    write(place / "new", new)
    compared("old", "new")
    page = (place / "page.html").read_text()
    differing = [
        a["id"] for a, b in zip(old, new, strict=True) if a["hypothesis"] != b["hypothesis"]
    ]
    assert page.count('class="utterance"') == len(differing)
    listed = re.findall(r"(u\d+) · speaker", page)
    assert sorted(listed) == sorted(differing)
    assert "<script>alert" not in page
    found = on_a_phone(place / "page.html")
    assert found["width"] <= 360 and found["nameless"] == 0 and found["buttons"] > 10


def test_what_accounts_for_a_difference_is_said_by_columns_and_measurements_with_intervals(place):
    old, new = rows(0.2, 1), rows(0.1, 2)
    for number, (a, b) in enumerate(zip(old, new, strict=True)):
        for row in (a, b):
            row["columns"] = {"gender": "fm"[number % 2]}
            row["measured"] = {"snr_db": float(number % 40)}
    write(place / "old", old)
    write(place / "new", new)
    (pair,) = compared("old", "new")["pairs"]
    genders = {one["name"]: one for one in pair["accounts"]["gender"]}
    before, after = errors(old), errors(new)
    words = np.array([len(row["reference"].split()) for row in old])
    names = np.array([row["speaker"] for row in old])
    inside = np.arange(96) % 2 == 0
    change = after - before
    value = change[inside].sum() / words[inside].sum()
    without = [
        change[inside & (names != one)].sum() / words[inside & (names != one)].sum()
        for one in set(names[inside])
    ]
    error = math.sqrt(3 / 4 * sum((one - np.mean(without)) ** 2 for one in without))
    half = stats.t.ppf(0.975, 3) * error
    found = genders["f"]["change"]
    assert (found["value"], found["low"], found["high"]) == pytest.approx(
        (value, value - half, value + half)
    )
    assert genders["f"]["over"] == "4 speakers" and genders["f"]["small"]
    ranges = [one["name"] for one in pair["accounts"]["snr_db"]]
    assert ranges[0] == "under 5 dB" and ranges[-1] == "30 to 40 dB"


def test_the_page_plays_recordings_of_a_folder_and_of_the_runs_own_reports(place, capsys):
    from mynah.pages.clips import ClipBudget, data_address, file_player

    old, new = rows(0.2, 1), rows(0.1, 2)
    write(place / "old", old)
    write(place / "new", new)
    differing = [
        a["id"] for a, b in zip(old, new, strict=True) if a["hypothesis"] != b["hypothesis"]
    ]
    compared("old", "new")
    assert "No recordings were found: --audio FOLDER" in (place / "page.html").read_text()
    for name in differing[:5]:
        write_tone(place / "wavs" / f"{name}.wav", 0.2)
    compared("old", "new", "--audio", "wavs", "--players", "3")
    page = (place / "page.html").read_text()
    assert page.count("<audio ") == 3 and "3 have a player" in page
    assert on_a_phone(place / "page.html")["width"] <= 360
    player = file_player(place / "wavs" / f"{differing[0]}.wav", differing[0], ClipBudget())
    address = data_address(tone(0.2), 16000)
    assert f'src="{address[:40]}' in player
    evil = player.replace("data:audio/mpeg;base64,", "https://example.org/").replace(
        differing[0], differing[1]
    )
    (place / "old" / "evaluation" / "report.html").write_text(f"<p>{player}{evil}</p>")
    compared("old", "new")
    page = (place / "page.html").read_text()
    assert re.findall(r'aria-label="Recording of (u\d+)"', page) == [differing[0]]
    assert "example.org" not in page
    assert main(["compare", "old", "new", "--audio", "nowhere"]) == 2
    assert "There is no folder" in capsys.readouterr().err
    (place / "empty").mkdir()
    assert main(["compare", "old", "new", "--audio", "empty"]) == 2
    assert "has the name of an utterance" in capsys.readouterr().err


def test_one_speaker_says_nothing_of_others_and_an_empty_reference_is_in_neither_s_way(
    place, capsys
):
    old, new = rows(0.2, 1, speakers=1), rows(0.1, 2, speakers=1)
    for row in (old[0], new[0]):
        row["reference"] = ""
    write(place / "old", old)
    write(place / "new", new)
    record = compared("old", "new")
    (pair,) = record["pairs"]
    assert pair["differences"]["wer"]["test"] == "paired permutation test over 96 utterances"
    assert pair["over_utterances"] is None and "speaker" not in pair["accounts"]
    assert [one["empty_references"] for one in record["systems"]] == [1, 1]
    assert record["systems"][0]["wrong_in_kind"]["text in silence"]["count"] == 1
    assert "they do not say what other speakers would give" in " ".join(
        capsys.readouterr().out.split()
    )
