"""Text that is safe to show; rows as a table for people, and as JSON or CSV for programs."""

import json
import math
import os
import re
import shlex
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click

# Control characters could clear a terminal or forge a line; so could bidirectional overrides. Lone surrogates
# cannot be written at all.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_UNSAFE_IN_BLOCK = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def _escaped(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape", "surrogatepass").decode()


def one_line(text: str) -> str:
    """Text with everything visible on one line."""
    return text if text.isascii() and text.isprintable() else _UNSAFE.sub(_escaped, text)


def block(text: str) -> str:
    """Text of several lines, without control characters but line ends and tabs."""
    return _UNSAFE_IN_BLOCK.sub(_escaped, text)


def duration(seconds: float | None) -> str:
    """Seconds in the unit that suits them.

    Example:
        >>> [duration(s) for s in (None, 0.0000123, 0.0123, 1.5, 75, 4000, 90000)]
        ['-', '12 us', '12.3 ms', '1.50 s', '1 min 15 s', '1 h 06 min', '1 d 01 h']
    """
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{seconds * 1e6:.0f} us" if seconds < 1e-3 else f"{seconds * 1e3:.1f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s"
    for upper, whole, big, small in ((3600, 60, "min", "s"), (86400, 3600, "h", "min")):
        if seconds < upper:
            rest = int(seconds % whole * 60 / whole)
            return f"{int(seconds // whole)} {big} {rest:0{1 if small == 's' else 2}d} {small}"
    return f"{int(seconds // 86400)} d {int(seconds % 86400 // 3600):02d} h"


def size(count: int | None) -> str:
    """Bytes in the unit that suits them.

    Example:
        >>> [size(n) for n in (None, 5, 1023, 2048, 5_000_000)]
        ['-', '5 B', '1023 B', '2.0 KiB', '4.8 MiB']
    """
    if count is None or count < 1024:
        return "-" if count is None else f"{count} B"
    power = min(5, (count.bit_length() - 1) // 10)
    return f"{count / 1024**power:.1f} {' KMGTP'[power]}iB"


def moment(unix_s: float | None) -> str:
    """A time in the reader's own zone, to the second; ``-`` for none."""
    return "-" if unix_s is None else datetime.fromtimestamp(unix_s).isoformat(" ", "seconds")


def count(number: int, noun: str) -> str:
    """A number with its noun, in the plural where that is right."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def typed(name: str) -> str:
    """A name as it can be typed or pasted on a command line, where a verb finds it again."""
    return f"{'-- ' if name.startswith('-') else ''}{shlex.quote(one_line(name))}"


# json.dumps escapes only the control characters below a blank: U+009B alone starts a command of a terminal, and
# U+202E reverses a line. A lone surrogate cannot be encoded.
_UNSAFE_IN_JSON = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def _json(value: object, *, indent: int | None = None) -> str:
    """A value as JSON; numbers that JSON does not know as "Infinity", "-Infinity" and "NaN".

    Not null, which means that there is no value; and Python's float() and numpy read these texts.
    """
    is_ascii = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    try:
        text = json.dumps(value, indent=indent, ensure_ascii=is_ascii, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(value), indent=indent, ensure_ascii=is_ascii)
    return _UNSAFE_IN_JSON.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def _finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return value


# ASCII, Western letters, lines and blocks: each takes one column.
_NARROW = re.compile("[\x20-\x7e\xa1-\xac\xae-\u02ff\u2013-\u2026\u2500-\u259f]*")
GAP = "  "
COLOURS = {"done": "green", "failed": "red", "skipped": "yellow", "running": "cyan", "pending": "blue"}
COLOURS |= {"completed": "green", "killed": "red", "interrupted": "yellow", "cached": "green"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table; ``text`` says how people see a value, and numbers are aligned to the right."""

    name: str
    text: Callable[..., str] | None = None
    is_number: bool = False
    title: str = ""

    @property
    def heading(self) -> str:
        """What stands above the column."""
        return one_line(self.title or self.name)

    def show(self, value: object) -> str:
        """The value on one line."""
        return one_line(self.text(value) if self.text else "-" if value is None else str(value))


Row = Mapping[str, object]

Decorator = Callable[[Callable[..., None]], Callable[..., None]]


def format_option(*forms: str) -> Decorator:
    """The option in which form a verb answers; the first is the default."""
    form = click.Choice(forms)
    return click.option("--format", "form", type=form, default=forms[0], show_default=True, help="How to say it.")


TABLE, PAGE = ("table", "json", "csv"), ("text", "json")


def write_rows(
    rows: Iterable[Row], columns: Sequence[Column], form: str, *, fields: Sequence[str], empty: str = ""
) -> None:
    """Write rows: people see the columns, or what is said of no rows; programs get the fields, in this order."""
    if form == "json":
        write_json_rows({field: row[field] for field in fields} for row in rows)
    elif form == "csv":
        _write_csv(rows, fields)
    else:
        _write_table(rows, columns, empty)


def write_json_rows(rows: Iterable[Row]) -> None:
    """A JSON array, one row a line, so that a million rows stream and ``grep`` works."""
    between = "[\n"
    for row in rows:
        sys.stdout.write(between + _json(row))
        between = ",\n"
    sys.stdout.write("[]\n" if between == "[\n" else "\n]\n")


def write_json(value: object) -> None:
    """One JSON value, indented."""
    sys.stdout.write(_json(value, indent=2) + "\n")


def _write_csv(rows: Iterable[Row], fields: Sequence[str]) -> None:
    import csv

    is_seen = sys.stdout.isatty()  # programs get the very text

    def cell(value: object) -> object:
        if isinstance(value, bool):
            return int(value)  # as in SQLite
        return one_line(value) if is_seen and isinstance(value, str) else value

    out = csv.writer(_Lines())
    out.writerow(map(cell, fields))
    out.writerows(map(cell, map(row.__getitem__, fields)) for row in rows)


class _Lines:
    r"""Standard output for csv's own line ends: with "\n" for its line end it would leave a bare "\r" unquoted."""

    def write(self, line: str) -> object:
        return sys.stdout.write(line.removesuffix("\r\n") + "\n")


def _write_table(rows: Iterable[Row], columns: Sequence[Column], empty: str) -> None:
    cells = [[column.show(row[column.name]) for column in columns] for row in rows]
    if not cells and empty:
        click.echo(empty)
        return
    for line in table_lines(cells, columns, room=terminal_width()):
        sys.stdout.write(line + "\n")


def has_colours() -> bool:
    """Whether the output goes to a terminal that shows colours, and nobody asked for none (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def terminal_width() -> int | None:
    """Columns of the terminal, or None where the output goes to a pipe or a file and nothing is left out."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def fitted(line: str) -> list[str]:
    """A line broken between words to the width of the terminal."""
    room = terminal_width()
    if room is None or width(line) <= room:
        return [line]
    return textwrap.wrap(line, room, subsequent_indent=" " * 6, break_long_words=False, break_on_hyphens=False)


def table_lines(cells: list[list[str]], columns: Sequence[Column], room: int | None) -> Iterator[str]:
    """The lines of a table; a terminal too narrow loses columns from the right, and says so."""
    widths = [max(map(width, column)) for column in zip([column.heading for column in columns], *cells, strict=True)]
    shown = len(columns) if room is None else _fitting(widths, room)
    yield _line([column.heading for column in columns[:shown]], widths, columns)
    is_coloured = room is not None and has_colours()
    for row in cells:
        yield _line(row[:shown], widths, columns, is_coloured=is_coloured)
    if room is not None and shown < len(columns):
        left_out = ", ".join(column.heading for column in columns[shown:])
        yield from fitted(f"(this terminal has no room for {left_out}; a pipe, --format json and csv show all)")


def _fitting(widths: Sequence[int], room: int) -> int:
    used = -len(GAP)
    for number, needed in enumerate(widths):
        used += needed + len(GAP)
        if used > room:
            return max(number, 3)
    return len(widths)


def _line(cells: Sequence[str], widths: Sequence[int], columns: Sequence[Column], *, is_coloured: bool = False) -> str:
    padded = []
    for cell, wide, column in zip(cells, widths, columns, strict=False):
        blanks = " " * (wide - width(cell))
        shown = click.style(cell, fg=COLOURS.get(cell)) if is_coloured and cell in COLOURS else cell
        padded.append(blanks + shown if column.is_number else shown + blanks)
    return GAP.join(padded).rstrip(" ")


def width(text: str) -> int:
    """Columns that a text takes on a terminal: two for a Chinese character, none for a combining one."""
    if _NARROW.fullmatch(text):
        return len(text)
    from rich.cells import cell_len  # 20 ms at import: only for those who need it

    return cell_len(text)


# A page about one thing: labels with values, headings, code and tracebacks.

LABEL_WIDTH = 10


def heading(text: str) -> None:
    """A title line with an empty one before it."""
    click.echo()
    click.secho(one_line(text), bold=True)


def title(text: str, status: str, rest: str) -> None:
    """The first line: what it is about, and how it stands."""
    shown = click.style(status, fg=COLOURS.get(status), bold=True)
    click.echo(f"{click.style(one_line(text), bold=True)}: {shown}{one_line(rest)}")


def entry(label: str, values: str | Iterable[str]) -> None:
    """A label and its values, one a line; nothing where there are none."""
    lines = [values] if isinstance(values, str) else list(values)
    for number, value in enumerate(lines):
        start = click.style((label if number == 0 else "").ljust(LABEL_WIDTH), dim=True)
        click.echo(f"  {start}  {one_line(value)}")


def commit(digest: str | None, is_dirty: bool | None) -> Sequence[str]:
    """The commit that a run was of; nothing where the script lies in no repository."""
    state = {None: "", True: ", changed since", False: ", unchanged"}[is_dirty]
    return [f"commit {digest[:12]}{state}"] if digest else []


def print_error(error: Mapping[str, Any]) -> None:
    """What went wrong and where, or who is to blame; and the traceback."""
    if error["blame"]:
        entry("skipped", f"because {error['blame']} failed")
    if error["type"]:
        place = f" ({error['file']}:{error['line']})" if error["file"] else ""
        heading(f"{error['type']}: {error['message']}{place}")
    if error["traceback"]:
        code(error["traceback"], "pytb")


def code(text: str, language: str) -> None:
    """Source or a traceback: coloured on a terminal, as it stands elsewhere."""
    text = block(text).rstrip("\n")
    if not has_colours():
        click.echo(text)
        return
    from rich.console import Console
    from rich.syntax import Syntax

    Console().print(Syntax(text, language, theme="ansi_dark", background_color="default", word_wrap=True))
