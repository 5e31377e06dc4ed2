"""A merged Whisper is opened by the programs that open OpenAI's repositories."""

import contextlib
import io
import json
import re
from pathlib import Path

import ctranslate2
import numpy as np
import pytest
import soundfile
from families import build, shifted
from standins import SENTENCES
from tokenizers.implementations import ByteLevelBPETokenizer
from transcripts import transcribed
from transformers import AutoFeatureExtractor, AutoTokenizer, WhisperProcessor, WhisperTokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode

from mynah.checkpoints.commit import commit
from mynah.cli.main import main
from mynah.models import registry


@pytest.fixture(scope="module")
def merged(checkpoints, tmp_path_factory):
    """What ``mynah merge`` writes of a Whisper with LoRA."""
    folder = tmp_path_factory.mktemp("merged")
    made = shifted(build("seq2seq", checkpoints, use_lora=True))
    with commit(folder / "checkpoint-7") as staging:
        made.save(staging)
        (staging / "mynah.json").write_text(json.dumps({"family": made.name, "step": 7}))
    assert main(["merge", str(folder / "checkpoint-7"), "--to", str(folder / "merged")]) == 0
    return folder / "merged"


def read(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_tokenizer_and_extractor_files_of_older_libraries_are_there(merged):
    ours = registry.load_family(merged).processor
    pair = (str(merged / "vocab.json"), str(merged / "merges.txt"))
    pieces = ByteLevelBPETokenizer(*pair)
    for text in SENTENCES:
        assert pieces.encode(text).ids == ours.tokenizer(text, add_special_tokens=False).input_ids
    added = read(merged / "added_tokens.json")
    assert len(read(merged / "vocab.json")) + len(added) == len(ours.tokenizer)
    for token in ("<|startoftranscript|>", "<|de|>", "<|transcribe|>", "<|0.02|>"):
        assert added[token] == ours.tokenizer.convert_tokens_to_ids(token)
    extractor = read(merged / "preprocessor_config.json")
    assert (extractor["feature_size"], extractor["sampling_rate"]) == (80, 16000)


def test_the_processor_and_the_tokenizer_of_transformers_load(merged):
    processor = WhisperProcessor.from_pretrained(merged)
    clip = np.zeros(16000, dtype=np.float32)
    features = processor(clip, sampling_rate=16000, return_tensors="np").input_features
    assert (
        features.shape
        == AutoFeatureExtractor.from_pretrained(merged)(
            clip, sampling_rate=16000, return_tensors="np"
        ).input_features.shape
    )
    for tokenizer in (
        WhisperTokenizer.from_pretrained(merged),
        AutoTokenizer.from_pretrained(merged),
    ):
        ids = tokenizer(SENTENCES[0]).input_ids
        assert tokenizer.decode(ids, skip_special_tokens=True) == SENTENCES[0]


def test_the_vocabulary_is_in_the_order_in_which_whisper_cpp_numbers_it(merged):
    """``convert-h5-to-ggml.py`` writes the keys one by one, each as bytes; places are ids."""
    letters = {letter: byte for byte, letter in bytes_to_unicode().items()}
    written = [bytes(letters[one] for one in key) for key in read(merged / "vocab.json")]
    tokenizer = AutoTokenizer.from_pretrained(merged)
    ids = tokenizer(SENTENCES[0], add_special_tokens=False).input_ids
    assert b"".join(written[one] for one in ids).decode() == SENTENCES[0]
    assert min(read(merged / "added_tokens.json").values()) == len(written)


def test_ctranslate2_converts_it_and_writes_the_same(merged, clips, tmp_path):
    """As ``ct2-transformers-converter --copy_files tokenizer.json preprocessor_config.json``."""
    copied = ["tokenizer.json", "preprocessor_config.json"]
    converter = ctranslate2.converters.TransformersConverter(str(merged), copy_files=copied)
    converted = converter.convert(str(tmp_path / "ct2"))
    recognizer = ctranslate2.models.Whisper(converted, compute_type="float32", intra_threads=1)
    extractor = AutoFeatureExtractor.from_pretrained(converted)
    family = registry.load_family(merged)
    prompt = family.processor.tokenizer.convert_tokens_to_ids(
        ["<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>"]
    )
    for clip, ours in zip(clips, transcribed(family, clips), strict=True):
        features = extractor(clip, sampling_rate=16000, return_tensors="np").input_features
        found = recognizer.generate(
            ctranslate2.StorageView.from_array(features),
            [prompt],
            beam_size=1,
            max_length=2 * 8,
        )
        ids = found[0].sequences_ids[0]
        assert family.processor.tokenizer.decode(ids, skip_special_tokens=True).strip() == ours


def test_the_page_s_way_to_use_a_merged_model_says_the_same(merged, clips, tmp_path, monkeypatch):
    page = (Path(__file__).parents[3] / "docs" / "models.md").read_text(encoding="utf-8")
    (code,) = [one for one in re.findall(r"```python\n(.*?)```", page, re.S) if '"merged"' in one]
    (tmp_path / "merged").symlink_to(merged)
    soundfile.write(tmp_path / "call.wav", clips[0], 16000, subtype="FLOAT")
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "docs/models.md", "exec"), {})
    assert printed.getvalue().strip() == transcribed(registry.load_family(merged), clips[:1])[0]
