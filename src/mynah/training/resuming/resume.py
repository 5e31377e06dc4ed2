"""What a resumed training must share with the one it resumes from, and what it may change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah import console
from mynah.config.best_metric import best_metric
from mynah.config.checkpointed import CONFIG_FILE
from mynah.config.derived import is_pretrained
from mynah.config.plugins.metrics import METRICS
from mynah.config.recorded import read_recorded
from mynah.config.schema import Nature
from mynah.config.settings import all_settings, names, value_of
from mynah.config.tuning import tuning
from mynah.errors import UserError

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.augmentation.chain import Augmentation
    from mynah.data.corpus import Corpus
    from mynah.data.positions import Key
    from mynah.data.utterances import TrainingData

ABOUT_NAME = "mynah.json"

_ACCUMULATION = "training.gradient_accumulation_steps"


def fixed_settings(
    config: Config, corpus: TrainingData[Key], augmentation: Augmentation
) -> dict[str, Any]:
    """What decides the course of a training, by the names a user knows."""
    training = config.training
    fixed = names(Nature.STEP)
    if training.lr_scheduler_type == "reduce_lr_on_plateau":
        # A learning rate that follows the scores changes with the steps they are measured at.
        fixed += names(Nature.WHEN)
        if training.eval_strategy == "steps" and training.eval_steps is None:
            fixed += ("training.logging_steps",)
    if corpus.size is None:
        fixed += _of_a_stream()
    settings: dict[str, Any] = {name: value_of(config, name) for name in fixed}
    # Where none is asked for it has always been recorded as the first of Mynah's own.
    settings["training.metric_for_best_model"] = best_metric(config) or METRICS.own[0]
    if training.per_device_train_batch_size is not None:
        del settings["training.batch_seconds"]
    if not (is_pretrained(config.model) and tuning(config.model).adapts):
        for name in names(Nature.LORA):
            del settings[name]
    for name in names(Nature.NAME, "model"):
        folder = Path(settings[name] or "")
        if folder.is_absolute():  # it may be moved, as the checkpoint may
            settings[name] = folder.name
    for name, fingerprint in augmentation.fingerprints().items():
        # What is in the folder counts, not where it lies.
        settings.pop(f"data.augmentation.{name}", None)
        settings[f"data.augmentation.{name} (fingerprint)"] = fingerprint
    settings["data.sample_rate"] = corpus.sample_rate
    if corpus.size is not None:
        settings["training utterances"] = corpus.size
    settings["training data (fingerprint)"] = corpus.fingerprint
    noted: dict[str, Any] = json.loads(json.dumps(settings))
    return noted


def measured_by(config: Config, splits: Mapping[str, Corpus]) -> dict[str, Any]:
    """What the scores that choose a checkpoint depend on besides the model, by the names a user
    knows.

    Args:
        config: The settings.
        splits: What is measured while training, the one that chooses first.

    Returns:
        JSON's values by name; empty where nothing is measured.
    """
    if not splits:
        return {}
    found: dict[str, Any] = {
        "evaluation data (fingerprint)": next(iter(splits.values())).fingerprint
    }
    if best_metric(config) != "loss":  # for which nothing is decoded
        decoding = set(names(Nature.DECODING)) - set(names(Nature.STEP))
        for name in ("evaluation.normalizer", "evaluation.options", *sorted(decoding)):
            value = value_of(config, name)
            # Where a file lies does not count.
            found[name] = Path(value).name if _is_place(value) else value
    noted: dict[str, Any] = json.loads(json.dumps(found))
    return noted


def other_measure(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The names in which two of :func:`measured_by` differ; none where one of them is empty.

    A setting that a version before did not know was at its default.
    """
    if not before or not now:
        return []
    return sorted(name for name in now if _value(before, name) != now[name])


def _is_place(value: object) -> bool:
    return isinstance(value, str) and Path(value).is_absolute()


def _of_a_stream() -> tuple[str, ...]:
    """Settings that leave rows of a stream out, or change them: nobody has counted its rows.

    Where it lies is not among them: what is there counts, and the fingerprint tells that.
    """
    natures = {name: all_settings()[name].nature for name in names(Nature.ROWS, "data")}
    return tuple(
        name
        for name, nature in natures.items()
        if Nature.MEASURED not in nature
        and not (Nature.CORPUS in nature and nature & (Nature.PATH | Nature.NAME))
    )


def read_about(checkpoint: Path) -> dict[str, Any]:
    """The ``mynah.json`` of a checkpoint.

    Raises:
        UserError: There is none that can be read.
    """
    try:
        about: dict[str, Any] = json.loads((checkpoint / ABOUT_NAME).read_text(encoding="utf-8"))
        return about
    except (OSError, ValueError) as error:
        raise UserError(
            f"This checkpoint has no {ABOUT_NAME} that can be read: {error}",
            where=str(checkpoint),
            fix="resume from a checkpoint-N directory that Mynah wrote",
        ) from error


