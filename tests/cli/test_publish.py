"""``mynah publish``: what goes to the hub is what was shown, and nothing private is in it."""

from __future__ import annotations

import json

import hub_server
import pytest
import standins
from families import build, shifted
from huggingface_hub import ModelCard, constants
from tiny_models import TEXTS, tiny
from transcripts import transcribed

import mynah
from mynah.checkpoints.commit import commit
from mynah.cli.main import main
from mynah.models import registry

NAME = "anna/calls"
# What must not leave this machine, wherever it stands in a run's files.
SECRETS = ("SECRET-SPEAKER", "SECRET-TEXT", "SECRET-PLACE", "SECRET-ID")
RATES = {"label": "WER", "percent": True, "value": 0.12345, "low": 0.1, "high": 0.15}


def write_run(folder, family, *, decoding="greedy CTC", extra=()):
    """A training's directory as Mynah leaves it, and its model."""
    run = folder / "outputs" / "2026-11-28" / "10-00-00"
    (run / ".hydra").mkdir(parents=True)
    (run / "evaluation").mkdir()
    config = {
        "data": {"dataset_name": "/home/SECRET-PLACE/calls", "sample_rate": 16000,
                 "max_audio_seconds": 20.0, "language": "de"},
        "model": {},
    }  # fmt: skip
    with commit(run / "model") as staging:
        family.save(staging)
        about = {"family": family.name, "step": 700, "base_revisions": {},
                 "parameters": [["encoder", 900, 100], ["head", 10, 10]],
                 "training": {"left out": ["SECRET-ID"]}}  # fmt: skip
        (staging / "mynah.json").write_text(json.dumps(about))
        (staging / "config.yaml").write_text(json.dumps(config))
        for name in ("optimizer.safetensors", "trainer_state.json", "utterances.jsonl", *extra):
            (staging / name).write_text("SECRET-TEXT SECRET-SPEAKER")
    data = {
        "corpus": "SECRET-PLACE",
        "format": "folder",
        "identity": "/home/SECRET-PLACE",
        "splits": {
            "train": {"role": "training", "kept": 4321, "hours": 12.5},
            "test": {"role": "evaluation", "kept": 130, "hours": 0.25},
        },
        "leaks": {
            "test": {"sentences": {"shared": 1, "utterances": 7, "examples": ["SECRET-TEXT"]}}
        },
    }
    results = {
        "evaluations": {
            "test": {"metrics": {"wer": RATES}, "utterances": 130, "normalizer": "basic@2",
                     "speakers": {"SECRET-SPEAKER": {}}}
        },
        "before_after": {"splits": {"test": {"as_scored": {"metrics": {"wer": {"base": 0.5}}}}}},
        "about": {"checkpoint": str(run / "model"), "decoding": decoding, "data": data,
                  "config": json.dumps(config)},
    }  # fmt: skip
    (run / "data.json").write_text(json.dumps(data))
    (run / "evaluation" / "results.json").write_text(json.dumps(results))
    (run / "run.json").write_text(
        json.dumps({"output_dir": str(run / "model"), "versions": {"torch": "2.13.0"}})
    )
    typed = ["data.dataset_name=/home/SECRET-PLACE/calls", "training.max_steps=700"]
    (run / ".hydra" / "overrides.yaml").write_text(json.dumps(typed))
    return run


@pytest.fixture(scope="module")
def family(checkpoints):
    return build("ctc", checkpoints)


@pytest.fixture
def run(tmp_path, family, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write_run(tmp_path, family)


@pytest.fixture
def hub(tmp_path_factory, monkeypatch):
    """An empty hub, at which whoever types is logged in."""
    with hub_server.serving(tmp_path_factory.mktemp("hub")) as found:
        monkeypatch.setattr(constants, "ENDPOINT", found.address)
        files = f"{found.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", files)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", found.token)
        yield found


@pytest.fixture
def typed(capsys):
    def publish(*arguments):
        try:
            status = main(["publish", *map(str, arguments)])
        except SystemExit as leaving:
            status = leaving.code
        return status, *capsys.readouterr()

    return publish


def published(hub):
    commit = hub.commit("models", NAME, "main")
    assert commit is not None
    return hub.folder("models", NAME, commit)


