"""A request's body, read in memory and no further than its limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager, suppress

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.types import Receive

from mynah.serving.options import ServingOptions
from mynah.serving.problems import ClientGone, Refused, busy, too_large

_FIELD_BYTES = 64 * 1024  # of a form field that is not the file
_FIELDS = 32
_OVERHEAD_BYTES = 64 * 1024  # of a form around its file
# What is read of a request that is refused before its client has sent it all: a connection that is
# closed with bytes unread is reset, and the client never sees why.
_DRAINED_BYTES = 8 << 20
_DRAIN_SECONDS = 2.0


class HeldUpload:
    """How many bytes of requests are in memory.

    Args:
        most_bytes: The most there may be.
    """

    def __init__(self, most_bytes: int) -> None:
        self.bytes = 0
        self._most = most_bytes

    @contextmanager
    def account(self) -> Iterator[Account]:
        """Counts one request's bytes until it is answered."""
        account = Account(self, self._most)
        try:
            yield account
        finally:
            if not account.is_moved:
                account.close()


class Account:
    """The bytes of one request.

    Attributes:
        is_moved: Whether somebody else lets go of them.
    """

    def __init__(self, held: HeldUpload, most_bytes: int) -> None:
        self._held = held
        self._most = most_bytes
        self._bytes = 0
        self.is_moved = False

    def moved(self) -> Callable[[], None]:
        """Let the bytes count until the function that is given back is called."""
        self.is_moved = True
        return self.close

    def add(self, count: int) -> None:
        """Count bytes that have come.

        Raises:
            Refused: All requests together have more than there is room for.
        """
        if self._held.bytes + count > self._most:
            raise busy(1)
        self._held.bytes += count
        self._bytes += count

    def close(self) -> None:
        """They are in memory no longer."""
        self._held.bytes -= self._bytes
        self._bytes = 0


async def read_form(request: Request, options: ServingOptions, account: Account) -> FormData:
    """The fields of a ``multipart/form-data`` request.

    Raises:
        Refused: It is not a form, too large, too slow, or there is no room for it.
        Gone: The client has left.
    """
    kind = request.headers.get("content-type", "")
    if not kind.startswith("multipart/form-data"):
        raise Refused(400, "invalid_request", "The request has to be a form: multipart/form-data.")
    most = options.most_bytes + _OVERHEAD_BYTES
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > most:
        raise too_large(options.most_bytes)
    parser = MultiPartParser(
        request.headers,
        _body(request.receive, most, options, account),
        max_files=1,
        max_fields=_FIELDS,
        max_part_size=_FIELD_BYTES,
    )
    parser.spool_max_size = most + 1  # nothing of a client is written to a disk
    try:
        async with asyncio.timeout(options.upload_seconds):
            return await parser.parse()
    except TimeoutError:
        raise Refused(
            408,
            "upload_timeout",
            f"The request did not arrive within {options.upload_seconds:g} s.",
            headers={"Connection": "close"},
        ) from None
    except (MultiPartException, ValueError, KeyError, AssertionError) as problem:
        said = problem.message if isinstance(problem, MultiPartException) else "it is damaged"
        raise Refused(
            400, "invalid_request", f"The form cannot be read: {said.rstrip('.')}."
        ) from None


async def file_of(form: FormData) -> bytes:
    """The bytes of the field ``file``.

    Raises:
        Refused: There is none, or it is empty.
    """
    held = form.get("file")
    content = await held.read() if isinstance(held, UploadFile) else b""
    if not content:
        raise Refused(
            400, "missing_file", "The field 'file' has to hold an audio file.", param="file"
        )
    return content


async def drain(receive: Receive) -> None:
    """Read what a client still sends, up to a limit, so that it can read why it was refused."""
    left = _DRAINED_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return


async def _body(
    receive: Receive, most: int, options: ServingOptions, account: Account
) -> AsyncGenerator[bytes, None]:
    count = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        block: bytes = message.get("body", b"")
        count += len(block)
        if count > most:
            raise too_large(options.most_bytes)
        account.add(len(block))
        if block:
            yield block
        if not message.get("more_body", False):
            return
