"""Lhotse's manifests, as it writes them, and against Lhotse itself where it is installed."""

import numpy as np
import pytest
import soundfile
from data_helpers import tone, write_tone
from source_helpers import opened, rows_of, write_json_lines

from mynah.data.audio import files
from mynah.errors import UserError


def recording(path, name="rec", seconds=4.0, channels=(0,), **more):
    source = {"type": "file", "channels": list(channels), "source": str(path)}
    return {
        "id": name, "sources": [source], "sampling_rate": 16000,
        "num_samples": round(seconds * 16000), "duration": seconds,
        "channel_ids": list(channels), **more,
    }  # fmt: skip


def said(name, start, seconds, text, channel=0, **more):
    return {
        "id": name, "recording_id": "rec", "start": start, "duration": seconds,
        "channel": channel, "text": text, **more,
    }  # fmt: skip


def cut(recorded, *supervisions, start=0.0, seconds=4.0, channel=0, type="MonoCut", **more):
    return {
        "id": "cut", "start": start, "duration": seconds, "channel": channel,
        "supervisions": list(supervisions), "recording": recorded, "type": type, **more,
    }  # fmt: skip


def test_each_supervision_of_a_cut_is_an_utterance(tmp_path):
    file = write_tone(tmp_path / "audio" / "a.flac", 4.0)
    manifest = cut(
        recording(file),
        said("one", 0.5, 1.0, "hello", speaker="ann", language="en"),
        said("over", 1.5, 9.0, "is clipped to the cut"),
        said("before", -0.5, 1.0, "too"),
        start=1.0, seconds=2.5,
    )  # fmt: skip
    full = cut(recording(file), said("whole", 0, 4.0, "all of it"))
    write_json_lines(tmp_path / "l" / "mine_cuts_train-clean-5.jsonl.gz", manifest, full)
    source = opened(tmp_path, "l")
    assert source.format == "lhotse" and source.splits() == ["train-clean-5"]
    rows = rows_of(source)
    assert [(row.id, row.offset_seconds, row.duration_seconds) for row in rows] == [
        ("one", 1.5, 1.0), ("over", 2.5, 1.0), ("before", 1.0, 0.5), ("whole", 0.0, None),
    ]  # fmt: skip
    assert (rows[0].text, rows[0].speaker, rows[0].language) == ("hello", "ann", "en")
    assert rows[0].path == str(file)


def test_recordings_and_supervisions_are_joined(tmp_path):
    file = write_tone(tmp_path / "l" / "a.wav", 4.0)
    write_json_lines(tmp_path / "l" / "recordings_dev.jsonl.gz", recording("a.wav"))
    write_json_lines(
        tmp_path / "l" / "supervisions_dev.jsonl.gz",
        said("one", 0.5, 1.0, "hello"), said("two", 2.0, 1.0, "there"),
    )  # fmt: skip
    rows = rows_of(opened(tmp_path, "l"), "validation")
    assert [(row.id, row.text, row.path) for row in rows] == [
        ("one", "hello", str(file)), ("two", "there", str(file)),
    ]  # fmt: skip
    write_json_lines(
        tmp_path / "l" / "supervisions_dev.jsonl.gz", {**said("x", 0, 1, "y"), "recording_id": "z"}
    )
    with pytest.raises(UserError, match=r"no recording 'z'[\s\S]*line 1"):
        rows_of(opened(tmp_path, "l"), "validation")


def test_a_supervision_is_read_on_its_channel(tmp_path):
    stereo = np.stack([tone(4.0, hertz=300), tone(4.0, hertz=600)], axis=1)
    soundfile.write(tmp_path / "call.wav", stereo, 16000)
    soundfile.write(tmp_path / "b.wav", stereo[:, 1], 16000)
    sides = [said("a", 0, 1, "hello", 0), said("b", 1, 1, "hi", [1]), said("c", 2, 1, "x", [0, 1])]
    one_file = recording(tmp_path / "call.wav", channels=(0, 1))
    two_files = recording(tmp_path / "call.wav", channels=(0, 2))
    two_files["sources"].append(recording(tmp_path / "b.wav", channels=(1,))["sources"][0])
    write_json_lines(
        tmp_path / "l" / "cuts.jsonl",
        cut(one_file, *sides, channel=[0, 1], type="MultiCut"),
        cut(two_files, *sides[:2], channel=[0, 1], type="MultiCut"),
    )
    rows = rows_of(opened(tmp_path, "l/cuts.jsonl"))
    assert [(row.text, row.channel) for row in rows] == [
        ("hello", 0), ("hi", 1), ("x", None), ("hello", 0), ("hi", None),
    ]  # fmt: skip
    assert rows[-1].path == str(tmp_path / "b.wav")
    write_json_lines(
        tmp_path / "l" / "cuts.jsonl", cut(two_files, sides[2], channel=[0, 1], type="MultiCut")
    )
    with pytest.raises(UserError, match="cannot be shared out"):
        rows_of(opened(tmp_path, "l/cuts.jsonl"))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sources": [{"type": "command", "channels": [0], "source": "touch PWNED"}]},
         "runs no command"),
        ({"sources": [{"type": "url", "channels": [0], "source": "https://x/a.wav"}]},
         "nothing is fetched"),
        ({"sources": [{"type": "memory", "channels": [0], "source": "UklGRg=="}]}, "in no file"),
        ({"sources": []}, "no sources"),
        ({"sources": "a.wav"}, "not a list of objects"),
        ({"transforms": [{"name": "Speed", "kwargs": {"factor": 1.1}}]}, "Speed is to change"),
        ({"duration": None}, "not a number of seconds"),
    ],
)  # fmt: skip
def test_what_only_lhotse_can_read_is_refused_with_the_way_out(tmp_path, changed, message):
    write_json_lines(
        tmp_path / "l" / "cuts.jsonl.gz",
        cut({**recording("a.wav"), **changed}, said("a", 0, 1, "x")),
    )
    with pytest.raises(UserError, match=message) as caught:
        rows_of(opened(tmp_path, "l"))
    assert "cuts.jsonl.gz, line 1" in str(caught.value)
    assert not list(tmp_path.rglob("PWNED"))


