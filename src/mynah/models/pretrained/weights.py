"""Pretrained weights: read strictly, trained in float32 whatever their file holds, and held in
less where they are frozen."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah import console
from mynah.errors import UserError
from mynah.models.lora import adapters, quantization
from mynah.models.pretrained import hub, hub_errors, weight_files
from mynah.models.pretrained.attention import check_attention
from mynah.models.pretrained.part import PretrainedPart

if TYPE_CHECKING:
    import torch

    from mynah.config.schema import ModelConfig

# The mask vector of the wav2vec2 family is initialized where a checkpoint was saved without it.
_INITIALIZED = ("masked_spec_embed",)
_RECORD = "mynah_dtype"  # the key of config.json that says what frozen weights were held in


def load_weights(
    kind: Any,
    part: PretrainedPart,
    *,
    config: Any = None,
    initialized: Sequence[str] = (),
    dropped: Sequence[str] = (),
) -> Any:
    """A pretrained model in float32, whatever precision its file has, every weight accounted for.

    Args:
        kind: A class of transformers with ``from_pretrained``, or an auto class.
        part: Where the weights are, which attention they run with, and whether their linear
            layers are held in four bits.
        config: The model's configuration, or None for the one beside the weights.
        initialized: Beginnings of the names of weights that may be missing, or of another shape,
            in the file: they are initialized at random.
        dropped: Beginnings of the names of weights that the model does not have and need not.

    Raises:
        UserError: The weights are not to be had, not intact, or not those of the model; or it
            does not have the attention that is asked for.
    """
    hub.fetch_weights(part)
    weight_files.check_weights(part)
    if part.quantization is not None:
        quantization.check_device()
    check_attention(kind, part, config)
    model, report = _read(kind, part, config)
    _check_shapes(report["mismatched_keys"], initialized, part)
    missing = [
        key
        for key in report["missing_keys"]
        if not key.startswith(tuple(initialized)) and not key.endswith(_INITIALIZED)
    ]
    left_over = [key for key in report["unexpected_keys"] if not key.startswith(tuple(dropped))]
    adapters.check_keys(missing, left_over, where=Path(part.name))
    if part.quantization is not None:
        model = quantization.prepared_for_lora(model)
    return model


def _read(kind: Any, part: PretrainedPart, config: Any) -> tuple[Any, dict[str, Any]]:
    """The model, and transformers' report on weights that are missing, left over or misshapen."""
    import torch

    options = hub.model_options(part)
    if config is not None:
        options["config"] = config
    if part.quantization is not None:
        options["quantization_config"] = quantization.config_4bit()
    try:
        with hub.quiet():
            model, report = kind.from_pretrained(
                hub.local_place(part),
                dtype=torch.float32,
                use_safetensors=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # ours is the message that names them
                attn_implementation=part.attention,
                **options,
            )
    except Exception as error:
        refusal = _refusal(part, error)
        if refusal is None:
            raise
        raise refusal from error
    return model, report


def _refusal(part: PretrainedPart, error: Exception) -> UserError | None:
    """What transformers raised, as an error that says how to fix it; None where it is ours."""
    from safetensors import SafetensorError

    text = str(error).strip()
    if "trust_remote_code" in text:
        return hub_errors.brings_code(part)
    if isinstance(error, SafetensorError):
        return UserError(
            f"The weights of {part.name} cannot be read: {text}.",
            where=part.setting,
            fix="Copy or download them again; the file is damaged.",
        )
    if isinstance(error, ValueError) and "an attention implementation" in text:
        return UserError(
            f"A part of {part.name} has no attention called {part.attention!r}.",
            where=f"model.attn_implementation={part.attention}",
            fix="leave model.attn_implementation out: each part then takes what it has",
        )
    if isinstance(error, OSError):
        return UserError(
            f"{part.name} cannot be loaded: {text.splitlines()[0]}",
            where=part.setting,
            fix="Check the name, and that the model has its weights as safetensors.",
        )
    return None


def _check_shapes(
    mismatched: Sequence[Any], initialized: Sequence[str], part: PretrainedPart
) -> None:
    """Raise where a weight has another shape in the file than the configuration says."""
    wrong = sorted(one for one in mismatched if not one[0].startswith(tuple(initialized)))
    if wrong:
        name, stored, needed = wrong[0]
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise UserError(
            f"The weights of {part.name} do not fit its configuration: {name} is "
            f"{list(stored)} in the file, and {list(needed)} by config.json{more}.",
            where=part.setting,
            fix="Use the config.json that belongs to these weights.",
        )


def settle(model: Any, config: ModelConfig) -> None:
    """Hold what is frozen as ``model.dtype`` says, and let the checkpoints remember how.

    Args:
        model: What is trained, which parameters are already chosen.
        config: The ``model`` section.
    """
    settings = own(model).config
    in_four_bits = quantization.holds_four_bits(model)
    if in_four_bits:
        setattr(settings, quantization.QUANTIZATION_RECORD, quantization.FOUR_BITS)
    elif hasattr(settings, quantization.QUANTIZATION_RECORD):
        delattr(settings, quantization.QUANTIZATION_RECORD)
    if config.quantization and not in_four_bits:
        console.notice(
            "model.quantization has no effect: the adapter that is gone on with was trained on "
            "weights in full precision."
        )
    hold_frozen(model, config.dtype)


