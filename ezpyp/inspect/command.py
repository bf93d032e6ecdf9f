"""What every verb has in common: the open cache, an example in its help, and how the command ends."""

import errno
import io
import sys
from collections.abc import Callable
from functools import update_wrapper
from typing import NoReturn

import click

from ezpyp.errors import DamagedIndexError, DamagedResultError, EzpypError
from ezpyp.inspect.output import one_line
from ezpyp.store.reader import Reader

PROGRAM = "python -m ezpyp.inspect"
PROBLEM, WRONG_USE = 1, 2
# What a shell gives for a program that SIGINT or SIGPIPE ended.
INTERRUPTED, READER_GONE = 130, 141
# SQLite's machine takes a millisecond for so many steps, and the call between them a ten-thousandth of that.
STEPS_BETWEEN_CALLS = 100_000


def example(arguments: str) -> str:
    """The end of a verb's help: a command to paste, which click must not wrap."""
    return f"\b\nExample:\n  {PROGRAM} {arguments}"


def open_reader(ctx: click.Context) -> Reader:
    """The cache that the command line names; closed when the verb ends."""
    reader = ctx.with_resource(Reader(ctx.obj))
    # Python handles Ctrl-C between its own steps only, and a query may take minutes. A signal in this call ends the
    # query with SQLITE_INTERRUPT, which the reader translates to KeyboardInterrupt.
    reader.connection.set_progress_handler(lambda: 0, STEPS_BETWEEN_CALLS)
    return reader


def reads(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the open cache as its first argument."""

    @click.pass_context
    def opened(ctx: click.Context, /, **options: object) -> None:
        verb(open_reader(ctx), **options)

    return update_wrapper(opened, verb)


# Endings: an exit code, and at most one line on stderr, whatever happens.


class CommandError(click.ClickException):
    """Wrong use, or no cache: one line, and exit code 2."""

    exit_code = WRONG_USE


class Problem(click.ClickException):
    """Something in the cache is not as it should be: one line, and exit code 1."""

    exit_code = PROBLEM


def problem() -> NoReturn:
    """End with exit code 1: something wrong was found, and is printed already."""
    click.get_current_context().exit(PROBLEM)


def exit_code(command: Callable[[], object]) -> int:
    """Run the command, and return its exit code; what went wrong is one line on stderr."""
    # Python has no such stream then; and a file that is opened next would get its number.
    if sys.stdout is None:
        return _report("standard output is closed: there is nowhere to write to", WRONG_USE)
    try:
        try:
            return _code(command)
        finally:
            sys.stdout.flush()
    except OSError as error:
        # Python flushes once more at its end, and would report the same in its own way.
        sys.stdout = io.StringIO()
        if error.errno == errno.EPIPE:
            return READER_GONE
        return _report(f"{error.filename or 'standard output'}: {error.strerror or error}", WRONG_USE)


def _code(command: Callable[[], object]) -> int:
    try:
        command()
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        return _report(error.format_message().rstrip(".") + _way_on(error), error.exit_code)
    except EzpypError as error:
        is_damage = isinstance(error, DamagedIndexError | DamagedResultError)
        return _report(str(error), PROBLEM if is_damage else WRONG_USE)
    except MemoryError:
        return _report("that needs more memory than there is", WRONG_USE)
    except (KeyboardInterrupt, click.Abort):
        return _report("Interrupted", INTERRUPTED, start="")
    return 0


def _way_on(error: click.ClickException) -> str:
    """What to type instead, after a wrong word on the command line."""
    if not isinstance(error, click.UsageError):
        return ""
    verb = error.ctx.info_name if error.ctx and error.ctx.parent else None
    return f"; see {PROGRAM} {f'{verb} ' if verb else ''}--help"


def _report(message: str, code: int, *, start: str = "Error: ") -> int:
    try:
        click.echo(start + one_line(message), err=True)
    except OSError:
        sys.stderr = io.StringIO()  # nobody reads it
    return code
