"""What a person sees: lines, tables and progress, on a terminal or in a plain log.

Everything said here also goes to the logger ``mynah``, which a run writes to its log file.
"""

from __future__ import annotations

import logging
import os
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, TextIO, cast

if TYPE_CHECKING:  # rich is imported when something is printed
    from rich.console import Console, RenderableType
    from rich.table import Table

_LOG = logging.getLogger("mynah")
_LOG.addHandler(logging.NullHandler())  # else logging prints warnings a second time
_DELETE = 0x7F
# Control characters have pictures in Unicode; those from 0x80 on are written as escapes.
_SHOWN = {
    **{code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"},
    _DELETE: "␡",
    **{code: f"\\x{code:02x}" for code in range(0x80, 0xA0)},
    # What turns the direction of all that follows it, so that a name reads as another one.
    **{code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))},
}
_LEAST_WIDTH = 10  # of a paragraph; a terminal that says it is narrower gets longer lines
_PLAIN_SECONDS = 10.0  # between two progress lines where the output is not a terminal


class _Screen:
    """Standard output or error, whose end is not that of the work: what nobody reads is dropped.

    A pipe may be closed (``| head -1``), a terminal gone, a file on a full disk.
    """

    def __init__(self) -> None:
        self.is_error = False
        self.problem: OSError | None = None

    @property
    def rich_proxied_file(self) -> _Screen:
        """Itself, for rich, which puts another standard output in place while a bar is shown."""
        return self

    def write(self, text: str) -> int:
        """Write, or drop the text."""
        self._try(lambda stream: stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Flush, or do nothing."""
        self._try(lambda stream: stream.flush())

    def _try(self, action: Callable[[TextIO], object]) -> None:
        stream = self._stream()
        if self.problem is not None or stream is None:
            return
        try:
            action(stream)
        except OSError as problem:
            self.problem = problem
            with suppress(OSError, ValueError):  # what is held back still has to go somewhere
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            _LOG.warning("The screen cannot be written to any more (%s): this log goes on", problem)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream(), name)

    def _stream(self) -> TextIO | None:
        standard = sys.stderr if self.is_error else sys.stdout
        stream: TextIO | None = getattr(standard, "rich_proxied_file", standard)
        return stream


# Of several processes that train one model, the first prints.
_screen = _Screen()
_is_quiet = os.environ.get("RANK", "").strip("0 ").isdecimal()


def hush(quiet: bool) -> None:
    """Say nothing on the screen from now on, or speak again."""
    global _is_quiet
    _is_quiet = quiet
    if console.cache_info().currsize:
        console().quiet = quiet


def unread() -> OSError | None:
    """Why nobody has what was said; None where a log has it, or its reader had seen enough."""
    _screen.flush()
    logged = any(not isinstance(one, logging.NullHandler) for one in _LOG.handlers)
    problem = _screen.problem
    return None if logged or isinstance(problem, BrokenPipeError) else problem


def use_stderr(wanted: bool = True) -> None:
    """Print to standard error from now on: standard output is for what a command makes."""
    _screen.is_error = wanted


@cache
def console() -> Console:
    """The console that everything is printed to."""
    from rich.console import Console

    return Console(
        file=cast(TextIO, _screen),
        highlight=False,
        soft_wrap=True,
        quiet=_is_quiet,
        width=80 if os.environ.get("COLUMNS") == "0" else None,  # some shells' way: not known
    )


def visible(text: str) -> str:
    """The text with its control characters made visible, but for line ends and tabs.

    Bytes of a name that are not UTF-8 become escapes: no screen can be given them.
    """
    return text.translate(_SHOWN).encode("utf-8", "backslashreplace").decode()


def fill(text: str, indent: str = "", *, most: int = 1000) -> list[str]:
    """A paragraph as lines that the screen holds, broken between words alone.

    Args:
        text: The paragraph.
        indent: Before each line; what is broken goes two further in, where it is not "".
        most: The longest line, in characters.
    """
    return textwrap.wrap(
        text,
        max(min(console().width, most), _LEAST_WIDTH),
        initial_indent=indent,
        subsequent_indent=f"{indent}  " if indent else "",
        break_long_words=False,
        break_on_hyphens=False,
    )


def say(text: str = "") -> None:
    """Print one line, and log it; here as everywhere, control characters are made visible."""
    text = visible(text)
    console().print(text, markup=False)
    if text.strip():
        _LOG.info(text)


def notice(text: str) -> None:
    """Print something the user should know that stops nothing."""
    text = visible(text)
    console().print(f"note: {text}", style="yellow", markup=False)
    _LOG.warning(text)


def error(text: str) -> None:
    """Print an error message on standard error."""
    from rich.console import Console

    text = visible(text)
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        f"error: {text}", style="bold red" if console().is_terminal else "", markup=False
    )
    _LOG.error(text)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; the first column is left-aligned, the others right-aligned."""
    from rich.table import Table
    from rich.text import Text

    title, rows = visible(title), [[visible(cell) for cell in row] for row in rows]
    made = Table()
    for position, column in enumerate(columns):
        made.add_column(column, justify="left" if position == 0 else "right")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))  # brackets are not markup
    if title:
        console().print(Text(title, style="bold"))
        _LOG.info(title)
    print_table(made)
    for row in [columns, *rows]:
        _LOG.info("  %s", " | ".join(row))


