"""The average of checkpoints: weights as torch's own average has them, of LoRA the merged ones."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
import torch
from families import build, shifted
from peft import PeftModel
from safetensors.torch import load_file, save_file
from tiers import fast_where
from tiny_models import TEXTS, tiny
from torch.optim.swa_utils import AveragedModel
from transformers import AutoModelForSpeechSeq2Seq

from mynah.checkpoints.commit import commit, find_damage, write_sums
from mynah.cli.main import main
from mynah.models import registry
from mynah.models.family import Family

torch.set_num_threads(1)


def committed(family: Family, directory: Path) -> Path:
    """A checkpoint as a training commits it."""
    with commit(directory) as staging:
        family.save(staging)
        (staging / "config.yaml").write_text("model: {}\n")
        (staging / "optimizer.safetensors").write_bytes(b"state")
        (staging / "unaveraged.safetensors").write_bytes(b"state")
        written = {"family": family.name, "step": 7, "training": {}, "scores": {"eval_wer": 0.1}}
        (staging / "mynah.json").write_text(json.dumps(written))
    return directory


def moved(family: Family, seed: int) -> Family:
    """The same model after some steps: other weights, other running statistics."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in family.model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
        for name, buffer in family.model.named_buffers():
            if name.endswith("running_mean"):
                buffer.add_(float(seed))
            if name.endswith("num_batches_tracked"):
                buffer.add_(seed)
    return family


def averaged(*arguments: object) -> int:
    return main(["average", *map(str, arguments)])


def from_scratch(width: int = 8) -> Family:
    torch.manual_seed(0)
    config = tiny()
    config.encoder.hidden_size = width
    return registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)


def test_the_average_is_torch_s_own_with_the_buffers_of_the_last(tmp_path):
    families = [moved(from_scratch(), seed) for seed in (1, 2, 3)]
    sources = [committed(one, tmp_path / f"checkpoint-{n}") for n, one in enumerate(families)]
    assert averaged(*sources, "--to", tmp_path / "average") == 0
    # Its buffers are, where they are not averaged, those of the model it was updated with last.
    expected = AveragedModel(families[0].model.double(), use_buffers=False)
    for family in families:
        expected.update_parameters(family.model.double())
    state = expected.module.state_dict()
    held = load_file(tmp_path / "average" / "model.safetensors")
    assert any(name.endswith("running_mean") for name in held)
    for name, tensor in held.items():
        wanted = state[name] if not name.endswith("num_batches_tracked") else torch.tensor(3)
        torch.testing.assert_close(tensor, wanted.to(tensor.dtype), rtol=1e-6, atol=1e-9)
    assert registry.load_family(tmp_path / "average").name == "ctc"


def test_of_a_checkpoint_it_keeps_the_model_alone(tmp_path):
    sources = [
        committed(moved(from_scratch(), seed), tmp_path / f"checkpoint-{seed}") for seed in (1, 2)
    ]
    assert averaged(*sources, "--to", tmp_path / "average") == 0
    assert find_damage(tmp_path / "average") is None
    names = {path.name for path in (tmp_path / "average").iterdir()}
    assert {"model.safetensors", "config.json", "config.yaml", "README.md"} <= names
    assert not {"optimizer.safetensors", "unaveraged.safetensors"} & names
    about = json.loads((tmp_path / "average" / "mynah.json").read_text())
    assert about == {"family": "ctc", "step": 7, "averaged": ["checkpoint-1", "checkpoint-2"]}


@pytest.mark.parametrize(
    "settings",
    fast_where(
        lambda one: len(one) == 2,
        [
            {},
            {"lora_use_rslora": True},
            {"lora_use_dora": True},
            {"lora_use_dora": True, "lora_use_rslora": True},
        ],
    ),
    ids=["lora", "rslora", "dora", "dora-rslora"],
)
def test_the_average_of_adapters_makes_the_mean_of_their_merged_weights(
    settings, checkpoints, tmp_path
):
    base = checkpoints("whisper_asr")
    sources, merged = [], []
    for seed, rank in ((1, 2), (2, 4), (3, 4)):
        family = build("seq2seq", checkpoints, use_lora=True, lora_r=rank, lora_alpha=6, **settings)
        sources.append(
            committed(moved(shifted(family, 0.2), seed), tmp_path / f"checkpoint-{seed}")
        )
        plain = AutoModelForSpeechSeq2Seq.from_pretrained(base)
        merged.append(PeftModel.from_pretrained(plain, sources[-1]).merge_and_unload().state_dict())
    assert averaged(*sources, "--to", tmp_path / "average") == 0
    config = json.loads((tmp_path / "average" / "adapter_config.json").read_text())
    assert config["r"] == 10
    plain = AutoModelForSpeechSeq2Seq.from_pretrained(base)
    unchanged = {name: tensor.clone() for name, tensor in plain.state_dict().items()}
    found = PeftModel.from_pretrained(plain, tmp_path / "average").merge_and_unload().state_dict()
    changed = 0
    for name, tensor in found.items():
        mean = torch.stack([one[name].double() for one in merged]).mean(0)
        torch.testing.assert_close(tensor.double(), mean, rtol=1e-4, atol=2e-6)
        changed += not torch.allclose(tensor, unchanged[name], atol=1e-3)
    assert changed > 8


