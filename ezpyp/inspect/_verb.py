"""What every verb has in common: the open cache, and an example in its help."""

from collections.abc import Callable

import click

from ezpyp.inspect._ending import PROGRAM, Failure, Problem, problem
from ezpyp.inspect._reader import Reader

__all__ = ["Failure", "Problem", "example", "open_reader", "problem", "reads"]

# So many steps of SQLite's machine take a millisecond, and the call between them a ten-thousandth of that.
STEPS_BETWEEN_LOOKS = 100_000


def example(words: str) -> str:
    """The end of a verb's help: a command to paste, which click must not wrap.

    Example:
        >>> example("cache why gamma").splitlines()[-1]
        '  python -m ezpyp.inspect cache why gamma'
    """
    return f"\b\nExample:\n  {PROGRAM} {words}"


def open_reader(ctx: click.Context) -> Reader:
    """The cache that the command line names; closed when the verb ends."""
    reader = ctx.with_resource(Reader(ctx.obj))
    # Python sees Ctrl-C between its own steps only, and SQLite may take minutes to answer. What the signal raises in
    # here SQLite tells as SQLITE_INTERRUPT, and the reader as KeyboardInterrupt.
    reader.connection.set_progress_handler(lambda: 0, STEPS_BETWEEN_LOOKS)
    return reader


def reads(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the open cache as its first argument."""

    @click.pass_context
    def opened(ctx: click.Context, /, **options: object) -> None:
        verb(open_reader(ctx), **options)

    opened.__doc__ = verb.__doc__
    opened.__name__ = verb.__name__
    opened.__dict__.update(verb.__dict__)
    return opened
