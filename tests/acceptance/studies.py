"""Scripts that the tests of the schema's rule edit and run again, and how they are refused."""

from pathlib import Path

import pytest

from ezpyp.errors import SchemaConflictError

from .tools import edit, executed, query, snapshot

BASE = """
@as_pickle_step(pipeline)
def alpha(x):
    ran("alpha")
    return x ** 2

@as_pickle_step(pipeline)
def beta(x):
    ran("beta")
    return x ** 3

@as_pickle_step(pipeline)
def gamma(a, b):
    ran("gamma")
    return a / b

step = gamma(alpha(3), beta(2))
"""
BETA_4 = edit(BASE, ("x ** 3", "x ** 4"))
ALPHA_4 = edit(BASE, ("x ** 2", "x ** 4"))
LONE = """
@as_pickle_step(pipeline{options})
def alpha(x, mode="fast"):
    ran("alpha")
    return x

alpha({arguments})
"""
SWEEP = """
@as_pickle_step(pipeline)
def simulate(seed):
    ran(f"simulate {seed}")
    return seed ** 2

@as_pickle_step(pipeline)
def total(parts, weight=1):
    ran("total")
    return weight * sum(parts.values() if isinstance(parts, dict) else parts)

@as_pickle_step(pipeline)
def total_of(*parts):
    ran("total")
    return sum(parts)

@as_pickle_step(pipeline)
def report(value):
    ran("report")
    return -value

"""
FORMS = {
    "list": "whole = total([simulate(seed) for seed in SEEDS])",
    "tuple": "whole = total(tuple(simulate(seed) for seed in SEEDS))",
    "set": "whole = total({simulate(seed) for seed in SEEDS})",
    "dict": "whole = total({seed: simulate(seed) for seed in SEEDS})",
    "sweep": "whole = total(simulate.map(SEEDS))",
    "keyword": "whole = total(parts=[simulate(seed) for seed in SEEDS])",
    "star": "whole = total_of(*[simulate(seed) for seed in SEEDS])",
}


def sweep(seeds: list[int], form: str = "list", rest: str = "") -> str:
    """Give a script that reduces a sweep over these seeds."""
    return SWEEP + FORMS[form].replace("SEEDS", repr(seeds)) + "\n" + rest


def revision(location: Path) -> object:
    """Give the number of the newest revision."""
    return query(location, "SELECT max(revision) FROM revisions")[0][0]


def conflict(location: Path, source: str, **options: object) -> SchemaConflictError:
    """Execute a script that must be refused, nothing written, and give the error."""
    before = snapshot(location)
    with pytest.raises(SchemaConflictError, match="revise") as caught:
        executed(location, source, **options)
    assert snapshot(location) == before
    return caught.value
