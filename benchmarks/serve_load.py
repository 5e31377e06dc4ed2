"""``mynah serve`` under load: many clients, no error but 503, and memory that stays flat.

    python benchmarks/serve_load.py MODEL [--requests 1000] [--clients 16] [--queue 64]

MODEL is what ``mynah serve`` takes; a CTC model shows the server rather than the decoder. Starts
it on loopback and asks with OpenAI's own client, its retries off: clips of 1 to 4 seconds of tones
in five formats, streams, and one recording in fifty that is longer than the model's window. A
request that is answered with 503 is asked again after the time that the answer names. Prints
requests a second, the times of answers, answers by status, and the server's memory (resident, from
/proc) after 200 requests and at the end. Exit status 1 where an answer is wrong, where there is an
error that is not 503, or where memory grows by 100 MiB or more.

Linux only; takes about a minute on two cores with a model of 2 million parameters.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openai
import soundfile

RATE = 16000
CLIPS = 25
WARM = 200  # requests after which memory is first read
MOST_GROWTH = 100.0  # MiB
FORMATS = ("json", "text", "verbose_json", "srt", "stream")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--queue", type=int, default=64)
    arguments = parser.parse_args()
    command = [sys.executable, "-m", "mynah.cli", "serve", arguments.model, "--port", "0"]
    command += ["--name", "served", "--queue", str(arguments.queue)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        load = Load(address_of(server), server.pid)
        started = time.perf_counter()
        with ThreadPoolExecutor(arguments.clients) as pool:
            list(pool.map(load.ask, range(arguments.requests)))
        load.report(time.perf_counter() - started)
    finally:
        server.terminate()
        server.wait(60)
    return 0 if load.is_good() else 1


def address_of(server: subprocess.Popen[str]) -> str:
    """The address that a server prints once it answers."""
    assert server.stdout is not None
    for line in server.stdout:
        if found := re.search(r"Address: (\S+)", line):
            return found[1]
    raise SystemExit("the server did not start")


class Load:
    """Requests to one server, and what became of them."""

    def __init__(self, address: str, process: int) -> None:
        self._client = openai.OpenAI(base_url=address, api_key="none", max_retries=0, timeout=600)
        self._process = process
        self._clips = [recording(number) for number in range(CLIPS)]
        self._long = recording(CLIPS, seconds=60.0)
        self._texts: dict[int, str] = {}
        self._lock = threading.Lock()
        self.statuses: Counter[int] = Counter()
        self.seconds: list[float] = []
        self.wrong = 0
        self.memory: list[float] = []

    def ask(self, number: int) -> None:
        """Send one request until it is answered, and compare the answer with those before it."""
        clip = CLIPS if number % 50 == 49 else number % CLIPS
        content = self._long if clip == CLIPS else self._clips[clip]
        while True:
            started = time.perf_counter()
            try:
                text = self._text(content, FORMATS[number % len(FORMATS)])
                break
            except openai.APIStatusError as problem:
                with self._lock:
                    self.statuses[problem.status_code] += 1
                if problem.status_code != 503:
                    return
                time.sleep(float(problem.response.headers["Retry-After"]))
            except openai.APIError:
                with self._lock:
                    self.statuses[0] += 1
                return
        with self._lock:
            self.statuses[200] += 1
            self.seconds.append(time.perf_counter() - started)
            if text is not None:
                self.wrong += self._texts.setdefault(clip, text) != text
            if len(self.seconds) in (1, WARM):
                self.memory.append(resident_mebibytes(self._process))

    def _text(self, content: bytes, format: str) -> str | None:
        """The transcript by one request; of subtitles, whose lines are cut, None."""
        create = self._client.audio.transcriptions.create
        file = ("clip.flac", content)
        if format == "stream":
            *_, done = create(model="served", file=file, stream=True)
            return str(getattr(done, "text", None))
        found = create(model="served", file=file, response_format=format)  # type: ignore[call-overload]
        if format == "srt":
            return None
        return str(found).strip() if format == "text" else str(found.text)

    def report(self, elapsed: float) -> None:
        """Print what was measured."""
        self.memory.append(resident_mebibytes(self._process))
        times = np.percentile(self.seconds, [50, 95, 100])
        print(f"{len(self.seconds):,} requests in {elapsed:.1f} s: "
              f"{len(self.seconds) / elapsed:.1f} a second")  # fmt: skip
        print(f"answered within: median {times[0]:.2f} s, 95 % {times[1]:.2f} s, "
              f"all {times[2]:.2f} s")  # fmt: skip
        print(f"answers by status: {dict(sorted(self.statuses.items()))}; wrong: {self.wrong}")
        print("resident MiB after the first request, request 200 and the last: "
              f"{', '.join(f'{one:.0f}' for one in self.memory)}")  # fmt: skip

    def is_good(self) -> bool:
        """Whether nothing was wrong."""
        grown = self.memory[-1] - self.memory[1] if len(self.memory) > 2 else 0.0
        return not self.wrong and set(self.statuses) <= {200, 503} and grown < MOST_GROWTH


def recording(seed: int, seconds: float | None = None) -> bytes:
    """Tones that change ten times a second, as a FLAC file."""
    draw = np.random.default_rng(seed)
    count = round(10 * (seconds or draw.uniform(1, 4)))
    hertz = np.repeat(draw.uniform(150, 3000, count), RATE // 10)
    sound = 0.3 * np.sin(2 * np.pi * np.cumsum(hertz) / RATE)
    held = io.BytesIO()
    soundfile.write(held, sound.astype(np.float32), RATE, format="FLAC")
    return held.getvalue()


def resident_mebibytes(process: int) -> float:
    """Memory of a process that is in use."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


if __name__ == "__main__":
    sys.exit(main())
