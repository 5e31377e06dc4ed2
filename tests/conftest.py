"""What all tests share: stand-ins, clips to encode, and a time after which none begins."""

import gc
import os
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the processors: a thread each, and for what they start too.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# The tests' weights have a few kilobytes: threads to read them cost more than they save.
os.environ.setdefault("HF_DEACTIVATE_ASYNC_LOAD", "1")
# What jsonschema checks IRIs with parses grammars for seconds; no schema here has one.
sys.modules.setdefault("rfc3987_syntax", None)
sys.path[:0] = [
    str(Path(__file__).resolve().parent),
    str(Path(__file__).resolve().parent / "helpers"),
]

import quicker  # noqa: E402

quicker.begin()

_TOO_LATE = "its turn did not come within --minutes"


def pytest_addoption(parser):
    parser.addoption(
        "--minutes", type=float, help="begin no test later than this, and name the files left out"
    )


def pytest_configure(config):
    minutes = config.getoption("--minutes")
    given = {} if minutes is None else {"last_start": time.time() + 60 * minutes}
    config.last_start = getattr(config, "workerinput", given).get("last_start", float("inf"))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    node.workerinput["last_start"] = node.config.last_start  # one moment for all workers


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Nothing that is imported here is garbage, now or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        quicker.imported()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    if time.time() > item.config.last_start:
        pytest.skip(_TOO_LATE)


def pytest_terminal_summary(terminalreporter):
    late = Counter(
        report.nodeid.partition("::")[0]
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and _TOO_LATE in report.longrepr[2]
    )
    if late:
        terminalreporter.section(
            f"{late.total()} of the tests did not come to their turn", yellow=True
        )
    for file, number in late.items():
        terminalreporter.write_line(f"{number:4} of {file}")


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
