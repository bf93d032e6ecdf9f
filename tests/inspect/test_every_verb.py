"""Every verb, in every format, on every kind of cache: the right exit code, valid JSON, or one clear line."""

import csv
import io
import json
import pickle
import shlex
import shutil
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from benchmarks._million import build as large_cache
from ezpyp.inspect.cli import VERBS, cli
from tests.inspect import build
from tests.inspect.build import damage_index, object_of, sound, with_checksums
from tests.inspect.test_damage import Bomb
from tests.inspect.test_opening import as_nobody, assert_reachable

ROOT = Path(__file__).absolute().parents[2]
SCHEMAS = ROOT / "docs" / "schemas"


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
NAMED = ("show", "why", "log", "lineage", "get")
CALLS = [
    (verb, form) for verb, (_, forms) in ASKED.items() for form in (forms or (None,))
]  # fmt: skip


def words_of(verb: str, form: str | None) -> list[str]:
    return [*verb.split(), *ASKED[verb][0], *(["--format", form] if form else [])]


# Exit codes that are not 0; the overview is the verb "".
PROBLEM: dict[str, dict[str, int]] = {
    "finished": {},
    "moved": {},
    "running": {},
    "declared": {"get": 1},
    "failed": {"": 1},
    "killed": {"": 1},
    "empty": dict.fromkeys(NAMED, 2),
    # Its objects were not kept, and its failures are of that time.
    "object damaged": {"verify": 1},
    "object missing": {"verify": 1},
    "index damaged": dict.fromkeys(["", *ASKED], 1) | {"trust": 0},
    "no cache": dict.fromkeys(["", *ASKED], 2),
}
KINDS = list(PROBLEM)


def finished(folder: Path) -> Path:
    """As after a run without failure, with true checksums and digests."""
    return sound(folder).close()


def made(kind: str, folder: Path) -> tuple[Path, build.Cache | None]:
    """A cache of that kind, and what has to stay open for it."""
    if kind == "running":
        cache = with_checksums(build.running(folder))
        return folder, cache
    makers = {
        "finished": finished,
        "moved": lambda f: finished(f / "before").rename(f.with_name("after #1 with? 100%")),
        "declared": lambda f: with_checksums(build.declared(f)).close(),
        "failed": lambda f: with_checksums(build.failed(f)).close(),
        "killed": lambda f: with_checksums(build.running(f, build.dead_owner())).close(),
        "empty": lambda f: build.Cache(f).close(),
        "object damaged": lambda f: (finished(f), object_of(f).write_bytes(b"y" * 100_000))[0],
        "object missing": lambda f: (finished(f), object_of(f).unlink())[0],
        "index damaged": lambda f: damage_index(finished(f)),
        "no cache": lambda f: f,
    }
    return makers[kind](folder), None


def ask(folder: Path, words: list[str]) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli, [str(folder), *words], prog_name="python -m ezpyp.inspect")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def check_answer(words: list[str], expected: int, answer: tuple[int, str, str]) -> None:
    code, out, err = answer
    assert code == expected, (words, out, err)
    assert "\x1b" not in out
    assert "Traceback" not in err
    if code == 2 or err.startswith("Error"):
        assert out == ""
        assert err.count("\n") == 1, err
        assert err.startswith("Error: ")


def check_form(verb: str, form: str | None, out: str) -> None:
    if form == "json":
        schema = json.loads((SCHEMAS / f"{verb.partition(' ')[0]}.json").read_text())
        jsonschema.validate(json.loads(out), schema)
    elif form == "csv":
        assert len({len(row) for row in csv.reader(io.StringIO(out))}) <= 1


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


