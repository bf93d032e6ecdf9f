"""What reaches a terminal: harmless, no wider than it is, in colours only where they are wanted."""

import csv
import io
import json

import click
import pytest

from tests.inspect import build
from tests.inspect.test_command import on_terminal, run

EVIL = "\x1b]0;pwn\x07\x1b[31m\x9b31m\r\u202eX\u2028\x7f"
ACTS = set(map(chr, [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F)])) - {"\n"}
EVERY = (
    [], ["runs"], ["steps"], ["show", "beta"], ["log", "beta"], ["log", "--failed"], ["timeline"], ["why", "beta"],
    ["diff"], ["lineage", "gamma"], ["graph"], ["verify"], ["du"], ["sql", "SELECT * FROM latest"],
    ["graph", "--format", "mermaid"], ["graph", "--format", "dot"], ["graph", "--format", "svg"],
)  # fmt: skip


@pytest.fixture
def evil(tmp_path):
    """A cache of somebody who wants more than to be read."""
    cache = build.Cache(tmp_path / "cache", pipeline_id=EVIL)
    cache.revision(added=[cache.step(f"alpha{EVIL}", args=f"[{EVIL}]", function=f"f{EVIL}")])
    run = cache.run("completed", host=EVIL, user=EVIL, command=EVIL, failed=1, done=0)
    cache.row(f"alpha{EVIL}", run, 1, host=EVIL)
    cache.error(f"alpha{EVIL}", run, type=EVIL, message=EVIL, file=EVIL)
    cache.db.execute(f'CREATE TABLE notes ("{EVIL}")')
    cache.db.execute("INSERT INTO notes VALUES (?)", [EVIL])
    return cache.close()


@pytest.mark.parametrize("form", ["table", "json", "csv"])
@pytest.mark.parametrize("words", [["steps"], ["sql", "SELECT * FROM notes"]], ids=["steps", "sql"])
def test_no_format_drives_a_terminal(words, form, evil):
    shown = click.unstyle(on_terminal(300, str(evil), *words, "--format", form))

    assert "pwn" in shown
    assert ACTS.isdisjoint(shown)


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_no_verb_drives_a_terminal(words, evil, ask):
    words = [word if word not in ("beta", "gamma") else f"alpha{EVIL}" for word in words]

    out = ask(evil, *words, code=int(not words)).out

    assert ACTS.isdisjoint(out)


def test_a_pipe_gets_the_very_text(evil):
    (row,) = json.loads(run(str(evil), "steps", "--format", "json").stdout)
    out = run(str(evil), "sql", "SELECT * FROM notes", "--format", "csv", text=False).stdout

    assert row["name"] == f"alpha{EVIL}"
    assert list(csv.reader(io.StringIO(out.decode(), newline=""))) == [[EVIL], [EVIL]]


def test_json_never_drives_a_terminal_also_when_it_went_through_a_file(evil, ask):
    for words in (["steps"], ["show", f"alpha{EVIL}"], ["graph"], ["sql", "SELECT * FROM notes"]):
        assert ACTS.isdisjoint(ask(evil, *words, "--format", "json").out)


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_who_wants_no_colours_gets_none(environ, failed):
    for words in ([], ["steps"], ["show", "beta"], ["log", "--failed"], ["why", "beta"], ["graph"], ["timeline"]):
        assert "\x1b" not in on_terminal(100, str(failed), *words, **environ), words


def test_colours_are_there_otherwise(failed):
    for words in ([], ["steps"], ["show", "beta"], ["log", "--failed"]):
        assert "\x1b[" in on_terminal(100, str(failed), *words, NO_COLOR=""), words


@pytest.mark.parametrize("columns", [40, 80])
def test_lines_of_ours_are_no_wider_than_the_terminal(columns, failed):
    """Names and values may be longer than any terminal; what is said of them need not."""
    shown = click.unstyle(on_terminal(columns, str(failed), "steps"))

    assert "no room" in shown
    assert max(map(len, shown.splitlines())) <= columns


def test_what_a_step_needs_goes_on_below_where_a_terminal_is_narrow(tmp_path, ask):
    cache = build.Cache(tmp_path / "cache")
    names = [cache.step(f"simulate[x={number}]") and f"simulate[x={number}]" for number in range(30)]
    cache.step("total", phase=1, upstream=[(name, "value", "parts[]") for name in names])
    cache.revision(added=list(cache.ids.values()))
    folder = cache.close()

    shown = on_terminal(60, str(folder), "graph")

    assert max(map(len, shown.splitlines())) <= 60
    assert shown.split() == ask(folder, "graph").out.split()
    assert len(ask(folder, "graph").lines) == 33
