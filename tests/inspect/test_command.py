"""The command itself: help, exit codes, one line on stderr wherever the output goes, and what a terminal gets."""

import csv
import errno
import io
import json
import os
import pty
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from ezpyp.inspect.cli import GROUPS, HOMES, VERBS, cli
from tests.inspect import build

ROOT = Path(__file__).absolute().parents[2]
# Standard output keeps its buffer: a full disk may show only when Python empties it at its end.
ENVIRON = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80", "PYTHONUNBUFFERED": ""}
INSPECT = [sys.executable, "-m", "ezpyp.inspect"]
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT {} FROM n"


@pytest.fixture(autouse=True)
def _own_settings(tmp_path, monkeypatch):
    monkeypatch.setitem(ENVIRON, "XDG_CONFIG_HOME", str(tmp_path / "config"))


def run(*command: str, text: bool = True, **options) -> subprocess.CompletedProcess:
    environ = ENVIRON | options.pop("environ", {})
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.run(command, env=environ, text=text, timeout=60, **options)


def in_shell(redirection: str, *words: str, before: str = "") -> subprocess.CompletedProcess[str]:
    return run("bash", "-c", f'{before} "$@" {redirection}', "bash", *INSPECT, *words)


def is_one_line(text: str) -> bool:
    return text.startswith("Error: ") and text.count("\n") == 1


