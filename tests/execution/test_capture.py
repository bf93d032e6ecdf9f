"""What a step says is kept and shown: in fresh processes, since a process has one standard output."""

import json
import os
import pty
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

from ezpyp.execution.capture.capture import Capture, mode_asked_for
from ezpyp.execution.capture.stream import HeadAndTail
from tests.mpi import clean_environ

PRELUDE = """
import json, os, subprocess, sys, time, warnings
from ezpyp.execution.capture.capture import Capture

said = []

def step(body, capture):
    capture.begin()
    try:
        body()
    finally:
        end = capture.end()
        said.append(None if end is None else [part.decode("utf-8", "replace") for part in end])

def finish():
    with open(sys.argv[1], "w") as file:
        json.dump(said, file)
"""

NOISY_C = """
import ctypes
libc = ctypes.CDLL(None)
def c_print(text):
    libc.write(1, text, len(text))
"""


@dataclass
class Ran:
    """A process that has ended: what it showed, and what was kept of each step."""

    code: int
    stdout: str
    stderr: str
    said: list[list[str] | None]


def ran(tmp_path: Path, script: str, *, prelude: str = PRELUDE, stdout: int | None = None, unbuffered: str = "") -> Ran:
    path, answer = tmp_path / "script.py", tmp_path / "said.json"
    path.write_text(prelude + textwrap.dedent(script) + "\nfinish()\n")
    out, err = tmp_path / "out.txt", tmp_path / "err.txt"
    with out.open("wb") as out_file, err.open("wb") as err_file:
        done = subprocess.run(
            [sys.executable, str(path), str(answer)],
            stdout=out_file if stdout is None else stdout,
            stderr=err_file,
            stdin=subprocess.DEVNULL,
            env=clean_environ({"PYTHONUNBUFFERED": unbuffered}),
            timeout=60,
        )
    said = json.loads(answer.read_text()) if answer.exists() else []
    return Ran(done.returncode, out.read_text(errors="replace"), err.read_text(errors="replace"), said)


def test_python_c_and_children_are_kept_and_shown_in_order(tmp_path: Path) -> None:
    done = ran(
        tmp_path,
        NOISY_C
        + """
        def body():
            print("one", flush=True)
            c_print(b"two\\n")
            print("three", flush=True)
            subprocess.run(["sh", "-c", "echo four; echo five >&2"])
            print("six", flush=True)

        with Capture() as capture:
            step(body, capture)
        print("after")
        """.replace("\n        ", "\n"),
    )

    assert done.said == [["one\ntwo\nthree\nfour\nsix\n", "five\n", ""]]
    assert done.stdout == "one\ntwo\nthree\nfour\nsix\nafter\n"
    assert done.stderr == "five\n"


def test_streams_without_buffers_are_kept(tmp_path: Path) -> None:
    done = ran(
        tmp_path,
        """
        with Capture() as capture:
            step(lambda: (print("p"), os.write(1, b"c\\n"), print("q", end="")), capture)
        """,
        unbuffered="1",
    )

    assert done.said == [["p\nc\nq", "", ""]]
    assert done.stdout == "p\nc\nq"


@dataclass
class Case:
    """A script, and what it shows and says; what is None may be anything."""

    script: str
    said: list[list[str] | None] | None = None
    stdout: str | None = None
    stderr: str | None = None
    code: int = 0


