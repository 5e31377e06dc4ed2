"""The seam to storage, on fsspec's memory file system, which no bucket is needed for."""

from __future__ import annotations

import fsspec
import pytest

from mynah.errors import UserError
from mynah.storage.store import Entry, Patience, Store

QUICK = Patience((0.0, 0.0, 0.0))


class Faulty:
    """A file system of which some requests fail before they succeed.

    Args:
        faults: What the coming requests meet, in order.
    """

    def __init__(self, *faults):
        self.faults = list(faults)
        self.made = 0
        self._system = fsspec.filesystem("memory")

    def connect(self):
        self.made += 1
        return self

    def __getattr__(self, name):
        asked = getattr(self._system, name)
        if name == "_strip_protocol":
            return asked

        def request(*arguments, **named):
            fault = self.faults.pop(0) if self.faults else None
            if isinstance(fault, Exception):
                raise fault
            answer = asked(*arguments, **named)
            return answer[: len(answer) // 2] if fault == "cut" else answer

        return request


@pytest.fixture
def memory():
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


def store(*faults):
    faulty = Faulty(*faults)
    return Store("memory://corpus", patience=QUICK, connect=faulty.connect), faulty


def refused(code, status=400):
    """What botocore raises, without it."""
    error = OSError("said by the server")
    error.response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return error


def test_a_folder_is_listed_with_the_files_below_it_and_nothing_beside_it(memory):
    memory.pipe({"/corpus/a.txt": b"one", "/corpus/wav/b.wav": b"three", "/corpus-2/c": b"no"})

    assert [(one.name, one.size) for one in store()[0].list()] == [("a.txt", 3), ("wav/b.wav", 5)]


def test_a_folder_that_is_not_there_is_empty_and_a_file_is_none(memory):
    assert store()[0].list() == []
    assert store()[0].find("a.txt") is None
    assert store()[0].read_small("a.txt", 10) is None


def test_ranges_are_read_to_the_byte(memory):
    memory.pipe({"/corpus/a": bytes(range(100))})

    assert store()[0].read("a", 10, 13) == b"\x0a\x0b\x0c"
    assert store()[0].read("a", 5, 5) == b""


@pytest.mark.parametrize(
    "fault",
    ["cut", TimeoutError(), ConnectionResetError(), refused("SlowDown", 503), refused("", 502),
     refused("ExpiredToken")],
    ids=["cut", "timeout", "reset", "busy", "gateway", "expired"],
)  # fmt: skip
def test_what_passes_is_asked_for_again_until_all_of_it_is_there(memory, fault):
    memory.pipe({"/corpus/a": b"0123456789"})
    asked, _ = store(fault, fault, fault)

    assert asked.read("a", 0, 10) == b"0123456789"


def test_expired_credentials_are_read_again_from_where_they_are_kept(memory):
    memory.pipe({"/corpus/a": b"0123456789"})
    asked, faulty = store(refused("ExpiredToken"))

    asked.read("a", 0, 10)

    assert faulty.made == 2


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        (refused("NoSuchBucket", 404), "There is no bucket corpus."),
        (refused("AccessDenied", 403), "do not allow it to be read"),
        (refused("InvalidAccessKeyId", 403), "does not accept the credentials"),
        (type("NoCredentialsError", (Exception,), {})(), "There are no credentials"),
    ],
    ids=["bucket", "denied", "wrong", "none"],
)
def test_what_stays_is_said_at_once_and_not_asked_for_again(memory, fault, what):
    asked, faulty = store(fault, "never reached")

    with pytest.raises(UserError, match=what) as problem:
        asked.read("a", 0, 10)

    assert problem.value.where == "memory://corpus/a" and problem.value.fix
    assert faulty.faults == ["never reached"]


def test_what_does_not_pass_ends_with_what_the_server_said(memory):
    asked, faulty = store(*[refused("InternalError", 500)] * 9)

    with pytest.raises(UserError, match="asked again: said by the server"):
        asked.read("a", 0, 10)

    assert len(faulty.faults) == 9 - 4  # once, and once for each pause


def test_a_name_that_leads_out_of_the_folder_is_refused(memory):
    memory.store["/corpus/../../etc/passwd"] = memory.store.get("/x") or _file(memory)

    with pytest.raises(UserError, match="leads out of its folder"):
        store()[0].list()


def _file(memory):
    memory.pipe({"/elsewhere": b"x"})
    return memory.store.pop("/elsewhere")


def test_a_file_that_is_larger_than_what_is_read_of_it_is_refused(memory):
    memory.pipe({"/corpus/a": b"0123456789"})

    with pytest.raises(UserError, match="10 bytes, and 9 at most"):
        store()[0].read_small("a", 9)


def test_what_is_written_is_there_and_what_is_deleted_twice_is_gone(memory, tmp_path):
    (tmp_path / "here").write_bytes(b"hello")
    asked, _ = store()

    asked.put("a/b", tmp_path / "here")
    asked.put_bytes("c", b"more")

    assert memory.cat("/corpus/a/b") == b"hello" and memory.cat("/corpus/c") == b"more"
    asked.delete("c")
    asked.delete("c")
    assert [one.name for one in asked.list()] == ["a/b"]
    assert isinstance(asked.list()[0], Entry)
