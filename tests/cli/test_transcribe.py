"""``mynah transcribe`` and the Python API: what was measured is what is written."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import forked_commands
import numpy as np
import pytest
import soundfile
from workspaces import SMALL, clone, environment

sys.path.insert(0, str(Path(__file__).parents[1]))

from shard_files import RATE, encoded, write_manifest

from mynah import console
from mynah.checkpoints.commit import find_damage
from mynah.cli.main import main
from mynah.inference.output import JOURNAL, Folder
from mynah.models.transcript import Transcript

TEXTS = ["abc", "bcd", "cde", "def", "efg", "fgh", "acegb", "hgfed"]
# A training and an evaluation by the functions of the package, and what they return.
SCRIPT = f"""
import json
import mynah
from mynah.errors import UserError
run = mynah.train(["data.dataset_name=calls", "data.path=calls", "data.eval_splits=[dev]",
    "data.sample_rate=8000", "training.per_device_train_batch_size=4", *{SMALL.split()!r},
    "training.max_steps=150", "training.eval_steps=150", "data.max_eval_samples=40"])
evaluation = mynah.evaluate(run.model, "calls/test.jsonl")
corpus = mynah.prepare("calls/test.jsonl", ["data.sample_rate=8000", "data.eval_splits=[train]"])
recognizer = mynah.load(run.model)
found = {{
    "directory": str(run.directory), "model": str(run.model), "report": str(run.report),
    "measured": {{h.id: h.text for h in evaluation.hypotheses}},
    "wer": evaluation.scores["wer"].value,
    "prepared": sorted(corpus.texts),
    "transcribed": recognizer.transcribe(corpus.read_audio(0)).text,
    "first": corpus.ids[0],
}}
try:
    mynah.train(["training.max_stepz=2"])
except UserError as problem:
    found["refused"] = str(problem)
