"""Every verb, in every format, on every kind of cache: the right exit code, valid JSON, or one clear line."""

import csv
import functools
import io
import json
import os
import pickle
import shlex
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import jsonschema
import pytest
import sqlite_utils  # noqa: F401 - `sql` imports it, and nobody may not read the packages of root

from benchmarks._million import build as large_cache
from ezpyp.errors import CacheFormatError, CacheNotFoundError, DamagedIndexError, StoreError
from ezpyp.inspect.cli import VERBS, cli
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
CALLS = [(verb, form) for verb, (_, forms) in ASKED.items() for form in (forms or (None,))]
EVERYWHERE = ["", *ASKED]

# Kind of cache -> verb -> its exit code where that is not 0; the overview is the verb "".
CODES: dict[str, dict[str, int]] = {
    "finished": {},
    "moved": {},
    "running": {},
    "declared": {"get": 1},
    "failed": {"": 1},
    "killed": {"": 1},
    "empty": dict.fromkeys(("show", "why", "log", "lineage", "get"), 2),
    "object damaged": {"verify": 1},
    "object missing": {"verify": 1},
    "index damaged": dict.fromkeys(EVERYWHERE, 1) | {"trust": 0},
    "truncated": dict.fromkeys(EVERYWHERE, 1) | {"trust": 0},
    "garbage": dict.fromkeys(EVERYWHERE, 1) | {"trust": 0},
    "other database": dict.fromkeys(EVERYWHERE, 1) | {"trust": 0},
    "odd format": dict.fromkeys(EVERYWHERE, 1) | {"trust": 0},
    "newer": dict.fromkeys(EVERYWHERE, 2) | {"trust": 0},
    "empty file": dict.fromkeys(EVERYWHERE, 2) | {"trust": 0},
    "nothing": dict.fromkeys(EVERYWHERE, 2),
    "a file": dict.fromkeys(EVERYWHERE, 2),
    "empty folder": dict.fromkeys(EVERYWHERE, 2),
    "folder for an index": dict.fromkeys(EVERYWHERE, 2),
}
# What is said of a place that cannot be read as a cache.
SAID = {
    "index damaged": (DamagedIndexError, "damaged"),
    "truncated": (DamagedIndexError, "damaged"),
    "garbage": (DamagedIndexError, r"is no index of ezpyp, or its content was changed \(file is not a database\)"),
    "other database": (DamagedIndexError, "is no index of ezpyp"),
    "odd format": (DamagedIndexError, "its format is soon"),
    "newer": (CacheFormatError, r"has format 99; this ezpyp reads up to \d+: install ezpyp 0\.1 or newer"),
    "empty file": (StoreError, "is no index of ezpyp"),
    "nothing": (CacheNotFoundError, "there is no such folder"),
    "a file": (CacheNotFoundError, "it is a file; give the folder"),
    "empty folder": (CacheNotFoundError, r"the folder holds no ezpyp\.sqlite"),
    "folder for an index": (CacheFormatError, "it is not a file"),
}


def with_format(folder: Path, value: str) -> None:
    cache = build.sound(folder)
    cache.db.execute("UPDATE meta SET value = ? WHERE name = 'format'", [value])
    cache.close()


def with_index(folder: Path, content: bytes) -> None:
    folder.mkdir()
    (folder / "ezpyp.sqlite").write_bytes(content)


def cut_short(folder: Path) -> None:
    index = build.sound(folder).close() / "ezpyp.sqlite"
    index.write_bytes(index.read_bytes()[: 4096 * 3])


def of_another_program(folder: Path) -> None:
    folder.mkdir()
    with closing(sqlite3.connect(folder / "ezpyp.sqlite")) as index:
        index.execute("CREATE TABLE t (a)")


