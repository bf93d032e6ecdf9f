"""Damage is found when an object is opened, and mended when it is published again."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ezpyp.errors import DamagedResultError
from ezpyp.store.codecs.encoded import Encoded, encode_result
from ezpyp.store.objects import ObjectStore
from tests.store.objects.tools import (
    SMALL,
    append,
    content,
    empty,
    flip,
    garbage,
    into_dangling_link,
    into_folder,
    into_link_to_itself,
    into_pipe,
    into_socket,
    opened,
    path_of,
    refuse,
    truncate,
)

DAMAGES = {
    truncate: "size",
    empty: "size",
    append: "size",
    flip: "digest",
    garbage: "digest",
    into_folder: "kind",
    into_pipe: "kind",
    into_socket: "kind",
    Path.unlink: "missing",
    into_dangling_link: "missing",
    into_link_to_itself: "missing",
}


@pytest.mark.parametrize(("damage", "reason"), DAMAGES.items(), ids=lambda value: getattr(value, "__name__", value))
def test_damage_is_found_told_and_mended(
    local: ObjectStore, encoded: Encoded, damage: Callable[[Path], None], reason: str
) -> None:
    local.publish(encoded)
    damage(path_of(local, encoded))

    with pytest.raises(DamagedResultError, match=r"is damaged: .*; run the pipeline again") as caught:
        opened(local, encoded)
    assert (caught.value.reason, caught.value.digest) == (reason, encoded.digest.hex())

    local.publish(encoded)
    assert opened(local, encoded) == content(encoded)


def test_what_was_damaged_is_kept_aside(local: ObjectStore, encoded: Encoded) -> None:
    path = path_of(local, encoded)
    for _ in range(2):
        local.publish(encoded)
        flip(path)
    local.publish(encoded)

    assert {other.name for other in path.parent.iterdir()} == {
        path.name,
        f"{path.name}.damaged",
        f"{path.name}.2.damaged",
    }


def test_setting_aside_what_is_not_there_is_nothing(local: ObjectStore) -> None:
    assert local.set_aside(bytes(16), ".pickle") is None


def test_a_disk_that_cannot_read_is_damage(local: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = encode_result(SMALL, "pickle")
    local.publish(encoded)
    monkeypatch.setattr(os, "readv", refuse(errno.EIO))

    with pytest.raises(DamagedResultError, match="cannot be read: Input/output error"):
        opened(local, encoded)
