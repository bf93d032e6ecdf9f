"""What is no cache, no step, or no whole index is told apart, whoever asks."""

import contextlib
import sqlite3
import time

import pytest

import ezpyp
from ezpyp.errors import DamagedIndexError, OptionError, UnknownStepError


@pytest.mark.parametrize("location", [123, None, b"cache", "", ["cache"]])
@pytest.mark.parametrize("ask", [ezpyp.open_cache, lambda location: ezpyp.Pipeline(location, "study")])
def test_what_is_no_path_is_told_so(ask, location):
    with pytest.raises(OptionError, match=r"location (must be the path of a folder|is empty)"):
        ask(location)


def recorded(location):
    """A study of three steps, and what reads it."""
    pipeline = ezpyp.Pipeline(location, "study")
    pipeline.step(abs).map([-1, -2, -3])
    assert pipeline.execute(output="none").ok
    return ezpyp.open_cache(location)


def spoil_the_page_of_steps(location):
    """One bit of the number of rows in the page: SQLite counts the rows, and finds none of them."""
    index = location / "ezpyp.sqlite"
    with contextlib.closing(sqlite3.connect(index)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        ((page,),) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'steps'")
        ((size,),) = connection.execute("PRAGMA page_size")
    content = bytearray(index.read_bytes())
    content[(page - 1) * size + 4] ^= 0x80
    index.write_bytes(content)


def test_steps_whose_rows_cannot_be_read_are_no_unknown_ones(tmp_path):
    recorded(tmp_path / "cache")
    spoil_the_page_of_steps(tmp_path / "cache")

    with pytest.raises(DamagedIndexError, match=r"is damaged: .*\.recover"):
        ezpyp.open_cache(tmp_path / "cache").get_result("abs", x=-1)


def test_an_unknown_step_of_a_sound_index_is_unknown(tmp_path):
    with pytest.raises(UnknownStepError):
        recorded(tmp_path / "cache").get_result("abs", x=-4)


@pytest.mark.parametrize("when", ["before the first look", "after it"])
def test_a_later_run_of_another_job_counts_over_what_the_own_run_left_in_memory(tmp_path, when):
    def declared():
        pipeline = ezpyp.Pipeline(tmp_path / "cache", "study")
        return pipeline, pipeline.step(time.perf_counter_ns, cache=False)()

    ours, step = declared()
    ours.execute(output="none")
    if when == "after it":
        first = step.get_result()
        time.sleep(0.002)  # longer than a look at the index holds
    others, same_step = declared()
    others.execute(output="none")

    assert step.get_result() == ours.get_results([step])[0] == same_step.get_result()
    assert when != "after it" or first < step.get_result()


def test_each_look_at_a_result_gets_a_value_of_its_own(tmp_path):
    pipeline = ezpyp.Pipeline(tmp_path / "cache", "study")
    step = pipeline.step(list)((1, 2))
    pipeline.execute(output="none")
    step.get_result().append(3)
    assert step.get_result() == [1, 2]