def check_resume(
    checkpoint: Path,
    settings: Mapping[str, Any],
    *,
    world_size: int,
    planned: int | None = None,
    steps: int,
    machine: str,
) -> int:
    """Check that training may resume from a checkpoint; say what the changes mean.

    Args:
        checkpoint: An intact checkpoint.
        settings: :func:`fixed_settings` of this run.
        world_size: Processes of this run.
        planned: Ranks that its batches are planned for; None: as many.
        steps: Steps of this run.
        machine: What this run computes on and with, in words.

    Returns:
        The checkpoint's step.

    Raises:
        UserError: It is not a training's checkpoint, or what must not change did; named.
    """
    about = read_about(checkpoint)
    training = _training_of(about, checkpoint)
    ranks = training["world_size"]
    batches = ranks * (_value(training["settings"], _ACCUMULATION) or 1)
    kept = world_size != ranks and batches == world_size * settings[_ACCUMULATION]
    _check_same(training["settings"], settings, checkpoint, as_many_batches=kept)
    step = int(about["step"])
    if ranks != world_size:
        if kept and training.get("planned_ranks", ranks) == (planned or world_size):
            console.notice(
                f"This training ran on {ranks} process(es) and resumes with {world_size}: every "
                "step takes the same utterances as before, added up in another order."
            )
        else:
            _tell_ranks(training, world_size, batches, settings[_ACCUMULATION])
        if step >= steps and step < training["steps_total"]:
            raise UserError(
                f"With {world_size} processes this training has {steps:,} steps, and it has "
                f"done {step:,} of {training['steps_total']:,} with {ranks}.",
                where=str(checkpoint),
                fix=f"set training.max_steps={training['steps_total']}, or resume with as many "
                "batches a step as before (training.gradient_accumulation_steps)",
            )
    if training["steps_total"] != steps:
        console.notice(
            f"This training was to take {training['steps_total']:,} steps and now takes "
            f"{steps:,}: the learning rate follows the new length from here on."
        )
    if training["machine"] != machine:
        console.notice(
            f"This training ran on {training['machine']} and resumes on {machine}: sums are "
            "rounded in another order there, so that it will not end bit for bit as it would have."
        )
    return step


def _training_of(about: dict[str, Any], checkpoint: Path) -> dict[str, Any]:
    """What a checkpoint knows of its training."""
    training: dict[str, Any] | None = about.get("training")
    if training is None or not (checkpoint / "trainer_state.json").exists():
        raise UserError(
            "This is a model without its training state, so training cannot resume from it.",
            where=str(checkpoint),
            fix="resume from a checkpoint-N directory; to fine-tune this model instead, "
            "set model.pretrained to it",
        )
    return training


def _check_same(
    before: dict[str, Any], now: Mapping[str, Any], checkpoint: Path, *, as_many_batches: bool
) -> None:
    """Refuse a setting that must not change.

    Args:
        before: The settings in the checkpoint.
        now: Those of this run.
        checkpoint: For the message.
        as_many_batches: Whether a step has as many batches as before with other processes.
    """
    changed = _changed(before, now, checkpoint)
    if as_many_batches:
        changed.pop(_ACCUMULATION, None)
    if changed:
        raise UserError(
            "A resumed training must be the same training, and this changed: "
            + "; ".join(changed.values())
            + ".",
            where=str(checkpoint),
            fix="set it back (more training.max_steps and other logging are fine), or start "
            "a new run without resume_from_checkpoint",
        )


def _tell_ranks(training: dict[str, Any], world_size: int, batches: int, accumulation: int) -> None:
    ranks = training["world_size"]
    if batches == world_size * accumulation:
        means = f"every step takes {batches} batches as before, of other utterances"
    else:
        means = (
            f"every step takes {world_size * accumulation} batch(es) in place of {batches}, and "
            "an epoch has another number of steps"
        )
        if batches % world_size == 0:
            means += f" (training.gradient_accumulation_steps={batches // world_size} keeps both)"
    console.notice(
        f"This training ran on {ranks} process(es) and resumes with {world_size}: {means}. In "
        "this epoch some utterances may come twice and others not at all; from the next one on "
        "each comes once again. The result is not that of an uninterrupted run."
    )


def _changed(before: Mapping[str, Any], now: Mapping[str, Any], checkpoint: Path) -> dict[str, str]:
    """By name, what is not as it was.

    What the checkpoint did not note, as a version before did not, is in the settings beside it.
    """
    beside = _settings_beside(checkpoint) if now.keys() - before.keys() else None
    changed = {}
    for name in sorted(before.keys() | now.keys()):
        if name in all_settings() and name not in now:
            continue  # it may change, or another setting stands in its place
        was, is_now = _value(before, name, beside), _value(now, name)
        if was != is_now:
            changed[name] = f"{name}: {_short(was)} in the checkpoint, {_short(is_now)} now"
    return changed


def _settings_beside(checkpoint: Path) -> Config | None:
    """The settings that the checkpoint was made with; None where they cannot be read."""
    try:
        return read_recorded(checkpoint / CONFIG_FILE)
    except UserError:
        return None


def _value(settings: Mapping[str, Any], name: str, beside: Config | None = None) -> Any:
    if name in settings:
        return settings[name]
    known = all_settings().get(name)
    if known is None:
        return None
    value = known.default if beside is None else value_of(beside, name)
    return json.loads(json.dumps(value))


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