MAKERS: dict[str, Callable[[Path], object]] = {
    "finished": lambda f: build.sound(f).close(),
    "moved": lambda f: build.sound(f.with_name("before")).close().rename(f),
    "running": lambda f: build.with_checksums(build.running(f)),
    "declared": lambda f: build.with_checksums(build.declared(f)).close(),
    "failed": lambda f: build.with_checksums(build.failed(f)).close(),
    "killed": lambda f: build.with_checksums(build.running(f, build.dead_owner())).close(),
    "empty": lambda f: build.Cache(f).close(),
    "object damaged": lambda f: build.object_of(build.sound(f).close()).write_bytes(b"y" * 100_000),
    "object missing": lambda f: build.object_of(build.sound(f).close()).unlink(),
    "index damaged": lambda f: build.damage_index(build.sound(f).close()),
    "truncated": cut_short,
    "garbage": lambda f: with_index(f, b"no database at all, but long enough for a header " * 100),
    "other database": of_another_program,
    "odd format": lambda f: with_format(f, "soon"),
    "newer": lambda f: with_format(f, "99"),
    "empty file": lambda f: with_index(f, b""),
    "nothing": lambda f: None,
    "a file": lambda f: f.write_text("x"),
    "empty folder": Path.mkdir,
    "folder for an index": lambda f: (f / "ezpyp.sqlite").mkdir(parents=True),
}


def words_of(verb: str, form: str | None) -> list[str]:
    return [*verb.split(), *ASKED[verb][0], *(["--format", form] if form else [])] if verb else []


@functools.cache
def schema(verb: str) -> dict[str, object]:
    return json.loads((SCHEMAS / f"{verb.partition(' ')[0] or 'overview'}.json").read_text())


def check(ask, folder: Path, verb: str, form: str | None, code: int, *, words: list[str] | None = None) -> str:
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


@pytest.fixture(autouse=True)
def _own_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def test_the_table_has_every_verb_and_every_format():
    assert {verb.split()[0] for verb in ASKED} == VERBS
    for verb, (_, forms) in ASKED.items():
        options = {option.name: option for option in cli.get_command(None, verb.split()[0]).params}
        assert ("form" in options) == bool(forms)
        assert not forms or set(options["form"].type.choices) == set(forms)
    with_json = {verb.split()[0] for verb, form in CALLS if form == "json"}
    assert {path.stem for path in SCHEMAS.glob("*.json")} == with_json | {"overview"}
    assert set(MAKERS) == set(CODES)


def open_objects(part, place=""):
    """Where a schema lets through fields that it does not describe."""
    if isinstance(part, dict) and "properties" in part and part.get("additionalProperties") is not False:
        yield place
    parts = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for name, inner in parts:
        yield from open_objects(inner, f"{place}/{name}")


@pytest.mark.parametrize("verb", sorted(path.stem for path in SCHEMAS.glob("*.json")))
def test_a_schema_describes_every_field(verb):
    jsonschema.Draft202012Validator.check_schema(schema(verb))
    assert list(open_objects(schema(verb))) == []


@pytest.mark.parametrize("kind", CODES)
def test_every_verb_on_every_kind_of_cache(kind, tmp_path, ask):
    folder = tmp_path / "cache #1 with? 100%"
    opened = MAKERS[kind](folder)
    before = contents(folder)

    check(ask, folder, "", None, CODES[kind].get("", 0))
    check(ask, folder, "", "json", CODES[kind].get("", 0), words=["--format", "json"])
    for verb, form in CALLS:
        check(ask, folder, verb, form, CODES[kind].get(verb, 0))

    assert kind == "running" or contents(folder) == before
    del opened  # a running cache stays open until here


@pytest.mark.parametrize("kind", SAID)
def test_what_is_no_cache_is_said_in_one_line(kind, tmp_path, ask):
    error, message = SAID[kind]
    MAKERS[kind](tmp_path / "cache")

    with pytest.raises(error, match=message):
        names(tmp_path / "cache")
    answer = ask(tmp_path / "cache", "steps", code=CODES[kind][""])
    assert ("damaged" in answer.err) == (error is DamagedIndexError)


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
    folder = build.sound(tmp_path / "cache").close()
    make_read_only(folder)
    before = contents(folder)
    calls = [words_of(verb, form) for verb, form in [("", None), *CALLS] if verb != "trust"]

    assert as_nobody(lambda: [ask(folder, *words).code for words in calls]) == [0] * len(calls)
    assert contents(folder) == before


