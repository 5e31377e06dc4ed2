"""The parts of the day, in order: what is worth most first, what may take long last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gpu_day_parts import families, machine, memory, resuming, speed
from gpu_day_parts.context import Context
from gpu_day_parts.lines import Lines


@dataclass(frozen=True)
class Part:
    """One part.

    Attributes:
        name: By which it is asked for.
        act: What it does, in a process of its own.
    """

    name: str
    act: Callable[[Context, Lines], None]

    @property
    def what(self) -> str:
        """What it is about, in a sentence."""
        return " ".join((self.act.__doc__ or "").split("\n\n")[0].split())


PARTS = (
    Part("machine", machine.machine),
    Part("models", machine.write_models),
    Part("families", families.families),
    Part("utilisation", speed.utilisation),
    Part("resume", resuming.resuming),
    Part("pinned", memory.pinned),
    Part("split", memory.splitting),
    Part("auto", memory.batch_size),
    Part("ctc", speed.ctc_decoding),
    Part("whisper", speed.whisper_decoding),
    Part("loader", speed.loader),
    Part("compile", speed.compiling),
)
# By its own switch: a box without a network has no bitsandbytes, which is as large as all the rest.
FOUR_BITS = (Part("models", machine.write_models), Part("4bit", memory.four_bits))


def named(name: str) -> Part:
    """The part of a name."""
    return next(part for part in (*PARTS, *FOUR_BITS) if part.name == name)
