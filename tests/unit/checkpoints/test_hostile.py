"""A checkpoint may be anybody's: whatever its files hold, it is refused, and nothing else happens.

What is right is known in advance: a ``UserError``, in seconds, with no file written or read
outside of the checkpoint. No expectation comes from what the code makes of it.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
from pathlib import Path

import pytest
from families import build
from tiers import fast_where

from mynah.checkpoints import commit
from mynah.checkpoints.find import resolve_checkpoint
from mynah.errors import UserError
from mynah.files import read_json
from mynah.models import registry
from mynah.runs.directory import SUMS, is_complete

FAMILIES = ("ctc", "seq2seq", "speech_llm")
# What reads a checkpoint's files is the same for all families: of the others, one case is fast.
FAST_SHAPE, FAST_SETTING = "list", "mynah"


@pytest.fixture(scope="module")
def saved(checkpoints, tmp_path_factory):
    """A checkpoint of each family, adapted and in full."""
    folders = {}
    for name in FAMILIES:
        for adapted in (False, True):
            folder = tmp_path_factory.mktemp(f"{name}{adapted}")
            build(name, checkpoints, use_lora=adapted).save(folder)
            folders[name, adapted] = folder
    return folders


SHAPES = {
    "empty": "",
    "null": "null",
    "list": "[]",
    "number": "1",
    "text": '"x"',
    "cut": '{"a": ',
    "deep": "[" * 100_000 + "]" * 100_000,
    "deep object": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "not utf-8": b"\xff\xfe{}",
    "nothing in it": "{}",
}


def jsons(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.json"))


def refused_or_the_same(folder: Path) -> str:
    """Load what was tampered with; anything but a model or a UserError fails the test."""
    try:
        registry.check_checkpoint(folder, offline=True)
        registry.load_family(folder, offline=True)
    except UserError as problem:
        return str(problem)
    return "loaded"


@pytest.mark.parametrize(
    ("name", "shape"),
    fast_where(
        lambda name, shape: name == FAMILIES[0] or shape == FAST_SHAPE,
        itertools.product(FAMILIES, SHAPES),
    ),
)
@pytest.mark.parametrize("adapted", [False, True])
def test_json_of_another_shape_is_refused_without_a_traceback(
    name, adapted, shape, saved, tmp_path
):
    content = SHAPES[shape]
    for file in jsons(saved[name, adapted]):
        folder = tmp_path / file.replace("/", "-")
        shutil.copytree(saved[name, adapted], folder)
        path = folder / file
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        said = refused_or_the_same(folder)
        if file == "config.json":
            assert said != "loaded"
            assert str(folder) in said


VALUES = {
    "num_hidden_layers": [10**9, -1, "x", None, [], 2.5],
    "encoder_layers": [10**9, -5],
    "hidden_size": [10**12, 0, "x", {}],
    "d_model": [10**12],
    "vocab_size": [10**12, -1, None],
    "model_type": ["../../x", 1, None, [], "no_such_type"],
    "auto_map": [{"AutoModelForCTC": "evil.Evil"}, "x", 1],
    "architectures": ["x", [1], {"a": 1}],
    "mynah": [1, [], "x", {"audio_window": 7}],
    "bases": [1, [], {"encoder": 1}, {"encoder": ["/etc", "x"]}, {"decoder": [None, None]}],
    "saved_parts": [1, {"a": 1}, "encoder"],
    "base_model_name_or_path": [1, None, [], "../../../../etc", "/dev/zero", "a" * 100_000],
    "r": ["x", -1, 10**12],
    "target_modules": [1, {"a": 1}, "(" * 50],
}


@pytest.mark.parametrize(
    ("name", "setting"),
    fast_where(
        lambda name, setting: name == FAMILIES[0] or setting == FAST_SETTING,
        itertools.product(FAMILIES, VALUES),
    ),
)
def test_a_value_that_cannot_be_meant_is_refused_or_ignored(name, setting, saved, tmp_path):
    tried = 0
    for adapted in (False, True):
        for file in ("config.json", "adapter_config.json", "adapter/adapter_config.json"):
            source = saved[name, adapted] / file
            if not source.is_file():
                continue
            for number, value in enumerate(VALUES[setting]):
                folder = tmp_path / f"{adapted}-{file.replace('/', '-')}-{number}"
                shutil.copytree(saved[name, adapted], folder)
                content = json.loads(source.read_text()) | {setting: value}
                (folder / file).write_text(json.dumps(content))
                refused_or_the_same(folder)
                tried += 1
    assert tried >= len(VALUES[setting])


def test_code_and_pickles_beside_the_weights_are_not_run(saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "model"
    shutil.copytree(saved["ctc", False], folder)
    trap = "import os; os.system('touch executed')\n"
    for name in ("modeling_evil.py", "configuration_evil.py", "evil.py", "__init__.py"):
        (folder / name).write_text(trap)
    content = json.loads((folder / "config.json").read_text())
    content["auto_map"] = {"AutoConfig": "evil.Evil", "AutoModelForCTC": "evil.Evil"}
    content["model_type"] = "evil"
    (folder / "config.json").write_text(json.dumps(content))
    (folder / "model.safetensors").rename(folder / "gone")
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch executed'\ntR.")
    assert refused_or_the_same(folder) != "loaded"
    assert not list(tmp_path.rglob("executed"))


@pytest.mark.parametrize(
    "name",
    ["../outside", "/etc/passwd", "a/../../outside", "..\\outside", ".", "\u202egnp.exe/../../x"],
)
def test_a_list_of_sums_cannot_name_what_is_outside(name, tmp_path):
    folder = tmp_path / "checkpoint-1"
    folder.mkdir()
    (tmp_path / "outside").write_text("secret")
    digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"  # of "secret"
    (folder / SUMS).write_text(f"{digest}  {name}\n", encoding="utf-8")
    assert not is_complete(folder)
    with pytest.raises(UserError, match="not a file of the checkpoint"):
        commit.verify(folder)


@pytest.mark.timeout(20)
def test_a_pipe_in_the_place_of_the_sums_is_waited_for_by_nobody(tmp_path):
    folder = tmp_path / "checkpoint-1"
    folder.mkdir()
    os.mkfifo(folder / SUMS)
    assert not is_complete(folder)
    with pytest.raises(UserError):
        resolve_checkpoint(str(folder), tmp_path)
    with pytest.raises(UserError, match="not a file of its own"):
        commit.verify(folder)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("shape", ["pipe", "deep", "list", "not utf-8"])
def test_a_record_that_is_none_is_read_as_empty(shape, tmp_path):
    path = tmp_path / "run.json"
    if shape == "pipe":
        os.mkfifo(path)
    else:
        content = SHAPES[shape]
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert read_json(path) == {}


@pytest.mark.parametrize("kind", ["pipe", "link", "device", "link to a folder"])
def test_a_pipe_a_link_or_a_device_in_a_checkpoint_is_not_read(kind, tmp_path):
    folder = tmp_path / "checkpoint-1"
    folder.mkdir()
    (tmp_path / "outside").write_text("secret")
    path = folder / "config.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link to a folder":
        path.write_text("{}")
        (folder / "encoder").symlink_to("..")
    elif kind == "link":
        path.symlink_to(tmp_path / "outside")
    else:
        path.symlink_to("/dev/zero")
    (folder / SUMS).write_text(f"{'0' * 64}  config.json\n", encoding="utf-8")
    with pytest.raises(UserError, match="not a file of its own"):
        commit.verify(folder)
