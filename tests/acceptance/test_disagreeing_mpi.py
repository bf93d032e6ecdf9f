"""Ranks that disagree are named with the step, on every rank, before anything runs and with nothing written.

What else steps, names and options may differ in is tested on threads in ``tests/pipeline/test_agreeing.py``.
"""

import json
import re

import pytest

from .tour import Stage, run_tour

pytestmark = pytest.mark.mpi

# Code that each rank runs before it makes its pipeline, and code that declares; what differs by rank stands there.
SCRIPT = """
import json, os
from pathlib import Path
from ezpyp import Pipeline
from ezpyp.errors import RanksDisagreeError
from tests.acceptance.tools import ran

FOLDER = Path(__file__).parent
ME = Pipeline(FOLDER, "who").rank

def alpha(x, token=""):
    ran("alpha")
    return FACTOR * x

def beta(x):
    ran("beta")
    return x

for case, (before, declare) in CASES.items():
    os.environ.pop("EZPYP_REVISE", None)
    FACTOR, operation, options = 2, "execute", {}
    settings = {"cache_location": f"{FOLDER}/{case}", "pipeline_id": "study"}
    exec(before)
    pipeline = Pipeline(**settings)
    first, second = pipeline.step(alpha), pipeline.step(beta)
    exec(declare or "second(first(1))")
    message = "agreed"
    try:
        getattr(pipeline, operation)(**options)
    except RanksDisagreeError as error:
        message = str(error)
    with open(f"{FOLDER}/{case}.rank{ME}", "w") as file:
        json.dump(message, file)
"""
STEPS = {
    "rank": ("", "second(first(3 + ME))", "alpha"),
    "sweep": ("", "second(first.map([1, 2, 30 + ME]))", r"alpha\[x=30\]"),
    "secret": ("", "first(1, token=f's3cr3t{ME}')", "alpha"),
    "order in a set": ("", "first(list({f'member {n}' for n in range(20)}))", "alpha"),
    "picked": ("", "second(first(1)[ME])", "beta"),
    "constant": ("FACTOR += ME", "", "alpha"),
}
CASES = {
    **{
        case: (
            *code,
            rf"the ranks declared different steps: '{step}' differs from rank 0 to ranks? 1.*a set's order",
        )
        for case, (*code, step) in STEPS.items()
    },
    "order of calls": (
        "",
        "[first(name) for name in {f'member {n}' for n in range(20)}]",
        r"the same steps in different orders: step \d+ is 'alpha\[.+\]' on rank 0 and 'alpha\[.*sort",
    ),
    "check": ("options['check'] = ME == 1", "", "check= of the call differs: rank 0 has False, rank 1 has True"),
    "revise": (
        "options['revise'] = ['beta'] * ME",
        "",
        r"revise= of the call differs: rank 0 has \[\], rank 1 has \['beta'\]",
    ),
    "durable": (
        "settings['durable'] = ME == 1",
        "",
        "durable= of Pipeline differs: rank 0 has False, rank 1 has True",
    ),
    "pipeline_id": (
        "settings['pipeline_id'] += f' {ME}'",
        "",
        "pipeline_id of Pipeline differs: rank 0 has 'study 0', rank 1 has 'study 1'",
    ),
    "location": (
        "settings['cache_location'] += str(ME)",
        "",
        "cache_location of Pipeline differs: rank 0 has '.*location0', rank 1 has '.*location1'",
    ),
    "EZPYP_REVISE": (
        "os.environ.update({'EZPYP_REVISE': 'beta'} if ME == 1 else {})",
        "",
        "EZPYP_REVISE differs: rank 0 has none, rank 1 has beta",
    ),
    "initialize_schema": (
        "operation = 'initialize_schema' if ME else 'execute'",
        "",
        r"the ranks call different things: rank 0 execute\(\), rank 1 initialize_schema\(\)",
    ),
}
FINE = {
    "rank 0 has EZPYP_REVISE": ("os.environ.update({'EZPYP_REVISE': '1'} if ME == 0 else {})", ""),
    "output": ("options['output'] = 'none' if ME else 'steps'", ""),
}
SIZE = 4


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stage]:
    """One job that goes through all cases."""
    tables = {"cases": {case: code[:2] for case, code in CASES.items()}, "fine": FINE}
    scripts = {f"{name}/run": f"CASES = {table}\n{SCRIPT}" for name, table in tables.items()}
    return run_tour(SIZE, tmp_path_factory.mktemp("job"), scripts)


def messages(stage: Stage, case: str) -> list[str]:
    return [json.loads((stage.folder / f"{case}.rank{rank}").read_text()) for rank in range(SIZE)]


@pytest.mark.parametrize("case", CASES)
def test_every_rank_is_told_what_differs_and_nothing_is_written(job: dict[str, Stage], case: str) -> None:
    stage = job["cases/run"]

    (message,) = set(messages(stage, case))
    assert re.search(CASES[case][-1], message), message
    assert "s3cr3t" not in message
    assert not [location for location in stage.folder.glob(f"{case}*") if location.is_dir()]
    assert stage.words == []


def test_what_rank_0_alone_acts_on_may_differ(job: dict[str, Stage]) -> None:
    stage = job["fine/run"]

    assert [messages(stage, case) for case in FINE] == [["agreed"] * SIZE] * len(FINE)
    assert stage.words != []