def test_a_mixed_cut_is_refused(tmp_path):
    write_json_lines(tmp_path / "l" / "cuts.jsonl", {"id": "m", "tracks": [], "type": "MixedCut"})
    with pytest.raises(UserError, match="put together by Lhotse") as caught:
        rows_of(opened(tmp_path, "l"))
    assert "save_audios" in str(caught.value)


def test_rows_are_the_utterances_that_lhotse_itself_cuts(tmp_path):
    lhotse = pytest.importorskip(
        "lhotse", reason="compares with lhotse, which is not installed", exc_type=ImportError
    )
    generator = np.random.default_rng(0)
    for name, channels in (("whole", 2), ("windows", 1)):
        sound = generator.uniform(-0.5, 0.5, (16000 * 8, channels)).astype(np.float32)
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "call.wav", sound, 16000, subtype="FLOAT")
        recorded = lhotse.Recording.from_file(tmp_path / name / "call.wav", recording_id="call")
        supervisions = [
            lhotse.SupervisionSegment(
                id=f"u{number}", recording_id="call", start=number * 0.7,
                duration=0.5 + number * 0.02, channel=number % channels, text=f"text {number}",
                speaker=f"s{number % 2}", language="en",
            )
            for number in range(9)
        ]  # fmt: skip
        held = lhotse.CutSet.from_manifests(
            lhotse.RecordingSet.from_recordings([recorded]),
            lhotse.SupervisionSet.from_segments(supervisions),
        )
        if name == "windows":  # in which some supervisions begin before, or end after
            held = held.cut_into_windows(2.5).to_eager()
        held.to_file(tmp_path / name / "cuts_train.jsonl.gz")
        rows = [row for row in rows_of(opened(tmp_path, name)) if row.text]
        expected = []
        for cut_ in held:
            for supervision in cut_.supervisions:
                part = supervision.trim(cut_.duration)
                sound = cut_.truncate(offset=part.start, duration=part.duration).load_audio()
                side = part.channel if len(sound) > 1 else 0
                expected.append((part.text, part.speaker, part.language, sound[side]))
        assert [(row.text, row.speaker, row.language) for row in rows] == [
            one[:3] for one in expected
        ]
        assert len(rows) > 9 if name == "windows" else len(rows) == 9
        for row, (*_, theirs) in zip(rows, expected, strict=True):
            ours = received(row)
            assert abs(len(ours) - len(theirs)) <= 1  # the end falls between two samples
            shared = min(len(ours), len(theirs))
            assert np.array_equal(ours[:shared], theirs[:shared])


def received(row):
    return files.read(
        row.path, 16000, offset_seconds=row.offset_seconds,
        duration_seconds=row.duration_seconds, channel=row.channel,
    )  # fmt: skip


def test_cuts_of_a_shar_without_its_tars_say_which_are_missing(tmp_path):
    placeholder = recording("", seconds=1.0)
    placeholder["sources"][0]["type"] = "shar"
    listed = cut(placeholder, said("a", 0, 1, "eins"), seconds=1.0)
    write_json_lines(tmp_path / "mine" / "cuts.000007.jsonl.gz", listed)
    with pytest.raises(UserError, match="the tars of their recordings") as problem:
        opened(tmp_path, "mine")
    assert "recording.000007.tar" in problem.value.fix


def test_an_empty_manifest_of_cuts_is_named(tmp_path):
    write_json_lines(tmp_path / "mine" / "cuts_train.jsonl.gz")
    with pytest.raises(UserError, match=r"cuts_train.jsonl.gz is empty"):
        opened(tmp_path, "mine")


# --- names of files -------------------------------------------------------------------------


def write_cuts(path, text):
    write_json_lines(path, cut(recording("a.wav"), said(text, 0, 1, text)))


@pytest.mark.parametrize("ending", ["jsonl.gz", "jsonl"])
def test_manifests_named_split_first_are_each_a_split(tmp_path, ending):
    write_tone(tmp_path / "l" / "a.wav", 4.0)
    for split in ("train", "dev", "test"):
        write_cuts(tmp_path / "l" / f"{split}_cuts.{ending}", split)
    source = opened(tmp_path, "l")
    assert source.format == "lhotse" and source.splits() == ["dev", "test", "train"]
    for split in ("train", "dev", "test"):
        assert [row.text for row in rows_of(source, split)] == [split]


