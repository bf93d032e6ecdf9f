"""Every verb, in every format, on every kind of cache: the right exit code, valid JSON, or one clear line."""

import csv
import functools
import io
import json
import os
import pickle
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import jsonschema
import pytest
import sqlite_utils  # noqa: F401 - `sql` imports it, and nobody may not read the packages of root

from ezpyp.errors import CacheFormatError, CacheNotFoundError, DamagedIndexError, StoreError
from ezpyp.inspect.__main__ import VERBS, cli
from ezpyp.store.reader import Reader
from tests.inspect import build

SCHEMAS = Path(__file__).absolute().parents[2] / "docs" / "schemas"
NOBODY = 65534

# Each verb with all that it needs, and the formats that it knows.
ROWS, PAGE = ("table", "json", "csv"), ("text", "json")
ASKED: dict[str, tuple[list[str], tuple[str, ...]]] = {
    "runs": ([], ROWS),
    "steps": ([], ROWS),
    "steps --status failed": ([], ROWS),
    "show": (["alpha"], PAGE),
    "why": (["alpha"], PAGE),
    "log": (["alpha"], PAGE),
    "log --failed": ([], PAGE),
    "diff": ([], PAGE),
    "lineage": (["alpha"], PAGE),
    "graph": ([], ("text", "mermaid", "dot", "svg", "json")),
    "timeline": ([], ("table", "svg", "json", "csv")),
    "get": (["alpha", "-o", "-"], ()),
    "verify": ([], ROWS),
    "du": ([], ROWS),
    "sql": (["SELECT * FROM latest"], ROWS),
    "trust": ([], ()),
}
CALLS = [("", None), *((verb, form) for verb, (_, forms) in ASKED.items() for form in (forms or (None,)))]


def with_index(folder: Path, content: bytes) -> None:
    folder.mkdir()
    (folder / "ezpyp.sqlite").write_bytes(content)


def with_format(folder: Path, value: str) -> None:
    cache = build.finished(folder)
    cache.db.execute("UPDATE meta SET value = ? WHERE name = 'format'", [value])
    cache.close()


def changed(folder: Path, change: Callable[[bytes], bytes]) -> None:
    index = build.finished(folder).close() / "ezpyp.sqlite"
    index.write_bytes(change(index.read_bytes()))


def of_another_program(folder: Path) -> None:
    folder.mkdir()
    with closing(sqlite3.connect(folder / "ezpyp.sqlite")) as index:
        index.execute("CREATE TABLE t (a)")


# Kind of cache: how it is made, and verb -> its exit code where that is not 0; the overview is the verb "".
KINDS: dict[str, tuple[Callable[[Path], object], dict[str, int]]] = {
    "finished": (lambda f: build.finished(f).close(), {}),
    "moved": (lambda f: build.finished(f.with_name("before")).close().rename(f), {}),
    "running": (build.running, {}),
    "declared": (lambda f: build.declared(f).close(), {"get": 1}),
    "failed": (lambda f: build.failed(f).close(), {"": 1}),
    "killed": (lambda f: build.running(f, build.dead_owner()).close(), {"": 1}),
    "empty": (lambda f: build.Cache(f).close(), dict.fromkeys(("show", "why", "log", "lineage", "get"), 2)),
    "object damaged": (lambda f: build.object_of(build.finished(f).close()).write_bytes(b"y" * 100_000), {"verify": 1}),
    "object missing": (lambda f: build.object_of(build.finished(f).close()).unlink(), {"verify": 1}),
}
# What cannot be read as a cache: how it is made, the error of all verbs but `trust`, and what it says.
UNREADABLE: dict[str, tuple[Callable[[Path], object], type[StoreError], str]] = {
    "index damaged": (
        lambda f: changed(f, lambda data: data[:8192].ljust(len(data), b"\xff")), DamagedIndexError, "damaged",
    ),
    "truncated": (lambda f: changed(f, lambda data: data[: 4096 * 3]), DamagedIndexError, "damaged"),
    "garbage": (
        lambda f: with_index(f, b"no database at all, but long enough for a header " * 100),
        DamagedIndexError, r"is no index of ezpyp, or its content was changed \(file is not a database\)",
    ),
    "other database": (of_another_program, DamagedIndexError, "is no index of ezpyp"),
    "odd format": (lambda f: with_format(f, "soon"), DamagedIndexError, "its format is soon"),
    "newer": (
        lambda f: with_format(f, "99"),
        CacheFormatError, r"has format 99; this ezpyp reads up to \d+: install ezpyp 0\.1 or newer",
    ),
    "empty file": (lambda f: with_index(f, b""), StoreError, "is no index of ezpyp"),
    "nothing": (lambda f: None, CacheNotFoundError, "there is no such folder"),
    "a file": (lambda f: f.write_text("x"), CacheNotFoundError, "it is a file; give the folder"),
    "empty folder": (Path.mkdir, CacheNotFoundError, r"the folder holds no ezpyp\.sqlite"),
    "folder for an index": (lambda f: (f / "ezpyp.sqlite").mkdir(parents=True), CacheFormatError, "it is not a file"),
}  # fmt: skip


