"""What is there twice in training, and what training and evaluation share."""

import numpy as np
import pytest
from data_helpers import settings, write_folder, write_tone
from hypothesis import given
from hypothesis import settings as property_settings
from hypothesis import strategies as st
from stored_corpora import stored_corpus

from mynah.data.preparation.duplicates import digests, find_duplicates
from mynah.data.preparation.leaks import find_leaks
from mynah.data.preparation.prepare import prepare
from mynah.errors import UserError

AUDIO, TEXT = "abc", "xy"


@property_settings(max_examples=30, deadline=None)
@given(counts=st.lists(st.integers(0, 3), min_size=6, max_size=6).filter(any))
def test_duplicates_are_those_that_a_comparison_of_all_pairs_finds(counts, tmp_path_factory):
    held = [(AUDIO[n // 2], TEXT[n % 2]) for n, count in enumerate(counts) for _ in range(count)]
    rows = [
        {"digest": "" if audio == "c" else f"{ord(audio):016x}", "text": text}
        for audio, text in held
    ]
    corpus = stored_corpus(tmp_path_factory.mktemp("held") / "t", rows)
    found = find_duplicates(corpus, digests(corpus))
    same, other = [], []
    for row, (audio, text) in enumerate(held):
        firsts = [at for at in range(row) if held[at][0] == audio and audio != "c"]
        if firsts:
            (same if held[firsts[0]][1] == text else other).append(row)
            assert found.first[row] == firsts[0]
    assert found.same_text.tolist() == same and found.other_text.tolist() == other


def recordings(tmp_path):
    folder = tmp_path / "mine"
    write_folder(folder, [("a.wav", "one", "ann"), ("b.wav", "two", "ben")])
    for name, text in (("again.wav", "one"), ("other.wav", "not one")):
        (folder / name).write_bytes((folder / "a.wav").read_bytes())
        with (folder / "metadata.csv").open("a") as listing:
            listing.write(f"{name},{text},ann\n")
    return folder


def test_recordings_that_are_there_twice_are_kept_and_said(tmp_path, capsys):
    recordings(tmp_path)
    config = settings(tmp_path, dataset_name="mine", eval_splits=[])
    data = prepare(config, working_directory=tmp_path)
    reported = " ".join(capsys.readouterr().out.split())
    assert "2 recordings of train are there twice (1 with another transcript)" in reported
    assert "as again.wav, which is a.wav" in reported
    assert len(data.train) == 4
    assert data.report["splits"]["train"]["duplicates"]["same_audio_and_text"] == 1


def test_all_but_the_first_can_be_left_out(tmp_path):
    recordings(tmp_path)
    config = settings(tmp_path, dataset_name="mine", eval_splits=[], on_duplicates="drop")
    account = prepare(config, working_directory=tmp_path).report["splits"]["train"]
    assert account["dropped_rows"] == [
        {"id": "again.wav", "reason": "duplicate", "detail": "as a.wav"},
        {"id": "other.wav", "reason": "same audio, another transcript", "detail": "as a.wav"},
    ]


def test_a_duplicate_can_end_the_run(tmp_path):
    recordings(tmp_path)
    config = settings(tmp_path, dataset_name="mine", eval_splits=[], on_duplicates="fail")
    for _ in range(2):  # from the cache too
        with pytest.raises(UserError, match=r"2 training recordings .* again\.wav = a\.wav"):
            prepare(config, working_directory=tmp_path)


def pair(tmp_path, train, evaluation):
    return stored_corpus(tmp_path / "train", train), stored_corpus(tmp_path / "test", evaluation)


def test_shared_speakers_sentences_and_recordings_are_counted(tmp_path):
    train, test = pair(
        tmp_path,
        [{"speaker": s, "text": f"It's {n}, really!"} for n, s in enumerate("aabbcc")],
        [
            {"speaker": "b", "text": "its 3 REALLY", "digest": "f" * 16, "audio": {"path": "v"}},
            {"speaker": "b", "text": "new", "digest": "e" * 16, "audio": {"path": "w"}},
            {"speaker": "z", "text": "", "digest": f"{2:016x}", "audio": {"path": "x"}},
            {"speaker": "", "text": "  ...", "digest": "", "audio": {"path": "u5.wav"}},
        ],
    )
    found = find_leaks(train, test)
    assert found["speakers"] == {"shared": 1, "utterances": 2, "examples": ["b"]}
    assert found["sentences"] == {"shared": 1, "utterances": 1, "examples": ["its 3 really"]}
    assert found["recordings"] == {"shared": 2, "utterances": 2, "examples": ["u2", "u3"]}


def test_only_rows_that_are_chosen_leak(tmp_path):
    train, test = pair(tmp_path, [{"speaker": s} for s in "ab"], [{"speaker": "a", "text": "z"}])
    found = find_leaks(train.select(np.array([1])), test)
    assert found["speakers"]["shared"] == 0


def test_files_of_a_shard_are_not_one_recording(tmp_path):
    def part(start, digest):
        return {
            "audio": {"path": "shard.tar"}, "byte_offset": start, "byte_length": 9,
            "digest": digest, "text": digest,
        }  # fmt: skip

    train, test = pair(tmp_path, [part(0, "a" * 16)], [part(9, "b" * 16)])
    assert find_leaks(train, test)["recordings"]["shared"] == 0


def splits_that_share(tmp_path, *, sentence="new one", speaker="dan"):
    write_folder(tmp_path / "c" / "train", [("a.wav", "one", "ann"), ("b.wav", "two", "ben")])
    write_tone(tmp_path / "c" / "test" / "t.wav", 2.0, hertz=900)
    (tmp_path / "c" / "test" / "metadata.csv").write_text(
        f"file_name,text,speaker\nt.wav,{sentence},{speaker}\n"
    )
    return tmp_path / "c"


def told_of(tmp_path, capsys, **changed):
    config = settings(tmp_path, dataset_name="c", eval_splits=["test"], **changed)
    data = prepare(config, working_directory=tmp_path)
    return data, " ".join(capsys.readouterr().out.split())


def test_a_shared_speaker_is_warned_of(tmp_path, capsys):
    splits_that_share(tmp_path, speaker="ann")
    data, reported = told_of(tmp_path, capsys)
    assert "note: Shared with training: 1 speaker of test (1 of 1 utterances; 'ann')" in reported
    assert data.report["leaks"]["test"]["speakers"]["shared"] == 1
    assert "Shared" not in told_of(tmp_path, capsys, on_leak="ignore")[1]
    with pytest.raises(UserError, match="1 speaker of test"):
        told_of(tmp_path, capsys, on_leak="fail")


def test_a_shared_sentence_is_one_calm_line(tmp_path, capsys):
    splits_that_share(tmp_path, sentence="One.")
    _, reported = told_of(tmp_path, capsys)
    assert "Shared with training: 1 sentence of test (1 of 1 utterances; 'one')" in reported
    assert "note:" not in reported


def test_nothing_shared_is_not_talked_about(tmp_path, capsys):
    splits_that_share(tmp_path)
    assert "Shared" not in told_of(tmp_path, capsys)[1]


def test_evaluation_alone_asks_for_no_training_corpus_to_compare_with(tmp_path):
    splits_that_share(tmp_path, speaker="ann")
    config = settings(tmp_path, dataset_name="c", eval_splits=["test"], on_leak="fail")
    data = prepare(config, working_directory=tmp_path, train=False)
    assert "leaks" not in data.report
