"""The house keeps its shape: imports run one way, and files, functions and folders stay small."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src"
TESTS = SOURCE.parent / "tests"
LONGEST_FILE = 400  # lines
LONGEST_FUNCTION = 60
MODULES_A_FOLDER = 15
MODULES_AT_THE_TOP = 8
# Folders that hold one kind of thing each, one file for each of them: they may grow.
LISTS = {
    "mynah/cli", "mynah/data/sources", "mynah/models/audio_llm",
    "mynah/segmentation/timed_transcripts",
}  # fmt: skip


def modules(source: Path) -> dict[str, Path]:
    """The files of the package by module name, a package by its own."""
    found = {}
    for file in source.rglob("mynah/**/*.py"):
        parts = file.relative_to(source).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


@cache
def imports(source: Path) -> dict[str, set[str]]:
    """What each module imports of the package, within functions and for types included."""
    known = modules(source)
    graph: dict[str, set[str]] = {name: set() for name in known}
    for module, file in known.items():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
                names = [name if name in known else node.module for name in names]
            graph[module] |= {name for name in names if name in known and name != module}
    return graph


def rooms(graph: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The same between the first level of the package: its folders, and what stands loose."""
    found: dict[str, set[str]] = defaultdict(set)
    for module, imported in graph.items():
        for other in imported:
            # `from mynah import x` of the package itself is for its version alone.
            here, there = (name.split(".")[1:2] for name in (module, other))
            if here and there and here != there:
                found[here[0]].add(there[0])
    return found


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """One circle of the graph, or nothing."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def long_files(source: Path) -> Iterator[str]:
    for file in sorted(source.rglob("*.py")):
        lines = len(file.read_text(encoding="utf-8").splitlines())
        if lines > LONGEST_FILE:
            yield f"{file.relative_to(source)}: {lines} lines"


def long_functions(source: Path) -> Iterator[str]:
    for file in sorted(source.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    yield f"{file.relative_to(source)}: {node.name}, {lines} lines"


def full_folders(source: Path) -> Iterator[str]:
    held = Counter(
        file.parent.relative_to(source).as_posix()
        for file in source.rglob("*.py")
        if file.name != "__init__.py"
    )
    for folder, number in sorted(held.items()):
        most = MODULES_AT_THE_TOP if folder == "mynah" else MODULES_A_FOLDER
        if number > most and folder not in LISTS:
            yield f"{folder}: {number} modules"


def test_no_module_imports_one_that_imports_it():
    assert circle(imports(SOURCE)) == []


def test_imports_run_one_way_between_the_rooms():
    assert circle(rooms(imports(SOURCE))) == []


@pytest.mark.parametrize("place", [SOURCE, TESTS], ids=["source", "tests"])
def test_no_file_is_longer_than_its_noun_needs(place):
    assert list(long_files(place)) == []


def test_every_function_can_be_seen_at_once():
    assert list(long_functions(SOURCE)) == []


def test_no_folder_holds_more_than_a_stranger_can_look_through():
    assert list(full_folders(SOURCE)) == []


def test_each_file_of_tests_has_a_name_of_its_own():
    # Pytest imports them by their bare names: the second of a name is an error of the collection.
    names = Counter(file.name for file in TESTS.rglob("*.py") if file.name != "conftest.py")
    assert [name for name, times in names.items() if times > 1] == []


@pytest.fixture
def crooked(tmp_path):
    """A package with one of each fault."""
    package = tmp_path / "mynah"
    for room in ("above", "below", "crowded"):
        (package / room).mkdir(parents=True)
    files = {
        "__init__.py": "",
        "above/one.py": "from mynah.below import two\n",
        "below/two.py": "def late():\n    from typing import TYPE_CHECKING\n"
        "    if TYPE_CHECKING:\n        from mynah.above.other import Thing\n",
        "above/other.py": "def long():\n" + "    pass\n" * 60,
        "below/long.py": "\n" * 401,
        "crowded/left.py": "import mynah.crowded.right\n",
        "crowded/right.py": "from mynah.crowded.left import x\n",
        **{f"crowded/m{number}.py": "" for number in range(14)},
    }
    for name, text in files.items():
        (package / name).write_text(text)
    return tmp_path


def test_each_fault_would_be_found(crooked):
    assert set(circle(imports(crooked))) == {"mynah.crowded.left", "mynah.crowded.right"}
    assert set(circle(rooms(imports(crooked)))) == {"above", "below"}
    assert list(long_files(crooked)) == ["mynah/below/long.py: 401 lines"]
    assert list(long_functions(crooked)) == ["mynah/above/other.py: long, 61 lines"]
    assert list(full_folders(crooked)) == ["mynah/crowded: 16 modules"]
