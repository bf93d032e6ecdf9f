"""Big, deep, endless and odd values: no crash, no copy, a clear error."""

import os
import socket
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from ezpyp.describe import Hole, describe
from ezpyp.errors import UnhashableValueError
from ezpyp.hashing.code.identity import function_identity
from ezpyp.hashing.encode import cutoff_digest, encode, value_digest
from ezpyp.steps.arguments import collect, fill

DEEP = 10_000


@contextmanager
def no_copy():
    """Fails where more than 10 MiB are taken."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10 << 20


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
    with no_copy():
        encode([value, {"a": [value]}], ["a", "b"])
        cutoff_digest(value)


def test_two_gigabytes_of_bytes():
    free_bytes = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert free_bytes > 3 << 30, "this test needs 3 GiB of free memory"
    value = bytes(2**31 + 1)
    with no_copy():
        assert value_digest(value) == value_digest(value)
        assert encode([value, {"a": value}], ["a", "b"]) != encode([value, {"b": value}], ["a", "b"])
        assert collect((value, [value]))[0][1][0] is value
        assert fill((value, [value]), (), ())[1][0] is value
        assert len(describe(value)) <= 60


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
    "file": lambda: open("/proc/self/stat"),  # noqa: SIM115
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
    assert not isinstance(value, Iterator) or list(value), "it is used up"
    if hasattr(value, "close"):
        value.close()


PLAIN = ("a.name", "one and two.txt", "txt", "v1.0", 1, ["a"], {"a": (1, "b")}, np.array(["a"]), Model("a"))
HOLDERS = {
    "list": lambda name: ["a", {"b": name}],
    "set": lambda name: {(name, 1)},
    "key": lambda name: {name: 1},
    "attribute": Model,
    "array": lambda name: np.array([name]),
    "array of objects": lambda name: np.array([name], object),
    "scalar of NumPy": lambda name: np.array([name])[0],
    "record": lambda name: np.array([(1, name)], [("rows", int), ("file", "U8" if isinstance(name, str) else "S8")]),
    "many": lambda name: [f"x{i}" for i in range(100)] + [name],
    "itself": lambda name: name,
}


@pytest.mark.parametrize("hold", HOLDERS.values(), ids=HOLDERS)
def test_cutoff_stops_at_names_of_files(hold):
    Path("there").touch()
    # There is no file t.txt here, nor the others; a reader may look in another folder.
    for name in ("there", b"there", "t.txt", "o/T.CSV", b"t.npy"):
        assert cutoff_digest(hold(name)) is None, name
    for value in (*PLAIN, hold("other")):
        assert cutoff_digest(value) == value_digest(value)


def test_cutoff_stops_at_nothing_and_at_paths():
    assert cutoff_digest(None) is cutoff_digest(Path("other")) is cutoff_digest([Path("other")]) is None


def test_objects_that_answer_anything_count_by_what_lies_in_them():
    class Proxy:
        def __init__(self, target):
            object.__setattr__(self, "target", target)

        def __getattribute__(self, name):
            return object.__getattribute__(self, "target")

    assert value_digest(Proxy(2)) == value_digest(Proxy(2)) != value_digest(Proxy(3))


class Odd:
    def __reduce_ex__(self, protocol):
        return 5


class Lost:
    def __reduce__(self):
        return "NOWHERE"


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Odd, "gives int, which describes nothing"),
        (Lost, "says that it is the global 'NOWHERE', which no module holds"),
    ],
)
def test_object_that_describes_itself_in_no_way_is_an_error(kind, message):
    with pytest.raises(UnhashableValueError, match=message):
        value_digest(kind())


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
