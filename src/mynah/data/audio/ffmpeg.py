"""Audio in containers that libsndfile cannot read (m4a, mp4, webm, wma), by FFmpeg's libraries
as PyAV brings them (the extra ``ffmpeg``).

The demuxer is forced to the one that the file's own first bytes tell, and it reads from an open
file and nothing else, so that a file cannot send it elsewhere, as a playlist could.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from mynah.errors import UserError

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream


class FFmpegDecoder:
    """Samples of one audio track of a file in order, decoded as they are read.

    It always starts at the beginning: the seeking of these containers is not exact to the
    sample. A long recording of which many pieces are used is better converted to FLAC once.

    Channels are counted through all audio tracks of the file, as ``data.channels`` does: of two
    tracks of one channel each, channel 1 is the second track.

    Attributes:
        rate: Samples a second of the track.
        channels: How many there are in all tracks.
        first_channel: Number of the track's first one.
        frames: None: it is known only at the end.
    """

    frames: int | None = None

    def __init__(self, file: Path | str | bytes, demuxer: str, channel: int | None) -> None:
        """
        Args:
            file: A path, or the bytes of the file.
            demuxer: FFmpeg's name of the container.
            channel: Which channel is wanted, so that its track is read; None: that of the only
                track.

        Raises:
            ValueError: FFmpeg cannot decode the file, or it has several tracks and no channel
                is named.
            OSError: The file cannot be opened.
            UserError: PyAV is not installed.
        """
        try:
            import av
        except ImportError as problem:
            raise UserError(
                f"Recordings in this container ({demuxer}) need PyAV, which is not installed.",
                where="bytes in a table" if isinstance(file, bytes) else str(file),
                fix="pip install 'mynah-asr[ffmpeg]', or convert the recordings to FLAC",
            ) from problem
        self._content: IO[bytes] = (
            io.BytesIO(file) if isinstance(file, bytes) else Path(file).open("rb")  # noqa: SIM115
        )
        self._errors = (av.error.FFmpegError, ValueError)
        try:
            self._container = av.open(self._content, mode="r", format=demuxer)
            tracks = self._container.streams.audio
            sizes = [track.codec_context.channels for track in tracks]
            number = _track(sizes, channel)
            track = tracks[number]
            self.channels, self.first_channel = sum(sizes), sum(sizes[:number])
            self.rate = int(track.codec_context.sample_rate)
            self._width = sizes[number]
            self._blocks = _decoded(self._container.decode(track), track)
            self._held = np.empty((0, self._width), dtype=np.float32)
        except self._errors as problem:
            self._content.close()
            raise _error_of(problem) from problem
        except BaseException:
            self._content.close()
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
        """float32 [frames or fewer at the end, channels of the track].

        Raises:
            ValueError: It cannot be decoded any further.
        """
        parts, there = [self._held], len(self._held)
        try:
            while there < frames and (block := next(self._blocks, None)) is not None:
                parts.append(block)
                there += len(block)
        except self._errors as problem:
            raise _error_of(problem) from problem
        joined = np.concatenate(parts)
        self._held = joined[frames:]
        return joined[:frames]

    def close(self) -> None:
        """Free the decoder and close the file."""
        self._container.close()
        self._content.close()


def _track(sizes: list[int], channel: int | None) -> int:
    """Number of the track that a channel is on, of tracks with so many channels each."""
    if not sizes:
        raise ValueError("there is no sound in it")
    if channel is None:
        if len(sizes) > 1:
            raise ValueError(
                f"it has {len(sizes)} audio tracks, which are never mixed: data.channels=first "
                "takes the first, data.channels=split each, and a column channel in the listing "
                "names one (channels are counted through all tracks)"
            )
        return 0
    for number in range(len(sizes)):
        if channel < sum(sizes[: number + 1]):
            return number
    raise ValueError(f"it has no channel {channel}, only {sum(sizes)}")


def _decoded(frames: Iterator[AudioFrame], track: AudioStream) -> Iterator[np.ndarray]:
    """float32 [samples, channels] of each frame, whatever its sample format."""
    from av.audio.resampler import AudioResampler

    # Of the same layout and rate it only changes the format of each sample.
    to_float = AudioResampler(format="flt", layout=track.layout, rate=track.sample_rate)
    for frame in itertools.chain(frames, [None]):  # None: what is left in the resampler
        for made in to_float.resample(frame):
            yield made.to_ndarray().reshape(-1, track.codec_context.channels)


def _error_of(problem: Exception) -> ValueError:
    """What is wrong with the file, as part of a sentence."""
    import av

    if isinstance(problem, av.error.FFmpegError):
        return ValueError(f"FFmpeg cannot decode it: {problem.strerror or problem}")
    return problem if isinstance(problem, ValueError) else ValueError(str(problem))
