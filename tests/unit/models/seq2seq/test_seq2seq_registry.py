"""One record a sequence-to-sequence architecture, and nothing of it elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import mynah.models.seq2seq
from mynah.models.seq2seq.registry import SUPPORTED, architecture_of

ROOM = Path(mynah.models.seq2seq.__file__).parent


def test_every_name_has_a_record_and_unknown_ones_have_one_without_specifics():
    assert architecture_of("whisper").has_window
    assert all(architecture_of(kind) for kind in SUPPORTED)
    brought = architecture_of("an_architecture_that_comes_as_code")
    assert not (brought.has_window or brought.writes_times or brought.detects_language)


def test_names_are_known_without_importing_transformers_or_torch():
    code = (
        "import sys\n"
        "from mynah.models.seq2seq.registry import SUPPORTED\n"
        "assert 'whisper' in SUPPORTED\n"
        "assert not {'torch', 'transformers', 'datasets'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_shared_code_names_no_architecture():
    shared = [path for path in ROOM.glob("*.py") if path.name != "registry.py"]
    assert len(shared) > 4
    for path in shared:
        text = path.read_text(encoding="utf-8")
        assert not re.findall("|".join(f"[\"']{one}[\"']" for one in SUPPORTED), text), path
