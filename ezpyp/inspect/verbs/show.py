"""``show NAME``: everything about one step."""

from collections.abc import Iterator, Sequence

import click

from ezpyp.describe import plain
from ezpyp.explain.tree import Node, leaves_of
from ezpyp.inspect.command import example, reads
from ezpyp.inspect.facts import Fact, live_run, state, step_facts, word_of
from ezpyp.inspect.find import find_step, name_words
from ezpyp.inspect.output import (
    PAGE,
    Column,
    code,
    commit,
    duration,
    entry,
    format_option,
    heading,
    moment,
    print_error,
    size,
    table_lines,
    terminal_width,
    title,
    write_json,
)
from ezpyp.store.reader import Reader

SHOWN_NEIGHBOURS = 20
SHOWN_LEAVES = 10
HISTORY = (
    Column("run", is_number=True),
    Column("revision", is_number=True),
    Column("state", title="status"),
    Column("started_at", moment, title="started"),
    Column("seconds", duration, is_number=True, title="took"),
    Column("rank", is_number=True),
    Column("host"),
    Column("key", lambda key: key[:12]),
    Column("result"),
)


@click.command(epilog=example("cache show alpha x=3"))
@name_words()
@format_option(*PAGE)
@click.option("--run", type=int, help="As it stood after this run.")
@click.option("--revision", type=int, help="As this revision of the schema has it.")
@reads
def show(reader: Reader, words: tuple[str, ...], form: str, run: int | None, revision: int | None) -> None:
    """Everything about one step.

    Key, function and source, arguments, upstream, result, traceback, who made it with which command, commit,
    Python and libraries, and its history over runs and revisions.

    NAME is a step's name, a function's name with PARAM=VALUE, a glob in which brackets are literal, the
    start of a name, or the start of a key.
    """
    found = find_step(reader, words, reader.view(run=run, revision=revision))
    facts = step_facts(reader, found)
    if form == "json":
        write_json(facts)
        return
    live = live_run(reader)
    title(facts["name"], state(found.step, live), _how(facts))
    _identity(facts, live)
    _result(facts["result"])
    if facts["error"] is not None:
        print_error(facts["error"])
    _provenance(facts["provenance"])
    _history(facts["history"], live)
    if source := facts["function"].get("source"):
        heading("Source as recorded")
        code(source, "python")


def _how(facts: Fact) -> str:
    if facts["run"] is None:
        return ", never run"
    where = f", rank {facts['rank']} of {facts['host']}" if facts["rank"] is not None else ""
    took = f" in {duration(facts['seconds'])}" if facts["seconds"] is not None else ""
    cached = ", cached since" if facts["cached"] else ""
    return f"{took} (run {facts['run']}, {moment(facts['started_at'])}{where}){cached}"


def _identity(facts: Fact, live: int | None) -> None:
    function = facts["function"]
    entry("key", facts["key"])
    if not facts["present"]:
        entry("revision", f"{facts['revision']} was the last that has it")
    entry("function", f"{function['name']}, {function['file']}:{function['line']} (module {function['module']})")
    entry("phase", str(facts["phase"]))
    entry("args", facts["args"])
    entry("kwargs", facts["kwargs"])
    entry("params", _params(facts))
    entry("settings", [f"{name} = {value}" for name, value in facts["settings"].items()])
    entry("upstream", _neighbours(facts["upstream"], live))
    entry("needed by", _neighbours(facts["downstream"], live))
    if facts["reason"]:
        entry("because", facts["reason"])


def _params(facts: Fact) -> Iterator[str]:
    """Each parameter, and below it the leaves of its argument where a line does not say all."""
    for param, value in facts["params"].items():
        yield f"{param} = {plain(value)}"
        leaves = list(leaves_of(param, Node.from_json(facts["manifest"].get(param, ""))))
        yield from (f"  {line}" for line in leaves[:SHOWN_LEAVES])
        if len(leaves) > SHOWN_LEAVES:
            yield f"  and {len(leaves) - SHOWN_LEAVES} more (--format json has all)"


def _neighbours(steps: Sequence[Fact], live: int | None) -> Iterator[str]:
    for step in steps[:SHOWN_NEIGHBOURS]:
        where = "order only" if step["kind"] == "order" else step["slot"]
        yield f"{step['name']}  ({word_of(step['status'], step['run'], live)}, {where})"
    if len(steps) > SHOWN_NEIGHBOURS:
        yield f"and {len(steps) - SHOWN_NEIGHBOURS} more (--format json has all)"


def _result(result: Fact | None) -> None:
    if result is None:
        return
    heading("Result")
    entry("type", result["type"])
    entry("value", result["preview"])
    entry("size", f"{size(result['size'])} as {result['codec']} {result['codec_version']}")
    entry("digest", result["digest"])
    entry("path", result["path"])
    entry("files", [f"{file['path']}, {size(file['size'])}" for file in result["files"]])
    entry("also read", [f"{seen['kind']} {seen['name']}" for seen in result["observed"]])
    if result["origin"] is not None:
        entry("taken over", f"from result {result['origin']}: same inputs, so it did not run")
    if result["damage"]:
        entry("damaged", f"{result['damage']}; it runs again when something needs it")


def _provenance(made: Fact | None) -> None:
    if made is None:
        return
    heading("Provenance")
    entry("run", f"{made['run']} of revision {made['revision']}, {moment(made['started_at'])}")
    rank = f"rank {made['rank']} of {made['ranks']}, " if made["rank"] is not None else ""
    job = f", batch job {made['job']}" if made["job"] else ""
    entry("by", f"{made['user'] or 'somebody'}, {rank}host {made['host']}{job}")
    entry("command", made["command"] or ())
    entry("directory", made["directory"] or ())
    entry("code", commit(made["git_commit"], made["git_dirty"]) or "in no git repository")
    entry("python", f"{made['python']}, ezpyp {made['ezpyp']}")
    entry("libraries", [f"{name} {version}" for name, version in made["libraries"].items()])


def _history(history: Sequence[Fact], live: int | None) -> None:
    if not history:
        return
    heading("History")
    rows = [row | {"state": word_of(row["status"], row["run"], live)} for row in history]
    cells = [[column.show(row[column.name]) for column in HISTORY] for row in rows]
    for line in table_lines(cells, HISTORY, terminal_width()):
        click.echo(line)
