"""What a run needs of its pretrained models: weights as safetensors, configurations, processors."""

from __future__ import annotations

from collections.abc import Iterable

from mynah.models.pretrained import bases, hub, hub_errors, loaded_files, weight_files
from mynah.models.pretrained.part import PretrainedPart
from mynah.prefetching.repository import Wanted, sizes


def on_the_hub(named: Iterable[PretrainedPart], *, offline: bool) -> list[PretrainedPart]:
    """Of the parts that a training names those on the hub; of a folder what it builds on.

    Raises:
        UserError: A folder builds on weights that are not what they were.
    """
    found: list[PretrainedPart] = []
    for part in named:
        found += bases.bases_of(part.folder, offline=offline) if part.is_folder else [part]
    return [one for one in found if not one.is_folder]


def wanted_models(part: PretrainedPart) -> Wanted:
    """What of a part's repository is needed, at the commit that its revision stands for.

    Raises:
        UserError: It is not to be had, or has its weights in pickle files alone.
    """
    assert part.commit is not None
    weight_files.check_weights(part)
    if part.files is None:
        return models_here(part)
    names = loaded_files.needed(part.files, hub.weights_of(part), code=part.trust_remote_code)
    try:
        files = sizes("model", part.name, part.commit, names)
    except OSError as error:  # all errors of the hub's library are of this kind
        raise hub_errors.hub_refusal(part, error) from None
    return Wanted("model", part.name, part.revision, part.commit, files, part.setting)


def models_here(part: PretrainedPart) -> Wanted:
    """What of a part is needed, as what is on this machine tells it."""
    assert part.commit is not None
    folder = part.folder
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    weights = hub.weights_of(part)
    names = loaded_files.needed(there | set(weights), weights, code=part.trust_remote_code)
    files = {name: (folder / name).stat().st_size if name in there else 0 for name in names}
    return Wanted("model", part.name, part.revision, part.commit, files, part.setting)
