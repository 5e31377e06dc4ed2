"""Downloading one file: mirrors in turn, and on from where an earlier attempt was cut.

A partial download is kept as ``NAME.part``, with ``NAME.part.json`` beside it that says which
file of which server it is a piece of (RFC 9110: ``Range`` with ``If-Range``).
"""

from __future__ import annotations

import errno
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from mynah.console import notice, progress, say
from mynah.errors import UserError
from mynah.machine import __version__

_READ_BYTES = 1 << 18
_WRONG_RANGE = 416
_BYTES_PER_MB = 1e6


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for.

    Attributes:
        timeout_seconds: A connection that gives nothing for so long counts as cut.
        pause_seconds: Before the second attempt; doubled before each further one.
        attempts: In a row that bring nothing, before the next mirror is tried.
        connections: The same where there is no connection at all.
    """

    timeout_seconds: float = 60.0
    pause_seconds: float = 1.0
    attempts: int = 4
    connections: int = 2


class _RefusedError(Exception):
    """This address does not give the file; another may."""


class _CutError(Exception):
    """The connection broke: what has come is kept."""


class _NoConnectionError(_CutError):
    """There was not even a connection."""


def download(
    urls: Sequence[str],
    target: Path,
    *,
    size_bytes: int | None,
    is_verified: bool,
    find_mistake: Callable[[Path], str | None],
    patience: Patience | None = None,
) -> str:
    """Download a file, and give it its name when it is complete and right.

    Proxies are those of ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY``.

    Args:
        urls: Where it lies, http or https, the first to be tried first.
        target: Its name here.
        size_bytes: How large it must be; None: not known.
        is_verified: Whether ``find_mistake`` knows its checksum, so that a piece of it may be
            completed from another mirror.
        find_mistake: What is wrong with a complete download, or None.
        patience: How long servers are waited for.

    Returns:
        The address that gave it.

    Raises:
        UserError: No address gave it, or the disk is full. What has come is kept.
    """
    patience = patience or Patience()
    part = target.with_name(target.name + ".part")
    failures = []
    for url in urls:
        try:
            _fetch_all(url, part, size_bytes, is_verified, find_mistake, patience)
        except (_RefusedError, _CutError) as problem:
            failures.append(f"{url}: {problem}")
            if url != urls[-1]:
                notice(f"{failures[-1]}; the next mirror is tried")
            continue
        except OSError as problem:
            if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise UserError(
                f"The disk is full; {part.stat().st_size:,} bytes of {target.name} are kept.",
                where=str(part),
                fix="free some space and give the same command again: it resumes there",
            ) from problem
        part.replace(target)
        _note_of(part).unlink(missing_ok=True)
        return url
    raise UserError(
        f"{target.name} could not be downloaded.",
        where="\n         ".join(failures),
        fix="look at the network (a proxy is set by HTTPS_PROXY) and give the same command "
        "again: it resumes where it stopped; or name another server by --mirror URL",
    )


def _fetch_all(
    url: str,
    part: Path,
    size_bytes: int | None,
    is_verified: bool,
    find_mistake: Callable[[Path], str | None],
    patience: Patience,
) -> None:
    """Bring ``part`` to its end from one address, and have it checked."""
    was_resumed = _fetch_patiently(url, part, size_bytes, is_verified, patience)
    mistake = find_mistake(part)
    if mistake and was_resumed:
        notice(f"{part.name}: {mistake}; it was put together from pieces and is fetched again")
        _forget(part)
        _fetch_patiently(url, part, size_bytes, is_verified, patience)
        mistake = find_mistake(part)
    if mistake:
        _forget(part)
        raise _RefusedError(mistake)


def _fetch_patiently(
    url: str, part: Path, size_bytes: int | None, is_verified: bool, patience: Patience
) -> bool:
    """Attempt until all is there; whether it was put together from several pieces."""
    was_resumed, fruitless = False, 0
    while True:
        before = _size_of(part)
        try:
            return _attempt(url, part, size_bytes, is_verified, patience) or was_resumed
        except _CutError as problem:
            came = _size_of(part)
            was_resumed = was_resumed or came > 0
            fruitless = 0 if came > before else fruitless + 1
            unreachable = isinstance(problem, _NoConnectionError)
            if fruitless >= (patience.connections if unreachable else patience.attempts):
                raise
            say(f"{problem}; trying again, {came / _BYTES_PER_MB:,.1f} MB are here")
            time.sleep(patience.pause_seconds * 2 ** max(fruitless - 1, 0))


def _attempt(
    url: str, part: Path, size_bytes: int | None, is_verified: bool, patience: Patience
) -> bool:
    """One request; whether what was there before was gone on from."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise _RefusedError("only http and https are fetched from")
    offset, note = _size_of(part), _read_note(part)
    validator = note.get("validator") if note.get("url") == url else None
    if not (validator or is_verified):
        offset = 0  # nothing would tell whether it is a piece of the same file
    if offset and offset == size_bytes:
        return True
    headers = {"User-Agent": f"mynah/{__version__}", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if validator:
            headers["If-Range"] = validator
    try:
        response = _opener().open(
            urllib.request.Request(url, headers=headers), timeout=patience.timeout_seconds
        )
    except urllib.error.HTTPError as problem:
        if problem.code == _WRONG_RANGE:
            if offset and problem.headers.get("Content-Range") == f"bytes */{offset}":
                return True  # all of it had come
            _forget(part)
            raise _CutError(
                "the server's file is shorter than what is here: from the start"
            ) from None
        answer = f"the server says {problem.code} {problem.reason}"
        raise (_CutError if problem.code >= 500 or problem.code == 429 else _RefusedError)(
            answer
        ) from None
    except urllib.error.URLError as problem:
        raise _NoConnectionError(f"no connection: {problem.reason}") from problem
    except (OSError, http.client.HTTPException) as problem:
        raise _NoConnectionError(f"no connection: {_text(problem)}") from problem
    with response:
        return _receive(response, url, part, offset, size_bytes)


def _receive(response: Any, url: str, part: Path, offset: int, size_bytes: int | None) -> bool:
    """Write an answer behind what is there, or in its place."""
    kind = response.headers.get_content_type()
    if kind == "text/html":
        raise _RefusedError("the answer is a web page, not the file")
    is_piece = response.status == http.client.PARTIAL_CONTENT
    total = _total(response, offset, is_piece)
    if size_bytes is not None and total is not None and total != size_bytes:
        raise _RefusedError(f"the file there has {total:,} bytes, not {size_bytes:,}")
    if offset and not is_piece:
        say(f"{url} starts again: it has changed, or its server cannot resume in the middle")
    start = offset if is_piece else 0
    _write_note(part, url, _validator(response.headers))
    if start:
        say(f"Resuming {part.stem} at {start / _BYTES_PER_MB:,.1f} MB")
    left = None if total is None else round((total - start) / _BYTES_PER_MB)
    with part.open("ab" if is_piece else "wb") as sink, progress(part.stem, left, "MB") as advance:
        _copy(response, sink, advance)
    came = _size_of(part)
    if total is not None and came < total:
        raise _CutError(f"the connection ended at {came:,} of {total:,} bytes")
    return bool(start)


def _copy(response: Any, sink: IO[bytes], advance: Callable[[float], None]) -> None:
    while True:
        try:
            piece = response.read1(_READ_BYTES)  # what has come, though more does not
        except (OSError, http.client.HTTPException) as problem:
            raise _CutError(f"the connection broke: {_text(problem)}") from problem
        if not piece:
            return
        sink.write(piece)  # its errors are the disk's, not the connection's
        advance(len(piece) / _BYTES_PER_MB)


def _total(response: Any, offset: int, is_piece: bool) -> int | None:
    """How large the full file is by the answer's headers, None where they don't say."""
    if not is_piece:
        length = response.headers.get("Content-Length", "")
        return int(length) if length.isdigit() else None
    given, _, total = response.headers.get("Content-Range", "").partition("/")
    if given.split("-")[0] != f"bytes {offset}":
        raise _RefusedError(
            f"asked for the bytes from {offset}, the server gave {given or 'others'}"
        )
    return int(total) if total.isdigit() else None


def _validator(headers: Any) -> str | None:
    """What ``If-Range`` may hold: a strong entity tag, or the date."""
    tag: str | None = headers.get("ETag")
    dated: str | None = headers.get("Last-Modified")
    return tag if tag and not tag.startswith("W/") else dated


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Goes where a server sends us, but never from https to what anybody may alter."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if req.type == "https" and urlsplit(newurl).scheme != "https":
            raise _RefusedError(f"it sends on from https to {newurl}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_Redirects)


def _size_of(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _note_of(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _read_note(part: Path) -> dict[str, Any]:
    try:
        note = json.loads(_note_of(part).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _write_note(part: Path, url: str, validator: str | None) -> None:
    _note_of(part).write_text(json.dumps({"url": url, "validator": validator}), encoding="utf-8")


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note_of(part).unlink(missing_ok=True)


def _text(problem: BaseException) -> str:
    return str(problem) or type(problem).__name__
