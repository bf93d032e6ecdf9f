"""Big, deep, endless and odd values: no crash, no copy, a clear error."""

import os
import socket
import sys
import threading
import tracemalloc

import numpy as np
import pytest

from ezpyp.describe import Hole, describe
from ezpyp.errors import UnhashableValueError
from ezpyp.hashing.code.identity import function_identity
from ezpyp.hashing.encode import cutoff_digest, encode, value_digest
from ezpyp.steps.arguments import collect, fill

DEEP = 10_000


def nested(kind, depth):
    value = kind()
    for _ in range(depth):
        value = {0: value} if kind is dict else kind([value])
    return value


@pytest.mark.parametrize("kind", [list, tuple, dict])
def test_ten_thousand_levels(kind):
    assert value_digest(nested(kind, DEEP)) != value_digest(nested(kind, DEEP + 1))


@pytest.mark.parametrize("make", [lambda text: text, lambda text: text.encode(), lambda text: [text.encode()]])
def test_of_long_texts_and_bytes_every_character_counts(make):
    assert value_digest(make("a" * 100_000)) != value_digest(make("a" * 99_999 + "b"))


@pytest.mark.parametrize("make", [lambda: [1], lambda: {1: 2}, lambda: {1}])
def test_one_object_given_twice_is_not_two_equal_ones(make):
    one = make()
    assert encode((one, one), ("a", "b")) != encode((make(), make()), ("a", "b"))


def test_long_chain_of_instances():
    class Link:
        def __init__(self, after):
            self.after = after

    chain = None
    for _ in range(DEEP):
        chain = Link(chain)
    # Freed at the end of the test all at once, as a user's would be.
    assert value_digest(chain) != value_digest(chain.after)


def test_self_containing_values():
    loop = []
    loop.append(loop)
    table = {}
    table["me"] = table
    assert value_digest(loop) != value_digest([[]])
    assert value_digest(table) != value_digest({"me": {}})
    assert len({value_digest(loop), value_digest([loop]), value_digest((loop,))}) == 3


def test_tuples_shared_at_sixty_levels_end():
    def tower(leaf):
        value = (leaf,)
        for _ in range(60):
            value = (value, value)
        return value

    assert value_digest(tower(1)) != value_digest(tower(Hole(2)))


