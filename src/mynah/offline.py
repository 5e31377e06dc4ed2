"""``offline=true``: no network for anything that a run calls."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# The hub's library, datasets and transformers read the first; trackers the others.
_VARIABLES = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "WANDB_MODE": "offline",
}
# Where a library has read its variable already, the switch that it keeps.
_SWITCHES = (
    ("huggingface_hub.constants", "HF_HUB_OFFLINE"),
    ("datasets.config", "HF_HUB_OFFLINE"),
    ("datasets.config", "HF_DATASETS_OFFLINE"),
)


@contextmanager
def network_only_if(allowed: bool) -> Iterator[None]:
    """Forbid the network to the libraries that a run uses, and to its child processes.

    Args:
        allowed: Change nothing.
    """
    if allowed:
        yield
        return
    before = {name: os.environ.get(name) for name in _VARIABLES}
    os.environ.update(_VARIABLES)
    switched = []
    for module, name in _SWITCHES:
        loaded = sys.modules.get(module)
        if loaded is not None and hasattr(loaded, name):
            switched.append((loaded, name, getattr(loaded, name)))
            setattr(loaded, name, True)
    try:
        yield
    finally:
        for variable, value in before.items():
            if value is None:
                os.environ.pop(variable, None)
            else:
                os.environ[variable] = value
        for loaded, name, value in switched:
            setattr(loaded, name, value)
