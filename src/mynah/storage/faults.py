"""What went wrong with storage: whether trying again may help, and what a person can do.

fsspec's file systems raise what the libraries below them raise. All are told apart by the status
and code that the server gave, or by the names of their classes: none of those is imported here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from enum import Enum, auto

from mynah.errors import UserError
from mynah.storage.address import masked


class Fault(Enum):
    """Kinds of what goes wrong."""

    PASSING = auto()
    """The network or the server for a moment: the same request may succeed."""
    EXPIRED = auto()
    """Credentials that were right once: new ones may lie where they are kept."""
    NO_CREDENTIALS = auto()
    NO_PROFILE = auto()
    WRONG_CREDENTIALS = auto()
    FORBIDDEN = auto()
    NO_BUCKET = auto()
    MISSING = auto()
    OTHER = auto()


_GOOGLE = "GOOGLE_APPLICATION_CREDENTIALS"
# What names a server that speaks S3, the first that is set.
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


class CutShortError(OSError):
    """An answer of fewer or more bytes than were asked for."""


_CODES = {
    "ExpiredToken": Fault.EXPIRED,
    "ExpiredTokenException": Fault.EXPIRED,
    "RequestExpired": Fault.EXPIRED,
    "400": Fault.EXPIRED,  # all that an answer without a body says of them
    "TokenRefreshRequired": Fault.EXPIRED,
    "InvalidAccessKeyId": Fault.WRONG_CREDENTIALS,
    "SignatureDoesNotMatch": Fault.WRONG_CREDENTIALS,
    "InvalidToken": Fault.WRONG_CREDENTIALS,
    "InvalidClientTokenId": Fault.WRONG_CREDENTIALS,
    "UnrecognizedClientException": Fault.WRONG_CREDENTIALS,
    "AccessDenied": Fault.FORBIDDEN,
    "AllAccessDisabled": Fault.FORBIDDEN,
    "NoSuchBucket": Fault.NO_BUCKET,
    "NoSuchKey": Fault.MISSING,
    "SlowDown": Fault.PASSING,
    "RequestTimeout": Fault.PASSING,
    "IncompleteBody": Fault.PASSING,
    "InternalError": Fault.PASSING,
    "ServiceUnavailable": Fault.PASSING,
    "BadDigest": Fault.PASSING,
    "XAmzContentSHA256Mismatch": Fault.PASSING,
}
_CLASSES = {
    "NoCredentialsError": Fault.NO_CREDENTIALS,
    "PartialCredentialsError": Fault.NO_CREDENTIALS,
    "ProfileNotFound": Fault.NO_PROFILE,
    "DefaultCredentialsError": Fault.NO_CREDENTIALS,
    "TokenRetrievalError": Fault.EXPIRED,
    "SSOTokenLoadError": Fault.EXPIRED,
    "UnauthorizedSSOTokenError": Fault.EXPIRED,
    "RefreshError": Fault.EXPIRED,
    "CutShortError": Fault.PASSING,
    "ConnectionError": Fault.PASSING,
    "TimeoutError": Fault.PASSING,
    "HTTPClientError": Fault.PASSING,  # botocore's: connections, timeouts, bodies cut short
    "ResponseParserError": Fault.PASSING,
    "IncompleteReadError": Fault.PASSING,
    "IncompleteRead": Fault.PASSING,
    "ClientConnectionError": Fault.PASSING,  # aiohttp's
    "ClientPayloadError": Fault.PASSING,
    "TransportError": Fault.PASSING,  # httpx's
    "FileNotFoundError": Fault.MISSING,
}
_STATUSES = {401: Fault.WRONG_CREDENTIALS, 403: Fault.FORBIDDEN, 404: Fault.MISSING}


def fault_of(problem: BaseException) -> Fault:
    """What kind of fault an exception of a file system is."""
    chain = list(_chain(problem))
    for error in chain:
        if (found := _CODES.get(_code(error) or "")) is not None:
            return found
    for error in chain:
        status = _status(error)
        if status is not None:
            if status >= 500 or status in (408, 425, 429):
                return Fault.PASSING
            if status in _STATUSES:
                return _STATUSES[status]
    for error in chain:
        for kind in type(error).__mro__:
            if kind.__name__ in _CLASSES:
                return _CLASSES[kind.__name__]
    if any(isinstance(error, PermissionError) for error in chain):
        return Fault.FORBIDDEN
    return Fault.OTHER


def mistake(problem: BaseException, address: str, *, doing: str) -> UserError:
    """What a person reads of a fault that stayed.

    Args:
        problem: What the file system raised at last.
        address: What was asked for.
        doing: What for, as ``read`` or ``written``.
    """
    fault, scheme = fault_of(problem), address.partition("://")[0]
    bucket = masked(address).partition("://")[2].partition("/")[0]
    what, fix = {
        Fault.PASSING: (
            f"The storage does not answer as it should, and was asked again: {_said(problem)}",
            f"see whether the network and {_server(scheme)} are well, and type the command again",
        ),
        Fault.EXPIRED: ("The credentials for the storage have expired.", _renew(scheme)),
        Fault.NO_CREDENTIALS: (
            f"The credentials for the storage cannot be read: {_said(problem)}"
            if scheme == "gs" and os.environ.get(_GOOGLE)
            else "There are no credentials for the storage.",
            _give(scheme),
        ),
        Fault.NO_PROFILE: (
            f"There is no profile of that name among those of AWS: {_said(problem)}",
            "AWS_PROFILE=NAME; aws configure list-profiles names them",
        ),
        Fault.WRONG_CREDENTIALS: (
            f"The storage does not accept the credentials: {_said(problem)}",
            _give(scheme),
        ),
        Fault.FORBIDDEN: (
            f"The credentials do not allow it to be {doing}: {_said(problem)}",
            f"give them the right to {_RIGHTS[doing]} in {bucket}, or use others (AWS_PROFILE=NAME)"
            if scheme == "s3"
            else f"give them the right to {_RIGHTS[doing]} there",
        ),
        Fault.NO_BUCKET: (
            f"There is no bucket {bucket}.",
            "see whether its name is right and it is still there; of a server that is not "
            "Amazon's, AWS_ENDPOINT_URL=https://SERVER names it",
        ),
        Fault.MISSING: (
            "There is no such file or folder in the storage.",
            "name one that is there",
        ),
        Fault.OTHER: (f"It cannot be {doing}: {_said(problem)}", None),
    }[fault]
    return UserError(what, where=masked(address), fix=fix)


_RIGHTS = {"read": "list and read", "written": "list, write and delete"}


def _server(scheme: str) -> str:
    names = [name for name in ENDPOINTS if scheme == "s3" and os.environ.get(name)]
    return f"the server that {names[0]} names" if names else "the server"


def _give(scheme: str) -> str:
    if scheme == "s3":
        return (
            "aws configure, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; "
            "a public bucket is read with FSSPEC_S3_ANON=true"
        )
    if scheme == "gs":
        return (
            "gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS; a "
            "public bucket is read with FSSPEC_GCS_TOKEN=anon"
        )
    return "hf auth login, or set HF_TOKEN" if scheme == "hf" else "see who may read it"


def _renew(scheme: str) -> str:
    renewed = {
        "s3": "aws sso login, or set new ones",
        "gs": "gcloud auth application-default login",
    }
    return f"{renewed.get(scheme, 'set new ones')}, and type the command again"


def _said(problem: BaseException) -> str:
    text = " ".join(str(problem).split()) or type(problem).__name__
    return text[:200].rstrip(".") + "."


def _chain(problem: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while problem is not None and id(problem) not in seen:
        seen.add(id(problem))
        yield problem
        problem = problem.__cause__ or problem.__context__


def _code(error: BaseException) -> str | None:
    """The code that S3 gave."""
    response = getattr(error, "response", None)
    if isinstance(response, dict) and isinstance(found := response.get("Error"), dict):
        code = found.get("Code")
        return code if isinstance(code, str) else None
    return None


def _status(error: BaseException) -> int | None:
    """The status of an HTTP answer: botocore's, aiohttp's, gcsfs's or the hub's."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        response = response.get("ResponseMetadata")
        status = response.get("HTTPStatusCode") if isinstance(response, dict) else None
    else:
        status = getattr(response, "status_code", None)
    for found in (status, getattr(error, "status", None), getattr(error, "code", None)):
        if isinstance(found, int) and 100 <= found < 600:
            return found
    return None
