"""What holds on any number of ranks: the lines, rows and results of a serial run, revisions, early cutoff.

One job a size runs all scripts, see `tests.acceptance.tour`.
"""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

import ezpyp

from . import seed
from .cutoffs import HEAD, TAIL
from .tools import edit, header, query, snapshot
from .tour import Stage, run_tour

REVISING = "import os; os.environ['EZPYP_REVISE'] = '1'\n"

STUDY = (
    HEAD
    + """
import time
from ezpyp import as_cloudpickle_step

@step
def draw(seed):
    ran(f"draw {seed}")
    time.sleep(0.01)
    return bytes([seed]) * 40_000 if seed % 5 == 0 else seed

@step
def weigh(part, bias=0):
    if part == 7:
        raise ValueError("seven")
    return (len(part) if isinstance(part, bytes) else part) + bias

total = as_cloudpickle_step(pipeline, name="total")(lambda parts, note="none": sum(parts))
below = pipeline.step(lambda part: part, name="below")

draws = draw.map(range(24))
weighed = [weigh(part) for part in draws]
good = total([part for seed, part in enumerate(weighed) if seed != 7], note="good")
bad = below(weighed[7])
lowest = below(bad)

pipeline.execute()
# Each rank asks alone, and only one of them at all.
if pipeline.rank == pipeline.size - 1:
    ran(f"alone {good.get_result()}")
more = weigh.map(draws[:3], [1, 2, 3])
pipeline.execute()
counts = f"{more.results()} {pipeline.get_status(bad)} {len(pipeline.steps)}"
ran(f"rank {pipeline.rank} of {pipeline.size} {counts}")
"""
)
BUSY = (
    HEAD
    + """
import time

@step
def nap(number):
    time.sleep(0.05)
    return number

nap.map(range(24))
pipeline.execute()
"""
)
FAN = (
    HEAD
    + """
step base(): return 4
step use(x, n): return x * n
step total(parts): return sum(parts)

start = base()
total([use(start, n) for n in range(99)])
"""
    + TAIL
    + "ran(f\"TOTAL {pipeline.get_result('total')}\")\n"
)
FAN_EDITED = edit(FAN, ("return 4", "return len('four')"))
UNLUCKY = (
    HEAD
    + """
step base(): return 4
step use(x): return x + 1

use(base())
"""
    + TAIL
)
UNLUCKY_BROKEN = edit(UNLUCKY, ("return 4", "return 1 / 0"))
UNLUCKY_MENDED = edit(UNLUCKY, ("return 4", "return len('four')"))
DRAWN = (
    HEAD
    + """
import os

step draw(): return os.urandom(40_000)
step use(drawn): return drawn[:8]
step size(drawn): return len(drawn)
step below(size): return -size

drawn = draw()
one, two = use(drawn), below(size(drawn))
"""
)
# Nobody would ask for the object without a step that needs it.
DRAWN_MORE = DRAWN + '@step\ndef more(drawn):\n    ran("more")\n    return drawn[:8]\n\nmore(drawn)\n'
DAMAGE = """
if pipeline.is_root:
    (stored,) = [path for path in (FOLDER / "cache" / "objects").rglob("*") if path.is_file()]
    stored.unlink()
"""
HEALED = (
    HEAD
    + """
import os

step draw(seed): return [bytes([seed]) * 40_000]
step join(parts): return [part[0][:20_000] for part in parts]
step noise(): return [os.urandom(40_000)]
step head(x): return x[0][:4]

joined = join(draw.map(range(4)))
noisy = noise()
first = head(noisy)
"""
)
HEALED_MORE = (
    HEALED
    + """
step pick(parts, n): return parts[n][0]
step same(x, start): return x[0][:4] == start

picks = pick.map([joined] * 4, range(4))
agrees = same(noisy, first)
report = pipeline.execute()
assert report.ok, report.failures
assert picks.results() == [0, 1, 2, 3]
assert agrees.get_result() is True
"""
)
FLIP = """
if pipeline.is_root:
    from tests.acceptance.tools import stored
    from tests.store.objects.tools import flip
    for name in ("join", "draw[seed=1]", "draw[seed=2]", "noise"):
        flip(stored(FOLDER / "cache")[name])
"""
WATCHED = (
    HEAD
    + """
SEEN = []
COUNTS = {"calls": 0}
QUIET = [1, 2]

@step
def alpha(n):
    SEEN.append(n)
    COUNTS["calls"] += 1
    return n + QUIET[0]

beta = pipeline.step(lambda n: SEEN.append(n), name="beta")

alpha.map(range(6)), beta.map(range(6))
"""
    + TAIL
)


