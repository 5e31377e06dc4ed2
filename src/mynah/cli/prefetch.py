"""``mynah prefetch CONFIG...``: all that a run needs of the hub, downloaded before it."""

from __future__ import annotations

import argparse
import errno
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser
from mynah.errors import UserError

if TYPE_CHECKING:
    from mynah.config.origins import Origin
    from mynah.config.schema import Config
    from mynah.models.pretrained.part import PretrainedPart
    from mynah.prefetching.datasets import Here
    from mynah.prefetching.repository import Wanted

_COMMAND = "mynah prefetch"
_MB = 1e6


def main(arguments: Sequence[str]) -> int:
    """Download what a configuration names.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    parsed, settings = parser().parse_known_args(arguments)
    return exit_status(lambda: _prefetch([*parsed.settings, *settings], parsed.dry_run))


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = CommandParser(
        prog=_COMMAND,
        description="Download the models and datasets that a run needs: weights as safetensors, "
        "configurations, processors, the splits' files. What is here is not fetched again; what "
        "was cut is resumed. Afterwards the run works with offline=true.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=(
            "examples:\n"
            "  mynah prefetch model=large data=full\n"
            "  mynah prefetch +experiments=production\n"
            "  mynah prefetch model=whisper_small data.dataset_name=./recordings\n"
            "  mynah prefetch model=large offline=true      is all of it here?\n"
            "\nkept in HF_HOME (models, datasets) and data.dataset_cache_dir (datasets, where set);"
            "\nHF_ENDPOINT names a mirror of the hub, HTTPS_PROXY a proxy, HF_TOKEN who you are"
        ),
    )
    made.add_argument("settings", nargs="*", help="as for mynah train: key=value, group=option")
    made.add_argument("--dry-run", action="store_true", help="say what would be downloaded")
    return made


def _prefetch(arguments: Sequence[str], dry_run: bool) -> None:
    from mynah.cli.shared.settings import read_settings
    from mynah.config.checkpointed import with_absolute_paths
    from mynah.console import say
    from mynah.offline import network_only_if

    flags = [text for text in arguments if text.startswith("-")]
    if flags:
        raise UserError(
            f"{flags[0]} is not a flag of {_COMMAND}.", where=flags[0], fix=f"{_COMMAND} --help"
        )
    composed = read_settings(arguments, _COMMAND)
    config = with_absolute_paths(composed.config, Path.cwd())
    with network_only_if(not config.offline):
        wanted, here = _plan(config, composed.origins)
        _tell(wanted, here)
        missing = [(one, name) for one in wanted for name in one.missing()]
        if missing and config.offline:
            raise _not_here(missing, arguments)
        if missing and dry_run:
            return
        if missing:
            _download(wanted)
            _check_offline(config, composed.origins)
        else:
            say("All of it is here.")
    line = [text for text in arguments if not text.startswith("offline=")]
    say(f"Next, with or without a network: {' '.join(['mynah train', *line, 'offline=true'])}")


def _not_here(missing: Sequence[tuple[Wanted, str]], arguments: Sequence[str]) -> UserError:
    one, name = missing[0]
    line = " ".join(text for text in arguments if not text.startswith("offline="))
    return UserError(
        f"{len(missing):,} files that the run needs are not on this machine, as {name} of "
        f"{one.name}.",
        where=one.setting,
        fix=f"where there is a network: {_COMMAND} {line}",
    )


def _plan(config: Config, origins: Mapping[str, Origin]) -> tuple[list[Wanted], list[Here]]:
    """What is needed of the hub, and what is here anyway.

    Raises:
        UserError: Something is not to be had, or is not what it must be.
    """
    from mynah.models import registry
    from mynah.prefetching import datasets, models

    offline = config.offline
    if config.eval_checkpoint is not None:
        config, parts = _of_checkpoint(config, origins)
    else:
        checked = registry.check_model(
            config.model, sample_rate=config.data.sample_rate, offline=offline
        )
        parts = models.on_the_hub(checked.parts.values(), offline=offline)
    wanted = [models.models_here(part) if offline else models.wanted_models(part) for part in parts]
    here: list[Here] = []
    train = config.eval_checkpoint is None
    place = Path.cwd()
    found_corpora = [
        *datasets.corpora(config.data, offline=offline, working_directory=place, train=train),
        *(
            datasets.general_corpora(config, offline=offline, working_directory=place)
            if train
            else ()
        ),
    ]
    for found in found_corpora:
        if isinstance(found, datasets.Here):
            here.append(found)
        else:
            wanted.append(
                datasets.datasets_here(*found) if offline else datasets.wanted_datasets(*found)
            )
    return wanted, here


def _of_checkpoint(
    config: Config, origins: Mapping[str, Origin]
) -> tuple[Config, list[PretrainedPart]]:
    """What measuring a checkpoint needs: its own settings, and the weights it builds on."""
    from mynah.checkpoints.find import checkpoint_or_plain
    from mynah.config.checkpointed import checkpoint_config, plain_config
    from mynah.models import registry
    from mynah.models.pretrained import bases
    from mynah.prefetching import models

    assert config.eval_checkpoint is not None
    checkpoint, plain = checkpoint_or_plain(
        config.eval_checkpoint, Path.cwd(), setting="eval_checkpoint"
    )
    if checkpoint is None:
        settings = plain_config(plain, config, origins)
        checked = registry.check_model(
            settings.model, sample_rate=settings.data.sample_rate, offline=config.offline
        )
        return settings, models.on_the_hub(checked.parts.values(), offline=config.offline)
    parts = bases.bases_of(checkpoint, offline=config.offline)
    settings = checkpoint_config(checkpoint, config, origins).config
    return settings, [part for part in parts if not part.is_folder]


def _tell(wanted: Sequence[Wanted], here: Sequence[Here]) -> None:
    from mynah.console import say, table
    from mynah.prefetching.repository import gigabytes

    rows = []
    for one in wanted:
        missing = sum(one.missing().values())
        pinned = one.revision == one.commit
        rows.append(
            [
                one.name,
                one.kind,
                one.commit[:7] if pinned else f"{one.revision or 'main'} ({one.commit[:7]})",
                f"{len(one.files):,}",
                gigabytes(one.size_bytes),
                gigabytes(missing) if missing else "-",
            ]
        )
    rows += [[one.name, "corpus", "", "", "", one.why] for one in here]
    if not rows:
        say("Nothing of it is on the hub: the model is built from scratch.")
        return
    table("", ["what", "kind", "revision", "files", "size", "to download"], rows)


def _download(wanted: Sequence[Wanted]) -> None:
    """Fetch all that is missing.

    Raises:
        UserError: The disk is too small, or the hub does not give something. What has come is
            kept.
    """
    from mynah.console import progress, say
    from mynah.prefetching.repository import check_room, gigabytes

    check_room(wanted)
    for one in wanted:
        missing = one.missing()
        total = sum(missing.values()) / _MB
        with progress(one.name, round(total) or None, "MB") as advance:
            for name in missing:
                try:
                    one.fetch(name, lambda amount: advance(amount / _MB))
                except OSError as problem:
                    raise _stopped(one, name, problem) from None
        one.name_revision()
        say(f"{one.name}: {gigabytes(one.size_bytes)} in {one.folder}")


def _stopped(one: Wanted, name: str, problem: OSError) -> UserError:
    again = "give the same command again: it resumes where it stopped"
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(
            f"The disk is full: {name} of {one.name} did not fit. What has come is kept.",
            where=str(one.folder.parent.parent),
            fix=f"free some space, then {again}",
        )
    text = " ".join(str(problem).split())[:160]
    return UserError(
        f"{name} of {one.name} could not be downloaded: {type(problem).__name__}: {text}",
        where=one.setting,
        fix=f"look at the network (a proxy is set by HTTPS_PROXY) and {again}",
    )


def _check_offline(config: Config, origins: Mapping[str, Origin]) -> None:
    """Go the way that a run without a network will go, as far as it costs nothing.

    Raises:
        UserError: Something would be missed.
    """
    from mynah.offline import network_only_if

    with network_only_if(False):
        _plan(replace(config, offline=True), origins)
