"""Reading a location: one select a value, from any thread, renewed when somebody else writes or moves in."""

import os
import shutil
import threading
from pathlib import Path

import pytest

from ezpyp import Pipeline, open_cache


def square(x: int) -> int:
    return x * x


def written(location: Path, count: int) -> Pipeline:
    pipeline = Pipeline(location, "study")
    pipeline.step(square).map(range(count))
    pipeline.execute(output="none")
    return pipeline


@pytest.fixture
def location(tmp_path: Path) -> Path:
    written(tmp_path / "cache", 20)
    return tmp_path / "cache"


@pytest.mark.parametrize("asks", ["by name", "by parameter"])
def test_a_value_takes_one_select_at_most(location: Path, asks: str) -> None:
    cache = open_cache(location)
    ask = cache.get_result if asks == "by name" else lambda name: cache.get_result("square", x=int(name[9:-1]))
    names = cache.names()
    ask(names[0])
    statements: list[str] = []
    with cache._reader as reader:
        reader.connection.set_trace_callback(statements.append)
    assert [ask(name) for name in names] == [x * x for x in range(20)]
    assert 1 <= len([text for text in statements if "SELECT" in text]) <= len(names)


def test_values_in_the_order_of_declaration_are_read_many_at_a_time(location: Path) -> None:
    pipeline = written(location, 2000)
    pipeline.steps[0].get_result()
    statements: list[str] = []
    with pipeline._answers._reader as reader:
        reader.connection.set_trace_callback(statements.append)
    assert [step.get_result() for step in pipeline.steps] == [x * x for x in range(2000)]
    assert len([text for text in statements if "SELECT" in text]) < 40
    assert [step.get_result() for step in reversed(pipeline.steps)] == [x * x for x in reversed(range(2000))]


def test_what_was_read_ahead_holds_until_somebody_writes(tmp_path: Path) -> None:
    def stamped(x: int) -> int:
        return x, len(list(tmp_path.glob("run*")))  # type: ignore[return-value]

    def run() -> Pipeline:
        pipeline = Pipeline(tmp_path / "cache", "study")
        pipeline.step(stamped, cache=False).map(range(50))
        pipeline.execute(output="none")
        return pipeline

    first = run()
    assert [step.get_result() for step in first.steps[:5]] == [(x, 0) for x in range(5)]
    (tmp_path / "run1").touch()
    run()
    assert [step.get_result() for step in first.steps] == [(x, 1) for x in range(50)]


def test_values_are_read_from_any_thread_while_others_read(location: Path) -> None:
    pipeline, cache = written(location, 20), open_cache(location)
    found: list[list[object]] = []

    def read() -> None:
        found.append([step.get_result() for step in pipeline.steps])
        found.append([cache.get_result("square", x=x) for x in range(20)])

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[x * x for x in range(20)]] * 16


def test_what_is_written_later_is_seen_and_another_index_too(location: Path, tmp_path: Path) -> None:
    cache = open_cache(location)
    assert len(cache.names()) == 20
    written(location, 25)
    assert cache.get_result("square", x=24) == 24 * 24
    shutil.rmtree(location)
    written(location, 3)
    assert len(cache.names()) == 3


def test_a_forked_child_reads_by_a_connection_of_its_own(location: Path) -> None:
    cache = open_cache(location)
    assert cache.get_result("square", x=3) == 9
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if cache.get_result("square", x=4) == 16 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert cache.get_result("square", x=5) == 25
