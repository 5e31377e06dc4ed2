"""Public corpora in the layout in which they are unpacked."""

import json

import pytest
from data_helpers import settings, write_tone
from source_helpers import opened, rows_of, write_lines

from mynah.data.preparation.prepare import prepare
from mynah.data.sources import find_format
from mynah.errors import UserError

# --- Common Voice ---------------------------------------------------------------------------

HEADER = (
    "client_id\tpath\tsentence_id\tsentence\tsentence_domain\tup_votes\tdown_votes\tage\tgender\t"
    "accents\tvariant\tlocale\tsegment"
)


def clip(name, sentence, speaker="c0ffee", locale="de"):
    return f"{speaker}\t{name}\t5ent\t{sentence}\t\t2\t0\ttwenties\t\t\t\t{locale}\t"


def write_common_voice(root, language, **splits):
    for split, lines in splits.items():
        write_lines(root / language / f"{split}.tsv", HEADER, *lines)
        for line in lines:
            write_tone(root / language / "clips" / line.split("\t")[1], 0.3)


def test_common_voice_has_its_splits_and_speakers(tmp_path):
    write_common_voice(
        tmp_path / "cv-corpus-21.0", "de",
        train=[clip("common_voice_de_1.mp3", 'Er sagte: "Nein", und ging.')],
        dev=[clip("common_voice_de_2.mp3", "Ja", "beef")],
        validated=[clip("common_voice_de_1.mp3", "x"), clip("common_voice_de_2.mp3", "y")],
    )  # fmt: skip
    for path in ("cv-corpus-21.0/de", "cv-corpus-21.0", "."):
        source = opened(tmp_path, path)
        assert source.format == "common_voice"
        assert source.splits() == ["train", "dev", "validated"]
    (row,) = rows_of(source)
    assert (row.id, row.text) == ("common_voice_de_1", 'Er sagte: "Nein", und ging.')
    assert (row.speaker, row.language) == ("c0ffee", "de")
    assert row.path.endswith("de/clips/common_voice_de_1.mp3")
    assert [row.speaker for row in rows_of(source, "validation")] == ["beef"]


def test_of_several_languages_one_is_to_be_chosen(tmp_path):
    for language in ("cy", "de"):
        write_common_voice(tmp_path / "cv-corpus-1", language, train=[clip("a.mp3", language)])
    with pytest.raises(UserError, match="languages cy, de") as caught:
        opened(tmp_path, "cv-corpus-1")
    assert "data.dataset_configs=[cy]" in str(caught.value)
    (row,) = rows_of(opened(tmp_path, "cv-corpus-1", dataset_configs=["cy"]))
    assert row.text == "cy"


# --- LJ Speech ------------------------------------------------------------------------------


def test_lj_speech_is_read_as_it_is_unpacked(tmp_path):
    write_tone(tmp_path / "LJSpeech-1.1" / "wavs" / "LJ001-0001.wav")
    write_lines(
        tmp_path / "LJSpeech-1.1" / "metadata.csv",
        'LJ001-0001|In 1455, "printing|In fourteen fifty-five, "printing',
        "LJ001-0002|modern.|",
    )
    for path in ("LJSpeech-1.1", "."):
        source = opened(tmp_path, path)
        assert source.format == "ljspeech" and not source.has_splits
    first, second = rows_of(source)
    assert (first.id, first.text) == ("LJ001-0001", 'In fourteen fifty-five, "printing')
    assert first.path.endswith("wavs/LJ001-0001.wav") and first.speaker == "LJ"
    assert second.text == "modern."
    write_lines(tmp_path / "LJSpeech-1.1" / "metadata.csv", "a|b|c", "a b c")
    with pytest.raises(UserError, match=r"1 fields[\s\S]*line 2"):
        rows_of(opened(tmp_path, "."))


# --- speechocean762 -------------------------------------------------------------------------


def write_speechocean762(root):
    scores = {}
    for split, speaker in (("train", "0001"), ("test", "0003")):
        name = f"{speaker[1:]}0010011"
        write_tone(root / "WAVE" / f"SPEAKER{speaker}" / f"{name}.WAV", 0.4)
        write_lines(root / split / "wav.scp", f"{name}\tWAVE/SPEAKER{speaker}/{name}.WAV")
        write_lines(root / split / "text", f"{name}\tWE CALL IT BEAR")
        write_lines(root / split / "utt2spk", f"{name}\t{speaker}")
        scores[name] = {"text": "WE CALL IT BEAR", "total": 8, "words": []}
    (root / "resource").mkdir()
    (root / "resource" / "scores.json").write_text(json.dumps(scores))