CHECKED = (
    HEAD
    + """
from ezpyp.errors import PipelineFailedError, StepFailedError

same = pipeline.step(lambda value: value, name="same")
leave = pipeline.step(sys.exit, name="leave")
bad = pipeline.step(int, name="bad")

same.map(range(10)), leave(0), pipeline.step(abs, name="below")(bad("one"))
try:
    pipeline.execute(check=True)
except PipelineFailedError as error:
    try:
        pipeline.get_result("bad")
    except StepFailedError as inner:
        ran(f"{sorted(error.failed)} {'ValueError: invalid literal' in str(inner)}")
    raise
"""
)


def seed_stages(folder: Path) -> dict[str, str]:
    """The founding text's script: a first run, an edit that is refused, a second run, a revision, and back."""
    original, edited = (seed.text(folder / "seed" / "cache", power=power) for power in (3, 4))
    return {
        "seed/first": original,
        "seed/edited": edited,
        "seed/unchanged": original,
        "seed/revised": REVISING + edited,
        "seed/back": original,
    }


STAGES = {
    "study/run": STUDY,
    "busy/run": BUSY,
    "fan/first": FAN,
    "fan/edited": REVISING + FAN_EDITED,
    "fan/again": REVISING + FAN_EDITED,
    "mended/first": UNLUCKY,
    "mended/broken": REVISING + UNLUCKY_BROKEN,
    "mended/again": REVISING + UNLUCKY_MENDED,
    "skipped/first": UNLUCKY_BROKEN,
    "skipped/again": UNLUCKY,
    "drawn/first": DRAWN + TAIL,
    "drawn/damaged": DRAWN_MORE.replace("step = ", f"{DAMAGE}step = ", 1) + TAIL,
    "drawn/again": DRAWN_MORE + TAIL,
    "healed/first": HEALED + TAIL,
    "healed/damaged": HEALED_MORE.replace("step = ", f"{FLIP}step = ", 1),
    "healed/again": HEALED_MORE,
    "watched/first": WATCHED,
    "watched/again": WATCHED,
    "checked/run": CHECKED,
}

Tour = dict[str, Stage]


def sizes(*ranks: int) -> list[object]:
    marks = [pytest.param(size, id=f"{size} ranks", marks=pytest.mark.mpi) for size in ranks if size]
    return [pytest.param(0, id="serial"), *marks]


class Tours(dict[int, Tour]):
    """Tours by their size, each run when it is first asked for."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        super().__init__()
        self._folders = folders

    def __missing__(self, size: int) -> Tour:
        folder = self._folders.mktemp("tour")
        scripts = seed_stages(folder) | (STAGES if size in (0, 2, 4) else {})
        self[size] = run_tour(size, folder, scripts)
        return self[size]


@pytest.fixture(scope="module")
def tours(tmp_path_factory: pytest.TempPathFactory) -> Tours:
    return Tours(tmp_path_factory)


@pytest.fixture(params=sizes(2, 4))
def tour(tours: Tours, request: pytest.FixtureRequest) -> Tour:
    return tours[request.param]


# Of the seed also one rank under a launcher, and more ranks than it has steps.
@pytest.fixture(params=sizes(1, 2, 4, 7))
def seeds(tours: Tours, request: pytest.FixtureRequest) -> Tour:
    return tours[request.param]


def pairs(stage: Stage) -> Counter[str]:
    """The lines of steps, two by two as they were written, without the rank's number and the place."""
    text = re.sub(r"MPI process \d\d", "MPI process 00", stage.stdout.replace(str(stage.folder), "HERE"))
    return Counter(re.findall(r"^\[MPI process.*\n  ╰─> .*$", text, re.MULTILINE))


