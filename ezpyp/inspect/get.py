"""``get NAME -o FILE``: the stored bytes of a result."""

import sys
from pathlib import Path

import click

from ezpyp.errors import DamagedResultError, StoreError
from ezpyp.inspect._find import find_step, name_words
from ezpyp.inspect._reader import Reader
from ezpyp.inspect._results import content
from ezpyp.inspect._rows import StepRow
from ezpyp.inspect._text import one_line, size
from ezpyp.inspect._verb import Problem, reads


@click.command(epilog="Example: python -m ezpyp.inspect cache get picture -o picture.pkl")
@name_words()
@click.option("-o", "--output", required=True, metavar="FILE", help="Where to; - is standard output.")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@click.option("--run", type=int, help="As it stood after this run.")
@click.option("--revision", type=int, help="As this revision of the schema has it.")
@reads
def command(
    reader: Reader,
    words: tuple[str, ...],
    output: str,
    *,
    force: bool,
    run: int | None,
    revision: int | None,
) -> None:
    """Write the stored bytes of a result to a file.

    The bytes are those that the step's codec made, checked against their digest; nothing is unpickled.
    `show NAME` tells the codec.
    """
    step = find_step(reader, words, reader.view(run=run, revision=revision)).step
    data = _bytes(reader, step)
    if output == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    try:
        with Path(output).open("wb" if force else "xb") as file:
            file.write(data)
    except FileExistsError:
        raise click.UsageError(f"{output} is there already; --force overwrites it") from None
    except OSError as error:
        raise StoreError(f"{output} cannot be written: {error.strerror}") from error
    click.echo(one_line(f"{output}: {size(len(data))} of {step.name}"), err=True)


def _bytes(reader: Reader, step: StepRow) -> memoryview:
    if step.result_id is None:
        raise Problem(f"{step.name} has no result: it is {step.status.word}")
    try:
        return content(reader, step.result_id)
    except DamagedResultError as error:
        raise Problem(str(error)) from error
