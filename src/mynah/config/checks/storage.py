"""Addresses of storage among the settings: where one may stand, and none with a secret in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mynah.config.origins import SCHEMA
from mynah.config.schema import Nature
from mynah.config.settings import all_settings, names
from mynah.errors import ConfigError
from mynah.storage.address import WRITABLE, is_address, masked, mistake_in

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


def check_storage(checker: Checker) -> None:
    """Report addresses that cannot be used where they stand."""
    for name in all_settings():
        value = checker.value(name)
        if not is_address(value):
            continue
        if name in _READ or name in _WRITTEN:
            _check(checker, name, value)
        elif name in names(Nature.PATH):
            _refuse(checker, name, value, f"{name} is a file or folder of this machine.")
    _check_mixture(checker)
    mirror = checker.config.training.mirror
    if mirror is not None and not is_address(mirror):
        checker.wrong(
            "training.mirror",
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
            if mistake is None and checker.config.offline:
                mistake = "offline=true uses no network, and a corpus of the mixture is on one."
            if mistake is not None:
                checker.errors.append(
                    ConfigError(
                        mistake,
                        where=f"data.mixture: {leaf}: {masked(value)}",
                        setting="data.mixture",
                    )
                )


def _check(checker: Checker, name: str, address: str) -> None:
    if (mistake := mistake_in(address)) is not None:
        _refuse(checker, name, address, mistake)
    elif name in _WRITTEN and not address.startswith(tuple(f"{one}://" for one in WRITABLE)):
        shown = " and ".join(f"{one}://" for one in WRITABLE)
        _refuse(checker, name, address, f"Only {shown} can be written to.")
    elif checker.config.offline:
        checker.wrong(name, f"offline=true uses no network, and {name} is on one.", remove=True)


def _refuse(checker: Checker, name: str, address: str, what: str) -> None:
    """Without repeating the address: it may hold a secret."""
    origin = checker.origins.get(name, SCHEMA)
    typed = origin.layer == "command line"
    instead: str | None = None
    fix: str | None
    if name == "training.output_dir":
        fix = "training.mirror=ADDRESS copies each checkpoint there"
    else:
        instead = f"{name}=s3://BUCKET/FOLDER"
        fix = None if typed else f"set {instead}"
    where = f"{name}={masked(address)}"
    checker.errors.append(
        ConfigError(
            what,
            where=f"command line: {where}" if typed else origin.place or where,
            fix=fix,
            argument=origin.detail if typed and instead else None,
            instead=instead,
            setting=name,
        )
    )
