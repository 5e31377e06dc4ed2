"""Downloading one file from servers that break in every way they do."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path

import numpy as np
import pytest
from archive_server import Server

from mynah.data.recipes.installing import fetch as fetching
from mynah.errors import UserError

CONTENT = np.random.default_rng(0).bytes(700_000)
SHA = hashlib.sha256(CONTENT).hexdigest()


def _wrong(path: Path) -> str | None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    return None if found == SHA else "its checksum is another"


def _fetch(target: Path, *urls: str, is_verified: bool = True, size: int | None = None) -> str:
    return fetching.download(
        urls, target, size_bytes=size, is_verified=is_verified, find_mistake=_wrong
    )


def _assert_complete(target: Path) -> None:
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_a_download_that_is_cut_resumes_from_there(server: Server, tmp_path: Path):
    server.put("/a.tar.gz", CONTENT, cuts=[300_000, 100_000])
    _fetch(tmp_path / "a.tar.gz", f"{server.address}/a.tar.gz")
    _assert_complete(tmp_path / "a.tar.gz")
    ranges = [wanted for _, wanted, _ in server.asked]
    assert ranges == [None, "bytes=300000-", "bytes=400000-"]
    assert server.asked[1][2] == '"one"'


def test_a_later_command_resumes_where_an_interrupted_one_stopped(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    server.put("/a", CONTENT)
    monkeypatch.setattr(fetching, "_READ_BYTES", 100_000)
    came = 0

    def interrupt(response, sink, advance):
        nonlocal came
        for _ in range(2):
            came += sink.write(response.read(100_000))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fetching, "_copy", interrupt)
        with pytest.raises(KeyboardInterrupt):
            _fetch(tmp_path / "a", f"{server.address}/a", is_verified=False)
    assert (tmp_path / "a.part").stat().st_size == 200_000
    _fetch(tmp_path / "a", f"{server.address}/a", is_verified=False)
    _assert_complete(tmp_path / "a")
    assert server.asked[-1] == ("/a", "bytes=200000-", '"one"')


def test_a_silent_server_is_not_waited_for_without_end(server: Server, tmp_path: Path):
    server.put("/a", CONTENT, cuts=[300_000], stalls=True)
    _fetch(tmp_path / "a", f"{server.address}/a")
    _assert_complete(tmp_path / "a")
    assert server.asked[1][1] == "bytes=300000-"


def test_a_server_that_cannot_resume_in_the_middle_begins_again(server: Server, tmp_path: Path):
    server.put("/a", CONTENT, cuts=[300_000], resumes=False)
    _fetch(tmp_path / "a", f"{server.address}/a")
    _assert_complete(tmp_path / "a")
    assert len(server.asked) == 2


def test_a_file_that_changed_meanwhile_is_fetched_from_the_start(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "a.part").write_bytes(b"x" * 1000)
    fetching._write_note(tmp_path / "a.part", f"{server.address}/a", '"old"')
    server.put("/a", CONTENT)
    _fetch(tmp_path / "a", f"{server.address}/a", is_verified=False)
    _assert_complete(tmp_path / "a")
    assert server.asked == [("/a", "bytes=1000-", '"old"')]
    assert "starts again" in capsys.readouterr().out


def test_a_piece_of_unknown_origin_is_not_gone_on_with(server: Server, tmp_path: Path):
    (tmp_path / "a.part").write_bytes(b"x" * 1000)
    server.put("/a", CONTENT, tag=None)
    _fetch(tmp_path / "a", f"{server.address}/a", is_verified=False)
    _assert_complete(tmp_path / "a")
    assert server.asked == [("/a", None, None)]


def test_pieces_that_do_not_fit_are_found_by_the_checksum_and_fetched_again(
    server: Server, tmp_path: Path
):
    (tmp_path / "a.part").write_bytes(b"x" * 1000)
    server.put("/a", CONTENT, tag=None)
    _fetch(tmp_path / "a", f"{server.address}/a")
    _assert_complete(tmp_path / "a")
    assert [wanted for _, wanted, _ in server.asked] == ["bytes=1000-", None]


def test_a_piece_is_completed_from_another_mirror_where_the_checksum_is_known(
    server: Server, tmp_path: Path
):
    server.put("/first", CONTENT, cuts=[300_000, 0, 0, 0, 0, 0], tag='"first"')
    server.put("/second", CONTENT, tag='"second"')
    gave = _fetch(tmp_path / "a", f"{server.address}/first", f"{server.address}/second")
    assert gave == f"{server.address}/second"
    _assert_complete(tmp_path / "a")
    assert server.asked[-1] == ("/second", "bytes=300000-", None)


def test_all_that_is_left_out_of_a_full_piece_is_its_name(server: Server, tmp_path: Path):
    (tmp_path / "a.part").write_bytes(CONTENT)
    server.put("/a", CONTENT)
    _fetch(tmp_path / "a", f"{server.address}/a")  # answered by 416: nothing is left
    _assert_complete(tmp_path / "a")


def test_a_piece_longer_than_the_servers_file_is_thrown_away(server: Server, tmp_path: Path):
    (tmp_path / "a.part").write_bytes(CONTENT + b"more")
    server.put("/a", CONTENT)
    _fetch(tmp_path / "a", f"{server.address}/a")
    _assert_complete(tmp_path / "a")
    assert [wanted for _, wanted, _ in server.asked] == ["bytes=700004-", None]


@pytest.mark.parametrize(
    "broken",
    [
        {"status": 404},
        {"status": 403},
        {"status": 503},
        {"content": CONTENT[:-1] + b"?"},
        {"content": b"<html>please log in</html>", "kind": "text/html"},
        {"content": CONTENT + b"longer"},
    ],
)
def test_a_mirror_without_the_file_gives_way_to_the_next(
    server: Server, tmp_path: Path, broken: dict
):
    server.put("/first", **broken)
    server.put("/second", CONTENT)
    urls = [f"{server.address}/{name}" for name in ("first", "second")]
    assert _fetch(tmp_path / "a", *urls, size=len(CONTENT)) == urls[1]
    _assert_complete(tmp_path / "a")


def test_a_dead_server_gives_way_to_the_next(server: Server, tmp_path: Path):
    server.put("/a", CONTENT)
    _fetch(tmp_path / "a", "http://127.0.0.1:9/a", f"{server.address}/a")
    _assert_complete(tmp_path / "a")


def test_bytes_from_elsewhere_than_asked_are_refused(server: Server, tmp_path: Path):
    (tmp_path / "a.part").write_bytes(CONTENT[:1000])
    server.put("/a", CONTENT, shift=10)
    with pytest.raises(UserError) as caught:
        _fetch(tmp_path / "a", f"{server.address}/a")
    assert "asked for the bytes from 1000" in str(caught.value)


def test_every_mirror_is_named_with_its_reason_when_none_gives_the_file(
    server: Server, tmp_path: Path
):
    server.put("/wrong", b"something else")
    with pytest.raises(UserError) as caught:
        _fetch(tmp_path / "a", f"{server.address}/none", f"{server.address}/wrong")
    message = str(caught.value)
    assert f"{server.address}/none: the server says 404" in message
    assert f"{server.address}/wrong: its checksum is another" in message
    assert not (tmp_path / "a").exists() and not (tmp_path / "a.part").exists()


def test_what_a_server_sends_on_to_is_fetched(server: Server, tmp_path: Path):
    server.put("/a", status=302, location=f"{server.address}/b")
    server.put("/b", CONTENT, cuts=[300_000])
    _fetch(tmp_path / "a", f"{server.address}/a")
    _assert_complete(tmp_path / "a")
    assert server.asked[-1][:2] == ("/b", "bytes=300000-")


def test_only_http_is_fetched_from(server: Server, tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_bytes(CONTENT)
    with pytest.raises(UserError, match="could not be downloaded"):
        _fetch(tmp_path / "a", secret.as_uri())
    server.put("/a", status=302, location=secret.as_uri())
    with pytest.raises(UserError, match="could not be downloaded"):
        _fetch(tmp_path / "a", f"{server.address}/a")


def test_https_is_not_left_for_http(tmp_path: Path):
    import urllib.request

    asked = urllib.request.Request("https://corpora.example/a")
    with pytest.raises(fetching._RefusedError, match="from https to http:"):
        fetching._Redirects().redirect_request(asked, None, 302, "", {}, "http://other.example/a")


def test_a_proxy_is_asked_where_one_is_set(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    server.put("/a", CONTENT)
    monkeypatch.setenv("http_proxy", server.address)
    _fetch(tmp_path / "a", "http://corpora.example/a")
    _assert_complete(tmp_path / "a")
    assert server.asked == [("http://corpora.example/a", None, None)]


def test_a_full_disk_is_said_and_what_has_come_is_kept(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    server.put("/a", CONTENT)

    def fill(response, sink, advance):
        sink.write(response.read(1000))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fetching, "_copy", fill)
    with pytest.raises(UserError, match="The disk is full; 1,000 bytes of a are kept"):
        _fetch(tmp_path / "a", f"{server.address}/a")
    assert (tmp_path / "a.part").read_bytes() == CONTENT[:1000]
