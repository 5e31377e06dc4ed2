"""A server under load and under attack: nothing crashes, and no client meets another's request."""

from __future__ import annotations

import http.client
import io
import json
import logging
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import urlsplit

import av
import httpx2
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from served import Listener, said, served

from mynah.inference.transcription import Guarded
from mynah.machine import too_long


def post(address, content, **fields):
    named = {"file": (fields.pop("name", "call.wav"), content)} if content is not None else None
    data = {"model": "tiny", **fields}
    return httpx2.post(f"{address}/v1/audio/transcriptions", files=named, data=data, timeout=60)


def until(condition, seconds=10.0):
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.01)


def pending(address):
    return httpx2.get(f"{address}/health").json()["pending"]


def count(address, name, **labels):
    text = httpx2.get(f"{address}/metrics").text
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    return sum(one.value for one in samples if one.name == name and one.labels == labels)


def test_each_client_gets_its_own_transcript_and_waiting_clips_are_decoded_together(recording):
    listener = Listener(decode_seconds=0.05)
    clips = [recording(0.2, seed) for seed in range(40)]
    with served(listener) as address, ThreadPoolExecutor(40) as pool:
        found = list(pool.map(lambda clip: post(address, clip), clips))
        assert count(address, "mynah_requests_total", status="200") >= 40
        assert count(address, "mynah_audio_seconds_total") == 40
    assert [one.json()["text"] for one in found] == [said(clip) for clip in clips]
    assert sum(listener.batches) == 40 and max(listener.batches) > 4
    assert max(listener.batches) <= 16
    assert len({one.headers["x-request-id"] for one in found}) == 40


def test_a_full_queue_says_when_to_come_again_and_loses_nothing(recording):
    listener = Listener()
    clips = [recording(0.2, seed) for seed in range(9)]
    with served(listener, queue=4) as address, ThreadPoolExecutor(4) as pool:
        listener.open.clear()
        waiting = [pool.submit(post, address, clip) for clip in clips[:4]]
        until(lambda: pending(address) == 4)
        refused = [post(address, clip) for clip in clips[4:]]
        listener.open.set()
        kept = [one.result() for one in waiting]
        again = post(address, clips[4])
    assert {one.status_code for one in refused} == {503}
    assert all(1 <= int(one.headers["retry-after"]) <= 60 for one in refused)
    assert {one.json()["error"]["code"] for one in refused} == {"server_busy"}
    assert [one.json()["text"] for one in [*kept, again]] == [said(clip) for clip in clips[:5]]


def test_requests_that_ask_alike_are_decoded_alike(recording):
    listener = Listener()
    with served(listener, takes_context=True) as address, ThreadPoolExecutor(5) as pool:
        listener.open.clear()
        first = pool.submit(post, address, recording(0.2, 0))
        until(lambda: len(listener.batches) == 1)
        more = [
            pool.submit(post, address, recording(0.2, 1), language="DE", prompt="Anna\nBo"),
            pool.submit(post, address, recording(0.2, 2), language="de", prompt="Anna\nBo"),
            pool.submit(post, address, recording(0.2, 3), response_format="srt"),
        ]
        until(lambda: pending(address) == 4)
        listener.open.set()
        assert {one.result().status_code for one in [first, *more]} == {200}
    assert listener.asked[0] == (None, "", False)
    held = zip(listener.batches[1:], listener.asked[1:], strict=True)
    assert sorted(held, reverse=True) == [(2, ("de", "Anna, Bo", False)), (1, (None, "", True))]


def test_a_prompt_that_has_no_effect_is_named(recording):
    with served(Listener()) as address:
        assert (
            post(address, recording(0.2, 0), prompt="Anna").headers["x-mynah-ignored"] == "prompt"
        )
        assert "x-mynah-ignored" not in post(address, recording(0.2, 0)).headers


def test_a_transcript_that_misses_a_part_says_so_and_the_log_too(recording, caplog):
    class Cut(Listener):
        def transcribe_many(self, audios, **asked):
            for number, one in enumerate(super().transcribe_many(audios, **asked)):
                yield replace(one, guarded=Guarded(texts_cut=1, cut_short=number + 1))

    with served(Cut()) as address:
        found = post(address, recording(0.2, 0)).headers["x-mynah-incomplete"]
    with served(Listener()) as address:
        assert "x-mynah-incomplete" not in post(address, recording(0.2, 0)).headers
    assert found == "text, recording"
    (logged,) = [one for one in caplog.messages if "incomplete" in one]
    assert "model.generation_max_length" in logged and "before the header says" in logged


