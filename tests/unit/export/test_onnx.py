"""CTC models as ONNX graphs, against transformers' own forward pass."""

from __future__ import annotations

import numpy as np
import pytest
import standins_ctc
import torch

from mynah.export.onnx import FILE, Onnx
from mynah.models.ctc.family import CTC

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

ALL = [kind for kinds in standins_ctc.BY_TYPE.values() for kind in kinds]
FAST = ()  # the command's own test writes one, and so does that of sherpa-onnx


@pytest.mark.parametrize(
    "kind", [one if one in FAST else pytest.param(one, marks=pytest.mark.long) for one in ALL]
)
def test_a_graph_gives_the_logits_of_the_model_for_any_length(kind, checkpoints, tmp_path):
    family = CTC.load(checkpoints(kind))
    target = Onnx()
    target.write(target.plain(family), tmp_path, "float32")
    session = onnxruntime.InferenceSession(tmp_path / FILE, providers=["CPUExecutionProvider"])
    draw = np.random.default_rng(1)
    for seconds in (0.9, 2.3):
        audio = draw.normal(0, 0.1, round(seconds * family.sample_rate)).astype(np.float32)
        masked = "attention_mask" in {one.name for one in session.get_inputs()}
        inputs = family.processor.feature_extractor(
            audio,
            sampling_rate=family.sample_rate,
            return_tensors="pt",
            return_attention_mask=masked,
        )
        given = {one.name: inputs[one.name].numpy() for one in session.get_inputs()}
        if "attention_mask" in given:
            given["attention_mask"] = given["attention_mask"].astype("int64")
        (found,) = session.run(["logits"], given)
        with torch.no_grad():
            expected = family.model.eval()(**{name: inputs[name] for name in given}).logits
        assert found.shape == tuple(expected.shape)
        assert np.abs(found - expected.numpy()).max() < 1e-4
