"""``mynah data augment``: clips, pictures, what was sampled, and the page."""

import json

import numpy as np
import pytest
import soundfile
from data_helpers import write_folder, write_tone

from mynah.cli import main

ON = ("data.augmentation.room_probability=1", "data.augmentation.noise_snr_db=[5,20]")


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [(f"{number}.wav", f"word {number}", "s") for number in range(5)]
    write_folder(tmp_path / "train", rows)
    return "train"


def augment(*arguments):
    cache = "data.dataset_cache_dir=cache"
    return main.main(["data", "augment", *arguments, cache, "data.num_proc=1"])


def test_before_and_after_are_written_with_what_was_sampled(corpus, tmp_path, capsys):
    assert augment(corpus, *ON, "--to", "preview", "--utterances", "3", "--epoch", "2") == 0
    reported = json.loads((tmp_path / "preview" / "drawn.json").read_text())
    assert reported["epoch"] == 2 and len(reported["utterances"]) == 3
    for one in reported["utterances"]:
        before, rate = soundfile.read(tmp_path / "preview" / one["before"])
        after, _ = soundfile.read(tmp_path / "preview" / one["after"])
        assert rate == 16000 and len(before) == len(after)
        assert not np.allclose(before, after, atol=1e-3)
        assert 5 <= one["drawn"]["noise"]["snr_db"] <= 20
        for name in (one["before"], one["after"]):
            picture = (tmp_path / "preview" / name).with_suffix(".png")
            assert picture.read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "preview" / "index.html").read_text()
    assert page.count("<audio") == 6 and page.count("data:image/png;base64,") == 6
    assert "img-src data:" in page
    assert "preview/index.html" in capsys.readouterr().out


def test_the_same_command_makes_the_same_and_another_epoch_does_not(corpus, tmp_path):
    found = {}
    for folder, epoch in (("a", "0"), ("b", "0"), ("c", "1")):
        assert augment(corpus, *ON, "--to", folder, "--utterances", "2", "--epoch", epoch) == 0
        utterances = json.loads((tmp_path / folder / "drawn.json").read_text())["utterances"]
        found[folder] = [
            (one["id"], (tmp_path / folder / one["after"]).read_bytes()) for one in utterances
        ]
    assert found["a"] == found["b"]
    assert [one for one, _ in found["c"]] == [one for one, _ in found["a"]]
    assert found["c"] != found["a"]


def test_the_preview_is_of_an_epoch_after_the_warm_up_unless_one_is_named(corpus, tmp_path):
    warm = "data.augmentation.warmup_epochs=3"
    drawn = {}
    for folder, arguments in (("after", [warm]), ("first", [warm, "--epoch", "0"])):
        assert augment(corpus, *ON, *arguments, "--to", folder, "--utterances", "2") == 0
        reported = json.loads((tmp_path / folder / "drawn.json").read_text())
        drawn[folder] = reported["epoch"], [bool(one["drawn"]) for one in reported["utterances"]]
    assert drawn == {"after": (3, [True, True]), "first": (0, [False, False])}


def test_a_factor_of_the_frequencies_is_named_and_the_masks_beside_it_are_counted(corpus, tmp_path):
    warp = "data.augmentation.vocal_tract_factors=[1.1,1.2]"
    masks = "data.augmentation.spec_augment.frequency_masks=1"
    drawn = {}
    for folder, settings in (("warp", [warp]), ("masks", [masks]), ("both", [warp, masks])):
        assert augment(corpus, *settings, "--to", folder, "--utterances", "2") == 0
        utterances = json.loads((tmp_path / folder / "drawn.json").read_text())["utterances"]
        drawn[folder] = [one["drawn"] for one in utterances]
    assert all(1.1 <= one["vocal_tract"] <= 1.2 for one in drawn["warp"])
    assert [one.get("spec_augment") for one in drawn["both"]] == [
        one.get("spec_augment") for one in drawn["masks"]
    ]
    page = (tmp_path / "both" / "index.html").read_text()
    assert f"frequencies × {drawn['both'][0]['vocal_tract']:.2f}" in page


def test_a_second_run_takes_the_place_of_the_first_and_of_nothing_else(corpus, tmp_path, capsys):
    assert augment(corpus, *ON, "--to", "preview", "--utterances", "3") == 0
    assert augment(corpus, *ON, "--to", "preview", "--utterances", "1") == 0
    assert len(list((tmp_path / "preview").glob("*.flac"))) == 2
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it")
    assert augment(corpus, *ON, "--to", "mine") == 2
    assert "holds something else" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*ON, "--utterances", "0"), "--utterances is at least 1"),
        ((*ON, "--epoch", "-1"), "--epoch is at least 0"),
        (("data.augmentation.noise_folder=nowhere",), "There is no folder"),
        ((*ON, "data.augmentation.noise_folder=empty"), "There is no audio in"),
    ],
)
def test_mistakes_are_reported_with_what_fixes_them(corpus, tmp_path, capsys, arguments, said):
    (tmp_path / "empty").mkdir()
    assert augment(corpus, *arguments) == 2
    assert said in capsys.readouterr().err


def test_an_utterance_that_broke_is_passed_over_by_name(corpus, tmp_path, capsys):
    assert augment(corpus, *ON, "--to", "preview") == 0
    broken = tmp_path / "train" / "1.wav"
    broken.write_bytes(broken.read_bytes()[:2000])
    write_tone(tmp_path / "train" / "2.wav", 0.7, hertz=220)  # in full, with another sound
    assert augment(corpus, *ON, "--to", "preview") == 0
    reported = json.loads((tmp_path / "preview" / "drawn.json").read_text())["utterances"]
    assert len(reported) == 4


def test_without_a_further_word_an_example_is_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MYNAH_CACHE", str(tmp_path / "cache"))
    assert main.main(["data", "augment", "--to", "heard"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "No augmentation is on: this is an example, data.augmentation.room_" in said
    made = json.loads((tmp_path / "heard" / "drawn.json").read_text())["utterances"]
    assert len(made) == 6 and all(5 <= one["drawn"]["noise"]["snr_db"] <= 25 for one in made)
    assert any("room" in one["drawn"] for one in made)
