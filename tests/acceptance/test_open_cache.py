"""A cache opened without its script: read-only, never made, in any place, while a run writes."""

import os
import shutil
from pathlib import Path

import pytest

import ezpyp
from ezpyp.errors import CacheNotFoundError, StepPendingError, UnknownStepError

from .tools import declared, executed, launch, obey_permissions, query, snapshot

STUDY = """
@as_pickle_step(pipeline)
def alpha(x, scale=1.0):
    return bytes(50_000) if x == 3 else x * scale

@as_pickle_step(pipeline)
def beta(parts):
    return len(parts)

beta(alpha.map([1, 2, 3]))
"""
READER = """
import ezpyp

cache = ezpyp.open_cache({location!r})
print(cache.get_result("alpha", x=2), len(cache.get_result("alpha", x=3)), cache.get_result("beta"))
"""


@pytest.fixture
def finished(location: Path) -> Path:
    executed(location, STUDY)
    return location


def listing(location: Path) -> dict[str, tuple[int, int]]:
    """Give every file and folder with its size and time of change, but for SQLite's shared memory and log."""
    return {
        str(path.relative_to(location)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in location.rglob("*")
        if not path.name.startswith("ezpyp.sqlite-")
    }


def test_results_names_statuses_and_tables(finished: Path) -> None:
    cache = ezpyp.open_cache(str(finished))

    assert cache.get_result("alpha[x=1]") == cache.get_result("alpha", x=1) == 1.0
    assert cache.get_result("alpha", x=3) == bytes(50_000)
    assert (cache.get_result("beta"), cache.get_status("beta")) == (3, 0)
    assert sorted(cache.names("al*")) == ["alpha[x=1]", "alpha[x=2]", "alpha[x=3]"]
    assert list(cache.names("alpha[x=2]")) == ["alpha[x=2]"]
    assert list(cache.names("nothing*")) == []
    assert len(list(cache.names())) == 4
    rows = list(cache.table("alpha"))
    assert [(row["x"], row["status"]) for row in rows] == [(1, 0), (2, 0), (3, 0)]
    assert [row["result"] for row in rows][:2] == [1.0, 2.0]
    assert all(row["seconds"] >= 0 for row in rows)
    with pytest.raises(UnknownStepError, match="gamma"):
        cache.get_result("gamma")
    with pytest.raises(LookupError, match=r"\b9\b"):
        cache.get_result("beta", revision=9)


def test_no_cache_is_an_error_and_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(CacheNotFoundError, match="nowhere"):
        ezpyp.open_cache(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CacheNotFoundError, match="empty"):
        ezpyp.open_cache(tmp_path / "empty")

    assert sorted(path.name for path in tmp_path.rglob("*")) == ["empty"]


def test_reading_writes_nothing(finished: Path) -> None:
    rows, files = snapshot(finished), listing(finished)

    cache = ezpyp.open_cache(finished)
    cache.get_result("alpha", x=3)
    list(cache.table("alpha"))
    assert not any(hasattr(cache, name) for name in ("execute", "step", "initialize_schema"))
    del cache

    assert snapshot(finished) == rows
    assert listing(finished) == files


def test_a_moved_location_reads_and_is_cached_as_before(finished: Path, tmp_path: Path) -> None:
    moved = tmp_path / "else" / "where"
    moved.parent.mkdir()
    shutil.move(finished, moved)

    assert ezpyp.open_cache(moved).get_result("alpha", x=3) == bytes(50_000)
    ((path,),) = query(moved, "SELECT result FROM current_steps WHERE name = 'alpha[x=3]'")
    assert str(path).startswith(str(moved))
    assert Path(str(path)).is_file()
    executed(moved, STUDY)
    assert query(moved, "SELECT cached, done FROM runs ORDER BY run DESC LIMIT 1") == [(4, 0)]


def test_a_read_only_copy_is_read(finished: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    for path in [*copy.rglob("*"), copy]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    script = tmp_path / "reader.py"
    script.write_text(READER.format(location=str(copy)))

    reader = launch(script, before=obey_permissions)

    assert reader.stdout == "2.0 50000 3\n", reader.stderr
    assert sorted(os.listdir(copy)) == sorted(os.listdir(finished))


def test_a_frozen_pipeline_that_never_ran_is_pending(location: Path) -> None:
    pipeline = declared(location, STUDY)
    pipeline.initialize_schema()

    for source in (pipeline, ezpyp.open_cache(location)):
        assert source.get_status("beta") == -1
        with pytest.raises(StepPendingError, match="beta"):
            source.get_result("beta")