@pytest.mark.parametrize(
    "make",
    [
        bytes,
        bytearray,
        lambda size: np.zeros(size, "u1"),
        lambda size: np.zeros((2, size // 2), "u1").T[::-1],
        "x".__mul__,
    ],
    ids=["bytes", "bytearray", "array", "strided array", "text"],
)
def test_big_memory_is_not_copied(make):
    value = make(256 << 20)
    encode([make(2)], ["a"])  # modules that are imported for it weigh too
    tracemalloc.start()
    try:
        encode([value, {"a": [value]}], ["a", "b"])
        cutoff_digest(value)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10 << 20


def test_two_gigabytes_of_bytes():
    free_bytes = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert free_bytes > 3 << 30, "this test needs 3 GiB of free memory"
    value = bytes(2**31 + 1)
    tracemalloc.start()
    try:
        assert value_digest(value) == value_digest(value)
        assert encode([value, {"a": value}], ["a", "b"]) != encode([value, {"b": value}], ["a", "b"])
        assert collect((value, [value]))[0][1][0] is value
        assert fill((value, [value]), (), ())[1][0] is value
        assert len(describe(value)) <= 60
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10 << 20


@pytest.mark.parametrize(
    "array", [np.zeros((0, 3)), np.zeros(()), np.zeros((3, 0), order="F"), np.zeros(0, "i4,f8"), np.zeros(0, "O")]
)
def test_arrays_without_elements(array):
    assert value_digest(array) == value_digest(array.copy(order="K"))


def test_long_doubles_have_no_garbage():
    one, two = np.ones(3, np.longdouble), np.frombuffer(b"\xff" * 48, np.longdouble).copy()
    two[:] = 1
    assert value_digest(one) == value_digest(two)


class Model:
    __slots__ = ("w",)

    def __init__(self, w):
        self.w = w


UNHASHABLE = {
    "lock": lambda: threading.Lock(),
    "generator": lambda: (x for x in (1,)),
    "file": lambda: open("/dev/null"),  # noqa: SIM115
    "socket": socket.socket,
    "iterator": lambda: iter([1]),
    "map": lambda: map(str, [1]),
    "frame": sys._getframe,
}


@pytest.mark.parametrize("make", UNHASHABLE.values(), ids=UNHASHABLE)
def test_what_has_no_content_is_an_error_with_its_path(make):
    value = make()
    with pytest.raises(UnhashableValueError, match=r"args\[1\]\['k'\]\[0\]\.w cannot be hashed") as caught:
        encode([1, {"k": [Model(value)]}], ["args[0]", "args[1]"])
    assert caught.value.path == "args[1]['k'][0].w"
    assert cutoff_digest(value) is None
    assert describe(value)
    if hasattr(value, "close"):
        value.close()


def test_generator_is_not_drained():
    generator = (x for x in (1, 2))
    with pytest.raises(UnhashableValueError, match="generator"):
        encode([generator], ["args[0]"])
    assert list(generator) == [1, 2]


def test_cutoff_stops_at_names_of_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text("x")
    for value in (
        None,
        tmp_path,
        "data.csv",
        ["a", {"b": "data.csv"}],
        {("data.csv", 1)},
        Model("data.csv"),
        np.array(["data.csv"]),
        np.array(["data.csv"], object),
        {"data.csv": 1},
        b"data.csv",
        [b"data.csv"],
        Model(b"data.csv"),
        np.array([b"data.csv"]),
        np.str_("data.csv"),
        np.array([(1, "data.csv")], [("rows", int), ("file", "U8")]),
        [f"x{i}" for i in range(100)] + [str(tmp_path / "data.csv")],
        # There is none of these names here; a reader may look in another folder.
        "t.txt",
        ["out/T.CSV"],
        {"file": b"t.npy"},
    ):
        assert cutoff_digest(value) is None, value
    for value in (
        1,
        "other.name",
        "one and two.txt",
        "txt",
        "v1.0",
        ["a"],
        {"a": (1, "b")},
        np.array(["a"]),
        Model("a"),
        [f"x{i}" for i in range(100)],
    ):
        assert cutoff_digest(value) == value_digest(value)


def test_objects_that_answer_anything_count_by_what_lies_in_them():
    class Proxy:
        def __init__(self, target):
            object.__setattr__(self, "target", target)

        def __getattribute__(self, name):
            return object.__getattribute__(self, "target")

    assert value_digest(Proxy(2)) == value_digest(Proxy(2)) != value_digest(Proxy(3))


def test_object_that_describes_itself_in_no_way_is_an_error():
    class Odd:
        def __reduce_ex__(self, protocol):
            return 5

    with pytest.raises(UnhashableValueError, match="gives int, which describes nothing"):
        value_digest(Odd())


def test_object_that_says_falsely_that_it_is_a_global_is_an_error():
    class Lost:
        def __reduce__(self):
            return "NOWHERE"

    with pytest.raises(UnhashableValueError, match="says that it is the global 'NOWHERE', which no module holds"):
        value_digest(Lost())


def test_by_name_ignores_code():
    def one(x):
        return x + 1

    first = encode([one], ["a"], by_name=True)
    one.__code__ = (lambda x: x + 2).__code__
    assert encode([one], ["a"], by_name=True) == first


def test_description_runs_no_code_of_the_user():
    class Bomb:
        def __repr__(self):
            raise AssertionError

        __str__ = __len__ = __getattr__ = __repr__

    class Step:
        __ezpyp_label__ = "TMP for alpha"

    assert describe([Bomb(), Step(), Hole(2)], 90).endswith("<locals>.Bomb>, TMP for alpha, <upstream 2>]")
    assert describe({"a": Step()}) == "{'a': TMP for alpha}"
    assert describe(np.float64(0.5)) == "0.5"
    assert describe(np.zeros((2, 3))) == "<ndarray float64 (2, 3)>"
    assert describe("x" * 1000).endswith("...")
    assert describe(10**5000).startswith("<int of")


def test_function_as_argument_counts_with_its_name():
    def rmse(x):
        return x + 1

    def mae(x):
        return x + 1

    assert encode([rmse], ["f"]) != encode([mae], ["f"])
    assert encode([{"f": [rmse]}], ["f"]) != encode([{"f": [mae]}], ["f"])
    assert encode([lambda x: x + 1], ["f"]) == encode([lambda x: x + 1], ["f"])
    assert function_identity(rmse).digest == function_identity(mae).digest


def test_class_without_annotations_is_the_same_after_somebody_asked_for_them():
    class Plain:
        pass

    before = encode([Plain()], ["x"])
    assert Plain.__annotations__ == {}
    assert encode([Plain()], ["x"]) == before