def answers(stage: Stage) -> Counter[str]:
    """What the ranks of the seed print themselves after the run."""
    return Counter(re.findall(r"Pipeline result for gamma: ([\d.]+)", stage.stdout))


def exports(stage: Stage) -> list[str]:
    """Both exports, without the place; blanks of the summary run together."""
    schema, summary = ((stage.location / f"pipeline.{name}").read_text() for name in ("schema", "summary"))
    return [text.replace(str(stage.folder), "HERE") for text in (schema, re.sub(" +", " ", summary))]


def test_the_seed_s_first_run_prints_its_lines_after_one_header_and_nothing_else(seeds: Tour) -> None:
    stage = seeds["seed/first"]

    start = f"Pipeline 'my_pipeline' @ {stage.folder}/cache, revision 1: 3 steps, 0 cached, 3 to run"
    assert stage.lines[0] == start
    assert pairs(stage) == Counter(map("\n".join, zip(seed.LINES[::2], seed.LINES[1::2], strict=True)))
    assert answers(stage) == {"1.125": len(stage.codes)}
    assert len(stage.lines) == 1 + 6 + len(stage.codes)
    assert len(stage.codes) > 1 or stage.lines[1:7] == seed.LINES
    assert stage.stderr == ""


def test_the_seed_s_first_run_writes_its_rows_summary_and_schema(seeds: Tour) -> None:
    schema, summary = exports(seeds["seed/first"])

    rows = query(seeds["seed/first"].location, "SELECT name, args, kwargs, phase, status FROM summary")
    assert rows == [("alpha", "[3]", "{}", 0, 0), ("beta", "[2]", "{}", 0, 0), ("gamma", "[9, 8]", "{}", 1, 0)]
    title, columns, *lines = summary.splitlines()
    assert (title, columns) == ("Pipeline Completed @ HERE/cache", "name args kwargs phase status result")
    place = r"HERE/cache/ezpyp\.sqlite#[0-9a-f]{32}"
    for line, row in zip(lines, rows, strict=True):
        assert re.fullmatch(re.escape(" ".join(map(str, row))) + " " + place, line), line
    phases = json.loads(schema)
    assert list(phases) == ["0", "1"]
    steps = [*phases["0"], *phases["1"]]
    assert [step["name"] for step in steps] == [step["function_name"] for step in steps] == ["alpha", "beta", "gamma"]
    assert [step["args"] for step in steps] == ["[3]", "[2]", "[TMP for alpha, TMP for beta]"]
    assert {step["kwargs"] for step in steps} == {"{}"}
    upstreams = "[Pickle Step Object 'alpha', Pickle Step Object 'beta']"
    assert [step["depends_on"] for step in steps] == ["[]", "[]", upstreams]
    assert all(re.fullmatch("[0-9a-f]{32}", step["key"]) for step in steps)
    assert len({step["key"] for step in steps}) == 3


def test_the_edited_seed_is_one_conflict_for_the_whole_job_and_writes_nothing(seeds: Tour) -> None:
    stage = seeds["seed/edited"]

    assert set(stage.codes) == {"1"}
    # Rank 0 alone prints a traceback that every rank raises alike.
    assert stage.stderr.count("Traceback (most recent call last)") == 1
    assert stage.stderr.count("\nezpyp.errors.SchemaConflictError: ") == 1
    assert re.search(r"\bbeta\b[^\0]*?\b3 -> 4\b", stage.stderr)
    assert re.search(r"\bgamma\b[^\n]*(\n[^\n]*)?\bupstream\b[^\0]*EZPYP_REVISE", stage.stderr)
    assert stage.stdout == ""
    assert snapshot(stage.location) == snapshot(seeds["seed/first"].location)


