"""fsspec's file systems, made so that they neither wait nor try again by themselves."""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import types
from collections.abc import Callable
from typing import Any, Protocol

from mynah.errors import UserError
from mynah.storage.address import masked
from mynah.storage.faults import ENDPOINTS

_PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "https": "aiohttp", "http": "aiohttp"}
_CONNECT_SECONDS = 10
_READ_SECONDS = 30


class FileSystem(Protocol):
    """What of fsspec's file systems is used."""

    def find(self, path: str, *, detail: bool, withdirs: bool) -> dict[str, dict[str, Any]]: ...
    def info(self, path: str) -> dict[str, Any]: ...
    def cat_file(self, path: str, start: int | None = None, end: int | None = None) -> bytes: ...
    def pipe_file(self, path: str, value: bytes) -> None: ...
    def put_file(self, lpath: str, rpath: str) -> None: ...
    def rm_file(self, path: str) -> None: ...
    def _strip_protocol(self, path: str) -> str: ...


def connected(address: str) -> FileSystem:
    """fsspec's file system of an address.

    Raises:
        UserError: Its package is missing, or the environment names no server.
    """
    scheme = address.partition("://")[0].lower()
    package = _PACKAGES.get(scheme)
    if package is not None and importlib.util.find_spec(package) is None:
        raise UserError(
            f"{scheme}:// asks for the package {package}.",
            where=masked(address),
            fix='pip install "mynah-asr[cloud]"',
        )
    for talks in ("s3fs", "gcsfs"):
        logging.getLogger(talks).setLevel(logging.CRITICAL)  # what is said is said once, by us
    make = {"s3": _s3, "gs": _gs, "http": _http, "https": _http}.get(scheme, _made)
    system: FileSystem = make(scheme)
    return system


def _made(scheme: str, **options: Any) -> Any:
    import fsspec

    return fsspec.filesystem(scheme, skip_instance_cache=True, use_listings_cache=False, **options)


def _s3(scheme: str) -> Any:
    for name in ENDPOINTS:
        typed = os.environ.get(name)
        if typed and not re.match(r"https?://[^/\s]", typed):
            raise UserError(
                f"{name} is not the address of a server.", where=name, fix=f"{name}=https://SERVER"
            )
    system = _made(
        scheme,
        config_kwargs={
            "connect_timeout": _CONNECT_SECONDS,
            "read_timeout": _READ_SECONDS,
            "retries": {"total_max_attempts": 1, "mode": "standard"},
        },
    )
    system.retries = 1
    return system


def _gs(scheme: str) -> Any:
    from fsspec.config import conf

    options: dict[str, Any] = {}
    is_given = any("token" in conf.get(one, {}) for one in ("gs", "gcs"))
    if not is_given and not os.environ.get("STORAGE_EMULATOR_HOST"):
        # By itself it would then ask a server of Google's machines, and try without credentials,
        # each for minutes where there is no network.
        options["token"] = "google_default"
    system = _made(scheme, session_kwargs={"timeout": _timeout()}, **options)
    system.requests_timeout = _timeout()
    once: Callable[..., Any] | None = getattr(type(system)._request, "__wrapped__", None)
    if once is not None:
        system._request = types.MethodType(once, system)
    return system


def _http(scheme: str) -> Any:
    return _made(scheme, client_kwargs={"timeout": _timeout()})


def _timeout() -> Any:
    import aiohttp

    return aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=_READ_SECONDS)
