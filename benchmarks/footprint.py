"""Memory by arithmetic (``mynah models``) against the memory that a training step really takes.

Models of the real sizes with random weights: no download. One step each of AdamW in float32 on
four clips of ten seconds, as the catalogue reckons, each in a process of its own.

    python benchmarks/footprint.py

prints for each preset the estimate, the peak of the process, and their ratio.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from typing import Any

from mynah.models.catalog.entries import ENTRIES
from mynah.models.catalog.entry import BATCH

_GIB = 2**30
_SAMPLES = int(16_000 * BATCH.seconds)


def main() -> None:
    """Measure each in a process of its own, so that one's peak is not another's."""
    print(f"{'preset':16} {'estimate':>9} {'measured':>9} {'ratio':>6}")
    for preset in _STEPS:
        done = subprocess.run(
            [sys.executable, __file__, preset],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        measured = float(done.stdout.splitlines()[-1])
        entry = next(entry for entry in ENTRIES if entry.preset == preset)
        estimate = entry.full_bytes()
        line = f"{estimate / _GIB:7.2f} G {measured / _GIB:7.2f} G {estimate / measured:6.2f}"
        print(f"{preset:16} {line}", flush=True)


def _moonshine() -> tuple[Any, dict[str, Any]]:
    import torch
    from transformers import MoonshineConfig, MoonshineForConditionalGeneration

    config = MoonshineConfig(
        pad_token_id=2,
        hidden_size=416,
        intermediate_size=1664,
        encoder_num_hidden_layers=8,
        decoder_num_hidden_layers=8,
        encoder_num_attention_heads=8,
        decoder_num_attention_heads=8,
    )
    labels = torch.randint(3, 30_000, (BATCH.clips, BATCH.tokens))
    inputs = {"input_values": torch.randn(BATCH.clips, _SAMPLES), "labels": labels}
    return MoonshineForConditionalGeneration(config), inputs


def _wav2vec2() -> tuple[Any, dict[str, Any]]:
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    model = Wav2Vec2ForCTC(Wav2Vec2Config(vocab_size=32))
    model.freeze_feature_encoder()
    labels = torch.randint(1, 32, (BATCH.clips, 150))
    return model, {"input_values": torch.randn(BATCH.clips, _SAMPLES), "labels": labels}


_STEPS = {"moonshine": _moonshine, "wav2vec2_base": _wav2vec2}


def _step(preset: str) -> None:
    import torch

    model, inputs = _STEPS[preset]()
    model.train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])
    for _ in range(2):  # the optimizer's state is made by the first
        model(**inputs).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(peak * (1 if sys.platform == "darwin" else 1024))


if __name__ == "__main__":
    _step(sys.argv[1]) if len(sys.argv) > 1 else main()