@pytest.mark.parametrize(
    ("name", "answer", "revision", "ran", "cached"),
    [
        ("unchanged", "1.125", 1, [], ["alpha", "beta", "gamma"]),
        ("revised", "0.5625", 2, ["beta", "gamma"], ["alpha"]),
        ("back", "1.125", 3, [], ["alpha", "beta", "gamma"]),
    ],
)
def test_the_seed_runs_exactly_what_changed(
    seeds: Tour, name: str, answer: str, revision: int, ran: list[str], cached: list[str]
) -> None:
    stage = seeds[f"seed/{name}"]

    assert set(stage.codes) == {"0"}, stage.stderr
    assert answers(stage) == {answer: len(stage.codes)}
    assert re.findall(r"\[PASS\] '(\w+)'", stage.stdout) == ran
    assert re.findall(r"\[CACHED\] '(\w+)'", stage.stdout) == cached
    counts = header(stage.stdout)
    assert (counts["revision"], counts["cached"], counts["to_run"]) == (str(revision), str(len(cached)), str(len(ran)))
    cache = ezpyp.open_cache(stage.location)
    assert cache.get_result("gamma") == float(answer)
    assert cache.get_result("gamma", revision=1) == 1.125
    assert name != "unchanged" or exports(stage) == exports(seeds["seed/first"])


def rows(stage: Stage) -> list[tuple[object, ...]]:
    """What the index says of every step but where and when it ran; results by their address."""
    found = query(
        stage.location,
        "SELECT name, key, function, codec, phase, status, cached, args, kwargs, result, reason, params "
        "FROM current_steps ORDER BY name",
    )
    return [tuple(str(value).replace(str(stage.folder), "HERE") for value in row) for row in found]


@pytest.mark.parametrize("many", sizes(2, 4)[1:])
def test_rows_lines_headers_and_exports_are_those_of_a_serial_run(tours: Tours, many: int) -> None:
    serial, parallel = tours[0]["study/run"], tours[many]["study/run"]

    def headers(stage: Stage) -> list[str]:
        return [line.partition(", ")[2] for line in stage.lines if line.startswith("Pipeline '")]

    assert (serial.codes, parallel.codes) == (["0"], ["0"] * many)
    assert len(rows(serial)) == 24 + 24 + 1 + 2 + 3
    assert rows(parallel) == rows(serial)
    assert len(pairs(serial)) > 50
    assert pairs(parallel) == pairs(serial)
    assert len(headers(serial)) == 2
    assert headers(parallel) == headers(serial)
    assert exports(parallel) == exports(serial)


def test_each_body_runs_once_and_any_rank_goes_on_with_the_same_outcome(tour: Tour) -> None:
    stage = tour["study/run"]
    ranks = len(stage.codes)

    expected = sum(40_000 if seed % 5 == 0 else seed for seed in range(24) if seed != 7)
    assert Counter(stage.words) == Counter(
        [
            *(f"draw {seed}" for seed in range(24)),
            f"alone {expected}",
            *(f"rank {rank} of {ranks} [40001, 3, 5] 2 54" for rank in range(ranks)),
        ]
    )
    cache = ezpyp.open_cache(stage.location)
    assert cache.get_result("draw", seed=5) == bytes([5]) * 40_000
    assert cache.get_result("weigh[seed=8]") == 8


@pytest.mark.parametrize("many", sizes(2, 4)[1:])
def test_all_ranks_share_the_steps(tours: Tours, many: int) -> None:
    stage = tours[many]["busy/run"]

    found = query(stage.location, "SELECT rank, count(*) FROM current_steps GROUP BY rank")
    shares = {int(str(rank)): int(str(count)) for rank, count in found}
    assert set(shares) == set(range(many))
    assert min(shares.values()) >= 24 // many // 3
    printed = Counter(re.findall(r"MPI process (\d\d)", stage.stdout))
    assert {int(rank): count for rank, count in printed.items()} == shares


