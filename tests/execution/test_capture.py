"""What a step says is kept and shown: in fresh processes, since a process has one standard output."""

import json
import os
import pty
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from ezpyp.execution.capture.capture import Capture, mode_asked_for
from ezpyp.execution.capture.stream import HeadAndTail
from tests.mpi import clean_environ

PRELUDE = """
import contextlib, io, json, logging, os, signal, subprocess, sys, time, warnings
from ezpyp.execution.capture.capture import Capture

warnings.filterwarnings("ignore", "This process .* is multi-threaded")  # newer Pythons' word on any fork
said = []

def step(body, capture):
    capture.begin()
    try:
        body()
    finally:
        end = capture.end()
        said.append(None if end is None else [part.decode("utf-8", "replace") for part in end])

def steps(*bodies, mode="fd"):
    with Capture(mode) as capture:
        for body in bodies:
            step(body, capture)
    return capture

def shown():
    return os.path.getsize(os.path.join(os.path.dirname(sys.argv[1]), "out"))

"""
WITH_C = "import ctypes\nlibc = ctypes.CDLL(None)\n"
FINISH = "\nwith open(sys.argv[1], 'w') as file:\n    json.dump(said, file)\n"


@dataclass
class Case:
    """A script, and what is kept of its steps and shown.

    Attributes:
        said: For each step its output, with its errors and log records where there are some; None for a silent one.
        stdout: What is shown; what the steps said if this is None, and so for `stderr`.
        code: The exit code.
        before: What the script does at first.
        env: Environment variables.
    """

    script: str
    said: Any = field(default_factory=list)
    stdout: str | None = None
    stderr: str | None = None
    code: int = 0
    before: str = ""
    env: dict[str, str] = field(default_factory=dict)

    def check(self, folder: Path, stdout: int | None = None) -> None:
        (folder / "script.py").write_text(self.before + PRELUDE + textwrap.dedent(self.script) + FINISH)
        command = [sys.executable, str(folder / "script.py"), str(folder / "said")]
        with open(folder / "out", "wb") as out, open(folder / "err", "wb") as err:
            done = subprocess.run(
                command, stdout=stdout or out, stderr=err, stdin=subprocess.DEVNULL, env=clean_environ(self.env),
                timeout=60,
            )  # fmt: skip
        out, err = ((folder / name).read_text(errors="replace") for name in ("out", "err"))
        assert done.returncode == self.code, err
        said = self.said if self.said is ANY else [[one, "", ""] if isinstance(one, str) else one for one in self.said]
        if self.code == 0:
            assert json.loads((folder / "said").read_text()) == said
        for number, text, found in ((0, self.stdout, out), (1, self.stderr, err)):
            if text is not None or (self.said is not ANY and stdout is None):
                assert found == ("".join(step[number] for step in said if step) if text is None else text)


