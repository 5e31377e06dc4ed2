"""Weights in four bits: what is refused and when, what is quantized, what is asked of peft."""

import importlib.util
import json
import subprocess
import sys

import pytest
import torch
import transformers
from families import FAMILIES, build, names, shifted
from tiny_models import TEXTS, tiny
from transformers.quantizers.quantizers_utils import should_convert_module

from mynah import console
from mynah.cli.main import main
from mynah.config.checks.models import precision
from mynah.errors import UserError
from mynah.models import registry
from mynah.models.lora import adapters, quantization
from mynah.models.pretrained import weights

FOUR_BITS = "model.quantization=4bit"


@pytest.fixture
def has_gpu(monkeypatch):
    """A machine that could, as far as is asked."""
    monkeypatch.setattr(quantization, "_problem", lambda: None)


@pytest.fixture
def asked_of_peft(monkeypatch):
    """What peft is asked to prepare."""
    asked = []

    def prepare(model, **options):
        asked.append(options)
        return model.requires_grad_(False)

    monkeypatch.setattr("peft.prepare_model_for_kbit_training", prepare)
    return asked


def answer(capsys, monkeypatch, *settings, installed=True):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "mynah.config.checks.models.precision.importlib.util.find_spec",
        lambda name: installed or None if name == "bitsandbytes" else found(name),
    )
    assert main(["train", FOUR_BITS, *settings]) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    "settings, said",
    [
        (
            ["model.pretrained=x"],
            "mynah train model.quantization=4bit model.pretrained=x model.use_lora=true",
        ),
        (["model=small", "model.use_lora=true"], "nothing pretrained is named"),
        (
            ["model.pretrained=x", "model.use_lora=true", "training.use_cpu=true"],
            "need a CUDA GPU, and this run is on the CPU",
        ),
        (
            [
                "model.encoder_model_name=x",
                "model.decoder_model_name=y",
                "model.decoder_tuning=full",
            ],
            "nothing is adapted",
        ),
    ],
)
def test_what_cannot_be_is_said_at_once(settings, said, capsys, monkeypatch):
    assert said in answer(capsys, monkeypatch, *settings)


def test_a_mac_gets_an_error_that_it_cannot(capsys, monkeypatch):
    monkeypatch.setattr(precision.sys, "platform", "darwin")
    message = answer(capsys, monkeypatch, "model.pretrained=x", "model.use_lora=true")
    assert "this run is on a Mac" in message


def test_a_missing_package_is_named_with_the_extra(capsys, monkeypatch):
    settings = ["model.pretrained=x", "model.use_lora=true"]
    message = answer(capsys, monkeypatch, *settings, installed=False)
    assert "pip install 'mynah-asr[quantization]'" in message


def test_torch_is_not_imported_to_say_so():
    code = (
        "import sys; from mynah.cli.main import main; "
        f"status = main(['train', '{FOUR_BITS}', 'model.pretrained=x']); "
        "sys.exit(0 if status == 2 and 'torch' not in sys.modules else 1)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_machine_without_a_gpu_is_reported_before_anything_is_loaded(checkpoints, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    config = tiny(**names("ctc", checkpoints), use_lora=True, quantization="4bit")
    with pytest.raises(UserError, match="need a CUDA GPU, and there is none"):
        registry.check_machine(config)
    registry.check_model(
        config, sample_rate=16000, offline=True
    )  # what is prefetched runs elsewhere


LOADERS = {
    "ctc": ["AutoModelForCTC"],
    "transducer": ["AutoModelForTDT"],
    "seq2seq": ["AutoModelForSpeechSeq2Seq"],
    "audio_llm": ["AutoModelForMultimodalLM"],
    "speech_llm": ["AutoModel", "AutoModelForCausalLM"],
}


def without_quantizer(monkeypatch, loaders):
    """Let transformers load full weights where it is asked for four bits; what was asked."""
    asked = []
    for name in loaders:
        auto = getattr(transformers, name)
        load = auto.from_pretrained

        def loaded(*arguments, _load=load, quantization_config=None, **options):
            asked.append(quantization_config)
            return _load(*arguments, **options)

        monkeypatch.setattr(auto, "from_pretrained", loaded)
    return asked


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_asks_transformers_for_nf4_and_peft_to_prepare(
    family, checkpoints, monkeypatch, has_gpu, asked_of_peft
):
    asked = without_quantizer(monkeypatch, LOADERS[family])
    made = build(family, checkpoints, use_lora=True, quantization="4bit")
    assert len(asked) == len(LOADERS[family]) == len(asked_of_peft)
    for config in asked:
        assert config.quantization_method() == "nf4"
        assert config.bnb_4bit_use_double_quant
    trained = {p.dtype for p in made.model.parameters() if p.requires_grad}
    assert trained == {torch.float32}


def test_a_part_that_is_trained_in_full_is_not_quantized(
    checkpoints, monkeypatch, has_gpu, asked_of_peft
):
    asked = without_quantizer(monkeypatch, LOADERS["speech_llm"])
    settings = {"encoder_tuning": "full", "use_lora": True, "quantization": "4bit"}
    build("speech_llm", checkpoints, **settings)
    assert [config is None for config in asked] == [True, False]


@pytest.mark.parametrize("family", FAMILIES)
def test_heads_and_projectors_are_never_quantized_and_the_rest_is(family, checkpoints):
    made = build(family, checkpoints)
    skipped = quantization.config_4bit().llm_int8_skip_modules
    linear = [n for n, m in made.model.named_modules() if isinstance(m, torch.nn.Linear)]
    kept = {name for name in linear if not should_convert_module(name, skipped)}
    heads = {
        "ctc": ["lm_head"],
        "transducer": ["joint.head", "encoder_projector", "decoder.decoder_projector"],
        "seq2seq": ["proj_out"],
        "audio_llm": ["lm_head", "model.multi_modal_projector"],
        "speech_llm": ["language_model.lm_head", "projector.layers"],
    }[family]
    assert kept == {name for name in linear if name.startswith(tuple(heads))}
    targets = set(adapters.adaptable_modules(made.model)) - kept
    assert targets  # what LoRA adapts is what is quantized


def test_an_adapter_remembers_that_its_base_was_quantized(
    checkpoints, monkeypatch, tmp_path, has_gpu, asked_of_peft
):
    asked = without_quantizer(monkeypatch, LOADERS["ctc"])
    made = shifted(build("ctc", checkpoints, use_lora=True))
    made.model.get_base_model().config.mynah_quantization = "4bit"
    made.save(tmp_path)
    asked.clear()
    registry.load_family(tmp_path)
    assert asked[0] is not None
    registry.load_family(tmp_path, as_trained=False)
    assert asked[1] is None


@pytest.mark.parametrize("family", ["ctc", "audio_llm", "speech_llm"])
def test_a_quantized_base_that_is_trained_in_full_from_here_on_is_loaded_in_full(
    family, checkpoints, monkeypatch, tmp_path, has_gpu, asked_of_peft
):
    asked = without_quantizer(monkeypatch, LOADERS[family])
    monkeypatch.setattr(quantization, "holds_four_bits", lambda _: True)
    build(family, checkpoints, use_lora=True, quantization="4bit").save(tmp_path)
    full = {"encoder_tuning": "full", "decoder_tuning": "full"}
    for settings, in_full in (({"use_lora": True}, False), (full, True)):
        asked.clear()
        config = tiny(pretrained=str(tmp_path), **settings)
        registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)
        assert [one is None for one in asked] == [in_full] * len(LOADERS[family])


