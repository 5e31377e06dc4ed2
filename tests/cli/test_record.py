"""``mynah record``: sentences become a corpus that a training takes."""

from __future__ import annotations

import csv
import re
import shlex
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import soundfile

from mynah.cli.main import main
from mynah.config.hydra.compose import compose
from mynah.config.schema import Config, DataConfig
from mynah.data.preparation.prepare import prepare

RATE = 16000
SENTENCES = ["call anna at nine", "ten minutes, please", "next song"]


def tone(hertz, seconds=2.0, amplitude=0.1):
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(int(RATE * seconds)) / RATE)).astype(
        "f4"
    )


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with the sentences, and takes of 300, 400, 500 … hertz as a microphone."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sentences.txt").write_text("\n".join([*SENTENCES, "", SENTENCES[0]]) + "\n")
    (tmp_path / "takes").mkdir()
    for number in range(6):
        soundfile.write(tmp_path / "takes" / f"{number}.flac", tone(300 + 100 * number), RATE)
    return tmp_path


@pytest.fixture
def typed(capsys, monkeypatch):
    """Runs ``mynah record`` with answers: exit status, standard output and error."""

    def run(*arguments, answers=()):
        waiting = iter(answers)

        def answer(shown):
            print(shown)
            try:
                return next(waiting)
            except StopIteration:
                raise EOFError from None

        monkeypatch.setattr("builtins.input", answer)
        try:
            status = main(["record", *map(str, arguments)])
        except SystemExit as leaving:
            status = leaving.code
        return status, *capsys.readouterr()

    return run


def rows(place):
    with (place / "my_voice" / "metadata.csv").open(newline="") as file:
        return [(row["text"], row["file_name"], row["speaker"]) for row in csv.DictReader(file)]


def hertz(place, name):
    """The frequency of a kept tone, by its spectrum."""
    audio, rate = soundfile.read(place / "my_voice" / name)
    return round(float(np.argmax(np.abs(np.fft.rfft(audio)))) * rate / len(audio))


COMMAND = ("sentences.txt", "--to", "my_voice", "--speaker", "anna", "--device", "takes")
TAKE = ["", "", ""]  # Enter records, Enter stops, Enter keeps


def test_each_sentence_is_recorded_once(typed, place):
    status, out, err = typed(*COMMAND, answers=TAKE * 3)
    assert (status, err) == (0, "")
    assert [(text, speaker) for text, _, speaker in rows(place)] == [
        (sentence, "anna") for sentence in SENTENCES
    ]
    assert [hertz(place, name) for _, name, _ in rows(place)] == [300, 400, 500]
    assert "2/3  ten minutes, please" in out and "0 sentences are left" in out
    assert soundfile.info(place / "my_voice" / "0001.wav").subtype == "PCM_16"


def test_a_take_is_recorded_again_and_a_sentence_is_skipped_and_gone_back_to(typed, place):
    # The first is recorded twice, the second skipped, then gone back to and recorded.
    answers = ["", "", "r", "", "", "s", *["b"], *TAKE, "q"]
    status, _, _ = typed(*COMMAND, answers=answers)
    assert status == 0
    assert [(text, hertz(place, name)) for text, name, _ in rows(place)] == [
        (SENTENCES[0], 400), (SENTENCES[1], 500)
    ]  # fmt: skip


def test_a_session_is_resumed(typed, place):
    assert typed(*COMMAND, answers=[*TAKE, "s", "q"])[0] == 0
    status, out, _ = typed(*COMMAND, answers=TAKE * 2)
    assert status == 0 and "1 of 3 sentences are recorded already" in out
    assert [text for text, _, _ in rows(place)] == SENTENCES
    status, out, _ = typed(*COMMAND)
    assert status == 0 and "3 of 3" in out and "1/" not in out


def test_the_end_of_the_input_keeps_what_is_done(typed, place):
    status, out, _ = typed(*COMMAND, answers=[*TAKE, ""])
    assert status == 0 and "The same command resumes" in out
    assert [text for text, _, _ in rows(place)] == SENTENCES[:1]


def test_a_doubtful_take_is_kept_only_where_that_is_asked_for(typed, place):
    soundfile.write(place / "takes" / "0.flac", np.clip(tone(300, 2.0, 3.0), -1, 1), RATE)
    soundfile.write(place / "takes" / "1.flac", np.clip(tone(400, 2.0, 3.0), -1, 1), RATE)
    answers = ["", "", "", "", "k", "q"]  # recorded, doubtful: again by Enter, then kept
    status, out, _ = typed(*COMMAND, answers=answers)
    assert status == 0 and out.count("it is clipped in") == 2
    assert [hertz(place, name) for _, name, _ in rows(place)] == [400]


