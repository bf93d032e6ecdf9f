"""``get NAME -o FILE``: where the bytes go, and under which name."""

import os

from tests.inspect import build
from tests.inspect.build import sound


def test_a_folder_gets_a_file_of_the_steps_name(tmp_path, ask):
    folder = sound(tmp_path / "cache").close()
    (tmp_path / "out").mkdir()

    told = ask(folder, "get", "alpha", "-o", str(tmp_path / "out")).err

    (file,) = (tmp_path / "out").iterdir()
    assert file.name == "alpha.step"
    assert file.read_bytes() == b"\x80\x05K\x09."
    assert str(file) in told


def test_no_name_leads_out_of_the_folder(tmp_path, ask):
    cache = build.Cache(tmp_path / "cache")
    names = ["../../up", "/etc/passwd", "..", "a\n\x1b[31mb", "x[path=a/b]"]
    cache.revision(added=[cache.step(name) for name in names])
    run = cache.run(total=len(names))
    for name in names:
        cache.row(name, run, result=cache.result(name, run, digest=digest_of_default()))
    folder = cache.close()
    out = tmp_path / "deep" / "out"
    out.mkdir(parents=True)
    before = set(tmp_path.rglob("*"))

    for name in names:
        ask(folder, "get", name, "-o", str(out))

    made = set(tmp_path.rglob("*")) - before
    assert {path.parent for path in made} == {out}
    assert {path.name for path in made} == {
        ".._.._up.step", "_etc_passwd.step", "...step", r"a_n_x1b[31mb.step", "x[path=a_b].step",
    }  # fmt: skip


def digest_of_default() -> bytes:
    from xxhash import xxh3_128_digest

    return xxh3_128_digest(b"\x80\x05K\x09.")


def test_what_is_there_is_not_overwritten(tmp_path, ask):
    folder = sound(tmp_path / "cache").close()
    there = tmp_path / "out" / "alpha.step"
    there.parent.mkdir()
    there.write_text("mine")

    for output in (there, there.parent):
        assert (
            f"{there} is there already; --force overwrites it"
            in ask(folder, "get", "alpha", "-o", str(output), code=2).err
        )
    assert there.read_text() == "mine"

    ask(folder, "get", "alpha", "-o", str(there.parent), "--force")
    assert there.read_bytes() == b"\x80\x05K\x09."


def test_a_file_that_cannot_be_written_is_one_line(tmp_path, ask):
    folder = sound(tmp_path / "cache").close()

    for output, reason in (("no/such/folder/x", "No such file"), ("x" * 300, "too long")):
        answer = ask(folder, "get", "alpha", "-o", os.fspath(tmp_path / output), code=2)
        assert answer.err.count("\n") == 1
        assert reason in answer.err
