"""``mynah data download``: from a server to a corpus that its source opens."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
import standin_archives
from archive_server import Server

from mynah.cli.main import main
from mynah.cli.shared.settings import read_settings
from mynah.data.preparation.prepare import prepare
from mynah.data.recipes import RECIPES, find_recipe
from mynah.data.recipes.installing import fetch, install

MINI = ("train-clean-5", "dev-clean-2")


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, server: Server):
    """Puts stand-ins of a recipe's archives on the server, checksums and all."""

    def put(name: str, parts: dict[str, bytes]) -> str:
        return standin_archives.publish(server, monkeypatch, name, parts)

    return put


@pytest.fixture
def mini(stand_in) -> str:
    """Mini LibriSpeech on the server."""
    return stand_in("mini_librispeech", {part: standin_archives.librispeech(part) for part in MINI})


def _download(name: str, directory: Path, mirror: str, *more: str) -> int:
    return main(["data", "download", name, "--to", str(directory), "--mirror", mirror, *more])


def _below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def _next(said: str) -> list[str]:
    (command,) = [line.removeprefix("Next: ") for line in said.splitlines() if "Next: " in line]
    return shlex.split(command)


CORPORA = {
    "mini_librispeech": {part: standin_archives.librispeech(part) for part in MINI},
    "librispeech": {
        part: standin_archives.librispeech(part) for part in ("train-clean-100", "dev-clean")
    },
    "an4": {"all": standin_archives.an4()},
    "ljspeech": {"all": standin_archives.ljspeech()},
    "speechocean762": {"all": standin_archives.speechocean762()},
}