def test_the_folder_is_a_corpus_and_the_printed_training_can_be_typed(typed, place):
    _, out, _ = typed(*COMMAND, answers=TAKE * 3)
    config = DataConfig(
        dataset_name="my_voice", eval_splits=[], dataset_cache_dir=str(place / "cache")
    )
    corpus = prepare(config, offline=True, working_directory=place).train
    assert sorted(corpus.texts) == sorted(SENTENCES)
    command = re.search(r"mynah (train .*)", out)[1]
    composed: Config = compose(shlex.split(command)[1:]).config
    assert composed.data.dataset_name.endswith("my_voice") and composed.model.use_lora


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "mynah record sentences.txt --to my_voice"),
        (("nowhere.txt", "--to", "x"), "sentences cannot be read"),
        (("empty.txt", "--to", "x"), "no sentences"),
        (("long.txt", "--to", "x"), "long.txt:2"),
        (("sentences.txt", "--to", "sentences.txt"), "and not a folder"),
        (("sentences.txt", "--to", "other"), "another kind"),
        (("sentences.txt", "--to", "x", "--device", "empty"), "no recordings"),
        (("sentences.txt", "--to", "x", "--rate", "12345"), "12345 Hz"),
    ],
)
def test_a_mistake_is_named_before_anything_is_recorded(typed, place, arguments, said):
    (place / "empty.txt").write_text(" \n\n")
    (place / "long.txt").write_text(f"short\n{'long ' * 100}\n")
    (place / "other").mkdir()
    (place / "other" / "metadata.csv").write_text("file_name,sentence\n1.wav,mine\n")
    (place / "empty").mkdir()
    status, _, err = typed(*arguments)
    assert status == 2 and said in err
    assert (place / "other" / "metadata.csv").read_text().endswith("1.wav,mine\n")


@pytest.fixture
def sound_device(monkeypatch):
    """A fake of the library that reads microphones: it gives 700 Hz in blocks."""
    library = ModuleType("sounddevice")

    class PortAudioError(Exception): ...

    class InputStream:
        def __init__(self, *, samplerate, channels, dtype, device, callback):
            assert (channels, dtype) == (1, "float32")
            library.opened = SimpleNamespace(rate=samplerate, device=device)
            self._callback = callback

        def __enter__(self):
            if library.is_broken:
                raise PortAudioError("Device unavailable [PaErrorCode -9985]")
            for block in np.split(tone(700), 10):
                self._callback(block[:, None], len(block), None, None)

        def __exit__(self, *_): ...

    def query_devices(device=None, kind=None):
        known = [
            {"name": "Speakers", "max_input_channels": 0},
            {"name": "USB microphone", "max_input_channels": 1},
        ]
        if kind is None:
            return known
        if device not in (None, 1, "USB"):
            raise ValueError(f"No input device matching {device!r}")
        return known[1]

    library.PortAudioError, library.InputStream = PortAudioError, InputStream
    library.query_devices, library.is_broken = query_devices, False
    monkeypatch.setitem(sys.modules, "sounddevice", library)
    return library


def test_a_microphone_is_recorded_at_its_rate(typed, place, sound_device):
    arguments = ("sentences.txt", "--to", "my_voice", "--device", "1")
    status, out, _ = typed(*arguments, answers=[*TAKE, "q"])
    assert status == 0 and "USB microphone, 16,000 Hz" in out
    assert (sound_device.opened.rate, sound_device.opened.device) == (RATE, 1)
    ((_, name, speaker),) = rows(place)
    assert hertz(place, name) == 700 and speaker
    audio, _ = soundfile.read(place / "my_voice" / name, dtype="float32")
    assert np.abs(audio - tone(700)).max() < 2.0**-15


def test_microphones_are_listed_and_what_is_wrong_with_one_is_said(typed, place, sound_device):
    status, out, _ = typed("--list-devices")
    assert status == 0 and out.split() == ["1", "USB", "microphone"]
    start = ("sentences.txt", "--to", "my_voice")
    status, _, err = typed(*start, "--device", "Bluetooth")
    assert status == 2 and "--list-devices" in err
    sound_device.is_broken = True
    status, _, err = typed(*start, answers=TAKE)
    assert status == 2 and "Device unavailable" in err and "Traceback" not in err


def test_a_library_that_is_missing_is_named(typed, place, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    status, _, err = typed("sentences.txt", "--to", "my_voice")
    assert status == 2 and 'pip install "mynah-asr[record]"' in err
