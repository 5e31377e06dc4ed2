"""A small server on loopback that gives archives as real ones do, or as broken ones."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Held:
    """A file on the server.

    Attributes:
        content: Its bytes.
        tag: Its entity tag; None: the server sends none.
        resumes: Whether the server honours ``Range``.
        cuts: After how many bytes each coming answer ends; answers after them are complete.
        stalls: Whether a cut answer stays open and silent until the server ends.
        status: Another answer than the file.
        location: Where a redirect leads.
        kind: The content's type.
        shift: By how many bytes pieces begin too early.
    """

    content: bytes = b""
    tag: str | None = '"one"'
    resumes: bool = True
    cuts: list[int] = field(default_factory=list)
    stalls: bool = False
    status: int = 200
    location: str = ""
    kind: str = "application/gzip"
    shift: int = 0


@dataclass
class Server:
    """What is on the server, and what was asked of it: (path, Range, If-Range)."""

    address: str
    files: dict[str, Held] = field(default_factory=dict)
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def put(self, path: str, content: bytes = b"", **options) -> Held:
        """Put a file on the server, in the place of what is there."""
        self.files[path] = Held(content, **options)
        return self.files[path]


@contextmanager
def serving() -> Iterator[Server]:
    """A server that runs as long as the context."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _answer(self, server)

        def log_message(self, *_: object) -> None: ...

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None: ...  # a client that went away

    http = Quiet(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server = Server(f"http://127.0.0.1:{http.server_address[1]}")
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        http.shutdown()
        http.server_close()


def _answer(request: BaseHTTPRequestHandler, server: Server) -> None:
    wanted, condition = request.headers.get("Range"), request.headers.get("If-Range")
    server.asked.append((request.path, wanted, condition))
    path = re.sub("^http://[^/]*", "", request.path)  # a proxy is asked for the full address
    held = server.files.get(path, Held(status=404))
    if held.status != 200:
        request.send_response(held.status)
        if held.location:
            request.send_header("Location", held.location)
        request.send_header("Content-Length", "0")
        request.end_headers()
        return
    size = len(held.content)
    start = 0
    if wanted and held.resumes and condition in (None, held.tag):
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= size:
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{size}")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        start -= held.shift
        request.send_response(206)
        request.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
    else:
        request.send_response(200)
    if held.tag:
        request.send_header("ETag", held.tag)
    request.send_header("Content-Type", held.kind)
    request.send_header("Content-Length", str(size - start))
    request.end_headers()
    end = start + held.cuts.pop(0) if held.cuts else size
    request.wfile.write(held.content[start:end])
    request.wfile.flush()
    if end < size:
        if held.stalls:
            server.ended.wait(20)
        request.close_connection = True
