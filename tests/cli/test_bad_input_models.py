"""Models that cannot be meant: told in a few lines, before any data is prepared."""

from __future__ import annotations

import dataclasses
import http.server
import json
import os
import shlex
import shutil
import socket
import threading
from pathlib import Path

import huggingface_hub.constants as hub_constants
import pytest
import standins
import yaml
from safetensors.torch import load_file, save_file
from tiny_models import TEXTS, tiny
from workspaces import assert_refused, clone, run

import mynah.run
from mynah.cli.exit_status import exit_status
from mynah.cli.main import main
from mynah.config.hydra.compose import compose
from mynah.errors import UserError
from mynah.models import registry
from mynah.models.pretrained import hub


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder for each kind of stand-in, not to be written to."""
    root = tmp_path_factory.mktemp("models")

    def folder(kind):
        directory = root / kind
        return directory if directory.exists() else standins.write(directory, kind)

    return folder


@pytest.fixture
def mine(models, tmp_path):
    """A copy of a stand-in that a test may spoil."""
    return lambda kind: shutil.copytree(models(kind), tmp_path / "models" / kind)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Where the command is typed: an empty cache, an empty hub cache, no network."""
    (tmp_path / "clone").mkdir()
    monkeypatch.chdir(tmp_path / "clone")
    monkeypatch.setenv("MYNAH_CACHE", str(tmp_path / "prepared"))
    monkeypatch.setattr(hub_constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(hub_constants, "HF_HUB_OFFLINE", True)
    hub._hub_answers.cache_clear()
    yield tmp_path
    hub._hub_answers.cache_clear()


@pytest.fixture(scope="module")
def settings():
    """What is composed where nothing is typed, and the layer that set each."""
    composed = compose([])
    return composed.config, composed.origins


@pytest.fixture
def refused(place, settings, capsys):
    """Run what a command line means, and get the message that it ends with."""

    def typed(words, *said):
        config, origins = settings
        for word in shlex.split(words):
            name, _, value = word.partition("=")
            config = changed(config, name.split("."), yaml.safe_load(value))
        directory = place / "run"
        directory.mkdir(exist_ok=True)
        return ended(
            exit_status(
                lambda: mynah.run.run(
                    config, origins=origins, run_directory=directory, working_directory=Path.cwd()
                )
            ),
            *said,
        )

    def ended(status, *said):
        done = capsys.readouterr()
        assert status == 2, done.out + done.err
        assert "Traceback" not in done.out + done.err
        message = done.err[done.err.index("error: ") :]
        assert len(message.splitlines()) <= 4, message
        assert "fix:" in message
        for part in said:
            assert part in message, message
        assert not (place / "prepared").exists()
        assert not (place / "run" / "data.json").exists()
        return message

    return typed


def changed(section, names, value):
    first, *rest = names
    value = changed(getattr(section, first), rest, value) if rest else value
    return dataclasses.replace(section, **{first: value})


def edit(folder, name="config.json", **changes):
    file = folder / name
    written = json.loads(file.read_text()) | changes
    file.write_text(json.dumps({k: v for k, v in written.items() if v is not None}))
    return folder


# Names


def test_the_message_is_the_same_as_a_process_of_its_own(models, tmp_path):
    folder = clone(tmp_path / "clone")
    done = run(folder, f"mynah train model.pretrained={models('chat_lm')} offline=true")
    assert_refused(done, "is a language model (llama)", "model.encoder_model_name=", lines=4)
    assert not list(folder.glob("outputs/*/*/data.json"))


def test_an_architecture_that_is_no_recognizer_names_those_that_are(refused, place):
    folder = place / "picture"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "vit"}')
    refused(f"model.pretrained={folder}", "is a vit, and no recognizer", "whisper", "wav2vec2")


def test_a_language_model_is_no_recognizer(refused, models):
    folder = models("chat_lm")
    refused(
        f"model.pretrained={folder}",
        "is a language model (llama), and no recognizer",
        f"model.decoder_model_name={folder} model.pretrained=null",
    )


def test_a_folder_without_a_config_names_the_model_in_it(refused, place, models):
    run_folder = place / "run"
    shutil.copytree(models("hubert_ctc"), run_folder / "checkpoint-200")
    refused(
        f"model.pretrained={run_folder}",
        "has no config.json",
        f"model.pretrained={run_folder}/checkpoint-200",
    )