def words_of(verb: str, form: str | None) -> list[str]:
    return [*verb.split(), *ASKED[verb][0], *(["--format", form] if form else [])] if verb else []


@functools.cache
def schema(verb: str) -> dict[str, object]:
    return json.loads((SCHEMAS / f"{verb.partition(' ')[0] or 'overview'}.json").read_text())


def check(ask, folder: Path, verb: str, form: str | None, code: int, words: list[str] | None = None) -> str:
    """Ask; what is said is one line on stderr, or whole and harmless."""
    answer = ask(folder, *(words_of(verb, form) if words is None else words), code=code)
    if code == 2 or answer.err.startswith("Error"):
        assert answer.out == ""
        assert answer.err.startswith("Error: ")
        assert answer.err.count("\n") == 1, answer.err
        return answer.err
    if form == "json":
        jsonschema.validate(json.loads(answer.out), schema(verb))
    elif form == "csv":
        assert len({len(row) for row in csv.reader(io.StringIO(answer.out))}) <= 1
    if form != "csv":  # which is for programs: they get what is recorded, as it is
        assert "\x1b" not in answer.out
    return answer.out


def test_the_table_has_every_verb_and_every_format():
    assert {verb.split()[0] for verb in ASKED} == VERBS
    for verb, (_, forms) in ASKED.items():
        options = {option.name: option for option in cli.get_command(None, verb.split()[0]).params}
        assert ("form" in options) == bool(forms)
        assert not forms or set(options["form"].type.choices) == set(forms)
    with_json = {verb.split()[0] for verb, form in CALLS if form == "json"}
    assert {path.stem for path in SCHEMAS.glob("*.json")} == with_json | {"overview"}


def test_a_schema_describes_every_field():
    for path in SCHEMAS.glob("*.json"):
        jsonschema.Draft202012Validator.check_schema(schema(path.stem))
        text = path.read_text()
        assert text.count('"properties": {') == text.count('"additionalProperties": false'), path.name


@pytest.mark.parametrize("kind", KINDS)
def test_every_verb_on_every_kind_of_cache(kind, tmp_path, ask):
    folder = tmp_path / "cache #1 with? 100%"
    make, codes = KINDS[kind]
    opened = make(folder)
    before = contents(folder)

    check(ask, folder, "", "json", codes.get("", 0), ["--format", "json"])
    for verb, form in CALLS:
        check(ask, folder, verb, form, codes.get(verb, 0))

    assert kind == "running" or contents(folder) == before
    del opened  # a running cache stays open until here


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_is_no_cache_is_said_in_one_line_by_every_verb(kind, tmp_path, ask):
    folder = tmp_path / "cache #1 with? 100%"
    make, error, message = UNREADABLE[kind]
    make(folder)
    before = contents(folder)
    is_damaged = error is DamagedIndexError

    with pytest.raises(error, match=message):
        names(folder)
    for verb, form in CALLS:
        code = 1 if is_damaged else 2
        if verb == "trust":  # which asks for an index, and does not read it
            code = 0 if is_damaged or kind in ("newer", "empty file") else 2
        check(ask, folder, verb, form, code)
    assert ("damaged" in ask(folder, "steps", code=1 if is_damaged else 2).err) == is_damaged
    assert contents(folder) == before


# Opening: wherever a cache lies, without leaving a trace.


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def names(folder: Path) -> list[str]:
    with Reader(folder) as reader:
        return [step.name for step in reader.steps(reader.view())]


def test_one_reading_sees_one_moment_of_a_run_that_writes(tmp_path):
    cache = build.running(tmp_path / "cache")  # open: everything is still in the -wal

    with Reader(cache.folder) as reader:
        before = reader.view()
        assert [step.name for step in reader.steps(before)] == ["alpha", "beta", "gamma"]
        cache.run()
        assert reader.view() == before
    with Reader(cache.folder) as reader:
        assert reader.view() != before


def copy_of_a_live_cache(tmp_path: Path, *left_out: str) -> Path:
    """What a backup taken in the middle of a run, or a killed run, leaves."""
    cache = build.running(tmp_path / "live")
    return Path(shutil.copytree(cache.folder, tmp_path / "copy", ignore=shutil.ignore_patterns(*left_out)))


def test_rows_of_a_wal_without_its_shm_are_seen_and_nothing_is_left(tmp_path):
    folder = copy_of_a_live_cache(tmp_path, "*-shm")
    before = contents(folder)

    assert names(folder) == ["alpha", "beta", "gamma"]
    assert contents(folder) == before


