"""The CTC model that aligns: a checkpoint of ours, a folder, or a model of the hub."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mynah.errors import UserError
from mynah.models.pretrained.part import PretrainedName, PretrainedPart

if TYPE_CHECKING:
    from mynah.models.ctc.family import CTC

_SETTING = "--model"
_HINT = (
    "Name a CTC model: a checkpoint of Mynah's, or one of the hub as facebook/wav2vec2-base-960h"
)
_USUAL_RATE = 16000  # hertz, where a feature extractor does not say


@dataclass(frozen=True)
class Aligner:
    """A model that was looked at, and not loaded yet.

    Attributes:
        part: Where it is.
        identity: What distinguishes it from another, or from another training of itself.
    """

    part: PretrainedPart
    identity: str

    def load(self) -> CTC:
        """The model with its weights, on the device that is there.

        Raises:
            UserError: The weights do not fit or cannot be had.
        """
        from mynah.config.schema import Config, ModelConfig
        from mynah.machine import device_for, use_threads
        from mynah.models import registry
        from mynah.models.ctc.family import CTC

        config = Config()
        use_threads(config)
        if self.part.is_folder:
            family = registry.load_family(Path(self.part.name), offline=self.part.offline)
        else:
            family = registry.build(
                ModelConfig(pretrained=self.part.name, revision=self.part.commit),
                texts=[],
                sample_rate=_sample_rate(self.part),
                offline=self.part.offline,
            )
        assert isinstance(family, CTC)
        family.model.eval().to(device_for(config))
        return family


def find_aligner(
    name: str, working_directory: Path, *, revision: str | None = None, offline: bool = False
) -> Aligner:
    """Look at a model by name, loading small files alone.

    Args:
        name: A checkpoint, a run's directory, a folder of transformers, or a hub name.
        working_directory: What a relative path is relative to.
        revision: Branch, tag or commit of a hub model.
        offline: Use nothing that is not on this machine.

    Raises:
        UserError: It is not there, or no CTC model that recognizes.
    """
    from mynah.models import registry
    from mynah.models.ctc import loading
    from mynah.models.pretrained import hub, weight_files

    path = _folder(name, working_directory)
    part = hub.resolve(
        PretrainedName(name=str(path or name), revision=revision, offline=offline, setting=_SETTING)
    )
    is_adapter = path is not None and (path / "adapter_config.json").exists()
    if not is_adapter:
        kind = registry.family_name(part)
        if kind != "ctc":
            raise UserError(
                f"{name} is of the family {kind}, which does not say when a word is said.",
                where=f"{_SETTING} {name}",
                fix=_HINT,
            )
        weight_files.check_weights(part)
        if not loading.recognizes(part):
            raise UserError(
                f"{name} was never trained to recognize: it has no CTC head or no tokenizer.",
                where=f"{_SETTING} {name}",
                fix=_HINT,
            )
    return Aligner(part, _identity(part, path))


def _folder(name: str, working_directory: Path) -> Path | None:
    """The folder that a name means, or None where it is one of the hub."""
    from mynah.checkpoints.find import resolve_checkpoint

    asked = working_directory / Path(name).expanduser()
    if (asked / "config.json").is_file():
        return asked.resolve()
    if asked.exists():
        try:
            return resolve_checkpoint(name, working_directory)
        except UserError as problem:
            raise UserError(problem.what, where=f"{_SETTING} {name}", fix=_HINT) from None
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise UserError(f"There is no checkpoint {name}.", where=f"{_SETTING} {name}", fix=_HINT)
    return None


def _sample_rate(part: PretrainedPart) -> int:
    from mynah.models.pretrained import hub

    file = hub.fetch(part, "preprocessor_config.json")
    written = json.loads(file.read_text(encoding="utf-8")) if file else {}
    return int(written.get("sampling_rate", _USUAL_RATE))


def _identity(part: PretrainedPart, path: Path | None) -> str:
    from mynah.models.pretrained import hub

    if path is None:
        return f"{part.name}@{hub.commit_of(part)}"
    made = hashlib.blake2b(digest_size=16)
    for file in sorted(path.glob("*.safetensors")):
        status = file.stat()
        made.update(f"{file.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return f"{path}@{made.hexdigest()}"
