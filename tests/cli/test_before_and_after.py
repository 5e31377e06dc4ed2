"""Before and after: the untuned base and the tuned model on the same utterances."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import jiwer
import pytest
import soundfile
from workspaces import clone, run, run_directories

sys.path.insert(0, str(Path(__file__).parents[1]))

import standin_corpora
import standins

TEXTS = ("one two three", "good morning to you", "turn the light on", "the colour of five")
TRAIN = (
    "mynah train model.pretrained=whisper model.use_lora=true model.audio_window=clip "
    "model.language=en data.dataset_name=speech data.eval_splits=[validation] "
    "training.learning_rate=0.02 training.max_steps=2 training.eval_steps=2 "
    "evaluation.guard=[other:test]"
)


def write_speech(root: Path, splits: dict[str, int]) -> None:
    """A folder with so many utterances of each split, of six speakers."""
    root.mkdir()
    with (root / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["file_name", "text", "speaker", "split"])
        for split, count in splits.items():
            for number in range(count):
                text = TEXTS[number % len(TEXTS)]
                sound = standin_corpora.tone(text, 1.0 + 0.1 * (number % 5), number)
                soundfile.write(root / f"{split}-{number}.wav", sound, 16000)
                writer.writerow([f"{split}-{number}.wav", text, f"s{number % 6}", split])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small Whisper, a corpus, and another one to guard."""
    folder = clone(tmp_path_factory.mktemp("tuned"))
    standins.write(folder / "whisper", "whisper_asr")
    write_speech(folder / "speech", {"train": 12, "validation": 12})
    write_speech(folder / "other", {"test": 8})
    return folder


def trained(folder: Path, suffix: str = "") -> tuple[str, dict, Path]:
    """A training's output, its results, and its directory."""
    done = run(folder, TRAIN, suffix, MYNAH_CACHE=str(folder / "cache"))
    assert done.returncode == 0, done.stdout + done.stderr
    directory = run_directories(folder)[-1]
    results = json.loads((directory / "evaluation" / "results.json").read_text())
    return done.stdout, results, directory


@pytest.fixture(scope="module")
def tuned(folder):
    return trained(folder)


def transcribed_by_transformers(folder: Path, names: list[str]) -> list[str]:
    """What plain transformers writes of recordings, each alone in its native window."""
    import torch
    from transformers import AutoProcessor, WhisperForConditionalGeneration

    processor = AutoProcessor.from_pretrained(folder / "whisper")
    model = WhisperForConditionalGeneration.from_pretrained(folder / "whisper").eval()
    texts = []
    for name in names:
        sound, rate = soundfile.read(name, dtype="float32")
        inputs = processor(sound, sampling_rate=rate, return_tensors="pt")
        with torch.no_grad():
            ids = model.generate(
                inputs.input_features, language="en", task="transcribe", num_beams=1
            )
        texts.append(processor.batch_decode(ids, skip_special_tokens=True)[0].strip())
    return texts


def test_the_base_is_plain_transformers_at_its_native_window(folder, tuned):
    _, results, _ = tuned
    found = results["before_after"]["splits"]["validation"]
    assert found["utterances"] == found["of"] == 12
    ids = [text["id"] for text in found["texts"]]
    expected = transcribed_by_transformers(
        folder, [str(folder / "speech" / f"{Path(one).stem}.wav") for one in ids]
    )
    assert [text["base"].strip() for text in found["texts"]] == expected
    assert "in its window" in results["before_after"]["decoding"]


def test_base_and_tuned_model_are_compared_on_the_same_utterances(tuned):
    _, results, directory = tuned
    found = results["before_after"]["splits"]["validation"]
    lines = (directory / "evaluation" / "utterances.jsonl").read_text().splitlines()
    measured = {one["id"]: one["hypothesis"] for one in map(json.loads, lines)}
    assert {text["id"]: text["tuned"] for text in found["texts"]} == measured
    wer = found["as_scored"]["metrics"]["wer"]
    assert wer["tuned"] == pytest.approx(results["evaluations"]["validation"]["wer"])
    assert wer["difference"] == pytest.approx(wer["tuned"] - wer["base"])
    assert wer["low"] <= wer["difference"] <= wer["high"]
    assert 0 <= wer["p_value"] <= 1
    assert wer["test"] == "paired jackknife-t over 6 speakers"


def test_speech_to_replay_that_is_not_there_is_named_before_anything_is_prepared(folder):
    wrong = "data.replay=0.2 data.replay_from=./nowhere evaluation.guard=[]"
    done = run(folder, TRAIN, wrong, MYNAH_CACHE=str(folder / "unused"))
    assert done.returncode == 2
    assert "data.replay_from: ./nowhere" in done.stderr
    assert not list((folder / "unused").rglob("*.arrow"))


def test_the_rate_stands_twice_and_the_guard_has_a_mean(tuned):
    output, results, directory = tuned
    before_after = results["before_after"]
    guard = before_after["guards"]["other:test"]
    assert guard["utterances"] == 8
    for found in (guard, before_after["splits"]["validation"]):
        assert found["as_scored"]["normalizer"] == "basic@2"
        assert found["one_notation"]["normalizer"].startswith("one_notation@1")
    assert before_after["guard_means"]["basic@2"]["base"] == pytest.approx(
        guard["as_scored"]["metrics"]["wer"]["base"]
    )
    assert "Before and after tuning whisper" in output
    assert "guard other:test" in output and "mean of guards" in output
    assert "validation: WER in one notation" in output
    page = (directory / "evaluation" / "report.html").read_text()
    assert "Before and after" in page and "Reference, base and tuned: guard other:test" in page
    for text in guard["texts"][:3]:
        assert text["reference"] in page


def test_few_utterances_are_said_before_training(tuned):
    output, _, _ = tuned
    assert output.index("validation has 12 utterances") < output.index("step 2")


@pytest.mark.long  # another training
def test_the_next_run_reads_what_the_base_recognized_and_scores_it_its_own_way(folder, tuned):
    output, results, _ = trained(folder, "evaluation.normalizer=none training.max_steps=1")
    assert output.count("in an earlier run, kept") == 2  # the split and the guard
    first, second = (one["before_after"]["splits"]["validation"] for one in (tuned[1], results))
    assert [text["base"] for text in first["texts"]] == [text["base"] for text in second["texts"]]
    assert not first["base_kept"] and second["base_kept"]
    rates = second["as_scored"]["metrics"]["wer"]
    references = [text["reference"] for text in second["texts"]]
    for which in ("base", "tuned"):
        texts = [" ".join(text[which].split()) for text in second["texts"]]
        assert rates[which] == pytest.approx(jiwer.wer(references, texts))