def print_table(made: Table) -> None:
    """Print a table with every word and number intact, whatever the screen's width.

    Columns are narrowed down to their longest word, those that were asked not to wrap not at all.
    Where even that is too wide, each row becomes a list of ``column: cell``.
    """
    from rich.cells import cell_len

    cells = [[_plain(column.header), *map(_plain, column.cells)] for column in made.columns]
    widths = [max(map(cell_len, "\n".join(column).split("\n"))) for column in cells]
    least = [
        width if column.no_wrap else max(map(cell_len, " ".join(texts).split()), default=0)
        for column, texts, width in zip(made.columns, cells, widths, strict=True)
    ]
    # What the frame and the space between columns take: all that stays beside the cells.
    unbounded = console().options.update(width=sum(widths) + 100 * (len(widths) + 1))
    room = console().width - (console().measure(made, options=unbounded).maximum - sum(widths))
    if sum(least) > room:
        return _print_as_list(cells)
    while sum(widths) > room:
        spare = [width - low for width, low in zip(widths, least, strict=True)]
        widest = max(range(len(widths)), key=lambda one: (spare[one] > 0, widths[one]))
        widths[widest] -= 1
    for column, width in zip(made.columns, widths, strict=True):
        column.width = width
    console().print(made)
    return None


def _print_as_list(cells: Sequence[Sequence[str]]) -> None:
    """Rows as lines of ``column: cell``, the columns' cells given with their headers."""
    from rich.text import Text

    headers, *rows = zip(*cells, strict=True)
    for row in rows:
        indent = ""
        for header, cell in zip(headers, row, strict=True):
            said = " ".join(f"{header}: {cell}".split() if header else cell.split())
            if not cell.strip():
                continue
            for line in fill(said, indent):
                console().print(Text(line))
            indent = "  "


def _plain(cell: RenderableType) -> str:
    """A cell's text."""
    from rich.text import Text

    return cell.plain if isinstance(cell, Text) else str(cell)


class Advance(Protocol):
    """What :func:`progress` yields: call it with how many units are done, and a note."""

    def __call__(self, amount: float = 1, note: str = "") -> None: ...


@contextmanager
def progress(description: str, total: int | None, unit: str = "") -> Iterator[Advance]:
    """Show progress with a rate and an estimate: a bar on a terminal, lines elsewhere.

    Args:
        description: What is being done.
        total: How many units there are, or None where that is not known.
        unit: What is counted, as ``"utterances"``.
    """
    if console().is_terminal:
        from rich import progress as bars

        columns = (
            bars.TextColumn("{task.description}"),
            bars.BarColumn(),
            bars.MofNCompleteColumn(),
            bars.TextColumn(unit),
            bars.TextColumn("{task.fields[rate]}"),
            bars.TimeElapsedColumn(),
            bars.TimeRemainingColumn(),
            bars.TextColumn("{task.fields[note]}"),
        )
        with bars.Progress(*columns, console=console(), transient=True) as bar:
            task = bar.add_task(description, total=total, note="", rate="")
            started = time.monotonic()

            def advance(amount: float = 1, note: str = "") -> None:
                bar.advance(task, amount)
                done = bar.tasks[0].completed
                elapsed = max(time.monotonic() - started, 1e-9)
                bar.update(task, rate=f"{done / elapsed:,.1f}/s")
                if note:
                    bar.update(task, note=note)

            yield advance
        return
    started = printed = time.monotonic()
    done = 0.0
    lock = threading.Lock()  # several threads may tell what they have done

    def advance_plain(amount: float = 1, note: str = "") -> None:
        nonlocal done, printed
        with lock:
            done += amount
            now = time.monotonic()
            due = now - printed >= _PLAIN_SECONDS
            printed = now if due else printed
        if due:
            rate = done / max(now - started, 1e-9)
            left = f", {(total - done) / rate:,.0f} s left" if total and rate else ""
            of_total = f"/{total:,}" if total else ""
            say(f"{description}: {done:,.0f}{of_total} {unit}, {rate:,.1f}/s{left} {note}".rstrip())

    yield advance_plain
