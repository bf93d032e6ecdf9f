"""One byte, file or row of a cache spoilt: each value is right or an error of ours, and a rerun mends it or says how.

Each trial takes a fresh copy of one small cache, spoils it, asks for every result, runs the script again, and asks once
more. Right is: the value that was stored, or an error of ezpyp's own; and after the rerun every value, or an error that
says what to do.
"""

import gc
import os
import random
import re
import shutil
import sqlite3
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

import ezpyp
from ezpyp import Pipeline, open_cache
from ezpyp.errors import EzpypError
from tests.store.objects.tools import empty, into_folder, truncate

SAMPLE = 200 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 20
VALUES: dict[str, object] = {
    "alpha[x=1]": 1,
    "alpha[x=2]": "two",
    "alpha[x=3]": [3.5, None],
    "large": [b"large" * 5_000],
    "beta": 3,
    "listed": {"k": [1, 2]},
    "gamma": [b"large" * 5_000, 3],
}
Spoil = Callable[[Path], object]
"""One damage, done to the cache at a location."""


def execute(location: Path) -> Pipeline:
    """Run the script whose cache is damaged."""
    pipeline = Pipeline(location, "flips")
    alpha = ezpyp.as_pickle_step(pipeline, name="alpha")(lambda x: {1: 1, 2: "two", 3: [3.5, None]}[x])
    large = ezpyp.as_pickle_step(pipeline, name="large")(lambda: [b"large" * 5_000])
    beta = ezpyp.as_cloudpickle_step(pipeline, name="beta")(lambda parts: len(parts))
    listed = ezpyp.as_step(pipeline, name="listed", codec="json")(lambda: {"k": [1, 2]})
    gamma = ezpyp.as_pickle_step(pipeline, name="gamma")(lambda first, second: [first[0], second])
    gamma(large(), beta(list(alpha.map([1, 2, 3]))))
    listed()
    pipeline.execute(output="none")
    return pipeline


def asked(ask: Callable[..., object], *, complete: bool) -> Iterator[str]:
    """Ask for every result; say which are wrong, or raise what is no error of ezpyp; or any, if they must be there.

    By name, and by parameters: those that are one bit away from what was declared must find nothing.
    """
    questions: list[tuple[str, dict[str, int]]] = [(name, {}) for name in VALUES]
    questions += [("alpha", {"x": x}) for x in range(10)]
    for name, params in questions:
        label = "".join([name, *(f"[{key}={value}]" for key, value in params.items())])
        try:
            found = ask(name, **params)
        except EzpypError as error:
            if complete and label in VALUES and ".recover" not in str(error):
                yield f"{label} after the rerun: {type(error).__name__}: {error}"
        except Exception as error:
            yield f"{label}: {type(error).__name__}: {error}"
        else:
            value = VALUES.get(label, EzpypError)
            if found != value or type(found) is not type(value):
                yield f"{label}: a wrong value: {found!r:.60}"


def trial(template: Path, folder: Path, spoil: Spoil) -> list[str]:
    """Say what went wrong when a copy of a cache was spoilt."""
    location = folder / "cache"
    shutil.rmtree(location, ignore_errors=True)
    shutil.copytree(template, location)
    spoil(location)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        problems = [f"{spoil}: {problem}" for problem in [*read(location), *rerun(location)]]
    gc.collect()  # connections that an error left open
    return problems


def read(location: Path) -> list[str]:
    try:
        cache = open_cache(location)
    except EzpypError:
        return []
    except Exception as error:
        return [f"open_cache: {type(error).__name__}: {error}"]
    return list(asked(cache.get_result, complete=False))


def rerun(location: Path) -> list[str]:
    for _ in range(3):
        try:
            pipeline = execute(location)
        except EzpypError as error:
            problems = [f"the rerun: {type(error).__name__}: {error}"]
            if re.search(r"run( the pipeline)? again(?! once)", str(error)):
                continue  # it asks for nothing else, so that has to help
            # What else to do stands in the message; here it has to say anything at all.
            return [] if len(str(error)) > 40 else problems
        except Exception as error:
            return [f"the rerun: {type(error).__name__}: {error}"]
        # A damaged result that nobody needed is found by asking for it: the next run mends it.
        problems = list(asked(pipeline.get_result, complete=True))
        if not problems or any("wrong value" in problem for problem in problems):
            return problems
    return [f"three reruns did not mend it: {problems}"]


