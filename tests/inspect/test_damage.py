"""``verify`` and ``get`` on what is not as it was stored; and pickles that would run code."""

import pickle
from pathlib import Path

import pytest

from ezpyp.inspect.cli import VERBS
from tests.inspect import build
from tests.inspect.build import object_of, sound


class Bomb:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return (Path.touch, (self.trace,))


def flip(path: Path) -> None:
    path.write_bytes(b"y" + path.read_bytes()[1:])


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def test_a_sound_cache_is_found_sound(tmp_path, ask):
    folder = sound(tmp_path).close()

    assert ask(folder, "verify").out == "2 steps, 2 results, 1 runs: all as stored\n"


@pytest.mark.parametrize("harm", [flip, cut, Path.unlink, replace_by_folder])
def test_a_damaged_object_is_found_and_not_given_out(harm, tmp_path, ask):
    folder = sound(tmp_path / "cache").close()
    harm(object_of(folder))

    (damage,) = ask(folder, "verify", "--format", "json", code=1).rows
    assert (damage["what"], damage["name"], damage["known"]) == ("result", "gamma", False)
    assert ask(folder, "get", "gamma", "-o", str(tmp_path / "out"), code=1).err.startswith("Error: ")
    assert not (tmp_path / "out").exists()
    if harm is not flip:
        assert len(ask(folder, "verify", "--quick", "--format", "json", code=1).rows) == 1


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE results SET payload = x'00' WHERE id = 1", "its digest is not"),
        ("UPDATE results SET payload = x'80054b0a2e' WHERE id = 1", "its digest is not"),
        ("UPDATE results SET key = zeroblob(16) WHERE id = 1", "another checksum"),
        ("UPDATE steps SET key = zeroblob(16) WHERE id = 1", "another checksum"),
    ],
)
def test_a_damaged_row_is_found(statement, what, tmp_path, ask):
    cache = sound(tmp_path)
    cache.spoil(statement)

    damages = ask(cache.close(), "verify", "--format", "json", code=1).rows

    assert {damage["name"] for damage in damages} == {"alpha"}
    assert any(what in str(damage["reason"]) for damage in damages)


@pytest.mark.parametrize(
    ("statement", "kind", "what"),
    [
        ("UPDATE functions SET name = 'alphb' WHERE name = 'alpha'", "function", "is not what was recorded"),
        ("UPDATE functions SET digest = zeroblob(16) WHERE name = 'alpha'", "function", "is not what was recorded"),
        ("UPDATE functions SET source = x'00' WHERE name = 'alpha'", "function", "cannot be read"),
        ("UPDATE functions SET identity = x'00' WHERE name = 'alpha'", "function", "cannot be read"),
        ("UPDATE step_edges SET upstream = 77", "edge", "is not below it"),
        ("UPDATE step_edges SET upstream = step", "edge", "is not below it"),
        ("UPDATE schema_changes SET revision = 2 WHERE step = 1", "revision", "leads nowhere"),
        ("UPDATE schema_changes SET present = 0 WHERE step = 1", "revision", "another number of steps"),
        ("UPDATE step_rows SET result = result + 1 WHERE step = 1", "row", "the result of another step"),
        ("UPDATE step_rows SET status = 9 WHERE step = 1", "row", "leads nowhere"),
        ("UPDATE step_rows SET step = 9 WHERE step = 1", "row", "leads nowhere"),
        ("DROP TRIGGER results_no_delete", "trigger", "not as ezpyp makes it"),
        ("DROP VIEW failures; CREATE VIEW failures AS SELECT 1", "view", "not as ezpyp makes it"),
    ],
)
def test_rows_that_contradict_each_other_are_found(statement, kind, what, tmp_path, ask):
    cache = sound(tmp_path)
    cache.step("delta", upstream=[("alpha", "value", "x")], phase=1)
    if "TRIGGER" in statement:
        cache.db.execute(statement)
    else:
        cache.spoil(*statement.split("; "))

    damages = ask(cache.close(), "verify", "--format", "json", code=1).rows

    assert kind in {damage["what"] for damage in damages}
    assert any(what in str(damage["reason"]) for damage in damages if damage["what"] == kind)


def test_damage_that_is_on_record_is_no_new_problem(tmp_path, ask):
    cache = sound(tmp_path)
    cache.insert("damages", result=1, found_at=build.START, reason="digest differs")

    (damage,) = ask(cache.close(), "verify", "--format", "json").rows

    assert (damage["name"], damage["known"]) == ("alpha", True)


def test_a_step_without_result_has_nothing_to_get(failed, ask, tmp_path):
    assert "beta has no result: it is failed" in ask(failed, "get", "beta", "-o", str(tmp_path / "x"), code=1).err


def test_no_verb_unpickles(tmp_path, ask, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    trace = tmp_path / "unpickled"
    bomb = pickle.dumps(Bomb(trace))
    folder = sound(tmp_path / "cache", small=bomb, large=bomb).close()
    words = {verb: ["alpha"] for verb in ("show", "why", "log", "lineage")}
    words |= {"sql": ["SELECT * FROM results"], "get": ["gamma", "-o", str(tmp_path / "out")]}

    for verb in VERBS:
        ask(folder, verb, *words.get(verb, []))

    assert not trace.exists()
    pickle.loads(bomb)
    assert trace.exists()
