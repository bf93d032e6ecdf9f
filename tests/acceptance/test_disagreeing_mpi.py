"""Ranks that disagree are named with the step, on every rank, before anything runs and with nothing written."""

import json
import re

import pytest

from .tour import Stage, run_tour

pytestmark = pytest.mark.mpi

SCRIPT = """
import json, os, sys, time
from pathlib import Path
from ezpyp import Pipeline
from ezpyp.errors import RanksDisagreeError
from tests.acceptance.tools import ran

FOLDER = Path(__file__).parent
ME = Pipeline(FOLDER, "who").rank
FACTOR = 2

def declare(case, pipeline):
    @pipeline.step
    def alpha(x, y=0, token="", options=None):
        ran("alpha")
        return FACTOR * x

    @pipeline.step
    def beta(x):
        ran("beta")
        return x

    if case == "rank":
        beta(alpha(3 + ME))
    elif case == "clock":
        beta(alpha(1, y=time.perf_counter_ns() + ME))
    elif case == "sweep":
        beta(alpha.map([1, 2, 30 + ME]))
    elif case == "secret":
        alpha(1, token=f"s3cr3t{ME}")
    elif case == "order in a set":
        alpha(list({f"member {n}" for n in range(20)}))
    elif case == "order of calls":
        [alpha(name) for name in {f"member {n}" for n in range(20)}]
    elif case == "number":
        [alpha(n) for n in range(2 + (ME == 1))]
    elif case == "picked":
        beta(alpha(1)[ME])
    elif case == "depends_on":
        first = alpha(1)
        pipeline.step(depends_on=[first] if ME else [], name="gamma")(len)("abc")
    elif case == "codec":
        pipeline.step(codec="json" if ME else "pickle", name="gamma")(len)("abc")
    elif case == "version":
        pipeline.step(version=ME, name="gamma")(len)("abc")
    elif case == "code":
        pipeline.step(FUNCTIONS[ME > 0], name="gamma")("abc")
    else:
        beta(alpha(1))

def one(x):
    return x * 10

def two(x):
    return x * 11

FUNCTIONS = [one, two]
for case in CASES:
    location = f"{FOLDER}/{case}"
    options, given = {}, {}
    if case == "location":
        location += str(ME)
    if case == "pipeline_id":
        given = {"pipeline_id": f"study {ME}"}
    pipeline = Pipeline(location, given.get("pipeline_id", "study"), durable=case == "durable" and ME == 1)
    FACTOR = 2 + (case == "constant" and ME)
    if case == "check":
        options = {"check": ME == 1}
    if case == "revise":
        options = {"revise": ["beta"] * ME}
    os.environ.pop("EZPYP_REVISE", None)
    if case == "EZPYP_REVISE" and ME == 1:
        os.environ["EZPYP_REVISE"] = "beta"
    if case == "rank 0 has EZPYP_REVISE" and ME == 0:
        os.environ["EZPYP_REVISE"] = "1"
    if case == "output":
        options = {"output": "none" if ME else "steps"}
    declare(case, pipeline)
    message = "agreed"
    try:
        pipeline.initialize_schema() if case == "initialize_schema" and ME else pipeline.execute(**options)
    except RanksDisagreeError as error:
        message = str(error)
    with open(f"{FOLDER}/{case}.rank{ME}", "w") as file:
        json.dump(message, file)
"""
CASES = {
    **{
        case: rf"the ranks declared different steps: '{step}' differs from rank 0 to ranks? 1.*a set's order"
        for case, step in {
            "rank": "alpha",
            "clock": "alpha",
            "sweep": r"alpha\[x=30\]",
            "secret": "alpha",
            "order in a set": "alpha",
            "picked": "beta",
            "depends_on": "gamma",
            "codec": "gamma",
            "version": "gamma",
            "code": "gamma",
            "constant": "alpha",
        }.items()
    },
    "order of calls": r"the same steps in different orders: step \d+ is 'alpha\[.+\]' on rank 0 and 'alpha\[.*sort",
    "number": r"rank 0 declared 2 steps, rank 1 3 steps; 'alpha\[x=2\]' on rank 1 only",
    "check": "check= of the call differs: rank 0 has False, rank 1 has True",
    "revise": r"revise= of the call differs: rank 0 has \[\], rank 1 has \['beta'\]",
    "durable": "durable= of Pipeline differs: rank 0 has False, rank 1 has True",
    "pipeline_id": "pipeline_id of Pipeline differs: rank 0 has 'study 0', rank 1 has 'study 1'",
    "location": "cache_location of Pipeline differs: rank 0 has '.*location0', rank 1 has '.*location1'",
    "EZPYP_REVISE": "EZPYP_REVISE differs: rank 0 has none, rank 1 has beta",
    "initialize_schema": r"the ranks call different things: rank 0 execute\(\), rank 1 initialize_schema\(\)",
}
FINE = ["rank 0 has EZPYP_REVISE", "output"]


SIZE = 4


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stage]:
    """One job that goes through all cases."""
    scripts = {f"{name}/run": f"CASES = {cases}\n{SCRIPT}" for name, cases in (("cases", [*CASES]), ("fine", FINE))}
    return run_tour(SIZE, tmp_path_factory.mktemp("job"), scripts)


def messages(stage: Stage, case: str) -> list[str]:
    return [json.loads((stage.folder / f"{case}.rank{rank}").read_text()) for rank in range(SIZE)]


@pytest.mark.parametrize("case", CASES)
def test_every_rank_is_told_what_differs_and_nothing_is_written(job: dict[str, Stage], case: str) -> None:
    folder = job["cases/run"].folder

    (message,) = set(messages(job["cases/run"], case))
    assert re.search(CASES[case], message), message
    assert "s3cr3t" not in message
    assert not [location for location in folder.glob(f"{case}*") if location.is_dir()]


def test_nothing_runs(job: dict[str, Stage]) -> None:
    assert job["cases/run"].words == []
    assert job["fine/run"].words != []


@pytest.mark.parametrize("case", FINE)
def test_what_rank_0_alone_acts_on_may_differ(job: dict[str, Stage], case: str) -> None:
    assert messages(job["fine/run"], case) == ["agreed"] * SIZE
