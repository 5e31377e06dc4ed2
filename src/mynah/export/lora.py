"""LoRA matrices alone, in the layout that vLLM and peft serve beside their base.

vLLM reads ``adapter_config.json`` and ``adapter_model.safetensors`` (vllm/lora/peft_helper.py and
vllm/lora/utils.py): matrices of one rank, scaled alike, and nothing else that was trained.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mynah.errors import UserError
from mynah.export.target import Sample, Target
from mynah.export.whisper import greedy_in_window, is_whisper
from mynah.files import read_json, write_json

if TYPE_CHECKING:
    import torch

    from mynah.models.family import Family

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_PREFIX = "base_model.model."

_USAGE = """
import json

from vllm import LLM
from vllm.lora.request import LoRARequest

about = json.load(open("adapter_config.json"))
model = LLM(about["base_model_name_or_path"], enable_lora=True, max_lora_rank=about["r"])
tuned = LoRARequest("tuned", 1, ".")  # model.generate(..., lora_request=tuned)
"""


class Lora(Target):
    """The matrices of a model that was adapted, without the base's weights."""

    name: ClassVar[str] = "lora"
    about: ClassVar[str] = "LoRA matrices alone, for vLLM and peft"
    dtypes: ClassVar[tuple[str, ...]] = ("float32", "bfloat16", "float16")
    exact: ClassVar[frozenset[str]] = frozenset({"float32"})
    usage: ClassVar[str] = _USAGE
    keeps_adapters: ClassVar[bool] = True

    def check(self, family: Family) -> None:
        config = _config(family)
        if config is None:
            raise UserError(
                f"{self.name} holds LoRA matrices, and this model has none.",
                where=f"--to {self.name}",
                fix="--to safetensors",
            )
        named = {
            "DoRA": config.use_dora,
            "biases": config.bias != "none" or config.lora_bias,
            f"{', '.join(config.modules_to_save or ())} trained in full": config.modules_to_save,
            "matrices of several ranks": config.rank_pattern or config.alpha_pattern,
        }
        if found := [what for what, held in named.items() if held]:
            raise UserError(
                f"vLLM serves no adapter with {' and '.join(found)}.",
                where=f"--to {self.name}",
                fix="--to safetensors, or mynah merge: both fold it into its base",
            )

    def plain(self, family: Family) -> Family:
        # What serves a Whisper's adapter pads recordings to its window.
        return greedy_in_window(family) if is_whisper(family) else family

    def write(self, family: Family, folder: Path, dtype: str) -> None:
        import torch
        from peft import get_peft_model_state_dict
        from safetensors.torch import save_file

        config = _config(family)
        assert config is not None
        held = get_peft_model_state_dict(family.model, save_embedding_layers=False)
        kind = getattr(torch, dtype)
        save_file(
            {name: one.detach().to("cpu", kind).contiguous() for name, one in held.items()},
            folder / WEIGHTS,
            metadata={"format": "pt"},
        )
        written = {
            "peft_type": "LORA", "task_type": None, "inference_mode": True,
            "base_model_name_or_path": config.base_model_name_or_path,
            "revision": config.revision, "r": config.r, "lora_alpha": config.lora_alpha,
            "lora_dropout": 0.0, "use_rslora": config.use_rslora, "use_dora": False,
            "bias": "none", "modules_to_save": None, "fan_in_fan_out": False,
            # Full paths: a last part alone would name layers that were not adapted.
            "target_modules": sorted({_path(name) for name in held}),
        }  # fmt: skip
        write_json(folder / CONFIG, written, indent=2)

    def graph(self, family: Family, folder: Path, samples: Sequence[Sample]) -> list[str] | None:
        """Transcripts of the base with what the files alone say added to it."""
        from mynah.models.transcript import Clip

        adapted = family.model
        family.model = with_files(copy.deepcopy(adapted).unload(), folder)
        try:
            return [
                family.transcribe([Clip(one.audio, one.language, one.context)])[0].text
                for one in samples
            ]
        finally:
            family.model = adapted


def with_files(base: Any, folder: Path) -> Any:
    """A model with the matrices of an adapter's files added to its weights, as a server does: of
    each layer W + s B A, where s is alpha / r, with rsLoRA alpha / sqrt(r)."""
    config = read_json(folder / CONFIG)
    rank = config["r"]
    scale = config["lora_alpha"] / (math.sqrt(rank) if config["use_rslora"] else rank)
    modules = dict(base.named_modules())
    for path, first, second in _matrices(folder / WEIGHTS):
        weight = modules[path].weight
        weight.data += (scale * second.float() @ first.float()).to(weight)
    return base


def _matrices(file: Path) -> Iterator[tuple[str, torch.Tensor, torch.Tensor]]:
    from safetensors.torch import load_file

    held = load_file(file)
    for path in sorted({_path(name) for name in held}):
        first, second = (held[f"{_PREFIX}{path}.lora_{one}.weight"] for one in "AB")
        yield path, first, second


def _path(name: str) -> str:
    """The layer of a matrix: ``base_model.model.PATH.lora_A.weight``."""
    return name.removeprefix(_PREFIX).rsplit(".", 2)[0]


def _config(family: Family) -> Any:
    """The adapter's configuration; None where there is none, or several."""
    configs = getattr(family.model, "peft_config", {})
    return next(iter(configs.values())) if len(configs) == 1 else None
