"""LoRA through peft, on modules named by their path, and read back strictly.

Low-rank adaptation, Hu et al. 2021, arXiv 2106.09685; rsLoRA, Kalajdzievski 2023, arXiv
2312.03732; DoRA, Liu et al. 2024, arXiv 2402.09353.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah import console
from mynah.config.tuning import FROZEN, Tuning
from mynah.errors import UserError
from mynah.models.pretrained import bases, hub, weight_files
from mynah.models.pretrained.part import PretrainedPart

if TYPE_CHECKING:
    from mynah.config.schema import ModelConfig

_ADAPTER = "adapter_model.safetensors"
_IN_A_BLOCK = re.compile(r"(?:^|\.)(?:layers|layer|h|blocks|block)\.\d+\.(.+)$")
_LISTED = 12  # modules named in a message
AUTO_TARGETS = "auto"  # as a target: what suits the architecture
# Attention of transformers that reads the weights of its linear layers and never calls them, so
# that LoRA around them would learn nothing.
_READ_AND_NOT_CALLED = ("WavLMAttention", "MultiheadAttention")


def is_adapted(model: Any) -> bool:
    """Whether ``model`` is wrapped by peft."""
    return hasattr(model, "peft_config")


def add_lora(
    model: Any, config: ModelConfig, *, heads: Sequence[str] = (), base: str, revision: str | None
) -> Any:
    """Freeze ``model`` and give its linear layers LoRA matrices.

    Args:
        model: A PreTrainedModel.
        config: The ``model`` section: all that begins with ``lora_``
            (``lora_target_modules`` null or ``auto``: every linear layer of the model's blocks).
        heads: Modules that are trained in full, by path.
        base: Name of the weights that are adapted; the adapter remembers it.
        revision: Their commit; None of a folder: the digest of its weights.

    Returns:
        A PeftModel around ``model``.

    Raises:
        UserError: A target names no module that LoRA can adapt.
    """
    from peft import LoraConfig, get_peft_model

    candidates = adaptable_modules(model, exclude=heads)
    if config.lora_target_modules in (None, [AUTO_TARGETS]):
        chosen = [path for path in candidates if _IN_A_BLOCK.search(path)] or candidates
    else:
        chosen = matching(config.lora_target_modules or [], candidates, in_full=heads)
    if revision is None and Path(base).is_dir():
        revision = weight_files.digest(Path(base))
    modules = dict(model.named_modules())
    lora = LoraConfig(
        r=config.lora_r,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        use_rslora=config.lora_use_rslora,
        use_dora=config.lora_use_dora,
        init_lora_weights=_initialization(config.lora_init_weights),
        target_modules=_pattern(chosen),
        modules_to_save=list(heads) or None,
        # GPT-2's weights stand the other way round.
        fan_in_fan_out=any(type(modules[path]).__name__ == "Conv1D" for path in chosen),
        base_model_name_or_path=base,
        revision=revision,
        task_type=None,  # peft has none for speech; a wrong one changes the forward pass
    )
    # get_peft_model takes the name from here, and warns where it was another.
    model.name_or_path = base
    with hub.quiet():
        return get_peft_model(model, lora)


def _initialization(name: str) -> Any:
    """``model.lora_init_weights`` as peft has it."""
    return True if name == "default" else name


def adapted_base(directory: Path, *, offline: bool) -> PretrainedPart:
    """The weights that an adapter was trained on, known to be the same (:mod:`.bases`).

    Raises:
        UserError: They are not to be had, or are others.
    """
    return bases.base_of(directory, offline=offline)


def load_lora(model: Any, directory: Path, *, trainable: bool) -> Any:
    """Wrap ``model`` with the adapter in ``directory``, every weight accounted for.

    Raises:
        UserError: The adapter has no weights, or not those its configuration asks for.
    """
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors import safe_open

    if not (directory / _ADAPTER).is_file():
        # peft would open a pickle in its place.
        raise UserError(
            f"The adapter has no {_ADAPTER}.",
            where=str(directory),
            fix="use another checkpoint, or copy this one again; weights in a pickle are not read",
        )
    with hub.quiet():
        adapted = PeftModel.from_pretrained(model, str(directory), is_trainable=trainable)
    with safe_open(directory / _ADAPTER, framework="pt") as file:
        held = set(file.keys())
    needed = set(get_peft_model_state_dict(adapted, save_embedding_layers=False))
    check_keys(needed, held, where=directory / _ADAPTER)
    return adapted


def save_lora(model: Any, directory: Path) -> None:
    """Write the adapter alone, as peft reads it."""
    # peft would otherwise compare the vocabulary with the base's, over the network.
    with hub.quiet():
        model.save_pretrained(str(directory), save_embedding_layers=False)


def check_keys(needed: Iterable[str], held: Iterable[str], *, where: Path) -> None:
    """Raise unless a weights file holds exactly the weights that are needed.

    Raises:
        UserError: Weights are missing or left over.
    """
    needed, held = set(needed), set(held)
    parts = [
        f"{len(names)} weights {word}, as {sorted(names)[0]}"
        for word, names in (("missing", needed - held), ("left over", held - needed))
        if names
    ]
    if parts:
        raise UserError(
            "The checkpoint's weights do not fit its configuration: " + "; ".join(parts) + ".",
            where=str(where),
            fix="Use another checkpoint: this one is damaged or was edited.",
        )


def adaptable_modules(model: Any, *, exclude: Sequence[str] = ()) -> list[str]:
    """Paths of the linear layers of ``model`` that LoRA can adapt, heads left out."""
    import torch
    from transformers.pytorch_utils import Conv1D  # GPT-2's linear layer

    output = getattr(model, "get_output_embeddings", lambda: None)()
    closed = {
        id(child)
        for module in model.modules()
        if type(module).__name__ in _READ_AND_NOT_CALLED
        for name, child in module.named_children()
        if name.endswith("_proj")
    }
    return [
        path
        for path, module in model.named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D)
        and module is not output
        and id(module) not in closed
        and path not in exclude
    ]


def by_frozen(model: Any, paths: Iterable[str], learns: Tuning) -> tuple[list[str], list[str]]:
    """Paths in the part of a recognizer that learns, and those in the part that is frozen.

    Args:
        model: A recognizer of an encoder and what follows it.
        paths: Of its modules.
        learns: What is done with each part.
    """
    encoder = model.encoder if hasattr(model, "encoder") else model.get_encoder()
    inside = {id(module) for module in encoder.modules()}
    modules = dict(model.named_modules())
    learning: list[str] = []
    frozen: list[str] = []
    for path in paths:
        part = learns.encoder if id(modules[path]) in inside else learns.decoder
        (frozen if part == FROZEN else learning).append(path)
    return learning, frozen


def matching(
    targets: Sequence[str],
    candidates: Sequence[str],
    *,
    in_full: Sequence[str] = (),
    frozen: Sequence[str] = (),
) -> list[str]:
    """Candidates that a target names: by last part, by trailing path, with ``*``, or all that
    are in the module of that path.

    Args:
        targets: As ``q_proj``, ``encoder.layers.*.fc1``, ``decoder`` or ``all-linear``.
        candidates: Paths of modules.
        in_full: Paths of modules that are trained in full, for messages.
        frozen: Paths of modules of a part that is frozen, likewise.

    Raises:
        UserError: A target names none.
    """
    chosen: list[str] = []
    for target in targets:
        found = _matched(target, candidates)
        if not found:
            raise _matches_nothing(target, candidates, in_full, frozen)
        chosen += found
    return list(dict.fromkeys(chosen))


def _matched(target: str, candidates: Sequence[str]) -> list[str]:
    if target == "all-linear":
        return list(candidates)
    wanted = re.escape(target).replace(r"\*", ".*")
    for pattern in (rf"(?:.*\.)?{wanted}", rf"(?:.*\.)?{wanted}\..*"):
        found = [path for path in candidates if re.fullmatch(pattern, path)]
        if found:
            return found
    return []


def _matches_nothing(
    target: str, candidates: Sequence[str], in_full: Sequence[str], frozen: Sequence[str]
) -> UserError:
    if head := _matched(target, in_full):
        return UserError(
            f"{head[0]} is trained in full, so that LoRA has nothing to adapt there.",
            where="model.lora_target_modules",
            fix=f"leave {target} out",
        )
    if inside := _matched(target, frozen):
        return UserError(
            f"{inside[0]} is of a part that is frozen, so that LoRA has nothing to adapt there.",
            where="model.lora_target_modules",
            fix=f"leave {target} out, or adapt that part too: model.encoder_tuning and "
            "model.decoder_tuning say how each learns",
        )
    # A path is answered with paths, a name with names.
    parts = 1 if "." not in target else min(target.count(".") + 1, 4)
    kinds = [re.sub(r"\.\d+(?=\.|$)", ".*", path) for path in candidates]
    names = sorted({".".join(kind.split(".")[-parts:]) for kind in kinds})
    near = difflib.get_close_matches(target, names, n=1)
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return UserError(
        f"No module of the model is called {target!r}, so LoRA has nothing to adapt there.",
        where="model.lora_target_modules",
        fix=(f"Did you mean {near[0]}? " if near else "")
        + f"It can adapt: {', '.join(names[:_LISTED])}{more}; all-linear is every one.",
    )


def merged(model: Any) -> Any:
    """The model without peft around it, its LoRA matrices folded into what they adapt.

    Raises:
        UserError: It has none.
    """
    if not is_adapted(model):
        raise UserError(
            "There is nothing to merge: this checkpoint has no LoRA matrices, and holds all its "
            "weights itself.",
            fix="use it as it is",
        )
    return model.merge_and_unload()


def continue_adapter(
    model: Any,
    config: ModelConfig,
    directory: Path,
    *,
    adapts: bool,
    unused: Iterable[str] = (),
) -> Any:
    """What is trained on of an adapter that was loaded: it as it is, or what it adapts with it
    merged in, every weight trained.

    Args:
        model: The PeftModel that was loaded.
        config: The ``model`` section.
        directory: Where it was loaded from.
        adapts: Whether the settings ask for an adapter.
        unused: Other settings that the adapter does not have, as they are typed.
    """
    if adapts:
        say_continued(model, config, directory, unused=unused)
        return model
    console.notice(f"The LoRA matrices in {directory} are merged into what they adapt.")
    return model.merge_and_unload().requires_grad_(True)


def say_continued(
    model: Any, config: ModelConfig, directory: Path, *, unused: Iterable[str] = ()
) -> None:
    """Tell that the matrices of an adapter are trained on, and what of the settings is not used.

    Args:
        model: The PeftModel that was loaded.
        config: The ``model`` section.
        directory: Where it was loaded from.
        unused: Other settings that it does not have, as they are typed.
    """
    lora = model.active_peft_config
    other = [
        f"model.{name}={asked}"
        for name, asked, held in (
            ("lora_r", config.lora_r, lora.r),
            ("lora_alpha", config.lora_alpha, lora.lora_alpha),
            ("lora_use_rslora", config.lora_use_rslora, lora.use_rslora),
            ("lora_use_dora", config.lora_use_dora, lora.use_dora),
            ("lora_target_modules", config.lora_target_modules, None),
        )
        if asked != held
    ]
    other += unused
    left = f" {', '.join(other)} would need new ones and is not used." if other else ""
    console.notice(
        f"Continuing the LoRA matrices in {directory}, of their own rank {lora.r} and alpha "
        f"{lora.lora_alpha}.{left}"
    )


def _pattern(paths: Sequence[str]) -> str:
    """One expression that matches exactly ``paths``, the numbers of like layers folded."""
    kinds: dict[str, list[str]] = {}
    for path in paths:
        numbers = re.findall(r"(?<=\.)\d+(?=\.)", path)
        kinds.setdefault(re.sub(r"(?<=\.)\d+(?=\.)", "#", path), []).append(".".join(numbers))
    expressions = []
    for kind, numbers in kinds.items():
        if kind.count("#") == 1:
            any_of = "(?:" + "|".join(numbers) + ")"
            expressions.append(re.escape(kind).replace(r"\#", any_of))
        else:
            own = [path for path in paths if re.sub(r"(?<=\.)\d+(?=\.)", "#", path) == kind]
            expressions += [re.escape(path) for path in own]
    return "(?:" + "|".join(expressions) + ")"
