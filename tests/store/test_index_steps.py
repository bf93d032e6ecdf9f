"""Rows of steps, functions, revisions and runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ezpyp.store.index import Index
from ezpyp.store.rows import Edge, ErrorRow, FunctionRow, RunRow, StepRecord, StepRow
from ezpyp.store.runs import (
    RunCounts,
    all_rows_current,
    error_of,
    finish_run,
    insert_errors,
    insert_step_rows,
    recorded_durations,
    start_run,
)
from ezpyp.store.schema_rows import (
    all_steps,
    bound_steps,
    corrupt_steps,
    edges_of,
    function_record,
    function_tags,
    known_functions,
    latest_revision,
    record_function,
    record_revision,
    record_steps,
    step_named,
    steps_of_revision,
)


def alpha(x):
    return x + 1


def beta(x):
    return x * 2


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[object]:
    index = Index(tmp_path / "cache")
    with index.held():
        yield index.connection
    index.close()


def record(name, key=b"k", edges=()):
    return StepRecord(name, key, b"f", "pickle", 0, "[]", "{}", "{}", None, None, edges)


def record_all(connection, *records):
    known = {(step.name, step.key): step.id for step in all_steps(connection)}
    return record_steps(connection, records, known, {b"f": 1})


def row(step, run, status=0, **more):
    nothing = dict.fromkeys(StepRow._fields)
    return StepRow(**(nothing | {"step": step, "run": run, "status": status, "cached": 0} | more))


def begin(connection, revision=1, total=1):
    return start_run(connection, RunRow(revision, 1.0, 1, "host", 1, None, "", "", "", "", None, total))


def test_steps_and_their_upstreams_are_recorded_once(connection):
    chain = [record("alpha"), record("beta", edges=((0, "value", "x"), (0, "order", "depends_on[]")))]
    first = record_all(connection, *chain)
    again = record_all(connection, record("new"), *chain)
    assert again[1:] == first
    assert len(all_steps(connection)) == 3
    assert edges_of(connection, first[1]) == [
        Edge(first[1], first[0], "value", "x"),
        Edge(first[1], first[0], "order", "depends_on[]"),
    ]
    assert edges_of(connection, first[0]) == []


def test_one_name_means_the_step_of_its_revision(connection):
    first, second = record_all(connection, record("alpha", b"1"), record("alpha", b"2"))
    record_revision(connection, b"1", set(), {first}, "")
    record_revision(connection, b"2", {first}, {second}, "")
    assert [step_named(connection, "alpha", revision).id for revision in (1, 2)] == [first, second]
    assert step_named(connection, "alpha", 3) is None  # there is no such revision
    assert step_named(connection, "nobody", 1) is None


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("name", "alphb"),
        ("key", b"l"),
        ("function", 2),
        ("codec", "numpy"),
        ("phase", 1),
        ("args", "[4]"),
        ("kwargs", "{'a': 1}"),
        ("params", '{"x": "4"}'),
        ("params", b"{}"),
        ("settings", "s"),
        ("shape", b"s"),
        ("manifest", "m"),
        ("checksum", b"12345678"),
    ],
)
def test_a_row_that_was_changed_is_corrupt(connection, column, value):
    (id_,) = record_all(connection, record("alpha"))
    assert corrupt_steps(connection) == {}
    connection.execute("DROP TRIGGER steps_no_update")  # a bad disk knows no triggers
    connection.execute(f"UPDATE steps SET {column} = ?", (value,))
    assert set(corrupt_steps(connection)) == set(corrupt_steps(connection, [id_])) == {id_}


def test_functions_come_back_whole_by_their_digest(connection):
    row = FunctionRow(b"f", "beta", "study", "study.py", 3, '{"parts": []}', None)
    id_ = record_function(connection, row, "cpython-311")
    assert known_functions(connection, [b"f", b"g"]) == {b"f": id_}
    assert function_record(connection, id_) == row.record
    assert function_tags(connection) == {id_: "cpython-311"}


def test_revision_is_its_difference_to_the_one_before(connection):
    a, b, c = record_all(connection, record("a"), record("b"), record("c"))
    assert latest_revision(connection) == (0, b"")
    assert record_revision(connection, b"1", set(), {a, b}, "2 new") == 1
    assert record_revision(connection, b"2", {a, b}, {b, c}, "1 new, 1 left out") == 2
    assert record_revision(connection, b"3", {b, c}, {a, b}, "undone") == 3
    assert latest_revision(connection) == (3, b"3")
    held = [[step.id for step in steps_of_revision(connection, revision)] for revision in (1, 2, 3)]
    assert held == [[a, b], [b, c], [a, b]]
    changes = connection.execute("SELECT count(*) FROM schema_changes").fetchone()
    assert changes == (6,)  # two, then two, then two: what stayed has no row


def test_only_a_step_that_gave_a_result_is_bound(connection):
    insert_step_rows(connection, [row(1, 1, 1), row(2, 1, 2), row(3, 1, -2), row(4, 1, 0), row(4, 2, 1)])
    assert bound_steps(connection) == {4}


def test_outcome_replaces_the_row_of_the_running_step(connection):
    insert_step_rows(connection, [row(1, 1, -2)])
    insert_step_rows(connection, [row(1, 1, 0, result=7)])
    assert connection.execute("SELECT status, result FROM step_rows").fetchall() == [(0, 7)]


def test_durations_are_those_of_bodies_that_ran_last(connection):
    insert_step_rows(
        connection,
        [row(1, 1, seconds=5.0), row(1, 2, seconds=3.0), row(1, 3, seconds=0.0, cached=1), row(2, 1), row(3, 1)],
    )
    assert recorded_durations(connection, [1, 2]) == {1: 3.0}


def test_newest_error_of_a_step(connection):
    rows = [ErrorRow(1, run, "ValueError", f"run {run}", None, None, "", None) for run in (2, 1)]
    insert_errors(connection, rows)
    assert error_of(connection, 1) == rows[0]
    assert error_of(connection, 2) is None


@pytest.mark.parametrize(
    ("status", "counts", "is_current"),
    [
        ("completed", RunCounts(1, 1, 0, 0, 0.0), True),
        ("completed", RunCounts(0, 1, 0, 0, 0.0), False),
        ("failed", RunCounts(1, 0, 1, 0, 0.0), False),
        ("interrupted", RunCounts(1, 1, 0, 0, 0.0), False),
    ],
)
def test_rows_are_current_after_a_complete_run_only(connection, status, counts, is_current):
    assert not all_rows_current(connection, 1, 2)
    run = begin(connection, total=2)
    assert not all_rows_current(connection, 1, 2)
    finish_run(connection, run, status, counts)
    assert all_rows_current(connection, 1, 2) is is_current
    assert not all_rows_current(connection, 2, 2)
    assert not all_rows_current(connection, 1, 3)
