"""What every verb has in common: the open cache, and how it ends."""

from collections.abc import Callable
from typing import NoReturn

import click

from ezpyp.inspect._reader import Reader

PROBLEM, WRONG_USE = 1, 2


class Failure(click.ClickException):
    """Wrong use, or no cache: one line, and exit code 2."""

    exit_code = WRONG_USE


class Problem(click.ClickException):
    """Something in the cache is not as it should be: one line, and exit code 1."""

    exit_code = PROBLEM


def open_reader(ctx: click.Context) -> Reader:
    """The cache that the command line names; closed when the verb ends."""
    return ctx.with_resource(Reader(ctx.obj))


def reads(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the open cache as its first argument."""

    @click.pass_context
    def opened(ctx: click.Context, /, **options: object) -> None:
        verb(open_reader(ctx), **options)

    opened.__doc__ = verb.__doc__
    opened.__name__ = verb.__name__
    opened.__dict__.update(verb.__dict__)
    return opened


def problem() -> NoReturn:
    """End with the exit code that says: looked, and found something wrong."""
    click.get_current_context().exit(PROBLEM)
