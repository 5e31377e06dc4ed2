"""Every key of the legacy JSON dialect, and what becomes of it.

Each ends in exactly one way: honoured (the same name), renamed, translated (it means this
now), or without effect (why). A key that is none of these is unknown, and an error.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from mynah.config import settings
from mynah.config.plugins.metrics import LOSS, METRICS
from mynah.config.trainer_fields.disposition import GONE, UPSTREAM_DISPOSITION
from mynah.config.trainer_fields.installed import upstream_fields

FateKind = Literal["honoured", "renamed", "translated", "without effect"]


@dataclass(frozen=True)
class Fate:
    """What becomes of one key.

    Attributes:
        key: The key in the file.
        value: Its value there.
        kind: How it ends.
        settings: The settings it sets, by dotted name; empty where it has no effect.
        reason: Why, where it is not simply honoured.
    """

    key: str
    value: Any
    kind: FateKind
    settings: tuple[tuple[str, Any], ...] = ()
    reason: str = ""


Content = Mapping[str, Any]
_Rule = Callable[[str, Any, Content], Fate]

MODEL_KEYS = (
    "encoder_model_name", "decoder_model_name", "use_lora", "lora_r", "lora_alpha",
    "lora_dropout", "lora_target_modules", "generation_max_length",
)  # fmt: skip
DATA = (
    "dataset_name", "dataset_configs", "train_splits", "eval_splits", "max_audio_seconds",
    "max_text_words", "sample_rate", "dataset_cache_dir", "num_proc", "max_train_samples",
    "max_eval_samples",
)  # fmt: skip
_LISTS = ("dataset_configs", "train_splits", "eval_splits", "lora_target_modules")

# Sizes of an encoder built from scratch: ours by name.
_ENCODER_SIZES = {
    "n_mels": "mel_bins",
    "d_model": "hidden_size",
    "n_head": "heads",
    "num_layers": "layers",
    "kernel_size": "conv_kernel_size",
    "conformer_dropout": "dropout",
}
_PROJECTOR_SIZES = (
    "num_queries", "projector_num_heads", "projector_num_layers", "projector_dropout"
)  # fmt: skip
_PLURALS = {
    "dataset_config_name": "dataset_configs",
    "train_split": "train_splits",
    "eval_split": "eval_splits",
}
_DEFAULT_METRIC = METRICS.own[0]  # of a split whose script separates words
# Hub data sets that have moved since.
_MOVED = {"librispeech_asr": "openslr/librispeech_asr"}


def fate(key: str, value: Any, content: Content) -> Fate | None:
    """What becomes of a key.

    Args:
        key: The key.
        value: Its value.
        content: The full file: what a key means may depend on others.

    Returns:
        Its fate, or None where the key is unknown.
    """
    if key.startswith(("_", "//", "#")):
        return Fate(key, value, "without effect", reason="a comment")
    if key in _RULES:
        return _RULES[key](key, value, content)
    if key in MODEL_KEYS:
        return _plain(key, value, f"model.{key}")
    if key in DATA:
        return _plain(key, value, f"data.{key}")
    if key in upstream_fields():
        return _upstream(key, value)
    if key in GONE:
        return _gone(key, value)
    if "." in key and settings.find(key) is not None:
        return Fate(key, value, "honoured", ((key, value),))
    return None


def settled(fates: Sequence[Fate]) -> list[Fate]:
    """Fates of which no two set the same setting: of several keys of one, one is meant.

    A full dotted name is, else a name that has gone since, where it says anything: transformers
    took that (``per_gpu_train_batch_size or per_device_train_batch_size``). Else the name of today
    is, else the last.
    """

    def rank(found: Fate) -> tuple[bool, bool, bool]:
        return "." in found.key, found.key in GONE and bool(found.value), found.kind == "honoured"

    meant: dict[str, Fate] = {}
    for found in fates:
        for name, _ in found.settings:
            if name not in meant or rank(found) >= rank(meant[name]):
                meant[name] = found
    made = []
    for found in fates:
        others = [meant[name].key for name, _ in found.settings if meant[name] is not found]
        reason = f"{others[0]} is given too, and is meant" if others else ""
        made.append(
            replace(found, kind="without effect", settings=(), reason=reason) if others else found
        )
    return made


def nearest_key(key: str) -> list[str]:
    """Known keys that an unknown one may have meant, best first."""
    own = difflib.get_close_matches(key, [*MODEL_KEYS, *DATA, *_RULES], n=1, cutoff=0.7)
    upstream = difflib.get_close_matches(key, [*upstream_fields(), *GONE], n=1, cutoff=0.7)
    return list(dict.fromkeys(own + upstream)) or settings.nearest(key)[:1]


def names_pretrained(content: Content) -> bool:
    """Whether the file names what is pretrained, so that no encoder is built from scratch."""
    return _names_parts(content) or bool(content.get("model.pretrained"))


def _names_parts(content: Content) -> bool:
    return bool(content.get("decoder_model_name") or content.get("encoder_model_name"))


def base_groups(content: Content) -> dict[str, str]:
    """The groups that say what the file does not.

    A language model is trained behind the encoder of ``model=large``, a full recognizer as
    ``model=default`` is, and what names no model is built from scratch; LibriSpeech has
    ``data=full``; half precision means a GPU, so ``training=production``.
    """
    pretrained = names_pretrained(content)
    half = content.get("bf16") or content.get("fp16")
    name = str(content.get("dataset_name") or "").lower()
    splits = [key for key in (*_PLURALS, *_PLURALS.values()) if content.get(key)]
    librispeech = "librispeech" in name or (not name and bool(splits))
    training = "default" if not pretrained else "production" if half else "mac"
    return {
        "model": "large" if _names_parts(content) else "default" if pretrained else "fastconformer",
        "data": "full" if librispeech else "general",
        "training": training,
    }


def _plain(key: str, value: Any, name: str) -> Fate:
    if key in _LISTS and isinstance(value, str):
        return Fate(key, value, "translated", ((name, _split(value)),), "a list now")
    return Fate(key, value, "honoured", ((name, value),))


def _split(value: str) -> list[str]:
    return [part.strip() for part in value.split("+")]


def _upstream(key: str, value: Any) -> Fate:
    name = f"training.{key}"
    disposition = UPSTREAM_DISPOSITION.get(key)
    if disposition is None or disposition.kind == "honoured":
        return Fate(key, value, "honoured", ((name, value),))
    if disposition.reason.startswith("no effect"):
        reason = disposition.reason.removeprefix("no effect").lstrip(": ")
        return Fate(key, value, "without effect", reason=reason)
    if disposition.kind == "refused":
        if value in (None, False, "", [], {}, upstream_fields()[key].default):
            return Fate(key, value, "honoured", ((name, value),))
        return Fate(key, value, "without effect", reason=disposition.reason)
    return Fate(key, value, "honoured", ((name, value),))


def _gone(key: str, value: Any) -> Fate:
    gone = GONE[key]
    if gone.instead is None:
        return Fate(key, value, "without effect", reason=gone.reason)
    name = gone.instead.partition("=")[0]
    return Fate(key, value, "renamed", ((name, value),), gone.reason)


def _singular(key: str, value: Any, content: Content) -> Fate:
    plural = _PLURALS[key]
    if content.get(plural) is not None:
        return Fate(key, value, "without effect", reason=f"{plural} is given too, and is meant")
    values = _split(value) if isinstance(value, str) else value
    if value is None and plural in content:
        return Fate(key, value, "without effect", reason=f"it is null, as {plural} is")
    return Fate(key, value, "renamed", ((f"data.{plural}", values),), "a list now")


def _plural(key: str, value: Any, content: Content) -> Fate:
    given = [one for one, plural in _PLURALS.items() if plural == key and content.get(one)]
    if value is None and given:
        return Fate(key, value, "without effect", reason=f"it is null, and {given[0]} is meant")
    return _plain(key, value, f"data.{key}")


def _dataset_name(key: str, value: Any, content: Content) -> Fate:
    if isinstance(value, str) and value in _MOVED:
        moved = (("data.dataset_name", _MOVED[value]),)
        return Fate(key, value, "translated", moved, "its name on the hub now")
    return Fate(key, value, "honoured", (("data.dataset_name", value),))


def _warmup_ratio(key: str, value: Any, content: Content) -> Fate:
    if value is None:
        return Fate(key, value, "without effect", reason="it is null: not set")
    if content.get("warmup_steps"):
        return Fate(key, value, "without effect", reason="warmup_steps is given too, and is meant")
    if value == 1:  # warmup_steps=1 would be one step
        value = 0.999999
    name = "training.warmup_steps"
    return Fate(key, value, "translated", ((name, value),), "below 1 it is a share of all steps")


def _warmup_steps(key: str, value: Any, content: Content) -> Fate:
    if not value and content.get("warmup_ratio"):
        return Fate(key, value, "without effect", reason="it is 0, and warmup_ratio is meant")
    return Fate(key, value, "honoured", (("training.warmup_steps", value),))


def _evaluation_strategy(key: str, value: Any, content: Content) -> Fate:
    if "eval_strategy" in content:
        return Fate(key, value, "without effect", reason="eval_strategy is given too, and is meant")
    return _gone(key, value)


def _report_to(key: str, value: Any, content: Content) -> Fate:
    name = "training.report_to"
    if value in ("none", ["none"], []):
        return Fate(key, value, "translated", ((name, ["none"]),), "a list now")
    if isinstance(value, str):
        return Fate(key, value, "translated", ((name, [value]),), "a list now")
    return Fate(key, value, "honoured", ((name, value),))


def _metric_for_best_model(key: str, value: Any, content: Content) -> Fate:
    name = f"training.{key}"
    if value is None and content.get("load_best_model_at_end"):
        return Fate(key, value, "translated", ((name, LOSS),), "what null meant")
    if not isinstance(value, str):
        return Fate(key, value, "honoured", ((name, value),))
    short = value.removeprefix("eval_")
    if short == _DEFAULT_METRIC:
        reason = "the first metric; mer in its place for scripts without spaces"
        return Fate(key, value, "translated", ((name, None),), reason)
    if short != value:
        reason = "measured in evaluations anyway"
        return Fate(key, value, "translated", ((name, short),), reason)
    return Fate(key, value, "honoured", ((name, value),))


def _resume(key: str, value: Any, content: Content) -> Fate:
    if value is True:
        return Fate(key, value, "translated", ((key, "last"),), "the newest of the same run")
    if not value:
        return Fate(key, value, "honoured", ((key, None),))
    return Fate(key, value, "honoured", ((key, value),))


def _predict_with_generate(key: str, value: Any, content: Content) -> Fate:
    always = "every error rate is measured on freely decoded transcripts"
    if value:
        return Fate(key, value, "translated", (), f"always so: {always}")
    return Fate(key, value, "without effect", reason=always)


def _compile_mode(key: str, value: Any, content: Content) -> Fate:
    if content.get("torch_compile") and value and "torch_compile_mode" not in content:
        name = "training.torch_compile_mode"
        return Fate(key, value, "renamed", ((name, value),), "with torch_compile")
    return Fate(key, value, "without effect", reason="it needs torch_compile: true")


def _encoder_size(key: str, value: Any, content: Content) -> Fate:
    if names_pretrained(content):
        reason = "the encoder is a pretrained one, with sizes of its own"
        return Fate(key, value, "without effect", reason=reason)
    name = f"model.encoder.{_ENCODER_SIZES[key]}"
    return Fate(key, value, "translated", ((name, value),), "the encoder is built from scratch")


def _without_effect(reason: str) -> _Rule:
    return lambda key, value, content: Fate(key, value, "without effect", reason=reason)


_RULES: dict[str, _Rule] = {
    **dict.fromkeys(_PLURALS, _singular),
    **dict.fromkeys(_PLURALS.values(), _plural),
    **dict.fromkeys(_ENCODER_SIZES, _encoder_size),
    **dict.fromkeys(
        _PROJECTOR_SIZES, _without_effect("the projector joins frames and has no such part")
    ),
    "dataset_name": _dataset_name,
    "warmup_ratio": _warmup_ratio,
    "warmup_steps": _warmup_steps,
    "evaluation_strategy": _evaluation_strategy,
    "report_to": _report_to,
    "metric_for_best_model": _metric_for_best_model,
    "resume_from_checkpoint": _resume,
    "predict_with_generate": _predict_with_generate,
    "compile_mode": _compile_mode,
    "compute_metrics": _without_effect("error rates are measured at every evaluation"),
    "do_generation_test": _without_effect("every evaluation decodes, and shows examples"),
    "test_checkpoint_loading": _without_effect(
        "every checkpoint is summed and verified when it is loaded"
    ),
}

KNOWN = tuple(dict.fromkeys([*MODEL_KEYS, *DATA, *_RULES, *upstream_fields(), *GONE]))
"""All keys that have a fate, whatever their value."""
