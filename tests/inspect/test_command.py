"""The command itself: help, exit codes, what it loads, what a pipe and a terminal get."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from click.testing import CliRunner

from ezpyp.inspect.cli import GROUPS, HOMES, VERBS, cli
from tests.inspect import build

ROOT = Path(__file__).absolute().parents[2]
# What is told of a full disk only when Python ends needs Python's buffer.
ENVIRON = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80", "PYTHONUNBUFFERED": ""}
INSPECT = [sys.executable, "-m", "ezpyp.inspect"]


def run(*words: str, text: bool = True, **environ: str) -> subprocess.CompletedProcess:
    return subprocess.run([*INSPECT, *words], env={**ENVIRON, **environ}, capture_output=True, text=text, timeout=60)


def test_there_is_one_file_a_verb():
    files = {path.stem for path in (ROOT / "ezpyp" / "inspect" / "verbs").glob("[!_]*.py")}

    assert files - {"overview"} == VERBS - set(HOMES)
    assert sum(len(verbs) for verbs in GROUPS.values()) == len(VERBS)


def test_the_help_of_all_says_what_each_verb_says():
    for verbs in GROUPS.values():
        for verb, summary in verbs.items():
            assert summary == cli.get_command(None, verb).get_short_help_str(80).removesuffix(".")


@pytest.mark.parametrize("verb", ["", *sorted(VERBS)])
def test_help_fits_a_screen_and_has_an_example(verb):
    for words in (
        [verb, "--help"] if verb else ["--help"],
        ["no/cache", *([verb] if verb else []), "--help"],
    ):
        result = CliRunner().invoke(cli, words, prog_name="python -m ezpyp.inspect", terminal_width=80)
        lines = result.stdout.splitlines()
        if words[0] == "no/cache" and not verb:
            continue
        assert result.exit_code == 0, result.output
        assert len(lines) <= 24
        assert max(map(len, lines)) <= 80
        assert "Example:" in result.stdout
        assert "..." not in result.stdout.replace("PARAM=VALUE]...", "")


@pytest.mark.parametrize("words", [[], ["--nonsense"], ["cache", "nonsense"], ["cache", "steps", "--nonsense"]])
def test_wrong_use_exits_with_2(words):
    assert CliRunner().invoke(cli, words).exit_code == 2


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
    done = subprocess.run(
        [sys.executable, "-c", LOADED, str(finished)], env=ENVIRON, capture_output=True, text=True, timeout=60
    )

    assert done.stderr == ""
    heavy = {"numpy", "mpi4py", "sqlite_utils", "cloudpickle", "rich.console", "pygments"}
    assert "click" in done.stdout.split()
    assert heavy.isdisjoint(done.stdout.split())


def test_modules_of_inspect_import_neither_execution_nor_pipeline_nor_pickle():
    for path in (ROOT / "ezpyp" / "inspect").rglob("*.py"):
        text = path.read_text()
        for forbidden in (
            "ezpyp.execution",
            "ezpyp.pipeline",
            "import pickle",
            "cloudpickle",
            "decode_result",
        ):
            assert forbidden not in text, path.name


def test_exit_codes_of_the_real_command(tmp_path):
    folder = build.failed(tmp_path / "cache").close()

    assert run(str(folder), "steps").returncode == 0
    assert run(str(folder)).returncode == 1
    assert run(str(tmp_path), "steps").returncode == 2


def long_names(folder: Path) -> Path:
    """Names and values that break tables: wide, combining, long, with line ends."""
    cache = build.Cache(folder)
    names = ["漢字カナ", "e\u0301te\u0301", "x" * 300, "a\nb", "plain", "👩‍🔬 scientist"]
    cache.revision(added=[cache.step(name, args=f"[{name!r}]", function="f") for name in names])
    return cache.close()


def test_a_pipe_gets_everything_and_no_colours(tmp_path):
    folder = long_names(tmp_path)

    done = run(str(folder), "steps", FORCE_COLOR="1", CLICOLOR_FORCE="1")

    assert "\x1b" not in done.stdout
    assert "x" * 300 in done.stdout
    assert "…" not in done.stdout
    assert len(done.stdout.splitlines()) == 7


def test_columns_stay_aligned_for_wide_characters(tmp_path, ask):
    from rich.cells import cell_len

    lines = ask(long_names(tmp_path), "steps").lines

    starts = {cell_len(line[: line.index(" pending ")]) for line in lines[1:]}
    assert starts == {cell_len(lines[0][: lines[0].index(" status ")])}


def test_an_ascii_terminal_gets_no_traceback(tmp_path):
    folder = long_names(tmp_path)

    for words in (["steps"], ["steps", "--format", "json"]):
        done = run(str(folder), *words, PYTHONIOENCODING="ascii")
        assert (done.returncode, done.stderr) == (0, "")


def on_terminal(columns: int, *words: str, **more: str) -> str:
    """What the command shows on a terminal of that width."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environ = {name: value for name, value in ENVIRON.items() if name not in ("COLUMNS", "NO_COLOR")}
    with subprocess.Popen(
        [*INSPECT, *words], env=environ | {"TERM": "xterm"} | more, stdout=follower, stderr=follower
    ) as process:
        os.close(follower)
        shown = b""
        while True:
            try:
                piece = os.read(leader, 65536)
            except OSError:  # Linux: the other end is closed
                break
            if not piece:
                break
            shown += piece
        process.wait(timeout=60)
    os.close(leader)
    return shown.decode().replace("\r\n", "\n")


def test_a_terminal_gets_colours_and_only_columns_that_fit(failed):
    shown = on_terminal(60, str(failed), "steps")

    assert "\x1b[31mfailed\x1b[0m" in shown
    assert "no room for" in shown
    rows = shown.splitlines()[:4]
    assert all(len(click_free(row)) <= 60 for row in rows)


def click_free(line: str) -> str:
    import click

    return click.unstyle(line)


def test_a_terminal_gets_coloured_source(finished):
    shown = on_terminal(100, str(finished), "show", "gamma")

    assert "\x1b[" in shown.split("Source as recorded")[1]


def test_a_reader_that_goes_away_is_no_traceback(finished):
    done = subprocess.run(
        f"{sys.executable} -m ezpyp.inspect {finished} steps --format json | head -c 1",
        shell=True, env=ENVIRON, capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert done.stdout == "["
    assert done.stderr == ""
