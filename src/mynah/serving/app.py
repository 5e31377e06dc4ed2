"""What a server answers at which address, and to whom."""

from __future__ import annotations

import contextlib
import hmac
import logging
import secrets
import time
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mynah.serving.metrics import CONTENT_TYPE, Metrics
from mynah.serving.options import ServingOptions
from mynah.serving.problems import ClientGone, Refused, failed
from mynah.serving.scheduler import Scheduler, Transcriber
from mynah.serving.transcriptions import Transcriptions
from mynah.serving.uploads import drain

_HEALTH = "/health"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_LEFT_STATUS = 499  # what nginx notes of a client that left; nobody reads it


def make_app(
    recognizer: Transcriber, options: ServingOptions, *, takes_context: bool = False
) -> Starlette:
    """The application around a recognizer.

    Args:
        recognizer: The model.
        options: The server's limits and token.
        takes_context: Whether the model makes something of names and terms.
    """
    # It writes what clients send it, where that is damaged, to the log.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
    metrics = Metrics()
    scheduler = Scheduler(recognizer, options, metrics)
    transcriptions = Transcriptions(
        scheduler, recognizer.window_seconds, options, metrics, takes_context=takes_context
    )
    created = int(time.time())

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        scheduler.start()
        yield
        await scheduler.stop()

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok", "pending": scheduler.pending})

    async def measured(_: Request) -> Response:
        content = metrics.text(pending=scheduler.pending, held_bytes=transcriptions.held.bytes)
        return Response(content, media_type=CONTENT_TYPE)

    async def models(_: Request) -> Response:
        return JSONResponse(
            {"object": "list", "data": [_model(name, created) for name in options.names]}
        )

    async def model(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in options.names:
            raise Refused(404, "model_not_found", "This model is not served here.", param="model")
        return JSONResponse(_model(name, created))

    return Starlette(
        routes=[
            Route(_HEALTH, health),
            Route("/metrics", measured),
            Route("/v1/models", models),
            Route("/v1/models/{name:path}", model),
            Route("/v1/audio/transcriptions", transcriptions.__call__, methods=["POST"]),
        ],
        middleware=[Middleware(_Gate, options=options, metrics=metrics)],
        exception_handlers={Refused: _refused, ClientGone: _gone, HTTPException: _http},
        lifespan=lifespan,
    )


def _model(name: str, created: int) -> dict[str, str | int]:
    return {"id": name, "object": "model", "created": created, "owned_by": "mynah"}


class _Gate:
    """Looks who asks before anything is read, counts every answer, and gives it a number."""

    def __init__(self, app: ASGIApp, *, options: ServingOptions, metrics: Metrics) -> None:
        self._app = app
        self._options = options
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        number = f"req-{secrets.token_hex(8)}"
        has_answered = False
        is_read = False

        async def numbered(message: Message) -> None:
            nonlocal has_answered
            if message["type"] == "http.response.start":
                has_answered = True
                status = message["status"]
                if status >= 400 and not is_read:
                    await drain(receive)
                self._metrics.requests.labels(str(status)).inc()
                if status == _LEFT_STATUS:
                    self._metrics.left.inc()
                message["headers"].append((b"x-request-id", number.encode()))
            await send(message)

        async def noting() -> Message:
            nonlocal is_read
            message = await receive()
            is_read = is_read or not message.get("more_body", False)
            return message

        request = Request(scope)
        try:
            self._check_host(request)
            self._check_token(request)
        except Refused as problem:
            await problem.response()(scope, receive, numbered)
            return
        try:
            await self._app(scope, noting, numbered)
        except Exception:
            if not has_answered:
                await failed(number).response()(scope, receive, numbered)
            raise

    def _check_host(self, request: Request) -> None:
        """A page that a browser of this machine shows must not read what only this machine may:
        its name is made to mean this address (DNS rebinding), and stands in the header."""
        if self._options.host not in _LOOPBACK:
            return
        name = request.headers.get("host", "").lower()
        name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
        if name not in _LOOPBACK:
            raise Refused(421, "wrong_host", "This server answers to the names of its own machine.")

    def _check_token(self, request: Request) -> None:
        token = self._options.token
        # The path that requests are routed by: that of the URL is made with the client's Host.
        if token is None or request.scope["path"] == _HEALTH:
            return
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        is_right = hmac.compare_digest(given.strip().encode(), token.encode())
        if not is_right or kind.lower() != "bearer":
            raise Refused(
                401,
                "invalid_api_key",
                "The token is missing or wrong; clients send it as their API key.",
                headers={"WWW-Authenticate": "Bearer"},
            )


async def _refused(_: Request, problem: Exception) -> Response:
    assert isinstance(problem, Refused)
    return problem.response()


async def _gone(_: Request, problem: Exception) -> Response:
    return Response(status_code=_LEFT_STATUS)


async def _http(_: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    known = {404: "not_found", 405: "method_not_allowed"}
    code = known.get(problem.status_code, "invalid_request")
    said = "There is nothing at this address." if problem.status_code == 404 else problem.detail
    return Refused(problem.status_code, code, said, headers=problem.headers).response()
