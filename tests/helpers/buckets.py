"""A bucket on loopback (moto's server) behind a proxy that answers as a bad network does.

moto checks no credentials and injects no faults: what a server says of either is said here.
"""

from __future__ import annotations

import http.client
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BUCKET = "speech"
_REFUSALS = {
    "expired": (400, "ExpiredToken", "The provided token has expired."),
    "expired 403": (403, "ExpiredToken", "The provided token has expired."),
    "denied": (403, "AccessDenied", "Access Denied"),
    "wrong": (403, "InvalidAccessKeyId", "The key Id you provided does not exist."),
    "vanished": (404, "NoSuchBucket", "The specified bucket does not exist"),
    "internal": (500, "InternalError", "We encountered an internal error."),
    "busy": (503, "SlowDown", "Please reduce your request rate."),
    "gateway": (502, "", ""),
}


@dataclass(frozen=True)
class Request:
    """A request as it came to the proxy."""

    number: int
    method: str
    path: str
    range: str | None


@dataclass
class Proxy:
    """What stands before the bucket.

    Attributes:
        address: Its own, for AWS_ENDPOINT_URL.
        fault: What a request meets: ``"cut"``, ``"slow"``, ``"dropped"`` or a refusal, or nothing.
        requests: What came.
        met: How many requests met each fault.
    """

    address: str
    fault: Callable[[Request], str | None] = lambda _: None
    requests: list[Request] = field(default_factory=list)
    met: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, method: str, path: str, wanted: str | None) -> str | None:
        with self.lock:
            request = Request(len(self.requests), method, path, wanted)
            self.requests.append(request)
            fault = self.fault(request)
            if fault is not None:
                self.met[fault] += 1
            return fault


@dataclass
class Bucket:
    """A bucket and the proxy before it.

    Attributes:
        proxy: What commands talk to.
        client: boto3's client, which talks to the bucket itself.
    """

    proxy: Proxy
    client: Any

    @property
    def environment(self) -> dict[str, str]:
        return environment(self.proxy.address)

    def names(self, prefix: str = "") -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [one["Key"] for page in pages for one in page.get("Contents", [])]

    def put(self, name: str, content: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=name, Body=content)

    def get(self, name: str) -> bytes:
        return self.client.get_object(Bucket=BUCKET, Key=name)["Body"].read()

    def delete(self, name: str) -> None:
        self.client.delete_object(Bucket=BUCKET, Key=name)

    def upload(self, folder: Any, prefix: str) -> None:
        """Copy a folder of this machine into the bucket."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes())


def environment(address: str) -> dict[str, str]:
    """What a command needs to find the bucket, and nothing of this machine's."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "their-secret-key",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "no_proxy": "127.0.0.1",
    }


@contextmanager
def bucket() -> Iterator[Bucket]:
    """A new bucket behind a proxy, as long as the context."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client(
        "s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1",
        aws_access_key_id="somebody", aws_secret_access_key="their-secret-key",
    )  # fmt: skip
    reset = http.client.HTTPConnection(host, port)
    reset.request("POST", "/moto-api/reset")
    reset.getresponse().read()  # else it may empty what comes after it
    reset.close()
    client.create_bucket(Bucket=BUCKET)
    with faulty_proxy(host, port) as proxy:
        yield Bucket(proxy, client)
    server.stop()


@contextmanager
def faulty_proxy(host: str, port: int) -> Iterator[Proxy]:
    """A proxy on loopback before a server on it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            with suppress(ConnectionError):
                _pass_on(self, proxy, host, port)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, *_: object) -> None: ...  # a client that went away

    server = Quiet(("127.0.0.1", 0), Handler)
    proxy = Proxy(f"http://127.0.0.1:{server.server_address[1]}")
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()


def _pass_on(request: BaseHTTPRequestHandler, proxy: Proxy, host: str, port: int) -> None:
    body = _body(request)
    fault = proxy.take(request.command, request.path, request.headers.get("Range"))
    if fault == "dropped":
        request.close_connection = True
        return
    if fault in _REFUSALS:
        _refuse(request, *_REFUSALS[fault])
        return
    headers = {
        name: value
        for name, value in request.headers.items()
        if name.lower() not in ("host", "connection", "transfer-encoding", "expect")
    }
    headers["Content-Length"] = str(len(body))
    behind = http.client.HTTPConnection(host, port, timeout=60)
    behind.request(request.command, request.path, body, headers)
    answer = behind.getresponse()
    content = answer.read()
    behind.close()
    request.send_response(answer.status)
    for name, value in answer.getheaders():
        if name.lower() not in ("connection", "transfer-encoding", "content-length", "server"):
            request.send_header(name, value)
    length = answer.getheader("Content-Length") if request.command == "HEAD" else None
    request.send_header("Content-Length", length or str(len(content)))
    request.end_headers()
    if request.command == "HEAD":
        return
    if fault == "cut" and content:
        request.wfile.write(content[: len(content) // 2])
        request.wfile.flush()
        request.close_connection = True
        request.connection.shutdown(2)
        return
    for start in range(0, len(content), 2**16):
        if fault == "slow":
            time.sleep(0.05)
        request.wfile.write(content[start : start + 2**16])


def _body(request: BaseHTTPRequestHandler) -> bytes:
    if "chunked" in (request.headers.get("Transfer-Encoding") or ""):
        parts = []
        while size := int(request.rfile.readline().split(b";")[0], 16):
            parts.append(request.rfile.read(size))
            request.rfile.readline()
        request.rfile.readline()
        return b"".join(parts)
    return request.rfile.read(int(request.headers.get("Content-Length") or 0))


def _refuse(request: BaseHTTPRequestHandler, status: int, code: str, text: str) -> None:
    content = (
        f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{text}</Message></Error>'.encode()
        if code and request.command != "HEAD"
        else b""
    )
    request.send_response(status)
    request.send_header("Content-Type", "application/xml")
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    request.wfile.write(content)
