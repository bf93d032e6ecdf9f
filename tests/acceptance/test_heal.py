"""A stored result that is damaged is computed anew in the middle of a run, and nothing else is."""

import os
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ezpyp import Pipeline
from ezpyp.errors import DamagedResultError
from ezpyp.store.objects import ObjectStore
from tests.store.objects.tools import empty, flip, into_folder, truncate

from .tools import Bodies, declared, executed, query, ran, spoil, stored

CHAIN = """
step first(n): return bytes([n]) * 100_000
step second(x): return x[:50_000] + b"2"
step third(x): return x + b"3"
step aside(x): return len(x)

one = first(7)
three = third(second(one))
aside(one)
"""
MORE = """
step last(x): return x[-2:]

last(three)
"""
pytestmark = pytest.mark.filterwarnings("ignore:stored results are damaged")


def reasons(location: Path) -> dict[str, str]:
    """Why steps ran again, as their newest rows say."""
    rows = query(location, "SELECT name, reason FROM current_steps WHERE reason IS NOT NULL")
    return {str(name): str(reason) for name, reason in rows}


@pytest.mark.parametrize("damage", [flip, truncate, empty, Path.unlink, into_folder])
def test_a_damaged_ancestor_is_computed_anew_and_nothing_else(
    location: Path, bodies: Bodies, damage: Callable[[Path], None]
) -> None:
    executed(location, CHAIN)
    bodies.take()
    path = stored(location)["third"]
    damage(path)

    kept = "" if damage is Path.unlink else re.escape(f" (what was there is kept as {path}.damaged)")
    with pytest.warns(UserWarning, match=rf"'third': it[^(]*{kept}$"):
        pipeline = executed(location, CHAIN + MORE)

    assert path.with_name(f"{path.name}.damaged").exists() == (damage is not Path.unlink)
    assert bodies.take() == ["third", "last"]
    assert pipeline.get_result("last") == b"23"
    assert reasons(location) == {"third": "recomputed after damage"}
    executed(location, CHAIN + MORE)
    assert bodies.take() == []


def test_damage_done_while_the_run_goes_on(location: Path, bodies: Bodies) -> None:
    source = """
    from pathlib import Path

    step alpha(): return [b"good" * 20_000]

    up = alpha()

    @as_pickle_step(pipeline, depends_on=[up])
    def vandal(location):
        (path,) = [p for p in Path(location, "objects").glob("*/*") if not p.name.endswith(".damaged")]
        path.chmod(0o644)
        path.write_bytes(b"evil" * 20_000)

    step(depends_on=[vandal(LOCATION)]) beta(x): return x[0][:4]

    beta(up)
    """

    pipeline = executed(location, source.replace("LOCATION", repr(str(location))))

    assert bodies.take() == ["alpha", "alpha", "beta"]
    assert pipeline.get_result("beta") == b"good"
    assert query(location, "SELECT done, cached, failed FROM runs") == [(3, 0, 0)]


def test_another_result_is_kept_beside_the_old_one(location: Path, bodies: Bodies) -> None:
    """What was computed from the old one runs again: see the tour, on any number of ranks."""
    source = "import os\nstep alpha(): return os.urandom(50_000)\nup = alpha()\n"
    more = "step beta(x): return len(x)\nbeta(up)"
    executed(location, source)
    bodies.take()
    flip(stored(location)["alpha"])

    with pytest.warns(UserWarning, match="'alpha' gave another result than before.*not deterministic"):
        executed(location, source + more)

    assert bodies.take() == ["alpha", "beta"]
    kept = query(location, "SELECT count(*) FROM results r JOIN steps s ON s.key = r.key WHERE s.name = 'alpha'")
    assert kept == [(2,)]


