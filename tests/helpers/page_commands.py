"""The commands that the pages print, taken from the pages themselves."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_SHELL = ("bash", "sh", "shell", "console", "")
_PROGRAMS = ("mynah", "python", "hatch", "torchrun", "accelerate", "srun", "pip", "bash", "sbatch")
_HATCH = {
    "train": [],
    "train-test": ["+experiments=test"],
    "train-mac": ["+experiments=mac_minimal"],
    "train-prod": ["+experiments=production"],
}


@dataclass(frozen=True)
class PageCommand:
    """One command of a page.

    Attributes:
        page: The page's name; of one in a folder of docs/ with the folder, as ``how_to/mac.md``.
        text: The command as it is printed, its comment and its line ends removed.
    """

    page: str
    text: str

    @property
    def words(self) -> list[str]:
        """The command line."""
        return shlex.split(self.text)

    @property
    def program(self) -> str:
        """What runs, as a person would call it: ``train``, ``eval``, ``data prepare``, …"""
        return self._parts[0]

    @property
    def arguments(self) -> list[str]:
        """What follows the program."""
        return self._parts[1]

    @property
    def _parts(self) -> tuple[str, list[str]]:
        words = self.words
        while words and words[0] in ("torchrun", "accelerate", "launch", "srun"):
            words = words[1:]
            while words and words[0].startswith("-"):
                words = words[1:]
        first, *rest = words
        if first == "hatch":
            script = rest[1]
            if script in _HATCH:
                return "train", _HATCH[script] + rest[2:]
            return {"eval": "eval", "train-legacy": "legacy"}.get(script, f"hatch {script}"), rest[
                2:
            ]
        if first == "python":
            first, *rest = rest
        if first == "src/train_hydra.py":
            return "train", rest
        if first == "src/train.py":
            return "legacy", rest
        if first == "mynah":
            several = rest[0] in ("data", "config")
            return " ".join(rest[: 1 + several]), rest[1 + several :]
        return first, rest


def name_of(page: Path) -> str:
    """``README.md``, ``export.md``, ``how_to/mac.md``."""
    docs = REPOSITORY / "docs"
    return page.relative_to(docs if docs in page.parents else REPOSITORY).as_posix()


def commands() -> list[PageCommand]:
    """All commands of README.md and docs/, each once a page."""
    found = {}
    for page in PAGES:
        for language, block in _BLOCK.findall(page.read_text(encoding="utf-8")):
            if language not in _SHELL:
                continue
            for line in re.sub(r"\\\n\s*", " ", block).splitlines():
                for part in _without_comment(line).removeprefix("$ ").split(" && "):
                    words = part.split()
                    if words and words[0] in _PROGRAMS and "…" not in part:
                        command = PageCommand(name_of(page), part.strip())
                        found[command] = None
    return list(found)


def _without_comment(line: str) -> str:
    return re.sub(r"\s+#\s.*$", "", line.strip())