def hold_frozen(model: Any, dtype: str | None) -> None:
    """Hold what is frozen in ``dtype``, and compute in it; what is trained stays float32.

    Matrices of linear, convolutional and embedding layers are converted. Norms, biases and
    recurrent layers stay: they are small, and are computed in float32 by autocast as well. The
    model's configuration remembers the choice, for who loads its checkpoint
    (:func:`hold_as_recorded`).

    Args:
        model: What is trained, which parameters are already chosen.
        dtype: ``model.dtype``.
    """
    import torch
    from transformers.pytorch_utils import Conv1D

    config = own(model).config
    if dtype in (None, "float32"):
        if hasattr(config, _RECORD):
            delattr(config, _RECORD)
        return
    assert dtype is not None
    setattr(config, _RECORD, dtype)
    held: torch.dtype = getattr(torch, dtype)
    kinds = (torch.nn.Linear, Conv1D, torch.nn.modules.conv._ConvNd, torch.nn.Embedding)
    for module in model.modules():
        if not isinstance(module, kinds):
            continue
        for parameter in module.parameters(recurse=False):
            matrix = parameter.ndim >= 2 and parameter.dtype == torch.float32
            if matrix and not parameter.requires_grad:
                parameter.data = parameter.data.to(held)
    _compute_in(model, held)


def hold_as_recorded(model: Any, directory: Path) -> None:
    """:func:`hold_frozen` of the model of a checkpoint, as it was when it was trained."""
    recorded = json.loads((directory / "config.json").read_text(encoding="utf-8")).get(_RECORD)
    hold_frozen(model, None if quantization.is_full_precision_wanted() else recorded)


def take_weights(model: Any, loaded: Any) -> None:
    """Give ``model`` the weights of a checkpoint of it.

    Of a model whose base is held in four bits only what is trained is taken: the base is the
    same, and how it is packed is not a matrix that could be copied.

    Raises:
        RuntimeError: They are not the weights of ``model``.
    """
    state = loaded.state_dict()
    if not quantization.holds_four_bits(model):
        model.load_state_dict(state, strict=True)
        return
    trained = {name for name, one in model.named_parameters() if one.requires_grad}
    if missing := sorted(trained - state.keys()):
        raise RuntimeError(f"Missing key(s) in state_dict: {', '.join(missing[:3])}")
    model.load_state_dict({name: state[name] for name in trained}, strict=False)


def own(model: Any) -> Any:
    """The model itself, which peft may have wrapped."""
    return model.get_base_model() if adapters.is_adapted(model) else model


def _compute_in(model: Any, dtype: torch.dtype) -> None:
    """Let every part of a model that is called by itself run in ``dtype``."""
    from transformers import PreTrainedModel

    top = own(model)
    called = [top, *top.children(), *(m for m in top.modules() if isinstance(m, PreTrainedModel))]
    for module in {id(one): one for one in called}.values():
        if any(True for _ in module.parameters()):
            _Autocast.around(module, dtype)


@contextlib.contextmanager
def computing(model: Any) -> Iterator[None]:
    """Compute as the parts of ``model`` do by themselves, for who calls the parts of a part."""
    hooks = [getattr(hook, "__self__", None) for hook in model._forward_pre_hooks.values()]
    autocast = next((hook for hook in hooks if isinstance(hook, _Autocast)), None)
    if autocast is None:
        yield
        return
    autocast.enter(model, ())
    try:
        yield
    finally:
        autocast.leave(model, (), None)


class _Autocast:
    """Around a module's forward pass: autocast, unless there is one around it already.

    Args:
        dtype: What is computed in.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self._open: list[Any] = []

    @classmethod
    def around(cls, module: Any, dtype: torch.dtype) -> None:
        """Let a module compute in ``dtype`` from here on, whatever it did before."""
        for hook in module._forward_pre_hooks.values():
            autocast = getattr(hook, "__self__", None)
            if isinstance(autocast, cls):
                autocast.dtype = dtype
                return
        autocast = cls(dtype)
        module.register_forward_pre_hook(autocast.enter)
        module.register_forward_hook(autocast.leave, always_call=True)

    def enter(self, module: Any, _: Any) -> None:
        import torch

        device = next(module.parameters()).device.type
        # What training.bf16 or fp16 asks for counts, and the loss's own float32.
        enabled = torch.is_autocast_enabled(device)
        dtype = torch.get_autocast_dtype(device) if enabled else self.dtype
        context = torch.autocast(device, dtype=dtype)
        context.__enter__()
        self._open.append(context)

    def leave(self, module: Any, _: Any, output: Any) -> None:
        if self._open:
            self._open.pop().__exit__(None, None, None)


def save_all(model: Any, directory: Path) -> None:
    """Write all weights of a model, each in the precision that it is held in.

    The configuration says float32 where any is: what plain transformers load then is what was
    trained, and not rounded to what the frozen part was held in.
    """
    import torch

    with hub.quiet():
        model.save_pretrained(directory)
    kinds = {parameter.dtype for parameter in model.parameters()}
    if len(kinds) > 1 and torch.float32 in kinds:
        config = type(model.config).from_pretrained(directory)
        config.dtype = torch.float32
        config.save_pretrained(directory)


def save_recognizer(model: Any, directory: Path) -> None:
    """Write a model's configuration with its adapter alone, or with all its weights."""
    if adapters.is_adapted(model):
        adapters.save_lora(model, directory)
        model.get_base_model().config.save_pretrained(directory)
    else:
        save_all(model, directory)
