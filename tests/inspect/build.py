"""Caches written row by row, so that every state of one can be had without running a pipeline."""

import hashlib
import json
import os
import sqlite3
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

SEALED = ("name", "key", "function", "codec", "phase", "args", "kwargs", "params", "settings", "shape", "manifest")

START = 1_700_000_000.0
SOURCE = "def alpha(x):\n    return x ** 2\n"
TRACEBACK = """Traceback (most recent call last):
  File "/home/me/script.py", line 12, in gamma
    return a / b
ZeroDivisionError: division by zero
"""


def digest(*parts: object) -> bytes:
    return hashlib.md5(repr(parts).encode()).digest()


def identity(name: str, source: str | None) -> str:
    found = FunctionRecord(digest(name, source), name, "__main__", name, "/home/me/script.py", 3, source, (), ())
    return found.to_json()


class Cache:
    """A cache under construction; every method writes the rows that a run would."""

    def __init__(self, folder: Path, pipeline_id: str = "toy") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.db = sqlite3.connect(folder / "ezpyp.sqlite", isolation_level=None)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = OFF")  # each row is a commit of its own here
        self.db.executescript(SCRIPT)
        for name, value in (("format", FORMAT), ("pipeline_id", pipeline_id), ("created_at", START)):
            self.insert("meta", name=name, value=str(value))
        self.ids: dict[str, int] = {}
        self.functions: dict[str, int] = {}

    def insert(self, table: str, **values: object) -> int:
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        cursor = self.db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values()))
        return cursor.lastrowid or 0

    def function(self, name: str, source: str | None = SOURCE, line: int = 3) -> int:
        if name not in self.functions:
            packed = None if source is None else zlib.compress(source.encode())
            values = {
                "digest": digest(name, source),
                "name": name,
                "module": "__main__",
                "python": "cpython-311",
            }
            place = {"file": "/home/me/script.py", "line": line}
            content = {"identity": zlib.compress(identity(name, source).encode()), "source": packed}
            self.functions[name] = self.insert("functions", **values, **place, **content)
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
        row.setdefault("checksum", step_checksum([row.get(column) for column in SEALED]))
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
        for statement in statements:
            self.db.execute(statement)
        for _, sql in guards:
            self.db.execute(sql)

    def revision(self, *, added=(), removed=(), note: str = "first") -> int:
        number = (self.db.execute("SELECT max(revision) FROM revisions").fetchone()[0] or 0) + 1
        self.insert(
            "revisions",
            revision=number,
            digest=digest(number),
            recorded_at=START,
            steps=len(added),
            note=note,
        )
        for present, steps in ((1, added), (0, removed)):
            for step in steps:
                self.insert("schema_changes", step=step, revision=number, present=present)
        return number

    def run(self, status: str = "completed", *, revision: int = 1, **more: object) -> int:
        times = {"started_at": START, "finished_at": START + 2, "seconds": 2.0, "busy_seconds": 3.0}
        where = {"ranks": 2, "host": "node1", "pid": 7, "user": "me", "directory": "/home/me"}
        what = {"command": "python script.py", "python": "3.11.7", "ezpyp": "0.1"}
        counts = {"total": 3, "cached": 0, "done": 3, "failed": 0, "skipped": 0}
        values = {"revision": revision, "status": status, **times, **where, **what, **counts}
        return self.insert("runs", **(values | more))

    def result(self, name: str, run: int, payload: bytes | None = b"\x80\x05K\x09.", **more: object) -> int:
        data = payload if payload is not None else b"x" * 100_000
        content = {"digest": digest(data), "size": len(data), "payload": payload}
        codec = {"codec": "pickle", "codec_version": 1, "suffix": ".step"}
        values = {"key": digest(name, 0), "preview": "9", "type": "int", "run": run, "checksum": b""}
        if payload is None:
            hexed = digest(data).hex()
            path = self.folder / "objects" / hexed[:2] / (hexed[2:] + ".step")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return self.insert("results", **(values | content | codec | more))

    def row(self, name: str, run: int, status: int = 0, **more: object) -> None:
        ran = {"started_at": START, "seconds": 0.5, "rank": 0, "host": "node1"}
        values = {"step": self.ids[name], "run": run, "status": status, "cached": 0, **ran}
        if status == 0 and "result" not in more:
            more["result"] = self.result(name, run)
        self.insert("step_rows", **(values | more))

    def error(self, name: str, run: int, **more: object) -> None:
        values = {
            "type": "ZeroDivisionError",
            "message": "division by zero",
            "file": "/home/me/script.py",
            "line": 12,
            "blame": None,
            "traceback": TRACEBACK,
        }
        self.insert("errors", step=self.ids[name], run=run, **(values | more))

    def hold(self, owner: Owner | None = None) -> None:
        owner = owner or current_owner()
        self.db.execute(
            "UPDATE holder SET epoch = 1, owner = ?, heartbeat = ?", (json.dumps(asdict(owner)), time.time())
        )

    def close(self) -> Path:
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.db.close()
        return self.folder


