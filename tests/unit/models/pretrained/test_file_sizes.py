"""Files that claim what no disk holds are refused by their sizes, and none of them is read."""

import json
import os
import struct
import time

import pytest

from mynah.checkpoints import commit
from mynah.errors import UserError
from mynah.files import read_json
from mynah.models.pretrained import hub
from mynah.models.pretrained.file_sizes import holes, oversized
from mynah.models.pretrained.part import PretrainedName
from mynah.models.pretrained.weight_files import damage
from mynah.runs.directory import SUMS, is_complete

TERABYTE = 2**40


def terabyte(path):
    """A safetensors file whose list and size agree, and which takes a few kilobytes."""
    entry = {"dtype": "F32", "shape": [TERABYTE // 4], "data_offsets": [0, TERABYTE]}
    header = json.dumps({"lm_head.weight": entry}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    os.truncate(path, 8 + len(header) + TERABYTE)


@pytest.fixture
def checkpoint(tmp_path):
    folder = tmp_path / "checkpoint-1"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / SUMS).write_text(f"{'0' * 64}  config.json\n")
    return folder


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "tokenizer.json"])
def test_a_terabyte_that_takes_no_disk_is_refused_unread(name, checkpoint):
    terabyte(checkpoint / name)
    began = time.process_time()
    with pytest.raises(UserError, match="has 1,099,511,") as problem:
        commit.verify(checkpoint)
    assert name in problem.value.what
    assert time.process_time() - began < 1


@pytest.mark.timeout(20)
def test_nor_is_it_read_in_a_folder_that_is_named_as_a_model(checkpoint):
    terabyte(checkpoint / "model.safetensors")
    assert damage(checkpoint / "model.safetensors") is None  # by its list alone it is intact
    asked = PretrainedName(name=str(checkpoint), offline=True, setting="model.pretrained")
    with pytest.raises(UserError, match="are holes") as problem:
        hub.resolve(asked)
    assert problem.value.where == "model.pretrained"


@pytest.mark.timeout(20)
def test_sums_and_records_of_a_terabyte_are_not_read(checkpoint):
    os.truncate(checkpoint / SUMS, TERABYTE)
    os.truncate(checkpoint / "config.json", TERABYTE)
    assert not is_complete(checkpoint)
    assert read_json(checkpoint / "config.json") == {}
    with pytest.raises(UserError, match="has 1,099,511,627,776 bytes"):
        commit.verify(checkpoint)


def test_the_room_for_the_next_checkpoint_is_not_that_of_a_terabyte_of_holes(checkpoint):
    terabyte(checkpoint / "optimizer.safetensors")
    (checkpoint / "model.safetensors").write_bytes(b"0" * 100_000)
    assert 100_000 <= commit.size_bytes(checkpoint) < 200_000


def test_a_few_zeros_that_a_copy_left_out_are_accepted(checkpoint):
    path = checkpoint / "model.safetensors"
    with path.open("wb") as file:
        file.write(os.urandom(2**20))
        file.seek(2**21)
        file.write(os.urandom(2**20))
    assert holes(path) in (0, 2**20)  # a file system need not tell
    assert oversized(checkpoint) is None


def test_bytes_behind_the_last_weight_are_damage(tmp_path):
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"0000")
    assert damage(path) is None
    path.write_bytes(path.read_bytes() + b"00")
    assert damage(path) == "has 2 bytes behind its last weight"