def test_speechocean762_is_read_as_it_is_unpacked(tmp_path):
    write_speechocean762(tmp_path / "speechocean762")
    for path in ("speechocean762", "."):
        source = opened(tmp_path, path)
        assert source.format == "speechocean762" and source.splits() == ["train", "test"]
    (row,) = rows_of(source, "test")
    assert (row.id, row.text, row.speaker) == ("0030010011", "WE CALL IT BEAR", "0003")
    (tmp_path / "speechocean762" / "train" / "text").unlink()
    assert rows_of(source)[0].text == "WE CALL IT BEAR"  # the scores have it too
    config = settings(tmp_path, dataset_name="speechocean762", eval_splits=["test"])
    assert prepare(config, working_directory=tmp_path).train.hours > 0


def test_a_sentence_of_speechocean762_that_no_table_holds_is_named(tmp_path):
    write_speechocean762(tmp_path / "speechocean762")
    (tmp_path / "speechocean762" / "train" / "text").unlink()
    scores = tmp_path / "speechocean762" / "resource" / "scores.json"
    scores.write_text(scores.read_text().replace("BEAR", "\\ud800"))  # half a character
    with pytest.raises(UserError, match=r"not valid Unicode[\s\S]*scores.json, 0010010011"):
        rows_of(opened(tmp_path, "speechocean762"))


def test_speechocean762_never_runs_what_its_listing_says(tmp_path):
    write_speechocean762(tmp_path / "speechocean762")
    write_lines(tmp_path / "speechocean762" / "train" / "wav.scp", f"a touch {tmp_path}/PWNED |")
    (row,) = rows_of(opened(tmp_path, "speechocean762"))
    assert row.path.endswith("|") and not list(tmp_path.rglob("PWNED"))


# --- LibriSpeech and AN4 --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../../../../../secret", "9" * 5000, "a\0b"])
def test_a_transcript_of_librispeech_leads_nowhere_else(tmp_path, name):
    write_tone(tmp_path / "secret.flac")
    chapter = tmp_path / "mine" / "train-clean-5" / "1" / "10"
    write_tone(chapter / "1-10-0000.flac")
    write_lines(chapter / "1-10.trans.txt", "1-10-0000 HELLO", f"{name} THERE")
    source = opened(tmp_path, "mine")
    if name.startswith("9"):  # no file can be called that: it is missing
        assert [row.text for row in rows_of(source)] == ["HELLO", "THERE"]
        return
    with pytest.raises(UserError, match=r"leads out of the corpus|names no audio file") as caught:
        rows_of(source)
    assert "1-10.trans.txt, line 2" in str(caught.value)


def test_a_listing_of_an4_leads_nowhere_else(tmp_path):
    write_tone(tmp_path / "secret.wav")
    write_lines(tmp_path / "mine" / "etc" / "an4_train.fileids", "../../secret")
    write_lines(tmp_path / "mine" / "etc" / "an4_train.transcription", "YES (secret)")
    with pytest.raises(UserError, match=r"leads out of the corpus[\s\S]*line 1"):
        rows_of(opened(tmp_path, "mine"))


# --- all of them ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["common_voice", "ljspeech", "librispeech", "an4", "speechocean762"]
)
def test_a_corpus_by_its_name_asks_where_it_lies(tmp_path, name):
    with pytest.raises(UserError, match="say where it lies"):
        opened(tmp_path, name)
    assert find_format(settings(tmp_path, dataset_name=name, path="x"), tmp_path) == name
    with pytest.raises(UserError, match="There is no") as caught:
        opened(tmp_path, name, path=".")
    assert "data.path=FOLDER" in str(caught.value)


@pytest.mark.parametrize("format", ["nemo", "lhotse", "kaldi", "disk", "webdataset", "parquet"])
def test_a_format_that_is_not_there_says_what_it_needs(tmp_path, format):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"There (is|are) no") as caught:
        opened(tmp_path, "empty", format=format)
    assert "data.path=" in str(caught.value)