def test_a_config_that_is_not_json_is_refused(refused, mine):
    folder = mine("hubert_ctc")
    (folder / "config.json").write_text('{"model_type": "hub')
    refused(f"model.pretrained={folder}", "config.json that is not JSON")


def test_a_mistyped_folder_is_answered_with_the_one_beside_it(refused, mine):
    folder = mine("hubert_ctc")
    refused(f"model.pretrained={folder}s", "neither a folder", f"Did you mean {folder}?")


def test_a_mistyped_name_is_answered_with_the_one_that_is_known(refused):
    refused("model.pretrained=openai/whisper-smal", "Did you mean openai/whisper-small?")


# What is heard, and what is adapted


def test_a_feature_extractor_of_another_rate_names_the_rate(refused, mine):
    folder = edit(mine("hubert_ctc"), "preprocessor_config.json", sampling_rate=8000)
    refused(f"model.pretrained={folder}", "takes 8000 Hz", "data.sample_rate=8000")


def test_an_encoder_and_its_processor_of_different_rates_are_refused(refused, mine, models):
    encoder = edit(mine("whisper"), "preprocessor_config.json", sampling_rate=8000)
    names = f"model.encoder_model_name={encoder} model.decoder_model_name={models('chat_lm')}"
    refused(names, "takes 8000 Hz", "model.encoder_model_name", "data.sample_rate=8000")


@pytest.mark.parametrize(
    "kind, key, other, said",
    [
        ("moonshine_streaming", "sampling_rate", 8000, "is built for 16000 Hz"),
        ("whisper_asr", "feature_size", 128, "is built for 80 mel bins"),
        ("parakeet_tdt", "feature_size", 128, "is built for 80 mel bins"),
    ],
)
def test_a_feature_extractor_of_another_model_is_refused(kind, key, other, said, refused, mine):
    folder = mine(kind)
    file = "preprocessor_config.json"
    if not (folder / file).is_file():
        file = "processor_config.json"
        held = json.loads((folder / file).read_text())["feature_extractor"]
        edit(folder, file, feature_extractor={**held, key: other})
    else:
        edit(folder, file, **{key: other})
    refused(f"model.pretrained={folder}", said, f"makes {other}", "preprocessor_config.json")


def test_targets_of_lora_that_match_nothing_are_answered_with_what_could(refused, models):
    named = f"model.pretrained={models('hubert_ctc')} model.use_lora=true"
    refused(
        f"{named} model.lora_target_modules=[q_prj]",
        "No module of the model is called 'q_prj'",
        "Did you mean q_proj? It can adapt:",
    )


def test_a_target_without_brackets_is_a_list_of_one(place, capsys):
    typed = ["model.pretrained=x", "model.use_lora=true", "model.lora_target_modules=all-linear"]
    assert main(["config", "explain", *typed, "--only", "model.lora_target_modules"]) == 0
    assert "[all-linear]" in capsys.readouterr().out


def test_an_attention_that_the_model_does_not_have_is_answered_with_those_it_has(refused, models):
    named = f"model.pretrained={models('hubert_ctc')}"
    refused(f"{named} model.attn_implementation=fast", "no attention called 'fast'", "eager, sdpa")


# Adapters and their base


@pytest.fixture
def adapter(mine, tmp_path):
    """An adapter of ours, and its base."""
    base = mine("hubert_ctc")
    config = tiny(pretrained=str(base), use_lora=True)
    family = registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)
    folder = tmp_path / "adapter"
    folder.mkdir()
    family.save(folder)
    return folder, base


def test_an_adapter_without_its_base_says_where_it_looked(refused, adapter):
    folder, base = adapter
    shutil.rmtree(base)
    refused(
        f"model.pretrained={folder} model.use_lora=true",
        f"builds on the weights in {base}, and that folder is not there",
        f"{folder}/adapter_config.json",
        "Put the folder back",
    )


def test_an_adapter_of_other_weights_is_refused(refused, adapter):
    folder, base = adapter
    held = load_file(base / "model.safetensors")
    save_file({k: v + 1e-3 for k, v in held.items()}, base / "model.safetensors")
    refused(
        f"model.pretrained={folder} model.use_lora=true",
        f"builds on other weights than those in {base}",
        "Put the weights back",
    )


