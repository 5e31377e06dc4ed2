"""What a message tells a person to type can be typed: commands, their flags and their settings.

The messages come from the source: every text in it, with a letter in the place of what is filled
in. Nothing is run.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from page_commands import REPOSITORY
from test_every_command import MODULES as OF_PAGES

from mynah.cli.main import COMMANDS
from mynah.config.hydra.config_files import ConfigFiles
from mynah.config.hydra.search_path import config_directories
from mynah.config.settings import all_sections, all_settings

SOURCE = REPOSITORY / "src" / "mynah"
FILLED_IN = "X"
ACTIONS = {"runs tag": "mynah.cli.runs_tag", "runs remove": "mynah.cli.runs_remove"}
MODULES = {**OF_PAGES, **ACTIONS}
_COMMAND = re.compile(r"(?:^|(?<=[\s`'\"(]))mynah (?P<rest>[a-z][^`\n]*)")
_SETTING = re.compile(
    r"(?<![\w./\\-])(?P<name>(?:data|model|training|evaluation)(?:\.[a-z_A-Z0-9]+)+)"
)
_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
_FILES = re.compile(r"\.(json|jsonl|yaml|safetensors|bin|py|txt|onnx|nemo|int|gguf|pt|model)$")


@dataclass(frozen=True)
class Text:
    """A text of the source.

    Attributes:
        place: File and line.
        text: With :data:`FILLED_IN` for what is filled in.
        is_message: Whether an error, a notice or a line for a person is made from it.
    """

    place: str
    text: str
    is_message: bool


_SAYING = ("UserError", "ConfigError", "ValueMistake", "notice", "say", "wrong", "_wrong")


@cache
def texts() -> list[Text]:
    found = []
    for file in sorted(SOURCE.rglob("*.py")):
        name = file.relative_to(SOURCE.parent)
        for node, said in _outermost(ast.parse(file.read_text(encoding="utf-8"))):
            found.append(Text(f"{name}:{node.lineno}", _written(node), said))
    return found


def _outermost(tree: ast.AST) -> Iterator[tuple[ast.Constant | ast.JoinedStr, bool]]:
    """The texts that are not a part of another one, and whether a message is made from each."""
    left = [(tree, False)]
    while left:
        above, said = left.pop()
        for node in ast.iter_child_nodes(above):
            if isinstance(node, ast.JoinedStr) or (
                isinstance(node, ast.Constant) and isinstance(node.value, str)
            ):
                yield node, said
            elif node._fields:
                left.append((node, said or _makes_a_message(node)))


def _makes_a_message(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
    return name in _SAYING or name.endswith("Error")


def _written(node: ast.Constant | ast.JoinedStr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    return "".join(
        part.value if isinstance(part, ast.Constant) else FILLED_IN for part in node.values
    )


@cache
def printed_commands() -> list[tuple[str, str, str]]:
    """(place, command, what follows it) of every ``mynah ...`` in a text."""
    found = []
    for text in texts():
        if text.place.startswith("mynah/cli/completion.py"):
            continue  # scripts of shells
        for match in _COMMAND.finditer(text.text):
            words = match["rest"].split()
            several = words[0] in ("data", "config") and len(words) > 1
            several |= " ".join(words[:2]) in ACTIONS
            name = " ".join(words[: 1 + several]).rstrip(".,;:)'\"")
            rest = re.split(r"  |`|; | \(", match["rest"][len(name) :])[0]
            found.append((text.place, name, rest))
    return found


@cache
def flags_of(command: str) -> frozenset[str]:
    parser = importlib.import_module(MODULES[command]).parser()
    options = set()
    for action in parser._actions:
        options |= set(action.option_strings)
        for below in getattr(action, "choices", None) or ():
            if hasattr(action.choices, "values") and hasattr(action.choices[below], "_actions"):
                options |= {o for a in action.choices[below]._actions for o in a.option_strings}
    return frozenset(options)


def test_there_are_commands_and_settings_in_messages():
    names = {name for _, name, _ in printed_commands()}
    assert len(printed_commands()) > 100
    assert {"train", "eval", "data segment", "models", "prefetch"} <= names
    assert sum(text.is_message for text in texts()) > 1000


def test_a_command_that_a_message_prints_exists_with_its_flags():
    wrong = []
    for place, name, rest in printed_commands():
        first, _, action = name.partition(" ")
        if first not in COMMANDS:
            wrong.append(f"{place}: mynah {name}")
        if action and action not in ("ACTION", FILLED_IN) and name not in MODULES:
            wrong.append(f"{place}: mynah {name}")
        if name in MODULES:
            unknown = set(_FLAG.findall(rest)) - flags_of(name)
            if unknown:
                wrong.append(f"{place}: mynah {name} takes no {', '.join(sorted(unknown))}")
    assert not wrong, "\n".join(wrong)


def is_setting(name: str) -> bool:
    """Whether it is a setting, a section, or lies in a setting that is a mapping."""
    known = all_settings()
    if name in known or name in all_sections():
        return True
    parts = name.split(".")
    return any(
        ".".join(parts[:end]) in known and "dict" in str(known[".".join(parts[:end])].type)
        for end in range(2, len(parts))
    )


def test_a_setting_that_a_message_names_exists():
    wrong = []
    for text in texts():
        if not (text.is_message or "mynah " in text.text):
            continue
        for match in _SETTING.finditer(text.text):
            name = match["name"].rstrip(".")
            if _FILES.search(name) or FILLED_IN in name.split(".")[-1]:
                continue
            if not is_setting(name):
                wrong.append(f"{text.place}: {name} in {text.text[:120]!r}")
    assert not wrong, "\n".join(wrong)


def test_the_groups_that_messages_name_exist():
    files = ConfigFiles(config_directories())
    groups = {"model", "data", "training"}
    for text in texts():
        if not text.is_message:
            continue
        for group, option in re.findall(r"(?<![\w.+/])(model|data|training)=([a-z]\w*)", text.text):
            if group in groups:
                assert option in files.options(group), f"{text.place}: {group}={option}"
