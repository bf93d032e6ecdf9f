"""Ranks that disagree are named with the step, on every rank, before anything runs and with nothing written."""

import json
import re
from pathlib import Path

import pytest

from tests.mpi import mpirun

from .tools import Bodies, traced

pytestmark = pytest.mark.mpi

SCRIPT = """
import json, os, sys, tempfile, time
from ezpyp import Pipeline
from ezpyp.errors import RanksDisagreeError
from tests.acceptance.tools import ran

ME = Pipeline(sys.argv[1], "who").rank
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
CASES = sys.argv[2:]
for case in CASES:
    location = f"{sys.argv[1]}/{case}"
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
    with open(f"{sys.argv[1]}/{case}.rank{ME}", "w") as file:
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


class Job:
    """One job that goes through all cases."""

    def __init__(self, size: int, folder: Path) -> None:
        self.size, self.folder = size, folder
        script = folder / "script.py"
        script.write_text(SCRIPT)
        self.bodies = Bodies(folder / "trace")
        ended = mpirun(size, script, str(folder), *CASES, env=traced(self.bodies.path), timeout=100)
        assert ended.returncode == 0, ended.stderr
        self.ran = self.bodies.take()
        ended = mpirun(size, script, str(folder), *FINE, env=traced(self.bodies.path), timeout=100)
        assert ended.returncode == 0, ended.stderr

    def messages(self, case: str) -> list[str]:
        return [json.loads((self.folder / f"{case}.rank{rank}").read_text()) for rank in range(self.size)]


@pytest.fixture(scope="module", params=[2, 4], ids="{} ranks".format)
def job(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Job:
    return Job(request.param, tmp_path_factory.mktemp("job"))


@pytest.mark.parametrize("case", CASES)
def test_every_rank_is_told_what_differs(job: Job, case: str) -> None:
    assert len(set(job.messages(case))) == 1
    assert re.search(CASES[case], job.messages(case)[0]), job.messages(case)[0]
    assert "s3cr3t" not in job.messages(case)[0]


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_written(job: Job, case: str) -> None:
    locations = [job.folder / f"{case}{suffix}" for suffix in ("", *range(job.size))]
    assert not [location for location in locations if location.exists()]


def test_nothing_runs(job: Job) -> None:
    assert job.ran == []


@pytest.mark.parametrize("case", FINE)
def test_what_rank_0_alone_acts_on_may_differ(job: Job, case: str) -> None:
    assert job.messages(case) == ["agreed"] * job.size