# Contents that are dangerous, odd, or many.


class Bomb:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return (Path.touch, (self.trace,))


def test_no_verb_in_no_format_unpickles(tmp_path, ask):
    trace = tmp_path / "unpickled"
    bomb = pickle.dumps(Bomb(trace))
    folder = build.sound(tmp_path / "cache", small=bomb, large=bomb).close()
    calls = [words_of(verb, form) for verb, form in [("", None), *CALLS]]
    calls += [["verify", "--repair"], ["verify", "--quick"], ["get", "gamma", "-o", str(tmp_path / "out")]]
    calls += [[verb, "gamma"] for verb in ("show", "why", "log", "lineage")]

    for words in calls:
        ask(folder, *words)

    assert not trace.exists()
    pickle.loads(bomb)
    assert trace.exists()


LONG = "長い名前" * 75


def odd_names(folder: Path) -> Path:
    """Wide and combining characters, line ends, escape sequences, 300 characters: in names, errors and arguments."""
    cache = build.Cache(folder)
    names = ["alpha", LONG, "e\u0301te\u0301", "a\nb", "\x1b[31mred", "x" * 300, "👩‍🔬 scientist"]
    for name in names:
        cache.step(name, args=f"[{name!r}]", function="f")
    cache.revision(added=list(cache.ids.values()))
    run = cache.run(total=len(names), failed=1)
    for name in names:
        cache.row(name, run, int(name == LONG), **({"result": None} if name == LONG else {}))
    cache.error(LONG, run, message=f"{LONG}\n\x1b[2J")
    return build.with_checksums(cache).close()


def test_every_verb_keeps_odd_names_whole_and_harmless(tmp_path, ask):
    folder = odd_names(tmp_path / "cache")

    for verb, form in CALLS:
        check(ask, folder, verb, form, 0)
    for words in (["steps"], ["graph"], ["diff"], *([verb, LONG] for verb in ("show", "log", "why", "lineage"))):
        assert LONG in check(ask, folder, "", None, 0, words=words)


# 50,000 steps of two functions: what each verb says of them.
LARGE = {
    "": "50000 steps: 49990 done, 10 failed",
    "runs": "\n  1         1  failed ",
    "steps --limit 3": "\nsimulate[x=3] ",
    "steps --status failed": "simulate[x=25000]",
    "steps --sort seconds --reverse --limit 2": "\nanalyse[x=24999] ",
    "show simulate x=77": "simulate[x=77]: done",
    "why analyse[x=77]": "nothing of that name was known before",
    "log --failed": "ValueError: no",
    "diff": "Revision 0 -> 1: 50000 added, 0 left out, 0 changed",
    "lineage simulate[x=77]": "-> analyse[x=77]  (done, args[0])",
    "graph": "analyse (25000 steps)  (24995 done, 5 failed)  <- simulate (25000 steps)",
    "graph --format svg": "25000",
    "timeline": "50000 steps on 4 ranks in 50.00 s, efficiency 88%",
    "timeline --format svg": "</svg>",
    "timeline --format csv": "\nanalyse[x=25000],analyse,1,0,node1,",
    "du --by step --limit 2": "\nanalyse[x=10001] ",
    "verify --quick": "50000 steps, 49990 results, 1 runs: all as stored",
    "sql 'SELECT count(*) AS n FROM latest'": "50000",
    "get analyse[x=77] -o -": "K\t.",
}


@pytest.mark.timeout(400)
def test_every_verb_on_a_large_cache(tmp_path, ask):
    folder = large_cache(tmp_path / "cache", 50_000)

    for verb, expected in LARGE.items():
        assert expected in ask(folder, *shlex.split(verb), code=int(verb == "")).out, verb
    assert {verb.partition(" ")[0] for verb in LARGE} - {""} == VERBS - {"trust"}
