"""What all tests share: the stand-ins of this folder, and clips to encode."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the processors: a thread each, and for what they start too.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path[:0] = [
    str(Path(__file__).resolve().parent),
    str(Path(__file__).resolve().parent / "helpers"),
]


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    """A folder for each kind of stand-in, written when it is first asked for."""
    import standins

    root = tmp_path_factory.mktemp("checkpoints")

    def folder(kind):
        directory = root / kind
        return directory if directory.exists() else standins.write(directory, kind)

    return folder


@pytest.fixture(scope="session")
def clips():
    """Noise of different lengths, float32 [samples] each."""
    draw = np.random.default_rng(0)
    seconds = (1.5, 1.82, 1.24, 1.8)
    return [(0.1 * draw.standard_normal(int(16000 * s))).astype(np.float32) for s in seconds]
