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
@as_pickle_step(pipeline)
def first(n):
    ran("first")
    return bytes([n]) * 100_000

@as_pickle_step(pipeline)
def second(x):
    ran("second")
    return x[:50_000] + b"2"

@as_pickle_step(pipeline)
def third(x):
    ran("third")
    return x + b"3"

@as_pickle_step(pipeline)
def aside(x):
    ran("aside")
    return len(x)

one = first(7)
two = second(one)
three = third(two)
aside(one)
"""
MORE = """
@as_pickle_step(pipeline)
def last(x):
    ran("last")
    return x[-2:]

last(three)
"""


def reasons(location: Path) -> dict[str, str]:
    """Why steps ran again, as their newest rows say."""
    rows = query(location, "SELECT name, reason FROM current_steps WHERE reason IS NOT NULL")
    return {str(name): str(reason) for name, reason in rows}


@pytest.mark.filterwarnings("ignore:stored results are damaged")
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


@pytest.mark.filterwarnings("ignore:stored results are damaged")
def test_damage_done_while_the_run_goes_on(location: Path, bodies: Bodies) -> None:
    source = """
    from pathlib import Path

    @as_pickle_step(pipeline)
    def alpha():
        ran("alpha")
        return [b"good" * 20_000]

    up = alpha()

    @as_pickle_step(pipeline, depends_on=[up])
    def vandal(location):
        (path,) = [p for p in Path(location, "objects").glob("*/*") if not p.name.endswith(".damaged")]
        path.chmod(0o644)
        path.write_bytes(b"evil" * 20_000)

    @as_pickle_step(pipeline, depends_on=[vandal(LOCATION)])
    def beta(x):
        ran("beta")
        return x[0][:4]

    beta(up)
    """

    pipeline = executed(location, source.replace("LOCATION", repr(str(location))))

    assert bodies.take() == ["alpha", "alpha", "beta"]
    assert pipeline.get_result("beta") == b"good"
    assert query(location, "SELECT done, cached, failed FROM runs") == [(3, 0, 0)]


@pytest.mark.filterwarnings("ignore:stored results are damaged")
def test_another_result_is_kept_beside_the_old_one_and_what_was_computed_from_that_runs_again(
    location: Path, bodies: Bodies
) -> None:
    source = """
    import os

    @as_pickle_step(pipeline)
    def alpha():
        ran("alpha")
        return os.urandom(50_000)

    @as_pickle_step(pipeline)
    def beta(x):
        ran("beta")
        return x[:30_000]

    @as_pickle_step(pipeline)
    def length(x):
        ran("length")
        return len(x)

    @as_pickle_step(pipeline)
    def gamma(n):
        ran("gamma")
        return n

    up = alpha()
    down = beta(up)
    gamma(length(up))
    """
    more = "as_pickle_step(pipeline, name='omega')(lambda x, y: ran('omega') or x[:9] == y[:9])(up, down)"
    executed(location, source)
    bodies.take()
    flip(stored(location)["alpha"])

    with pytest.warns(UserWarning, match="'alpha' gave another result than before.*not deterministic"):
        pipeline = executed(location, source + more)

    # gamma is cut off: the length is the same.
    assert sorted(bodies.take()) == ["alpha", "beta", "length", "omega"]
    assert pipeline.get_result("omega") is True
    assert reasons(location) == {
        "alpha": "recomputed after damage, with another result than before",
        "beta": "an upstream gave another result than before",
        "length": "an upstream gave another result than before",
    }
    kept = query(location, "SELECT count(*) FROM results r JOIN steps s ON s.key = r.key WHERE s.name = 'alpha'")
    assert kept == [(2,)]
    executed(location, source + more)
    assert bodies.take() == []


@pytest.mark.filterwarnings("ignore:stored results are damaged")
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


@pytest.mark.filterwarnings("ignore:stored results are damaged")
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


def test_an_error_of_the_body_about_damage_elsewhere_is_the_bodys_own(location: Path, bodies: Bodies) -> None:
    source = """
    from ezpyp.errors import DamagedResultError

    @as_pickle_step(pipeline)
    def alpha(x):
        ran("alpha")
        return x

    @as_pickle_step(pipeline)
    def beta(x):
        ran("beta")
        raise DamagedResultError("of another cache", digest="")

    beta(alpha(1))
    """

    executed(location, source)

    assert bodies.take() == ["alpha", "beta"]
    assert query(location, "SELECT type, message FROM errors") == [
        ("ezpyp.errors.DamagedResultError", "of another cache")
    ]


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


class Graph:
    """A random graph of steps with large and small results; the last of them come later."""

    def __init__(self, location: Path, upstreams: list[tuple[int, ...]]) -> None:
        self.location = location
        self.upstreams = upstreams

    def run(self, count: int) -> Pipeline:
        pipeline = Pipeline(self.location, "graph")

        def node(n: int, inputs: list[bytes]) -> bytes:
            ran(n)
            return bytes([n, *(part[0] for part in inputs)]) * (20_000 if n % 3 else 5)

        step = pipeline.step(node)
        steps: list[object] = []
        for n in range(count):
            steps.append(step(n, [steps[up] for up in self.upstreams[n]]))
        pipeline.execute(output="none")
        return pipeline

    def must_run(self, count: int, damaged: set[int]) -> set[int]:
        """The new steps, and all damaged ones that a running step loads."""
        running = set(range(count, len(self.upstreams)))
        for n in range(len(self.upstreams) - 1, -1, -1):
            loaded_by = {down for down in running if n in self.upstreams[down]}
            if loaded_by and n in damaged:
                running.add(n)
        return running


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[tuple[int, ...]], int, set[int]]:
    total = draw(st.integers(2, 8))
    upstreams = [tuple(draw(st.sets(st.integers(0, n - 1), max_size=3))) if n else () for n in range(total)]
    count = draw(st.integers(1, total - 1))
    return upstreams, count, draw(st.sets(st.integers(0, count - 1)))


@pytest.mark.filterwarnings("ignore:stored results are damaged")
@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(graphs())
def test_in_any_graph_exactly_what_is_damaged_and_needed_runs_again(
    tmp_path_factory: pytest.TempPathFactory, graph: tuple[list[tuple[int, ...]], int, set[int]]
) -> None:
    upstreams, count, damaged = graph
    folder = tmp_path_factory.mktemp("graph")
    os.environ["TRACE_FILE"] = str(folder / "trace")
    bodies = Bodies(folder / "trace")
    study = Graph(folder / "cache", upstreams)
    steps = study.run(count).steps
    bodies.take()
    paths = stored(folder / "cache")
    for n in damaged:
        name = steps[n].name
        if name in paths:
            flip(paths[name])
        else:
            ((result,),) = query(folder / "cache", "SELECT result_id FROM current_steps WHERE name = ?", name)
            spoil(folder / "cache", ("payload", "checksum", "size")[n % 3], result=int(str(result)))

    study.run(len(upstreams))

    assert sorted(map(int, bodies.take())) == sorted(study.must_run(count, damaged))
    study.run(len(upstreams))
    assert bodies.take() == []
