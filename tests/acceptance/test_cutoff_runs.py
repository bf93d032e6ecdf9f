"""Early cutoff, told to the user: rows, lines, report and later runs; serially and on two ranks."""

import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.mpi import mpirun, python

from .cutoffs import HEAD, TAIL
from .tools import Bodies, edit, header, query, traced

Run = Callable[[str], CompletedProcess[str]]

FAN = (
    HEAD
    + """
@step
def base():
    ran("base")
    return 4

@step
def use(x, n):
    ran("use")
    return x * n

@step
def total(parts):
    ran("total")
    return sum(parts)

start = base()
total([use(start, n) for n in range(99)])
"""
    + TAIL
)
BASE_EDITED = edit(FAN, ("return 4", "return len('four')"))
UNLUCKY = (
    HEAD
    + """
@step
def base():
    ran("base")
    return 4

@step
def use(x):
    ran("use")
    return x + 1

use(base())
"""
    + TAIL
)
DRAWN = (
    HEAD
    + """
import os

@step
def draw():
    ran("draw")
    return os.urandom(40_000)

@step
def use(drawn):
    ran("use")
    return drawn[:8]

@step
def size(drawn):
    ran("size")
    return len(drawn)

@step
def below(size):
    ran("below")
    return -size

drawn = draw()
one, two = use(drawn), below(size(drawn))
"""
    + TAIL
)
MORE = '@step\ndef more(drawn):\n    ran("more")\n    return drawn[:8]\n\nmore(drawn)\n'


@pytest.fixture(params=[pytest.param(0, id="serial"), pytest.param(2, id="2 ranks", marks=pytest.mark.mpi)])
def run(request: pytest.FixtureRequest, tmp_path: Path, bodies: Bodies) -> Run:
    """Runs a script's text in fresh processes, any revision allowed."""

    def go(text: str) -> CompletedProcess[str]:
        script = tmp_path / "script.py"
        script.write_text(text)
        environment = traced(bodies.path, EZPYP_REVISE="1")
        ended = mpirun(request.param, script, env=environment) if request.param else python(script, env=environment)
        assert ended.returncode == 0, ended.stderr
        return ended

    return go


def test_a_hundred_descendants_are_taken_over(run: Run, location: Path, bodies: Bodies) -> None:
    run(FAN)
    bodies.take()

    ended = run(BASE_EDITED)

    assert bodies.take() == ["base"]
    assert "101 steps, 1 done, 100 cached, 0 failed, 0 skipped" in ended.stdout
    assert header(ended.stdout) | {"location": ""} == {
        "id": "study", "location": "", "revision": "2", "steps": "101", "cached": "0", "to_run": "101"
    }  # fmt: skip
    lines = re.findall(r"╰─> \[CACHED\] '(.*)' \(upstream values are the same\)", ended.stdout)
    assert sorted(lines) == sorted(["total", *(f"use[x=base,n={n}]" for n in range(99))])
    rows = query(location, "SELECT status, cached, reason, count(*) FROM current_steps GROUP BY 1, 2, 3 ORDER BY 4")
    assert rows == [(0, 0, None, 1), (0, 1, "upstream values are the same", 100)]


def test_the_run_after_that_finds_everything_by_key(run: Run, location: Path, bodies: Bodies) -> None:
    for text in (FAN, BASE_EDITED):
        run(text)
    bodies.take()
    results = query(location, "SELECT count(*) FROM results")

    ended = run(BASE_EDITED)

    assert bodies.take() == []
    assert header(ended.stdout)["cached"] == "101"
    assert query(location, "SELECT count(*) FROM results") == results


def test_what_was_taken_over_can_be_read(run: Run, location: Path, bodies: Bodies) -> None:
    run(FAN)

    ended = run(BASE_EDITED + "if pipeline.is_root: print('TOTAL', pipeline.get_result('total'))\n")

    assert f"TOTAL {4 * sum(range(99))}" in ended.stdout


def test_a_step_that_is_mended_with_the_old_value_cuts_off(run: Run, location: Path, bodies: Bodies) -> None:
    run(UNLUCKY)
    run(edit(UNLUCKY, ("return 4", "return 1 / 0")))
    assert query(location, "SELECT name, status FROM current_steps ORDER BY name") == [("base", 1), ("use", 2)]
    bodies.take()

    run(edit(UNLUCKY, ("return 4", "return len('four')")))

    assert bodies.take() == ["base"]
    assert query(location, "SELECT name, status FROM current_steps ORDER BY name") == [("base", 0), ("use", 0)]


def test_a_step_that_is_mended_runs_what_was_skipped(run: Run, location: Path, bodies: Bodies) -> None:
    run(edit(UNLUCKY, ("return 4", "return 1 / 0")))
    assert bodies.take() == ["base"]

    run(UNLUCKY)

    assert bodies.take() == ["base", "use"]


def damage(location: Path) -> None:
    """Take away the only object."""
    (found,) = [path for path in (location / "objects").rglob("*") if path.is_file()]
    found.unlink()


def test_another_value_for_an_old_key_runs_what_used_the_older_one(run: Run, location: Path, bodies: Bodies) -> None:
    run(DRAWN)
    bodies.take()
    damage(location)

    run(DRAWN.replace(TAIL, MORE + TAIL))  # nobody would ask for the object without a step that needs it

    assert sorted(bodies.take()) == ["draw", "more", "size", "use"]  # `below` has the size that it had
    reasons = dict(query(location, "SELECT name, reason FROM current_steps"))  # type: ignore[arg-type]  # pairs
    assert reasons == {
        "draw": "recomputed after damage, with another result than before",
        "use": "an upstream gave another result than before",
        "size": "an upstream gave another result than before",
        "below": None,
        "more": None,
    }
    assert run(DRAWN.replace(TAIL, MORE + TAIL)).stdout.count("[PASS]") == 0
