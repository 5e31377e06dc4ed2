"""From settings to corpora: filters, text policy, limits, and an account of every row."""

import json
import pickle

import numpy as np
import pytest
from data_helpers import settings, write_folder, write_tone

from mynah.data.audio.files import AudioError
from mynah.data.preparation import checking
from mynah.data.preparation.prepare import prepare
from mynah.data.tables import table
from mynah.errors import UserError

ROWS = [(f"a{number}.wav", f"Sentence number {number}!", f"s{number % 4}") for number in range(12)]


def prepared(tmp_path, rows=ROWS, **changed):
    if not (tmp_path / "recordings").exists():
        write_folder(tmp_path / "recordings", rows)
    config = settings(tmp_path, dataset_name="recordings", **changed)
    return prepare(config, working_directory=tmp_path)


def test_a_folder_without_splits_holds_out_all_of_a_speaker(tmp_path, capsys):
    data = prepared(tmp_path, eval_fraction=0.2)
    held = data.evaluation["held_out"]
    assert len(data.train) + len(held) == 12 and len(held) >= 0.2 * 12
    assert not set(data.train.speakers) & set(held.speakers)
    assert "Held out for evaluation" in capsys.readouterr().out
    assert data.report["held_out"] == {"by": "speaker", "names": sorted(set(held.speakers))}


def test_what_was_held_out_stays_so_when_recordings_are_added(tmp_path):
    before = prepared(tmp_path)
    speaker = before.evaluation["held_out"].speakers[0]
    more = [("new.wav", "new", "s9"), ("again.wav", "again", speaker)]
    write_folder(tmp_path / "recordings", [*ROWS, *more])
    after = prepared(tmp_path)
    assert set(after.evaluation["held_out"].ids) == {
        *before.evaluation["held_out"].ids, "again.wav",
    }  # fmt: skip
    assert "new.wav" in after.train.ids


def test_utterances_are_held_out_where_no_speaker_is_known(tmp_path):
    data = prepared(tmp_path, rows=[(name, text, "") for name, text, _ in ROWS], eval_splits=None)
    assert data.report["held_out"]["by"] == "utterance"
    assert len(data.evaluation["held_out"]) == 2  # a tenth of 12, rounded up


def test_evaluation_alone_prepares_no_training_corpus(tmp_path):
    write_folder(tmp_path / "recordings", ROWS)
    config = settings(tmp_path, dataset_name="recordings", eval_splits=None)
    data = prepare(config, working_directory=tmp_path, train=False)
    assert data.train is None and len(data.evaluation["held_out"]) >= 1
    assert "train" not in data.report["splits"]


def test_filters_touch_training_alone_unless_asked(tmp_path):
    folder = tmp_path / "recordings"
    for split in ("train", "test"):
        write_folder(
            folder / split,
            [*ROWS, ("long.wav", "one two three four five six", "s0"), ("mute.wav", "", "s0")],
        )
        (folder / split / "broken.wav").write_bytes(b"RIFF")
        with (folder / split / "metadata.csv").open("a") as listing:
            listing.write("broken.wav,broken,s1\nabsent.wav,absent,s1\n")
    limits = {
        "min_audio_seconds": 0.55, "max_audio_seconds": 1.45, "max_text_words": 3,
        "eval_splits": ["test"],
    }  # fmt: skip
    data = prepared(tmp_path, **limits)
    train, test = data.report["splits"]["train"], data.report["splits"]["test"]
    assert train["dropped"] == {
        "too short": 1, "too long": 3, "no transcript": 1, "unreadable": 2,
    }  # fmt: skip
    assert {row["id"] for row in train["dropped_rows"]} == {
        "a0.wav", "a10.wav", "a11.wav", "long.wav", "mute.wav", "broken.wav", "absent.wav",
    }  # fmt: skip
    assert train["kept"] == len(data.train) == 9
    reasons = {row["id"]: row["detail"] for row in train["dropped_rows"]}
    assert "there is no file" in reasons["absent.wav"] and reasons["broken.wav"]
    assert "1.50 s, above max_audio_seconds=1.45" in reasons["a10.wav"]
    # The evaluation keeps every row that has a transcript, and names what cannot be read.
    assert test["dropped"] == {"no transcript": 1} and test["kept"] == 15
    assert [row["id"] for row in test["kept_unreadable"]] == ["broken.wav", "absent.wav"]
    corpus = data.evaluation["test"]
    with pytest.raises(AudioError, match=r"broken\.wav"):
        corpus.read_audio(corpus.ids.index("broken.wav"))
    filtered = prepared(tmp_path, filter_eval=True, **limits)
    assert filtered.report["splits"]["test"]["dropped"] == train["dropped"]


