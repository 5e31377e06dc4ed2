"""Checkpoints that mean harm, by kind, given to ``mynah eval`` as a person would.

None may execute anything, read or write outside of itself, hang, or end in a traceback. What is
right is known in advance: exit status 2 and a short message, or 0 where what is hostile is never
looked at. How many there are of each kind is fixed at the end.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import forked_commands
import pytest
import yaml
from data_helpers import write_folder
from families import build, shifted
from workspaces import environment

from mynah.checkpoints.commit import write_sums
from mynah.config.effective import effective_yaml
from mynah.config.schema import Config

_SECONDS = 60  # an evaluation of one clip takes two
_TRAP = "import pathlib; pathlib.Path('executed').touch()\n"


class _Executes:
    def __reduce__(self):
        return (os.system, ("touch executed",))


PICKLE = pickle.dumps({"weight": _Executes()})
Change = Callable[[Path], None]
CASES: dict[str, tuple[str, bool, Change]] = {}  # name -> kind, of an adapter, what is done to it


def case(kind: str, name: str, change: Change, *, adapter: bool = False) -> None:
    assert name not in CASES
    CASES[name] = (kind, adapter, change)


def changed(file: str, **values: object) -> Change:
    """Set keys of a JSON file."""

    def change(folder: Path) -> None:
        path = folder / file
        held = json.loads(path.read_text()) if path.is_file() else {}
        path.write_text(json.dumps(held | values))

    return change


def holds(file: str, content: str | bytes) -> Change:
    """Put something else into a file."""

    def change(folder: Path) -> None:
        data = content if isinstance(content, bytes) else content.encode()
        (folder / file).write_bytes(data)

    return change


def settings(**sections: dict[str, object]) -> Change:
    """Set values of config.yaml."""

    def change(folder: Path) -> None:
        path = folder / "config.yaml"
        held = yaml.safe_load(path.read_text())
        for name, values in sections.items():
            held.setdefault(name, {}).update(values)
        path.write_text(yaml.safe_dump(held))

    return change


def all_of(*changes: Change) -> Change:
    def change(folder: Path) -> None:
        for one in changes:
            one(folder)

    return change


def only_pickled(folder: Path) -> None:
    for path in folder.glob("*.safetensors"):
        path.unlink()
    (folder / "pytorch_model.bin").write_bytes(PICKLE)
    (folder / "adapter_model.bin").write_bytes(PICKLE)


def pipe(name: str) -> Change:
    def change(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return change


def link(name: str, target: str) -> Change:
    def change(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return change


def sums_named(name: str) -> Change:
    return lambda folder: (folder / "SHA256SUMS").write_text(f"{'0' * 64}  {name}\n")


def safetensors(header: bytes, length: int | None = None, data: bytes = b"") -> Change:
    size = struct.pack("<Q", len(header) if length is None else length)
    return holds("model.safetensors", size + header + data)


def terabyte(name: str) -> Change:
    """A file that claims a terabyte and takes none of the disk; its list of weights agrees."""

    def change(folder: Path) -> None:
        entry = {"dtype": "F32", "shape": [2**38], "data_offsets": [0, 2**40]}
        header = json.dumps({"lm_head.weight": entry}).encode()
        (folder / name).write_bytes(struct.pack("<Q", len(header)) + header)
        os.truncate(folder / name, 8 + len(header) + 2**40)

    return change


REMOTE = {
    "AutoConfig": "evil.Evil",
    "AutoModelForCTC": "evil.Evil",
    "AutoTokenizer": ["evil.E", None],
}
EVIL = holds("evil.py", _TRAP)
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(9)
)
DEEP = "[" * 100_000 + "]" * 100_000
SPAN = {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 4]}

case("executes", "weights that are a pickle", only_pickled)
case("executes", "an adapter that is a pickle", only_pickled, adapter=True)
case("executes", "a pickle beside the weights", holds("training_args.bin", PICKLE))
case("executes", "an optimizer that is a pickle", holds("optimizer.pt", PICKLE))
case("executes", "code for the model", all_of(EVIL, changed("config.json", auto_map=REMOTE)))
case(
    "executes",
    "a type of model that code brings",
    all_of(EVIL, changed("config.json", auto_map=REMOTE, model_type="evil")),
)
case(
    "executes",
    "code for the tokenizer",
    all_of(EVIL, changed("tokenizer_config.json", auto_map=REMOTE, tokenizer_class="Evil")),
)
case(
    "executes",
    "code for the features",
    all_of(
        EVIL, changed("preprocessor_config.json", auto_map={"AutoFeatureExtractor": "evil.Evil"})
    ),
)
case(
    "executes",
    "code that the settings trust",
    all_of(
        EVIL,
        changed("config.json", auto_map=REMOTE, model_type="evil"),
        settings(model={"trust_remote_code": True}),
    ),
)
case(
    "executes",
    "an object in YAML",
    holds("config.yaml", "!!python/object/apply:os.system ['touch executed']\n"),
)
case("executes", "a target of Hydra's", settings(model={"_target_": "os.system"}))
case(
    "executes",
    "a template of the tokenizer",
    changed(
        "tokenizer_config.json",
        chat_template="{{ cycler.__init__.__globals__.os.system('touch executed') }}",
    ),
)
case(
    "executes",
    "code of peft",
    all_of(
        EVIL,
        changed("adapter_config.json", peft_type="EVIL", auto_mapping={"parent_library": "evil"}),
    ),
    adapter=True,
)
case(
    "reads the environment",
    "settings that ask for a variable",
    settings(data={"dataset_name": "${oc.env:HOME}", "path": "${oc.env:HOME}"}),
)
case(
    "reads the environment",
    "a base that asks for a variable",
    changed("adapter_config.json", base_model_name_or_path="${oc.env:HOME}"),
    adapter=True,
)
case("goes elsewhere", "sums of a file above", sums_named("../outside"))
case("goes elsewhere", "sums of a file of the system", sums_named("/etc/passwd"))
case("goes elsewhere", "a link to a file", link("config.json", "/etc/passwd"))
case("goes elsewhere", "a link to a folder", link("more", ".."))
case(
    "goes elsewhere",
    "weights above",
    all_of(
        lambda folder: (folder / "model.safetensors").rename(folder.parent / "outside"),
        holds(
            "model.safetensors.index.json",
            json.dumps({"metadata": {}, "weight_map": {"lm_head.weight": "../outside"}}),
        ),
    ),
)
case(
    "goes elsewhere",
    "folders of its writer",
    settings(
        training={"output_dir": "ESCAPED/out"},
        data={"dataset_cache_dir": "ESCAPED/cache", "text_substitutions_file": "/etc/passwd"},
    ),
)
case(
    "goes elsewhere",
    "a base in a folder of the system",
    changed("adapter_config.json", base_model_name_or_path="/etc", revision=None),
    adapter=True,
)
case("hangs", "a pipe for its configuration", pipe("config.json"))
case("hangs", "a pipe for its weights", pipe("model.safetensors"))
case("hangs", "a pipe for its sums", pipe("SHA256SUMS"))
case("hangs", "a pipe that nobody names", pipe("notes"))
case("hangs", "a device", link("model.safetensors", "/dev/zero"))
case("hangs", "a folder in itself", link("again", "."))
case("hangs", "deep JSON", holds("config.json", DEEP))
case("hangs", "a deep tokenizer", holds("tokenizer_config.json", DEEP))
case("hangs", "a deep adapter", holds("adapter_config.json", DEEP), adapter=True)
case("hangs", "YAML that grows", holds("config.yaml", BOMB))
case("hangs", "YAML that holds itself", holds("config.yaml", "a: &a [*a]\n"))
case("hangs", "a thousand million layers", changed("config.json", num_hidden_layers=10**9))
case("hangs", "layers that no memory holds", changed("config.json", hidden_size=10**12))
case("hangs", "a vocabulary that no memory holds", changed("config.json", vocab_size=10**12))
case("hangs", "LoRA that no memory holds", changed("adapter_config.json", r=10**12), adapter=True)
case("hangs", "weights whose header has no end", safetensors(b"{}", length=2**62))
case(
    "hangs",
    "weights that no memory holds",
    safetensors(json.dumps({"lm_head.weight": SPAN}).encode(), data=b"0000"),
)
case("hangs", "weights of a terabyte that take no disk", terabyte("model.safetensors"))
case("hangs", "a tokenizer of a terabyte", terabyte("tokenizer.json"))
case("hangs", "sums of a terabyte", terabyte("SHA256SUMS"))
for shape, content in {
    "nothing": "", "null": "null", "a list": "[]", "a number": "1", "a text": '"x"',
    "half": '{"a": ', "bytes": b"\xff\xfe{}",
}.items():  # fmt: skip
    case("tracebacks", f"{shape} for its configuration", holds("config.json", content))
    case(
        "tracebacks",
        f"{shape} for its adapter",
        holds("adapter_config.json", content),
        adapter=True,
    )
case(
    "tracebacks", "weights cut short", lambda folder: os.truncate(folder / "model.safetensors", 99)
)
case("tracebacks", "weights that are text", holds("model.safetensors", "hello"))
case("tracebacks", "weights without content", holds("model.safetensors", ""))
case("tracebacks", "a tokenizer cut short", holds("tokenizer.json", '{"version": '))
case("tracebacks", "a vocabulary of lists", holds("vocab.json", '{"a": [], "b": {}}'))
case(
    "tracebacks", "samples that take no time", changed("preprocessor_config.json", sampling_rate=0)
)
case("tracebacks", "settings that are a list", holds("config.yaml", "- a\n"))
case("tracebacks", "settings that are bytes", holds("config.yaml", b"\x00\xff"))
case("tracebacks", "its own record as a list", holds("mynah.json", "[[]]"))
case("shows what is not there", "a name that turns round", sums_named("\u202egnp.exe"))
case("shows what is not there", "a name that moves the cursor", sums_named("\x1b[2J\x1b[1;1Hdone"))
case(
    "shows what is not there",
    "a corpus that moves the cursor",
    settings(data={"dataset_name": "\x1b[2Jdone\u202e", "path": None}),
)


@pytest.fixture(scope="module")
def saved(checkpoints, tmp_path_factory):
    """A checkpoint in full and an adapter, and a recording to measure them on."""
    folder = tmp_path_factory.mktemp("saved")
    for name, lora in (("full", False), ("adapter", True)):
        shifted(build("ctc", checkpoints, use_lora=lora)).save(folder / name)
        (folder / name / "mynah.json").write_text(json.dumps({"family": "ctc", "step": 2}))
        (folder / name / "config.yaml").write_text(effective_yaml(Config()))
    write_folder(folder / "recordings", [("a.wav", "call anna", "a")])
    return folder


def evaluated(checkpoint: Path, place: Path, *more: str):
    words = ["mynah", "eval", str(checkpoint), "evaluation.bootstrap_samples=20", *more]
    own = environment(MYNAH_CACHE=str(place.parent / "cache"), HF_HUB_OFFLINE="1")
    return forked_commands.run(words, place, own, timeout=_SECONDS)


def _marked() -> list[object]:
    """All cases; of each kind one is in the fast tests."""
    seen: Counter[str] = Counter()
    marked: list[object] = []
    for name, (kind, _, _) in CASES.items():
        seen[kind] += 1
        marked.append(name if seen[kind] == 1 else pytest.param(name, marks=pytest.mark.long))
    return marked


@pytest.mark.parametrize("name", _marked())
def test_a_hostile_checkpoint_does_no_harm(name, saved, tmp_path):
    _, adapter, change = CASES[name]
    checkpoint = tmp_path / "given" / "checkpoint-2"
    shutil.copytree(saved / ("adapter" if adapter else "full"), checkpoint)
    change(checkpoint)
    if "SHA256SUMS" not in {path.name for path in checkpoint.iterdir()}:
        write_sums_of_files(checkpoint)
    place = tmp_path / "here"
    place.mkdir()
    before = files_below(tmp_path / "given")
    typed = (
        []
        if "corpus" in name or "variable" in name
        else [f"data.dataset_name={saved / 'recordings'}"]
    )
    began = time.monotonic()
    done = evaluated(checkpoint, place, *typed)
    said = done.stdout + done.stderr
    assert time.monotonic() - began < _SECONDS
    assert "Traceback" not in said, said
    assert done.returncode in (0, 2), said
    if done.returncode == 2:
        message = done.stderr[done.stderr.index("error: ") :]
        assert len(message.splitlines()) <= 6, message
    assert not list(tmp_path.rglob("executed"))
    assert not list(tmp_path.rglob("ESCAPED"))
    assert files_below(tmp_path / "given") == before
    assert "\u202e" not in said and "\x1b[2J" not in said
    assert os.environ["HOME"] not in said.replace(str(tmp_path), "").replace(str(saved), "")


def write_sums_of_files(folder: Path) -> None:
    """Whoever edits a file edits the list too; what is not a file of its own is not in it, nor
    what nobody can sum."""
    special = [
        path
        for path in folder.iterdir()
        if path.is_symlink() or not path.is_file() or path.stat().st_size > 2**30
    ]
    aside = folder.parent / "aside"
    aside.mkdir(exist_ok=True)
    for path in special:
        path.rename(aside / path.name)
    write_sums(folder)
    for path in special:
        (aside / path.name).rename(path)
    aside.rmdir()


def files_below(folder: Path) -> set[str]:
    return {f"{place}/{name}" for place, _, names in os.walk(folder) for name in names}


def test_the_checkpoints_that_are_not_hostile_are_measured(saved, tmp_path):
    """Without this, a message for everything would pass all tests above."""
    for name in ("full", "adapter"):
        checkpoint = tmp_path / name / "checkpoint-2"
        shutil.copytree(saved / name, checkpoint)
        write_sums(checkpoint)
        done = evaluated(checkpoint, tmp_path, f"data.dataset_name={saved / 'recordings'}")
        assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_so_many_of_each_kind():
    assert Counter(kind for kind, *_ in CASES.values()) == {
        "executes": 13,
        "reads the environment": 2,
        "goes elsewhere": 7,
        "hangs": 20,
        "tracebacks": 23,
        "shows what is not there": 3,
    }
