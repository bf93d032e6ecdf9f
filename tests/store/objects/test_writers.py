"""Several writers at once, and writers that died."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ezpyp.store import files as _new_file
from ezpyp.store.codecs.encoded import Encoded, encode_result
from ezpyp.store.objects import ObjectStore
from tests.store.objects.tools import ROOT, SMALL, content, files, opened

LINK = os.link


PUBLISHING = """
import sys
from pathlib import Path
from ezpyp.store.codecs.encoded import encode_result
from ezpyp.store.objects import ObjectStore
location = Path(sys.argv[1])
store = ObjectStore(location)
results = [encode_result(bytes([number]) * 20_000, "pickle") for number in range(60)]
results.append(encode_result(bytes(5_000_000), "pickle"))
print("ready", flush=True)
sys.stdin.readline()
for result in results:
    store.publish(result)
"""


def test_many_processes_publish_the_same_objects_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PUBLISHING, str(tmp_path)]
    pipe = subprocess.PIPE
    writers = [subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) for _ in range(5)]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)

    assert [writer.returncode for writer in writers] == [0] * 5
    assert len(files(tmp_path)) == 61
    for number in range(60):
        opened(ObjectStore(tmp_path), encode_result(bytes([number]) * 20_000, "pickle"))


@pytest.fixture
def killed_writer(tmp_path: Path) -> Iterator[Path]:
    """A process that was killed in the middle of a large object."""
    code = """
import os, signal, sys
from multiprocessing.synchronize import Event
from pathlib import Path
from ezpyp.store.codecs.encoded import encode_result
from ezpyp.store.objects import ObjectStore
written = os.writev
os.writev = lambda *arguments: (written(*arguments), os.kill(os.getpid(), signal.SIGKILL))[0]
ObjectStore(Path(sys.argv[1])).publish(encode_result(bytes(int(sys.argv[2])), "pickle"))
"""
    for size in ("1000", "6000000"):
        subprocess.run([sys.executable, "-c", code, str(tmp_path), size], cwd=ROOT)
    return tmp_path


def test_temporary_files_of_dead_writers_are_swept(killed_writer: Path) -> None:
    store = ObjectStore(killed_writer)
    assert [path.suffix for path in files(killed_writer)] == [".tmp", ".tmp"]

    assert store.clean_up() == 2
    assert files(killed_writer) == []


def test_what_a_living_writer_writes_is_not_swept(local: ObjectStore, tmp_path: Path) -> None:
    local.publish(encode_result(SMALL, "pickle"))
    mine = tmp_path / "objects" / _new_file.temporary_name()
    mine.touch()

    assert local.clean_up() == 0
    assert mine.exists()


def test_another_hosts_temporary_files_are_swept_after_an_hour(local: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "objects" / "ab").mkdir(parents=True)
    fresh, old = (tmp_path / "objects" / "ab" / f".1.{n}.ab.elsewhere.tmp" for n in (1, 2))
    for path in (fresh, old):
        path.touch()
    os.utime(old, (time.time() - 4000,) * 2)

    assert local.clean_up() == 1
    assert fresh.exists()


def test_a_writer_that_was_swept_writes_again(
    local: ObjectStore, encoded: Encoded, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept = []

    def sweep_first(source: str, target: str) -> None:
        if not swept:
            swept.append(source)
            os.unlink(source)
        LINK(source, target)

    monkeypatch.setattr(os, "link", sweep_first)

    local.publish(encoded)

    assert swept
    assert opened(local, encoded) == content(encoded)
