"""Caches written row by row, so that every state of one can be had without running a pipeline; and by a script."""

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import time
import zlib
from dataclasses import asdict
from pathlib import Path

from xxhash import xxh3_128_digest

from ezpyp.explain.record import FunctionRecord
from ezpyp.store.lock import Owner, current_owner
from ezpyp.store.results import result_checksum
from ezpyp.store.rows import NewResult
from ezpyp.store.schema_rows import step_checksum
from ezpyp.store.tables import FORMAT, SCRIPT

CHECKSUMMED = ("name", "key", "function", "codec", "phase", "args", "kwargs", "params", "settings", "shape", "manifest")

NINE, LARGE = b"\x80\x05K\x09.", b"x" * 100_000
START = 1_700_000_000.0
SOURCE = "def alpha(x):\n    return x ** 2\n"
TRACEBACK = """Traceback (most recent call last):
  File "/home/me/script.py", line 12, in gamma
    return a / b
ZeroDivisionError: division by zero
"""


def digest(*parts: object) -> bytes:
    return hashlib.md5(repr(parts).encode()).digest()


class Cache:
    """A cache under construction; every method writes the rows that a run would."""

    def __init__(self, folder: Path, pipeline_id: str = "toy") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.db = sqlite3.connect(folder / "ezpyp.sqlite", isolation_level=None)
        self.db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF")  # each row is a commit of its own
        self.db.executescript(SCRIPT)
        for name, value in (("format", FORMAT), ("pipeline_id", pipeline_id), ("created_at", START)):
            self.insert("meta", name=name, value=str(value))
        self.ids: dict[str, int] = {}
        self.functions: dict[str, int] = {}

    def insert(self, table: str, **values: object) -> int:
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        cursor = self.db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values()))
        return cursor.lastrowid or 0

    def function(self, name: str) -> int:
        if name not in self.functions:
            whole = digest(name, SOURCE)
            record = FunctionRecord(whole, name, "__main__", name, "/home/me/script.py", 3, SOURCE, (), ())
            content = {"identity": zlib.compress(record.to_json().encode()), "source": zlib.compress(SOURCE.encode())}
            place = {"module": "__main__", "python": "cpython-311", "file": "/home/me/script.py", "line": 3}
            self.functions[name] = self.insert("functions", digest=whole, name=name, **place, **content)
        return self.functions[name]

    def step(self, name: str, *, phase: int = 0, args: str = "[3]", salt: object = 0, upstream=(), **more) -> int:
        values = {
            "key": digest(name, salt),
            "codec": "pickle",
            "kwargs": "{}",
            "params": json.dumps(more.pop("params", {"x": "3"})),
            "function": self.function(more.pop("function", name.partition("[")[0])),
        }
        row = {"name": name, "phase": phase, "args": args, **values, **more}
        row["checksum"] = step_checksum([row.get(column) for column in CHECKSUMMED])
        self.ids[name] = self.insert("steps", **row)
        for ordinal, (above, kind, slot) in enumerate(upstream):
            ends = {"step": self.ids[name], "upstream": self.ids[above]}
            self.insert("step_edges", **ends, ordinal=ordinal, kind=kind, slot=slot)
        return self.ids[name]

    def spoil(self, *statements: str) -> None:
        """Change rows as a bad disk would: triggers do not see it."""
        guards = self.db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in guards:
            self.db.execute(f"DROP TRIGGER {name}")
        for statement in (*statements, *(sql for _, sql in guards)):
            self.db.execute(statement)

    def revision(self, added=None, removed=(), note: str = "first") -> int:
        """One more revision; by default with all steps."""
        added = list(self.ids.values()) if added is None else added
        number = (self.db.execute("SELECT max(revision) FROM revisions").fetchone()[0] or 0) + 1
        what = {"digest": digest(number), "recorded_at": START, "steps": len(added), "note": note}
        self.insert("revisions", revision=number, **what)
        for step in (*added, *removed):
            self.insert("schema_changes", step=step, revision=number, present=step in added)
        return number

    def run(self, status: str = "completed", *, revision: int = 1, **more: object) -> int:
        times = {"started_at": START, "finished_at": START + 2, "seconds": 2.0, "busy_seconds": 3.0}
        where = {"ranks": 2, "host": "node1", "pid": 7, "user": "me", "directory": "/home/me"}
        what = {"command": "python script.py", "python": "3.11.7", "ezpyp": "0.1"}
        counts = {"total": 3, "cached": 0, "done": 3, "failed": 0, "skipped": 0}
        values = {"revision": revision, "status": status, **times, **where, **what, **counts}
        return self.insert("runs", **(values | more))

    def result(self, name: str, run: int, payload: bytes | None = NINE, *, large: bytes = LARGE, **more) -> int:
        """A result in the index; without ``payload`` an object that holds ``large``."""
        data = large if payload is None else payload
        row = NewResult(digest(name, 0), None, None, xxh3_128_digest(data), len(data), "pickle", 1, ".step", "9", "int",
                        payload)  # fmt: skip
        values = {
            "key": row.key, "digest": row.digest, "size": row.size, "codec": "pickle", "codec_version": 1,
            "suffix": ".step", "preview": "9", "type": "int", "payload": payload, "run": run,
            "checksum": result_checksum(row),
        }  # fmt: skip
        if payload is None:
            path = object_of(self.folder, data)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return self.insert("results", **(values | more))

    def row(self, name: str, run: int, status: int = 0, **more: object) -> None:
        ran = {"started_at": START, "seconds": 0.5, "rank": 0, "host": "node1"}
        values = {"step": self.ids[name], "run": run, "status": status, "cached": 0, **ran}
        if status == 0 and "result" not in more:
            more["result"] = self.result(name, run)
        self.insert("step_rows", **(values | more))

    def error(self, name: str, run: int, **more: object) -> None:
        place = {"file": "/home/me/script.py", "line": 12, "blame": None, "traceback": TRACEBACK}
        values = {"type": "ZeroDivisionError", "message": "division by zero", **place}
        self.insert("errors", step=self.ids[name], run=run, **(values | more))

    def hold(self, owner: Owner | None = None) -> None:
        owner = json.dumps(asdict(owner or current_owner()))
        self.db.execute("UPDATE holder SET epoch = 1, owner = ?, heartbeat = ?", (owner, time.time()))

    def close(self) -> Path:
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.db.close()
        return self.folder


