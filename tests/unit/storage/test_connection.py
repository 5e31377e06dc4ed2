"""File systems of fsspec neither wait nor try again by themselves; what is set wrongly is named."""

from __future__ import annotations

import time

import fsspec
import pytest

from mynah.errors import UserError
from mynah.storage.connection import connected
from mynah.storage.store import Patience, Store


@pytest.fixture
def options(monkeypatch):
    """What fsspec is asked for."""
    asked = {}

    class Made:
        def _request(self):
            raise AssertionError("none is made")

    def filesystem(scheme, **named):
        asked.update(named, scheme=scheme)
        return Made()

    monkeypatch.setattr(fsspec, "filesystem", filesystem)
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "STORAGE_EMULATOR_HOST"):
        monkeypatch.delenv(name, raising=False)
    return asked


def test_of_google_no_server_of_its_machines_is_waited_for(options):
    pytest.importorskip("gcsfs")
    connected("gs://bucket/x")
    assert options["token"] == "google_default"


@pytest.mark.parametrize("name", ["gs", "gcs"])
def test_credentials_that_fsspec_was_given_are_used(options, monkeypatch, name):
    pytest.importorskip("gcsfs")
    monkeypatch.setitem(fsspec.config.conf, name, {"token": "anon"})
    connected("gs://bucket/x")
    assert "token" not in options


def test_gcsfs_tries_nothing_again_by_itself(monkeypatch):
    gcsfs = pytest.importorskip("gcsfs")
    monkeypatch.setitem(fsspec.config.conf, "gcs", {"token": "anon"})
    system = connected("gs://bucket/x")
    assert system._request.__func__ is gcsfs.GCSFileSystem._request.__wrapped__
    assert system.requests_timeout.sock_connect == 10


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
@pytest.mark.parametrize("typed", ["nonsense", "localhost:9000", "http://", "s3://host"])
def test_an_endpoint_that_names_no_server_is_refused(options, monkeypatch, name, typed):
    pytest.importorskip("s3fs")
    monkeypatch.setenv(name, typed)
    with pytest.raises(UserError, match="is not the address of a server") as problem:
        Store("s3://bucket/x").list()
    assert problem.value.where == name and not options


def test_a_profile_that_is_not_there_is_named(monkeypatch, tmp_path):
    pytest.importorskip("s3fs")
    monkeypatch.setenv("AWS_PROFILE", "nope")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with pytest.raises(UserError, match=r"no profile of that name.*nope") as problem:
        Store("s3://bucket/x").list()
    assert "list-profiles" in problem.value.fix


def test_a_server_that_takes_long_to_fail_is_not_asked_as_often(capsys):
    asked = []

    class Slow:
        def info(self, path):
            asked.append(path)
            time.sleep(0.02)
            raise TimeoutError

    store = Store("s3://bucket/x", patience=Patience((0.0,) * 100, seconds=0.05), connect=Slow)
    with pytest.raises(UserError, match="does not answer as it should"):
        store.find()
    assert 2 <= len(asked) <= 4


def test_it_is_said_once_that_a_server_is_asked_again(monkeypatch, capsys):
    monkeypatch.setattr("mynah.storage.store.time.sleep", lambda seconds: None)

    class Gone:
        def info(self, path):
            raise ConnectionResetError

    with pytest.raises(UserError):
        Store("s3://bucket/x", connect=Gone).find()
    said = capsys.readouterr()
    assert (said.out + said.err).count("s3://bucket/x does not answer as it should") == 1
