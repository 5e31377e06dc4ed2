"""The fields of the installed ``transformers.TrainingArguments``, read from its source.

Importing transformers takes seconds, and a configuration mistake is to be found in less:
the class is parsed with ``ast`` instead, which imports nothing.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

_T = TypeVar("_T")

# Types that OmegaConf can hold; every other annotation (unions of containers, Literals,
# enums given as strings) becomes Any, and transformers itself checks the value.
_SIMPLE_TYPES: dict[str, Any] = {
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "bool | None": bool | None,
    "int | None": int | None,
    "float | None": float | None,
    "str | None": str | None,
}


@dataclass(frozen=True)
class UpstreamField:
    """One field of TrainingArguments.

    Attributes:
        name: The field's name.
        annotation: Its type as written in the source.
        default: Its default, or None where the source computes it.
        help: Its help text, on one line.
    """

    name: str
    annotation: str
    default: Any
    help: str

    @property
    def type(self) -> Any:
        """A type that OmegaConf can hold."""
        simple = _SIMPLE_TYPES.get(self.annotation, Any)
        if self.default is None and simple in (bool, int, float, str):
            return simple | None
        return simple


def _source_path() -> Path:
    spec = importlib.util.find_spec("transformers")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("transformers is not installed")
    return Path(spec.submodule_search_locations[0]) / "training_args.py"


def _literal(node: ast.expr | None) -> Any:
    if node is None:
        return None
    try:
        return ast.literal_eval(node)
    except ValueError:
        # An enum member, as IntervalStrategy.STEPS: its value is its name in lower case.
        if isinstance(node, ast.Attribute) and node.attr.isupper():
            return node.attr.lower()
        return None


def _help_text(node: ast.expr | None) -> str:
    if node is None:
        return ""
    try:
        return " ".join(str(ast.literal_eval(node)).split())
    except ValueError:
        return ""


def _parse_field(statement: ast.AnnAssign) -> UpstreamField | None:
    if not isinstance(statement.target, ast.Name) or statement.target.id.startswith("_"):
        return None
    default: Any = None
    help_text = ""
    value = statement.value
    if isinstance(value, ast.Call) and getattr(value.func, "id", "") == "field":
        keywords = {keyword.arg: keyword.value for keyword in value.keywords}
        if getattr(keywords.get("init"), "value", None) is False:
            return None
        default = _literal(keywords.get("default"))
        metadata = keywords.get("metadata")
        if isinstance(metadata, ast.Dict):
            for key, entry in zip(metadata.keys, metadata.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "help":
                    help_text = _help_text(entry)
    elif value is not None:
        default = _literal(value)
    return UpstreamField(statement.target.id, ast.unparse(statement.annotation), default, help_text)


@cache
def _source() -> str:
    return _source_path().read_text(encoding="utf-8")


# What ends the fields of a class: its first method or property, or the next top-level line.
_END_OF_FIELDS = re.compile(r"^(?:    def |    @|\S)", flags=re.MULTILINE)


def _class_body(name: str) -> list[ast.stmt]:
    """The statements of a class before its first method; parsing the full file takes longer."""
    start = _source().find(f"\nclass {name}") + 1
    if start == 0:
        raise LookupError(f"transformers/training_args.py holds no class {name}")
    end = _END_OF_FIELDS.search(_source(), _source().index("\n", start) + 1)
    tree = ast.parse(_source()[start : end.start() if end else None])
    (found,) = (node for node in tree.body if isinstance(node, ast.ClassDef))
    return found.body


@cache
def upstream_fields() -> dict[str, UpstreamField]:
    """All settable fields of the installed TrainingArguments, by name, in their order."""
    body = _class_body("TrainingArguments")
    parsed = (_parse_field(s) for s in body if isinstance(s, ast.AnnAssign))
    return {found.name: found for found in parsed if found}


@cache
def optimizer_names() -> frozenset[str]:
    """The values that ``optim`` takes in the installed version."""
    return frozenset(
        statement.value.value
        for statement in _class_body("OptimizerNames")
        if isinstance(statement, ast.Assign)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def with_upstream_fields(cls: type[_T]) -> type[_T]:
    """Class decorator: append every field of TrainingArguments that the class lacks."""
    own = {found.name for found in dataclasses.fields(cls)}  # type: ignore[arg-type]
    extra = []
    for upstream in upstream_fields().values():
        if upstream.name in own:
            continue
        metadata = {
            "help": upstream.help,
            "unit": None,
            "minimum": None,
            "maximum": None,
            "choices": None,
            "upstream": True,
        }
        default = upstream.default
        if isinstance(default, list | dict):
            default = None
        extra.append(
            (upstream.name, upstream.type, dataclasses.field(default=default, metadata=metadata))
        )
    made = dataclasses.make_dataclass(cls.__name__, extra, bases=(cls,))
    made.__module__ = cls.__module__  # make_dataclass(module=…) needs Python 3.12
    made.__doc__ = cls.__doc__
    return made