def test_memory_that_runs_out_is_a_fault_of_the_server_and_not_of_the_file(recording, caplog):
    class Narrow(Listener):
        def transcribe_many(self, audios, **asked):
            for one in super().transcribe_many(audios, **asked):
                error = RuntimeError("DefaultCPUAllocator: can't allocate memory")
                yield replace(one, error=too_long(38.0, error))

    with served(Narrow()) as address:
        assert post(address, recording(0.2, 0)).json()["error"]["code"] == "internal_error"
    assert "38.0 s of audio are too long for the memory: DefaultCPU" in caplog.text


def test_a_request_that_is_too_large_is_refused_and_the_reason_arrives(recording):
    with served(Listener(), most_bytes=1 << 20) as address:
        for size in (3 << 20, 20 << 20):
            found = post(address, bytes(size))
            assert found.status_code == 413 and found.json()["error"]["param"] == "file"
        # One that does not say its length in advance is read no further than the limit.
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        found = httpx2.post(
            f"{address}/v1/audio/transcriptions",
            content=iter([head, *[bytes(1 << 19)] * 8]),
            headers={"Content-Type": "multipart/form-data; boundary=b"},
        )
        assert found.status_code == 413
        assert post(address, recording(0.2, 1)).status_code == 200
        assert count(address, "mynah_held_bytes") == 0


def test_a_recording_that_is_too_long_is_refused(recording):
    with served(Listener(), most_seconds=3.0) as address:
        found = post(address, recording(3.5, 0))
    assert found.status_code == 400 and found.json()["error"]["code"] == "audio_too_long"


def test_a_recording_that_turns_out_too_long_is_refused_while_it_is_read(recording, monkeypatch):
    from mynah.serving import transcriptions

    monkeypatch.setattr(transcriptions, "_length", lambda *_: None)  # as of a WebM
    listener = Listener(pieces=50)
    with served(listener, most_seconds=3.0) as address:
        found = post(address, recording(1.0, 0))
    assert found.json()["error"]["code"] == "audio_too_long" and listener.decoded_pieces == 4


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"not a form", "multipart/form-data; boundary=b"),
        (b"not a form", "multipart/form-data"),
        (b"{}", "application/json"),
        (
            b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--",
            "multipart/form-data; boundary=b",
        ),
        (b"--b\r\n" + b"X: y\r\n" * 9 + b"\r\n\x00\xff--b--", "multipart/form-data; boundary=b"),
        (bytes(range(256)) * 40, "multipart/form-data; boundary=b"),
    ],
)
def test_a_damaged_form_is_the_client_s_mistake(body, kind):
    with served(Listener()) as address:
        found = httpx2.post(
            f"{address}/v1/audio/transcriptions", content=body, headers={"Content-Type": kind}
        )
        assert found.status_code == 400 and found.json()["error"]["message"]
        assert httpx2.get(f"{address}/health").json() == {"status": "ok", "pending": 0}


def test_a_missing_file_and_a_missing_model_are_named(recording):
    with served(Listener()) as address:
        assert post(address, None).status_code == 400
        assert post(address, recording(0.2, 0), model="").json()["error"]["param"] == "model"
        found = httpx2.post(
            f"{address}/v1/audio/transcriptions", data={"file": "text"}, files={"model": b"x"}
        )
        assert found.status_code == 400


def test_a_client_that_sends_slowly_costs_nobody_else_time(recording, monkeypatch):
    monkeypatch.setattr("mynah.serving.uploads._DRAIN_SECONDS", 0.3)
    with served(Listener(), upload_seconds=1.0, header_seconds=1.0) as address:
        place = urlsplit(address)
        slow = [socket.create_connection((place.hostname, place.port)) for _ in range(20)]
        head = b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\n"
        form = (
            b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 5000\r\n\r\n--b\r\n"
        )
        for number, one in enumerate(slow):
            one.settimeout(20)
            one.sendall((head, head + form)[number % 2])
        started = time.monotonic()
        assert post(address, recording(0.2, 0)).status_code == 200
        assert time.monotonic() - started < 1.0
        answers = [one.recv(1 << 16) for one in slow]
        assert all(answer == b"" for answer in answers[::2])  # no request: closed
        assert all(b" 408 " in answer.splitlines()[0] for answer in answers[1::2])
        for one in slow:
            one.close()


def test_a_client_that_leaves_is_not_decoded_for(recording):
    listener = Listener()
    with served(listener) as address:
        listener.open.clear()
        busy = threading.Thread(target=post, args=(address, recording(0.2, 0)))
        busy.start()
        until(lambda: len(listener.batches) == 1)
        for seed in (1, 2):
            with pytest.raises(httpx2.ReadTimeout):
                httpx2.post(
                    f"{address}/v1/audio/transcriptions",
                    files={"file": recording(0.2, seed)},
                    data={"model": "tiny"},
                    timeout=0.3,
                )
        until(lambda: pending(address) == 1)
        listener.open.set()
        busy.join()
        assert post(address, recording(0.2, 3)).json()["text"] == said(recording(0.2, 3))
        assert sum(listener.batches) == 2
        assert count(address, "mynah_clients_left_total") == 2


