"""Locations and objects that somebody else could have written."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ezpyp.errors import UntrustedCacheError
from ezpyp.store import trust as _trust
from ezpyp.store.codecs.encoded import encode_result
from ezpyp.store.index import Index
from ezpyp.store.objects import ObjectStore
from ezpyp.store.trust import check_trust, is_trusted, trust_for_good

SOMEBODY = 54_321


@pytest.fixture(autouse=True)
def _own_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    location = tmp_path / "my cache"
    (location / "objects").mkdir(parents=True)
    (location / "ezpyp.sqlite").touch()
    return location


@pytest.fixture
def give_away(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Let something belong to somebody else: really for root, by looking with other eyes for others."""

    def give(path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, SOMEBODY, -1)
        else:
            monkeypatch.setattr(_trust.os, "geteuid", lambda: SOMEBODY)

    return give


def test_what_this_user_made_is_fine(cache: Path) -> None:
    check_trust(cache)


def test_no_location_is_fine(tmp_path: Path) -> None:
    check_trust(tmp_path / "nothing")


def test_what_a_group_may_write_is_fine(cache: Path) -> None:
    for path in (cache, cache / "objects", cache / "ezpyp.sqlite"):
        path.chmod(0o2775 if path.is_dir() else 0o664)

    check_trust(cache)


def test_an_open_folder_above_is_fine(cache: Path) -> None:
    cache.parent.chmod(0o1777)

    check_trust(cache)


@pytest.mark.parametrize("name", ["", "objects", "ezpyp.sqlite", "ezpyp.sqlite-wal"])
@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o702])
def test_what_everybody_may_write_is_refused(cache: Path, name: str, mode: int) -> None:
    (cache / "ezpyp.sqlite-wal").touch()
    (cache / name).chmod(mode)

    with pytest.raises(UntrustedCacheError, match=f"can be written by everybody .mode {mode:o}."):
        check_trust(cache)


@pytest.mark.parametrize("name", ["", "objects", "ezpyp.sqlite"])
def test_what_belongs_to_somebody_else_is_refused(cache: Path, name: str, give_away: Callable[[Path], None]) -> None:
    give_away(cache / name)

    with pytest.raises(UntrustedCacheError, match="belongs to") as caught:
        check_trust(cache)

    assert f"python -m ezpyp.inspect '{cache}' trust" in str(caught.value)
    assert isinstance(caught.value, PermissionError)


def test_roots_is_fine(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = os.stat_result((0o755, 1, 1, 1, 0, 0, 0, 0, 0, 0))
    monkeypatch.setattr(_trust.os, "geteuid", lambda: SOMEBODY)

    _trust.check_owner("objects", status, cache)


def test_the_user_may_say_so(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.chmod(0o777)

    check_trust(cache, trust=True)
    monkeypatch.setenv("EZPYP_TRUST", "1")
    check_trust(cache)


def test_other_words_in_the_environment_are_no_trust(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.chmod(0o777)
    monkeypatch.setenv("EZPYP_TRUST", "0")

    with pytest.raises(UntrustedCacheError, match="everybody"):
        check_trust(cache)


def test_trust_for_good_lasts_and_is_for_one_location(cache: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for location in (cache, other):
        location.chmod(0o777)

    path = trust_for_good(cache)
    trust_for_good(cache)

    check_trust(cache)
    assert len(path.read_text().splitlines()) == 1
    with pytest.raises(UntrustedCacheError, match="everybody"):
        check_trust(other)


def test_trust_holds_for_the_present_owner_alone(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = trust_for_good(cache)

    path.write_text(f"{SOMEBODY} {cache}\n")

    assert not is_trusted(cache)


def test_a_list_that_somebody_else_wrote_says_nothing(cache: Path, give_away: Callable[[Path], None]) -> None:
    path = trust_for_good(cache)
    assert is_trusted(cache)

    give_away(path)

    assert not is_trusted(cache)


def test_trust_is_found_through_a_link_and_another_working_directory(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trust_for_good(Path("my cache"))
    (tmp_path / "link").symlink_to(cache)

    assert is_trusted(cache)
    assert is_trusted(tmp_path / "link")


def test_no_location_cannot_be_trusted(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing"):
        trust_for_good(tmp_path / "nothing")


def test_a_line_break_cannot_trust_two(tmp_path: Path) -> None:
    location = tmp_path / "a\n0 "
    location.mkdir()

    with pytest.raises(ValueError, match="line break"):
        trust_for_good(location)


def test_a_single_foreign_object_is_refused(cache: Path, give_away: Callable[[Path], None]) -> None:
    store, encoded = ObjectStore(cache), encode_result([1], "pickle")
    store.publish(encoded)
    give_away(store.path(encoded.digest, encoded.suffix))

    with pytest.raises(UntrustedCacheError, match="belongs to"):
        store.open(encoded.digest, encoded.suffix, encoded.size)

    trusting = ObjectStore(cache, trust=True)
    assert trusting.open(encoded.digest, encoded.suffix, encoded.size) == b"".join(encoded.pieces)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_what_ezpyp_makes_itself_is_trusted_under_any_umask(tmp_path: Path, umask: int) -> None:
    location = tmp_path / "cache"
    before = os.umask(umask)
    try:
        Index(location).close()
        store, encoded = ObjectStore(location), encode_result([1], "pickle")
        store.publish(encoded)
    finally:
        os.umask(before)

    check_trust(location)
    store.open(encoded.digest, encoded.suffix, encoded.size)