CASES = {
    "each step has its own words and a silent one none": Case(
        """
        with Capture() as capture:
            step(lambda: print("a"), capture)
            step(lambda: None, capture)
            print("nobody's", flush=True)
            step(lambda: sys.stderr.write("b"), capture)
        """,
        said=[["a\n", "", ""], None, ["", "b", ""]],
        stdout="a\nnobody's\n",
        stderr="b",
    ),
    "lines of ezpyp are shown and not kept": Case(
        """
        with Capture() as capture:
            def body():
                print("mine", flush=True)
                capture.stdout.write("[PASS]\\n")
                capture.stdout.flush()
            step(body, capture)
            console = capture.stdout
        console.write("last\\n"); console.flush()
        """,
        said=[["mine\n", "", ""]],
        stdout="mine\n[PASS]\nlast\n",
    ),
    "output that was buffered before stays before": Case(
        """
        print("before")
        with Capture() as capture:
            step(lambda: print("inside"), capture)
        print("after")
        """,
        said=[["inside\n", "", ""]],
        stdout="before\ninside\nafter\n",
    ),
    "a reference to the old stream is kept too": Case(
        """
        import logging
        logging.basicConfig(level="INFO", format="%(message)s")
        old = sys.stdout
        with Capture() as capture:
            step(lambda: (print("to the old", file=old), logging.info("logged")), capture)
        """,
        said=[["to the old\n", "logged\n", ""]],
        stdout="to the old\n",
        stderr="logged\n",
    ),
    "a step that closes a descriptor does not silence the next": Case(
        """
        with Capture() as capture:
            step(lambda: os.close(1), capture)
            step(lambda: print("still here", flush=True), capture)
        """,
        said=[None, ["still here\n", "", ""]],
        stdout="still here\n",
        code=0,
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
            step(lambda: print("third"), capture)
            capture.stdout.write("line\\n"); capture.stdout.flush()
        print("after")
        """,
        said=[["first\n", "", ""], ["second\n", "", ""], None, ["third\n", "", ""]],
        stdout="first\nsecond\nthird\nline\nafter\n",
        code=0,
    ),
    "a step may replace its streams": Case(
        """
        import contextlib, io
        def body():
            with contextlib.redirect_stdout(io.StringIO()) as text:
                print("hidden")
            sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding="latin-1", line_buffering=True)
            print("wrapped \\xe9")

        with Capture() as capture:
            step(body, capture)
            step(lambda: print("still"), capture)
        print("after", flush=True)
        """,
        said=[["wrapped \ufffd\n", "", ""], ["still\n", "", ""]],
        stdout="wrapped \ufffd\nstill\nafter\n",
        code=0,
    ),
    "a forked child is kept and may outlive the step": Case(
        """
        warnings.simplefilter("ignore")  # newer Pythons warn of a fork beside the thread that shows

        def forking():
            if os.fork() == 0:
                print("child", flush=True)
                time.sleep(0.3)
                print("late child", flush=True)
                os._exit(0)
            time.sleep(0.15)
            print("parent", flush=True)

        with Capture() as capture:
            step(forking, capture)
            step(os.wait, capture)
        """,
        said=[["child\nparent\n", "", ""], ["late child\n", "", ""]],
        stdout="child\nparent\nlate child\n",
    ),
    "processes of multiprocessing are kept": Case(
        """
        import multiprocessing
        warnings.simplefilter("ignore")

        def body():
            process = multiprocessing.get_context("fork").Process(target=print, args=("from a worker",))
            process.start(); process.join()

        with Capture() as capture:
            step(body, capture)
        """,
        said=[["from a worker\n", "", ""]],
        stdout="from a worker\n",
    ),
    "os exit in a step loses nothing": Case(
        """
        def body():
            print("python", flush=True)
            os.write(2, b"descriptor")
            os._exit(3)

        with Capture() as capture:
            step(body, capture)
        """,
        stdout="python\n",
        stderr="descriptor",
        code=3,
    ),
    "what python printed is shown before a crash": Case(
        """
        import signal
        with Capture() as capture:
            step(lambda: (print("last words", flush=True), os.kill(os.getpid(), signal.SIGKILL)), capture)
        """,
        stdout="last words\n",
        code=-9,
    ),
    "a child is shown while the step still runs": Case(
        """
        def body():
            subprocess.run(["echo", "early"])
            deadline = time.monotonic() + 20
            while os.path.getsize(shown) == 0 and time.monotonic() < deadline:
                time.sleep(0.01)
            print("seen" if os.path.getsize(shown) else "not seen")

        shown = os.path.join(os.path.dirname(sys.argv[1]), "out.txt")
        with Capture() as capture:
            step(body, capture)
        """,
        said=[["early\nseen\n", "", ""]],
    ),
    "what interrupts a write may write too": Case(
        """
        import contextlib
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
    ),
    "who keeps the binary stream alone may write after the run": Case(
        """
        import gc
        with Capture() as capture:
            step(lambda: globals().update(kept=sys.stdout.buffer), capture)
        del capture
        gc.collect()
        kept.write(b"late")
        kept.flush()
        """,
        stdout="late",
        code=0,
    ),
    "a users own tee over the descriptor is kept once": Case(
        """
        class Tee:
            def __init__(self, *files): self.files = files
            def write(self, text): return [file.write(text) for file in self.files][0]
            def flush(self): [file.flush() for file in self.files]

        sys.stdout = Tee(sys.stdout, open(os.devnull, "w"))
        with Capture() as capture:
            step(lambda: (print("once"), print("twice")), capture)
        """,
        said=[["once\ntwice\n", "", ""]],
        stdout="once\ntwice\n",
    ),
    "a warning that the user ignores is not kept": Case(
        """
        warnings.simplefilter("ignore")
        with Capture() as capture:
            step(lambda: warnings.warn("quiet"), capture)
        """,
        said=[None],
    ),
    "a handler made in a step works after the run": Case(
        """
        import logging
        with Capture() as capture:
            step(lambda: logging.basicConfig(format="%(message)s"), capture)
        logging.warning("after the run")
        with Capture() as capture:
            step(lambda: logging.warning("in the next"), capture)
        """,
        said=[None, ["", "in the next\n", ""]],
        stderr="after the run\nin the next\n",
    ),
    "everything is put back": Case(
        """
        import threading
        def state():
            return sys.stdout, sys.stderr, os._exit, warnings.showwarning, sorted(os.listdir("/proc/self/fd"))

        import ctypes, logging
        with Capture() as capture:
            pass
        before, made = state(), logging.getLogRecordFactory()
        for _ in range(3):
            with Capture() as capture:
                step(lambda: print("x"), capture)
        del capture
        assert state() == before, (state(), before)
        assert logging.getLogRecordFactory() is made
        assert threading.active_count() == 1
        """,
        code=0,
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_shown_and_kept(tmp_path: Path, case: Case) -> None:
    done = ran(tmp_path, case.script)

    assert done.code == case.code, done.stderr
    for part in ("said", "stdout", "stderr"):
        assert getattr(case, part) in (None, getattr(done, part)), part


def test_both_ends_of_much_output_are_kept_and_all_is_shown(tmp_path: Path) -> None:
    done = ran(
        tmp_path,
        """
        with Capture() as capture:
            step(lambda: [print(f"line {n:06d}") for n in range(100_000)], capture)
        """,
    )
    assert done.said[0] is not None
    kept = done.said[0][0]

    assert kept.startswith("line 000000\n")
    assert kept.endswith("line 099999\n")
    assert f"[... {1_200_000 - 65536} bytes left out ...]" in kept
    assert len(kept) < 66_000
    assert done.stdout.count("\n") == 100_000


def test_c_code_that_leaves_its_words_in_a_buffer_is_kept(tmp_path: Path) -> None:
    done = ran(
        tmp_path,
        """
        libc.printf(b"before the run\\n")
        with Capture() as capture:
            step(lambda: libc.printf(b"number %d, ", ctypes.c_int(5)), capture)
            step(lambda: libc.puts(b"and more"), capture)
            step(lambda: None, capture)
        """,
        prelude=PRELUDE + NOISY_C,
    )

    assert done.said == [["number 5, ", "", ""], ["and more\n", "", ""], None]
    assert done.stdout == "before the run\nnumber 5, and more\n"


def test_c_code_of_a_library_is_kept_where_ctypes_is_not_loaded(tmp_path: Path) -> None:
    script = """
        with Capture() as capture:
            {}
            step(lambda: None, capture)
        assert ("ctypes" in sys.modules) == {}
        """
    extension = "sys.modules['mine'] = type(sys)('mine'); sys.modules['mine'].__file__ = 'mine.abi3.so'"

    assert ran(tmp_path, script.format("pass", False)).code == 0
    assert ran(tmp_path, script.format(extension, True)).code == 0


def test_a_step_may_lead_a_descriptor_elsewhere_to_read_what_is_printed(tmp_path: Path) -> None:
    done = ran(
        tmp_path,
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

        with Capture() as capture:
            step(body, capture)
        """,
    )

    words = "before\nread b'inside\\nand below'\n"
    assert done.stdout == words
    assert done.said == [[words, "", ""]]


def test_a_text_larger_than_a_piece_is_shown_whole(tmp_path: Path) -> None:
    done = ran(
        tmp_path,
        """
        with Capture() as capture:
            step(lambda: print("x" * 3_000_001 + "end"), capture)
        """,
    )

    assert len(done.stdout) == 3_000_005
    assert done.stdout.endswith("xend\n")
    assert done.said[0][0].endswith("xend\n")


def test_much_output_of_a_child_needs_no_memory(tmp_path: Path) -> None:
    done = ran(
        tmp_path,
        """
        from tests.memory import peak_bytes
        with Capture() as capture:
            step(lambda: subprocess.run("head -c 300000000 /dev/zero", shell=True), capture)
            step(lambda: None, capture)
            file_bytes = os.fstat(1).st_blocks * 512
        sys.stderr.write(f"{file_bytes} {peak_bytes()}")
        """,
        stdout=subprocess.DEVNULL,
    )
    file_bytes, peak = map(int, done.stderr.split())

    assert done.said[0] is not None
    assert f"{300_000_000 - 65536} bytes left out" in done.said[0][0]
    assert peak < 100_000_000
    assert file_bytes == 0  # given back when the next step begins


def test_binary_output_is_kept_as_it_is() -> None:
    script = "from ezpyp.execution.capture.capture import Capture\nimport os, sys\nwith Capture() as c:\n c.begin()\n"
    script += " sys.stdout.buffer.write(bytes(range(256)))\n os.write(1, b'\\xff')\n said = c.end()\n"
    script += "assert said.stdout == bytes(range(256)) + b'\\xff', said"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, env=clean_environ(), timeout=60)

    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == bytes(range(256)) + b"\xff"


def test_a_file_that_took_the_closed_descriptor_is_left_alone(tmp_path: Path) -> None:
    done = ran(
        tmp_path,
        """
        with Capture() as capture:
            def body():
                os.close(1)
                global mine
                mine = open(sys.argv[1] + ".mine", "w")
                assert mine.fileno() == 1
            step(body, capture)
        mine.write("whole")
        mine.close()
        """,
    )

    assert done.code == 0, done.stderr
    assert (tmp_path / "said.json.mine").read_text() == "whole"


def test_a_crash_report_of_python_is_shown(tmp_path: Path) -> None:
    done = ran(
        tmp_path,
        """
        import faulthandler
        faulthandler.enable()
        with Capture() as capture:
            step(os.abort, capture)
        """,
    )

    assert "Fatal Python error: Aborted" in done.stderr


def test_crash_reports_go_to_standard_error_after_a_run(tmp_path: Path) -> None:
    done = ran(
        tmp_path,
        """
        import faulthandler
        faulthandler.enable()
        with Capture() as capture:
            pass
        os.abort()
        """,
    )

    assert "Fatal Python error: Aborted" in done.stderr


def test_c_code_that_holds_the_interpreter_lock_cannot_deadlock(tmp_path: Path) -> None:
    done = ran(
        tmp_path,
        """
        import ctypes
        libc = ctypes.PyDLL(None)
        def body():
            block = b"x" * 1_000_000
            for _ in range(20):
                assert libc.write(1, block, len(block)) == len(block)

        with Capture() as capture:
            step(body, capture)
        """,
    )

    assert len(done.stdout) == 20_000_000
    assert done.said[0] is not None


def test_a_signal_handler_may_print_while_a_print_is_under_way(tmp_path: Path) -> None:
    done = ran(
        tmp_path,
        """
        import signal
        count = 0
        def handler(*_):
            global count
            count += 1
            sys.stderr.write("tick\\n")

        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        def body():
            deadline = time.monotonic() + 1
            while time.monotonic() < deadline and count < 200:
                os.write(1, b"c\\n")
                print("p")

        with Capture() as capture:
            step(body, capture)
            signal.setitimer(signal.ITIMER_REAL, 0, 0)
        """,
    )

    assert done.code == 0, done.stderr
    assert set(done.stderr.split()) == {"tick"}


def test_a_stream_that_nobody_reads_ends_nothing(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = ran(
        tmp_path,
        """
        with Capture() as capture:
            step(lambda: print("unheard", flush=True), capture)
        sys.stdout = None
        """,
        stdout=write,
    )
    os.close(write)

    assert done.code == 0, done.stderr
    assert done.said == [["unheard\n", "", ""]]


def test_a_full_disk_behind_the_output_ends_nothing(tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = ran(
            tmp_path,
            """
            with Capture() as capture:
                step(lambda: (print("no room", flush=True), subprocess.run(["echo", "child"])), capture)
            """,
            stdout=full.fileno(),
        )

    assert done.code == 0, done.stderr
    assert done.said == [["no room\nchild\n", "", ""]]


def test_missing_descriptors_are_no_error(tmp_path: Path) -> None:
    done = ran(
        tmp_path,
        """
        with Capture() as capture:
            step(lambda: sys.stderr.write("only this"), capture)
        """,
        prelude="import os\nos.close(1)\nimport sys\nsys.stdout = None\n" + PRELUDE,
    )

    assert done.code == 0, done.stderr
    assert done.said == [["", "only this", ""]]


def test_a_terminal_stays_one_for_python(tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    done = ran(
        tmp_path,
        """
        with Capture() as capture:
            step(lambda: print(sys.stdout.isatty(), sys.stdout.fileno(), sys.stdout.encoding), capture)
        """,
        stdout=terminal,
    )
    os.close(terminal)
    shown = os.read(controller, 1000).decode()
    os.close(controller)

    assert shown == "True 1 utf-8\r\n"
    assert done.said == [["True 1 utf-8\n", "", ""]]


class Notebook:
    """A stream without a descriptor, as a notebook has."""

    def __init__(self) -> None:
        self.text = ""

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


def test_each_step_keeps_a_warning_that_is_shown_once(tmp_path: Path) -> None:
    done = ran(
        tmp_path,
        """
        def body():
            warnings.warn("overflow", RuntimeWarning)

        with Capture() as capture:
            step(body, capture)
            step(body, capture)
        """,
    )

    first, second = done.said
    assert first == second
    assert first is not None
    assert "RuntimeWarning: overflow" in first[1]
    assert done.stderr.count("RuntimeWarning: overflow") == 1


def test_log_records_are_kept_once_whether_a_handler_shows_them_or_not(tmp_path: Path) -> None:
    done = ran(
        tmp_path,
        """
        import logging
        quiet, loud = logging.getLogger("quiet"), logging.getLogger("loud")
        quiet.setLevel("INFO")
        with Capture() as capture:
            step(lambda: (quiet.info("to nobody %d", 1), loud.warning("to the last resort")), capture)
            step(lambda: quiet.info("wrong arguments %d", "x"), capture)
        assert not logging.getLogger().handlers
        logging.getLogger("quiet").info("outside")
        """,
    )

    assert done.said[0] == ["", "to the last resort\n", "INFO quiet: to nobody 1\n"]
    assert done.said[1] is not None
    assert done.said[1][2] == "INFO quiet: wrong arguments %d\n"


@pytest.mark.parametrize(("mode", "kept"), [("off", None), ("python", ["p\n", "", ""]), ("fd", ["c\np\n", "", ""])])
def test_modes(tmp_path: Path, mode: str, kept: list[str] | None) -> None:
    done = ran(
        tmp_path,
        f"""
        with Capture({mode!r}) as capture:
            step(lambda: (os.write(1, b"c\\n"), print("p")), capture)
        """,
    )

    assert done.said == [kept]
    assert done.stdout == "c\np\n"


def test_the_setting() -> None:
    assert [mode_asked_for(text) for text in (None, "", "1", "0", "python")] == ["fd", "fd", "fd", "off", "python"]


def test_kept_is_bounded_however_it_comes() -> None:
    whole = b"".join(b"%07d\n" % number for number in range(5000))
    for size in (1, 7, 100, 4096, len(whole)):
        kept = HeadAndTail(limit_bytes=1024)
        for start in range(0, len(whole), size):
            kept.add(whole[start : start + size])

        assert kept.take() == whole[:512] + b"\n[... %d bytes left out ...]\n" % (len(whole) - 1024) + whole[-512:]


def test_kept_leaves_nothing_out_below_the_limit() -> None:
    kept = HeadAndTail(limit_bytes=1024)
    for _ in range(128):
        kept.add(b"12345678")

    assert kept.take() == b"12345678" * 128
