"""``get NAME -o FILE``: the stored bytes of a result."""

import sys
from pathlib import Path

import click

from ezpyp.inspect.command import CommandError, Problem, example, reads
from ezpyp.inspect.facts import live_run, state
from ezpyp.inspect.find import find_step, name_words
from ezpyp.inspect.output import one_line, size
from ezpyp.store.objects import FILE_SUFFIX, ObjectStore
from ezpyp.store.reader import Reader
from ezpyp.store.results import check_payload, files_of
from ezpyp.store.rows import StepView


@click.command(epilog=example("cache get gamma -o gamma.pickle"))
@name_words()
@click.option("-o", "--output", required=True, metavar="FILE", help="Or a folder, or - for standard output.")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@click.option("--run", type=int, help="As it stood after this run.")
@click.option("--revision", type=int, help="As this revision of the schema has it.")
@reads
def get(
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
    Of a result that names files (`ezpyp.File`) it is those files.
    `show NAME` names the codec. In a folder the file is called by the name, with the codec's suffix.
    """
    step = find_step(reader, words, reader.view(run=run, revision=revision)).step
    if output == "-" and sys.stdout.isatty():
        raise CommandError("bytes would garble this terminal: give -o FILE, or a pipe")
    with reader.translated():
        files = files_of(reader.connection, step.result_id) if step.result_id is not None else ()
    if files and output != "-" and (len(files) == 1 or Path(output).is_dir()):
        for named in files:
            target = Path(output, Path(named.path).name) if Path(output).is_dir() else Path(output)
            data = ObjectStore(reader.location, trust=True).open(named.digest, FILE_SUFFIX, named.size, verify=True)
            _write(target, data, force=force)
            click.echo(one_line(f"{target}: {size(named.size)} of {named.path}, a file of {step.name}"), err=True)
        return
    data, suffix = _stored(reader, step)
    if output == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    file = Path(output)
    if file.is_dir():
        # A name of a step may hold what none of a file may, or what no shell likes to see.
        file /= one_line(step.name + suffix).replace("/", "_").replace("\\", "_")
    _write(file, data, force=force)
    click.echo(one_line(f"{file}: {size(len(data))} of {step.name}"), err=True)


def _write(file: Path, data: memoryview, *, force: bool) -> None:
    try:
        with file.open("wb" if force else "xb") as out:
            out.write(data)
    except FileExistsError:
        raise CommandError(f"{file} is there already; --force overwrites it") from None
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}") from error


def _stored(reader: Reader, step: StepView) -> tuple[memoryview, str]:
    """The bytes of a result, checked against their digest, and how the name of a file of that codec ends."""
    if step.result_id is None:
        raise Problem(f"{step.name} has no result: it is {state(step, live_run(reader))}")
    digest, suffix, size, payload = reader.must(
        "SELECT o.digest, o.suffix, o.size, o.payload FROM results r"
        " JOIN results o ON o.id = coalesce(r.origin, r.id) WHERE r.id = ?",
        [step.result_id],
    )
    if payload is None:
        # Trusted, since the bytes are only looked at; what refuses untrusted folders is loading.
        return ObjectStore(reader.location, trust=True).open(digest, suffix, size, verify=True), suffix
    check_payload(step.name, payload, digest, size)
    return memoryview(payload), suffix
