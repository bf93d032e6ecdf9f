"""The command itself: help, exit codes, one line on stderr wherever the output goes, and what a terminal gets."""

import csv
import io
import os
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

from ezpyp.inspect.__main__ import GROUPS, HOMES, VERBS, cli
from tests.inspect import build

ROOT = Path(__file__).absolute().parents[2]
INSPECT = [sys.executable, "-m", "ezpyp.inspect"]


def run(*command: str, text: bool = True, **options) -> subprocess.CompletedProcess:
    # Standard output keeps its buffer: a full disk may show only when Python empties it at its end.
    environ = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "80", "PYTHONUNBUFFERED": ""}
    environ |= options.pop("environ", {})
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.run(command, env=environ, text=text, timeout=60, **options)


def in_shell(redirection: str, *words: str, before: str = "") -> tuple[int, str, str]:
    done = run("bash", "-c", f'{before} "$@" {redirection}', "bash", *INSPECT, *words)
    return done.returncode, done.stdout, done.stderr


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


def test_there_is_one_file_a_verb_and_the_help_of_all_says_what_each_says():
    files = {path.stem for path in (ROOT / "ezpyp" / "inspect" / "verbs").glob("[!_]*.py")}

    assert files - {"overview"} == VERBS - set(HOMES)
    for verb, summary in [pair for verbs in GROUPS.values() for pair in verbs.items()]:
        assert summary == cli.get_command(None, verb).get_short_help_str(80).removesuffix(".")


def printed_help(*words: str) -> str:
    result = CliRunner().invoke(cli, [*words, "--help"], prog_name="python -m ezpyp.inspect", terminal_width=80)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def two_revisions(tmp_path_factory) -> Path:
    """The folder of a cache of two revisions that is called as in the examples."""
    folder = tmp_path_factory.mktemp("examples")
    cache = build.finished(folder / "cache")
    cache.insert("revisions", revision=2, digest=b"2", recorded_at=build.START, steps=4, note="grown")
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