CASES = {
    "python, C and children in order": Case(
        """
        def body():
            print("one", flush=True)
            libc.write(1, b"two\\n", 4)
            print("three", flush=True)
            subprocess.run(["sh", "-c", "echo four; echo five >&2"])
            print("six", flush=True)

        steps(body)
        print("after")
        """,
        said=[["one\ntwo\nthree\nfour\nsix\n", "five\n", ""]],
        stdout="one\ntwo\nthree\nfour\nsix\nafter\n",
        before=WITH_C,
    ),
    "streams without buffers": Case(
        """steps(lambda: (print("p"), os.write(1, b"c\\n"), print("q", end="")))""",
        said=["p\nc\nq"],
        env={"PYTHONUNBUFFERED": "1"},
    ),
    "each step has its own words, a silent one none, and what was buffered before stays before": Case(
        """
        print("before")
        with Capture() as capture:
            step(lambda: print("a"), capture)
            step(lambda: None, capture)
            print("nobody's", flush=True)
            step(lambda: sys.stderr.write("b"), capture)
        print("after")
        """,
        said=["a\n", None, ["", "b", ""]],
        stdout="before\na\nnobody's\nafter\n",
    ),
    "lines of ezpyp are shown and not kept": Case(
        """
        def body():
            print("mine", flush=True)
            capture.stdout.write("[PASS]\\n")
            capture.stdout.flush()

        with Capture() as capture:
            step(body, capture)
            console = capture.stdout
        console.write("last\\n"); console.flush()
        """,
        said=["mine\n"],
        stdout="mine\n[PASS]\nlast\n",
    ),
    "a reference to the old stream is kept too": Case(
        """
        logging.basicConfig(level="INFO", format="%(message)s")
        old = sys.stdout
        steps(lambda: (print("to the old", file=old), logging.info("logged")))
        """,
        said=[["to the old\n", "logged\n", ""]],
    ),
    "a step may close its streams": Case(
        """
        def closing():
            print("first")
            sys.stdout.close()

        with Capture() as capture:
            step(closing, capture)
            step(lambda: print("second"), capture)
            step(lambda: os.close(1), capture)
            step(lambda: print("third", flush=True), capture)
            capture.stdout.write("line\\n"); capture.stdout.flush()
        print("after")
        """,
        said=["first\n", "second\n", None, "third\n"],
        stdout="first\nsecond\nthird\nline\nafter\n",
    ),
    "a file that took the closed descriptor is left alone": Case(
        """
        def body():
            os.close(1)
            global mine
            mine = open(sys.argv[1] + ".mine", "w+")
            assert mine.fileno() == 1

        steps(body)
        mine.write("whole")
        mine.seek(0)
        assert mine.read() == "whole"
        """,
        said=[None],
    ),
    "a step may replace its streams": Case(
        """
        def body():
            with contextlib.redirect_stdout(io.StringIO()) as text:
                print("hidden")
            sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding="latin-1", line_buffering=True)
            print("wrapped \\xe9")

        steps(body, lambda: print("still"))
        print("after", flush=True)
        """,
        said=["wrapped \ufffd\n", "still\n"],
        stdout="wrapped \ufffd\nstill\nafter\n",
    ),
    "a step may lead a descriptor elsewhere to read what is printed": Case(
        """
        import tempfile
        def body():
            print("before", flush=True)
            saved = os.dup(1)
            with tempfile.TemporaryFile() as file:
                os.dup2(file.fileno(), 1)
                print("inside", flush=True)
                os.write(1, b"and below")
                os.dup2(saved, 1)
                file.seek(0)
                print("read", file.read(), flush=True)

        steps(body)
        """,
        said=["before\nread b'inside\\nand below'\n"],
    ),
    "a forked child is kept and may outlive the step": Case(
        """
        def forking():
            if os.fork() == 0:
                print("child", flush=True)
                time.sleep(0.3)
                print("late child", flush=True)
                os._exit(0)
            time.sleep(0.15)
            print("parent", flush=True)

        steps(forking, os.wait)
        """,
        said=["child\nparent\n", "late child\n"],
    ),
    "os exit in a step loses nothing": Case(
        """steps(lambda: (print("python", flush=True), os.write(2, b"descriptor"), os._exit(3)))""",
        stdout="python\n",
        stderr="descriptor",
        code=3,
    ),
    "what python printed is shown before a crash": Case(
        """steps(lambda: (print("last words", flush=True), os.kill(os.getpid(), signal.SIGKILL)))""",
        stdout="last words\n",
        code=-9,
    ),
    "a child is shown while the step still runs": Case(
        """
        def body():
            subprocess.run(["echo", "early"])
            deadline = time.monotonic() + 20
            while not shown() and time.monotonic() < deadline:
                time.sleep(0.01)
            print("seen" if shown() else "not seen")

        steps(body)
        """,
        said=["early\nseen\n"],
    ),
    "what interrupts a write may write too": Case(
        """
        @contextlib.contextmanager
        def interrupted(last):
            if last != b"!":
                capture._streams[1].write(b"handler!")
            yield

        with Capture() as capture:
            capture._streams[1].suspended = interrupted
            step(lambda: os.write(2, b"main"), capture)
        """,
        said=[["", "mainhandler!", ""]],
        stderr="handler!main",
    ),
    "a signal handler may print while a print is under way": Case(
        """
        count = 0
        def handler(*_):
            global count
            count += 1
            sys.stderr.write("tick\\n")

        def body():
            deadline = time.monotonic() + 1
            while time.monotonic() < deadline and count < 200:
                os.write(1, b"c\\n")
                print("p")
            signal.setitimer(signal.ITIMER_REAL, 0, 0)

        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        steps(body)
        assert {*said[0][0].split()} == {"c", "p"} and {*said[0][1].split()} == {"tick"}
        """,
        said=ANY,
    ),
    "who keeps the binary stream alone may write after the run": Case(
        """
        import gc
        steps(lambda: globals().update(kept=sys.stdout.buffer))
        gc.collect()
        kept.write(b"late")
        kept.flush()
        """,
        said=[None],
        stdout="late",
    ),
    "binary output": Case(
        """
        with Capture() as capture:
            capture.begin()
            sys.stdout.buffer.write(bytes(range(256)))
            os.write(1, b"\\xff")
            kept = capture.end().stdout
        assert kept == bytes(range(256)) + b"\\xff" and shown() == 257
        """,
        said=[],
        stdout=ANY,
    ),
    "a users own tee over the descriptor is kept once": Case(
        """
        class Tee:
            def __init__(self, *files): self.files = files
            def write(self, text): return [file.write(text) for file in self.files][0]
            def flush(self): [file.flush() for file in self.files]

        sys.stdout = Tee(sys.stdout, open(os.devnull, "w"))
        steps(lambda: (print("once"), print("twice")))
        """,
        said=["once\ntwice\n"],
    ),
    "each step keeps a warning that is shown once, and none that the user ignores": Case(
        """
        def body():
            warnings.warn("overflow", RuntimeWarning)

        steps(body, body)
        assert said[0] == said[1] and "RuntimeWarning: overflow" in said[0][1]
        sys.stderr.flush()
        with open(sys.argv[1].replace("said", "err")) as file:
            assert file.read().count("RuntimeWarning: overflow") == 1
        warnings.simplefilter("ignore")
        steps(body)
        assert said[2] is None
        """,
        said=ANY,
    ),
    "log records are kept once whether a handler shows them or not": Case(
        """
        quiet, loud = logging.getLogger("quiet"), logging.getLogger("loud")
        quiet.setLevel("INFO")
        steps(
            lambda: (quiet.info("to nobody %d", 1), loud.warning("to the last resort")),
            lambda: quiet.info("wrong arguments %d", "x"),
        )
        assert not logging.getLogger().handlers
        quiet.info("outside")
        """,
        said=[
            ["", "to the last resort\n", "INFO quiet: to nobody 1\n"],
            ["", "", "INFO quiet: wrong arguments %d\n"],
        ],
    ),
    "a handler made in a step works after the run": Case(
        """
        steps(lambda: logging.basicConfig(format="%(message)s"))
        logging.warning("after the run")
        steps(lambda: logging.warning("in the next"))
        """,
        said=[None, ["", "in the next\n", ""]],
        stderr="after the run\nin the next\n",
    ),
    "everything is put back": Case(
        """
        import ctypes, threading
        def state():
            return sys.stdout, sys.stderr, os._exit, warnings.showwarning, sorted(os.listdir("/proc/self/fd"))

        steps()
        before, made = state(), logging.getLogRecordFactory()
        for _ in range(3):
            steps(lambda: print("x"))
        assert state() == before, (state(), before)
        assert logging.getLogRecordFactory() is made
        assert threading.active_count() == 1
        """,
        said=["x\n"] * 3,
    ),
    "both ends of much output are kept and all is shown": Case(
        """
        steps(lambda: [print(f"line {n:06d}") for n in range(100_000)])
        kept = said[0][0]
        assert kept.startswith("line 000000\\n") and kept.endswith("line 099999\\n")
        assert f"[... {1_200_000 - 65536} bytes left out ...]" in kept and len(kept) < 66_000
        assert shown() == 1_200_000
        """,
        said=ANY,
    ),
    "a text larger than a piece is shown whole": Case(
        """
        steps(lambda: print("x" * 3_000_001 + "end"))
        assert shown() == 3_000_005 and said[0][0].endswith("xend\\n")
        """,
        said=ANY,
    ),
    "c code that leaves its words in a buffer": Case(
        """
        libc.printf(b"before the run\\n")
        steps(lambda: libc.printf(b"number %d, ", ctypes.c_int(5)), lambda: libc.puts(b"and more"), lambda: None)
        """,
        said=["number 5, ", "and more\n", None],
        stdout="before the run\nnumber 5, and more\n",
        before=WITH_C,
    ),
    "c code of a library where ctypes is not loaded": Case(
        """
        steps(lambda: None)
        assert "ctypes" not in sys.modules
        sys.modules["mine"] = type(sys)("mine")
        sys.modules["mine"].__file__ = "mine.abi3.so"
        steps(lambda: None)
        assert "ctypes" in sys.modules
        """,
        said=[None, None],
    ),
    "c code that holds the interpreter lock cannot deadlock": Case(
        """
        import ctypes
        libc = ctypes.PyDLL(None)
        block = b"x" * 1_000_000
        steps(lambda: [libc.write(1, block, len(block)) for _ in range(20)])
        assert shown() == 20_000_000 and said[0]
        """,
        said=ANY,
    ),
    "missing descriptors are no error": Case(
        """steps(lambda: sys.stderr.write("only this"))""",
        said=[["", "only this", ""]],
        before="import os\nos.close(1)\nimport sys\nsys.stdout = None\n",
    ),
}
LOUD = """steps(lambda: (os.write(1, b"c\\n"), print("p")), mode={!r})"""
CRASH = """
import faulthandler
faulthandler.enable()
{}
os.wait()
with open(sys.argv[1].replace("said", "err")) as file:
    assert "Fatal Python error: Aborted" in file.read()
"""
for when, crash in {"in": "os.fork() or steps(os.abort)", "after": "steps()\nos.fork() or os.abort()"}.items():
    CASES[f"a crash report goes where errors go {when} a run"] = Case(CRASH.format(crash), said=ANY)
