"""A page about one thing: labels with values, headings, code and tracebacks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from ezpyp.inspect._output import COLOURS, has_colours
from ezpyp.inspect._text import block, one_line

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


def error_heading(error: Mapping[str, Any]) -> None:
    """The first thing to know of an error: what it was and where, or who is to blame."""
    if error["blame"]:
        entry("skipped", f"because {error['blame']} failed")
    if error["type"]:
        place = f" ({error['file']}:{error['line']})" if error["file"] else ""
        heading(f"{error['type']}: {error['message']}{place}")


def code(text: str, language: str) -> None:
    """Source or a traceback: coloured on a terminal, as it stands elsewhere."""
    text = block(text).rstrip("\n")
    if not has_colours():
        click.echo(text)
        return
    from rich.console import Console
    from rich.syntax import Syntax

    Console().print(Syntax(text, language, theme="ansi_dark", background_color="default", word_wrap=True))
