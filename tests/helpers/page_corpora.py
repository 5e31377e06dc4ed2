"""The corpora that the pages name, laid out small, and the models, tiny and random."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import shard_files
import soundfile
import standin_archives
import standin_corpora
import standins
import standins_lm

RATE = 16000
MODELS = {
    "HuggingFaceTB/SmolLM2-1.7B-Instruct": "chat_lm",
    "HuggingFaceTB/SmolLM2-135M": "base_lm",
    "HuggingFaceTB/SmolLM2-135M-Instruct": "chat_lm",
    "HuggingFaceTB/SmolLM2-360M-Instruct": "chat_lm",
    "Qwen/Qwen3-0.6B": "qwen3_lm",
    "Qwen/Qwen3-ASR-0.6B-hf": "qwen3_asr",
    "facebook/hubert-large-ll60k": "hubert_ctc",
    "facebook/w2v-bert-2.0": "w2v_bert",
    "facebook/wav2vec2-base-960h": "wav2vec2_ctc",
    "ibm-granite/granite-speech-3.3-2b": "granite_speech",
    "microsoft/VibeVoice-ASR-HF": "vibevoice_asr",
    "microsoft/wavlm-large": "wavlm_ctc",
    "mistralai/Voxtral-Mini-3B-2507": "voxtral",
    "nvidia/parakeet-rnnt-0.6b": "parakeet_rnnt",
    "nvidia/parakeet-tdt-0.6b-v3": "parakeet_tdt",
    "openai/whisper-base": "whisper_asr",
    "openai/whisper-large-v3-turbo": "whisper_asr",
    "openai/whisper-small": "whisper_asr",
    "openai/whisper-tiny.en": "whisper_asr_english",
}
TEXTS = (*standins_lm.SENTENCES, "one two three", "good morning to you", "turn the light on")
UKRAINIAN = (
    "добрий день",
    "як справи",
    "слово за словом",
    "вітаю всіх",
    "дуже дякую",
    "на добраніч",
)


def install_models(hub_cache: Path) -> None:
    """Fill a hub's cache with all that the pages name."""
    for name, kind in MODELS.items():
        standins.install(hub_cache, name, kind)
    standin_corpora.install_librispeech(hub_cache)


def lay_out(folder: Path) -> Path:
    """Write the corpora under a folder, each under the name that the pages give it."""
    for name in (
        "calls", "recordings", "my_recordings", "my_voice", "train_clean_5", "fsdd_george",
        "an4_dev", "accented",
    ):  # fmt: skip
        _folder(folder / name, TEXTS)
    _folder(folder / "ukrainian", UKRAINIAN)
    _shards_for_streaming(folder / "corpus")
    _archives(folder)
    _manifests(folder / "manifests")
    _kaldi(folder / "data")
    _common_voice(folder / "cv-corpus-21.0-2025-03-14" / "de")
    _saved_dataset(folder / "mine")
    _tars(folder / "shards")
    _long_recordings(folder / "lectures")
    _long_recordings(folder / "subtitled", subtitles=True)
    (folder / "minutes.txt").write_text(
        "good morning to you\none two three\n" * 20, encoding="utf-8"
    )
    (folder / "mails.txt").write_text("Turn the light on\n" * 20, encoding="utf-8")
    (folder / "names.txt").write_text("morning\nthe light\n", encoding="utf-8")
    _write(folder / "call.wav", "abc cab", 2)
    _write(folder / "musan" / "noise" / "hum.wav", "mmm", 3)
    return folder