def test_the_model_alone_goes_to_a_private_repository(typed, run, hub):
    status, out, err = typed(run, NAME, "--yes", "--license", "mit")
    assert status == 0, err
    folder = published(hub)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert "model.safetensors" in names and "README.md" in names
    kept = ("optimizer", "trainer_state", "mynah.json", "config.yaml", "utterances", "SHA256SUMS")
    assert not [name for name in names if name.startswith(kept)]
    for name in names - {"README.md"}:
        assert (folder / name).read_bytes() == (run / "model" / name).read_bytes()
        assert name in out
    assert hub.private == {NAME} and "private" in out
    sent = "".join(hub.received) + "".join(map(repr, hub.objects.values()))
    assert not [secret for secret in SECRETS if secret in sent]
    assert "trainer_state.json: the state of the training" in out


def test_the_card_says_what_the_run_knows(typed, run, hub):
    assert typed(run, NAME, "--yes", "--license", "mit")[0] == 0
    card = ModelCard.load(published(hub) / "README.md")
    (result,) = card.data.eval_results
    assert (result.metric_type, result.metric_value) == ("wer", 12.35)
    assert (result.dataset_name, result.dataset_split) == ("a private corpus", "test")
    assert result.metric_args == {
        "utterances": 130, "normalizer": "basic@2", "interval_95_low": 10.0,
        "interval_95_high": 15.0,
    }  # fmt: skip
    assert (card.data.license, card.data.language) == ("mit", ["de"])
    assert card.data.pipeline_tag == "automatic-speech-recognition"
    for said in (
        "910 parameters of which 110 were trained",
        "| test | 130 | WER % | 12.35 [10.00, 15.00] | 50.00 |",
        "| train | train | 4,321 | 12.50 |",
        "mynah train data.dataset_name=… training.max_steps=700",
        "torch 2.13.0",
        "700 steps",
        "sentences (7 utterances)",
        "Decoding: greedy CTC.",
        "up to 20 s",
    ):
        assert said in card.content, said


def test_what_was_published_transcribes_as_the_model_does(
    typed, run, hub, family, clips, tmp_path, monkeypatch
):
    assert typed(run, NAME, "--yes")[0] == 0
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "downloads"))
    recognizer = mynah.load(NAME)
    assert transcribed(recognizer.family, clips) == transcribed(family, clips)


ADAPTED = {
    "seq2seq": {"pretrained": "whisper_asr", "language": "en"},
    "speech_llm": {"encoder_model_name": "wav2vec2_base", "decoder_model_name": "chat_lm"},
}


@pytest.mark.parametrize("family", ADAPTED)
def test_a_published_adapter_is_loaded_by_its_name(
    family, typed, hub, clips, tmp_path, monkeypatch
):
    bases = {}
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(hub.cache))
    for setting, kind in ADAPTED[family].items():
        bases[setting] = kind
        if setting != "language":
            bases[setting] = f"someone/{kind.replace('_', '-')}"
            standins.install(hub.cache, bases[setting], kind)
    config = tiny(**bases, use_lora=True)
    made = shifted(registry.build(config, texts=TEXTS, sample_rate=16000, offline=True), 0.5)
    monkeypatch.chdir(tmp_path)
    run = write_run(tmp_path, made)
    status, _, err = typed(run, NAME, "--yes")
    assert status == 0, err
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "downloads"))
    recognizer = mynah.load(NAME)
    assert recognizer.family.name == family
    spoken = bases.get("language", "")  # which a recognizer gives with each clip
    assert recognizer._spoken(None) == spoken
    assert transcribed(recognizer.family, clips, [spoken] * len(clips)) == transcribed(made, clips)


def test_nothing_is_sent_before_it_is_agreed_to(typed, run, hub, monkeypatch):
    status, out, err = typed(run, NAME)
    assert status == 2 and f"mynah publish {run} {NAME} --yes" in err
    assert "model.safetensors" in out and "## Error rates" in out
    for answer, agreed in (("y", 2), (NAME, 0)):
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("builtins.input", lambda _, answer=answer: answer)
        assert not hub.holds("models", NAME)
        assert typed(run, NAME)[0] == agreed
    assert hub.holds("models", NAME)


