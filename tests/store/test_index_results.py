"""Result rows: which one counts, and which counts as absent."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from xxhash import xxh3_128_digest

from ezpyp.store.damage import mark_damage, record_markers, record_missing
from ezpyp.store.index import Index
from ezpyp.store.results import (
    insert_results,
    newest_results,
    payload_of,
    result_checksum,
    results_by_id,
    results_of_input,
)
from ezpyp.store.rows import NewResult

KEY, OTHER, INPUT = b"k" * 16, b"o" * 16, b"i" * 16


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    index = Index(tmp_path / "cache")
    with index.held():
        yield index
    index.close()


def result(key: bytes = KEY, payload: bytes | None = b"nine", **more: object) -> NewResult:
    data = payload or b""
    fields = {
        "key": key, "input_key": INPUT, "value_digest": b"v" * 16, "digest": xxh3_128_digest(data), "size": len(data),
        "codec": "pickle", "codec_version": 1, "suffix": ".step", "preview": "9", "type_name": "int",
        "payload": payload,
    }  # fmt: skip
    return NewResult(**(fields | more))  # type: ignore[arg-type]  # fields of the record


def add(index: Index, *results: NewResult) -> list[int]:
    ids = itertools.count(index.connection.execute("SELECT coalesce(max(id), 0) + 1 FROM results").fetchone()[0])
    rows = [(next(ids), 1, new) for new in results]
    with index.writing() as connection:
        insert_results(connection, rows)
    return [row[0] for row in rows]


def damage(index: Index, id_: int) -> None:
    index.connection.execute("INSERT INTO damages VALUES (?, 0, 'test')", (id_,))


def spoil(index: Index, id_: int, column: str, value: object) -> None:
    """A flipped bit, which no trigger sees."""
    index.connection.execute("DROP TRIGGER results_no_update")
    index.connection.execute(f"UPDATE results SET {column} = ? WHERE id = ?", (value, id_))


def newest(index: Index, *keys: bytes) -> dict[bytes, int]:
    return {key: found.id for key, found in newest_results(index.connection, keys).items()}


def test_newest_counts_also_in_a_query_of_many_keys(index):
    keys = [n.to_bytes(16, "big") for n in range(1_200)]
    first, second = add(index, *map(result, keys)), add(index, *map(result, keys[::2]))
    found = newest(index, *keys)
    assert [found[key] for key in keys[::2]] == second
    assert [found[key] for key in keys[1::2]] == first[1::2]


def test_damaged_result_gives_way_to_the_one_before(index):
    first, second = add(index, result(), result())
    damage(index, second)
    assert newest(index, KEY) == {KEY: first}
    assert results_of_input(index.connection, INPUT)[0].id == first
    assert set(results_by_id(index.connection, [first, second])) == {first}
    damage(index, first)
    assert newest(index, KEY) == {}
    assert results_of_input(index.connection, INPUT) == []


def test_newest_result_of_an_input_key_counts_whatever_its_key(index):
    ids = add(index, result(), result(OTHER), result(input_key=None))
    assert results_of_input(index.connection, INPUT)[0].id == ids[1]
    assert results_of_input(index.connection, b"none") == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("key", OTHER),
        ("input_key", b"j" * 16),
        ("input_key", None),
        ("value_digest", b"w" * 16),
        ("value_digest", None),
        ("digest", b"d" * 16),
        ("codec", "numpy"),
        ("codec", b"pickle"),
        ("codec_version", 2),
        ("size", 5),
        ("size", b"4"),
        ("suffix", ".npy"),
        ("key", "a text"),
        ("checksum", b"12345678"),
    ],
)
def test_row_whose_checksum_is_wrong_counts_as_absent(index, column, value):
    (id_,) = add(index, result())
    assert set(results_by_id(index.connection, [id_])) == {id_}
    spoil(index, id_, column, value)
    assert results_by_id(index.connection, [id_]) == {}
    assert results_of_input(index.connection, INPUT) == []


def test_absent_and_present_parts_of_a_row_have_different_checksums():
    parts = [None, b"a" * 16, b"b" * 16]
    sums = {result_checksum(result(KEY, i, value_digest=v)) for i in parts for v in parts}
    assert len(sums) == 9


def test_result_taken_over_has_the_bytes_of_its_origin(index):
    (origin,) = add(index, result())
    (taken,) = add(index, result(OTHER, None, origin=origin, digest=result().digest, size=4))
    assert payload_of(index.connection, origin) == payload_of(index.connection, taken) == b"nine"
    assert payload_of(index.connection, 99) is None


LARGE = {"payload": None, "size": 100_000, "digest": b"L" * 16}


@pytest.mark.filterwarnings("ignore:stored results are damaged")
def test_marker_becomes_a_damage_row_of_every_result_with_that_object(index):
    first, other, taken = add(index, result(**LARGE), result(OTHER, b"ten"), result(b"t" * 16, origin=1, **LARGE))
    mark_damage(index.location, LARGE["digest"])
    record_markers(index)
    rows = index.connection.execute("SELECT result, reason FROM damages ORDER BY result").fetchall()
    assert rows == [(first, "it is not there"), (taken, "it is not there")]
    assert newest(index, KEY, OTHER) == {OTHER: other}
    assert list((index.location / "damaged").iterdir()) == []


@pytest.mark.filterwarnings("ignore:stored results are damaged")
@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("payload", b"nins", "its bytes in the index have another digest"),
        ("codec", "pickly", "its row has another checksum"),
    ],
)
def test_marker_of_a_small_result_is_looked_into(index, column, value, reason):
    (first,) = add(index, result())
    spoil(index, first, column, value)
    mark_damage(index.location, result().digest)
    record_markers(index)
    assert index.connection.execute("SELECT result, reason FROM damages").fetchall() == [(first, reason)]


def test_marker_of_what_is_whole_again_is_dropped(index):
    (first,) = add(index, result())
    mark_damage(index.location, result().digest)
    record_markers(index)
    assert newest(index, KEY) == {KEY: first}
    assert list((index.location / "damaged").iterdir()) == []


def test_marker_stays_until_its_row_is_committed(index):
    add(index, result(**LARGE))
    mark_damage(index.location, LARGE["digest"])
    index.connection.execute("UPDATE holder SET epoch = epoch + 1")
    with pytest.raises(OSError, match="took over"):
        record_markers(index)
    assert len(list((index.location / "damaged").iterdir())) == 1


def test_warning_names_steps_and_says_how_many_more(index):
    index.connection.execute("INSERT INTO functions VALUES (1, x'00', 'f', 'm', '', 0, '', x'', NULL)")
    keys = [bytes([n]) * 16 for n in range(8)]
    for n, key in enumerate(keys):
        index.connection.execute(
            "INSERT INTO steps (name, key, function, codec, phase, args, kwargs, params, checksum)"
            " VALUES (?, ?, 1, 'pickle', 0, '', '', '', x'')", (f"alpha[{n}]", key),
        )  # fmt: skip
    add(index, *(result(key, **(LARGE | {"digest": key})) for key in keys))
    with pytest.warns(UserWarning, match=r"'alpha\[0\]': its object is missing.*'alpha\[4\]'.*; and 3 more$"):
        record_missing(index, newest_results(index.connection, keys).values())


def test_files_that_are_no_markers_are_left_alone(index):
    (index.location / "damaged").mkdir()
    for name in ("README", "0" * 31, "g" * 32, "0" * 33):
        (index.location / "damaged" / name).touch()
    record_markers(index)
    assert len(list((index.location / "damaged").iterdir())) == 4
    assert index.connection.execute("SELECT count(*) FROM damages").fetchone() == (0,)


def test_marking_twice_and_where_nothing_can_be_written_is_no_error(tmp_path):
    mark_damage(tmp_path, b"d" * 16)
    mark_damage(tmp_path, b"d" * 16)
    mark_damage(tmp_path / "gone", b"d" * 16)
    assert [path.name for path in (tmp_path / "damaged").iterdir()] == [(b"d" * 16).hex()]


@pytest.mark.filterwarnings("ignore:stored results are damaged")
def test_large_result_whose_object_is_gone_or_shorter_is_recorded(index):
    large = {"payload": None, "size": 100_000}
    digests = [bytes([n]) * 16 for n in range(3)]
    ids = add(index, *(result(bytes([n]) * 16, digest=digests[n], **large) for n in range(3)), result())
    for n, size in ((0, 100_000), (1, 99_999)):
        hexed = digests[n].hex()
        path = index.location / "objects" / hexed[:2] / f"{hexed[2:]}.step"
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes(size))
    known = newest_results(index.connection, [*(bytes([n]) * 16 for n in range(3)), KEY])
    assert record_missing(index, known.values()) == {ids[1], ids[2]}
    assert set(newest(index, *known)) == {bytes(16), KEY}