@pytest.fixture
def ended(capsys):
    """``ended(words)``: exit code, output and errors of the command, in this process."""

    def ended(*words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            cli.main([str(word) for word in words])
        return int(caught.value.code or 0), *capsys.readouterr()

    return ended


# Help.


def test_there_is_one_file_a_verb():
    files = {path.stem for path in (ROOT / "ezpyp" / "inspect" / "verbs").glob("[!_]*.py")}

    assert files - {"overview"} == VERBS - set(HOMES)
    assert sum(len(verbs) for verbs in GROUPS.values()) == len(VERBS)


def test_the_help_of_all_says_what_each_verb_says():
    for verbs in GROUPS.values():
        for verb, summary in verbs.items():
            assert summary == cli.get_command(None, verb).get_short_help_str(80).removesuffix(".")


def printed_help(*words: str) -> str:
    result = CliRunner().invoke(cli, [*words, "--help"], prog_name="python -m ezpyp.inspect", terminal_width=80)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def two_revisions(tmp_path_factory) -> Path:
    """The folder of a sound cache of two revisions that is called as in the examples."""
    folder = tmp_path_factory.mktemp("examples")
    cache = build.sound(folder / "cache")
    cache.insert("revisions", revision=2, digest=b"2", recorded_at=build.START, steps=3, note="grown")
    cache.insert("schema_changes", step=cache.step("delta"), revision=2, present=1)
    cache.close()
    return folder


@pytest.mark.parametrize("verb", ["", *sorted(VERBS)])
def test_help_fits_a_screen_and_its_example_works_as_it_is_printed(verb, two_revisions):
    text = printed_help(*([verb] if verb else []))
    assert not verb or printed_help("no/cache", verb) == text.replace("ezpyp.inspect . ", "ezpyp.inspect no/cache ")
    assert len(text.splitlines()) <= 24
    assert max(map(len, text.splitlines())) <= 80
    assert "..." not in text.replace("PARAM=VALUE]...", "")

    commands = [line.strip() for line in text.partition("Example:\n")[2].splitlines() if line.startswith("  ")]

    assert commands
    for command in commands:
        assert command.startswith("python -m ezpyp.inspect cache" + (f" {verb}" if verb else ""))
        done = run("bash", "-c", command.replace("python", sys.executable, 1), cwd=two_revisions)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        assert "Error" not in done.stderr


# What it loads.

LOADED = """
import contextlib, io, sys
import ezpyp.inspect.cli as command
for words in (["steps"], ["runs"], ["show", "gamma"], ["log", "gamma"], ["graph"], []):
    sys.argv[2:] = words
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
        command.main()
    assert out.getvalue(), words
print(*sys.modules)
"""


def test_verbs_load_nothing_heavy(finished):
    done = run(sys.executable, "-c", LOADED, str(finished))

    assert done.stderr == ""
    heavy = {"numpy", "mpi4py", "sqlite_utils", "cloudpickle", "rich", "pygments"}
    assert "click" in done.stdout.split()
    assert heavy.isdisjoint(done.stdout.split())


def test_modules_of_inspect_import_neither_execution_nor_pipeline_nor_pickle():
    for path in (ROOT / "ezpyp" / "inspect").rglob("*.py"):
        for forbidden in ("ezpyp.execution", "ezpyp.pipeline", "import pickle", "cloudpickle", "decode_result"):
            assert forbidden not in path.read_text(), path.name


# Endings: an exit code, and at most one line on stderr, wherever its output goes.


def test_exit_codes_of_the_real_command(failed, tmp_path):
    for words, code in (((failed, "steps"), 0), ((failed,), 1), ((tmp_path, "steps"), 2)):
        assert run(*INSPECT, *map(str, words)).returncode == code


WAYS = ([], ["steps"], ["runs", "--format", "csv"], ["get", "alpha", "-o", "-"], ["--help"])


@pytest.mark.parametrize("words", WAYS, ids=" ".join)
def test_a_full_disk_is_one_line(words, two_revisions):
    done = in_shell("> /dev/full", str(two_revisions / "cache"), *words)

    assert done.returncode == 2
    assert is_one_line(done.stderr), done.stderr
    assert os.strerror(errno.ENOSPC) in done.stderr


def test_a_closed_output_is_one_line(finished):
    done = in_shell(">&-", str(finished), "steps")

    assert done.returncode == 2
    assert is_one_line(done.stderr), done.stderr
    assert "standard output is closed" in done.stderr


def test_nobody_who_reads_the_error_is_no_traceback(tmp_path):
    for redirection in ("2>&-", ">&- 2>&-", "2> /dev/full"):
        done = in_shell(redirection, str(tmp_path), "steps")
        assert (done.returncode, done.stdout, done.stderr) == (2, "", ""), redirection


@pytest.mark.parametrize("words", [["steps", "--format", "json"], ["get", "gamma", "-o", "-"]], ids=" ".join)
def test_a_reader_that_goes_away_ends_it_quietly(words, two_revisions):
    reader, writer = os.pipe()
    os.close(reader)

    done = run(*INSPECT, str(two_revisions / "cache"), *words, stdout=writer)
    os.close(writer)

    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


def test_a_removed_working_directory_is_one_line(finished):
    gone = "cd $(mktemp -d) && rmdir $PWD &&"

    for words in (["cache", "steps"], [".", "trust"], ["."]):
        done = in_shell("", *words, before=gone)
        assert done.returncode == 2
        assert is_one_line(done.stderr), done.stderr
        assert "working directory" in done.stderr
    done = in_shell("", str(finished), "steps", before=gone)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("query", [ENDLESS.format("count(*)"), ENDLESS.format("i")], ids=["silent", "talking"])
def test_ctrl_c_ends_a_query_that_would_never_end(query, finished):
    command = [*INSPECT, str(finished), "sql", query]
    with subprocess.Popen(command, env=ENVIRON, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        wait_for_work(process.pid)
        process.send_signal(signal.SIGINT)
        try:
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()

    assert process.returncode == 128 + signal.SIGINT
    assert err == b"Interrupted\n"


def wait_for_work(pid: int) -> None:
    """Until the process has computed for two seconds: by then it asks SQLite."""
    ticks = 2 * os.sysconf("SC_CLK_TCK")
    while int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11]) < ticks:
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("steps --nonsense", "--nonsense"),
        ("steps --format xml", "table"),
        ("steps --status nonsense", "there are"),
        ("steps --limit -1", "--limit"),
        ("show", "NAME"),
        ("nonsense", "no verb 'nonsense'; there are runs, steps, "),
        ("diff 1 2 3", "at most two"),
        ("get alpha", "--output"),
        ("sql", "QUERY"),
        ("sql SELEC", "SQL: "),
        ("log", "NAME"),
        ("graph --by nothing", "phase"),
        ("\x1b[31mred", "x1b[31mred"),
        ("steps --status \x9b31m", "x9b31m"),
        ("show a\\\rb", "a\\rb"),
    ],
)
def test_wrong_use_is_one_line_that_says_what_to_type(words, reason, finished, ended):
    code, out, err = ended(finished, *shlex.split(words))

    assert (code, out) == (2, "")
    assert is_one_line(err), err
    assert reason in err
    # What was typed cannot drive the terminal.
    assert err.isascii()
    assert err.rstrip("\n").isprintable()
    if hint := err.partition("; see python -m ezpyp.inspect ")[2].split():
        assert ended(*hint)[0] == 0
    else:
        assert "SQL" in err or "show" in words