def test_an_adapter_whose_base_is_here_in_another_revision_alone_names_its_own(
    refused, adapter, place
):
    folder, _ = adapter
    snapshot = standins.install(place / "hub", "someone/hubert", "hubert_ctc")
    commit = "0123456789abcdef0123456789abcdef01234567"
    assert snapshot.name != commit
    edit(
        folder,
        "adapter_config.json",
        base_model_name_or_path="someone/hubert",
        revision=commit,
    )
    refused(
        f"model.pretrained={folder} model.use_lora=true offline=true",
        "someone/hubert is not on this machine",
        f"hf download someone/hubert --revision {commit}",
        "adapter_config.json",
    )


# Weights


def test_pickled_weights_are_refused_with_how_to_convert_them(refused, mine):
    folder = mine("hubert_ctc")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    refused(f"model.pretrained={folder}", "pickle files alone", "save_file")


def test_a_folder_without_weights_says_so(refused, mine):
    folder = mine("hubert_ctc")
    (folder / "model.safetensors").unlink()
    refused(f"model.pretrained={folder}", "has no model.safetensors")


@pytest.mark.parametrize("kept", [10, 3000, -1], ids=["header", "middle", "last byte"])
def test_weights_that_are_cut_short_are_refused(kept, refused, mine):
    folder = mine("hubert_ctc")
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    refused(f"model.pretrained={folder}", "are not intact: model.safetensors is")


def shards(folder):
    """Spread the weights of a folder over two files."""
    held = load_file(folder / "model.safetensors")
    names = sorted(held)
    files = {name: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, name in enumerate(names)}
    for file in set(files.values()):
        part = {name: held[name] for name in names if files[name] == file}
        save_file(part, folder / file, metadata={"format": "pt"})
    (folder / "model.safetensors").unlink()
    index = {"metadata": {}, "weight_map": files}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def test_a_shard_that_is_missing_is_named(refused, mine):
    folder = shards(mine("hubert_ctc"))
    (folder / "model-00002-of-00002.safetensors").unlink()
    refused(f"model.pretrained={folder}", "model-00002-of-00002.safetensors of 2 files")


def test_an_index_that_is_not_json_is_refused(refused, mine):
    folder = shards(mine("hubert_ctc"))
    (folder / "model.safetensors.index.json").write_text("{")
    refused(f"model.pretrained={folder}", "model.safetensors.index.json is not a list of weights")


def late(models, folder):
    """What a model says that can only be known of it when its weights are read."""
    config = tiny(pretrained=str(folder))
    with pytest.raises(UserError) as caught:
        registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)
    return str(caught.value)


@pytest.mark.parametrize(
    "kind, wrong",
    [
        ("hubert_ctc", "missing"),
        ("hubert_ctc", "left over"),
        ("hubert_ctc", "shape"),
        ("parakeet_tdt", "missing"),
        ("whisper_asr", "shape"),
        ("qwen3_asr", "left over"),
    ],
)
def test_weights_that_do_not_fit_are_named(wrong, kind, mine, models, place):
    folder = mine(kind)
    file = folder / "model.safetensors"
    held = load_file(file)
    name = next(one for one in sorted(held) if "q_proj.weight" in one)
    if wrong == "missing":
        held.pop(name)
    elif wrong == "left over":
        held["stranger.weight"] = held[name].clone()
    else:
        held[name] = held[name][:, :-1].contiguous()
    save_file(held, file, metadata={"format": "pt"})
    message = late(models, folder)
    assert len(message.splitlines()) == 3
    assert {"missing": "1 weights missing", "left over": "stranger.weight", "shape": "is [32, 31]"}[
        wrong
    ] in message


# Code that comes with a model