def test_too_many_words_is_a_reason_of_its_own(tmp_path):
    rows = [*ROWS, ("wordy.wav", "one two three four five six", "s0")]
    data = prepared(tmp_path, rows=rows, max_text_words=5, eval_fraction=0.0)
    assert data.report["splits"]["train"]["dropped"] == {"too many words": 1}
    assert data.report["splits"]["train"]["kept"] == 12


def test_a_broken_training_row_can_end_the_run(tmp_path):
    write_folder(tmp_path / "recordings", ROWS)
    (tmp_path / "recordings" / "a3.wav").write_bytes(b"no sound")
    with pytest.raises(UserError, match=r"a3\.wav"):
        prepared(tmp_path, on_error="fail", eval_fraction=0.0)


def test_the_text_policy_is_for_training_transcripts(tmp_path):
    data = prepared(tmp_path, text_case="lower", strip_punctuation=True)
    assert all(text.startswith("sentence number") for text in data.train.texts)
    assert all(text.endswith("!") for text in data.evaluation["held_out"].texts)


def test_limits_choose_the_same_rows_every_time_and_evenly(tmp_path):
    few = prepared(tmp_path, max_train_samples=4, eval_fraction=0.0)
    assert len(few.train) == 4 and not few.evaluation
    assert few.report["splits"]["train"]["beyond_max_samples"] == 8
    more = prepared(tmp_path, max_train_samples=6, eval_fraction=0.0)
    assert set(few.train.ids) < set(more.train.ids)
    assert more.train.ids == sorted(more.train.ids, key=[row[0] for row in ROWS].index)
    assert more.train.ids != [row[0] for row in ROWS[:6]]


def test_a_share_keeps_a_part_of_what_a_larger_share_keeps(tmp_path):
    full = prepared(tmp_path, eval_fraction=0.0)
    half = prepared(tmp_path, train_share=0.5, eval_fraction=0.0)
    third = prepared(tmp_path, train_share=0.3, eval_fraction=0.0)
    limited = prepared(tmp_path, train_share=0.5, max_train_samples=5, eval_fraction=0.0)
    assert [len(one.train) for one in (full, half, third, limited)] == [12, 6, 4, 3]
    assert set(third.train.ids) < set(half.train.ids) < set(full.train.ids)


def test_a_share_leaves_evaluation_splits_as_they_are(tmp_path):
    full = prepared(tmp_path)
    half = prepared(tmp_path, train_share=0.5)
    assert half.evaluation["held_out"].ids == full.evaluation["held_out"].ids
    assert len(half.train) < len(full.train)


def test_slices_are_the_first_rows_in_the_corpuss_order(tmp_path):
    data = prepared(tmp_path, train_splits=["train[:3]", "train[-2:]"], eval_splits=["train[3:5]"])
    assert data.train.ids == [ROWS[n][0] for n in (0, 1, 2, 10, 11)]
    assert list(data.evaluation) == ["train[3:5]"]
    assert data.evaluation["train[3:5]"].ids == ["a3.wav", "a4.wav"]


def test_nothing_left_to_train_on_is_an_error_that_says_why(tmp_path):
    with pytest.raises(UserError, match="12 too long"):
        prepared(tmp_path, max_audio_seconds=0.2, eval_fraction=0.0)


def test_an_unknown_split_names_those_that_are_there(tmp_path):
    with pytest.raises(UserError) as caught:
        prepared(tmp_path, eval_splits=["trian"])
    assert "has no split 'trian'. It has: train." in str(caught.value)
    assert "data.eval_splits=[train]" in str(caught.value)


