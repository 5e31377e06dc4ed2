"""``mynah data inspect`` on a folder in which one row is wrong in each way."""

from __future__ import annotations

import json
from collections import Counter
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
import torch
from browser import on_a_phone
from inspected_corpora import dirty_rows, plain_rows, real_corpus, write_corpus

from mynah.cli import main


class Page(HTMLParser):
    """What a browser would find."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def dirty(tmp_path_factory):
    """(folder, kind: wrong file, number of rows that are there to be inspected)."""
    root = tmp_path_factory.mktemp("corpora") / "dirty"
    rows, wrong = dirty_rows()
    evaluation = plain_rows("validation", 12, first=500)
    evaluation[0]["text"] = rows[20]["text"]
    evaluation[1]["audio"] = rows[21]["audio"]
    evaluation[2]["speaker"] = rows[22]["speaker"]
    evaluation[3]["text"] = "an unheard zebra"
    broken = {**rows[30], "file_name": "train/broken.wav"}
    write_corpus(root, [*rows, broken, *evaluation])
    (root / "train" / "broken.wav").write_bytes(b"RIFF")
    return root, wrong


@pytest.fixture(scope="module")
def inspected(dirty, tmp_path_factory):
    """(record, page) of the folder."""
    directory = tmp_path_factory.mktemp("inspected")
    root, _ = dirty
    page = directory / "page.html"
    arguments = [str(root), f"data.dataset_cache_dir={directory}/cache", "--to", str(page)]
    assert main.main(["data", "inspect", *arguments, "data.num_proc=2"]) == 0
    return json.loads((directory / "page.json").read_text()), page.read_text()


def test_each_wrong_row_is_found_and_no_other(dirty, inspected):
    _, wrong = dirty
    found = inspected[0]["splits"]["train"]["suspicious"]
    assert {kind: [row["id"] for row in one["rows"]] for kind, one in found.items()} == {
        kind: [name] for kind, name in wrong.items()
    }
    assert inspected[0]["splits"]["train"]["suspicious_rows"] == len(wrong)
    assert found["duplicate"]["rows"][0]["detail"] == (
        "the recording of train/010.wav, with another transcript"
    )
    assert found["digits"]["rows"][0]["detail"] == "42"
    assert found["other_script"]["rows"][0]["detail"] == "м и р"


def test_the_numbers_are_those_counted_one_by_one(dirty, inspected):
    rows, _ = dirty_rows()
    root, _ = dirty
    split = inspected[0]["splits"]["train"]
    seconds = [soundfile.info(root / row["file_name"]).duration for row in rows]
    texts = [str(row["text"]).lower() for row in rows]
    rates = [len(text) / length for text, length in zip(texts, seconds, strict=True)]
    words = Counter(word.strip("<>") for text in texts for word in text.split())
    assert split["utterances"] == 50
    assert split["speakers"] == 4
    assert split["hours"] == pytest.approx(sum(seconds) / 3600)
    assert split["characters_a_second"]["p50"] == pytest.approx(np.median(rates))
    assert split["duration_seconds"]["p95"] == pytest.approx(np.quantile(seconds, 0.95))
    assert split["words"] == words
    assert split["running_words"] == sum(words.values())
    assert split["characters"] == Counter("".join(texts))
    assert sum(split["histograms"]["duration_seconds"]["counts"]) == 50
    by_speaker = {group["name"]: group for group in split["by"]["speaker"]}
    assert by_speaker["train-1"]["utterances"] == 13
    assert by_speaker["train-1"]["hours"] == pytest.approx(sum(seconds[1::4]) / 3600)


def test_on_a_phone_the_page_does_not_scroll_sideways_and_its_buttons_have_names(
    inspected, tmp_path
):
    (tmp_path / "page.html").write_text(inspected[1])
    found = on_a_phone(tmp_path / "page.html")
    assert found["width"] <= 360
    assert found["buttons"] > 10 and found["nameless"] == 0


def test_what_an_evaluation_split_shares_with_training_is_counted(inspected):
    split = inspected[0]["splits"]["validation"]
    assert split["shared_with_training"] == {
        "speakers": ["train-2"],
        "utterances_of_speakers": 1,
        "sentences": 1,
        "recordings": 1,
    }
    assert split["out_of_vocabulary"]["words"] == {"an": 1, "unheard": 1, "zebra": 1}
    assert split["out_of_vocabulary"]["running"] == pytest.approx(3 / (11 * 6 + 3))
    assert (
        split["out_of_vocabulary"]["characters"] == ["z"]
        or "z" in (split["out_of_vocabulary"]["characters"])
    )


def test_what_preparation_left_out_is_there_with_its_reason(inspected):
    split = inspected[0]["splits"]["train"]
    assert split["left_out"] == {"unreadable": 1}
    assert split["left_out_rows"][0]["id"] == "train/broken.wav"
    assert "train/broken.wav" in inspected[1]


def test_the_page_needs_nothing_from_anywhere_and_plays_what_looks_wrong(inspected):
    page = Page(inspected[1])
    assert page.all("link") == [] and page.all("img") == [] and len(page.all("script")) == 1
    for _, attributes in page.elements:
        for name in ("src", "href"):
            assert attributes.get(name, "#").startswith(("#", "data:audio/"))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(link["href"][1:] in ids for link in page.all("a"))
    labels = [player["aria-label"] for player in page.all("audio")]
    assert "Recording of train/001.wav" in labels
    assert all(svg.get("role") == "img" or svg.get("aria-hidden") for svg in page.all("svg"))


def test_a_transcript_with_a_script_in_it_is_inert(tmp_path):
    rows = plain_rows("train", 3) + plain_rows("validation", 2, first=90)
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    for row in rows:
        row["text"] = row["speaker"] = evil
    root = write_corpus(tmp_path / "evil", rows)
    arguments = [str(root), f"data.dataset_cache_dir={tmp_path}/cache", "data.text_case=keep"]
    assert main.main(["data", "inspect", *arguments, "--to", str(tmp_path / "p.html")]) == 0
    page = Page((tmp_path / "p.html").read_text())
    assert len(page.all("script")) == 1 and page.all("img") == []


@pytest.fixture
def clean(tmp_path, monkeypatch):
    """Arguments for a small folder with a split ``test`` and none called validation."""
    monkeypatch.chdir(tmp_path)
    rows = plain_rows("train", 30) + plain_rows("test", 6, first=90)
    root = write_corpus(tmp_path / "clean", rows)
    return [str(root), f"data.dataset_cache_dir={tmp_path}/cache"]


def test_the_page_is_put_below_outputs_by_itself(clean, tmp_path, capsys):
    assert main.main(["data", "inspect", *clean]) == 0
    reported = capsys.readouterr().out
    assert "outputs/inspection/clean/inspection.html" in reported
    assert (tmp_path / "outputs/inspection/clean/inspection.json").is_file()
    assert "▁" in reported or "█" in reported
    assert "Looking at: test" in reported


def test_without_audio_nothing_is_decoded_and_the_page_says_so(clean, tmp_path, monkeypatch):
    def never(*arguments, **named):
        raise AssertionError("listened")

    monkeypatch.setattr("mynah.data.signals.audio_scan.scan", never)
    assert main.main(["data", "inspect", *clean, "--no-audio", "--to", "p.html"]) == 0
    assert json.loads((tmp_path / "p.json").read_text())["splits"]["train"]["audio"] is None
    assert "not listened to" in (tmp_path / "p.html").read_text()


def test_forty_rows_of_a_kind_are_listed_and_twelve_of_them_played(tmp_path):
    rows = plain_rows("train", 110)
    for row in rows[:45]:
        row["text"] = f"{row['text']} 42"  # digits, which the others write as words
    corpus = write_corpus(tmp_path / "digits", rows)
    settings = ["data.eval_splits=[]", f"data.dataset_cache_dir={tmp_path}/cache"]
    page = tmp_path / "page.html"
    assert main.main(["data", "inspect", str(corpus), *settings, "--to", str(page)]) == 0
    listed = played = 0
    digits = False
    for name, attributes in Page(page.read_text()).elements:
        if name == "article":
            digits = "digits" in (attributes.get("data-kinds") or "").split()
            listed += digits
        played += digits and name == "audio"
    assert (listed, played) == (40, 12)


def test_a_sample_bounds_what_is_listened_to_and_not_what_is_counted(clean, tmp_path, capsys):
    assert main.main(["data", "inspect", *clean, "--sample", "4", "--to", "p.html"]) == 0
    split = json.loads((tmp_path / "p.json").read_text())["splits"]["train"]
    assert split["audio"]["recordings"] == 4
    assert split["utterances"] == 30
    assert "4 of 30 in train" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        (["--with", "nowhere"], "There is no checkpoint nowhere"),
        (["--with", "clean"], "--with clean"),
        (["--to", "page.txt"], "HTML file"),
        (["--to", "clean/metadata.csv/page.html"], "is a file, and nothing can lie in it"),
        (["--sample", "0"], "at least one row"),
    ],
)
def test_a_mistake_is_reported_before_anything_is_prepared(
    clean, tmp_path, capsys, monkeypatch, arguments, reported
):
    monkeypatch.setattr(
        "mynah.data.preparation.prepare.prepare", lambda *a, **b: pytest.fail("prepared")
    )
    assert main.main(["data", "inspect", *clean, *arguments]) == 2
    error = capsys.readouterr().err
    assert reported in error
    assert "Traceback" not in error and "eval_checkpoint" not in error


def test_an_empty_corpus_is_reported(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main.main(["data", "inspect", str(tmp_path / "empty")]) == 2
    assert "error:" in capsys.readouterr().err


def test_a_checkpoint_s_model_names_the_transcript_that_is_not_what_was_said(tmp_path, monkeypatch):
    """A model that knows every transcript but one, and a corpus in which that one is wrong."""
    rows = plain_rows("train", 30) + plain_rows("validation", 6, first=90)
    said = {row["file_name"]: str(row["text"]) for row in rows}
    rows[7]["text"] = "this is not at all what anybody says here"
    root = write_corpus(tmp_path / "corpus", rows)

    def knowing(corpus):
        return [said[name] for name in corpus.ids]

    from mynah.evaluation import evaluate as evaluation
    from mynah.evaluation.hypothesis import Hypothesis

    def decode(family, corpus, **settings):
        texts = knowing(corpus)
        return [
            Hypothesis(corpus.ids[row], corpus.texts[row], texts[row], 1.0)
            for row in range(len(corpus))
        ]

    monkeypatch.setattr(evaluation, "decode", decode)
    monkeypatch.setattr("mynah.cli.data.inspect._checkpoint", lambda asked, here: here)
    monkeypatch.setattr("mynah.cli.data.inspect._family", lambda *arguments: Model())
    arguments = [str(root), f"data.dataset_cache_dir={tmp_path}/cache", "--with", "model"]
    assert main.main(["data", "inspect", *arguments, "--to", str(tmp_path / "p.html")]) == 0
    found = json.loads((tmp_path / "p.json").read_text())["splits"]["train"]["disagreement"]
    assert found["rows"][0]["id"] == "train/007.wav"
    assert found["striking"] == 1
    assert found["decoded"] == 30
    assert "w substitute" in (tmp_path / "p.html").read_text()


class Model:
    sample_rate = 16000
    model = torch.nn.Linear(1, 1)


def test_a_real_corpus_is_counted_as_its_readme_says(tmp_path):
    root = real_corpus("an4")
    arguments = [str(root), f"data.dataset_cache_dir={tmp_path}/cache", "data.eval_splits=[test]"]
    page = tmp_path / "p.html"
    assert main.main(["data", "inspect", *arguments, "--sample", "20", "--to", str(page)]) == 0
    splits = json.loads((tmp_path / "p.json").read_text())["splits"]
    assert (splits["train"]["utterances"], splits["train"]["speakers"]) == (948, 74)
    assert (splits["test"]["utterances"], splits["test"]["running_words"]) == (130, 773)
    assert splits["test"]["hours"] == pytest.approx(0.10, abs=0.005)
    assert splits["test"]["suspicious_rows"] == 0