open("found.json", "w").write(json.dumps(found))
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A folder with a model that Python trained, and ``found.json``: what its functions gave."""
    folder = clone(tmp_path_factory.mktemp("transcribe"))
    for split, rows in (("train", TEXTS * 3), ("dev", TEXTS * 5), ("test", TEXTS)):
        ids = [f"{split}{number}" for number in range(len(rows))]
        write_manifest(folder / "calls" / f"{split}.jsonl", ids, rows)
    (folder / "session.py").write_text(SCRIPT)
    done = forked_commands.run(["python", "session.py"], folder, environment(), timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    recordings = folder / "recordings"
    recordings.mkdir()
    for number, text in enumerate(TEXTS):
        (recordings / f"test{number}.flac").write_bytes(encoded(text))
    return folder


@pytest.fixture
def typed(workspace, monkeypatch, capsys):
    """Runs ``mynah transcribe ...`` in the workspace: exit status, standard output and error."""
    monkeypatch.chdir(workspace)

    def run(*arguments):
        try:
            status = main(["transcribe", *map(str, arguments)])
        except SystemExit as leaving:
            status = leaving.code
        finally:
            console.use_stderr(False)
        return status, *capsys.readouterr()

    return run


@pytest.fixture(scope="module")
def found(workspace):
    return json.loads((workspace / "found.json").read_text())


def test_python_trains_measures_prepares_and_transcribes(found, workspace):
    assert Path(found["model"]).samefile(workspace / "outputs" / "model")
    assert Path(found["report"]).is_file() and 0 <= found["wer"] < 3
    assert found["prepared"] == sorted(TEXTS)
    assert found["transcribed"] == found["measured"][found["first"]]
    assert "training.max_steps=2" in found["refused"]


def test_the_transcripts_of_files_are_those_that_were_measured(typed, found):
    status, out, _ = typed("recordings", "--format", "json")
    assert status == 0
    written = {Path(one["name"]).stem: one["text"] for one in map(json.loads, out.splitlines())}
    assert written == found["measured"] and len(written) == 8
    assert len(set(written.values())) > 4  # a model that learned something


def test_words_have_the_confidences_that_were_fitted_on_the_evaluation_split(typed, workspace):
    stored = json.loads((workspace / "outputs" / "model" / "confidence.json").read_text())
    checkpoints = list((workspace / "outputs" / "model").glob("checkpoint-*/confidence.json"))
    assert [json.loads(one.read_text()) for one in checkpoints] == [stored]
    assert stored["words"] >= 1 and stored["temperature"] > 0
    assert find_damage(workspace / "outputs" / "model") is None
    _, out, _ = typed("recordings/test0.flac", "--format", "json", "--words")
    (segment,) = json.loads(out)["segments"]
    assert segment["words"] and all(0 <= one["confidence"] <= 1 for one in segment["words"])


def test_pieces_of_a_long_recording_are_as_long_as_the_clips_of_the_training(
    typed, workspace, monkeypatch
):
    """At pauses of 0.3 s, where a model without such clips is given them in windows; the clips of
    the training have three to five letters of a tenth of a second each."""
    from mynah.inference import recognizer, voice_activity

    monkeypatch.setattr(recognizer, "detector", voice_activity.LevelDetector)  # tones, no speech
    about = json.loads((workspace / "outputs" / "model" / "mynah.json").read_text())
    assert 0.3 < about["clips"]["mean_seconds"] < about["clips"]["longest_seconds"] == 0.5
    silence = np.zeros(round(0.3 * RATE), np.float32)
    sounds = [soundfile.read(workspace / "recordings" / f"test{one}.flac")[0] for one in range(8)]
    joined = np.concatenate(12 * [part for one in sounds for part in (one, silence)])
    assert len(joined) / RATE > 60
    soundfile.write(workspace / "joined.wav", joined, RATE)
    status, out, _ = typed("joined.wav", "--format", "json")
    segments = json.loads(out)["segments"]
    starts = np.cumsum([0.0, *12 * [len(one) / RATE + 0.3 for one in sounds]])
    assert status == 0 and 0 < len(segments) <= 96
    for one in segments:  # within one clip and the pauses beside it
        clip = int(np.searchsorted(starts, one["start"] + 0.2)) - 1
        assert starts[clip] - 0.3 <= one["start"] and one["end"] <= starts[clip + 1] + 0.05


def test_a_setting_of_decoding_is_taken_as_eval_takes_it(typed):
    status, _, err = typed("recordings/test0.flac", "model.language_model=none")
    assert status == 0 and "greedy CTC" in err
    status, _, err = typed("recordings/test0.flac", "model.lora_r=3")
    assert status == 2 and "model.lora_r" in err


def test_a_folder_is_continued_where_it_was_killed(typed, tmp_path, monkeypatch):
    add, written = Folder.add, []

    def killed(self, source, transcription):
        if len(written) == 3:
            self._note(source, "")  # it was begun
            (tmp_path / f"{source.name}.txt").write_text("half")
            raise KeyboardInterrupt
        written.append(source.name)
        add(self, source, transcription)

    monkeypatch.setattr(Folder, "add", killed)
    assert typed("recordings", "--to", tmp_path)[0] == 130
    monkeypatch.setattr(Folder, "add", add)
    done = [tmp_path / f"{name}.txt" for name in written]
    before = {path: path.stat().st_mtime_ns for path in done}
    assert len(list(tmp_path.glob("*.txt"))) == 4
    with (tmp_path / JOURNAL).open("a") as journal:
        journal.write('{"name": "te')  # what a kill leaves of a line
    status, out, err = typed("recordings", "--to", tmp_path)
    assert (status, out) == (0, "") and "3 of 8 recordings are done already" in err
    texts = [path.read_text() for path in tmp_path.glob("*.txt")]
    assert len(texts) == 8 and "half" not in texts
    assert {path: path.stat().st_mtime_ns for path in before} == before
    status, _, err = typed("recordings", "--to", tmp_path)
    assert status == 0 and "8 of 8" in err


def test_other_settings_transcribe_a_folder_again(typed, tmp_path):
    assert typed("recordings", "--to", tmp_path)[0] == 0
    _, _, err = typed("recordings", "--to", tmp_path, "model.language_model=none")
    assert "done already" not in err and "8 recordings" in err


def test_nothing_that_another_wrote_is_replaced_without_being_asked(typed, tmp_path):
    (tmp_path / "test3.txt").write_text("mine")
    status, _, err = typed("recordings", "--to", tmp_path)
    assert status == 2 and "test3.txt" in err and "--overwrite" in err
    assert (tmp_path / "test3.txt").read_text() == "mine"
    assert typed("recordings", "--to", tmp_path, "--overwrite")[0] == 0
    assert (tmp_path / "test3.txt").read_text() != "mine"


def test_a_bad_file_is_named_and_the_others_are_done(typed, tmp_path, workspace):
    for number in range(2):
        (tmp_path / f"good{number}.flac").write_bytes(encoded(TEXTS[number]))
    (tmp_path / "bad.wav").write_bytes(b"RIFF\x00\x00")
    (tmp_path / "empty.mp3").write_bytes(b"")
    (tmp_path / "page.wav").write_text("<html>not found</html>")
    status, out, err = typed(tmp_path, "--to", tmp_path / "made")
    assert status == 1 and out == ""
    assert {path.stem for path in (tmp_path / "made").glob("*.txt")} == {"good0", "good1"}
    for name, reason in (("bad.wav", ""), ("empty.mp3", "0 bytes"), ("page.wav", "web page")):
        assert any(name in line and reason in line for line in err.splitlines())
    assert "Traceback" not in err


def test_standard_input_and_a_file_of_another_ending_are_read(typed, found, monkeypatch, workspace):
    class Standard:
        buffer = (workspace / "recordings" / "test2.flac").open("rb")

    monkeypatch.setattr("sys.stdin", Standard)
    status, out, _ = typed("-")
    assert (status, out) == (0, found["measured"]["test2"] + "\n")
    (workspace / "renamed.data").write_bytes(encoded(TEXTS[2]))
    assert typed("renamed.data")[1] == found["measured"]["test2"] + "\n"


def test_each_channel_is_transcribed_by_itself(typed, found, tmp_path):
    left, right = (soundfile.read(_file(tmp_path, n), dtype="float32")[0] for n in (0, 6))
    stereo = np.zeros((max(len(left), len(right)), 2), np.float32)
    stereo[: len(left), 0], stereo[: len(right), 1] = left, right
    soundfile.write(tmp_path / "call.wav", stereo, RATE)
    _, out, _ = typed(tmp_path / "call.wav", "--channels", "split", "--format", "json")
    segments = {one["channel"]: one["text"] for one in json.loads(out)["segments"]}
    _, first, _ = typed(tmp_path / "call.wav", "--channels", "first")
    _, second, _ = typed(tmp_path / "call.wav", "--channels", "2")
    assert [segments.get(0, ""), segments.get(1, "")] == [first.strip(), second.strip()]


def _file(folder, number):
    path = folder / f"{number}.flac"
    path.write_bytes(encoded(TEXTS[number]))
    return path


def test_every_format_is_written_beside_the_others(typed, tmp_path):
    names = "txt,json,srt,vtt,ctm,textgrid,tsv"
    assert typed("recordings/test0.flac", "--to", tmp_path, "--format", names)[0] == 0
    assert {path.suffix for path in tmp_path.glob("test0.*")} == {
        ".txt", ".json", ".srt", ".vtt", ".ctm", ".TextGrid", ".tsv"
    }  # fmt: skip
    status, out, _ = typed("recordings/test0.flac", "--to", tmp_path / "one.vtt")
    assert (status, out) == (0, "") and (tmp_path / "one.vtt").read_text().startswith("WEBVTT")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.wav"], "There is no file or folder missing.wav"),
        (["recordings/test9.flac"], "mynah transcribe recordings/test"),
        (["calls/empty"], "no recordings in this folder"),
        (["recordings", "--format", "srt"], "--format srt --to transcripts"),
        (["recordings", "--model", "outputs/modle"], "--model=outputs/model"),
        (["recordings", "--model", "calls"], "calls holds no checkpoint"),
        (["recordings", "--context", "nowhere.txt"], "--context nowhere.txt"),
        (["recordings", "--model", "recordings/test0.flac"], "this is a file"),
    ],
)
def test_a_mistake_is_named_before_a_model_is_loaded(typed, workspace, arguments, said):
    (workspace / "calls" / "empty").mkdir(exist_ok=True)
    status, out, err = typed(*arguments)
    assert (status, out) == (2, "") and said in err and len(err.splitlines()) <= 10


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_a_pipe_with_a_name_is_refused_and_not_waited_for(typed, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    status, _, err = typed(tmp_path / "pipe")
    assert status == 2 and f"cat {tmp_path / 'pipe'} | mynah transcribe -" in err


def test_silence_is_an_empty_transcript(typed, tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(3 * RATE, np.float32), RATE)
    status, out, err = typed(tmp_path / "silence.wav")
    assert (status, out) == (0, "\n") and "without speech" in err


def test_an_hour_of_zeros_is_an_empty_transcript(typed, tmp_path, monkeypatch):
    monkeypatch.setattr("mynah.inference.voice_activity.silero_file", lambda: None)
    soundfile.write(tmp_path / "zeros.flac", np.zeros(3600 * RATE, np.int16), RATE)
    status, out, err = typed(tmp_path / "zeros.flac")
    assert (status, out) == (0, "\n") and "1.00 h without speech were not decoded" in err


def test_what_is_cut_is_named(typed, workspace, tmp_path, monkeypatch):
    monkeypatch.setattr("mynah.inference.decoding.invents", lambda family: True)
    monkeypatch.setattr(
        "mynah.models.ctc.family.CTC.transcribe",
        lambda self, clips: [Transcript("call anna", is_cut=True) for _ in clips],
    )
    content = (workspace / "recordings" / "test0.flac").read_bytes()
    audio, rate = soundfile.read(io.BytesIO(content), dtype="int16")
    soundfile.write(tmp_path / "call.wav", audio, rate)
    whole = (tmp_path / "call.wav").read_bytes()
    (tmp_path / "call.wav").write_bytes(whole[: -len(whole) // 4])
    status, out, err = typed(tmp_path / "call.wav", "--format", "json")
    guarded = json.loads(out)["guarded"]
    assert (status, guarded["texts_cut"], guarded["cut_short"]) == (0, 1, 1)
    said = " ".join(err.split())
    assert "1 transcript is cut off at the most tokens allowed" in said
    assert "model.generation_max_length" in said and said.count("call.wav") == 2
    assert "1 recording is cut short (its file ends before its header says) and transcribed" in said


def test_what_repeats_itself_is_guarded_and_counted(typed, workspace, tmp_path, monkeypatch):
    """A decoder that writes the same on and on: left in a clip, cut in pieces of a recording."""
    monkeypatch.setattr("mynah.inference.decoding.invents", lambda family: True)
    monkeypatch.setattr("mynah.inference.voice_activity.silero_file", lambda: None)
    monkeypatch.setattr(
        "mynah.models.ctc.family.CTC.transcribe",
        lambda self, clips: [Transcript("and then " * 20) for _ in clips],
    )
    status, out, err = typed("recordings/test0.flac")
    assert status == 0 and out.split() == ["and", "then"] * 20
    assert "1 transcripts repeat themselves" in err and "test0.flac" in err
    call = soundfile.read(workspace / "recordings" / "test7.flac", dtype="float32")[0]
    pause = np.zeros(RATE, np.float32)
    long = np.concatenate([call, pause] * int(45 * RATE / (len(call) + RATE) + 1))
    soundfile.write(tmp_path / "long.flac", long, RATE)
    status, out, err = typed(tmp_path / "long.flac")
    pieces = int(re.search(r"(\d+) pieces in which the model repeated itself", err)[1])
    assert status == 0 and pieces > 3 and out.split() == ["and", "then"] * pieces


def test_neither_help_nor_import_loads_what_is_heavy():
    code = (
        "import sys, mynah\nfrom mynah.errors import UserError\n"
        "from mynah.cli.main import main\n"
        "try: main(['transcribe', '--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('torch', 'transformers', 'datasets', 'hydra') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("[]\n")


def test_the_sound_of_a_video_is_transcribed_and_a_video_without_is_named(typed, found, tmp_path):
    av = pytest.importorskip("av")
    sound = soundfile.read(_file(tmp_path, 6), dtype="float32")[0]
    for name, tracks in (("talk.mp4", 2), ("mute.mp4", 1)):
        with av.open(str(tmp_path / name), "w") as container:
            film = container.add_stream("mpeg4", rate=10)
            film.width = film.height = 64
            voice = container.add_stream("aac", rate=RATE, layout="mono") if tracks == 2 else None
            for number in range(10):
                picture = av.VideoFrame.from_ndarray(np.full((64, 64, 3), number, np.uint8))
                container.mux(film.encode(picture))
            container.mux(film.encode(None))
            if voice is not None:
                frame = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
                frame.sample_rate, frame.pts = RATE, 0
                container.mux(voice.encode(frame))
                container.mux(voice.encode(None))
    status, out, _ = typed(tmp_path / "talk.mp4", "--format", "json")
    assert status == 0 and json.loads(out)["duration"] == pytest.approx(len(sound) / RATE, abs=0.2)
    status, _, err = typed(tmp_path / "mute.mp4")
    assert status == 2 and "no sound in it" in err
