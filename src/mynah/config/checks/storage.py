"""Addresses of storage among the settings: where one may stand, and none with a secret in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mynah.config.origins import SCHEMA
from mynah.config.schema import Nature
from mynah.config.settings import all_settings, names
from mynah.config.values import argument
from mynah.errors import ConfigError
from mynah.storage.address import WRITABLE, copying, is_address, masked, mistake_in, name_of

if TYPE_CHECKING:
    from mynah.config.checks.checker import Checker

_READ = (
    "eval_checkpoint",
    "resume_from_checkpoint",
    "model.pretrained",
    "model.encoder_model_name",
    "model.decoder_model_name",
    "data.dataset_name",
    "data.path",
)
_WRITTEN = ("training.mirror",)
_ONLINE = "offline=false"
# Of what is read and written on this machine alone, what is done instead.
_INSTEAD = {
    "training.output_dir": "training.mirror=ADDRESS copies each checkpoint there",
    "data.dataset_cache_dir": "name a folder of this machine; what is fetched of buckets is kept "
    "in MYNAH_CACHE",
}


def check_storage(checker: Checker) -> None:
    """Report addresses that cannot be used where they stand."""
    local = names(Nature.PATH)
    for name in all_settings():
        value = checker.value(name)
        for address in filter(is_address, value if isinstance(value, list) else [value]):
            if name in _READ or name in _WRITTEN:
                _check(checker, name, address)
            elif name in local or name == "model.language_model":
                what = f"{name} is read on this machine, and this is an address."
                if name in _INSTEAD:
                    what = f"{name} is a folder of this machine, and this is an address."
                _refuse(checker, name, address, what, _INSTEAD.get(name) or _copied(name, address))
    _check_mixture(checker)
    mirror = checker.config.training.mirror
    if mirror is not None and not is_address(mirror):
        _refuse(
            checker,
            "training.mirror",
            mirror,
            "training.mirror is a folder of a bucket; checkpoints are written to a folder of this "
            "machine with training.output_dir.",
            "training.mirror=s3://BUCKET/FOLDER",
        )


def _check_mixture(checker: Checker) -> None:
    for entry in checker.config.data.mixture.values():
        for leaf in ("dataset_name", "path"):
            value = str((entry if isinstance(entry, dict) else vars(entry)).get(leaf))
            if not is_address(value):
                continue
            mistake = mistake_in(value)
            instead = None
            if mistake is None and checker.config.offline:
                mistake = "offline=true uses no network, and a corpus of the mixture is on one."
                instead = _ONLINE
            if mistake is not None:
                checker.errors.append(
                    ConfigError(
                        mistake,
                        where=f"data.mixture: {leaf}: {masked(value)}",
                        fix=f"set {instead}" if instead else f"{leaf}: s3://BUCKET/FOLDER",
                        instead=instead,
                        setting="data.mixture",
                    )
                )


def _check(checker: Checker, name: str, address: str) -> None:
    right = f"{name}=s3://BUCKET/FOLDER"
    if (mistake := mistake_in(address)) is not None:
        _refuse(checker, name, address, mistake, right)
    elif name in _WRITTEN and not address.startswith(tuple(f"{one}://" for one in WRITABLE)):
        shown = " and ".join(f"{one}://" for one in WRITABLE)
        _refuse(checker, name, address, f"Only {shown} can be written to.", right)
    elif checker.config.offline:
        checker.wrong(name, f"offline=true uses no network, and {name} is on one.", _ONLINE)


def _copied(name: str, address: str) -> str:
    """How a file or folder of storage comes to this machine."""
    here = name_of(address) or "FOLDER"
    value = argument(name, [here] if name.endswith("_folders") else here)
    copy = copying(address, here, folder=name.endswith(("_folder", "_folders")))
    return f"copy it here{f' ({copy})' if copy else ''} and name it: {value}"


def _refuse(checker: Checker, name: str, address: str, what: str, fix: str) -> None:
    """Without repeating the address: it may hold a secret."""
    origin = checker.origins.get(name, SCHEMA)
    where = f"{name}={masked(address)}"
    checker.errors.append(
        ConfigError(
            what,
            where=f"command line: {where}"
            if origin.layer == "command line"
            else origin.place or where,
            fix=fix,
            setting=name,
        )
    )
