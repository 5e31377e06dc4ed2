"""``mynah demo``: what is said into a browser is transcribed, corrected and kept."""

from __future__ import annotations

import csv
import io
import re
import signal
import subprocess
import sys
import time
from importlib.util import find_spec

import numpy as np
import pytest
import soundfile
from driven_browser import driven
from standin_corpora import tone
from workspaces import environment

import mynah
from mynah.cli.main import main

RATE = 16000

pytestmark = pytest.mark.skipif(find_spec("gradio") is None, reason="needs the extra demo")


@pytest.fixture
def recorded(tmp_path):
    """What a person says, as a browser's microphone plays it."""
    soundfile.write(tmp_path / "voice.wav", tone("abc cab", 3.0, 1), RATE, subtype="PCM_16")
    return tmp_path / "voice.wav"


@pytest.mark.long
def test_a_recording_of_a_browser_is_transcribed_corrected_and_kept(
    checkpoints, recorded, tmp_path
):
    models = [checkpoints("hubert_ctc"), checkpoints("parakeet_ctc")]
    server = subprocess.Popen(
        [sys.executable, "-m", "mynah.cli", "demo", *map(str, models), "--port", "0",
         "--speaker", "anna"],
        cwd=tmp_path,
        env=environment(HF_HUB_OFFLINE="1", GRADIO_ANALYTICS_ENABLED="False"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    flags = (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={recorded}%noloop",
    )
    try:
        printed = ""
        for line in server.stdout:
            printed += line
            if found := re.search(r"Page: (http://\S+)", line):
                break
        else:
            pytest.fail(printed)
        with driven(tmp_path / "profile", *flags) as page:
            page.send("Page.navigate", url=found[1])
            page.until("document.querySelector('#recording .record-button')")
            page.run("document.querySelector('#recording .record-button').click()")
            page.until("document.querySelector('#recording .stop-button')")
            time.sleep(3)  # the person speaks
            page.run("document.querySelector('#recording .stop-button').click()")
            page.until("document.querySelector('#recording .download-link')")
            page.run("document.querySelector('#transcribe').click()")
            page.until("document.querySelector('#status').innerText.includes(' s')")
            texts = [
                page.until(f"document.querySelector('#text-{n} textarea').value") for n in (0, 1)
            ]
            assert all(texts)
            words = page.run("document.querySelector('#words-0').innerText")
            assert words.split()[: len(texts[0].split())] == texts[0].split()
            page.run(
                "const box = document.querySelector('#text-1 textarea');"
                "box.value = 'abc cab'; box.dispatchEvent(new Event('input', {bubbles: true}))"
            )
            page.run("document.querySelector('#keep-1').click()")
            page.until("document.querySelector('#status').innerText.includes('Kept as 0001.wav')")
        server.send_signal(signal.SIGINT)
        rest, _ = server.communicate(timeout=60)
        assert server.returncode == 130 and "Traceback" not in rest, rest
    finally:
        server.kill()
        server.communicate()
    with (tmp_path / "corrections" / "metadata.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["text"], row["speaker"]) == ("abc cab", "anna")
    audio, rate = soundfile.read(tmp_path / "corrections" / row["file_name"])
    assert rate == RATE and 1.0 < len(audio) / rate < 10.0
    assert np.abs(audio).max() > 0.01


def test_the_page_s_functions_show_both_models_and_keep_a_recording_once(
    checkpoints, recorded, tmp_path
):
    from mynah.recording.voice_folder import VoiceFolder
    from mynah.serving.demo import Corrections, _transcribing, make_page

    recognizers = [mynah.load(checkpoints("hubert_ctc"), offline=True)] * 2
    corrections = Corrections(VoiceFolder(tmp_path / "kept"), "anna")
    assert len(make_page(recognizers, corrections).fns) == 3
    status, shown, text, *second = _transcribing(recognizers)(str(recorded))
    assert status.count("3.0 s") == 2 and second == [shown, text]
    assert text == recognizers[0].transcribe(recorded).text and text
    assert _transcribing(recognizers)(None)[0].startswith("Record something")
    assert "Record something" in corrections.keep(None, "text")
    assert "Write what is said" in corrections.keep(str(recorded), " ")
    assert "0001.wav: 1 recordings" in corrections.keep(str(recorded), "first")
    assert "0001.wav: 1 recordings" in corrections.keep(str(recorded), "better\nnow")
    listing = (tmp_path / "kept" / "metadata.csv").read_text()
    assert list(csv.reader(io.StringIO(listing)))[1:] == [["0001.wav", "better now", "anna"]]
    (tmp_path / "noise.wav").write_bytes(b"x" * 1000)
    assert "cannot be" in _transcribing(recognizers)(str(tmp_path / "noise.wav"))[0]
    assert "cannot be kept" in corrections.keep(str(tmp_path / "noise.wav"), "text")


def test_words_are_coloured_by_their_confidence_and_escaped():
    from mynah.inference.transcription import Segment, TimedWord, Transcription
    from mynah.serving.coloured import coloured

    words = (TimedWord("<b>", 0.0, 0.5, 1.0), TimedWord("no", 0.5, 1.0, 0.25))
    shown = coloured(Transcription("<b> no", (Segment(0.0, 1.0, "<b> no", words),), 1.0))
    assert "hsl(120, " in shown and "hsl(30, " in shown and "25 %" in shown
    assert "&lt;b&gt;" in shown and "<b>" not in shown
    unknown = coloured(Transcription("a&b", (Segment(0.0, 1.0, "a&b"),), 1.0))
    assert "a&amp;b" in unknown and "no confidence" in unknown
    assert "Nobody speaks" in coloured(Transcription("", (), 1.0))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a", "b", "c"], "side by side"),
        (["--host", "0.0.0.0"], "--open"),
        (["outputs/nowhere"], "There is no"),
    ],
)
def test_a_page_that_cannot_be_shown_is_refused(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["demo", *arguments]) == 2
    assert said in capsys.readouterr().err
