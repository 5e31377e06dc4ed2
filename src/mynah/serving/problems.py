"""What goes wrong with a request, as OpenAI's clients read it.

    {"error": {"message": …, "type": …, "param": …, "code": …}}

A message holds what its own client sent or may know: no path, and nothing of another request.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from starlette.responses import JSONResponse

from mynah.serving.answers import Json


class Refused(Exception):  # noqa: N818 - what a client sees, not a fault of ours
    """A request that is not answered with a transcript.

    Args:
        status: Of HTTP.
        code: A short name, for programs.
        message: What is wrong and what to do, for people.
        param: The field that is wrong, or None.
        headers: That the answer has beside its own.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.headers = dict(headers or {})

    def as_json(self) -> dict[str, dict[str, str | None]]:
        """The body of the answer."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        error = {
            "message": self.message,
            "type": kind,
            "param": self.param,
            "code": self.code,
        }
        return {"error": error}

    def as_event(self) -> Json:
        """What ends a stream that has begun: OpenAI's clients raise it as an error."""
        return {"error": dict(self.as_json()["error"])}

    def response(self) -> JSONResponse:
        """The answer."""
        return JSONResponse(self.as_json(), status_code=self.status, headers=self.headers)


class ClientGone(Exception):  # noqa: N818
    """The client has left: nobody is there to be answered."""


def bad_field(param: str, message: str) -> Refused:
    """A form field that cannot be used."""
    return Refused(400, "invalid_value", message, param=param)


def busy(wait_seconds: float) -> Refused:
    """More requests than the server takes."""
    seconds = max(1, math.ceil(wait_seconds))
    return Refused(
        503,
        "server_busy",
        f"The server has as many requests as it takes; try again in {seconds} s.",
        headers={"Retry-After": str(seconds)},
    )


def too_large(most_bytes: int) -> Refused:
    """A request with more bytes than are read."""
    return Refused(
        413,
        "file_too_large",
        f"The request is larger than {most_bytes / (1 << 20):g} MiB, the most that this server "
        "takes; send a compressed format, or pieces.",
        param="file",
    )


def too_long(most_seconds: float) -> Refused:
    """A recording of more time than is decoded."""
    return Refused(
        400,
        "audio_too_long",
        f"The recording is longer than {most_seconds / 60:g} minutes, the most that this server "
        "takes; send pieces.",
        param="file",
    )


def unreadable_audio(reason: str) -> Refused:
    """A file that holds no sound that can be read."""
    return Refused(
        400, "invalid_audio", f"The file cannot be read as audio: {reason}.", param="file"
    )


def out_of_time(seconds: float) -> Refused:
    """A transcript that took too long."""
    return Refused(504, "timeout", f"There was no transcript within {seconds:g} s.")


def failed(request_id: str) -> Refused:
    """A fault of the server's; its log says which."""
    return Refused(
        500, "internal_error", f"The server failed; its log has the reason under {request_id}."
    )