def test_what_is_damaged_again_and_again_fails_the_step_that_needs_it(
    location: Path, bodies: Bodies, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "up = as_pickle_step(pipeline, name='up')(lambda: ran('up') or [bytes(50_000)])()\n"
    more = "as_pickle_step(pipeline, name='down')(lambda x: ran('down') or len(x[0]))(up)"
    executed(location, source)
    bodies.take()
    flip(stored(location)["up"])
    publish = ObjectStore.publish

    def lose(self: ObjectStore, encoded: object) -> None:
        publish(self, encoded)  # type: ignore[arg-type]  # handed on
        flip(self.path(encoded.digest, encoded.suffix))  # type: ignore[attr-defined]

    with monkeypatch.context() as patched:
        patched.setattr(ObjectStore, "publish", lose)
        report = declared(location, source + more).execute()

    assert report.failed == ("down",)
    assert re.search(r"damaged again after each of 3 attempts.*loses data", report.failures["down"].message)
    assert bodies.take() == ["up"] * 3

    assert executed(location, source + more).get_result("down") == 50_000
    assert bodies.take() == ["up", "down"]


def test_many_damaged_upstreams_of_one_step_are_healed_at_one_go(
    location: Path, bodies: Bodies, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "parts = as_pickle_step(pipeline, name='part')(lambda n: ran(n) or bytes([n]) * 30_000).map(range(30))\n"
    more = "as_pickle_step(pipeline, name='total')(lambda parts: ran('total') or sum(map(len, parts)))(parts)"
    executed(location, source)
    bodies.take()
    for path in stored(location).values():
        flip(path)
    opened: list[bytes] = []
    open_ = ObjectStore.open

    def count(self: ObjectStore, digest: bytes, *args: object, **options: object) -> memoryview:
        opened.append(digest)
        return open_(self, digest, *args, **options)  # type: ignore[arg-type]  # handed on

    monkeypatch.setattr(ObjectStore, "open", count)
    pipeline = executed(location, source + more)

    assert sorted(bodies.take()) == sorted([*map(str, range(30)), "total"])
    assert pipeline.get_result("total") == 900_000
    # Met, looked at by the coordinator, loaded: not once for each attempt.
    assert len(opened) <= 4 * 30


def test_what_nobody_asks_for_may_be_gone(location: Path, bodies: Bodies) -> None:
    executed(location, CHAIN)
    stored(location)["first"].unlink()
    bodies.take()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pipeline = executed(location, CHAIN)
    assert bodies.take() == []

    with pytest.raises(DamagedResultError, match="it is not there; run the pipeline again"):
        pipeline.get_result("first")
    with pytest.warns(UserWarning, match="'first': it is not there"):
        executed(location, CHAIN)
    assert bodies.take() == ["first"]
    assert reasons(location) == {"first": "recomputed after damage"}


Upstreams = list[tuple[int, ...]]


def run(location: Path, upstreams: Upstreams, count: int) -> Pipeline:
    """Run the first steps of a graph with large and small results."""
    pipeline = Pipeline(location, "graph")

    @pipeline.step
    def node(n: int, inputs: list[bytes]) -> bytes:
        ran(n)
        return bytes([n, *(part[0] for part in inputs)]) * (20_000 if n % 3 else 5)

    steps: list[object] = []
    for n in range(count):
        steps.append(node(n, [steps[up] for up in upstreams[n]]))
    pipeline.execute(output="none")
    return pipeline


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Upstreams, int, set[int]]:
    """Upstreams of each step, how many were there before, and which of these are damaged."""
    total = draw(st.integers(2, 8))
    upstreams = [tuple(draw(st.sets(st.integers(0, n - 1), max_size=3))) if n else () for n in range(total)]
    count = draw(st.integers(1, total - 1))
    return upstreams, count, draw(st.sets(st.integers(0, count - 1)))


@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(graphs())
def test_in_any_graph_exactly_what_is_damaged_and_needed_runs_again(
    tmp_path_factory: pytest.TempPathFactory, graph: tuple[Upstreams, int, set[int]]
) -> None:
    upstreams, count, damaged = graph
    folder = tmp_path_factory.mktemp("graph")
    location, bodies = folder / "cache", Bodies(folder / "trace")
    os.environ["TRACE_FILE"] = str(bodies.path)
    steps = run(location, upstreams, count).steps
    bodies.take()
    paths = stored(location)
    for n in damaged:
        name = steps[n].name
        if name in paths:
            flip(paths[name])
        else:
            ((result,),) = query(location, "SELECT result_id FROM current_steps WHERE name = ?", name)
            spoil(location, ("payload", "checksum", "size")[n % 3], result=int(str(result)))
    expected = set(range(count, len(upstreams)))
    for n in sorted(damaged, reverse=True):  # what a step that runs loads
        if any(n in upstreams[down] for down in expected):
            expected.add(n)

    run(location, upstreams, len(upstreams))

    assert sorted(map(int, bodies.take())) == sorted(expected)
    run(location, upstreams, len(upstreams))
    assert bodies.take() == []
