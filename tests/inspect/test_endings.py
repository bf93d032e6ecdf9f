"""How the command ends: one line on stderr and an exit code that tells, wherever its output goes."""

import errno
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.inspect.test_command import ENVIRON, INSPECT, on_terminal, run
from tests.inspect.test_damage import sound

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
# By each way that the verbs have to write.
WAYS = (
    [], ["steps"], ["steps", "--format", "json"], ["runs", "--format", "csv"], ["show", "alpha", "--format", "json"],
    ["timeline", "--format", "svg"], ["get", "alpha", "-o", "-"], ["--help"],
)  # fmt: skip


def in_shell(redirection: str, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-c", f'"$@" {redirection}', "bash", *INSPECT, *words]
    return subprocess.run(command, env=ENVIRON, capture_output=True, text=True, timeout=60, cwd=cwd)


def told_in_one_line(done: subprocess.CompletedProcess[str]) -> bool:
    return done.stderr.startswith("Error: ") and done.stderr.count("\n") == 1


@pytest.fixture
def stored(tmp_path) -> Path:
    return sound(tmp_path / "cache").close()


@pytest.fixture(autouse=True)
def _own_settings(tmp_path, monkeypatch):
    monkeypatch.setitem(ENVIRON, "XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.mark.parametrize("words", WAYS, ids=" ".join)
def test_a_full_disk_is_one_line(words, stored):
    done = in_shell("> /dev/full", str(stored), *words)

    assert done.returncode == 2
    assert told_in_one_line(done), done.stderr
    assert os.strerror(errno.ENOSPC) in done.stderr


@pytest.mark.parametrize("words", WAYS, ids=" ".join)
def test_a_closed_output_is_one_line(words, stored):
    done = in_shell(">&-", str(stored), *words)

    assert done.returncode == 2
    assert told_in_one_line(done), done.stderr
    assert "standard output is closed" in done.stderr


def test_nobody_to_be_told_is_no_traceback(tmp_path):
    for redirection in ("2>&-", ">&- 2>&-", "2> /dev/full"):
        done = in_shell(redirection, str(tmp_path), "steps")
        assert (done.returncode, done.stdout, done.stderr) == (2, "", ""), redirection


@pytest.mark.parametrize("words", [["steps", "--format", "json"], ["get", "gamma", "-o", "-"]], ids=" ".join)
def test_a_reader_that_goes_away_ends_it_quietly(words, stored):
    reader, writer = os.pipe()
    os.close(reader)

    done = subprocess.run(
        [*INSPECT, str(stored), *words], env=ENVIRON, stdout=writer, stderr=subprocess.PIPE, timeout=60
    )
    os.close(writer)

    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


def test_a_removed_working_directory_is_one_line(finished, tmp_path):
    gone = "cd $(mktemp -d) && rmdir $PWD &&"

    for cache in ("cache", "."):
        for verb in (["steps"], ["trust"], []):
            command = f'{gone} exec "$@"'
            done = subprocess.run(
                ["bash", "-c", command, "bash", *INSPECT, cache, *verb],
                env=ENVIRON, capture_output=True, text=True, timeout=60,
            )  # fmt: skip
            assert done.returncode == 2
            assert told_in_one_line(done), done.stderr
            assert "working directory" in done.stderr
    done = subprocess.run(
        ["bash", "-c", f'{gone} exec "$@"', "bash", *INSPECT, str(finished), "steps"],
        env=ENVIRON, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "query", [ENDLESS, ENDLESS.replace("count(*)", "i") + " WHERE i < 0", ENDLESS.replace("count(*)", "i")]
)
def test_ctrl_c_ends_a_query_that_would_never_end(query, finished):
    with subprocess.Popen(
        [*INSPECT, str(finished), "sql", query], env=ENVIRON, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        wait_for_work(process.pid)
        process.send_signal(signal.SIGINT)
        try:
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()

    assert process.returncode == 128 + signal.SIGINT
    assert err == b"Interrupted\n"


def wait_for_work(pid: int) -> None:
    """Until the process has computed for a second: by then it asks SQLite."""
    ticks = os.sysconf("SC_CLK_TCK")
    while True:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if int(fields[11]) > ticks:
            return
        time.sleep(0.02)


WRONG = {
    "steps --nonsense": "--nonsense",
    "steps --format xml": "table",
    "steps --status nonsense": "there are",
    "steps --limit -1": "--limit",
    "show": "NAME",
    "nonsense": "no verb 'nonsense'; there are runs, steps, ",
    "diff 1 2 3": "at most two",
    "get alpha": "--output",
    "sql": "QUERY",
    "sql SELEC": "SQL: ",
    "sql ''": "SQL: ",
    "log": "NAME",
    "graph --by nothing": "phase",
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong_use_is_one_line_that_says_what_to_type(words, finished):
    done = run(str(finished), *shlex.split(words))

    assert (done.returncode, done.stdout) == (2, "")
    assert told_in_one_line(done), done.stderr
    assert WRONG[words] in done.stderr
    if "SQL" not in done.stderr:
        verb = words.split()[0].replace("nonsense", "").strip()
        hint = " ".join(["python -m ezpyp.inspect", verb, "--help"]).replace("  ", " ")
        assert done.stderr.endswith(f"{hint}\n"), done.stderr
        assert run(*hint.split()[3:]).returncode == 0


def test_no_word_at_all_is_one_line():
    done = subprocess.run(INSPECT, env=ENVIRON, capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: Missing argument 'CACHE'; see python -m ezpyp.inspect --help\n"


def test_a_verb_without_its_cache_is_told_where_the_cache_goes(tmp_path):
    done = subprocess.run([*INSPECT, "steps"], env=ENVIRON, capture_output=True, text=True, timeout=60, cwd=tmp_path)

    assert done.returncode == 2
    assert told_in_one_line(done)
    assert "python -m ezpyp.inspect CACHE steps" in done.stderr


def test_what_was_typed_cannot_drive_the_terminal(finished):
    for words in (["\x1b[31mred"], ["steps", "--\x1b[31m"], ["steps", "--status", "\x9b31m"], ["show", "a\rb"]):
        done = run(str(finished), *words)
        assert done.returncode == 2
        assert told_in_one_line(done), done.stderr
        assert done.stderr.isascii()
        assert done.stderr.rstrip("\n").isprintable()


@pytest.mark.parametrize("error", ["sqlite3.OperationalError('disk I/O error')", "MemoryError()"])
def test_what_the_machine_cannot_do_is_one_line(error, finished):
    code = "import sqlite3\nimport ezpyp.inspect.verbs.sql as sql\n"
    code += f"def fail(*_, **__): raise {error}\nsql.write_rows = fail\n"
    code += "from ezpyp.inspect.cli import main\nmain()"

    done = subprocess.run(
        [sys.executable, "-c", code, str(finished), "sql", "SELECT 1"],
        env=ENVIRON, capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert done.returncode == 2
    assert told_in_one_line(done), done.stderr


def test_bytes_are_not_written_to_a_terminal(finished):
    shown = on_terminal(80, str(finished), "get", "alpha", "-o", "-")

    assert shown.startswith("Error: ")
    assert "-o FILE" in shown
