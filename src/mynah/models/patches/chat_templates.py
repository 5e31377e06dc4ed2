"""Chat templates are programs of whoever wrote a model: each is tried before it is rendered here.

transformers lets them touch nothing, but not take all the time and memory there is: loops in loops,
and texts times a number, some of them while a template is compiled. So the first renderings of each
are done in a process of its own first, which may take seconds and a gigabyte.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

from mynah.errors import UserError
from mynah.files import read_json
from mynah.models.patches import template_trial

_TRIAL = Path(template_trial.__file__)
_WAIT_SECONDS = 60.0  # of any time: the machine may be busy
_MOST_BYTES = 2**24  # of a file with a template
_TRIED = 4  # renderings of a template; one that was rendered so often is trusted
_ENDLESS = "takes more time or memory than any text needs"
# What templates take for today, as those of Llama 3.2 and Granite, which write the day into each
# prompt: what a model is given must not change overnight.
_DAY = date(2024, 12, 19)
# What a prompt is rendered with, where it is not known yet.
_CONTEXT = {
    "messages": [
        {"role": "system", "content": "Write what is said."},
        {"role": "user", "content": "Write what is said."},
    ],
    "add_generation_prompt": True,
    "bos_token": "<s>",
    "eos_token": "</s>",
}


class TriedTemplate:
    """A template of transformers that is compiled and rendered once it was tried.

    Args:
        source: Its text.
        compiling: What compiles it.
    """

    def __init__(self, source: str, compiling: Any) -> None:
        self._source = source
        self._compiling = compiling
        self._tried: set[str] = set()

    def render(self, *parts: Any, **context: Any) -> str:
        """What it writes.

        Raises:
            UserError: It comes to no end, takes more memory than a text needs, or is none.
        """
        self._try({name: value for part in parts for name, value in part.items()} | context)
        try:
            # transformers hands a template data alone, and no function of the caller's.
            context = context | {"strftime_now": _the_same_day}
            text: str = self._compiling(self._source).render(*parts, **context)
        except Exception as problem:  # whatever a program of somebody's raises
            raise self.wrong(f"cannot be rendered: {str(problem)[:200]}") from problem
        return text

    def __getattr__(self, name: str) -> Any:
        self._try({})
        return getattr(self._compiling(self._source), name)

    def _try(self, context: Mapping[str, Any]) -> None:
        known = {name: value for name, value in context.items() if not callable(value)}
        asked = json.dumps({"template": self._source, "context": known}, default=str)
        digest = hashlib.blake2b(asked.encode("utf-8", "backslashreplace")).hexdigest()
        if digest in self._tried or len(self._tried) >= _TRIED:
            return
        if not _ends(asked):
            raise self.wrong(_ENDLESS)
        self._tried.add(digest)

    def wrong(self, how: str) -> UserError:
        """What is said of it."""
        return UserError(
            f"The model's chat template {how}.",
            where=f"chat_template: {self._source.strip()[:80]!r}",
            fix="use another model: this one's template is damaged, was edited, or means harm",
        )


def _the_same_day(pattern: str) -> str:
    return _DAY.strftime(pattern)


def _ends(asked: str) -> bool:
    try:
        done = subprocess.run(
            [sys.executable, "-P", str(_TRIAL)],
            input=asked.encode("ascii"),
            capture_output=True,
            timeout=_WAIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    # Ended by a signal: its time is over, or no memory was left.
    return done.returncode >= 0 and done.returncode != template_trial.TOO_MUCH


def try_templates() -> None:
    """Have transformers try every chat template; once a process."""
    from transformers.utils import chat_template_utils as templates

    compiling = getattr(templates, "_compile_jinja_template", None)
    if compiling is None or getattr(compiling, "tries", False):
        return
    known: dict[str, TriedTemplate] = {}

    def compiled(chat_template: str) -> Any:
        if not isinstance(chat_template, str):
            return compiling(chat_template)
        return known.setdefault(chat_template, TriedTemplate(chat_template, compiling))

    compiled.tries = True  # type: ignore[attr-defined]
    templates._compile_jinja_template = compiled  # type: ignore[assignment]


def try_saved(directory: Path) -> None:
    """Try the chat templates that a checkpoint holds, before anything is done with it.

    Raises:
        UserError: One comes to no end, or takes more memory than a text needs.
    """
    for template in _saved(directory):
        if not _ends(json.dumps({"template": template, "context": _CONTEXT})):
            raise TriedTemplate(template, None).wrong(_ENDLESS)


def _saved(directory: Path) -> Iterator[str]:
    """The texts of a checkpoint's chat templates, from wherever transformers looks for them."""
    folder = directory / "additional_chat_templates"
    for path in (directory / "chat_template.jinja", *sorted(folder.glob("*.jinja"))):
        with suppress(OSError, UnicodeDecodeError):
            if path.is_file() and path.stat().st_size <= _MOST_BYTES:
                yield path.read_text(encoding="utf-8")
    for name in ("chat_template.json", "processor_config.json", "tokenizer_config.json"):
        held = read_json(directory / name).get("chat_template")
        named = held if isinstance(held, list) else [held]
        for one in named:  # a text, or {"name": …, "template": …} of several
            text = one.get("template") if isinstance(one, dict) else one
            if isinstance(text, str):
                yield text
