"""CTranslate2's ``model.bin``: named variables and aliases, read strictly.

The layout is what ``ModelSpec._serialize`` writes (ctranslate2, specs/model_spec.py), the same from
CTranslate2 3.24 to 4.8: little-endian numbers, strings with a 16-bit length and a closing zero.
Nothing here imports torch or numpy.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

BINARY_VERSION = 6
# In the order of DataType in ctranslate2's include/ctranslate2/types.h.
DTYPES = ("float32", "int8", "int16", "int32", "float16", "bfloat16")
_BYTES = {"float32": 4, "int8": 1, "int16": 2, "int32": 4, "float16": 2, "bfloat16": 2}
_MOST_VARIABLES = 100_000  # a damaged count must not be believed
_MOST_DIMENSIONS = 8


@dataclass(frozen=True)
class Variable:
    """One variable of the file.

    Attributes:
        shape: Its dimensions; none of a number.
        dtype: One of :data:`DTYPES`.
        data: Its bytes, little-endian, in C order.
    """

    shape: tuple[int, ...]
    dtype: str
    data: memoryview

    @property
    def number(self) -> int | float:
        """The value of a variable without dimensions."""
        if self.dtype == "bfloat16":  # the upper half of a float32
            (upper,) = struct.unpack("<f", b"\0\0" + bytes(self.data))
            return float(upper)
        kind = {"int8": "b", "int16": "h", "int32": "i", "float32": "f", "float16": "e"}
        (found,) = struct.unpack(f"<{kind[self.dtype]}", self.data)
        return found if isinstance(found, float) else int(found)

    def rows(self, start: int, stop: int) -> Variable:
        """A part of its first dimension."""
        row = len(self.data) // self.shape[0]
        return Variable(
            (stop - start, *self.shape[1:]), self.dtype, self.data[start * row : stop * row]
        )


@dataclass(frozen=True)
class ModelFile:
    """What a ``model.bin`` holds.

    Attributes:
        spec: The architecture, as ``WhisperSpec``.
        revision: The version of that architecture's names.
        variables: By name.
        aliases: Names that stand for another variable.
    """

    spec: str
    revision: int
    variables: Mapping[str, Variable]
    aliases: Mapping[str, str]


def read_model_file(path: Path) -> ModelFile:
    """Read a ``model.bin``; the variables' bytes stay on the disk until they are used.

    Raises:
        ValueError: It is of another version, cut short, or damaged; the text ends a sentence that
            begins with the file's name.
        OSError: It cannot be read.
    """
    if path.stat().st_size == 0:
        raise ValueError("is empty")
    with path.open("rb") as file:
        content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    reader = _Reader(content)
    version = reader.number("I")
    if version != BINARY_VERSION:
        raise ValueError(
            f"has the binary version {version}, and {BINARY_VERSION} is what can be read; "
            "CTranslate2 3.24 to 4.8 write it"
        )
    spec = reader.text()
    revision = reader.number("I")
    variables: dict[str, Variable] = {}
    for _ in range(reader.count()):
        name = reader.text()
        if name in variables:
            raise ValueError(f"is damaged: it has {name} twice")
        variables[name] = reader.variable(name)
    aliases: dict[str, str] = {}
    for _ in range(reader.count()):
        alias, name = reader.text(), reader.text()
        if alias in variables or alias in aliases or name not in variables:
            raise ValueError(f"is damaged: its alias {alias} stands for nothing, or for two things")
        aliases[alias] = name
    if reader.left:
        raise ValueError(f"is damaged: {reader.left:,} bytes follow its end")
    return ModelFile(spec, revision, variables, aliases)


class _Reader:
    """From the beginning of a file to its end."""

    def __init__(self, content: memoryview) -> None:
        self._content = content
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._content) - self._at

    def take(self, size: int) -> memoryview:
        if size > self.left:
            raise ValueError(
                f"is cut short: it has {len(self._content):,} bytes and needs at least "
                f"{self._at + size:,}"
            )
        found = self._content[self._at : self._at + size]
        self._at += size
        return found

    def number(self, kind: str) -> int:
        (found,) = struct.unpack(f"<{kind}", self.take(struct.calcsize(f"<{kind}")))
        return int(found)

    def count(self) -> int:
        found = self.number("I")
        if found > _MOST_VARIABLES:
            raise ValueError(f"is damaged: it says that it has {found:,} variables")
        return found

    def text(self) -> str:
        length = self.number("H")
        written = bytes(self.take(length))
        if not written.endswith(b"\0"):
            raise ValueError("is damaged: a name in it has no end")
        try:
            return written[:-1].decode("utf-8")
        except UnicodeDecodeError:
            raise ValueError("is damaged: a name in it is not UTF-8") from None

    def variable(self, name: str) -> Variable:
        rank = self.number("B")
        if rank > _MOST_DIMENSIONS:
            raise ValueError(f"is damaged: {name} has {rank} dimensions")
        shape = tuple(self.number("I") for _ in range(rank))
        kind = self.number("B")
        if kind >= len(DTYPES):
            raise ValueError(f"is damaged: {name} is of the unknown type {kind}")
        size = self.number("I")
        dtype = DTYPES[kind]
        needed = math.prod(shape) * _BYTES[dtype]
        if size != needed:
            raise ValueError(f"is damaged: {name} has {size:,} bytes and needs {needed:,}")
        return Variable(shape, dtype, self.take(size))
