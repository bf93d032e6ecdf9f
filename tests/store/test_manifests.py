"""What steps' arguments are made of: small in the step's row, large ones once for all that share them."""

import json
import sqlite3
from contextlib import closing

import pytest

import ezpyp
from ezpyp import Pipeline
from ezpyp.store.index import Index
from ezpyp.store.schema_rows import ROW_LIMIT, manifest_of, packed_manifest, record_manifests


def rows(location, query):
    with closing(sqlite3.connect(location / "ezpyp.sqlite")) as connection:
        return connection.execute(query).fetchall()


def frozen(location, function, *calls, revise=False):
    pipeline = Pipeline(location, "study", revise=revise)
    declare = pipeline.step(function)
    for call in calls:
        declare(*call)
    pipeline.execute(output="none")


def study(x, config=None):
    return x


def test_plain_arguments_have_no_manifest(tmp_path):
    frozen(tmp_path, study, *[(value,) for value in (1, 2.5, "text", True, None, b"ab", 1j)])
    assert rows(tmp_path, "SELECT DISTINCT manifest FROM steps") == [(None,)]
    assert rows(tmp_path, "SELECT count(*) FROM manifests") == [(0,)]


def test_small_manifest_stands_in_the_row(tmp_path):
    frozen(tmp_path, study, (1, {"lr": 0.1}))
    ((text,),) = rows(tmp_path, "SELECT manifest FROM steps")
    assert json.loads(text) == {"config": ["dict of 1", {"['lr']": "0.1"}]}
    assert rows(tmp_path, "SELECT count(*) FROM manifests") == [(0,)]


def test_large_argument_of_many_steps_is_stored_once(tmp_path):
    config = {f"name{number}": number for number in range(100)}
    frozen(tmp_path, study, *[(number, config) for number in range(500)])
    assert rows(tmp_path, "SELECT count(*) FROM manifests") == [(1,)]
    ((size,),) = rows(tmp_path, "SELECT max(length(manifest)) FROM steps")
    assert size < 40
    with closing(sqlite3.connect(tmp_path / "ezpyp.sqlite")) as connection:
        (text, parts) = manifest_of(connection, 77)["config"]
    assert text == "dict of 100"
    assert parts["['name99']"] == "99"


def test_equal_argument_of_a_later_step_is_stored_no_second_time(tmp_path):
    for number in range(3):
        frozen(tmp_path, study, (number, {f"name{number}": number for number in range(100)}), revise=True)
    assert rows(tmp_path, "SELECT count(*) FROM manifests") == [(1,)]


@pytest.mark.parametrize("count", [1, 3, 10, 40])
def test_row_never_holds_more_than_its_limit(count, tmp_path):
    trees = {f"parameter{number}": json.dumps("x" * 100 + str(number)) for number in range(count)}
    packed = packed_manifest(trees, {})
    assert len(packed.row) <= ROW_LIMIT
    index = Index(tmp_path)
    with index.held(), index.writing() as connection:
        record_manifests(connection, [packed, packed])
        connection.execute(
            "INSERT INTO steps VALUES (1, 'a', x'01', 1, 'pickle', 0, '', '', '{}', NULL, NULL, x'', ?)",
            (packed.row,),
        )
    found = manifest_of(index.connection, 1)
    index.close()
    assert found == {name: json.loads(tree) for name, tree in trees.items()}


def test_damaged_shared_text_falls_back_to_the_short_one(tmp_path):
    frozen(tmp_path, study, (1, {f"name{number}": number for number in range(100)}))
    with closing(sqlite3.connect(tmp_path / "ezpyp.sqlite", isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER manifests_no_update")
        connection.execute("UPDATE manifests SET content = x'00'")
        assert manifest_of(connection, 1) == {}
    assert ezpyp.open_cache(tmp_path).names() == ["study"]
