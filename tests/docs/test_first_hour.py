"""The first page is typed, command by command, where there is nothing but Python and recordings."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import page_corpora
import pytest
from page_commands import REPOSITORY

PAGE = (REPOSITORY / "docs" / "start" / "first_hour.md").read_text(encoding="utf-8")
BLOCKS = [
    block.strip().splitlines() for block in re.findall(r"^```bash\n(.*?)^```", PAGE, re.M | re.S)
]
TO_A_TRANSCRIPT, TO_A_MODEL = BLOCKS[:2]
# What is typed behind a training so that it ends at once; the commands stay as they are.
SHORT = "training.max_steps=2 evaluation.guard=[] model.generation_max_length=16"


def test_it_is_three_commands_to_a_transcript_and_five_to_a_tuned_model():
    assert len(TO_A_TRANSCRIPT) == 3 and TO_A_TRANSCRIPT[2].startswith("mynah transcribe ")
    assert len(TO_A_TRANSCRIPT) + len(TO_A_MODEL) == 5
    assert TO_A_MODEL[0].startswith("mynah train ") and "outputs/model" in TO_A_MODEL[1]


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_its_commands_lead_from_nothing_to_a_transcript_and_to_a_tuned_model(tmp_path):
    wheels, folder = tmp_path / "wheels", tmp_path / "reader"
    words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*words, "--wheel-dir", str(wheels), str(REPOSITORY)], check=True)
    page_corpora.lay_out(tmp_path / "corpora")
    folder.mkdir()
    for name in ("call.wav", "recordings"):
        (folder / name).symlink_to(tmp_path / "corpora" / name)
    kept = {name: value for name, value in os.environ.items() if "PYTHON" not in name}
    links = f"{wheels} {os.environ.get('PIP_FIND_LINKS', '')}".strip()
    kept |= {
        "PIP_FIND_LINKS": links,
        "PIP_QUIET": "1",
        "PIP_NO_COMPILE": "1",  # half of the time, and nothing of it is looked at here
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path / "hub"),
        "MYNAH_CACHE": str(tmp_path / "cache"),
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
    }
    # The versions that are tested together, and no second torch of gigabytes.
    kept["PIP_CONSTRAINT"] = str(REPOSITORY / "constraints.txt")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(sys.executable)
    lines = [*TO_A_TRANSCRIPT, f"{TO_A_MODEL[0]} {SHORT}", TO_A_MODEL[1]]
    script = "set -euo pipefail\n" + "\necho ---done---\n".join(lines)
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=kept, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert done.stdout.count("---done---") == len(lines) - 1
    assert (folder / "outputs" / "model" / "mynah.json").is_file()
    site = next((folder / "asr").glob("lib/python*/site-packages/mynah"))
    assert (site / "configs" / "hydra" / "config.yaml").is_file()
