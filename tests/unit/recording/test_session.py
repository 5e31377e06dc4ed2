"""Sentences that are read aloud: a take that cannot be kept is held until it can be."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from mynah.recording.session import Session, record_session
from mynah.recording.voice_folder import VoiceFolder

RATE = 16000


class Takes:
    """Records two seconds of 300 Hz, then of 400, of 500, …"""

    name = "takes"

    def __init__(self):
        self.count = 0

    def record(self, rate, wait):
        wait()
        self.count += 1
        hertz = 200 + 100 * self.count
        return (0.1 * np.sin(2 * np.pi * hertz * np.arange(2 * rate) / rate)).astype(np.float32)


def hertz(path):
    audio, rate = soundfile.read(path)
    return round(float(np.argmax(np.abs(np.fft.rfft(audio)))) * rate / len(audio))


@pytest.mark.parametrize(
    ("answers", "kept"),
    [
        (["", "", "", "fix", ""], [300]),  # the take that was held
        (["", "", "", "", "fix", ""], [300]),  # tried in vain once more
        (["", "", "", "r fix", "", ""], [400]),  # another take
        (["", "", "", "s fix"], []),
        (["", "", "", "q fix"], []),
        (["", "", ""], []),  # the input ends
    ],
)
def test_a_take_is_held_where_the_folder_cannot_take_it(tmp_path, capsys, answers, kept):
    """A person has made the list one of another kind, and fixes it before an answer."""
    folder = VoiceFolder(tmp_path / "voice")
    listing = tmp_path / "voice" / "metadata.csv"
    listing.parent.mkdir()
    listing.write_text("file_name,sentence\n1.wav,mine\n")
    waiting = iter(answers)

    def ask(_):
        answer = next(waiting, None)
        if answer is None:
            raise EOFError
        if answer.endswith("fix"):
            listing.unlink()
            answer = answer.removesuffix("fix")
        return answer

    microphone = Takes()
    record_session(Session(["call anna at nine"], folder, microphone, "anna", RATE, ask))
    said = " ".join(capsys.readouterr().err.split())
    assert "It is not kept: The folder holds a list of another kind" in said
    assert [hertz(path) for path in sorted(listing.parent.glob("*.wav"))] == kept
    assert [row.text for row in folder.rows] == ["call anna at nine"] * len(kept)


def test_two_people_read_the_same_sentences_into_one_folder(tmp_path, capsys):
    sentences = ["call anna at nine", "call ben at ten"]

    def read(speaker, *answers):
        waiting = iter(answers)

        def ask(_):
            answer = next(waiting, None)
            if answer is None:
                raise EOFError
            return answer

        folder = VoiceFolder(tmp_path / "voice")
        record_session(Session(sentences, folder, Takes(), speaker, RATE, ask))
        return [(row.text, row.speaker) for row in folder.rows]

    mine = [(sentence, "anna") for sentence in sentences]
    assert read("anna", *[""] * 6) == mine
    assert read("anna") == mine  # nothing is left, and nothing is asked
    capsys.readouterr()
    assert read("ben", *[""] * 6) == [*mine, *((sentence, "ben") for sentence in sentences)]
    assert "recorded already" not in capsys.readouterr().out
    assert len(list((tmp_path / "voice").glob("*.wav"))) == 4