def test_a_long_recording_ends_with_its_client(recording):
    listener = Listener(decode_seconds=0.05, pieces=1000)
    with served(listener) as address:
        connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=20)
        request = httpx2.Request(
            "POST",
            address,
            files={"file": recording(6.0, 0)},
            data={"model": "tiny", "stream": "true"},
        )
        connection.request(
            "POST", "/v1/audio/transcriptions", request.read(), dict(request.headers)
        )
        answer = connection.getresponse()
        first = json.loads(answer.readline().removeprefix(b"data: "))
        assert first == {"type": "transcript.text.delta", "delta": f"{said(recording(6.0, 0))}-0"}
        connection.sock.close()
        answer.close()
        connection.close()
        until(lambda: pending(address) == 0)
        assert listener.decoded_pieces < 100
        assert post(address, recording(0.2, 3)).status_code == 200


def test_a_clip_does_not_wait_for_a_long_recording(recording):
    listener = Listener(decode_seconds=0.1, pieces=30)
    with served(listener) as address, ThreadPoolExecutor(1) as pool:
        long = pool.submit(post, address, recording(6.0, 0))
        until(lambda: listener.decoded_pieces > 0)
        assert post(address, recording(0.2, 1)).status_code == 200
        assert not long.done()
        listener.decode_seconds = 0.0
        assert long.result().json()["text"].split()[-1] == f"{said(recording(6.0, 0))}-29"


def as_a_phone_records(seconds: float) -> bytes:
    """A tone in MPEG-4, whose header is not asked how long it is."""
    held = io.BytesIO()
    with av.open(held, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        sound = np.sin(np.arange(round(16000 * seconds)) / 9)[None].astype(np.float32)
        frame = av.AudioFrame.from_ndarray(sound, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16000, 0
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return held.getvalue()


def test_a_phones_clip_does_not_wait_either(recording):
    listener = Listener(decode_seconds=0.1, pieces=30)
    with served(listener) as address, ThreadPoolExecutor(1) as pool:
        long = pool.submit(post, address, as_a_phone_records(6.0), name="call.m4a")
        until(lambda: listener.decoded_pieces > 0)
        assert post(address, as_a_phone_records(0.5), name="clip.m4a").status_code == 200
        assert not long.done() and listener.batches == [1]
        listener.decode_seconds = 0.0
        assert long.result().status_code == 200


def test_what_takes_too_long_is_given_up(recording):
    listener = Listener()
    with served(listener, request_seconds=0.5) as address:
        listener.open.clear()
        with ThreadPoolExecutor(1) as pool:
            begun = pool.submit(post, address, recording(0.2, 0))
            until(lambda: len(listener.batches) == 1)
            waiting = post(address, recording(0.2, 1))
            assert begun.result().status_code == 504
        assert waiting.status_code == 503 and "retry-after" in waiting.headers
        listener.open.set()
        assert post(address, recording(0.2, 2)).status_code == 200


def test_a_fault_of_the_server_shows_no_client_what_it_was(recording, caplog):
    secret = "/home/anna/models/secret.bin of anna.wav"
    listener = Listener(failure=RuntimeError(secret))
    with served(listener) as address, caplog.at_level(logging.ERROR, logger="mynah"):
        found = post(address, recording(0.2, 0))
        assert found.status_code == 500 and "anna" not in found.text
        number = found.json()["error"]["message"].rpartition(" ")[2].rstrip(".")
        assert any(number in line and secret in line for line in caplog.messages)
        listener.failure = None
        assert post(address, recording(0.2, 0)).status_code == 200


def test_the_name_of_another_machine_is_refused_on_loopback(recording):
    with served(Listener()) as address:
        evil = httpx2.get(f"{address}/v1/models", headers={"Host": "evil.example:80"})
        assert evil.status_code == 421
        port = urlsplit(address).port
        for name in (f"localhost:{port}", f"[::1]:{port}", "127.0.0.1"):
            assert httpx2.get(f"{address}/v1/models", headers={"Host": name}).status_code == 200


def test_a_token_is_asked_for_everywhere_but_at_health():
    with served(Listener(), token="sixteen-letters!") as address:
        for path in ("/v1/models", "/metrics", "/v1/audio/transcriptions", "/nowhere"):
            assert httpx2.get(f"{address}{path}").status_code == 401
        assert httpx2.get(f"{address}/health").status_code == 200
        headers = {"Authorization": "Bearer sixteen-letters!"}
        assert httpx2.get(f"{address}/metrics", headers=headers).status_code == 200
        assert httpx2.get(f"{address}/nowhere", headers=headers).status_code == 404
