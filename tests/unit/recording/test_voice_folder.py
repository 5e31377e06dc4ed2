"""A folder of recordings that two sessions, and a person, add to at once."""

from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import soundfile

from mynah.recording.voice_folder import VoiceFolder

RATE = 16000


def tone(seconds):
    return (0.1 * np.sin(np.arange(round(RATE * seconds)) / 9)).astype(np.float32)


def listed(folder):
    """{file_name: text} of the list, each name once."""
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = {row["file_name"]: row["text"] for row in rows}
    assert len(found) == len(rows)
    return found


def test_two_sessions_keep_each_others_recordings_and_what_a_person_corrects(tmp_path):
    first = VoiceFolder(tmp_path / "voice")
    second = VoiceFolder(tmp_path / "voice")
    kept = first.add(tone(1.0), RATE, "one", "anna")
    second.add(tone(2.0), RATE, "two", "ben")
    list_of_them = tmp_path / "voice" / "metadata.csv"
    list_of_them.write_text(list_of_them.read_text().replace("two", "too"))
    first.add(tone(3.0), RATE, "three", "anna")
    assert sorted(listed(tmp_path / "voice").values()) == ["one", "three", "too"]
    first.add(tone(4.0), RATE, "one again", "anna", replaces=kept)
    found = listed(tmp_path / "voice")
    assert found[kept.file_name] == "one again" and len(found) == 3
    seconds = {text: soundfile.info(tmp_path / "voice" / name).duration
               for name, text in found.items()}  # fmt: skip
    assert seconds == {"one again": 4.0, "too": 2.0, "three": 3.0}


def test_many_at_once_lose_nothing(tmp_path):
    folders = [VoiceFolder(tmp_path / "voice") for _ in range(4)]

    def add(number):
        folders[number % 4].add(tone(0.01), RATE, f"text {number}", "")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(40)))
    assert sorted(listed(tmp_path / "voice").values()) == sorted(f"text {n}" for n in range(40))
