"""``mynah models``: what there is, what fits here, and presets that agree with the catalogue."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import forked_commands
import pytest
from tiers import fast_where
from workspaces import REPOSITORY, assert_refused, environment

from mynah.cli import models
from mynah.config.hydra.compose import compose
from mynah.config.mistakes.yaml_file import load_yaml
from mynah.config.schema import Config, ModelConfig
from mynah.config.tuning import FROZEN, LORA, tuning
from mynah.models.catalog.entries import ENTRIES
from mynah.models.catalog.fits import ranked

_GIB = 2**30
_OWN = {
    "default",
    "fastconformer",
    "large",
    "small",
}  # presets that name nothing of the catalogue, or repeat it


def _run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return forked_commands.run(["mynah", "models", *arguments], Path(), environment(**more))


@pytest.mark.parametrize("columns", [80, 120])
def test_the_table_has_a_line_for_each_entry_and_fits_the_terminal(columns):
    done = _run(COLUMNS=str(columns))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(len(line) for line in lines) <= columns
    for entry in ENTRIES:
        (line,) = [line for line in lines if line.split()[:1] == [entry.preset]]
        assert f"{entry.disk_bytes / 1e9:.1f}" in line
        if entry.wer is not None:
            assert f"{entry.wer:.1f}" in line
        if columns == 120:
            assert all(one.name in done.stdout for one in entry.checkpoints)


@pytest.mark.parametrize("columns", ["1", "0"])
def test_words_and_numbers_are_intact_however_narrow_the_terminal_says_it_is(columns):
    done = _run(COLUMNS=columns)
    assert done.returncode == 0, done.stderr
    words = set(done.stdout.split())
    assert words >= {entry.preset for entry in ENTRIES}
    assert "Leaderboard" in words and ("licence:" in words or columns == "0")  # 0: not known


def test_json_holds_every_field_of_every_entry(capsys):
    assert models.main(["--json"]) == 0
    found = {one["preset"]: one for one in json.loads(capsys.readouterr().out)}
    assert set(found) == {entry.preset for entry in ENTRIES}
    turbo = found["whisper_large_v3_turbo"]
    assert turbo["parameters"] == 808_878_080
    assert turbo["checkpoints"][0]["source"].endswith("/openai/whisper-large-v3-turbo")
    assert turbo["lora_bfloat16_bytes"] < turbo["lora_bytes"] < turbo["full_bytes"]
    assert len(turbo["languages"]) == 100


def test_family_and_language_choose(capsys):
    assert models.main(["--family", "ctc", "--language", "de-AT", "--json"]) == 0
    found = [one["preset"] for one in json.loads(capsys.readouterr().out)]
    assert found == ["w2v_bert"]  # which learns any language; the others of ctc know English


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--family", "whisper"], ("There is no family 'whisper'", "mynah models --family")),
        (["--language", "klingon"], ("No model of the catalogue knows 'klingon'", "w2v_bert")),
    ],
    ids=str,
)
def test_what_there_is_not_is_refused_with_a_way_on(arguments, said):
    assert_refused(_run(*arguments), *said)


def test_the_catalogue_needs_no_torch():
    code = (
        "import sys; from mynah.cli import models; models.main([]); print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "False"


def test_a_large_gpu_trains_each_preset_in_its_own_way_the_best_known_first():
    fits, others = ranked(ENTRIES, "cuda", 100 * _GIB)
    assert others == []
    assert {fit.overrides for fit in fits} == {""}
    rates = [fit.entry.wer for fit in fits if fit.entry.wer is not None]
    assert rates == sorted(rates)
    assert [fit.entry.wer for fit in fits[: len(rates)]] == rates


def test_a_smaller_device_gets_a_cheaper_way_and_says_of_the_rest_what_they_take():
    fits, others = ranked(ENTRIES, "cuda", 8 * _GIB)
    assert all(fit.bytes <= 8 * _GIB for fit in fits)
    ways = {fit.entry.preset: fit.way for fit in fits}
    assert ways["moonshine"] == "all weights"
    assert ways["canary"] == "LoRA, bfloat16"
    assert min(other.bytes for other in others) > 7 * _GIB
    assert {fit.entry.preset for fit in [*fits, *others]} == {one.preset for one in ENTRIES}
    assert not any("bfloat16" in fit.way for fit in ranked(ENTRIES, "cpu", 8 * _GIB)[0])


_ONE_OF_EACH = {fit.way: fit for fit in ranked(ENTRIES, "cuda", 10 * _GIB)[0]}


@pytest.mark.parametrize("fit", _ONE_OF_EACH.values(), ids=_ONE_OF_EACH)
def test_what_is_proposed_for_a_device_composes(fit):
    arguments = [f"model={fit.entry.preset}", *fit.overrides.split()]
    assert isinstance(compose(arguments).config, Config)


def test_on_a_cpu_no_model_of_hundreds_of_millions_of_parameters_is_the_advice():
    fits, _ = ranked(ENTRIES, "cpu", 100 * _GIB)
    assert fits[0].entry.parameters <= 100_000_000
    sizes = [fit.entry.parameters > 100_000_000 for fit in fits]
    assert sizes == sorted(sizes) and len(fits) == len(ENTRIES)


def test_what_fits_this_machine_is_listed():
    done = _run("--for-device")
    assert done.returncode == 0, done.stderr
    assert "GiB of memory are free" in done.stdout
    assert "Next: mynah train model=" in done.stdout or "does not fit" in done.stdout


# Their decoders cannot begin without a language (arXiv 2212.04356, figure 1; Canary's likewise).
_CONDITIONED = {"whisper_small", "whisper_large_v3_turbo", "canary"}


@pytest.mark.parametrize(
    "entry",
    fast_where(lambda entry: entry.preset in (*_CONDITIONED, "wav2vec2_base"), ENTRIES),
    ids=[one.preset for one in ENTRIES],
)
def test_the_command_that_is_proposed_gives_a_language_to_whom_needs_one(
    entry, monkeypatch, capsys
):
    monkeypatch.setattr("mynah.training.sizing.memory.free_bytes", lambda device: 2**40)
    monkeypatch.setattr("mynah.cli.models.ENTRIES", (entry,))
    arguments = ["--for-device"]
    if "de" in entry.languages:
        arguments += ["--language", "de-AT"]
    assert models.main(arguments) == 0
    (line,) = [one for one in capsys.readouterr().out.splitlines() if one.startswith("Next: ")]
    words = shlex.split(line.removeprefix("Next: "))
    assert words[:2] == ["mynah", "train"]
    config = compose(words[2:]).config
    given = ("de" if "de" in entry.languages else "en") if entry.preset in _CONDITIONED else None
    assert config.model.language == given


def test_each_preset_is_in_the_catalogue_as_it_is():
    presets = {path.stem for path in (REPOSITORY / "configs/hydra/model").glob("*.yaml")}
    assert presets - _OWN == {entry.preset for entry in ENTRIES}
    for entry in ENTRIES:
        written = REPOSITORY / "configs/hydra/model" / f"{entry.preset}.yaml"
        settings = load_yaml(written.read_text())
        settings.pop("projector", None)
        model = ModelConfig(**settings)
        named = [model.pretrained, model.encoder_model_name, model.decoder_model_name]
        assert [name for name in named if name] == [one.name for one in entry.checkpoints]
        parts = tuning(model)
        assert (parts.decoder == LORA) == entry.adapts
        assert (parts.encoder == FROZEN) == entry.leaves_encoder
        if entry.adapts:
            assert model.lora_r == entry.rank
