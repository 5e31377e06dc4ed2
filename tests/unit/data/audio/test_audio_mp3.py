"""MP3 files whose header does not tell their length, pieces of them, and joined ones: against
FFmpeg's decoder and against decoding straight on."""

import io

import numpy as np
import pytest
import soundfile
from data_helpers import field_case
from tiers import fast_where

from mynah.data.audio import files

av = pytest.importorskip("av")
RATES = [44100, 24000, 16000, 8000]  # MPEG-1, 2 and 2.5


def noisy(seconds, rate):
    """Sound whose every piece differs: a shift by one sample would be seen."""
    generator = np.random.default_rng(0)
    steps = np.cumsum(generator.uniform(100, 3000, round(seconds * rate)))
    loud = np.repeat(generator.uniform(0.01, 0.5, round(seconds * 4) + 1), rate // 4)
    return (loud[: len(steps)] * np.sin(2 * np.pi * steps / rate)).astype(np.float32)


def encoded(seconds, rate, mode="VARIABLE", level=0.5):
    held = io.BytesIO()
    with soundfile.SoundFile(
        held, "w", rate, 1, format="MP3", subtype="MPEG_LAYER_III",
        bitrate_mode=mode, compression_level=level,
    ) as file:  # fmt: skip
        file.write(noisy(seconds, rate))
    return held.getvalue()


def without_header(content):
    """The frames of an MP3 file but for the first, which tells their number."""
    assert b"Info" in content[:64] or b"Xing" in content[:64]
    second = content.index(content[:2], 48)
    while content[second + 2] & 0x0C != content[2] & 0x0C:
        second = content.index(content[:2], second + 1)
    return content[second:]


def by_ffmpeg(content):
    """float32 [samples] of an MP3 file, as FFmpeg decodes it."""
    with av.open(io.BytesIO(content), format="mp3") as container:
        found = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    return np.concatenate(found)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("mode", "level"), [("VARIABLE", 0.2), ("VARIABLE", 0.8), ("AVERAGE", 0.5),
                                             ("CONSTANT", 0.5), ("CONSTANT", 0.99)])  # fmt: skip
@pytest.mark.parametrize("picture", [0, 5000], ids=["bare", "with a cover picture"])
def test_all_frames_are_read_without_a_header_that_counts_them(rate, mode, level, picture):
    content = encoded(4.0, rate, mode, level)
    if b"Info" in content[:64] or b"Xing" in content[:64]:
        content = without_header(content)
    right = by_ffmpeg(content)
    if picture:
        size = bytes([0, 0, picture >> 7, picture & 0x7F])
        content = b"ID3\x04\0\0" + size + b"APIC".ljust(picture, b"\x01") + content
    sound = files.read(content, rate)
    assert 4.0 <= len(right) / rate < 4.2
    assert abs(len(sound) - len(right)) <= 1152  # FFmpeg may leave out the first frame
    late = len(sound) - len(right)
    assert np.allclose(sound[late:][3000:], right[3000:], atol=1e-4)
    assert files.inspect(content)[0] == len(sound) / rate


@pytest.mark.parametrize(
    ("rate", "mode", "level", "headed"),
    fast_where(
        lambda rate, mode, level, headed: rate in (44100, 16000) and (mode == "VARIABLE"),
        [
            (rate, mode, level, headed)
            for rate in RATES
            for mode, level in [("VARIABLE", 0.5), ("CONSTANT", 0.99)]
            for headed in (True, False)
        ],
    ),
)
def test_a_piece_is_that_stretch_from_its_first_sample(tmp_path, rate, mode, level, headed):
    content = encoded(30.0, rate, mode, level)
    if not headed and (b"Info" in content[:64] or b"Xing" in content[:64]):
        content = without_header(content)
    (tmp_path / "long").write_bytes(content)
    right = by_ffmpeg(content)
    late = len(files.read(content, rate)) - len(right)  # what FFmpeg leaves out at the beginning
    for start in np.random.default_rng(1).integers(3 * rate, 29 * rate, 6).tolist():
        piece = files.read(
            tmp_path / "long", rate, offset_seconds=start / rate, duration_seconds=2000 / rate
        )
        assert np.allclose(piece, right[start - late : start - late + 2000], atol=1e-4), start


def test_a_recording_of_several_blocks_has_no_seams():
    content = encoded(45.0, 16000, "CONSTANT", 0.99)  # 720,000 samples, 16 kbit a second
    sound, right = files.read(content, 16000), by_ffmpeg(content)
    assert len(sound) == len(right)
    assert np.allclose(sound[3000:], right[3000:], atol=1e-4)


@pytest.mark.parametrize("tag", [b"", b"TAG" + bytes(125), b"ID3\x04\0\0\0\0\0\x0a" + bytes(10)])
def test_joined_files_are_read_to_the_end(tag):
    content = encoded(2.0, 16000) + tag + encoded(1.5, 16000)
    assert 3.5 <= files.inspect(content)[0] < 3.75  # with the silence that encoders add


def test_the_cases_of_the_field_are_read_in_full():
    cases = field_case("audio_goes_on")
    assert 2.0 <= files.inspect(cases / "vbr_without_xing.mp3")[0] < 2.1
    assert 3.5 <= files.inspect(cases / "two_joined.mp3")[0] < 3.75


def test_a_file_with_a_header_is_as_long_as_what_was_written():
    for rate in RATES:
        assert files.inspect(encoded(3.0, rate))[0] == 3.0
