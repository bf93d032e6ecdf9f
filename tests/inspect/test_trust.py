"""``trust``: notes the folder in a file of the user's own, and leaves the cache alone."""

from ezpyp.store.trust import is_trusted


def test_trust_is_noted_outside_the_cache(finished, ask, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    before = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}

    out = ask(finished, "trust").out

    assert f"{finished} is trusted; noted in {tmp_path / 'config'}" in out
    assert is_trusted(finished)
    assert {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()} == before


def test_what_is_no_cache_is_not_trusted(tmp_path, ask, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    assert "no cache at" in ask(tmp_path, "trust", code=2).err
    assert not is_trusted(tmp_path)


def test_a_note_that_cannot_be_written_is_one_line(finished, ask, tmp_path, monkeypatch):
    (tmp_path / "config").write_text("in the way")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    assert "could not be noted as trusted" in ask(finished, "trust", code=2).err