def test_a_hundred_descendants_of_the_same_value_are_cached(tour: Tour) -> None:
    stage, again = tour["fan/edited"], tour["fan/again"]

    assert stage.words == ["base"] + [f"TOTAL {4 * sum(range(99))}"] * len(stage.codes)
    assert "101 steps, 1 done, 100 cached, 0 failed, 0 skipped" in stage.stdout
    counts = header(stage.stdout)
    assert (counts["revision"], counts["steps"], counts["cached"], counts["to_run"]) == ("2", "101", "0", "101")
    lines = re.findall(r"╰─> \[CACHED\] '(.*)' \(upstream values are the same\)", stage.stdout)
    assert sorted(lines) == sorted(["total", *(f"use[x=base,n={n}]" for n in range(99))])
    found = query(
        stage.location, "SELECT status, cached, reason, count(*) FROM current_steps GROUP BY 1, 2, 3 ORDER BY 4"
    )
    assert found == [(0, 0, None, 1), (0, 1, "upstream values are the same", 100)]
    # The run after that finds everything by key.
    assert "base" not in again.words
    assert header(again.stdout)["cached"] == "101"
    count = "SELECT count(*) FROM results"
    assert query(again.location, count) == query(stage.location, count)


def test_a_step_that_is_mended_runs_what_was_skipped_unless_its_value_is_the_old_one(tour: Tour) -> None:
    def statuses(stage: str) -> list[tuple[object, ...]]:
        return query(tour[stage].location, "SELECT name, status FROM current_steps ORDER BY name")

    assert tour["skipped/first"].words == ["base"]
    assert tour["skipped/again"].words == ["base", "use"]
    assert statuses("mended/broken") == [("base", 1), ("use", 2)]
    assert tour["mended/again"].words == ["base"]
    assert statuses("mended/again") == [("base", 0), ("use", 0)]


def test_another_value_for_an_old_key_runs_what_used_the_older_one(tour: Tour) -> None:
    stage = tour["drawn/damaged"]

    assert sorted(stage.words) == ["draw", "more", "size", "use"]  # `below` has the size that it had
    assert dict(query(stage.location, "SELECT name, reason FROM current_steps")) == {  # type: ignore[arg-type]  # pairs
        "draw": "recomputed after damage, with another result than before",
        "use": "an upstream gave another result than before",
        "size": "an upstream gave another result than before",
        "below": None,
        "more": None,
    }
    assert tour["drawn/again"].stdout.count("[PASS]") == 0


def test_damage_met_on_any_rank_is_recovered_from_in_the_middle_of_the_run(tour: Tour) -> None:
    stage = tour["healed/damaged"]

    assert Counter(stage.words) == Counter(["join", "draw", "draw", "noise", "head", "same", *["pick"] * 4])
    assert {
        name: reason
        for name, reason in query(stage.location, "SELECT name, reason FROM current_steps")
        if reason is not None
    } == {
        "join": "recomputed after damage",
        "draw[seed=1]": "recomputed after damage",
        "draw[seed=2]": "recomputed after damage",
        "noise": "recomputed after damage, with another result than before",
        "head": "an upstream gave another result than before",
    }
    kept = sorted(path.name for path in stage.location.rglob("*.damaged"))
    assert len(kept) == 4
    assert all(name in stage.stderr for name in kept)
    assert query(stage.location, "SELECT count(*) FROM damages") == [(4,)]
    assert tour["healed/again"].words == []


def test_a_global_that_steps_change_is_warned_of_once_by_name(tour: Tour) -> None:
    first, again = tour["watched/first"], tour["watched/again"]

    told = first.stdout + first.stderr
    for name in ("SEEN", "COUNTS"):
        assert len(re.findall(rf"UserWarning: global {name}\b.*: it was changed while steps ran", told)) == 1, told
    assert "QUIET" not in told
    assert query(first.location, "SELECT count(*) FROM current_steps WHERE status = 0") == [(12,)]
    assert "was changed" not in again.stderr, "a run that finds all cached warns of nothing"


def test_a_checked_run_raises_on_all_ranks_and_records_what_finished(tour: Tour) -> None:
    stage = tour["checked/run"]

    assert set(stage.codes) == {"1"}
    assert stage.words == ["['bad', 'leave'] True"] * len(stage.codes)
    assert stage.stderr.count("\nezpyp.errors.PipelineFailedError: ") == 1
    found = query(stage.location, "SELECT status, count(*) FROM current_steps GROUP BY status ORDER BY status")
    assert found == [(0, 10), (1, 2), (2, 1)]
    assert (stage.location / "pipeline.summary").read_text().startswith("Pipeline Failed @ ")
