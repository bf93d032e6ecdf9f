"""Under ``mpirun`` too a damaged result is computed anew in the middle of a run, on whichever rank it is met."""

from pathlib import Path

import pytest

from tests.mpi import mpirun, python
from tests.store.objects.tools import flip

from .test_heal import reasons, stored
from .tools import Bodies, query, traced

pytestmark = pytest.mark.mpi

STUDY = """
import os, sys, time
from ezpyp import Pipeline, as_pickle_step
from tests.acceptance.tools import ran

pipeline = Pipeline(sys.argv[1], "heal")

@as_pickle_step(pipeline)
def draw(seed):
    ran(f"draw {seed}")
    return [bytes([seed]) * 40_000]

@as_pickle_step(pipeline)
def join(parts):
    ran("join")
    return [part[0][:20_000] for part in parts]

@as_pickle_step(pipeline)
def noise():
    ran("noise")
    return [os.urandom(40_000)]

@as_pickle_step(pipeline)
def head(x):
    ran("head")
    return x[0][:4]

joined = join(draw.map(range(4)))
noisy = noise()
first = head(noisy)

if "more" in sys.argv:
    @as_pickle_step(pipeline)
    def pick(parts, n):
        ran(f"pick {n}")
        time.sleep(0.02)
        return parts[n][0]

    @as_pickle_step(pipeline)
    def same(x, start):
        return x[0][:4] == start

    picks = pick.map([joined] * 4, range(4))
    agrees = same(noisy, first)

report = pipeline.execute()
assert report.ok, report.failures
if "more" in sys.argv:
    assert picks.results() == [0, 1, 2, 3]
    assert agrees.get_result() is True
"""


@pytest.mark.parametrize("ranks", [2, 4])
def test_damage_met_on_any_rank_is_healed(tmp_path: Path, ranks: int) -> None:
    script, location = tmp_path / "study.py", tmp_path / "cache"
    script.write_text(STUDY)
    trace = Bodies(tmp_path / "trace")
    env = traced(trace.path)
    assert python(script, str(location), env=env).returncode == 0
    trace.take()
    objects = stored(location)
    for name in ("join", "draw[seed=1]", "draw[seed=2]", "noise"):
        flip(objects[name])

    ended = mpirun(ranks, script, str(location), "more", env=env)

    assert ended.returncode == 0, ended.stderr
    picks = [f"pick {n}" for n in range(4)]
    assert sorted(trace.take()) == sorted(["join", "draw 1", "draw 2", "noise", "head", *picks])
    assert reasons(location) == {
        "join": "recomputed after damage",
        "draw[seed=1]": "recomputed after damage",
        "draw[seed=2]": "recomputed after damage",
        "noise": "recomputed after damage, with another result than before",
        "head": "an upstream gave another result than before",
    }
    assert f"{objects['join']}.damaged" in ended.stderr
    assert query(location, "SELECT count(*) FROM damages") == [(4,)]
    again = mpirun(ranks, script, str(location), "more", env=env)
    assert (again.returncode, trace.take()) == (0, [])
