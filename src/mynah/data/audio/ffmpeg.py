"""Audio in containers that libsndfile cannot read (m4a, mp4, webm, wma), through the
``ffmpeg`` executable.

It is started with a fixed list of arguments and no shell; the demuxer is forced to the one
that the file's own first bytes tell, and only the protocols ``file`` and ``pipe`` are
allowed, so that a file cannot send it elsewhere, as a playlist could.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO

import numpy as np

_WAV_FLOAT = 3
_WAV_EXTENSIBLE = 0xFFFE


class FFmpegDecoder:
    """Samples of a file in order, decoded as they are read.

    It always starts at the beginning: the seeking of these containers is not exact to the
    sample. A long recording of which many pieces are used is better converted to FLAC once.

    Attributes:
        rate: Samples a second.
        channels: How many there are.
        frames: None: it is known only at the end.
    """

    frames: int | None = None

    def __init__(self, file: Path | str | bytes, demuxer: str) -> None:
        """
        Args:
            file: A path, or the bytes of the file, which are written to a temporary one.
            demuxer: FFmpeg's name of the container.

        Raises:
            ValueError: FFmpeg is not there, or cannot decode the file.
        """
        executable = shutil.which("ffmpeg")
        if executable is None:
            raise ValueError(
                f"this container ({demuxer}) needs FFmpeg, which is not installed: install it "
                "(apt install ffmpeg, brew install ffmpeg, winget install ffmpeg), or convert "
                "the recordings to FLAC on a machine that has it"
            )
        self._temporary: Path | None = None
        if isinstance(file, bytes):
            descriptor, name = tempfile.mkstemp(suffix=".audio")
            with os.fdopen(descriptor, "wb") as written:
                written.write(file)
            file = self._temporary = Path(name)
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the decoder
        self._process = subprocess.Popen(
            [
                executable, "-nostdin", "-hide_banner", "-v", "error",
                "-protocol_whitelist", "file,pipe", "-f", demuxer,
                "-i", f"file:{Path(file).absolute()}",
                "-map", "0:a:0", "-map_metadata", "-1", "-bitexact",
                "-c:a", "pcm_f32le", "-f", "wav", "pipe:1",
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._complaints,
        )  # fmt: skip
        assert self._process.stdout is not None
        self._pipe: IO[bytes] = self._process.stdout
        try:
            self.channels, self.rate = self._header()
        except BaseException:
            self.close()
            raise

    def skip(self, frames: int) -> int:
        """Leave out the next frames; how many there were."""
        left = frames
        while left > 0:
            got = len(self.read(min(left, 1 << 18)))
            if not got:
                break
            left -= got
        return frames - left

    def read(self, frames: int) -> np.ndarray:
        """float32 [frames or fewer at the end, channels].

        Raises:
            ValueError: The decoder stopped with an error.
        """
        width = 4 * self.channels
        content = self._pipe.read(frames * width)
        if len(content) < frames * width:
            self._check_end()
        whole = content[: len(content) // width * width]
        return np.frombuffer(whole, dtype="<f4").reshape(-1, self.channels)

    def close(self) -> None:
        """End the process and remove what was written."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._pipe.close()
        self._complaints.close()
        if self._temporary is not None:
            with contextlib.suppress(OSError):
                self._temporary.unlink()

    def _header(self) -> tuple[int, int]:
        """Channels and rate, from the WAV header that comes first."""
        if self._pipe.read(12)[8:12] == b"WAVE":
            found: tuple[int, int] | None = None
            while len(chunk := self._pipe.read(8)) == 8:
                if chunk[:4] == b"data" and found:
                    return found
                content = self._pipe.read(int.from_bytes(chunk[4:8], "little"))
                if chunk[:4] == b"fmt " and len(content) >= 16:
                    kind = int.from_bytes(content[:2], "little")
                    if kind in (_WAV_FLOAT, _WAV_EXTENSIBLE):
                        found = (
                            int.from_bytes(content[2:4], "little"),
                            int.from_bytes(content[4:8], "little"),
                        )
        self._check_end()
        raise ValueError("FFmpeg finds no sound in it")

    def _check_end(self) -> None:
        """
        Raises:
            ValueError: The process ended with an error.
        """
        status = self._process.wait()
        self._complaints.seek(0)
        complaint = self._complaints.read().decode("utf-8", "replace").strip()
        # A file that is cut short is decoded to its end, with a complaint and status 0.
        if status != 0 or complaint:
            line = (complaint.splitlines() or [f"status {status}"])[0]
            raise ValueError(f"FFmpeg cannot decode it: {line[:200]}")
