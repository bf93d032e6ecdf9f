"""Arguments nested 100,000 deep are declared, recorded, copied and handed over like any others."""

import subprocess
import sys

import pytest

from ezpyp.describe import describe
from ezpyp.steps import PlaceHolder
from ezpyp.steps.arguments import collect, labelled, located, skeleton

from ..mpi import ROOT, clean_environ
from .tools import steps

DEEP = 100_000
(STEP,) = steps(1)


def nested(kind, inner):
    value = inner
    for _ in range(DEEP):
        value = {0: value} if kind is dict else kind([value])
    return value


def inner_of(value):
    for _ in range(DEEP):
        value = value[0]
    return value


@pytest.mark.parametrize("kind", [list, tuple, dict])
def test_step_at_the_bottom_is_found_replaced_and_placed(kind):
    values = (nested(kind, [PlaceHolder(STEP)]),)

    collected, slots = collect(values)
    (place,) = located(collected, ("x",))
    (shown,) = labelled(collected, ["label"])

    assert [slot.step for slot in slots] == [STEP]
    assert place == "x" + "[0]" * DEEP + "[]"
    assert inner_of(shown) == ["label"]
    assert describe(collected[0])


@pytest.mark.parametrize("kind", [list, tuple])
def test_outline_of_a_deep_value(kind):
    ((value,), _) = collect((nested(kind, [STEP]),))

    left = skeleton(value)

    for _ in range(DEEP):
        name, (left,) = left
        assert name == kind.__name__
    assert left == ("list", ["\0steps of this collection"])


SCRIPT = """
import sys, tempfile
from ezpyp import Pipeline

class Link:
    def __init__(self, after):
        self.after = after

def nested(kind, inner):
    value = inner
    for _ in range(100_000):
        value = {0: value} if kind is dict else kind(value) if kind is Link else kind([value])
    return value

def depth_of(value):
    depth = 0
    while not isinstance(value, (int, type(None))):
        value = value.after if isinstance(value, Link) else value[0]
        depth += 1
    return depth

pipeline = Pipeline(tempfile.mkdtemp(), "study")

@pipeline.step
def depth(value, number=0):
    return depth_of(value)

kind = {"list": list, "tuple": tuple, "dict": dict, "Link": Link}[sys.argv[1]]
plain = depth(nested(kind, None))
steps = [plain]
if kind is list:
    steps.append(depth(nested(kind, plain), 1))
report = pipeline.execute(output="none")
assert report.ok, report.failures
for step in steps:
    assert step.get_result() == 100_000, step
print("whole")
"""


@pytest.mark.parametrize("kind", ["list", "tuple", "dict", "Link"])
def test_deep_value_reaches_its_step(kind):
    environ = {**clean_environ(), "PYTHONPATH": str(ROOT)}

    done = subprocess.run([sys.executable, "-c", SCRIPT, kind], capture_output=True, text=True, env=environ)

    assert (done.returncode, done.stdout) == (0, "whole\n"), done.stderr[-3000:]
