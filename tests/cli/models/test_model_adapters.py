"""An adapter whose base is not to be had, or another, is reported before data is prepared."""

from __future__ import annotations

import shutil

import pytest
import standins
from model_edits import edit
from safetensors.torch import load_file, save_file
from tiny_models import TEXTS, tiny

from mynah.models import registry


@pytest.fixture
def adapter(mine, tmp_path):
    """An adapter of ours, and its base."""
    base = mine("hubert_ctc")
    config = tiny(pretrained=str(base), use_lora=True)
    family = registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)
    folder = tmp_path / "adapter"
    folder.mkdir()
    family.save(folder)
    return folder, base


def test_an_adapter_without_its_base_says_where_it_looked(refused, adapter):
    folder, base = adapter
    shutil.rmtree(base)
    refused(
        f"model.pretrained={folder} model.use_lora=true",
        f"builds on the weights in {base}, and that folder is not there",
        f"{folder}/adapter_config.json",
        "Put the folder back",
    )


def test_an_adapter_of_other_weights_is_refused(refused, adapter):
    folder, base = adapter
    held = load_file(base / "model.safetensors")
    save_file({k: v + 1e-3 for k, v in held.items()}, base / "model.safetensors")
    refused(
        f"model.pretrained={folder} model.use_lora=true",
        f"builds on other weights than those in {base}",
        "Put the weights back",
    )


def test_an_adapter_whose_base_is_here_in_another_revision_alone_names_its_own(
    refused, adapter, place
):
    folder, _ = adapter
    snapshot = standins.install(place / "hub", "someone/hubert", "hubert_ctc")
    commit = "0123456789abcdef0123456789abcdef01234567"
    assert snapshot.name != commit
    edit(
        folder,
        "adapter_config.json",
        base_model_name_or_path="someone/hubert",
        revision=commit,
    )
    refused(
        f"model.pretrained={folder} model.use_lora=true offline=true",
        "someone/hubert is not on this machine",
        f"hf download someone/hubert --revision {commit}",
        "adapter_config.json",
    )