def test_a_command_line_without_cache_says_where_it_goes(tmp_path, monkeypatch, ended):
    monkeypatch.chdir(tmp_path)

    assert ended() == (2, "", "Error: Missing argument 'CACHE'; see python -m ezpyp.inspect --help\n")
    code, _, err = ended("steps")
    assert code == 2
    assert is_one_line(err)
    assert "python -m ezpyp.inspect CACHE steps" in err


@pytest.mark.parametrize("error", ["sqlite3.OperationalError('disk I/O error')", "MemoryError()"])
def test_what_the_machine_cannot_do_is_one_line(error, finished):
    code = f"import sqlite3\nimport ezpyp.inspect.verbs.sql as sql\ndef fail(*_, **__): raise {error}\n"
    code += "sql.write_rows = fail\nfrom ezpyp.inspect.cli import main\nmain()"

    done = run(sys.executable, "-c", code, str(finished), "sql", "SELECT 1")

    assert done.returncode == 2
    assert is_one_line(done.stderr), done.stderr


# Terminals and pipes.


class Terminal(io.StringIO):
    """Standard output that says that it is a terminal."""

    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch):
    """``terminal(columns, cache, words)``: what the command shows on a terminal of that width."""

    def shown(columns: int, *words: object, **environ: str) -> str:
        out = Terminal()
        with monkeypatch.context() as patch:
            patch.delenv("NO_COLOR", raising=False)
            for name, value in {"TERM": "xterm", "COLUMNS": str(columns), **environ}.items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", out)
            with pytest.raises(SystemExit):
                cli.main([str(word) for word in words])
        return out.getvalue()

    return shown


def test_a_real_terminal_gets_colours(failed):
    leader, follower = pty.openpty()
    environ = {name: value for name, value in ENVIRON.items() if name != "NO_COLOR"} | {"TERM": "xterm"}
    with subprocess.Popen([*INSPECT, str(failed), "steps"], env=environ, stdout=follower, stderr=follower) as process:
        process.wait(timeout=60)
    os.close(follower)
    shown = os.read(leader, 65536).decode()
    os.close(leader)

    assert "\x1b[31mfailed\x1b[0m" in shown


def test_a_terminal_gets_colours_source_and_only_columns_that_fit(failed, terminal):
    for columns in (40, 60, 80):
        shown = terminal(columns, failed, "steps")
        assert "\x1b[31mfailed\x1b[0m" in shown
        assert "no room for" in shown
        assert max(map(len, click.unstyle(shown).splitlines())) <= columns
    assert "\x1b[" in terminal(100, failed, "show", "beta").split("Source as recorded")[1]
    for words in ([], ["log", "--failed"]):
        assert "\x1b[" in terminal(100, failed, *words), words


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_who_wants_no_colours_gets_none(environ, failed, terminal):
    for words in ([], ["steps"], ["show", "beta"], ["log", "--failed"], ["why", "beta"], ["graph"], ["timeline"]):
        assert "\x1b" not in terminal(100, failed, *words, **environ), words


