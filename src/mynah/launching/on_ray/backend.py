"""What Ray Train sets up for our processes: the GPUs of a node, seen by all of them there."""

from __future__ import annotations

from ray.train.backend import Backend, BackendConfig


class _Backend(Backend):  # type: ignore[misc]
    # As torchrun has it: a process finds its own GPU by LOCAL_RANK.
    share_cuda_visible_devices = True


class OwnProcesses(BackendConfig):  # type: ignore[misc]
    """Nothing but that: our processes find each other by themselves."""

    backend = "none"  # or TorchTrainer would choose one

    @property
    def backend_cls(self) -> type[Backend]:
        return _Backend
