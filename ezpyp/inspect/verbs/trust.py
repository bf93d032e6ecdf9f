"""``trust``: say once for good that the results of a folder may be loaded."""

from pathlib import Path

import click

from ezpyp.errors import StoreError
from ezpyp.inspect.command import example
from ezpyp.inspect.text import one_line
from ezpyp.store.connection import check_there
from ezpyp.store.trust import trust_for_good


@click.command(epilog=example("cache trust"))
@click.pass_obj
def command(cache: str) -> None:
    """Allow loading results of a folder of somebody else.

    Loading a result can run code that was planted in it, so ezpyp refuses folders that belong to somebody
    else or that everybody may write. This says that you trust all who could have written this one. It is
    noted in a file of your own; the cache is not touched.
    """
    location = Path(cache).absolute()
    check_there(location)
    try:
        noted = trust_for_good(location)
    except (OSError, ValueError) as error:
        raise StoreError(f"{location} could not be noted as trusted: {error}") from error
    click.echo(one_line(f"{location} is trusted; noted in {noted}"))
