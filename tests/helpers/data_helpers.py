"""Small recordings and settings for the tests of mynah.data."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mynah.config.schema import DataConfig

ROOT = Path(__file__).resolve().parents[2]
REAL_DATA = Path(os.environ.get("MYNAH_TEST_DATA", ROOT.parent / "shared" / "data"))


def real_corpus(name: str) -> Path:
    """A corpus of real speech; the test is skipped where it is not on this machine."""
    if not (REAL_DATA / name).is_dir():
        pytest.skip(f"needs real speech at {REAL_DATA / name} (MYNAH_TEST_DATA)")
    return REAL_DATA / name


def field_case(name: str) -> Path:
    """A small input rebuilt from a report of the field; skipped where it is not here."""
    found = REAL_DATA.parent / "cases" / name
    if not found.exists():
        pytest.skip(f"needs the case at {found} (MYNAH_TEST_DATA)")
    return found


def tone(seconds: float, rate: int = 16000, hertz: float = 440.0) -> np.ndarray:
    """float32 [samples], half of full scale."""
    times = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * hertz * times)).astype(np.float32)


def write_tone(path: Path, seconds: float = 1.0, rate: int = 16000, hertz: float = 440.0) -> Path:
    """A recording in the format of the path's suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone(seconds, rate, hertz), rate)
    return path


def write_folder(root: Path, rows: list[tuple[str, str, str]]) -> Path:
    """A folder with metadata.csv: (file name, text, speaker), half a second and more each."""
    lines = ["file_name,text,speaker"]
    for number, (name, text, speaker) in enumerate(rows):
        write_tone(root / name, 0.5 + 0.1 * number, hertz=200 + 10 * number)
        lines.append(f'{name},"{text}",{speaker}')
    (root / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def settings(tmp_path: Path, **changed: object) -> DataConfig:
    """Data settings with a cache of the test's own."""
    config = DataConfig(dataset_cache_dir=str(tmp_path / "cache"), num_proc=2)
    for name, value in changed.items():
        setattr(config, name, value)
    return config