def test_it_is_not_the_product_of_the_averages_of_a_and_b(checkpoints, tmp_path):
    """What the average of adapters must not be: with B and -B and A and -A it would be nothing."""
    family = shifted(build("seq2seq", checkpoints, use_lora=True), 0.2)
    first = committed(family, tmp_path / "checkpoint-1")
    with torch.no_grad():
        for name, parameter in family.model.named_parameters():
            if "lora_" in name:
                parameter.neg_()
    second = committed(family, tmp_path / "checkpoint-2")
    assert averaged(first, second, "--to", tmp_path / "average") == 0
    one = registry.load_family(first, as_trained=False)
    both = registry.load_family(tmp_path / "average", as_trained=False)
    one.merge()
    both.merge()
    for name, tensor in one.model.state_dict().items():
        torch.testing.assert_close(both.model.state_dict()[name], tensor, rtol=1e-5, atol=1e-6)


def test_a_speech_llm_s_parts_are_averaged_each(checkpoints, tmp_path):
    sources = []
    for seed in (1, 2):
        family = build("speech_llm", checkpoints, use_lora=True)
        sources.append(committed(moved(shifted(family), seed), tmp_path / f"checkpoint-{seed}"))
    assert averaged(*sources, "--to", tmp_path / "average") == 0
    projectors = [load_file(source / "projector.safetensors") for source in sources]
    found = load_file(tmp_path / "average" / "projector.safetensors")
    for name, tensor in found.items():
        mean = (projectors[0][name].double() + projectors[1][name].double()) / 2
        torch.testing.assert_close(tensor.double(), mean, rtol=1e-6, atol=1e-9)
    adapters = [load_file(one / "adapter" / "adapter_model.safetensors") for one in sources]
    stacked = load_file(tmp_path / "average" / "adapter" / "adapter_model.safetensors")
    name = next(name for name in stacked if name.endswith("lora_A.weight"))
    assert torch.equal(stacked[name], torch.cat([one[name] for one in adapters]))
    assert registry.load_family(tmp_path / "average").name == "speech_llm"


def refused(capsys, *arguments: object) -> str:
    assert averaged(*arguments) == 2
    return " ".join(capsys.readouterr().err.split())


def test_checkpoints_of_other_shapes_are_refused(tmp_path, capsys):
    sources = [
        committed(from_scratch(width), tmp_path / f"checkpoint-{width}") for width in (8, 16)
    ]
    said = refused(capsys, *sources, "--to", tmp_path / "average")
    assert "not of one model" in said and "in the one and" in said
    assert str(sources[0]) in said.replace(" ", "") and not (tmp_path / "average").exists()


def test_checkpoints_with_other_tokens_are_refused(tmp_path, capsys):
    sources = [committed(from_scratch(), tmp_path / f"checkpoint-{n}") for n in (1, 2)]
    vocabulary = sources[0] / "tokenizer.json"
    vocabulary.write_text(vocabulary.read_text().replace('"model"', ' "model"', 1))
    write_sums(sources[0])
    said = refused(capsys, *sources, "--to", tmp_path / "average")
    assert "their tokenizer.json are not the same" in said


def test_adapters_of_other_layers_are_refused(checkpoints, tmp_path, capsys):
    sources = [
        committed(
            build("seq2seq", checkpoints, use_lora=True, lora_target_modules=targets),
            tmp_path / f"checkpoint-{n}",
        )
        for n, targets in enumerate((["q_proj"], ["q_proj", "v_proj"]))
    ]
    said = refused(capsys, *sources, "--to", tmp_path / "average")
    assert "adapters are not of one model" in said and "v_proj" in said


def test_a_damaged_one_and_one_alone_are_refused(tmp_path, capsys):
    source = committed(from_scratch(), tmp_path / "checkpoint-1")
    assert "needs two checkpoints" in refused(capsys, source, "--to", tmp_path / "average")
    other = committed(from_scratch(), tmp_path / "checkpoint-2")
    weights = load_file(other / "model.safetensors")
    save_file({name: one * 0 for name, one in weights.items()}, other / "model.safetensors")
    assert "not intact" in refused(capsys, other, source, "--to", tmp_path / "average")


def test_a_full_disk_leaves_no_average_and_names_what_the_model_needs(
    tmp_path, monkeypatch, capsys
):
    sources = [
        committed(moved(from_scratch(), seed), tmp_path / f"checkpoint-{seed}") for seed in (1, 2)
    ]
    with (sources[-1] / "optimizer.safetensors").open("wb") as file:
        file.write(b"state" * 1_000_000)
    write_sums(sources[-1])
    state = ("optimizer.safetensors", "unaveraged.safetensors", "SHA256SUMS")
    needed = sum(one.stat().st_size for one in sources[-1].iterdir() if one.name not in state)

    def full(source, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    assert averaged(*sources, "--to", tmp_path / "both") == 2
    err = capsys.readouterr().err
    assert f"both needs about {needed / 1e6:,.1f} MB" in err and "resume_from" not in err
    assert sorted(one.name for one in tmp_path.iterdir()) == ["checkpoint-1", "checkpoint-2"]


def test_other_models_beside_that_of_a_run_are_left_out(tmp_path):
    for number in (1, 2):
        run = committed(moved(from_scratch(), number), tmp_path / f"run-{number}")
        for folder in ("set_aside", "set_aside-1")[:number]:
            committed(moved(from_scratch(), 3), run / folder / "checkpoint-8")
        if number == 2:  # as training.average_checkpoints leaves it
            committed(moved(from_scratch(), 4), run / "average")
    assert averaged(tmp_path / "run-1", tmp_path / "run-2", "--to", tmp_path / "average") == 0
    assert not [path.name for path in (tmp_path / "average").iterdir() if path.is_dir()]
    held = load_file(tmp_path / "average" / "model.safetensors")
    one, two = (load_file(tmp_path / f"run-{n}" / "model.safetensors") for n in (1, 2))
    name = next(name for name in held if name.endswith("weight"))
    torch.testing.assert_close(held[name], ((one[name].double() + two[name]) / 2).float())
