"""Where files say that they end: sphere headers from paper, MP4 and Matroska as FFmpeg has them."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest
from test_audio_ffmpeg import RATE, sweep, write

from mynah.data.audio import containers, files

SAMPLES = 16_000


def sphere(
    *, count: int = SAMPLES, width: int = 2, channels: int | None = None, coding: str | None = "pcm"
) -> bytes:
    """A sphere file as NIST's documentation has it: 1,024 bytes of header, then samples."""
    fields = [f"sample_count -i {count}", f"sample_n_bytes -i {width}", "sample_rate -i 16000"]
    fields += [f"channel_count -i {channels}"] if channels else []
    fields += [f"sample_coding -s{len(coding)} {coding}"] if coding else []
    fields += ["sample_byte_format -s2 01"] if width == 2 else []
    head = "\n".join(["NIST_1A", "   1024", *fields, "end_head", ""]).encode().ljust(1024)
    return head + bytes(range(1, 251)) * (count * width * (channels or 1) // 250)


def ends(content: bytes) -> tuple[str | None, str | None]:
    """What is said of a file that is too short, and of one that is too long."""
    file = io.BytesIO(content)
    return containers.cut_short(file, len(content)), containers.goes_on(file, len(content))


@pytest.mark.parametrize(
    ("about", "size"),
    [
        ({}, 1024 + 32_000),
        ({"coding": None}, 1024 + 32_000),
        ({"channels": 2}, 1024 + 64_000),
        ({"width": 1, "coding": "ulaw", "channels": 1}, 1024 + 16_000),
    ],
    ids=["pcm", "no coding named", "two channels", "u-law"],
)
def test_a_sphere_file_ends_where_its_number_of_samples_says(about, size):
    content = sphere(**about)
    assert len(content) == size and ends(content) == (None, None)
    short, _ = ends(content[:-1])
    assert short == f"it is cut short: {size - 1:,} of {size:,} bytes are there"
    assert ends(content + bytes(4096)) == (None, None)  # what a writer may have filled up
    _, joined = ends(content + content)
    assert joined is not None and "it goes on after the end that its header tells" in joined


def test_a_sphere_file_that_does_not_say_how_long_it_is_is_believed():
    content = sphere().replace(b"sample_count -i 16000", b"database_id -s4 test ")
    assert ends(content) == (None, None) == ends(content[:-100])


def test_a_sphere_file_is_read_by_its_header(tmp_path):
    content = sphere(channels=1)
    (tmp_path / "a.sph").write_bytes(content)
    sound = files.read(tmp_path / "a.sph", RATE)
    assert np.array_equal(np.frombuffer(content[1024:], "<i2") / 32768, sound)


@pytest.mark.parametrize(
    ("name", "codec", "rate", "form"),
    [("a.m4a", "aac", 44_100, "fltp"), ("a.mp4", "alac", 44_100, "s16p"),
     ("a.mka", "pcm_s16le", RATE, "s16"), ("a.webm", "libopus", 48_000, "fltp")],
)  # fmt: skip
def test_mp4_and_matroska_end_with_their_last_part(tmp_path, name, codec, rate, form):
    sound = sweep(1.0, rate=rate)
    planes = (sound * 32767).astype(np.int16) if form == "s16" else sound
    content = write(tmp_path / name, codec, planes, rate=rate, form=form).read_bytes()
    size = len(content)
    assert ends(content) == (None, None)
    assert ends(content[:-1])[0] == f"it is cut short: {size - 1:,} of {size:,} bytes are there"
    other = write(tmp_path / f"b{name}", codec, planes[::-1].copy(), rate=rate, form=form)
    _, joined = ends(content + other.read_bytes())
    assert joined is not None and "files were joined to it" in joined


@pytest.mark.parametrize(
    "samples", [SAMPLES, SAMPLES - 1]
)  # an odd count of bytes ends with one more
def test_a_tag_behind_a_wav_file_is_not_a_second_one(samples):
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(1)
        writer.setframerate(RATE)
        writer.writeframes(bytes(range(256)) * (SAMPLES // 256) + b"\1" * (samples % 256))
    picture = b"\xff\xd8" * 25_000  # id3.org, ID3v2.4.0, 3.1: seven bits of the size a byte
    tag = b"ID3\4\0\0" + bytes([0, 3, 6, 80]) + picture
    assert ends(file.getvalue() + tag) == (None, None)
    assert ends(file.getvalue() + tag + file.getvalue())[1] is not None
    assert ends(file.getvalue() + picture)[1] is not None
