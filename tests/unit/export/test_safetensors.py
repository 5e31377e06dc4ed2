"""A model in transformers' own layout says the same in plain transformers."""

from __future__ import annotations

import importlib
import re
import sys
from dataclasses import replace
from subprocess import CompletedProcess

import numpy as np
import pytest
import torch
from transformers import AutoModelForCTC, AutoModelForSpeechSeq2Seq

from mynah.errors import UserError
from mynah.export import runtimes
from mynah.export.foreign.exchange import answer
from mynah.export.safetensors import TRANSFORMERS, Safetensors
from mynah.export.target import Sample
from mynah.models import registry


def samples():
    random = np.random.default_rng(3)
    audios = [random.normal(0, 0.1, n).astype(np.float32) for n in (14_000, 30_001)]
    return [Sample(str(n), "a", one, None, "", len(one) / 16000) for n, one in enumerate(audios)]


@pytest.fixture
def in_this_process(monkeypatch):
    """transformers is here already: its program needs no process that imports it again."""

    def run(command, **_):
        _, _, module, *arguments = command
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", [module, *arguments])
            patch.setattr(torch, "set_num_threads", lambda number: None)
            answer(importlib.import_module(module).serve)
        return CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(runtimes.subprocess, "run", run)


@pytest.mark.parametrize(
    ("kind", "auto"),
    [
        ("wav2vec2_ctc_layer_norm", AutoModelForCTC),
        pytest.param("whisper_asr", AutoModelForSpeechSeq2Seq, marks=pytest.mark.long),
    ],
)
def test_an_export_is_the_model_with_its_adapters_folded_in(
    kind, auto, checkpoints, tmp_path, in_this_process
):
    target = Safetensors()
    family = registry.load_family(checkpoints(kind), offline=True)
    if kind == "whisper_asr":  # untrained it never stops, and the bounds of both are others
        family.usage = replace(family.usage, generation_max_length=20)
    target.check(family)
    plain = target.plain(family)
    target.write(plain, tmp_path, "float32")
    opened = auto.from_pretrained(tmp_path, local_files_only=True)
    ours = plain.model.state_dict()
    for name, weight in opened.state_dict().items():
        assert torch.equal(weight, ours[name]), name

    from mynah.models.transcript import Clip

    said = samples()
    expected = [one.text for one in plain.transcribe([Clip(sample.audio) for sample in said])]
    assert target.graph(plain, tmp_path, said) == expected
    found = target.run(
        TRANSFORMERS, plain, tmp_path, said, way=Safetensors.ways[0], dtype="float32"
    )
    # The pipeline writes special tokens of a CTC model too; a trained one has none.
    shown = [re.sub(r"</?[a-z]+>", "", text) for text in found.texts]
    assert shown == expected and found.seconds > 0


def test_what_plain_transformers_does_not_decode_is_refused(checkpoints):
    family = registry.load_family(checkpoints("moonshine"), offline=True)
    with pytest.raises(UserError, match="Whisper and CTC"):
        Safetensors().check(family)
