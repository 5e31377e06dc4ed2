"""A CTC model in sherpa-onnx's layout, against transformers' own features and forward pass."""

from __future__ import annotations

import numpy as np
import pytest
import standins_ctc
import torch

from mynah.errors import UserError
from mynah.export.foreign.exchange import ProgramRequest
from mynah.export.onnx import FILE
from mynah.export.sherpa.ctc import TOKENS, SherpaOnnx
from mynah.export.sherpa.sound_graph import USUAL_DEVIATION, FromSound, features_of
from mynah.models.ctc.family import CTC

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

KINDS = [
    kind
    for kinds in standins_ctc.BY_TYPE.values()
    for kind in kinds
    if kind.startswith(("wav2vec2_ctc", "parakeet_ctc"))
]


def noise(seconds, scale=USUAL_DEVIATION):
    random = np.random.default_rng(1)
    return random.normal(0, scale, round(seconds * 16000)).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seconds", [0.9, 2.34])
def test_the_features_are_those_of_transformers(kind, checkpoints, seconds):
    family = CTC.load(checkpoints(kind))
    audio = noise(seconds)
    extractor = family.processor.feature_extractor
    made = extractor(audio, sampling_rate=16000, return_tensors="pt", return_attention_mask=True)
    expected = made[family.frontend.input_name][0][made["attention_mask"][0].bool()]
    (found,) = features_of(family)(torch.from_numpy(audio)[None] / USUAL_DEVIATION)
    assert found.shape == expected.shape
    assert float((found - expected).abs().max()) < 2e-3


def test_a_label_that_writes_nothing_counts_as_the_blank(checkpoints):
    family = CTC.load(checkpoints("wav2vec2_ctc_layer_norm"))
    silent = [5, 7]
    module = FromSound(family, features_of(family), silent)
    with torch.no_grad():
        found = module(torch.from_numpy(noise(1.0))[None])[0]
        given = features_of(family)(torch.from_numpy(noise(1.0))[None])
        logits = family.model.eval()(given).logits[0]
    best = logits.argmax(-1)
    nothing = torch.isin(best, torch.tensor([*silent, family.blank]))
    assert torch.equal(found.argmax(-1), torch.where(nothing, family.blank, best))


@pytest.mark.long  # tests/cli/test_export.py exports one in the fast tests
@pytest.mark.parametrize("kind", KINDS)
def test_sherpa_onnx_writes_what_the_model_writes(kind, checkpoints, tmp_path):
    pytest.importorskip("sherpa_onnx")
    from mynah.export.foreign import sherpa_onnx

    family, target = CTC.load(checkpoints(kind)), SherpaOnnx()
    target.check(family)
    target.write(target.plain(family), tmp_path, "float32")
    session = onnxruntime.InferenceSession(tmp_path / FILE, providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_inputs()] == ["samples"]
    blank = [line for line in (tmp_path / TOKENS).read_text().splitlines() if "<blk>" in line]
    assert blank == [f"<blk> {family.blank}"]
    audios = [noise(seconds) for seconds in (0.9, 1.7, 3.3)]

    class Given(ProgramRequest):
        def audios(self):
            return iter(audios)

    request = Given(tmp_path, tmp_path, {"threads": 1, "sample_rate": 16000})
    found = [line["text"] for line in sherpa_onnx.serve(request)]
    expected = []
    for audio in audios:
        made = family.processor.feature_extractor(audio, sampling_rate=16000, return_tensors="pt")
        with torch.no_grad():
            logits = family.model.eval()(**made).logits[0].numpy()
        expected.append(family.written(logits))
    assert found == expected
    assert any(expected)


def test_what_a_graph_cannot_compute_is_refused(checkpoints):
    other = next(kind for kind in standins_ctc.BY_TYPE["wav2vec2-bert"])
    with pytest.raises(UserError, match="features are not computed"):
        SherpaOnnx().check(CTC.load(checkpoints(other)))