@pytest.mark.parametrize("name", CORPORA)
def test_the_next_command_opens_what_was_downloaded(
    name: str, stand_in, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    mirror = stand_in(name, CORPORA[name])
    parts = ",".join(CORPORA[name])
    assert _download(name, tmp_path / "my corpora", mirror, "--parts", parts) == 0
    said = capsys.readouterr().out
    assert find_recipe(name).licence in said
    first, action, *settings = _next(said)
    assert (first, action) == ("mynah", "train")
    data = read_settings([*settings, "data.num_proc=1"], "mynah train").config.data
    data.dataset_cache_dir = str(tmp_path / "cache")
    prepared = prepare(data, offline=True, working_directory=tmp_path)
    assert prepared.train and all(prepared.train.texts)
    assert sum(map(len, prepared.evaluation.values())) > 0
    for account in prepared.report["splits"].values():
        assert not account["dropped"]


def test_parts_to_measure_on_alone_are_for_an_evaluation(
    mini: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert _download("mini_librispeech", tmp_path, mini, "--parts", "dev-clean-2") == 0
    assert _next(capsys.readouterr().out)[:3] == ["mynah", "eval", "outputs/model"]


@pytest.mark.parametrize(
    ("name", "content", "folder"),
    [
        ("musan", standin_archives.musan(), "musan/noise"),
        ("rirs_noises", standin_archives.rirs_noises(), "RIRS_NOISES/simulated_rirs"),
    ],
)
def test_the_next_command_uses_the_noises_and_rooms_that_were_downloaded(
    name: str, content: bytes, folder: str, stand_in, tmp_path: Path, capsys
):
    assert _download(name, tmp_path, stand_in(name, {"all": content})) == 0
    _, _, *settings = _next(capsys.readouterr().out)
    assert any(str(tmp_path / folder) in word for word in settings)
    assert any((tmp_path / folder).rglob("*.wav"))
    read_settings(settings, "mynah train")


def test_a_second_call_does_nothing_and_says_so(
    mini: str, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert _download("mini_librispeech", tmp_path, mini) == 0
    before, asked = _below(tmp_path), len(server.asked)
    assert not any(name.endswith(".tar.gz") for name in before)
    capsys.readouterr()
    assert _download("mini_librispeech", tmp_path, mini) == 0
    said = capsys.readouterr().out
    assert "LibriSpeech/train-clean-5 is there: nothing to do" in said
    assert "Next: mynah train" in said
    assert (_below(tmp_path), len(server.asked)) == (before, asked)


def test_a_second_part_joins_the_first(mini: str, server: Server, tmp_path: Path):
    for part in MINI:
        assert _download("mini_librispeech", tmp_path, mini, "--parts", part) == 0
    assert {path.name for path in (tmp_path / "LibriSpeech").iterdir()} == {
        *MINI,
        "README.TXT",
        "LICENSE.TXT",
    }
    assert len(server.asked) == 2


def test_archives_are_kept_where_that_is_asked_for(mini: str, tmp_path: Path):
    assert _download("mini_librispeech", tmp_path, mini, "--keep-archives") == 0
    assert {f"{part}.tar.gz" for part in MINI} <= _below(tmp_path)


def test_a_checksum_other_than_the_published_one_is_refused(
    mini: str, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    held = server.files["/dev-clean-2.tar.gz"]
    held.content = held.content[:-1] + b"?"
    assert _download("mini_librispeech", tmp_path, mini, "--parts", "dev-clean-2") == 2
    assert "as published" in capsys.readouterr().err
    assert not (tmp_path / "LibriSpeech").exists()


def test_a_checksum_that_is_not_published_is_recorded_and_compared_afterwards(
    stand_in, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    mirror = stand_in("an4", {"all": standin_archives.an4()})
    assert _download("an4", tmp_path, mirror) == 0
    kept = json.loads((tmp_path / "mynah-downloads.json").read_text())["archives"]
    content = server.files["/an4_sphere.tar.gz"].content
    assert kept["an4/an4_sphere.tar.gz"]["checksum"] == (
        f"sha256:{hashlib.sha256(content).hexdigest()}"
    )
    shutil.rmtree(tmp_path / "an4")
    server.put("/an4_sphere.tar.gz", standin_archives.tar({"an4/etc/evil": b""}))
    capsys.readouterr()
    assert _download("an4", tmp_path, mirror) == 2
    assert "as when it was first downloaded here" in capsys.readouterr().err
    assert not (tmp_path / "an4").exists()
    server.put("/an4_sphere.tar.gz", content)
    assert _download("an4", tmp_path, mirror) == 0


def test_a_damaged_archive_is_not_what_later_ones_are_compared_to(
    stand_in, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    full = standin_archives.an4()
    mirror = stand_in("an4", {"all": full[:-100]})
    assert _download("an4", tmp_path, mirror) == 2
    assert "cannot be unpacked" in capsys.readouterr().err
    server.put("/an4_sphere.tar.gz", full)
    assert _download("an4", tmp_path, mirror) == 0


def test_an_archive_that_leads_outside_is_refused(
    stand_in, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    evil = standin_archives.tar({"an4/etc/a": b"", "../../outside": b"x"})
    assert _download("an4", tmp_path / "deep" / "to", stand_in("an4", {"all": evil})) == 2
    assert "'../../outside' leads outside" in capsys.readouterr().err
    assert not any("outside" in name for name in _below(tmp_path))
    assert not (tmp_path / "deep/to/an4").exists()
    assert not (tmp_path / "deep/to/an4_sphere.tar.gz").exists()


def test_ctrl_c_keeps_what_has_come_and_the_same_command_resumes(
    mini: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    def interrupt(response, sink, advance):
        sink.write(response.read(500))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fetch, "_copy", interrupt)
        assert _download("mini_librispeech", tmp_path, mini, "--parts", "dev-clean-2") == 130
    assert "the same command resumes" in capsys.readouterr().out
    assert _download("mini_librispeech", tmp_path, mini, "--parts", "dev-clean-2") == 0
    assert server.asked[-1][1] == "bytes=500-"
    assert (tmp_path / "LibriSpeech/dev-clean-2").is_dir()


@pytest.mark.parametrize("after", ["before its move", "after its move"])
def test_an_interrupted_unpacking_is_done_again(
    stand_in, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: str
):
    mirror = stand_in("an4", {"all": standin_archives.an4()})
    from mynah.data.recipes.installing import unpack

    merge = unpack._merge

    def interrupted(source: Path, target: Path) -> None:
        if after == "after its move":
            merge(source, target)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(unpack, "_merge", interrupted)
        assert _download("an4", tmp_path, mirror) == 130
    assert _download("an4", tmp_path, mirror) == 0
    assert len(server.asked) == 1
    assert (tmp_path / "an4/etc/an4_train.fileids").is_file()
    assert not any("unpacking" in name for name in _below(tmp_path))
    assert not (tmp_path / "an4_sphere.tar.gz").exists()


def test_a_folder_that_is_somebody_elses_is_left_alone(
    mini: str, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "LibriSpeech/dev-clean-2").mkdir(parents=True)
    assert _download("mini_librispeech", tmp_path, mini) == 2
    assert "not from this command" in capsys.readouterr().err
    assert server.asked == []


def test_too_little_space_is_said_before_anything_is_fetched(
    mini: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    usage = namedtuple("usage", "total used free")(10, 10, 20_000)
    monkeypatch.setattr(install.shutil, "disk_usage", lambda _: usage)
    assert _download("mini_librispeech", tmp_path, mini) == 2
    message = capsys.readouterr().err
    assert "are needed, 20 kB are free" in message
    assert "--parts" in message
    assert server.asked == []


def test_offline_an_archive_that_was_put_there_by_hand_is_used_and_kept(
    mini: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    arguments = ["mini_librispeech", tmp_path, mini, "--parts", "dev-clean-2"]
    assert _download(*arguments) == 2
    assert "the network must not be used" in capsys.readouterr().err
    file = tmp_path / "dev-clean-2.tar.gz"
    file.write_bytes(b"something else")
    assert _download(*arguments) == 2
    assert "as published" in capsys.readouterr().err
    file.write_bytes(server.files["/dev-clean-2.tar.gz"].content)
    assert _download(*arguments) == 0
    assert (tmp_path / "LibriSpeech/dev-clean-2").is_dir()
    assert file.exists()
    assert server.asked == []


def test_two_downloads_do_not_work_in_one_folder(mini: str, tmp_path: Path, capsys):
    import filelock

    with filelock.FileLock(tmp_path / ".mynah-downloads.lock"):
        assert _download("mini_librispeech", tmp_path, mini) == 2
    assert "Another download works in this folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["mini_libri", "--to", "x"], "fix:   mynah data download mini_librispeech --to DIR"),
        (["librispeech"], "fix:   mynah data download librispeech --to corpora"),
        (["librispeech", "--to", "x", "--parts", "dev-cleen"], "fix:   --parts dev-clean"),
        ([], "fix:   mynah data download --list"),
    ],
)
def test_a_mistyped_command_is_answered_with_the_right_one(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
):
    assert main(["data", "download", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_all_corpora_are_listed_with_size_and_licence(capsys: pytest.CaptureFixture[str]):
    assert main(["data", "download", "--list"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in RECIPES.own)
    assert main(["data", "download", "librispeech", "--list"]) == 0
    said = capsys.readouterr().out
    assert "train-other-500" in said and "CC BY 4.0" in said and "md5" in said


@pytest.mark.parametrize("name", RECIPES.own)
def test_every_recipe_is_complete(name: str):
    recipe = find_recipe(name)
    assert recipe.name == name
    for archive in recipe.archives:
        assert archive.urls[0].startswith("https://")
        assert all(url.endswith(f"/{archive.file_name}") for url in archive.urls)
        assert archive.size_is_exact or archive.checksum is None
        if archive.checksum:
            length = {"md5": 32, "sha256": 64}[archive.checksum.algorithm]
            assert len(bytes.fromhex(archive.checksum.digest)) * 2 == length
