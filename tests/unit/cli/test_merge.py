"""``mynah merge``: a checkpoint without its base, which says the same."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import transformers
from families import FAMILIES, batch_of, build, loss_of, shifted
from tiers import fast_where
from tiny_models import train
from transcripts import transcribed

from mynah.checkpoints.commit import commit, find_damage
from mynah.cli.main import main
from mynah.models import registry
from mynah.models.pretrained import weights

PLAIN = {
    "ctc": "AutoModelForCTC",
    "transducer": "AutoModelForTDT",
    "seq2seq": "AutoModelForSpeechSeq2Seq",
    "audio_llm": "AutoModelForMultimodalLM",
}


def checkpoint(family, directory, **about):
    """Commit a checkpoint as a training does."""
    with commit(directory) as staging:
        family.save(staging)
        (staging / "config.yaml").write_text("model:\n  use_lora: true\n")
        written = {"family": family.name, "step": 7, "training": {"settings": {}}, **about}
        (staging / "mynah.json").write_text(json.dumps(written))
    return directory


def merge(*arguments):
    return main(["merge", *map(str, arguments)])


@pytest.fixture
def adapter(checkpoints, tmp_path):
    made = shifted(build("ctc", checkpoints, use_lora=True))
    return checkpoint(made, tmp_path / "checkpoint-7")


@pytest.mark.parametrize(
    "family", fast_where(lambda family: family in ("ctc", "speech_llm"), FAMILIES)
)
def test_merged_says_the_same_as_unmerged_and_needs_no_base(
    family, checkpoints, clips, tmp_path, capsys
):
    bases = tmp_path / "bases"
    made = build(
        family,
        lambda kind: (
            bases / kind
            if (bases / kind).exists()
            else Path(shutil.copytree(checkpoints(kind), bases / kind))
        ),
        use_lora=True,
    )
    batch = batch_of(made, clips[:2])
    train(shifted(made), batch, steps=1)
    unmerged, said = loss_of(made, batch), transcribed(made, clips[:2])
    source = checkpoint(made, tmp_path / "checkpoint-7")
    target = tmp_path / "merged"
    assert merge(source, "--to", target) == 0
    assert f"mynah eval {target}" in capsys.readouterr().out
    assert find_damage(target) is None
    assert json.loads((target / "mynah.json").read_text())["merged"]["checkpoint"] == str(source)

    shutil.rmtree(bases)
    shutil.rmtree(source)
    merged = registry.load_family(target, offline=True)
    assert not [n for n in merged.model.state_dict() if "lora" in n or "base_layer" in n]
    torch.testing.assert_close(loss_of(merged, batch), unmerged, rtol=1e-5, atol=1e-5)
    assert transcribed(merged, clips[:2]) == said

    if family in PLAIN:
        plain = getattr(transformers, PLAIN[family]).from_pretrained(target)
    else:
        plain = transformers.AutoModel.from_pretrained(target)
    ours = merged.model.state_dict()
    for name, tensor in plain.state_dict().items():
        assert torch.equal(tensor, ours[name]), name


def test_logits_of_plain_transformers_are_those_of_the_adapter(adapter, clips, tmp_path):
    assert merge(adapter, "--to", tmp_path / "merged") == 0
    family = registry.load_family(adapter)
    plain = transformers.AutoModelForCTC.from_pretrained(tmp_path / "merged").eval()
    samples = torch.from_numpy(clips[0])[None]
    with torch.no_grad():
        ours = family.model.eval()(input_values=samples).logits
        theirs = plain(input_values=samples).logits
    torch.testing.assert_close(theirs, ours, rtol=0.0, atol=1e-5)


def test_merged_weights_are_stored_as_asked_and_trained_in_float32(adapter, clips, tmp_path):
    target = tmp_path / "merged"
    assert merge(adapter, "--to", target, "--dtype", "bfloat16") == 0
    plain = transformers.AutoModelForCTC.from_pretrained(target)
    assert {p.dtype for p in plain.parameters()} == {torch.bfloat16}
    loaded = registry.load_family(target)
    assert {p.dtype for p in loaded.model.parameters()} == {torch.float32}
    assert (target / "config.yaml").is_file()


def test_what_was_held_in_less_is_merged_into_the_full_base(checkpoints, clips, tmp_path):
    made = shifted(build("ctc", checkpoints, use_lora=True, dtype="bfloat16"))
    checkpoint(made, tmp_path / "checkpoint-7")
    assert merge(tmp_path / "checkpoint-7", "--to", tmp_path / "merged") == 0
    full = shifted(build("ctc", checkpoints, use_lora=True))
    merged = registry.load_family(tmp_path / "merged")
    batch = batch_of(full, clips)
    torch.testing.assert_close(loss_of(merged, batch), loss_of(full, batch), rtol=1e-5, atol=1e-5)
    assert not weights.own(merged.model)._forward_pre_hooks
    assert "mynah_dtype" not in json.loads((tmp_path / "merged" / "config.json").read_text())


def refused(capsys, *arguments, status=2):
    assert merge(*arguments) == status
    message = capsys.readouterr().err
    assert message.startswith("error: ") and "Traceback" not in message
    assert len(message.splitlines()) <= 5
    return message


@pytest.mark.parametrize("there", ["file", "folder"])
def test_nothing_is_overwritten(there, adapter, tmp_path, capsys):
    target = tmp_path / "taken"
    if there == "file":
        target.write_text("mine")
    else:
        target.mkdir()
        (target / "mine").write_text("mine")
    message = refused(capsys, adapter, "--to", target)
    assert "nothing is overwritten" in message and "taken-merged" in message
    assert (target if there == "file" else target / "mine").read_text() == "mine"


def test_a_checkpoint_without_lora_has_nothing_to_merge(checkpoints, tmp_path, capsys):
    checkpoint(build("ctc", checkpoints), tmp_path / "checkpoint-7")
    message = refused(capsys, tmp_path / "checkpoint-7", "--to", tmp_path / "merged")
    assert "nothing to merge" in message and "mynah eval" in message
    assert not (tmp_path / "merged").exists()


def test_a_damaged_checkpoint_is_not_merged(adapter, tmp_path, capsys):
    file = adapter / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    message = refused(capsys, adapter, "--to", tmp_path / "merged")
    assert "adapter_model.safetensors altered or cut short" in message
    assert list(tmp_path.iterdir()) == [adapter]


def test_a_checkpoint_that_is_not_there_names_the_command_to_type(tmp_path, capsys, adapter):
    message = refused(capsys, tmp_path / "checkpoint-8", "--to", tmp_path / "merged")
    assert "There is no checkpoint" in message and "eval_checkpoint" not in message


def test_a_missing_base_is_said_before_anything_is_written(checkpoints, tmp_path, capsys):
    base = shutil.copytree(checkpoints("hubert_ctc"), tmp_path / "base")
    checkpoint(build("ctc", lambda _: base, use_lora=True), tmp_path / "checkpoint-7")
    shutil.rmtree(base)
    message = refused(capsys, tmp_path / "checkpoint-7", "--to", tmp_path / "merged")
    assert "that folder is not there" in message and "adapter_config.json" in message
    assert not (tmp_path / "merged").exists()
