"""An object is hashed once a process, for as long as its file is the very same; or never, if the user says so."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ezpyp.errors import DamagedResultError
from ezpyp.store import objects as _objects
from ezpyp.store.codecs.encoded import Encoded, encode_result
from ezpyp.store.objects import ObjectStore, Verified
from tests.store.objects.tools import MEDIUM, content, flip, opened, path_of, truncate

LATER_S = 60.0


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of what was hashed on loading."""
    sizes: list[int] = []
    digest = _objects.xxh3_128_digest

    def count(data: memoryview) -> bytes:
        sizes.append(len(data))
        return digest(data)

    monkeypatch.setattr(_objects, "xxh3_128_digest", count)
    return sizes


@pytest.fixture
def encoded(local: ObjectStore) -> Encoded:
    encoded = encode_result(MEDIUM, "pickle")
    local.publish(encoded)
    return encoded


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch, encoded: Encoded) -> Encoded:
    """The object, a while after it was stored."""
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + LATER_S)
    return encoded


def test_a_thousand_readers_hash_an_object_once(local: ObjectStore, settled: Encoded, hashed: list[int]) -> None:
    for _ in range(1000):
        assert len(opened(local, settled)) == settled.size
    assert hashed == [settled.size]

    opened(local, settled, verify=True)
    opened(ObjectStore(local._location), settled)
    assert hashed == [settled.size] * 3


def test_what_is_small_or_may_change_within_one_tick_is_hashed_each_time(
    local: ObjectStore, encoded: Encoded, hashed: list[int]
) -> None:
    small = encode_result(bytes(30_000), "pickle")
    local.publish(small)
    for each in (small, encoded):
        opened(local, each), opened(local, each)

    assert hashed == [small.size] * 2 + [encoded.size] * 2


def replaced(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(bytes(path.stat().st_size))
    other.replace(path)


@pytest.mark.parametrize("change", [flip, replaced])
def test_a_change_is_seen_though_the_time_stamp_was_set_back(
    local: ObjectStore, settled: Encoded, change: Callable[[Path], None]
) -> None:
    path = path_of(local, settled)
    opened(local, settled)
    before = path.stat()
    change(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    with pytest.raises(DamagedResultError, match="its content is not what was stored"):
        opened(local, settled)


def test_users_may_leave_the_digest_out_but_not_the_size(
    local: ObjectStore, encoded: Encoded, hashed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EZPYP_VERIFY", "0")
    flip(path_of(local, encoded))

    assert opened(local, encoded) != content(encoded)
    assert hashed == []

    truncate(path_of(local, encoded))
    with pytest.raises(DamagedResultError, match="bytes instead of"):
        opened(local, encoded)


def test_publishing_trusts_nothing_that_lies_there(
    local: ObjectStore, encoded: Encoded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EZPYP_VERIFY", "0")
    path: Path = path_of(local, encoded)
    flip(path)

    local.publish(encoded)

    assert path.read_bytes() == content(encoded)
    assert path.with_name(f"{path.name}.damaged").exists()


@pytest.mark.parametrize(
    ("fraction", "is_network", "age_s", "is_settled"),
    [(0.25, False, 0.05, False), (0.25, False, 0.2, True), (0.0, False, 0.2, False), (0.0, False, 2.5, True),
     (0.25, True, 0.2, False), (0.25, True, 2.5, True)],
)  # fmt: skip
def test_a_file_counts_as_settled_once_its_clock_has_ticked(
    tmp_path: Path, fraction: float, is_network: bool, age_s: float, is_settled: bool
) -> None:
    """Time stamps without fractions of a second are those of a coarse clock; another host's clock may be off."""
    changed_s = 1_700_000_000 + fraction
    facts = list(os.stat(tmp_path)[:10])
    facts[6], facts[9] = 1_000_000, int(changed_s)
    times = {"st_atime_ns": 0, "st_mtime_ns": 0, "st_ctime_ns": round(changed_s * 1e9), "st_ctime": changed_s}
    status = os.stat_result(facts, times)

    verified = Verified()
    verified.add(b"digest", status, now_s=changed_s + age_s, is_network=is_network)
    assert verified.holds(b"digest", status) == is_settled
