"""Headers that tell the wrong length, or none: files from pipes, files of 64 bits, files that go
on behind their end; and levels that are not sound."""

import io
import struct

import numpy as np
import pytest
import soundfile
from data_helpers import field_case, tone

from mynah.data.audio import files

RATE = 16000


def written(sound, **kind):
    held = io.BytesIO()
    soundfile.write(held, sound, RATE, **kind)
    return held.getvalue()


def wav(sound=None, size=None, kind="PCM_16"):
    """A WAV file whose header tells another size of its samples."""
    content = bytearray(written(tone(2.0) if sound is None else sound, format="WAV", subtype=kind))
    if size is not None:
        content[40:44] = struct.pack("<I", size)
    return bytes(content)


def wide(name):
    """A WAV file with sizes of 64 bits (EBU Tech 3306): ds64, fmt and data."""
    samples = (tone(2.0) * 32767).astype("<i2").tobytes()
    ds64 = struct.pack("<4sIQQQI", b"ds64", 28, 0, len(samples), len(samples) // 2, 0)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    data = struct.pack("<4sI", b"data", 0xFFFFFFFF) + samples
    return struct.pack("<4sI4s", name, 0xFFFFFFFF, b"WAVE") + ds64 + form + data


@pytest.mark.parametrize(
    "size",
    [0, 0x7FFFFFFF, 0x80000000, 0x8000002C, 0xFFFFFFFF, 0xFFFFF000, 64044, 64036],
    ids=hex,
)
def test_a_wav_file_from_a_pipe_is_read_to_its_end(size):
    content = wav(size=size)
    assert files.inspect(content)[0] == 2.0
    assert np.array_equal(files.read(content, RATE), files.read(wav(), RATE))


@pytest.mark.parametrize("size", [70000, 64001 + 44, 128000])
def test_a_wav_file_that_ends_too_soon_is_still_found_out(size):
    with pytest.raises(ValueError, match="cut short"):
        files.inspect(wav(size=size))


@pytest.mark.parametrize("name", [b"RF64", b"BW64"])
def test_wav_files_of_64_bits_are_read_and_known_to_be_cut_short(name):
    content = wide(name)
    assert files.inspect(content)[0] == 2.0
    assert np.allclose(files.read(content, RATE), tone(2.0), atol=1e-4)
    with pytest.raises(ValueError, match="cut short"):
        files.inspect(content[:-1000])


@pytest.mark.parametrize("kind", ["DOUBLE", "FLOAT", "PCM_32", "PCM_24"])
def test_samples_of_any_width_are_the_sound(kind):
    assert np.allclose(files.read(wav(kind=kind), RATE), tone(2.0), atol=1e-4)


def test_a_wave64_file_that_was_cut_short_is_found_out():
    content = written(tone(2.0), format="W64", subtype="PCM_16")
    assert files.inspect(content)[0] == 2.0
    with pytest.raises(ValueError, match="cut short"):
        files.inspect(content[:-1000])


def test_what_belongs_behind_the_samples_of_a_wav_file_is_no_more_sound():
    tags = b"LIST" + struct.pack("<I", 10000) + b"INFO" + bytes(9996)
    assert files.inspect(wav() + tags)[0] == 2.0
    assert files.inspect(wav() + bytes(4096))[0] == 2.0  # to the end of a block of a disk


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "AIFF"])
def test_two_joined_files_are_refused(form):
    two = written(tone(2.0), format=form) + written(tone(1.5, hertz=300), format=form)
    with pytest.raises(ValueError, match="goes on after the end"):
        files.inspect(two)


def test_a_header_that_tells_half_is_refused():
    with pytest.raises(ValueError, match="goes on after the end"):
        files.inspect(wav(sound=tone(2.0) + 0.01, size=32000))


def test_an_ogg_file_of_two_streams_that_begin_together_is_one_file():
    content = written(tone(2.0), format="OGG")
    pages = [b"OggS" + rest for rest in content.split(b"OggS")[1:]]
    assert pages[0][5] == 2
    other = bytearray(pages[0])
    other[14:18] = b"\1\2\3\4"  # of another stream, whose beginning comes before any sound
    from mynah.data.audio import containers

    joined = pages[0] + bytes(other) + b"".join(pages[1:])
    assert containers.goes_on(io.BytesIO(joined), len(joined)) is None


@pytest.mark.parametrize("form", ["FLAC"])
def test_a_flac_file_from_a_pipe_is_read_to_its_end(form):
    content = bytearray(written(tone(2.0), format=form, subtype="PCM_16"))
    right = files.read(bytes(content), RATE)
    content[21] &= 0xF0  # total samples, 36 bits of STREAMINFO: unknown
    content[22:26] = bytes(4)
    content = bytes(content)
    assert files.inspect(content)[0] == 2.0
    assert np.array_equal(files.read(content, RATE), right)
    piece = files.read(content, RATE, offset_seconds=0.5, duration_seconds=0.25)
    assert np.array_equal(piece, right[8000:12000])


