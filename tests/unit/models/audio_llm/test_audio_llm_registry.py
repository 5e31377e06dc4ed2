"""Audio LLMs of Mynah's own and of other distributions, by name."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import plugin_packages
import pytest
from tiny_models import tiny

import mynah.models.audio_llm
from mynah.config.plugins import registry as plugins
from mynah.errors import UserError
from mynah.models import families as model_families
from mynah.models import registry
from mynah.models.audio_llm.architecture import Modules
from mynah.models.audio_llm.registry import ARCHITECTURES
from mynah.models.pretrained import hub

ROOM = Path(mynah.models.audio_llm.__file__).parent
# A record around Mynah's own, one thing of it changed.
RECORD = """
    import dataclasses
    from mynah.models.audio_llm.architecture import Modules
    from mynah.models.audio_llm.architectures.qwen3_asr import ARCHITECTURE as OWN
    def fails(*given):
        raise KeyError("n_window")
    ARCHITECTURE = dataclasses.replace(OWN, {changed})
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Installs a distribution with entry points of the group, for this test alone."""

    def install(source, **named):
        module = f"lyre_{len(source)}_{len(named)}"
        points = dict.fromkeys(named.values(), f"{module}:ARCHITECTURE")
        plugin_packages.install(tmp_path / "site", module, source, {"mynah.audio_llms": points})
        monkeypatch.syspath_prepend(tmp_path / "site")
        plugins.installed_plugins.cache_clear()
        model_families._say_what_is_not_used.cache_clear()
        return module

    yield install
    plugins.installed_plugins.cache_clear()
    model_families._say_what_is_not_used.cache_clear()


@pytest.fixture
def renamed(checkpoints, tmp_path):
    """A checkpoint of a kind, in a folder of its own."""

    def copied(kind):
        return shutil.copytree(checkpoints(kind), tmp_path / f"{kind}_copy")

    return copied


def check(folder):
    registry.check_model(tiny(pretrained=str(folder)), sample_rate=16000, offline=True)


def test_names_are_known_without_importing_transformers_or_torch():
    code = (
        "import sys\n"
        "from mynah.models.audio_llm.registry import ARCHITECTURES\n"
        "assert 'qwen3_asr' in ARCHITECTURES.names\n"
        "assert not {'torch', 'transformers', 'datasets'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_name_has_a_record():
    for kind in ARCHITECTURES.own:
        assert ARCHITECTURES.get(kind).modules.encoder, kind


def test_shared_code_names_no_architecture():
    shared = [path for path in ROOM.glob("*.py") if path.name != "registry.py"]
    assert len(shared) > 5
    for path in shared:
        text = path.read_text(encoding="utf-8")
        assert not re.findall("|".join(f"[\"']{one}" for one in ARCHITECTURES.own), text), path


def test_modules_and_what_is_within_them_are_of_a_part():
    modules = Modules(encoder=("a.b",), projector=("a.c",), decoder=("d",), idle=("a.b.x", "e"))
    parts = {
        "a.b": "encoder", "a.b.weight": "encoder", "a.bc": "decoder", "a.c.0": "projector",
        "base_model.model.a.b.lora_A.weight": "encoder", "d.e": "decoder", "e.f": "encoder",
        "anything": "decoder",
    }  # fmt: skip
    assert {name: modules.part_of(name) for name in parts} == parts
    assert modules.is_idle("e.f") and not modules.is_idle("a.b.y")


def test_a_plug_in_with_a_built_in_name_is_not_used_and_said_once(installed, checkpoints, capsys):
    module = installed("raise RuntimeError('imported')", of="qwen3_asr")
    check(checkpoints("qwen3_asr"))
    check(checkpoints("qwen3_asr"))
    said = " ".join(capsys.readouterr().out.split())
    assert said.count(f"The audio LLM qwen3_asr of {module} 1.0 is not used") == 1


def test_a_plug_in_with_the_name_of_another_familys_model_takes_nothing_from_it(
    installed, checkpoints, capsys
):
    module = installed("raise RuntimeError('imported')", of="whisper")
    assert registry.family_name(hub.checkpoint(checkpoints("whisper_asr"))) == "seq2seq"
    said = " ".join(capsys.readouterr().out.split())
    assert f"The audio LLM whisper of {module} 1.0 is not used" in said


def test_a_plug_in_that_cannot_be_imported_costs_nobody_else(installed, checkpoints, capsys):
    installed("raise RuntimeError('imported')", of="lyre_asr")
    check(checkpoints("qwen3_asr"))
    assert "lyre" not in capsys.readouterr().out
    assert "lyre_asr" in ARCHITECTURES.names


def test_what_is_refused_can_be_brought_by_a_plug_in(installed, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "voxtral_realtime"}))
    with pytest.raises(UserError, match="delayed"):
        registry.family_name(hub.checkpoint(tmp_path))
    installed(RECORD.format(changed="noise_switch=None"), of="voxtral_realtime")
    assert registry.family_name(hub.checkpoint(tmp_path)) == "audio_llm"


@pytest.mark.parametrize("changed", ["frontend=fails", "requests=fails"])
def test_a_record_that_fails_is_named_with_its_distribution(
    installed, renamed, changed, monkeypatch
):
    folder = renamed("qwen3_asr")
    monkeypatch.setattr(ARCHITECTURES, "_own", {})  # as if it were nobody's
    module = installed(RECORD.format(changed=changed), of="qwen3_asr")
    with pytest.raises(UserError, match="KeyError") as error:
        check(folder)
    assert f"{module} 1.0" in error.value.what and "mynah.audio_llms" in error.value.where


def test_a_record_of_modules_that_the_model_does_not_have_is_named(installed, renamed, monkeypatch):
    folder = renamed("qwen3_asr")
    monkeypatch.setattr(ARCHITECTURES, "_own", {})
    module = installed(RECORD.format(changed="modules=Modules(encoder=('ear',))"), of="qwen3_asr")
    with pytest.raises(UserError, match="ear") as error:
        registry.build(tiny(pretrained=str(folder)), texts=[], sample_rate=16000, offline=True)
    assert f"{module} 1.0" in error.value.what