def test_a_dry_run_asks_the_hub_nothing(typed, run, hub):
    status, out, _ = typed(run, NAME, "--dry-run")
    assert status == 0 and "Nothing was sent" in out and "library_name: transformers" in out
    assert hub.asked == []


def test_a_public_repository_is_agreed_to_by_name(typed, run, hub):
    assert typed(run, NAME, "--yes", "--public")[0] == 0
    assert hub.private == set()
    status, _, err = typed(run, NAME, "--yes")
    assert status == 2 and "--public" in err
    status, out, _ = typed(run, NAME, "--yes", "--public")
    assert status == 0 and "everybody; the repository is there already" in out


def test_rates_that_need_private_ngrams_are_marked_and_not_the_model_s(
    typed, tmp_path, family, monkeypatch, hub
):
    monkeypatch.chdir(tmp_path)
    decoding = "CTC beam search with word n-grams of the training transcripts"
    run = write_run(tmp_path, family, decoding=decoding, extra=["language_model.arpa"])
    status, out, _ = typed(run, NAME, "--yes")
    assert status == 0 and "--results RUN" in out and "language_model.arpa: word sequences" in out
    card = ModelCard.load(published(hub) / "README.md")
    assert card.data.eval_results is None and "12.35 [10.00, 15.00] \\*" in card.content
    # Measured without them, by a run of its own.
    other = tmp_path / "measured"
    (other / "evaluation").mkdir(parents=True)
    results = json.loads((run / "evaluation" / "results.json").read_text())
    results["about"]["decoding"] = "greedy CTC"
    (other / "evaluation" / "results.json").write_text(json.dumps(results))
    assert typed(run, NAME, "--yes", "--results", other)[0] == 0
    card = ModelCard.load(published(hub) / "README.md")
    assert [one.metric_value for one in card.data.eval_results] == [12.35]
    results["about"]["checkpoint"] = str(tmp_path / "another")
    (other / "evaluation" / "results.json").write_text(json.dumps(results))
    status, _, err = typed(run, NAME, "--yes", "--results", other)
    assert status == 2 and "measured another model" in err


@pytest.mark.parametrize("name", ["_name_or_path", "vocab_file"])
def test_a_place_of_this_machine_in_a_configuration_does_not_go(name, typed, run, hub):
    config = run / "model" / "config.json"
    content = json.loads(config.read_text()) | {name: "/home/anna/SECRET-PLACE"}
    with commit(run / "model") as staging:
        for path in run.joinpath("model").iterdir():
            if path.name != "SHA256SUMS":
                (staging / path.name).write_bytes(path.read_bytes())
        (staging / "config.json").write_text(json.dumps(content))
    status, out, err = typed(run, NAME, "--yes")
    if name == "_name_or_path":  # a note that nothing reads
        assert status == 0 and "weights were loaded from: config.json" in out
        sent = json.loads((published(hub) / "config.json").read_text())
        assert sent == content | {name: ""}
        return
    assert status == 2 and "names a folder of this machine" in err and name in err
    assert hub.asked == []


@pytest.mark.parametrize("damage", ["model.safetensors", "README.md"])
def test_a_damaged_model_is_not_published(typed, run, hub, damage):
    (run / "model" / damage).write_bytes(b"other")
    status, _, err = typed(run, NAME, "--yes")
    listed = (run / "model" / "SHA256SUMS").read_text()
    assert (status == 2) == (damage in listed)
    assert "Traceback" not in err and (status == 0 or hub.asked == [])


def test_who_may_not_write_is_refused(typed, run, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_of_somebody")
    status, _, err = typed(run, NAME, "--yes")
    assert status == 2 and "401" in err and "hf auth login" in err
    monkeypatch.setattr("mynah.publishing.repository.get_token", lambda: None)
    assert "Nobody is logged in" in typed(run, NAME, "--yes")[2]


def test_a_hub_that_does_not_answer_and_a_name_that_is_none_are_said(typed, run, hub, monkeypatch):
    for name in ("calls", "a/b/c", "../calls", "anna/", "anna/ü"):
        status, _, err = typed(run, name, "--yes")
        assert status == 2 and "owner/name" in err
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    status, _, err = typed(run, NAME, "--yes")
    assert status == 2 and "cannot be reached" in err
    assert typed(run, NAME, "--license", "My Licence")[0] == 2
