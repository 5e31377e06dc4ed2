"""Connections whose clients have to say what they want within a time."""

from __future__ import annotations

import asyncio
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class Connection(H11Protocol):
    """uvicorn's connection, closed where the headers of a request take too long.

    uvicorn waits for them for ever: some thousand clients that send a byte a minute would use up
    what a process may open.

    Attributes:
        header_seconds: From connecting, or from the answer before, to the end of the headers.
    """

    header_seconds: ClassVar[float] = 20.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_headers()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing():
            self._expect_headers()

    def _expect_headers(self) -> None:
        self.loop.call_later(self.header_seconds, self._close_if_still, self.cycle)

    def _close_if_still(self, cycle: object) -> None:
        is_waiting = self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE) and (
            self.conn.their_state is h11.IDLE
        )
        if self.cycle is cycle and is_waiting and not self.transport.is_closing():
            self.transport.close()