def object_of(folder: Path, data: bytes = LARGE) -> Path:
    name = xxh3_128_digest(data).hex()
    return folder / "objects" / name[:2] / f"{name[2:]}.step"


def declared(folder: Path) -> Cache:
    """alpha, beta -> gamma of the founding text, frozen, never run."""
    cache = Cache(folder)
    cache.step("alpha")
    cache.step("beta", args="[2]", params={"x": "2"})
    params = {"a": "TMP for alpha", "b": "TMP for beta"}
    upstream = [("alpha", "value", "args[0]"), ("beta", "value", "args[1]")]
    cache.step("gamma", phase=1, args="[TMP for alpha, TMP for beta]", params=params, upstream=upstream)
    cache.revision()
    return cache


def finished(folder: Path, small: bytes = NINE, large: bytes = LARGE) -> Cache:
    """The same after one run without failure: gamma's result is an object."""
    cache = declared(folder)
    run = cache.run()
    cache.row("alpha", run, result=cache.result("alpha", run, small))
    cache.row("beta", run, rank=1, result=cache.result("beta", run, b"\x80\x05K\x08.", preview="8"))
    result = cache.result("gamma", run, None, large=large, preview="1.125", type="float")
    cache.row("gamma", run, args="[9, 8]", seconds=1.25, result=result)
    return cache


def failed(folder: Path) -> Cache:
    """beta failed, gamma was skipped."""
    cache = declared(folder)
    run = cache.run("completed", done=1, failed=1, skipped=1)
    cache.row("alpha", run)
    cache.row("beta", run, 1, rank=1)
    cache.error("beta", run)
    cache.row("gamma", run, 2, seconds=None, rank=None)
    cache.error("gamma", run, type="", message="", file=None, line=None, traceback="", blame="beta")
    return cache


def running(folder: Path, owner: Owner | None = None) -> Cache:
    """beta runs now; the connection stays open, as a live run's does."""
    cache = declared(folder)
    me = owner or current_owner()
    unknown = ("finished_at", "seconds", "done", "cached", "failed", "skipped", "busy_seconds")
    run = cache.run("running", host=me.host, pid=me.pid, **dict.fromkeys(unknown))
    cache.row("alpha", run)
    cache.row("beta", run, -2, seconds=None)
    cache.hold(me)
    return cache


def dead_owner() -> Owner:
    """A process of this boot that has ended."""
    me = current_owner()
    pid = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitpid(pid, 0)
    return Owner(me.host, me.boot, pid, "1", None)


ROOT = Path(__file__).absolute().parents[2]
ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith("EZPYP_")}
ENVIRON |= {"PYTHONPATH": str(ROOT)}

TOY = """
from ezpyp import Pipeline, as_pickle_step
from ezpyp.steps import PlaceHolder

pipeline = Pipeline("cache", "toy")
RATE = 2

def norm(x):
    return x ** RATE

@as_pickle_step(pipeline)
def alpha(x):
    return norm(x)

@as_pickle_step(pipeline)
def beta(x):
    return x ** 3

@as_pickle_step(pipeline)
def gamma(a, b):
    return a / b

@as_pickle_step(pipeline)
def large(n):
    return b"z" * n

gamma(PlaceHolder(alpha(3)), b=beta(2))
large(100_000)
pipeline.execute()
"""
FAILING = TOY.replace("return x ** 3", "return x / 0")


def run(folder: Path, script: str, **environ: str) -> Path:
    """Run a script in a folder; the cache that it made there."""
    (folder / "script.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=folder, env=ENVIRON | environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "cache"