@pytest.mark.parametrize(
    "file, named",
    [
        ("config.json", {"model_type": "evil", "auto_map": {"AutoModelForCTC": "evil.Model"}}),
        (
            "preprocessor_config.json",
            {"feature_extractor_type": "Evil", "auto_map": {"AutoFeatureExtractor": "evil.Evil"}},
        ),
        ("tokenizer_config.json", {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": []}}),
    ],
    ids=["model", "features", "tokenizer"],
)
def test_code_of_a_models_own_is_not_run_unasked(file, named, refused, mine):
    folder = edit(mine("hubert_ctc"), file, **named)
    (folder / "evil.py").write_text("raise SystemExit('it ran')")
    refused(
        f"model.pretrained={folder}",
        "brings its own code, which is not run unasked",
        "model.trust_remote_code=true",
    )


def test_code_is_run_when_it_is_asked_for(mine, place, monkeypatch):
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(place / "code"))
    folder = mine("hubert_ctc")
    (folder / "kind.py").write_text(
        "from transformers import HubertConfig, HubertForCTC\n"
        "class KindConfig(HubertConfig):\n    model_type = 'kind'\n"
        "class KindForCTC(HubertForCTC):\n    config_class = KindConfig\n"
    )
    auto_map = {"AutoConfig": "kind.KindConfig", "AutoModelForCTC": "kind.KindForCTC"}
    edit(folder, model_type="kind", architectures=["KindForCTC"], auto_map=auto_map)
    config = tiny(pretrained=str(folder))
    trusted = dataclasses.replace(config, trust_remote_code=True)
    family = registry.build(trusted, texts=TEXTS, sample_rate=16000, offline=True)
    assert (family.name, type(family.model).__name__) == ("ctc", "KindForCTC")


# The hub


class Hub(http.server.BaseHTTPRequestHandler):
    """Answers everything that is asked of a model as it is told to."""

    status, headers_sent = 404, {}

    def _answer(self):
        asks_for_model = "/resolve/" in self.path or "/api/models" in self.path
        self.send_response(self.status if asks_for_model else 200)
        for name, value in self.headers_sent.items() if asks_for_model else ():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD = _answer  # noqa: N815 - as http.server names them

    def log_message(self, *arguments):
        pass


@pytest.fixture
def hub_says(place, monkeypatch):
    """A hub on this machine, which answers with a status and an error code."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    reach(monkeypatch, address)

    def says(status, code=None):
        monkeypatch.setattr(Hub, "status", status)
        monkeypatch.setattr(Hub, "headers_sent", {"X-Error-Code": code} if code else {})

    yield says
    server.shutdown()
    server.server_close()


def reach(monkeypatch, address):
    """Take an address for that of the hub."""
    monkeypatch.setattr(hub_constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub_constants, "ENDPOINT", address)
    template = hub_constants.HUGGINGFACE_CO_URL_TEMPLATE
    rest = template.split("://", 1)[1].split("/", 1)[1]
    monkeypatch.setattr(hub_constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{address}/{rest}")


@pytest.mark.parametrize(
    "status, code, said",
    [
        (404, "RepoNotFound", "There is no model 'someone/else'"),
        (401, None, "does not let you read someone/else (HTTP 401)"),
        (403, "GatedRepo", "asks for its licence to be accepted first"),
        (403, None, "does not let you read someone/else (HTTP 403)"),
        (418, None, "The hub answered HTTP 418"),
    ],
)
def test_what_the_hub_refuses_is_said_with_the_token_that_may_help(
    status, code, said, hub_says, refused
):
    hub_says(status, code)
    message = refused("model.pretrained=someone/else", said)
    assert ("HF_TOKEN" in message) == (status in (401, 403, 404))


def test_a_revision_that_does_not_exist_is_named(hub_says, refused):
    hub_says(404, "RevisionNotFound")
    refused(
        "model.pretrained=someone/else model.revision=v9",
        "someone/else has no revision 'v9'",
        "Name a branch, tag or commit",
    )


def test_a_network_that_is_dead_says_what_works_without(place, refused, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    reach(monkeypatch, f"http://127.0.0.1:{port}")
    refused(
        "model.pretrained=someone/else",
        "someone/else is not on this machine, and the hub cannot be reached",
        "hf download someone/else",
    )


def test_offline_is_kept_to(place, hub_says, refused):
    hub_says(500)
    refused(
        "model.pretrained=someone/else offline=true",
        "someone/else is not on this machine, and offline=true forbids the network",
        "hf download someone/else",
    )


def test_a_download_that_was_cut_short_is_told_from_a_model_without_weights(place, refused):
    snapshot = standins.install(place / "hub", "someone/hubert", "hubert_ctc")
    os.truncate(snapshot / "model.safetensors", 1000)
    refused(
        "model.pretrained=someone/hubert offline=true",
        "are not intact: model.safetensors is",
        "hf download someone/hubert --force-download",
    )
