"""What the acceptance tests share: fresh processes, reruns, snapshots, a trace of the bodies that ran."""

import ctypes
import os
import re
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import ezpyp
from ezpyp import Pipeline
from tests.mpi import clean_environ

HEADER = re.compile(
    r"Pipeline '(?P<id>.+)' @ (?P<location>.+), revision (?P<revision>\d+): "
    r"(?P<steps>\d+) steps?, (?P<cached>\d+) cached, (?P<to_run>\d+) to run"
)
SHORT_STEP = re.compile(r"^step(\(.*?\))? (\w+)\((.*?)\): (.+)$", re.MULTILINE)


def ran(word: object) -> None:
    """Note that a body runs; a step's body calls this first.

    A file, not a list: a list in the test's module would be a global of the body, and count in its key.
    """
    trace = os.environb[b"TRACE_FILE"]  # as bytes a variable is not observed
    handle = os.open(trace, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, f"{word}\n".encode())
    os.close(handle)


class Bodies:
    """The bodies that ran, in order, since they were last asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def take(self) -> list[str]:
        """Give the words noted since the last call, in order, and forget them."""
        words = self.path.read_text().splitlines() if self.path.exists() else []
        self.path.unlink(missing_ok=True)
        return words


def traced(path: Path, **more: str) -> dict[str, str]:
    """Give the variables with which a fresh process notes its bodies in a file, with `ran`."""
    return {"TRACE_FILE": str(path), **more}


def launch(
    script: Path,
    *,
    env: Mapping[str, str] | None = None,
    before: Callable[[], None] | None = None,
    timeout_s: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Run a script in a fresh serial process and give what it wrote."""
    return subprocess.run(
        [sys.executable, str(script)],
        env=clean_environ(env),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        preexec_fn=before,
    )


def obey_permissions() -> None:
    """Make root in a new process obey file modes; for `launch`'s ``before``.

    Dropping CAP_DAC_OVERRIDE from the bounding set takes effect at exec; anybody but root obeys anyhow.
    """
    if os.geteuid() == 0:
        drop, override, read_search = 24, 1, 2
        libc = ctypes.CDLL(None)
        assert libc.prctl(drop, override, 0, 0, 0) == 0
        assert libc.prctl(drop, read_search, 0, 0, 0) == 0


def declared(location: Path, source: str, *, pipeline_id: str = "study", revise: object = False) -> Pipeline:
    """Run the text of a user's script against a new pipeline at a location, as a rerun would.

    The text finds ``pipeline``, ``step``, ``ran`` and everything public of ezpyp; its file is ``script.py`` beside the
    location. Returns the pipeline.
    """
    pipeline = Pipeline(location, pipeline_id, revise=revise)  # type: ignore[arg-type]  # any form is passed on
    # A location below a file has no folder to write beside.
    script = next(folder for folder in location.parents if folder.is_dir()) / "script.py"
    script.write_text(expanded(textwrap.dedent(source)))
    public = {name: getattr(ezpyp, name) for name in ezpyp.__all__}
    names: dict[str, object] = public | {"__name__": "study", "pipeline": pipeline, "step": pipeline.step, "ran": ran}
    exec(compile(script.read_text(), str(script), "exec"), names)
    return pipeline


def executed(location: Path, source: str, *, pipeline_id: str = "study", **options: object) -> Pipeline:
    """Declare a script's text as `declared` does, execute it with the options, and give the pipeline."""
    pipeline = declared(location, source, pipeline_id=pipeline_id)
    pipeline.execute(**options)  # type: ignore[arg-type]  # any option is passed on
    return pipeline


def expanded(source: str) -> str:
    """Write out the steps of a script that are put in short.

    ``step NAME(PARAMETERS): STATEMENT``, or ``step(OPTIONS) NAME(...): ...``, becomes a decorated function that notes
    its name with `ran` before it does the statement.
    """
    return SHORT_STEP.sub(r'@step\1\ndef \2(\3):\n    ran("\2")\n    \4\n', source)


def edit(source: str, *changes: tuple[str, str]) -> str:
    """Replace each old text, which must stand there exactly once, by its new one."""
    for old, new in changes:
        assert source.count(old) == 1, f"{old!r} stands {source.count(old)} times in the script"
        source = source.replace(old, new)
    return source


def header(output: str) -> dict[str, str]:
    """Give the parts of the last header line of an output."""
    found = [match.groupdict() for match in map(HEADER.fullmatch, output.splitlines()) if match]
    assert found, f"no header line in:\n{output}"
    return found[-1]


def query(location: Path, statement: str, *values: object) -> list[tuple[object, ...]]:
    """Ask the index of a location, read-only."""
    with closing(sqlite3.connect(f"file:{location / 'ezpyp.sqlite'}?mode=ro", uri=True)) as connection:
        return connection.execute(statement, values).fetchall()


def stored(location: Path) -> dict[str, Path]:
    """The object of each step that has one."""
    rows = query(
        location,
        "SELECT s.name, lower(hex(r.digest)), r.suffix FROM steps s JOIN results r ON r.key = s.key"
        " WHERE r.payload IS NULL ORDER BY r.id",
    )
    return {str(name): location / "objects" / f"{str(d)[:2]}/{str(d)[2:]}{suffix}" for name, d, suffix in rows}


def snapshot(location: Path) -> dict[str, object]:
    """Give everything that a location holds: its rows, the lock's aside, and the bytes of its files.

    The index's own files are left out: a reader may fold the write-ahead log in without changing a row.
    """
    held: dict[str, object] = {
        str(path.relative_to(location)): path.read_bytes()
        for path in sorted(location.rglob("*"))
        if path.is_file() and not path.name.startswith("ezpyp.sqlite")
    }
    tables = query(location, "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'holder' ORDER BY name")
    for (table,) in tables:
        held[f"table {table}"] = query(location, f"SELECT * FROM {table}")
    return held


def spoil(location: Path, column: str, *, result: int = 1) -> None:
    """Flip a bit of a result's row, as a bad disk does: no trigger sees it."""
    with closing(sqlite3.connect(location / "ezpyp.sqlite", isolation_level=None)) as connection:
        (trigger,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'results_no_update'").fetchone()
        (value,) = connection.execute(f"SELECT {column} FROM results WHERE id = ?", (result,)).fetchone()
        connection.execute("DROP TRIGGER results_no_update")
        connection.execute(f"UPDATE results SET {column} = ? WHERE id = ?", (_flipped(value), result))
        connection.execute(trigger)


def _flipped(value: object) -> object:
    if isinstance(value, int):
        return value ^ 1
    if isinstance(value, str):
        return chr(ord(value[0]) ^ 1) + value[1:]
    assert isinstance(value, bytes)
    return value[:-3] + bytes([value[-3] ^ 1]) + value[-2:]
