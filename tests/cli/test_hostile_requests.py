"""A stranger's checkpoint learns nothing of this machine: no request and no message tells it.

Every text in the checkpoint asks for environment variables in the way of OmegaConf. Each request
that the hub receives, and each byte that is printed or written, is searched for their values.
"""

from __future__ import annotations

import json
from pathlib import Path

import hub_server
import pytest
import standins
import yaml
from data_helpers import write_folder
from families import build, shifted
from machines import Machine

from mynah.checkpoints.commit import write_sums
from mynah.config.effective import effective_yaml
from mynah.config.schema import Config

_BASE = "facebook/hubert-large-ls960-ft"
_CANARIES = {
    "CANARY": "canary-4711-plain",
    "CANARY_TOKEN": "hf_canary4712canary4712canary4712",
    "AWS_SECRET_ACCESS_KEY": "canary/4713+secret",
}
# Sent to the hub that the user chose, and nowhere else: in one header.
_TOKEN = {"HF_TOKEN": "hf_canary4714canary4714canary4714"}
_ASKED = " ".join(f"${{oc.env:{name}}}" for name in (*_CANARIES, *_TOKEN))
_WRITTEN = 2**22  # bytes of a file that is searched


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    cache = tmp_path_factory.mktemp("served")
    standins.install(cache, _BASE, "hubert_ctc")
    with hub_server.serving(cache) as served:
        yield served


@pytest.fixture(scope="module")
def machine(hub, tmp_path_factory):
    return Machine(tmp_path_factory.mktemp("machine"), hub)


@pytest.fixture
def hostile(hub, tmp_path):
    """An adapter whose base is on the hub, and whose every text asks for the variables."""
    snapshot = next((hub.cache / f"models--{_BASE.replace('/', '--')}" / "snapshots").iterdir())
    folder = tmp_path / "checkpoint-2"
    shifted(build("ctc", lambda kind: snapshot, use_lora=True)).save(folder)
    _change(folder / "adapter_config.json", base_model_name_or_path=_BASE, revision=snapshot.name)
    (folder / "mynah.json").write_text(json.dumps({"family": "ctc", "step": _ASKED, "a": [_ASKED]}))
    for path in folder.glob("*config.json"):
        _change(path, canary=_ASKED, tags=[_ASKED], nested={_ASKED: _ASKED})
    written = yaml.safe_load(effective_yaml(Config()))
    written["model"].update(pretrained=_BASE, use_lora=True)
    written["data"].update(
        dataset_name=_ASKED, path=_ASKED, columns={"text": _ASKED}, no_speech_texts=[_ASKED],
        dataset_cache_dir=_ASKED, language=_ASKED, text_substitutions={_ASKED: _ASKED},
        annotations=[], dataset_configs=[_ASKED], eval_splits=[_ASKED],
    )  # fmt: skip
    written["training"].update(output_dir=_ASKED, run_name=_ASKED)
    (folder / "config.yaml").write_text(yaml.safe_dump(written))
    return folder


def _change(path: Path, **changed: object) -> None:
    content = json.loads(path.read_text())
    if isinstance(content, dict):
        path.write_text(json.dumps(content | changed))


def _is_silent(machine: Machine, done, place: Path) -> None:
    """Fail where a value is in a request, in what was printed, or in any file of the machine."""
    assert "Traceback" not in done.stdout + done.stderr
    token = _TOKEN["HF_TOKEN"]
    for request in machine.hub.received:
        lines = [one for one in request.splitlines() if one != f"authorization: Bearer {token}"]
        lines = [one for one in lines if one != f"Authorization: Bearer {token}"]
        assert not _found("\n".join(lines)), request
    assert not _found(done.stdout + done.stderr), done.stdout + done.stderr
    for root in (machine.root, place):
        for path in root.rglob("*"):
            if path.is_file() and path.stat().st_size < _WRITTEN:
                assert not _found(path.read_text(encoding="utf-8", errors="replace")), path
            assert not _found(path.name)


def _found(text: str) -> list[str]:
    return [one for one in [*_CANARIES.values(), *_TOKEN.values()] if one in text]


@pytest.mark.parametrize("corpus", ["typed", "its own"])
def test_an_evaluation_tells_no_variable_that_a_checkpoint_asks_for(
    corpus, machine, hostile, tmp_path
):
    write_sums(hostile)
    typed = []
    if corpus == "typed":
        recordings = write_folder(tmp_path / "mine", [("a.wav", "call anna", "a")])
        typed = [f"data.dataset_name={recordings}", "evaluation.bootstrap_samples=50"]
    done = machine.mynah("eval", str(hostile), *typed, **_CANARIES, **_TOKEN)
    _is_silent(machine, done, tmp_path)
    assert done.returncode == (0 if corpus == "typed" else 2), done.stdout + done.stderr
    if corpus == "typed":
        assert "config.json" in machine.hub.given()  # its base was asked for


@pytest.mark.parametrize("file", ["adapter_config.json", "config.json"])
def test_the_name_of_a_base_is_asked_for_as_it_is_written(file, machine, hostile, tmp_path):
    names = ("base_model_name_or_path", "_name_or_path", "revision")
    _change(hostile / file, **dict.fromkeys(names, f"evil/{_ASKED}"))
    write_sums(hostile)
    done = machine.mynah("eval", str(hostile), **_CANARIES, **_TOKEN)
    _is_silent(machine, done, tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr


@pytest.mark.long
def test_a_training_from_a_stranger_s_adapter_tells_no_variable(machine, hostile, tmp_path):
    write_sums(hostile)
    recordings = write_folder(
        tmp_path / "mine", [(f"{n}.wav", "call anna", f"s{n % 3}") for n in range(6)]
    )
    done = machine.mynah(
        "train", f"model.pretrained={hostile}", f"data.dataset_name={recordings}",
        "data.eval_splits=[]", "training.max_steps=1", "training.eval_strategy=no",
        "training.load_best_model_at_end=false", **_CANARIES, **_TOKEN,
    )  # fmt: skip
    _is_silent(machine, done, tmp_path)
    assert done.returncode in (0, 2), done.stdout + done.stderr
