"""Settings that contradict data.streaming are found before torch is imported."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from mynah.config.checks.check import check
from mynah.config.schema import Config
from mynah.errors import ConfigErrors


def streamed(**changed: Any) -> Config:
    """A streamed training; ``data__format`` stands for ``data.format``."""
    config = Config()
    config.data.dataset_name = "./corpus"
    config.data.streaming = True
    config.training.max_steps = 100
    for name, value in changed.items():
        section, _, setting = name.partition("__")
        setattr(getattr(config, section), setting, value)
    return config


def test_a_stream_with_a_number_of_steps_is_accepted():
    check(streamed())


@pytest.mark.parametrize(
    ("changed", "what", "instead"),
    [
        ({"training__max_steps": -1}, "does not say how long", "training.max_steps=10000"),
        ({"data__dataset_name": "synthetic"}, "synthetic corpus", "data.streaming=false"),
        ({"data__eval_splits": None}, "held out of a stream", "data.eval_splits=[validation]"),
        ({"data__train_splits": ["train[:500]"]}, "a part or a sum", "data.train_splits=[train]"),
        ({"data__max_train_samples": 10}, "looks at all rows", "data.max_train_samples=null"),
        ({"data__on_duplicates": "drop"}, "looks at all rows", "data.on_duplicates=keep"),
        ({"data__on_leak": "fail"}, "not known before it is read", "data.on_leak=warn"),
        ({"data__channels": "split"}, "first channel", "data.channels=mix"),
        (
            {"training__eval_strategy": "epoch", "training__load_best_model_at_end": False},
            "counts steps",
            "training.eval_strategy=steps",
        ),
        (
            {"training__per_device_train_batch_size": "auto"},
            "longest rows",
            "training.per_device_train_batch_size=null",
        ),
    ],
)
def test_what_a_stream_cannot_do_is_an_error_with_a_way_out(changed, what, instead):
    with pytest.raises(ConfigErrors) as caught:
        check(streamed(**changed))
    (error,) = caught.value.errors
    assert what in error.what and instead in (error.fix or "")
    check(streamed(**changed | {"data__streaming": False}))


def test_the_steps_are_asked_for_before_torch_is_imported():
    program = (
        "import sys\nfrom mynah.config.hydra.compose import compose\n"
        "try:\n    compose(['data.dataset_name=./c', 'data.streaming=true',"
        " 'training.max_steps=-1'])\n"
        "except Exception as error:\n    print(type(error).__name__)\n"
        "print('torch' in sys.modules, 'datasets' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["ConfigErrors", "False", "False"]