def declared(folder: Path) -> Cache:
    """alpha, beta -> gamma of the founding text, frozen, never run."""
    cache = Cache(folder)
    cache.step("alpha")
    cache.step("beta", args="[2]", params={"x": "2"})
    params = {"a": "TMP for alpha", "b": "TMP for beta"}
    upstream = [("alpha", "value", "args[0]"), ("beta", "value", "args[1]")]
    cache.step("gamma", phase=1, args="[TMP for alpha, TMP for beta]", params=params, upstream=upstream)
    cache.revision(added=list(cache.ids.values()))
    return cache


def finished(folder: Path) -> Cache:
    """The same after one run without failure."""
    cache = declared(folder)
    run = cache.run()
    cache.row("alpha", run)
    cache.row("beta", run, rank=1, result=cache.result("beta", run, b"\x80\x05K\x08.", preview="8"))
    cache.row(
        "gamma",
        run,
        args="[9, 8]",
        seconds=1.25,
        result=cache.result("gamma", run, None, preview="1.125", type="float"),
    )
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


def sound(folder: Path, small: bytes = b"\x80\x05K\x09.", large: bytes = b"x" * 100_000) -> Cache:
    """alpha's result in the index, gamma's under objects, all checksums right."""
    cache = Cache(folder)
    for name in ("alpha", "gamma"):
        cache.step(name)
    cache.revision(added=list(cache.ids.values()))
    run = cache.run(total=2)
    for name, data, payload in (("alpha", small, small), ("gamma", large, None)):
        content = xxh3_128_digest(data)
        row = NewResult(digest(name, 0), None, None, content, len(data), "pickle", 1, ".step", "", "", None)
        checksum = result_checksum(row)
        result = cache.result(name, run, payload, digest=content, size=len(data), checksum=checksum)
        cache.row(name, run, result=result)
        if payload is None:
            object_of(folder, content).parent.mkdir(parents=True, exist_ok=True)
            object_of(folder, content).write_bytes(data)
    return cache


def object_of(folder: Path, digest: bytes = xxh3_128_digest(b"x" * 100_000)) -> Path:
    return folder / "objects" / digest.hex()[:2] / (digest.hex()[2:] + ".step")


def with_checksums(cache: Cache) -> Cache:
    """The builders leave the checksums of results out; `verify` looks at them."""
    changes = []
    for id_, key, size, payload in cache.db.execute("SELECT id, key, size, payload FROM results").fetchall():
        content = xxh3_128_digest(payload)
        checksum = result_checksum(NewResult(key, None, None, content, size, "pickle", 1, ".step", "", "", None))
        written = f"digest = x'{content.hex()}', checksum = x'{checksum.hex()}'"
        changes.append(f"UPDATE results SET {written} WHERE id = {id_}")
    cache.spoil(*changes)
    return cache


def damage_index(folder: Path) -> Path:
    file = folder / "ezpyp.sqlite"
    data = bytearray(file.read_bytes())
    data[8192:] = b"\xff" * (len(data) - 8192)
    file.write_bytes(data)
    return folder