def test_a_journal_of_a_killed_writer_is_rolled_back_in_a_copy(tmp_path):
    folder = build.finished(tmp_path / "cache").close()
    index = sqlite3.connect(folder / "ezpyp.sqlite", isolation_level=None)
    index.execute("PRAGMA journal_mode = DELETE")
    index.execute("PRAGMA cache_size = 1")  # forces pages, and the journal, to the disk before the commit
    index.execute("BEGIN")
    index.execute(
        "CREATE TABLE junk AS WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) SELECT i FROM n"
    )
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    index.close()
    assert (copy / "ezpyp.sqlite-journal").stat().st_size
    before = contents(copy)

    with Reader(copy) as reader:
        assert reader.one("SELECT count(*) FROM sqlite_master WHERE name = 'junk'") == (0,)
        assert len(list(reader.steps(reader.view()))) == 3
    assert contents(copy) == before


def test_an_index_that_somebody_locks_is_not_called_damaged(tmp_path, monkeypatch):
    monkeypatch.setattr("ezpyp.store.connection.READER_TIMEOUT_S", 0.0)
    folder = build.finished(tmp_path / "cache").close()
    with closing(sqlite3.connect(folder / "ezpyp.sqlite", isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")

        with pytest.raises(StoreError, match="database is locked: another program holds the index") as caught:
            names(folder)

    assert not isinstance(caught.value, CacheFormatError)


def make_read_only(folder: Path) -> None:
    """For others, too; of the folders above only those of this test are opened to them, for pytest's are closed."""
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    while folder.parent.stat().st_uid == os.geteuid() and str(folder.parent) not in ("/tmp", "/"):
        folder = folder.parent
        folder.chmod(0o755)


def as_nobody(report: Callable[[], object]) -> object:
    """Ask in a child process that may write nothing: root may write into a read-only folder."""
    inlet, outlet = os.pipe()
    child = os.fork()
    if child == 0:
        # Nothing may escape: pytest itself would go on in the child.
        try:
            if os.geteuid() == 0:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            os.write(outlet, json.dumps(report()).encode())
        except BaseException as error:
            os.write(outlet, json.dumps(repr(error)).encode())
        finally:
            os._exit(0)
    os.close(outlet)
    with open(inlet) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return json.loads(text)


@pytest.mark.parametrize("left_out", [(), ("*-shm",), None], ids=str)
def test_a_read_only_folder_of_somebody_else_shows_every_row(tmp_path, left_out):
    folder = (
        build.finished(tmp_path / "cache").close() if left_out is None else copy_of_a_live_cache(tmp_path, *left_out)
    )
    make_read_only(folder)

    assert as_nobody(lambda: names(folder)) == ["alpha", "beta", "gamma"]


def test_every_verb_on_the_read_only_cache_of_somebody_else(tmp_path, ask):
    folder = build.finished(tmp_path / "cache").close()
    make_read_only(folder)
    before = contents(folder)
    calls = [words_of(verb, form) for verb, form in CALLS if verb != "trust"]

    assert as_nobody(lambda: len([ask(folder, *words) for words in calls])) == len(calls)
    assert contents(folder) == before


# Contents that are dangerous, odd, or many.


def test_no_verb_in_no_format_unpickles(tmp_path, ask):
    trace = tmp_path / "unpickled"
    bomb = f"cbuiltins\nopen\n(V{trace}\nVw\ntR.".encode()
    folder = build.finished(tmp_path / "cache", bomb, bomb).close()
    calls = [words_of(verb, form) for verb, form in CALLS]
    calls += [["verify", "--repair"], ["verify", "--quick"], ["get", "gamma", "-o", str(tmp_path / "out")]]

    for words in (*calls, *([verb, "gamma"] for verb in ("show", "why", "log", "lineage"))):
        ask(folder, *words)

    assert not trace.exists()
    pickle.loads(bomb).close()
    assert trace.exists()


LONG = "長い名前" * 75


def test_every_verb_keeps_odd_names_whole_and_harmless(tmp_path, ask):
    """Wide and combining characters, line ends, escape sequences, 300 characters: in names, errors and arguments."""
    cache = build.Cache(tmp_path / "cache")
    for name in ("alpha", LONG, "e\u0301te\u0301", "a\nb", "\x1b[31mred", "x" * 300, "👩‍🔬 scientist"):
        cache.step(name, args=f"[{name!r}]", function="f")
    cache.revision()
    run = cache.run(total=len(cache.ids), failed=1)
    for name in cache.ids:
        cache.row(name, run, int(name == LONG))
    cache.error(LONG, run, message=f"{LONG}\n\x1b[2J")
    folder = cache.close()

    for verb, form in CALLS:
        check(ask, folder, verb, form, int(verb == ""))
    for words in (["steps"], ["graph"], ["diff"], *([verb, LONG] for verb in ("show", "log", "why", "lineage"))):
        assert LONG in check(ask, folder, "", None, 0, words)
