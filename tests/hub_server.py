"""A small server on loopback that answers as much of the Hugging Face hub's API as downloads and
uploads need.

It gives what lies in a folder that is laid out as the hub's cache (``standins.install``), takes
commits into it (``hub_uploads``), and remembers what it was asked for.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import hub_uploads

_API = re.compile(r"^/api/(models|datasets)/([^/]+/[^/]+)(?:/(revision|paths-info)/(.+))?$")
_TREE = re.compile(r"^/api/(models|datasets)/([^/]+/[^/]+)/tree/([^/]+)/?(.*)$")
_FILE = re.compile(r"^/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)$")


@dataclass
class Hub:
    """What is on the server, and what was asked of it.

    Attributes:
        address: What ``HF_ENDPOINT`` is set to.
        cache: The folder whose repositories it gives.
        asked: (method, path) of every request.
        received: Every request as it came: its line, its headers and its body.
        cuts: Bytes after which the next answers with a file end, by the file's name.
        gated: Repositories that are given to nobody.
        private: Repositories that were made private.
        token: What uploads have to send.
        objects: Large files that were sent, by their SHA-256.
    """

    address: str
    cache: Path
    asked: list[tuple[str, str]] = field(default_factory=list)
    received: list[str] = field(default_factory=list)
    cuts: dict[str, int] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    private: set[str] = field(default_factory=set)
    token: str = "hf_of_the_tests"
    objects: dict[str, bytes] = field(default_factory=dict)

    def given(self) -> list[str]:
        """Names of the files whose content was asked for, in order."""
        found = (_FILE.match(path) for method, path in self.asked if method == "GET")
        return [unquote(match[4]) for match in found if match]

    def commit(self, kind: str, name: str, revision: str) -> str | None:
        """The commit that a revision stands for, None where there is none."""
        repository = self.cache / f"{kind}--{name.replace('/', '--')}"
        reference = repository / "refs" / revision
        commit = reference.read_text() if reference.is_file() else revision
        return commit if (repository / "snapshots" / commit).is_dir() else None

    def folder(self, kind: str, name: str, commit: str) -> Path:
        return self.cache / f"{kind}--{name.replace('/', '--')}" / "snapshots" / commit

    def holds(self, kind: str, name: str) -> bool:
        return (self.cache / f"{kind}--{name.replace('/', '--')}").is_dir()


@contextmanager
def serving(cache: Path) -> Iterator[Hub]:
    """A hub that runs as long as the context."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _answer(self, hub)

        do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None: ...  # a client that went away

    http = Quiet(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    hub = Hub(f"http://127.0.0.1:{http.server_address[1]}", cache)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        http.shutdown()
        http.server_close()


def _answer(request: BaseHTTPRequestHandler, hub: Hub) -> None:
    path = unquote(urlsplit(request.path).path)
    hub.asked.append((request.command, path))
    body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
    held = body.decode(errors="replace")
    hub.received.append(f"{unquote(request.requestline)}\n{request.headers}\n{held}")
    if (reply := hub_uploads.answer(request.command, path, request.headers, body, hub)) is not None:
        _send(request, reply.status, reply.body, reply.headers)
    elif match := _TREE.match(path):
        kind, name, revision, inside = match.groups()
        commit = _commit(request, hub, kind, name, revision)
        if commit is not None:
            _send_tree(request, hub.folder(kind, name, commit), inside)
    elif match := _API.match(path):
        kind, name, what, revision = match.groups()
        commit = _commit(request, hub, kind, name, revision or "main")
        if commit is not None and what == "paths-info":
            _send_json(request, _paths(hub.folder(kind, name, commit), body))
        elif commit is not None:
            folder = hub.folder(kind, name, commit)
            files = [{"rfilename": one} for one in sorted(_names(folder))]
            _send_json(
                request,
                {
                    "id": name,
                    "sha": commit,
                    "siblings": files,
                    "private": name in hub.private,
                },
            )
    elif match := _FILE.match(path):
        dataset, name, revision, file = match.groups()
        kind = "datasets" if dataset else "models"
        commit = _commit(request, hub, kind, name, revision)
        if commit is not None:
            _send_file(request, hub, hub.folder(kind, name, commit) / file, commit)
    else:
        _send(request, 200, b"")


def _commit(
    request: BaseHTTPRequestHandler, hub: Hub, kind: str, name: str, revision: str
) -> str | None:
    """The commit of a revision; where there is none it is answered so."""
    if name in hub.gated:
        _send(request, 403, b"", {"X-Error-Code": "GatedRepo"})
        return None
    if not hub.holds(kind, name):
        _send(request, 404, b"", {"X-Error-Code": "RepoNotFound"})
        return None
    commit = hub.commit(kind, name, revision)
    if commit is None:
        _send(request, 404, b"", {"X-Error-Code": "RevisionNotFound"})
    return commit


def _names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def _paths(folder: Path, body: bytes) -> list[dict[str, object]]:
    written = body.decode()
    if written.startswith("{"):
        asked = json.loads(written)["paths"]
    else:
        asked = [unquote(one.partition("=")[2]) for one in written.split("&")]
        asked = [one for one in asked if one not in ("True", "False")]
    return [
        {"type": "file", "path": name, "size": (folder / name).stat().st_size, "oid": "0" * 40}
        for name in ([asked] if isinstance(asked, str) else asked)
        if (folder / name).is_file()
    ]


def _send_tree(request: BaseHTTPRequestHandler, folder: Path, inside: str) -> None:
    if not (folder / inside).is_dir():
        _send(request, 404, b"", {"X-Error-Code": "EntryNotFound"})
        return
    names = [path for path in (folder / inside).rglob("*") if path.is_file()]
    _send_json(
        request,
        [
            {
                "type": "file",
                "path": path.relative_to(folder).as_posix(),
                "size": path.stat().st_size,
                "oid": "0" * 40,
            }
            for path in names
        ],
    )


def _send_file(request: BaseHTTPRequestHandler, hub: Hub, file: Path, commit: str) -> None:
    if not file.is_file():
        _send(request, 404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        return
    content = file.read_bytes()
    headers = {
        "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
        "X-Repo-Commit": commit,
        "Accept-Ranges": "bytes",
    }
    start = 0
    if wanted := request.headers.get("Range"):
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start = int(first) if first else len(content) - int(last)
        end = int(last) + 1 if first and last else len(content)
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(content)}"
        content = content[start:end]
    cut = hub.cuts.pop(file.name, None) if request.command == "GET" else None
    _send(request, 206 if wanted else 200, content, headers, cut=cut)


def _send_json(request: BaseHTTPRequestHandler, content: object) -> None:
    _send(request, 200, json.dumps(content).encode(), {"Content-Type": "application/json"})


def _send(
    request: BaseHTTPRequestHandler,
    status: int,
    content: bytes,
    headers: dict[str, str] | None = None,
    *,
    cut: int | None = None,
) -> None:
    request.send_response(status)
    for name, value in (headers or {}).items():
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(content if cut is None else content[:cut])
        if cut is not None:
            request.close_connection = True