def test_pieces_of_flac_behind_a_tag_are_that_stretch():
    content = written(np.random.default_rng(0).normal(0, 0.1, 3 * RATE), format="FLAC")
    right, _ = soundfile.read(io.BytesIO(content), dtype="float32")
    tagged = b"ID3\x04\0\0" + bytes([0, 0, 39, 8]) + bytes(39 * 128 + 8) + content
    assert files.inspect(tagged)[0] == 3.0
    piece = files.read(tagged, RATE, offset_seconds=1.5, duration_seconds=0.5)
    assert np.array_equal(piece, right[24000:32000])


@pytest.mark.parametrize(
    ("form", "kind"),
    [("WAV", "GSM610"), ("W64", "GSM610"), ("AU", "G721_32"), ("AU", "G723_24"),
     ("WAV", "NMS_ADPCM_16"), ("WAV", "IMA_ADPCM"), ("WAV", "MS_ADPCM"), ("AIFF", "DWVW_16")],
)  # fmt: skip
def test_pieces_of_what_cannot_be_sought_are_that_stretch(tmp_path, form, kind):
    file = tmp_path / "a"
    soundfile.write(file, tone(4.0, hertz=333), RATE, format=form, subtype=kind)
    right = tone(4.0, hertz=333)
    if kind != "DWVW_16":  # lossless, and soundfile fails at its end
        right, _ = soundfile.read(file, dtype="float32")
    for start in (1, 777, 30001):
        piece = files.read(file, RATE, offset_seconds=start / RATE, duration_seconds=3000 / RATE)
        assert np.allclose(piece, right[start : start + 3000], atol=1e-4), start


@pytest.mark.parametrize("loudest", [1e30, 32767.0, 40.0])
def test_integers_kept_as_floats_are_refused_with_their_peak(loudest):
    content = wav(tone(1.0) * 2 * loudest, kind="FLOAT")
    with pytest.raises(ValueError, match=r"samples reach [\d.,e+]+, where full scale is 1"):
        files.inspect(content)


def test_floats_somewhat_above_full_scale_are_sound():
    assert files.inspect(wav(tone(1.0) * 8, kind="FLOAT"))[0] == 1.0


def test_channels_that_cancel_each_other_are_refused_and_one_is_read():
    content = wav(np.stack([tone(1.0), -tone(1.0)], axis=1))
    with pytest.raises(ValueError, match=r"2 channels cancel each other.*data\.channels=first"):
        files.inspect(content)
    assert files.inspect(content, channel=0)[0] == 1.0
    quiet = wav(np.stack([tone(1.0), -0.9 * tone(1.0)], axis=1))
    assert files.inspect(quiet)[0] == 1.0
    assert files.inspect(wav(np.zeros((RATE, 2), np.float32)))[0] == 1.0  # silence is that


def test_the_cases_of_the_field_are_two_seconds_or_refused_with_the_reason():
    cases = field_case("audio_refused")
    for name in ("arecord_pipe_80000000.wav", "size_44_too_large.wav", "size_zero.wav"):
        assert files.inspect(cases / name)[0] == 2.0, name
    assert files.inspect(cases / "flac_from_a_pipe.flac")[0] == 2.0
    whole = files.read(cases / "gsm.wav", 8000)
    piece = files.read(cases / "gsm.wav", 8000, offset_seconds=1.0, duration_seconds=0.5)
    assert np.array_equal(piece, whole[8000:12000])
    for name in ("header_says_half.wav", "two_joined.opus"):
        with pytest.raises(ValueError, match="goes on after the end"):
            files.inspect(field_case("audio_goes_on") / name)
    with pytest.raises(ValueError, match="channels cancel"):
        files.inspect(field_case("audio_odd_level") / "antiphase.wav")
    with pytest.raises(ValueError, match="samples reach"):
        files.inspect(field_case("audio_odd_level") / "int16_in_floats.wav")
    for name in ("two.mp4", "two.webm"):
        with pytest.raises(ValueError, match=r"2 audio tracks.*data\.channels=first"):
            files.inspect(field_case("two_tracks") / name)


@pytest.mark.parametrize("codec", ["shorten", "wavpack"])
def test_a_compressed_sphere_file_names_the_compression_and_what_decodes_it(codec):
    coding = f"pcm,embedded-{codec}-v2.00"
    fields = (
        f"channel_count -i 1\nsample_count -i 8000\nsample_rate -i {RATE}\nsample_n_bytes -i 2\n"
    )
    head = f"NIST_1A\n   1024\n{fields}sample_coding -s{len(coding)} {coding}\nend_head\n"
    with pytest.raises(ValueError, match=rf"compressed with {codec}.*sph2pipe"):
        files.inspect(head.encode().ljust(1024) + bytes(range(256)) * 30)
