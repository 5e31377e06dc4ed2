"""Where takes come from: a sound device, or files that stand for one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mynah.data.audio import files
from mynah.errors import UserError

LONGEST_RECORDING_SECONDS = 60.0  # of a take; whoever forgets to stop it loses no more


class Microphone(Protocol):
    """What records a take.

    Attributes:
        name: What it is called.
    """

    name: str

    def record(self, rate: int, wait: Callable[[], None]) -> np.ndarray:
        """Record until ``wait`` comes back.

        Args:
            rate: Hertz.
            wait: Called while it records; comes back when the take is to end.

        Returns:
            float32 [samples] of full scale 1.

        Raises:
            UserError: Nothing can be recorded.
        """


class SoundDevice:
    """A sound device of this machine.

    Args:
        device: Its name, a part of it, or its number; None: the system's default.

    Raises:
        UserError: There is none, or what reads it is not installed.
    """

    def __init__(self, device: str | None) -> None:
        self._library = _library()
        self._device = int(device) if device is not None and device.isdecimal() else device
        try:
            found = self._library.query_devices(self._device, "input")
        except (ValueError, self._library.PortAudioError) as problem:
            raise UserError(
                f"There is no such microphone: {str(problem).splitlines()[0]}.",
                where=f"--device {device or 'default'}",
                fix="mynah record --list-devices",
            ) from None
        self.name = str(found["name"])

    def record(self, rate: int, wait: Callable[[], None]) -> np.ndarray:
        blocks: list[np.ndarray] = []
        held = threading.Lock()
        most = round(LONGEST_RECORDING_SECONDS * rate)

        def take(block: np.ndarray, frames: int, time: object, status: object) -> None:
            with held:
                if sum(map(len, blocks)) < most:
                    blocks.append(block[:, 0].copy())

        try:
            with self._library.InputStream(
                samplerate=rate, channels=1, dtype="float32", device=self._device, callback=take
            ):
                wait()
        except self._library.PortAudioError as problem:
            raise UserError(
                f"The microphone cannot be read: {str(problem).splitlines()[0]}.",
                where=self.name,
                fix="close programs that use it, or name another: mynah record --list-devices",
            ) from None
        return np.concatenate(blocks)[:most] if blocks else np.zeros(0, dtype=np.float32)


class FileMicrophone:
    """Recordings that stand for a microphone: each take is the next one.

    Args:
        path: A recording, which is every take, or a folder of them, in the order of their names.

    Raises:
        UserError: There are none.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        found = [path]
        if path.is_dir():
            found = sorted(
                one for one in path.iterdir() if one.suffix.lower() in files.AUDIO_SUFFIXES
            )
        if not found:
            raise UserError("There are no recordings in this folder.", where=f"--device {path}")
        self._files = found
        self._taken = 0

    def record(self, rate: int, wait: Callable[[], None]) -> np.ndarray:
        wait()
        file = self._files[self._taken % len(self._files)]
        self._taken += 1
        try:
            return files.read(file, rate)[: round(LONGEST_RECORDING_SECONDS * rate)]
        except (ValueError, OSError) as problem:
            raise UserError(f"This cannot be read: {problem}.", where=str(file)) from None


def find_microphone(device: str | None) -> Microphone:
    """The microphone that is meant: a device, or a path of recordings.

    Raises:
        UserError: There is none.
    """
    if device is not None and Path(device).expanduser().exists():
        return FileMicrophone(Path(device).expanduser())
    return SoundDevice(device)


def listed_devices() -> list[str]:
    """The microphones of this machine, a line each, their numbers first.

    Raises:
        UserError: What reads them is not installed.
    """
    found = _library().query_devices()
    return [
        f"{number:3}  {one['name']}"
        for number, one in enumerate(found)
        if one["max_input_channels"] > 0
    ]


def _library() -> Any:
    try:
        import sounddevice
    except ImportError:
        raise UserError(
            "Recording needs a package that is not installed: sounddevice.",
            fix='pip install "mynah-asr[record]"',
        ) from None
    except OSError:  # its wheel for Linux brings no PortAudio along
        raise UserError(
            "Recording needs the system's library PortAudio.",
            fix="sudo apt install libportaudio2  (or portaudio of another system)",
        ) from None
    return sounddevice
