"""What a hub refuses, and a network that is dead, is reported with what works without."""

from __future__ import annotations

import http.server
import os
import socket
import threading

import huggingface_hub.constants as hub_constants
import pytest
import standins


class Hub(http.server.BaseHTTPRequestHandler):
    """Answers everything that is asked of a model as it is set to."""

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


def test_a_folder_that_is_not_there_is_not_taken_for_a_model_of_the_hub(place, refused):
    message = refused(
        "model.pretrained=outputs/model offline=true",
        "There is no folder outputs/model.",
        "a training writes its model: `mynah train`",
    )
    assert "hf download" not in message


def test_offline_is_kept_to(place, hub_says, refused):
    hub_says(500)
    refused(
        "model.pretrained=someone/else offline=true",
        "someone/else is not on this machine, and offline=true forbids the network",
        "hf download someone/else",
    )


def test_a_download_that_was_cut_short_is_not_taken_for_a_model_without_weights(place, refused):
    snapshot = standins.install(place / "hub", "someone/hubert", "hubert_ctc")
    os.truncate(snapshot / "model.safetensors", 1000)
    refused(
        "model.pretrained=someone/hubert offline=true",
        "are not intact: model.safetensors is",
        "hf download someone/hubert --force-download",
    )
