"""Addresses of storage: what is one, and which are refused. Nothing is imported or contacted."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from mynah.errors import UserError

SCHEMES = ("s3", "gs", "hf", "https", "http")
WRITABLE = ("s3", "gs")

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://", re.ASCII)
# Or the name of an access point, as Amazon writes it.
_BUCKET = re.compile(r"[A-Za-z0-9._-]{1,255}|arn:[a-z0-9:-]+", re.ASCII)
# Of a query of a signed address, as S3, Google, Azure and CloudFront write them.
_SECRET = re.compile(r"sig|signature|token|credential|secret|password|passwd|key", re.IGNORECASE)


def is_address(text: object) -> bool:
    """Whether a setting's value is the address of storage: it begins with ``SCHEME://``."""
    return isinstance(text, str) and _ADDRESS.match(text) is not None


def mistake_in(address: str) -> str | None:
    """What is wrong with an address, a sentence that repeats no secret of it; None: nothing."""
    scheme, _, rest = address.partition("://")
    if scheme.lower() not in SCHEMES:
        shown = ", ".join(f"{one}://" for one in SCHEMES)
        return f"Nothing is read from {scheme}://; what is supported: {shown}."
    try:
        parts = urlsplit(address)
        secret = parts.username is not None or parts.password is not None
        query = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        return "This is not a valid address."
    if secret or "@" in rest.partition("/")[0]:
        return (
            "An address with a user's name or a password in it would be kept in files and logs. "
            "Credentials are taken from where their own tools keep them (as AWS_PROFILE)."
        )
    if any(_SECRET.search(name) for name, _ in query):
        return (
            "A signed address would be kept in files and logs. Credentials are taken from where "
            "their own tools keep them (as AWS_PROFILE)."
        )
    if not rest.strip("/"):
        return f"{scheme}:// names no {'server' if scheme.startswith('http') else 'bucket'}."
    if any(part in (".", "..") for part in rest.split("/")):
        return "An address has no . or .. in it."
    bucket = rest.partition("/")[0]
    if scheme.lower() in WRITABLE and not _BUCKET.fullmatch(bucket):
        return f"{bucket} is not the name of a bucket: it has letters, digits, and . _ - alone."
    return None


def masked(address: str) -> str:
    """An address as it may be printed: without what may be a secret."""
    scheme, separator, rest = address.partition("://")
    if not separator:
        return address
    host, slash, path = rest.partition("/")
    if "@" in host:
        host = "***@" + host.rpartition("@")[2]
    path, query, _ = path.partition("?")
    return f"{scheme}://{host}{slash}{path}{'?***' if query else ''}"


def check_address(address: str, setting: str) -> None:
    """Refuse an address that cannot be used, or has a secret in it.

    Args:
        address: As typed.
        setting: What names it.

    Raises:
        UserError: It is wrong; the message holds no secret.
    """
    if (mistake := mistake_in(address)) is not None:
        raise UserError(
            mistake, where=f"{setting}={masked(address)}", fix=f"{setting}=s3://BUCKET/FOLDER"
        )


def join(address: str, *names: str) -> str:
    """The address of what lies below an address."""
    return "/".join([address.rstrip("/"), *names])


def name_of(address: str) -> str:
    """The last part of an address, as a file or folder of that name would be called."""
    return address.partition("://")[2].partition("?")[0].rstrip("/").rpartition("/")[2]


def copying(address: str, here: str, *, folder: bool = False) -> str | None:
    """The command that copies a file or a folder of storage to this machine; None: none is known.

    Args:
        address: The file or the folder.
        here: What it is to be called.
        folder: Which of them it is.
    """
    commands = {
        "s3": f"aws s3 cp {'--recursive ' if folder else ''}{masked(address)} {here}",
        "gs": f"gcloud storage cp {'-r ' if folder else ''}{masked(address)} "
        f"{'.' if folder else here}",
    }
    return commands.get(address.partition("://")[0].lower())