def open_objects(schema, place=""):
    """Where a schema lets through what it does not tell of."""
    if isinstance(schema, dict) and "properties" in schema and schema.get("additionalProperties") is not False:
        yield place
    parts = schema.items() if isinstance(schema, dict) else enumerate(schema) if isinstance(schema, list) else ()
    for name, part in parts:
        yield from open_objects(part, f"{place}/{name}")


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_a_schema_tells_of_every_field(path):
    schema = json.loads(path.read_text())

    jsonschema.Draft202012Validator.check_schema(schema)
    assert list(open_objects(schema)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_verb_on_every_kind_of_cache(kind, tmp_path):
    folder, opened = made(kind, tmp_path / "cache")
    codes = PROBLEM[kind]

    check_answer([], codes.get("", 0), ask(folder, []))
    overview = ask(folder, ["--format", "json"])
    check_answer([], codes.get("", 0), overview)
    if overview[1]:
        check_form("overview", "json", overview[1])
    for verb, form in CALLS:
        words, expected = words_of(verb, form), codes.get(verb, 0)
        answer = ask(folder, words)
        check_answer(words, expected, answer)
        if not answer[2].startswith("Error"):
            check_form(verb, form, answer[1])
    if opened is not None:
        opened.close()


def test_every_verb_on_the_read_only_cache_of_somebody_else(tmp_path):
    folder = finished(tmp_path / "cache")
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    assert_reachable(tmp_path)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    calls = [[], *(words_of(verb, form) for verb, form in CALLS if verb != "trust")]

    out = as_nobody(lambda: json.dumps([ask(folder, words)[0] for words in calls]))

    assert json.loads(out) == [0] * len(calls)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_newer_format_is_one_line_under_every_verb(tmp_path):
    cache = sound(tmp_path / "cache")
    cache.db.execute("UPDATE meta SET value = '99' WHERE name = 'format'")
    folder = cache.close()

    for verb, form in CALLS:
        if verb != "trust":
            answer = ask(folder, words_of(verb, form))
            check_answer([verb], 2, answer)
            assert "has format 99; this ezpyp reads up to" in answer[2]


def test_no_verb_in_no_format_unpickles(tmp_path):
    trace = tmp_path / "unpickled"
    bomb = pickle.dumps(Bomb(trace))
    folder = sound(tmp_path / "cache", small=bomb, large=bomb).close()
    calls = [[], *(words_of(verb, form) for verb, form in CALLS)]
    calls += [["verify", "--repair"], ["verify", "--quick"], ["get", "gamma", "-o", str(tmp_path / "out")]]
    calls += [[*words_of(verb, None)[:-1], "gamma"] for verb in ("show", "why", "log", "lineage")]

    for words in calls:
        assert ask(folder, words)[0] == 0, words

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
    with_checksums(cache)
    return cache.close()


def test_every_verb_keeps_odd_names_whole_and_harmless(tmp_path):
    folder = odd_names(tmp_path / "cache")

    for verb, form in CALLS:
        words = words_of(verb, form)
        answer = ask(folder, words)
        # CSV is for programs: they get what is recorded, as it is.
        check_answer(words, 0, answer if form != "csv" else (*answer[:1], "", answer[2]))
        check_form(verb, form, answer[1])
    for verb in ("steps", "graph", "diff"):
        assert LONG in ask(folder, [verb])[1]
    for words in (["show", LONG], ["log", LONG], ["why", LONG], ["lineage", LONG]):
        code, out, _ = ask(folder, words)
        assert code == 0
        assert LONG in out
        assert "\x1b" not in out


def million(folder: Path, number: int) -> Path:
    """A sweep of that many steps with a total; each 10,000th failed. Rows are made by SQLite itself: in seconds."""
    cache = build.Cache(folder)
    db, functions = cache.db, [cache.function(name) for name in ("simulate", "total")]
    triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        db.execute(f"DROP TRIGGER {name}")
    numbers = f"WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < {number})"
    db.execute("BEGIN")
    db.execute(
        "INSERT INTO steps (id, name, key, function, codec, phase, args, kwargs, params, checksum)"
        f" {numbers} SELECT i, 'simulate[x=' || i || ']', randomblob(16), {functions[0]}, 'pickle', 0, '[' || i || ']',"
        """ '{}', '{"x": "' || i || '"}', x'' FROM n"""
    )
    cache.ids["alpha"] = 0
    cache.step("alpha", phase=1, function="total")
    total = cache.ids["alpha"]
    db.execute(f"INSERT INTO step_edges {numbers} SELECT {total}, i, i, 'value', 'parts[]' FROM n WHERE i <= 1000")
    cache.insert("revisions", revision=1, digest=b"", recorded_at=build.START, steps=number + 1, note="first")
    db.execute("INSERT INTO schema_changes SELECT id, 1, 1 FROM steps")
    failed = number // 10_000
    phases = {0: {0: number - failed, 1: failed}, 1: {2: 1}}
    run = cache.run("failed", total=number + 1, done=number - failed, failed=failed, phases=json.dumps(phases))
    db.execute(
        "INSERT INTO step_rows (step, run, status, cached, started_at, seconds, rank, host)"
        f" {numbers} SELECT i, {run}, i % 10000 = 0, 0, {build.START} + i * 1e-6, 1e-6, i % 2, 'node1' FROM n"
    )
    cache.row("alpha", run, 2, seconds=None, rank=None)
    for _, sql in triggers:
        db.execute(sql)
    db.execute("COMMIT")
    return cache.close()


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
def test_every_verb_on_a_large_cache(tmp_path):
    folder = large_cache(tmp_path / "cache", 50_000)

    for verb, told in LARGE.items():
        code, out, err = ask(folder, shlex.split(verb))
        assert code == int(verb == ""), (verb, err)
        assert told in out, (verb, out[:1000])
    assert {verb.partition(" ")[0] for verb in LARGE} - {""} == VERBS - {"trust"}


def test_verbs_about_few_of_a_million_steps(tmp_path):
    folder = million(tmp_path / "cache", 1_000_000)

    code, out, _ = ask(folder, [])
    assert code == 1
    assert "1000001 steps: 999900 done, 100 failed, 1 skipped" in out
    assert "and 90 more: steps --status failed" in out
    assert len(json.loads(ask(folder, ["steps", "--status", "failed", "--format", "json"])[1])) == 100
    assert json.loads(ask(folder, ["runs", "--format", "json"])[1])[0]["total"] == 1_000_001
    for words in (
        ["show", "simulate[x=77]"],
        ["why", "simulate[x=77]"],
        ["log", "simulate[x=77]"],
        ["log", "--failed"],
    ):
        check_answer(words, 0, ask(folder, words))
    assert ask(folder, ["lineage", "simulate[x=77]"])[1].splitlines()[1].startswith("  -> alpha  (skipped")
    shutil.rmtree(folder)