LOADED = """
import contextlib, io, sys
import ezpyp.inspect.__main__ as command
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
    assert "click" in done.stdout.split()
    assert {"numpy", "mpi4py", "sqlite_utils", "cloudpickle", "rich", "pygments"}.isdisjoint(done.stdout.split())


# Endings: an exit code, and at most one line on stderr, wherever its output goes.


GONE = "cd $(mktemp -d) && rmdir $PWD &&"


@pytest.mark.parametrize(
    ("before", "redirection", "words", "message"),
    [
        *(("", "> /dev/full", f"FOLDER {words}", "No space left on device")
          for words in ("", "steps", "runs --format csv", "get alpha -o -", "--help")),
        ("", ">&-", "FOLDER steps", "standard output is closed"),
        # Nobody reads the error.
        *(("", redirection, "/nowhere steps", None) for redirection in ("2>&-", ">&- 2>&-", "2> /dev/full")),
        *((GONE, "", words, "working directory") for words in ("cache steps", ". trust", ".")),
    ],
)  # fmt: skip
def test_what_cannot_be_written_or_found_is_one_line(before, redirection, words, message, two_revisions):
    code, out, err = in_shell(redirection, *words.replace("FOLDER", str(two_revisions / "cache")).split(),
                              before=before)  # fmt: skip

    assert (code, out) == (2, "")
    assert is_one_line(err) if message else err == ""
    assert (message or "") in err


def test_a_removed_working_directory_does_not_matter_to_a_whole_path(finished):
    code, _, err = in_shell("", str(finished), "steps", before=GONE)
    assert (code, err) == (0, "")


@pytest.mark.parametrize("words", ["steps --format json", "get gamma -o -"])
def test_a_reader_that_goes_away_ends_it_quietly(words, two_revisions):
    reader, writer = os.pipe()
    os.close(reader)

    done = run(*INSPECT, str(two_revisions / "cache"), *words.split(), stdout=writer)
    os.close(writer)

    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


def test_ctrl_c_ends_a_query_that_would_never_end(finished):
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    command, environ = [*INSPECT, str(finished), "sql", endless], os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        # Until it has computed for two seconds: by then it asks SQLite.
        while int(Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11]) < 2 * TICKS:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        try:
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()

    assert (process.returncode, err) == (128 + signal.SIGINT, b"Interrupted\n")


TICKS = os.sysconf("SC_CLK_TCK")


# Words | what is said of them | what to type, if that is in the help.
WRONG = r"""
steps --nonsense | --nonsense | steps --help
steps --format xml | table | steps --help
steps --limit -1 | --limit | steps --help
steps --sort colour | is not one of | steps --help
steps --status 3 | is no status | steps --help
steps --status broken | 'broken' is no status; there are running (-2), pending (-1), done (0), | steps --help
steps --status \x9b31m | x9b31m | steps --help
steps --run 9 | runs 1 to 1 are there |
steps --revision 9 | revisions 1 to 1 are there |
diff 9 | revisions 1 to 1 are there |
diff 1 9 | revisions 1 to 1 are there |
diff 1 2 3 | at most two | diff --help
show | NAME | show --help
show gama | there is no step 'gama'; did you mean 'gamma'? |
show alpha x=4 | there is no step 'alpha[x=4]'; 'alpha' has 1: alpha |
show *a | '*a' fits 3 steps: alpha, beta, gamma; give the whole name |
show alpha 4 | '4' after the name is no PARAM=VALUE | show --help
show 'a\rb' | a\rb |
log | give either a NAME or --failed | log --help
get alpha | --output | get --help
graph --by nothing | phase | graph --help
sql SELEC | SQL: |
nonsense | no verb 'nonsense'; there are runs, steps, | --help
\x1b[31mred | x1b[31mred | --help
--format csv | is not one of | --help
--format json steps | behind the verb: python -m ezpyp.inspect CACHE steps --format json |
"""


@pytest.mark.parametrize("line", WRONG.strip().splitlines())
def test_wrong_use_is_one_line_that_says_what_to_type(line, finished, ended):
    words, reason, hint = map(str.strip, line.split("|"))
    for control in ("\x1b", "\x9b", "\r"):
        words = words.replace(repr(control)[1:-1], control)
    code, out, err = ended(finished, *shlex.split(words))

    assert (code, out) == (2, "")
    assert is_one_line(err), err
    assert reason in err
    assert err.isascii()  # what was typed cannot drive the terminal
    assert err.rstrip("\n").isprintable()
    assert err.partition("; see python -m ezpyp.inspect ")[2].strip() == hint
    assert not hint or ended(*hint.split())[0] == 0


def test_a_command_line_without_cache_says_where_it_goes(tmp_path, monkeypatch, ended):
    monkeypatch.chdir(tmp_path)

    assert ended() == (2, "", "Error: Missing argument 'CACHE'; see python -m ezpyp.inspect --help\n")
    code, _, err = ended("steps")
    assert (code, is_one_line(err)) == (2, True)
    assert "python -m ezpyp.inspect CACHE steps" in err


@pytest.mark.parametrize("error", ["sqlite3.OperationalError('disk I/O error')", "MemoryError()"])
def test_what_the_machine_cannot_do_is_one_line(error, finished):
    code = f"import sqlite3\nimport ezpyp.inspect.verbs.sql as sql\ndef fail(*_, **__): raise {error}\n"
    code += "sql.write_rows = fail\nfrom ezpyp.inspect.__main__ import main\nmain()"

    done = run(sys.executable, "-c", code, str(finished), "sql", "SELECT 1")

    assert (done.returncode, is_one_line(done.stderr)) == (2, True), done.stderr


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


def test_a_terminal_gets_colours_source_and_only_columns_that_fit(failed, terminal):
    for columns in (40, 60, 80):
        shown = terminal(columns, failed, "steps")
        assert "\x1b[31mfailed\x1b[0m" in shown
        assert "no room for" in shown
        assert max(map(len, click.unstyle(shown).splitlines())) <= columns
    assert "\x1b[" in terminal(100, failed, "show", "beta").split("Source as recorded")[1]
    for words in ([], ["log", "--failed"]):
        assert "\x1b[" in terminal(100, failed, *words), words
    for words in ([], ["steps"], ["show", "beta"], ["log", "--failed"], ["why", "beta"], ["graph"], ["timeline"]):
        for environ in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            assert "\x1b" not in terminal(100, failed, *words, **environ), words
    shown = terminal(80, failed, "get", "alpha", "-o", "-")
    assert shown.startswith("Error: ")
    assert "-o FILE" in shown


def test_what_a_step_needs_goes_on_below_where_a_terminal_is_narrow(tmp_path, ask, terminal):
    cache = build.Cache(tmp_path / "cache")
    names = [f"simulate[x={number}]" for number in range(30)]
    for name in names:
        cache.step(name)
    cache.step("total", phase=1, upstream=[(name, "value", "parts[]") for name in names])
    cache.revision()
    folder = cache.close()

    shown = click.unstyle(terminal(60, folder, "graph"))

    assert max(map(len, shown.splitlines())) <= 60
    assert shown.split() == ask(folder, "graph").out.split()
    assert len(ask(folder, "graph").lines) == 33


def test_a_pipe_gets_everything_aligned_and_no_colours(tmp_path):
    cache = build.Cache(tmp_path)
    for name in ["漢字カナ", "e\u0301te\u0301", "x" * 300, "a\nb", "plain", "👩‍🔬 scientist"]:
        cache.step(name, args=f"[{name!r}]", function="f")
    cache.revision()
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
    ["lineage", NAME], ["graph"], ["verify"], ["du"], ["sql", "SELECT * FROM latest"], ["sql", "SELECT * FROM notes"],
    *(["graph", "--format", form] for form in ("mermaid", "dot", "svg", "json")),
    *([*words, "--format", "json"] for words in (["steps"], ["show", NAME], ["sql", "SELECT * FROM notes"])),
]  # fmt: skip


def test_no_verb_in_no_format_drives_a_terminal_and_a_pipe_gets_the_very_text(tmp_path, ask, terminal):
    """A cache of somebody who wants more than to be read."""
    cache = build.Cache(tmp_path / "cache", pipeline_id=EVIL)
    cache.step(NAME, args=f"[{EVIL}]", function=f"f{EVIL}")
    cache.revision()
    cache.run("completed", host=EVIL, user=EVIL, command=EVIL, failed=1, done=0)
    cache.row(NAME, 1, 1, host=EVIL)
    cache.error(NAME, 1, type=EVIL, message=EVIL, file=EVIL)
    cache.db.execute(f'CREATE TABLE notes ("{EVIL}")')
    cache.db.execute("INSERT INTO notes VALUES (?)", [EVIL])
    folder = cache.close()

    for words in EVERY:
        assert ACTS.isdisjoint(ask(folder, *words, code=int(not words)).out), words
    for words in (["steps"], ["sql", "SELECT * FROM notes"]):
        for form in ("table", "json", "csv"):
            shown = click.unstyle(terminal(300, folder, *words, "--format", form))
            assert "pwn" in shown
            assert ACTS.isdisjoint(shown)
    assert ask.names(folder) == [ask.json(folder, "show", NAME)["name"]] == [NAME]
    out = run(*INSPECT, str(folder), "sql", "SELECT * FROM notes", "--format", "csv", text=False).stdout
    assert list(csv.reader(io.StringIO(out.decode(), newline=""))) == [[EVIL], [EVIL]]