def flips(template: Path) -> Iterator[Spoil]:
    """Random flips: half of them in the index, the others in the objects."""
    draw = random.Random(7)
    objects = sorted(str(path.relative_to(template)) for path in template.glob("objects/*/*"))
    for number in range(SAMPLE):
        name = "ezpyp.sqlite" if number % 2 else draw.choice(objects)
        data = (template / name).read_bytes()
        # Most of an index's pages are empty: three of four flips are where something is written.
        offset = draw.randrange(len(data))
        while number % 4 and data[offset] == 0:
            offset = draw.randrange(len(data))
        yield partial(flip_bit, file=name, offset=offset, mask=1 << draw.randrange(8))


def flip_bit(location: Path, file: str, offset: int, mask: int) -> None:
    (location / file).chmod(0o644)
    data = bytearray((location / file).read_bytes())
    data[offset] ^= mask
    (location / file).write_bytes(data)


def whole_files(template: Path) -> Iterator[Spoil]:
    """Every file truncated, emptied, deleted, replaced by a folder."""
    for path in sorted(filter(Path.is_file, template.rglob("*"))):
        for damage in (truncate, empty, Path.unlink, into_folder):
            yield partial(spoil_file, file=str(path.relative_to(template)), damage=damage)


def spoil_file(location: Path, file: str, damage: Spoil) -> None:
    damage(location / file)


GAMMA = "(SELECT id FROM steps WHERE name = 'gamma')"
GAMMAS = f"(SELECT result FROM step_rows WHERE step = {GAMMA})"
STATEMENTS = [
    f"UPDATE step_rows SET result = result + 1 WHERE step = {GAMMA}",
    f"UPDATE step_rows SET result = result - 1 WHERE step = {GAMMA}",
    f"UPDATE step_rows SET result = result + 100 WHERE step = {GAMMA}",
    f"UPDATE step_rows SET step = step + 100 WHERE step = {GAMMA}",
    f"UPDATE schema_changes SET present = 0 WHERE step = {GAMMA}",
    "UPDATE steps SET name = 'gamme' WHERE name = 'gamma'",
    "UPDATE steps SET key = x'00' WHERE name = 'gamma'",
    "UPDATE schema_changes SET revision = 2 WHERE step = 1",
    "UPDATE schema_changes SET revision = 9 WHERE step = 1",
    "UPDATE revisions SET revision = 0",
    "UPDATE revisions SET digest = x'00'",
    "UPDATE steps SET params = replace(params, '1', '2') WHERE name = 'alpha[x=1]'",
    "UPDATE steps SET params = '{{' WHERE name = 'alpha[x=1]'",
    "UPDATE steps SET args = '[7]', settings = 'x' WHERE name = 'alpha[x=1]'",
    f"UPDATE results SET codec_version = 9 WHERE id = {GAMMAS}",
    f"UPDATE results SET suffix = '.npy' WHERE id = {GAMMAS}",
    f"UPDATE results SET size = 9 WHERE id = {GAMMAS}",
]


def rows(template: Path) -> Iterator[Spoil]:
    """Rows that lead elsewhere."""
    return (partial(change, statement=statement) for statement in STATEMENTS)


def change(location: Path, statement: str) -> None:
    with closing(sqlite3.connect(location / "ezpyp.sqlite", isolation_level=None)) as connection:
        for table in ("steps", "schema_changes", "results", "revisions"):
            connection.execute(f"DROP TRIGGER {table}_no_update")  # a bad disk knows no triggers
        assert connection.execute(statement).rowcount > 0


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole cache, to be copied."""
    folder = tmp_path_factory.mktemp("flips")
    execute(folder / "template")
    gc.collect()
    return folder / "template"


@pytest.mark.parametrize("spoils", [flips, whole_files, rows])
def test_what_is_spoilt_is_never_a_wrong_value(
    template: Path, tmp_path: Path, spoils: Callable[[Path], Iterator[Spoil]]
) -> None:
    assert [problem for spoil in spoils(template) for problem in trial(template, tmp_path, spoil)] == []


def test_the_trial_itself_sees_a_wrong_value_a_foreign_error_and_what_is_not_mended(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = asked(lambda name, **params: "wrong", complete=False)
    assert next(iter(wrong)) == "alpha[x=1]: a wrong value: 'wrong'"

    def fail(name: str, **params: int) -> object:
        raise ZeroDivisionError

    assert len(list(asked(fail, complete=False))) == len(VALUES) + 10

    def refuse(self: Pipeline, name: object, **more: object) -> object:
        raise EzpypError("run the pipeline again")

    monkeypatch.setattr(Pipeline, "get_result", refuse)
    (problem,) = trial(template, tmp_path, lambda location: (location / "pipeline.summary").unlink())
    assert "three reruns did not mend it" in problem