for mode, kept in {"off": None, "python": "p\n", "fd": "c\np\n"}.items():
    CASES[f"mode {mode}"] = Case(LOUD.format(mode), said=[kept], stdout="c\np\n")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_shown_and_kept(tmp_path: Path, case: Case) -> None:
    case.check(tmp_path)


def test_much_output_of_a_child_needs_no_memory(tmp_path: Path) -> None:
    script = """
    from tests.memory import peak_bytes
    with Capture() as capture:
        step(lambda: subprocess.run("head -c 300000000 /dev/zero", shell=True), capture)
        step(lambda: None, capture)
        assert os.fstat(1).st_blocks == 0  # given back when the next step begins
    assert f"{300_000_000 - 65536} bytes left out" in said[0][0]
    assert peak_bytes() < 100_000_000
    """
    with open(os.devnull, "wb") as nowhere:
        Case(script, said=ANY).check(tmp_path, nowhere.fileno())


def test_a_stream_that_nobody_reads_ends_nothing(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    script = """
    steps(lambda: print("unheard", flush=True))
    sys.stdout = None
    """
    Case(script, said=["unheard\n"]).check(tmp_path, write)
    os.close(write)


def test_a_full_disk_behind_the_output_ends_nothing(tmp_path: Path) -> None:
    script = """steps(lambda: (print("no room", flush=True), subprocess.run(["echo", "child"])))"""
    with open("/dev/full", "wb") as full:
        Case(script, said=["no room\nchild\n"]).check(tmp_path, full.fileno())


def test_a_terminal_stays_one_for_python(tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    script = """steps(lambda: print(sys.stdout.isatty(), sys.stdout.fileno(), sys.stdout.encoding))"""
    Case(script, said=["True 1 utf-8\n"]).check(tmp_path, terminal)
    os.close(terminal)
    shown = os.read(controller, 1000).decode()
    os.close(controller)

    assert shown == "True 1 utf-8\r\n"


class Notebook:
    """A stream without a descriptor, as a notebook has."""

    text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


def test_a_stream_without_a_descriptor_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = Notebook()
    monkeypatch.setattr(sys, "stdout", notebook)
    with Capture() as capture:
        capture.begin()
        print("in a cell")
        os.write(1, b"from C\n")
        said = capture.end()
        assert capture.stdout is notebook

    assert sys.stdout is notebook
    assert notebook.text == "in a cell\n"
    assert said is not None
    assert said.stdout == b"in a cell\nfrom C\n"


def test_the_setting() -> None:
    assert [mode_asked_for(text) for text in (None, "", "1", "0", "python")] == ["fd", "fd", "fd", "off", "python"]


@pytest.mark.parametrize("lines", [128, 5000])
@pytest.mark.parametrize("size", [1, 7, 100, 4096, 40_000])
def test_kept_is_bounded_however_it_comes_and_whole_below_the_limit(lines: int, size: int) -> None:
    whole = b"".join(b"%07d\n" % number for number in range(lines))
    kept = HeadAndTail(limit_bytes=1024)
    for start in range(0, len(whole), size):
        kept.add(whole[start : start + size])

    mark = b"\n[... %d bytes left out ...]\n" % (len(whole) - 1024)
    assert kept.take() == (whole if len(whole) <= 1024 else whole[:512] + mark + whole[-512:])
