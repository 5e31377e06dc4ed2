"""The base by its name on a person's folder of recordings, from the command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import forked_commands
import soundfile
from real_whisper import NAME, SENTENCES, spoken
from transformers import WhisperForConditionalGeneration


def test_it_is_measured_by_its_name_on_a_folder_of_recordings(converted, untuned, tmp_path):
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    plain = WhisperForConditionalGeneration.from_pretrained(converted, dtype="float32").eval()
    rows, expected = [["file_name", "text"]], {}
    for number, audio in enumerate(spoken(3)):
        path = recordings / f"{number}.wav"
        soundfile.write(path, audio, 16000, subtype="FLOAT")
        rows.append([path.name, SENTENCES[number]])
        inputs = untuned.processor(audio, sampling_rate=16000, return_tensors="pt")
        ids = plain.generate(inputs.input_features, return_timestamps=False)
        text = untuned.tokenizer.decode(ids[0], skip_special_tokens=True)
        expected[path.stem] = text.strip()
    with (recordings / "metadata.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    command = ["mynah", "eval", NAME, "recordings/", "evaluation.bootstrap_samples=20"]
    done = forked_commands.run(command, tmp_path, forked_commands.environment())
    assert done.returncode == 0, done.stdout + done.stderr
    (written,) = tmp_path.glob("outputs/*/*/evaluation/utterances.jsonl")
    found = [json.loads(line) for line in written.read_text().splitlines()]
    assert {Path(row["id"]).stem: row["hypothesis"] for row in found} == expected
