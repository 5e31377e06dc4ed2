"""``mynah serve``: a model behind a port."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette

from mynah import console
from mynah.errors import UserError
from mynah.serving.app import make_app
from mynah.serving.connections import Connection
from mynah.serving.options import ServingOptions
from mynah.stopping import signals

if TYPE_CHECKING:
    from mynah.inference.recognizer import Recognizer

_IDLE_SECONDS = 15  # that a connection stays open between two requests
_ENDING_SECONDS = 30  # that running requests have once the server is asked to end


@dataclass(frozen=True)
class ModelRequest:
    """The model that is served.

    Attributes:
        name: A checkpoint, a folder or a hub name.
        settings: Settings of decoding, as ``model.beam_size=20``.
        revision: Branch, tag or commit of a hub model.
        offline: Load nothing that is not on this machine.
        device: As torch names it; None: an accelerator where there is one.
        aligner: A CTC model that times the words of a model that does not.
    """

    name: str
    settings: Sequence[str] = ()
    revision: str | None = None
    offline: bool = False
    device: str | None = None
    aligner: str | None = None


def serve(model: ModelRequest, options: ServingOptions) -> None:
    """Answer requests until a signal asks to end.

    Raises:
        UserError: There is no such model, or the address cannot be listened at.
        Interrupted: A signal came; running requests were answered.
    """
    with contextlib.closing(_bound(options)) as listener:
        recognizer = _loaded(model, options)
        app = make_app(recognizer, options, takes_context=recognizer.family.takes_context)
        server = configured(app, options)
        for line in _greeting(recognizer, options, listener):
            console.say(line)
        asyncio.run(server.serve(sockets=[listener]))
        if server.stopped_by is not None:
            raise signals.Interrupted(server.stopped_by)


def configured(app: Starlette, options: ServingOptions) -> Server:
    """uvicorn's server with the limits of ours."""
    connection = type("Connection", (Connection,), {"header_seconds": options.header_seconds})
    config = uvicorn.Config(
        app,
        http=connection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=_ENDING_SECONDS,
        limit_concurrency=options.connections,
    )
    return Server(config)


def _loaded(model: ModelRequest, options: ServingOptions) -> Recognizer:
    from mynah.inference.load import load
    from mynah.inference.recognizer import Batching

    return load(
        model.name,
        settings=model.settings,
        revision=model.revision,
        offline=model.offline,
        device=model.device,
        aligner=model.aligner,
        batching=Batching(size=options.batch_size),
    )


class Server(uvicorn.Server):
    """uvicorn's server, ended by the signals that end every command.

    Attributes:
        stopped_by: Name of the signal that ended it, or None.
    """

    stopped_by: str | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread is given signals
            return
        before = {number: signal.getsignal(number) for number in signals.taken()}
        for number in before:
            signal.signal(number, self._stop)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, frame: object) -> None:
        if self.stopped_by is not None and signals.is_impatience(number, 0.0):
            self.force_exit = True
        self.stopped_by = self.stopped_by or signal.Signals(number).name
        self.should_exit = True


def _bound(options: ServingOptions) -> socket.socket:
    """The address, taken before a model is loaded; it is listened at afterwards.

    Raises:
        UserError: It is taken, or is not of this machine.
    """
    where = f"--host {options.host} --port {options.port}"
    try:
        found = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM)
    except OSError:
        raise UserError(
            f"There is no address {options.host}.", where=where, fix="--host 127.0.0.1"
        ) from None
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as problem:
        listener.close()
        raise _not_bound(problem, options, where) from None
    return listener


def _not_bound(problem: OSError, options: ServingOptions, where: str) -> UserError:
    if problem.errno == errno.EADDRINUSE:
        return UserError(
            f"Port {options.port} is taken by another program.",
            where=where,
            fix=f"--port {options.port + 1}, or --port 0 for any that is free",
        )
    if problem.errno in (errno.EACCES, errno.EPERM):
        return UserError(f"Port {options.port} is the system's.", where=where, fix="--port 8000")
    return UserError(
        f"This machine does not have the address {options.host}.",
        where=where,
        fix="--host 0.0.0.0  listens at all of its addresses",
    )


def _greeting(
    recognizer: Recognizer, options: ServingOptions, listener: socket.socket
) -> Iterator[str]:
    host = f"[{options.host}]" if ":" in options.host else options.host
    address = f"http://{host}:{listener.getsockname()[1]}"
    yield f"Serving {recognizer.name}: {recognizer.describe_decoding()}"
    yield f"Address: {address}/v1   model: {', '.join(options.names)}"
    if options.token is not None:
        yield "Clients have to send the token as their API key."
    yield f"Metrics: {address}/metrics   end it with Ctrl-C"


def read_token(path: Path) -> str:
    """A token out of a file, which no list of processes shows.

    Raises:
        UserError: It cannot be read, or holds none.
    """
    try:
        token = path.expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "it is not text"
        raise UserError(
            f"The token cannot be read: {reason}.", where=f"--token-file {path}"
        ) from None
    if not token.isascii() or not token.isprintable() or len(token) < _LEAST_TOKEN:
        raise UserError(
            f"A token has at least {_LEAST_TOKEN} ASCII characters on one line.",
            where=f"--token-file {path}",
            fix=f"openssl rand -hex 24 > {path}",
        )
    return token


_LEAST_TOKEN = 16


def served_name(model: str) -> str:
    """What clients call a model that nobody named: its own name, and no path of this machine."""
    path = Path(model).expanduser()
    if not path.exists():
        return model
    parts = [one for one in path.parts if one not in ("/", ".", "..")]
    return parts[-1] if parts else "model"


def check_open(host: str, token: str | None, *, is_open: bool) -> None:
    """Look whether the server would be anybody's in the network by mistake.

    Raises:
        UserError: It would.
    """
    if token is None and not is_open and host not in ("127.0.0.1", "localhost", "::1"):
        raise UserError(
            "Anybody who reaches this address could use the server.",
            where=f"--host {host}",
            fix="--token-file FILE  asks clients for a token; --open  lets everybody in",
        )
