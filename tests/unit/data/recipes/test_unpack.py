"""Archives that are not what they should be, and those that are."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mynah.data.recipes.installing import unpack as unpacking
from mynah.data.recipes.installing.unpack import DamagedArchiveError, UnsafeArchiveError, unpack


def _file(name: str, content: bytes = b"sound") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.mtime = len(content), 1_000_000_000
    return info, content


def _entry(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def _tar(path: Path, *entries: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as tar:
        for info, content in (_file("corpus/one.wav"), *entries):
            tar.addfile(info, io.BytesIO(content))
    return path


def _zip(path: Path, *names: str, mode: int = 0o100644) -> Path:
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("corpus/one.wav", "sound")
        for name in names:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            opened.writestr(info, "sound")
    return path


def _below(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz", "w"])
def test_a_tar_archive_is_unpacked_with_its_times(tmp_path: Path, mode: str):
    archive = _tar(tmp_path / "a", _file("corpus/deep/two.wav", b"more"), mode=mode)
    assert unpack(archive, tmp_path / "to", "corpus") == 2
    assert _below(tmp_path / "to") == {"corpus/one.wav": b"sound", "corpus/deep/two.wav": b"more"}
    assert (tmp_path / "to/corpus/one.wav").stat().st_mtime == 1_000_000_000


def test_a_file_that_its_packer_kept_to_himself_can_be_read(tmp_path: Path):
    info, content = _file("corpus/two.wav")
    info.mode = 0
    unpack(_tar(tmp_path / "a", (info, content)), tmp_path / "to", "corpus")
    assert (tmp_path / "to/corpus/two.wav").stat().st_mode & 0o777 == 0o644


def test_a_zip_archive_is_unpacked(tmp_path: Path):
    archive = _zip(tmp_path / "a.zip", "corpus/two.wav")
    assert unpack(archive, tmp_path / "to", "corpus") == 2
    assert set(_below(tmp_path / "to")) == {"corpus/one.wav", "corpus/two.wav"}


def test_two_archives_of_one_tree_are_merged(tmp_path: Path):
    first = _tar(tmp_path / "a", _file("corpus/README", b"a"), _file("corpus/x/1.wav"))
    second = _tar(tmp_path / "b", _file("corpus/README", b"b"), _file("corpus/y/2.wav"))
    unpack(first, tmp_path / "to", "corpus/x")
    unpack(second, tmp_path / "to", "corpus/y")
    assert set(_below(tmp_path / "to")) == {
        *("corpus/README", "corpus/one.wav", "corpus/x/1.wav", "corpus/y/2.wav")
    }


_OUTSIDE = [
    _file("../outside.wav"),
    _file("corpus/../../outside.wav"),
    _file("/tmp/outside.wav"),
    _file("corpus\\..\\..\\outside.wav"),
    _file("C:/outside.wav"),
    _entry("corpus/link", tarfile.SYMTYPE, "/etc/passwd"),
    _entry("corpus/link", tarfile.SYMTYPE, "../../outside"),
    _entry("corpus/link", tarfile.SYMTYPE, "deep/../../../outside"),
    _entry("corpus/link", tarfile.SYMTYPE, "deep/../one.wav"),  # wherever deep may lead later
    _entry("corpus/link", tarfile.SYMTYPE, "..\\..\\outside"),
    _entry("corpus/link", tarfile.LNKTYPE, "/etc/passwd"),
    _entry("corpus/link", tarfile.LNKTYPE, "corpus/one.wav"),
    _entry("corpus/pipe", tarfile.FIFOTYPE),
    _entry("corpus/null", tarfile.CHRTYPE),
]


@pytest.mark.parametrize(
    "entry", _OUTSIDE, ids=lambda entry: f"{entry[0].name} {entry[0].linkname}"
)
def test_a_tar_archive_that_would_write_outside_is_refused(tmp_path: Path, entry):
    archive = _tar(tmp_path / "a", entry)
    with pytest.raises(UnsafeArchiveError, match="refused"):
        unpack(archive, tmp_path / "to", "corpus")
    assert {path.name for path in tmp_path.rglob("*")} == {"a", "to"}


def test_nothing_is_written_through_a_link_that_the_archive_brought(tmp_path: Path):
    inside = _entry("corpus/link", tarfile.SYMTYPE, "one.wav")
    for name in ("corpus/link", "corpus/link/two.wav"):
        with pytest.raises(UnsafeArchiveError, match="through a link"):
            unpack(_tar(tmp_path / "a", inside, _file(name)), tmp_path / "to", "corpus")


def test_a_link_that_stays_inside_is_made(tmp_path: Path):
    link = _entry("corpus/deep/link.wav", tarfile.SYMTYPE, "../one.wav")
    unpack(_tar(tmp_path / "a", link), tmp_path / "to", "corpus")
    assert (tmp_path / "to/corpus/deep/link.wav").read_bytes() == b"sound"


@pytest.mark.parametrize(
    "name",
    ["../outside.wav", "/outside.wav", "corpus/../../outside.wav", "corpus\\..\\outside.wav"],
)
def test_a_zip_archive_that_would_write_outside_is_refused(tmp_path: Path, name: str):
    with pytest.raises(UnsafeArchiveError, match="leads outside"):
        unpack(_zip(tmp_path / "a.zip", name), tmp_path / "to", "corpus")
    assert {path.name for path in tmp_path.rglob("*")} == {"a.zip", "to"}


def test_a_link_in_a_zip_archive_is_refused(tmp_path: Path):
    with pytest.raises(UnsafeArchiveError, match="link"):
        unpack(_zip(tmp_path / "a.zip", "corpus/link", mode=0o120777), tmp_path / "to", "corpus")


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_an_archive_that_grows_beyond_all_measure_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
):
    monkeypatch.setattr(unpacking, "_ALWAYS_ALLOWED_BYTES", 1000)
    zeros = bytes(3_000_000)
    if kind == "tar":
        archive = _tar(tmp_path / "a", _file("corpus/zeros.wav", zeros))
    else:
        archive = tmp_path / "a.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
            opened.writestr("corpus/zeros.wav", zeros)
    with pytest.raises(UnsafeArchiveError, match="more than 20 times its size"):
        unpack(archive, tmp_path / "to", "corpus")
    assert _below(tmp_path / "to") == {}


def test_a_name_with_a_file_for_a_folder_is_an_error_with_a_name(tmp_path: Path):
    archive = _tar(tmp_path / "a", _file("corpus/one.wav/two.wav"))
    with pytest.raises(DamagedArchiveError, match="cannot be unpacked"):
        unpack(archive, tmp_path / "to", "corpus")


def test_an_archive_of_something_else_is_refused(tmp_path: Path):
    with pytest.raises(DamagedArchiveError, match="does not hold LibriSpeech/dev-clean"):
        unpack(_tar(tmp_path / "a"), tmp_path / "to", "LibriSpeech/dev-clean")
    assert _below(tmp_path / "to") == {}


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.99])
def test_an_archive_that_is_cut_short_leaves_nothing(tmp_path: Path, share: float, kind: str):
    many = [f"corpus/{number}.wav" for number in range(200)]
    if kind == "tar":
        archive = _tar(tmp_path / "a", *(_file(name, name.encode() * 50) for name in many))
    else:
        archive = _zip(tmp_path / "a", *many)
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DamagedArchiveError, match="cannot be unpacked"):
        unpack(archive, tmp_path / "to", "corpus")
    assert list((tmp_path / "to").iterdir()) == []


@pytest.fixture(scope="module")
def good_archives(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("good")
    many = [_file(f"corpus/{number}.wav", bytes([number]) * 99) for number in range(9)]
    tars = [_tar(folder / "a", *many, mode=mode) for mode in ("w", "w:gz", "w:bz2")]
    return [path.read_bytes() for path in [*tars[:1], _zip(folder / "z", "corpus/2.wav")]]


@given(data=st.data())
def test_no_altered_byte_ends_in_anything_but_a_message(
    data: st.DataObject, good_archives: list[bytes], tmp_path_factory: pytest.TempPathFactory
):
    content = bytearray(data.draw(st.sampled_from(good_archives)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("altered")
    (folder / "a").write_bytes(content)
    try:
        unpack(folder / "a", folder / "to", "corpus")
    except (DamagedArchiveError, UnsafeArchiveError):
        assert list((folder / "to").iterdir()) == []
    assert {path.name for path in folder.iterdir()} == {"a", "to"}