def test_what_a_step_needs_goes_on_below_where_a_terminal_is_narrow(tmp_path, ask, terminal):
    cache = build.Cache(tmp_path / "cache")
    names = [f"simulate[x={number}]" for number in range(30)]
    for name in names:
        cache.step(name)
    cache.step("total", phase=1, upstream=[(name, "value", "parts[]") for name in names])
    cache.revision(added=list(cache.ids.values()))
    folder = cache.close()

    shown = click.unstyle(terminal(60, folder, "graph"))

    assert max(map(len, shown.splitlines())) <= 60
    assert shown.split() == ask(folder, "graph").out.split()
    assert len(ask(folder, "graph").lines) == 33


def test_bytes_are_not_written_to_a_terminal(finished, terminal):
    shown = terminal(80, finished, "get", "alpha", "-o", "-")

    assert shown.startswith("Error: ")
    assert "-o FILE" in shown


def test_a_pipe_gets_everything_aligned_and_no_colours(tmp_path):
    cache = build.Cache(tmp_path)
    names = ["漢字カナ", "e\u0301te\u0301", "x" * 300, "a\nb", "plain", "👩‍🔬 scientist"]
    cache.revision(added=[cache.step(name, args=f"[{name!r}]", function="f") for name in names])
    folder = str(cache.close())

    lines = run(*INSPECT, folder, "steps", environ={"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1"}).stdout.splitlines()

    assert len(lines) == 7
    assert "\x1b" not in "".join(lines)
    assert "x" * 300 in "".join(lines)
    starts = {cell_len(line[: line.index(" pending ")]) for line in lines[1:]}
    assert starts == {cell_len(lines[0][: lines[0].index(" status ")])}
    for form in ("table", "json"):
        done = run(*INSPECT, folder, "steps", "--format", form, environ={"PYTHONIOENCODING": "ascii"})
        assert (done.returncode, done.stderr) == (0, "")


EVIL = "\x1b]0;pwn\x07\x1b[31m\x9b31m\r\u202eX\u2028\x7f"
ACTS = set(map(chr, [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F)])) - {"\n"}
NAME = f"alpha{EVIL}"
EVERY = [
    [], ["runs"], ["steps"], ["show", NAME], ["log", NAME], ["log", "--failed"], ["timeline"], ["why", NAME], ["diff"],
    ["lineage", NAME], ["graph"], ["verify"], ["du"], ["sql", "SELECT * FROM latest"],
    *(["graph", "--format", form] for form in ("mermaid", "dot", "svg", "json")),
    *([*words, "--format", "json"] for words in (["steps"], ["show", NAME], ["sql", "SELECT * FROM notes"])),
]  # fmt: skip


@pytest.fixture
def evil(tmp_path):
    """A cache of somebody who wants more than to be read."""
    cache = build.Cache(tmp_path / "cache", pipeline_id=EVIL)
    cache.revision(added=[cache.step(NAME, args=f"[{EVIL}]", function=f"f{EVIL}")])
    run = cache.run("completed", host=EVIL, user=EVIL, command=EVIL, failed=1, done=0)
    cache.row(NAME, run, 1, host=EVIL)
    cache.error(NAME, run, type=EVIL, message=EVIL, file=EVIL)
    cache.db.execute(f'CREATE TABLE notes ("{EVIL}")')
    cache.db.execute("INSERT INTO notes VALUES (?)", [EVIL])
    return cache.close()


def test_no_verb_in_no_format_drives_a_terminal(evil, ask, terminal):
    for words in EVERY:
        assert ACTS.isdisjoint(ask(evil, *words, code=int(not words)).out), words
    for words in (["steps"], ["sql", "SELECT * FROM notes"]):
        for form in ("table", "json", "csv"):
            shown = click.unstyle(terminal(300, evil, *words, "--format", form))
            assert "pwn" in shown
            assert ACTS.isdisjoint(shown)


def test_a_pipe_gets_the_very_text(evil, ask):
    (row,) = ask(evil, "steps", "--format", "json").rows
    out = run(*INSPECT, str(evil), "sql", "SELECT * FROM notes", "--format", "csv", text=False).stdout

    assert row["name"] == NAME
    assert list(csv.reader(io.StringIO(out.decode(), newline=""))) == [[EVIL], [EVIL]]
    assert json.loads(ask(evil, "show", NAME, "--format", "json").out)["name"] == NAME
