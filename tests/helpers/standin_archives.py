"""Archives in the layout of the real ones, with a few tones for recordings."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import io
import tarfile
import zipfile

import numpy as np
import pytest
import soundfile
from archive_server import Server

from mynah.data.recipes import find_recipe
from mynah.data.recipes.installing.recipe import Checksum

_RATE = 16000


def recording(kind: str, seconds: float = 1.0) -> bytes:
    """A tone, encoded: ``WAV``, ``FLAC`` or ``NIST``."""
    times = np.arange(round(seconds * _RATE)) / _RATE
    made = io.BytesIO()
    soundfile.write(made, 0.3 * np.sin(2 * np.pi * 300 * times), _RATE, format=kind)
    return made.getvalue()


def tar(files: dict[str, bytes], compression: str = "gz") -> bytes:
    """A tar archive of these files."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=f"w:{compression}") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


def librispeech(part: str) -> bytes:
    """One part, with the files that every part has beside it."""
    chapter = f"LibriSpeech/{part}/1088/134315"
    lines = [f"1088-134315-{number:04d} HELLO THERE {number}" for number in range(3)]
    files = {"LibriSpeech/README.TXT": part.encode(), "LibriSpeech/LICENSE.TXT": b"CC BY 4.0"}
    files[f"{chapter}/1088-134315.trans.txt"] = "\n".join(lines).encode()
    for number in range(3):
        files[f"{chapter}/1088-134315-{number:04d}.flac"] = recording("FLAC")
    return tar(files)


def an4() -> bytes:
    """Two training utterances and one for testing."""
    return tar(
        {
            "an4/LICENSE": b"any use",
            "an4/etc/an4_train.fileids": b"an4_clstk/fash/an251-fash-b\n"
            b"an4_clstk/fash/an253-fash-b\n",
            "an4/etc/an4_train.transcription": b"<s> YES </s> (an251-fash-b)\n"
            b"<s> GO </s> (an253-fash-b)\n",
            "an4/etc/an4_test.fileids": b"an4test_clstk/fcaw/an406-fcaw-b\n",
            "an4/etc/an4_test.transcription": b"RUBOUT (an406-fcaw-b)\n",
            "an4/wav/an4_clstk/fash/an251-fash-b.sph": recording("NIST"),
            "an4/wav/an4_clstk/fash/an253-fash-b.sph": recording("NIST"),
            "an4/wav/an4test_clstk/fcaw/an406-fcaw-b.sph": recording("NIST"),
        }
    )


def ljspeech() -> bytes:
    """Twelve sentences of one reader."""
    names = [f"LJ001-{number:04d}" for number in range(1, 13)]
    lines = [f"{name}|It has 3 words|It has three words" for name in names]
    files = {
        "LJSpeech-1.1/README": b"public domain",
        "LJSpeech-1.1/metadata.csv": "\n".join(lines).encode(),
    }
    files |= {f"LJSpeech-1.1/wavs/{name}.wav": recording("WAV") for name in names}
    return tar(files, "bz2")


def speechocean762() -> bytes:
    """Two speakers, as Kaldi data directories."""
    files = {"speechocean762/README.md": b"free"}
    for split, speaker in (("train", "0001"), ("test", "0003")):
        name = f"0{speaker}0011"
        folder, audio = f"speechocean762/{split}", f"WAVE/SPEAKER{speaker}/{name}.WAV"
        files[f"{folder}/text"] = f"{name}\tWE CALL IT BEAR\n".encode()
        files[f"{folder}/wav.scp"] = f"{name}\t{audio}\n".encode()
        files[f"{folder}/utt2spk"] = f"{name}\t{speaker}\n".encode()
        files[f"{folder}/spk2utt"] = f"{speaker}\t{name}\n".encode()
        files[f"speechocean762/{audio}"] = recording("WAV")
    return tar(files)


def musan() -> bytes:
    """One noise."""
    return tar({"musan/noise/free-sound/noise-free-sound-0000.wav": recording("WAV")})


def rirs_noises() -> bytes:
    """One simulated room."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        name = "RIRS_NOISES/simulated_rirs/smallroom/Room001/Room001-00001.wav"
        archive.writestr(name, recording("WAV", 0.3))
    return made.getvalue()


def publish(
    server: Server, monkeypatch: pytest.MonkeyPatch, name: str, parts: dict[str, bytes]
) -> str:
    """Put stand-ins of a recipe's archives on a server, their checksums and sizes into the recipe.

    Returns:
        The server's address.
    """
    recipe = find_recipe(name)
    changed = []
    for archive in recipe.archives:
        content = parts.get(archive.part)
        if content is not None:
            server.put(f"/{archive.file_name}", content)
            digest = hashlib.new(archive.checksum.algorithm if archive.checksum else "md5")
            digest.update(content)
            published = archive.checksum and Checksum(digest.name, digest.hexdigest())
            archive = dataclasses.replace(
                archive, checksum=published, size_bytes=len(content), unpacked_bytes=100_000
            )
        changed.append(archive)
    made = dataclasses.replace(recipe, archives=tuple(changed))
    monkeypatch.setattr(importlib.import_module(f"mynah.data.recipes.{name}"), "RECIPE", made)
    return server.address
