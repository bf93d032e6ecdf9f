"""Locations and objects that somebody else could have written."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import ezpyp
from ezpyp import Pipeline, open_cache
from ezpyp.errors import UntrustedCacheError
from ezpyp.store import trust as _trust
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


def test_what_this_user_made_or_a_group_may_write_is_fine(cache: Path, tmp_path: Path) -> None:
    check_trust(cache)
    check_trust(tmp_path / "nothing")
    for path in (cache, cache / "objects", cache / "ezpyp.sqlite"):
        path.chmod(0o2775 if path.is_dir() else 0o664)
    cache.parent.chmod(0o1777)  # an open folder above: whoever replaces the location owns the new one
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


def test_what_belongs_to_root_is_fine(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_trust.os, "geteuid", lambda: SOMEBODY)

    _trust.check_owner("objects", os.stat_result((0o755, 1, 1, 1, 0, 0, 0, 0, 0, 0)), cache)


def test_the_user_may_say_so(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.chmod(0o777)
    check_trust(cache, trust=True)
    monkeypatch.setenv("EZPYP_TRUST", "1")
    check_trust(cache)
    monkeypatch.setenv("EZPYP_TRUST", "0")
    with pytest.raises(UntrustedCacheError, match="everybody"):
        check_trust(cache)


def test_trust_for_good_lasts_and_is_for_one_location_and_its_present_owner(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to(cache)

    path = trust_for_good(Path("my cache"))
    trust_for_good(cache)

    assert len(path.read_text().splitlines()) == 1
    assert [is_trusted(tmp_path / name) for name in ("my cache", "link", "other")] == [True, True, False]
    cache.chmod(0o777)
    check_trust(cache)
    path.write_text(f"{SOMEBODY} {cache}\n")
    assert not is_trusted(cache)


def test_a_list_that_somebody_else_wrote_says_nothing(cache: Path, give_away: Callable[[Path], None]) -> None:
    path = trust_for_good(cache)
    give_away(path)
    assert not is_trusted(cache)


def test_what_cannot_be_trusted_for_good(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing"):
        trust_for_good(tmp_path / "nothing")
    (tmp_path / "a\n0 ").mkdir()  # a line break would trust two
    with pytest.raises(ValueError, match="line break"):
        trust_for_good(tmp_path / "a\n0 ")


def extended(location: Path, *, trust: bool = False) -> Pipeline:
    """A study with a step that reads a large result."""
    pipeline = Pipeline(location, "study", trust=trust)
    large = pipeline.step(bytes, name="large")(100_000)
    pipeline.step(len, name="size")(large)
    return pipeline


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_ezpyp_trusts_what_it_makes_itself_under_any_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        for _ in range(2):
            pipeline = extended(tmp_path / "cache")
            pipeline.execute(output="none", check=True)
            assert pipeline.get_result("large") == bytes(100_000)
    finally:
        os.umask(before)


def test_trust_holds_for_a_single_foreign_object_in_reading_and_in_running(
    tmp_path: Path, give_away: Callable[[Path], None]
) -> None:
    location = tmp_path / "cache"
    pipeline = Pipeline(location, "study")
    pipeline.step(bytes, name="large")(100_000)
    pipeline.execute(output="none")
    (path,) = (location / "objects").glob("*/*")
    give_away(path)

    with pytest.raises(UntrustedCacheError, match="belongs to"):
        open_cache(location).get_result("large")
    with pytest.raises(ezpyp.errors.EzpypError, match="belongs to"):
        extended(location).execute(output="none", check=True)
    assert open_cache(location, trust=True).get_result("large") == bytes(100_000)
    trusting = extended(location, trust=True)
    trusting.execute(output="none", check=True)
    assert trusting.get_result("size") == 100_000


def test_an_open_cache_checks_again_when_its_index_changes_hands(tmp_path: Path) -> None:
    location = tmp_path / "cache"
    extended(location).execute(output="none")
    cache = open_cache(location)
    assert cache.get_result("size") == 100_000
    (location / "ezpyp.sqlite").chmod(0o666)

    with pytest.raises(UntrustedCacheError, match="written by everybody"):
        cache.get_result("size")
