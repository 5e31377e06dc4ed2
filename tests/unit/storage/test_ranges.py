"""A file of storage is read as a file of this machine is, to the byte.

The storage is fsspec's memory.
"""

from __future__ import annotations

import io
import random
import tarfile

import fsspec
import pytest

from mynah.errors import UserError
from mynah.storage import ranges
from mynah.storage.ranges import StoredFile, blocks_root
from mynah.storage.store import Patience, Store

CONTENT = random.Random(1).randbytes(10_000)


@pytest.fixture(autouse=True)
def memory(tmp_path, monkeypatch):
    monkeypatch.setenv("MYNAH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(ranges, "BLOCK", 1000)
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pipe({"/b/shard": CONTENT})
    yield system
    system.store.clear()


class Counted:
    """fsspec's memory, with how many bytes were read of it."""

    def __init__(self, system):
        self._system = system
        self.bytes = 0

    def __getattr__(self, name):
        return getattr(self._system, name)

    def cat_file(self, path, start=None, end=None):
        self.bytes += end - start
        return self._system.cat_file(path, start=start, end=end)


def opened(system):
    store = Store("memory://b", patience=Patience(()), connect=lambda: system)
    return io.BufferedReader(StoredFile(store, store.find("shard")), 64)


def test_reading_and_seeking_is_that_of_a_file(memory, tmp_path):
    (tmp_path / "shard").write_bytes(CONTENT)
    order = random.Random(2)
    with (tmp_path / "shard").open("rb") as here, opened(memory) as there:
        for _ in range(300):
            whence = order.choice([io.SEEK_SET, io.SEEK_END, io.SEEK_CUR])
            offset = order.randrange(-3000, 12_000)
            if whence == io.SEEK_SET or (whence == io.SEEK_END and offset < -10_000):
                offset = abs(offset)
            if whence == io.SEEK_CUR and here.tell() + offset < 0:
                continue
            assert here.seek(offset, whence) == there.seek(offset, whence)
            length = order.choice([-1, 0, 1, 512, 999, 1000, 1001, 5000])
            assert here.read(length) == there.read(length)


def test_a_second_pass_reads_nothing_over_the_network(memory):
    counted = Counted(memory)

    assert opened(counted).read() == CONTENT
    assert opened(counted).read() == CONTENT

    assert counted.bytes == len(CONTENT)


def test_a_block_that_was_altered_on_this_disk_is_read_again(memory):
    opened(memory).read()
    for block in blocks_root().glob("*/*"):
        content = bytearray(block.read_bytes())
        content[5] ^= 1
        block.write_bytes(content)

    assert opened(memory).read() == CONTENT


def test_only_what_is_read_is_fetched(memory):
    counted = Counted(memory)
    with opened(counted) as file:
        file.seek(5500)
        file.read(10)

    assert counted.bytes == 1000


def test_a_file_that_changed_after_it_was_listed_is_refused(memory):
    file = opened(memory)
    memory.pipe({"/b/shard": CONTENT[:-1]})

    with pytest.raises(UserError, match="changed while it was read"):
        file.read()


def test_the_blocks_that_were_written_longest_ago_go_first(memory, monkeypatch):
    monkeypatch.setenv("MYNAH_STORAGE_GIB", str(3100 / 2**30))
    monkeypatch.setattr(ranges, "_LOOKED_AFTER", 1)

    assert opened(memory).read() == CONTENT

    assert {block.name for block in blocks_root().glob("*/*")} == {"7", "8", "9"}


def test_a_tar_is_read_through_it_as_from_the_disk(memory, tmp_path):
    with tarfile.open(tmp_path / "shard.tar", "w") as tar:
        for number in range(40):
            info = tarfile.TarInfo(f"{number}.txt")
            info.size = number * 37
            tar.addfile(info, io.BytesIO(bytes([number]) * info.size))
    memory.pipe({"/b/shard": (tmp_path / "shard.tar").read_bytes()})

    with tarfile.open(fileobj=opened(memory), mode="r:") as tar:
        found = [(member.name, tar.extractfile(member).read()) for member in tar]

    assert found == [(f"{n}.txt", bytes([n]) * (n * 37)) for n in range(40)]
