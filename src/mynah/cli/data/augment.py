"""``mynah data augment``: utterances before and after augmentation, to listen to and to see."""

from __future__ import annotations

import argparse
import dataclasses
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser
from mynah.config.hydra.compose import compose
from mynah.errors import UserError
from mynah.files import display_path

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.corpus import Corpus
    from mynah.preview.augmented import Augmented

_COMMAND = "mynah data augment"
# What is shown where no augmentation is on.
_EXAMPLE = ("data.augmentation.room_probability=0.5", "data.augmentation.noise_snr_db=[5,25]")
_SENTENCES = 40  # of the embedded corpus that are spoken, where nobody says how many
_RECORD = "drawn.json"
_PAGE = "index.html"


def main(arguments: Sequence[str]) -> int:
    """Augment a few utterances as a training would; write clips, spectrograms and a page.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    parsed = parser().parse_intermixed_args(arguments)  # settings may stand between flags
    return exit_status(lambda: _augment(parsed, arguments))


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = CommandParser(
        prog=_COMMAND,
        allow_abbrev=False,
        description="What training makes of a few utterances: clips before and after, their "
        "spectrograms, what was sampled for each, and one page that shows it all.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=(
            "examples:\n"
            "  mynah data augment --to preview                an example, without further words\n"
            "  mynah data augment data=an4 data.path=an4/\n"
            "  mynah data augment recordings/ data.augmentation.room_probability=1\n"
            "  mynah data augment recordings/ 'data.augmentation.noise_snr_db=[5,20]' \\\n"
            "      data.augmentation.noise_folder=musan/noise --utterances 20 --to preview/\n"
        ),
    )
    made.add_argument(
        "settings", nargs="*", help="a corpus's folder, or settings as of mynah train"
    )
    made.add_argument(
        "--to",
        metavar="DIR",
        default="outputs/augmentation",
        help="where the page, clips and pictures go (default: outputs/augmentation)",
    )
    made.add_argument(
        "--utterances", type=int, default=6, metavar="N", help="how many utterances (default: 6)"
    )
    made.add_argument(
        "--epoch",
        type=int,
        metavar="E",
        help="which pass over the data is sampled, from 0 (default: the first in which "
        "data.augmentation.warmup_epochs are over)",
    )
    return made


def _augment(parsed: argparse.Namespace, arguments: Sequence[str]) -> None:
    from mynah.cli.shared.settings import read_settings
    from mynah.config.checkpointed import with_absolute_paths
    from mynah.config.schema import AugmentationConfig

    _check_numbers(parsed)
    here = Path.cwd()
    composed = read_settings(parsed.settings, _COMMAND, trains=False)
    config = with_absolute_paths(composed.config, here)
    target = _target(Path(parsed.to).expanduser().absolute())

    from mynah import console

    if config.data.augmentation == AugmentationConfig():
        config = _with_an_example(config)
        console.notice(
            f"No augmentation is on: this is an example, {' '.join(map(shlex.quote, _EXAMPLE))}"
        )
    if config.data.streaming:
        raise UserError(
            "Utterances are chosen from a table, and a stream has none.",
            where="data.streaming=true",
            fix="data.streaming=false",
        )
    if not composed.origins["data.synthesis.train_sentences"].typed:
        config.data.synthesis.train_sentences = _SENTENCES
    from mynah.data.augmentation.chain import Augmentation
    from mynah.data.preparation.prepare import prepare
    from mynah.preview.augmented import augment_some

    augmentation = Augmentation.open(
        config.data.augmentation,
        sample_rate=config.data.sample_rate,
        seed=config.training.seed,
    )
    if config.data.eval_splits is not None:
        config.data.eval_splits = []  # an evaluation is never augmented
    data = prepare(config.data, offline=config.offline, working_directory=here)
    corpus = data.train
    assert corpus is not None
    epoch = config.data.augmentation.warmup_epochs if parsed.epoch is None else parsed.epoch
    made = augment_some(
        corpus,
        augmentation,
        utterances=parsed.utterances,
        epoch=epoch,
        seed=config.training.seed,
        mel_bins=config.model.encoder.mel_bins,
    )
    command = shlex.join([*_COMMAND.split(), *arguments])
    about = {"command": command, "seed": config.training.seed, "epoch": epoch}
    name = str(data.report.get("corpus") or corpus.name)
    _write(target, made, corpus, config, about=about, name=name)
    _show(made)
    console.say(f"Page: {display_path(target / _PAGE)}")
    console.say(f"Clips, pictures and what was sampled: {display_path(target)}")


def _check_numbers(parsed: argparse.Namespace) -> None:
    """
    Raises:
        UserError: One is out of its range.
    """
    for flag, least in (("utterances", 1), ("epoch", 0)):
        given = getattr(parsed, flag)
        if given is not None and given < least:
            raise UserError(
                f"--{flag} is at least {least}.",
                where=f"--{flag} {given}",
                fix=f"--{flag} {least}",
            )


def _with_an_example(config: Config) -> Config:
    """The settings with the augmentation that ``_EXAMPLE`` says."""
    example = compose(_EXAMPLE).config.data.augmentation
    return dataclasses.replace(config, data=dataclasses.replace(config.data, augmentation=example))


def _target(folder: Path) -> Path:
    """The folder, once it is known that what is written there replaces nothing but its like."""
    try:
        if folder.is_dir() and any(folder.iterdir()) and not (folder / _RECORD).is_file():
            raise UserError(
                "This folder holds something else, which stays as it is.",
                where=f"--to {display_path(folder)}",
                fix=f"name another folder: --to {display_path(folder / 'augmentation')}",
            )
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _RECORD).touch()
    except OSError as problem:
        raise UserError(
            f"Nothing can be written there: {problem.strerror or problem}.",
            where=f"--to {display_path(folder)}",
            fix="name a folder that you may write to",
        ) from problem
    return folder


def _write(
    target: Path,
    made: Sequence[Augmented],
    corpus: Corpus,
    config: Config,
    *,
    about: dict[str, Any],
    name: str,
) -> None:
    import json
    from datetime import UTC, datetime

    import soundfile
    import yaml

    from mynah.files import write_text
    from mynah.pages.spectrogram import spectrogram_picture
    from mynah.preview.page import preview_page

    for old in (*target.glob("*_before.*"), *target.glob("*_after.*")):
        old.unlink()
    records = []
    for number, one in enumerate(made, 1):
        loudest = max(float(clip.decibels.max()) for clip in (one.before, one.after))
        stem = f"{number:04d}_{re.sub(r'[^A-Za-z0-9.-]+', '-', one.id)[-60:]}"
        for when, one_clip in (("before", one.before), ("after", one.after)):
            file = target / f"{stem}_{when}.flac"
            soundfile.write(file, one_clip.audio, corpus.sample_rate, subtype="PCM_16")
            shown = one_clip.decibels.copy()
            shown[one_clip.masked] = loudest - 40
            file.with_suffix(".png").write_bytes(spectrogram_picture(shown, loudest))
        records.append(
            {
                "id": one.id,
                "text": one.text,
                "before": f"{stem}_before.flac",
                "after": f"{stem}_after.flac",
                "drawn": one.sampled,
            }
        )
    text = json.dumps(about | {"utterances": records}, indent=2, ensure_ascii=False)
    write_text(target / _RECORD, [text, "\n"])
    settings = yaml.safe_dump(dataclasses.asdict(config.data.augmentation), sort_keys=False)
    made_page = preview_page(
        made,
        corpus=name,
        sample_rate=corpus.sample_rate,
        epoch=about["epoch"],
        created=datetime.now(UTC),
        command=about["command"],
        settings=settings,
    )
    write_text(target / _PAGE, [made_page])


def _show(made: Sequence[Augmented]) -> None:
    from mynah import console
    from mynah.preview.page import describe_sampled

    rows = [[one.id, "; ".join(describe_sampled(one.sampled))] for one in made]
    console.table("Sampled", ["utterance", "what"], rows)
