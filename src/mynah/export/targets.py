"""The layouts there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mynah.errors import UserError
from mynah.export.ctranslate2 import CTranslate2
from mynah.export.ggml import Ggml
from mynah.export.lora import Lora
from mynah.export.onnx import Onnx
from mynah.export.safetensors import Safetensors
from mynah.export.sherpa.ctc import SherpaOnnx

if TYPE_CHECKING:
    from mynah.export.target import Target

TARGETS: dict[str, Target] = {
    one.name: one for one in (CTranslate2(), Ggml(), Onnx(), SherpaOnnx(), Safetensors(), Lora())
}


def chosen(name: str) -> Target:
    """The layout of a name.

    Raises:
        UserError: There is none.
    """
    if name not in TARGETS:
        raise UserError(
            f"There is no layout {name!r}; there are: {', '.join(TARGETS)}.",
            where=f"--to {name}",
            fix=f"--to {next(iter(TARGETS))}",
        )
    return TARGETS[name]