def test_without_a_gpu_a_quantized_base_is_loaded_in_full_and_said(
    checkpoints, monkeypatch, tmp_path
):
    said = []
    monkeypatch.setattr(console, "notice", said.append)
    made = shifted(build("ctc", checkpoints, use_lora=True))
    made.model.get_base_model().config.mynah_quantization = "4bit"
    made.save(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    registry.load_family(tmp_path)
    assert any("runs on float32 ones here" in one for one in said)


class Linear4bit(torch.nn.Linear):
    """Stands for bitsandbytes' layer, whose weights are not a matrix."""


def test_a_checkpoint_gives_a_quantized_model_what_is_trained_and_no_more():
    def made():
        return torch.nn.ModuleDict({"base": Linear4bit(3, 3), "lora": torch.nn.Linear(3, 3)})

    model, loaded = made(), made()
    model["base"].requires_grad_(False)
    before = model["base"].weight.clone()
    weights.take_weights(model, loaded)
    assert torch.equal(model["lora"].weight, loaded["lora"].weight)
    assert torch.equal(model["base"].weight, before)
    with pytest.raises(RuntimeError, match=r"lora\.bias"):
        weights.take_weights(model, torch.nn.ModuleDict({"base": Linear4bit(3, 3)}))


@pytest.mark.parametrize("family", ["speech_llm", "audio_llm"])
def test_bitsandbytes_quantizes_what_is_asked(family, checkpoints, has_gpu, tmp_path):
    bnb = pytest.importorskip("bitsandbytes")
    made = build(family, checkpoints, use_lora=True, quantization="4bit")
    quantized = {n for n, m in made.model.named_modules() if isinstance(m, bnb.nn.Linear4bit)}
    assert any("q_proj" in name for name in quantized)
    assert not any("lm_head" in name or "projector" in name for name in quantized)
    assert {p.dtype for p in made.model.parameters() if p.requires_grad} == {torch.float32}
    made.save(tmp_path)
    written = (tmp_path / "config.json").read_text()
    assert "quantization_config" not in written
    assert json.loads(written)["mynah_quantization"] == "4bit"
    loaded = registry.load_family(tmp_path)
    again = {n for n, m in loaded.model.named_modules() if isinstance(m, bnb.nn.Linear4bit)}
    assert again == quantized
    full = registry.load_family(tmp_path, as_trained=False)
    assert not [m for m in full.model.modules() if isinstance(m, bnb.nn.Linear4bit)]
    full.merge()


@pytest.mark.parametrize("before", ["full", "frozen"])
def test_beside_an_encoder_that_is_trained_in_full_the_language_model_stays_in_four_bits(
    before, checkpoints, monkeypatch, tmp_path, has_gpu, asked_of_peft
):
    asked = without_quantizer(monkeypatch, LOADERS["speech_llm"])
    monkeypatch.setattr(quantization, "holds_four_bits", lambda _: True)
    lora = {"use_lora": True, "quantization": "4bit"}
    build("speech_llm", checkpoints, encoder_tuning=before, **lora).save(tmp_path)
    asked.clear()
    config = tiny(pretrained=str(tmp_path), use_lora=True, encoder_tuning="full")
    registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)
    assert [one is None for one in asked] == [True, False]
