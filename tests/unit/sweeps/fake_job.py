"""Stands in for a training: a few lines that do what a job of a sweep can do.

``fake_job.py DIRECTORY [BEHAVIOUR] [WER] [MORE …]``; appends a line to DIRECTORY/ran, so that
a test can count.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

directory = Path(sys.argv[1])
behaviour = sys.argv[2]
with (directory / "ran").open("a") as handle:
    handle.write(" ".join(sys.argv[2:]) + "\n")
print("at work")
if behaviour == "die":
    os.kill(os.getpid(), signal.SIGKILL)
if behaviour == "fail":
    sys.exit("error: the disk is full")
if behaviour == "mistake":
    sys.exit(2)
if behaviour == "wait":
    (directory / "waiting").touch()
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        (directory / "stopped").touch()
        sys.exit(130)
if behaviour == "stubborn":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    (directory / "waiting").touch()
    time.sleep(60)
wer = float(sys.argv[3])
scores = {"wer": wer, "wer_low": wer - 0.01, "wer_high": wer + 0.01}
(directory / "evaluation").mkdir(exist_ok=True)
(directory / "evaluation" / "results.json").write_text(
    json.dumps({"evaluations": {"validation": scores, "test": {"wer": 0.9}}})
)