def _write(path: Path, text: str, seed: int) -> float:
    """Write a recording of a text, and give its seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    seconds = 1.5 + 0.06 * len(text)
    soundfile.write(path, standin_corpora.tone(text, seconds, seed), RATE)
    return seconds


def _rows(texts: tuple[str, ...] = TEXTS) -> list[tuple[str, str, str]]:
    """(split, id, text): ten rows to train on, four each to choose and to measure by."""
    splits = ["train"] * 10 + ["validation"] * 4 + ["test"] * 4
    return [(one, f"{one}-{n:02d}", texts[n % len(texts)]) for n, one in enumerate(splits)]


def _folder(root: Path, texts: tuple[str, ...]) -> None:
    root.mkdir(parents=True)
    with (root / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["file_name", "text", "sentence", "speaker", "split"])
        for number, (split, one, text) in enumerate(_rows(texts)):
            _write(root / f"{one}.wav", text, number)
            writer.writerow([f"{one}.wav", text, text, f"{split}-{number % 3}", split])


def _shards_for_streaming(root: Path) -> None:
    root.mkdir()
    shard_files.write_corpus(root, [8, 8])
    shard_files.write_corpus(root, [4], split="validation")


def _archives(folder: Path) -> None:
    made = {
        "train-clean-100": standin_archives.librispeech("train-clean-100"),
        "dev-clean": standin_archives.librispeech("dev-clean"),
        "lj": standin_archives.ljspeech(),
        "an4": standin_archives.an4(),
        "speechocean762": standin_archives.speechocean762(),
    }
    for content in made.values():
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            archive.extractall(folder, filter="data")
    (folder / "AN4").symlink_to(folder / "an4", target_is_directory=True)


def _manifests(root: Path) -> None:
    for split in ("train", "dev"):
        lines = []
        for number, (_, one, text) in enumerate(_rows()[: 8 if split == "train" else 4]):
            seconds = _write(root / "wav" / split / f"{one}.wav", text, number)
            row = {"audio_filepath": f"wav/{split}/{one}.wav", "duration": seconds, "text": text}
            lines.append(json.dumps(row))
        (root / f"{split}_manifest.json").write_text("\n".join(lines) + "\n")


def _kaldi(root: Path) -> None:
    for split in ("train", "dev"):
        (root / split).mkdir(parents=True)
        recordings, texts, speakers = [], [], []
        for number, (_, one, text) in enumerate(_rows()[: 8 if split == "train" else 4]):
            path = root.parent / "kaldi_audio" / split / f"{one}.wav"
            _write(path, text, number)
            recordings.append(f"{split}-{one} {path}")
            texts.append(f"{split}-{one} {text}")
            speakers.append(f"{split}-{one} {split}-{number % 3}")
        for name, lines in (("wav.scp", recordings), ("text", texts), ("utt2spk", speakers)):
            (root / split / name).write_text("\n".join(lines) + "\n")


def _common_voice(root: Path) -> None:
    root.mkdir(parents=True)
    for split in ("train", "dev", "test"):
        lines = ["client_id\tpath\tsentence\tlocale"]
        for number, (_, one, text) in enumerate(_rows()[: 8 if split == "train" else 4]):
            name = f"common_voice_de_{split}_{one}.mp3"
            (root / "clips").mkdir(exist_ok=True)
            samples = standin_corpora.tone(text, 2.5, number)
            soundfile.write(root / "clips" / name, samples, RATE, format="MP3")
            lines.append(f"{split}-{number % 3}\t{name}\t{text}\tde")
        (root / f"{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _saved_dataset(root: Path) -> None:
    root.mkdir()
    shard_files.write_corpus(root, [8])
    shard_files.write_corpus(root, [4], split="test")


def _tars(root: Path) -> None:
    for split, count in (("train", 8), ("dev", 4)):
        texts = shard_files.transcripts(count)
        ids = [f"{split}-{number:04d}" for number in range(count)]
        root.mkdir(exist_ok=True)
        shard_files.write_tar(root / f"{split}-000000.tar", ids, texts)


def _long_recordings(root: Path, *, subtitles: bool = False) -> None:
    """Sentences one after the other with pauses, and the complete transcript beside them."""
    root.mkdir()
    for name in ("monday", "tuesday"):
        pause = np.zeros(RATE, dtype=np.float32)
        pieces = [standin_corpora.tone(text, 2.5, n) for n, text in enumerate(TEXTS)]
        soundfile.write(
            root / f"{name}.wav", np.concatenate([x for p in pieces for x in (p, pause)]), RATE
        )
        cues = [
            f"{n + 1}\n{_clock(3.5 * n)} --> {_clock(3.5 * n + 2.5)}\n{text.capitalize()}.\n"
            for n, text in enumerate(TEXTS)
        ]
        suffix, lines = ("srt", cues) if subtitles else ("txt", TEXTS)
        (root / f"{name}.{suffix}").write_text("\n".join(lines) + "\n")


def _clock(seconds: float) -> str:
    """A time as SRT writes it, within the first minute."""
    return f"00:00:{seconds:06.3f}".replace(".", ",")