def test_a_prepared_corpus_is_not_read_again_until_it_changes(tmp_path, monkeypatch):
    first = prepared(tmp_path)
    read = []
    look = checking.files.inspect
    monkeypatch.setattr(
        checking.files, "inspect", lambda file, **part: read.append(file.name) or look(file, **part)
    )
    again = prepared(tmp_path)
    assert not read and again.report == first.report
    write_tone(tmp_path / "recordings" / "a5.wav", 3.0)
    changed = prepared(tmp_path)
    assert "a5.wav" in read
    assert changed.report["fingerprints"] != first.report["fingerprints"]


def test_an_interrupted_preparation_reads_only_what_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(checking, "_SHARD_ROWS", 4)
    look, read = checking.files.inspect, []

    def interrupted(file, **part):
        if file.name == "a9.wav":
            raise KeyboardInterrupt
        return look(file, **part)

    monkeypatch.setattr(checking.files, "inspect", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepared(tmp_path)
    monkeypatch.setattr(
        checking.files, "inspect", lambda file, **part: read.append(file.name) or look(file, **part)
    )
    assert len(prepared(tmp_path, eval_fraction=0.0).train) == 12
    assert sorted(read) == sorted(f"a{number}.wav" for number in (8, 9, 10, 11))


def test_the_report_can_be_written_as_json(tmp_path):
    report = prepared(tmp_path, max_audio_seconds=1.0).report
    assert json.loads(json.dumps(report)) == report


def test_a_fingerprint_is_of_the_content_and_not_of_the_place(tmp_path):
    first = prepared(tmp_path / "one")
    second = prepared(tmp_path / "two")
    assert first.report["fingerprints"] == second.report["fingerprints"]
    other = [(name, text + " more", speaker) for name, text, speaker in ROWS]
    third = prepared(tmp_path / "three", rows=other)
    assert third.train.fingerprint != first.train.fingerprint


def test_a_full_disk_is_reported_in_a_few_lines_with_a_way_out(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(table, "write_shard", full)
    with pytest.raises(UserError) as caught:
        prepared(tmp_path)
    assert "No space left on device" in str(caught.value)
    assert "data.dataset_cache_dir=" in str(caught.value)


def test_a_corpus_gives_its_rows_audio_and_a_part_of_itself(tmp_path):
    corpus = prepared(tmp_path, language="en", eval_fraction=0.0).train
    assert len(corpus) == 12 and corpus.name == "train"
    assert corpus[1].id == "a1.wav" and corpus[1].text == "Sentence number 1!"
    assert corpus[1].language == "en" and corpus[-1].id == "a11.wav"
    assert corpus.durations.dtype == np.float64
    assert np.allclose(corpus.durations, 0.5 + 0.1 * np.arange(12))
    assert corpus.audio_file(2) == (tmp_path / "recordings" / "a2.wav").resolve()
    part = corpus.select([4, 2])
    assert part.ids == ["a4.wav", "a2.wav"] and part.texts[1] == "Sentence number 2!"
    assert part[0].duration_seconds == pytest.approx(0.9)
    assert len(part.read_audio(0)) == 14400
    with pytest.raises(IndexError):
        corpus[12]


def test_a_corpus_can_be_sent_to_a_worker(tmp_path):
    corpus = prepared(tmp_path, text_case="lower", eval_fraction=0.0).train
    assert corpus.ids and corpus.fingerprint  # cached here, not sent
    sent = pickle.loads(pickle.dumps(corpus))
    assert "ids" not in vars(sent)
    assert sent.texts == corpus.texts and sent.fingerprint == corpus.fingerprint
    assert np.array_equal(sent.read_audio(3), corpus.read_audio(3))


def test_recordings_behind_a_slice_are_not_decoded(tmp_path):
    folder = write_folder(tmp_path / "corpus", ROWS[:6])
    (folder / ROWS[5][0]).write_bytes(b"broken")
    config = settings(
        tmp_path, path=str(folder), train_splits=["train[:3]"], eval_splits=[], on_error="fail"
    )
    data = prepare(config, working_directory=tmp_path)
    assert len(data.train) == 3