def test_a_corpus_in_front_of_a_split_in_a_manifests_name_is_not_a_part_of_the_split(tmp_path):
    write_tone(tmp_path / "l" / "a.wav", 4.0)
    for split in ("train-clean-100", "dev-other"):
        write_json_lines(tmp_path / "l" / f"libri_{split}_recordings.jsonl", recording("a.wav"))
        write_json_lines(
            tmp_path / "l" / f"libri_{split}_supervisions.jsonl", said(split, 0, 1, split)
        )
    source = opened(tmp_path, "l")
    assert source.splits() == ["dev-other", "train-clean-100"]
    assert [row.text for row in rows_of(source, "train")] == ["train-clean-100"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("ami-ihm_cuts_train.jsonl.gz", "ami-sdm_cuts_train.jsonl.gz"),
        ("ihm_cuts.jsonl.gz", "sdm_cuts.jsonl.gz"),
        ("cuts_train.jsonl", "train_cuts.jsonl"),
    ],
)
def test_two_manifests_of_one_split_are_named_and_neither_is_read(tmp_path, first, second):
    write_cuts(tmp_path / "l" / first, "one")
    write_cuts(tmp_path / "l" / second, "two")
    with pytest.raises(UserError) as caught:
        opened(tmp_path, "l")
    assert first in caught.value.what and second in caught.value.what
    assert caught.value.where == str(tmp_path / "l") and "data.path=" in caught.value.fix
    assert [row.text for row in rows_of(opened(tmp_path, f"l/{second}", audio_folders=["l"]))] == [
        "two"
    ]


def test_recordings_of_two_corpora_of_one_split_are_named(tmp_path):
    for corpus in ("ami-ihm", "ami-sdm"):
        for kind in ("recordings", "supervisions"):
            write_json_lines(tmp_path / "l" / f"{corpus}_{kind}_train.jsonl", recording("a.wav"))
    with pytest.raises(UserError, match=r"ami-ihm_recordings_train.*ami-sdm_recordings_train"):
        opened(tmp_path, "l")


def test_manifests_beside_the_cuts_of_a_split_are_not_in_their_way(tmp_path):
    write_tone(tmp_path / "l" / "a.wav", 4.0)
    write_cuts(tmp_path / "l" / "cuts_train.jsonl", "cut")
    for corpus in ("ihm", "sdm"):
        write_json_lines(tmp_path / "l" / f"{corpus}_recordings_train.jsonl", recording("a.wav"))
    assert [row.text for row in rows_of(opened(tmp_path, "l"))] == ["cut"]


@pytest.mark.parametrize(
    "name",
    ["libri_train-clean-100_cuts.jsonl.gz", "cv-en_cuts.jsonl.gz", "fleurs_tr_cuts.jsonl.gz",
     "dev_cuts.jsonl", "mine_cuts.jsonl"],
)  # fmt: skip
def test_the_only_manifest_of_a_folder_tells_no_split_by_the_beginning_of_its_name(tmp_path, name):
    write_tone(tmp_path / "l" / "a.wav", 4.0)
    write_cuts(tmp_path / "l" / name, "one")
    source = opened(tmp_path, "l")
    assert source.splits() == ["train"] and not source.has_splits
    assert [row.text for row in rows_of(source)] == ["one"]


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (["tr_cuts.jsonl", "cv_cuts.jsonl", "tt_cuts.jsonl"], ["cv", "tr", "tt"]),
        (["train_cuts.jsonl", "cv_cuts.jsonl"], ["cv", "train"]),
        (["train_cv-en_cuts.jsonl", "dev_cv-en_cuts.jsonl"], ["dev_cv-en", "train_cv-en"]),
        (["fleurs_tr_train_cuts.jsonl", "fleurs_tr_dev_cuts.jsonl"], ["dev", "train"]),
        (["cuts_dev.jsonl"], ["dev"]),
        (["cuts_-.jsonl", "cuts_dev.jsonl"], ["-", "dev"]),
    ],
)
def test_a_word_of_several_meanings_tells_a_split_beside_another_one(tmp_path, names, splits):
    write_tone(tmp_path / "l" / "a.wav", 4.0)
    for name in names:
        write_cuts(tmp_path / "l" / name, name)
    assert sorted(opened(tmp_path, "l").splits()) == splits


@pytest.mark.parametrize("other", ["cv-de", "libri", "fleurs_de"])
def test_two_corpora_called_after_a_word_of_several_meanings_are_named(tmp_path, other):
    first = "fleurs_tr" if other == "fleurs_de" else "cv-en"
    for corpus in (first, other):
        write_cuts(tmp_path / "l" / f"{corpus}_cuts.jsonl", "one")
    with pytest.raises(UserError, match=f"{first}_cuts") as caught:
        opened(tmp_path, "l")
    assert f"{other}_cuts" in caught.value.what
