"""Stands in for a training of a search: ``fake_training.py DIRECTORY RATE STEPS``.

Measures RATE divided by the step, step by step, saves where interrupted, ends with results.
"""

import hashlib
import json
import sys
import time
from pathlib import Path

directory, rate, steps = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
checkpoint = directory / "model" / "checkpoint-1"
checkpoint.mkdir(parents=True, exist_ok=True)
(checkpoint / "weights").touch()
sums = hashlib.sha256(b"").hexdigest()
(checkpoint / "SHA256SUMS").write_text(f"{sums}  weights\n")
try:
    for step in range(1, steps + 1):
        score = {"step": step, "steps": steps, "metric": "wer", "value": rate / step}
        with (directory / "evaluations.jsonl").open("a") as file:
            file.write(json.dumps(score) + "\n")
        time.sleep(0.4)
except KeyboardInterrupt:
    (directory / "saved").touch()
    sys.exit(130)
(directory / "evaluation").mkdir(exist_ok=True)
results = {"wer": rate / steps, "wer_low": 0.0, "wer_high": 1.0}
(directory / "evaluation" / "results.json").write_text(
    json.dumps({"evaluations": {"validation": results}})
)
