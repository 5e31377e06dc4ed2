"""Which process this one is, as its launcher says it in the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass

from mynah.errors import UserError

PLANNED = "MYNAH_PLANNED_RANKS"
# A thread of each process says that it lives, however slow its work is: who is silent is gone.
SILENCE_SECONDS = 45.0
_LAUNCHED_SECONDS = 300.0
_LAUNCHERS = ("TORCHELASTIC_RUN_ID", "SLURM_PROCID", "MYNAH_LAUNCHED")
_LAUNCH = "start the processes with torchrun, srun or accelerate launch, which set it"


def number(name: str, default: int) -> int:
    """A number from the environment.

    Raises:
        UserError: It is not a number.
    """
    text = os.environ.get(name, "").strip() or str(default)
    if not text.isdecimal():
        raise UserError(
            f"{name}={text} is not a number.",
            where=f"environment variable {name}",
            fix=f"{_LAUNCH}; to train with one process: unset RANK WORLD_SIZE LOCAL_RANK",
        )
    return int(text)


@dataclass(frozen=True)
class Ranks:
    """The processes of a training.

    Attributes:
        rank: Which of them this one is, from 0.
        size: How many there are.
        host: Where the first one is.
        port: Where it waits for the others.
        restart: How often the launcher has started them again.
        hosted: Whether the launcher itself waits there, as torchrun does.
        launched: Whether a launcher has started all of them, and sees to it that they run.
    """

    rank: int
    size: int
    host: str
    port: int
    restart: int = 0
    hosted: bool = False
    launched: bool = False

    @property
    def place(self) -> str:
        """Where they meet, as HOST:PORT."""
        return f"{self.host}:{self.port}"

    @property
    def patience_seconds(self) -> float:
        """The longest wait for the others at the start. What a launcher has started comes, late
        from a slow disk; of one that was to be started by hand nobody knows."""
        return _LAUNCHED_SECONDS if self.launched or self.hosted else SILENCE_SECONDS

    @classmethod
    def of_environment(cls) -> Ranks:
        """What the launcher has set.

        Raises:
            UserError: Something is missing, or is not possible.
        """
        missing = [name for name in ("MASTER_ADDR", "MASTER_PORT") if not os.environ.get(name)]
        if missing:
            raise UserError(
                f"{' and '.join(missing)} of a training with several processes: not set.",
                where="environment",
                fix=f"{_LAUNCH}; by hand: MASTER_ADDR is the host of rank 0, MASTER_PORT a free "
                "port there",
            )
        rank, size = number("RANK", 0), number("WORLD_SIZE", 1)
        if rank >= size:
            raise UserError(
                f"RANK={rank} is not one of the {size} processes of WORLD_SIZE={size}.",
                where="environment variables RANK and WORLD_SIZE",
                fix=f"ranks are counted from 0: the last of {size} is RANK={size - 1}",
            )
        hosted = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
        return cls(
            rank,
            size,
            os.environ["MASTER_ADDR"],
            number("MASTER_PORT", 0),
            number("TORCHELASTIC_RESTART_COUNT", 0),
            hosted,
            launched=any(name in os.environ for name in _LAUNCHERS),
        )
