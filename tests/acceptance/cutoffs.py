"""The table of edits upstream: which bodies run after each, and the rule without which they would be others.

A scenario is a script and an edit of it. ``runs`` are the bodies that the edited script runs, by the words that they
note. ``off`` is a piece of code before the script that switches off the rule at work: with it other bodies must run,
which shows that the scenario tests the rule.
"""

import sys
from dataclasses import dataclass

from tests.acceptance.tools import expanded

HEAD = """
import sys
from pathlib import Path
import numpy as np
from ezpyp import File, Pipeline, as_pickle_step
from ezpyp.steps import PlaceHolder
from tests.acceptance.tools import ran

FOLDER = Path(__file__).parent
pipeline = Pipeline(FOLDER / "cache", "study", observe=False)
step = pipeline.step
"""
TAIL = """
report = pipeline.execute()
if pipeline.is_root:
    print(report)
"""

_SWITCH = """
import ezpyp.pipeline.pipeline, pickle
from ezpyp.hashing.encode import value_digest
from xxhash import xxh3_128_digest
from tests.acceptance.cutoffs import everywhere
"""
NO_CUT_OFF = _SWITCH + "everywhere('results_of_input', lambda *_: [])"
VALUES_ALONE = _SWITCH + "everywhere('cutoff_digest', lambda value, **_: xxh3_128_digest(pickle.dumps(value)))"
FILES_BY_NAME = _SWITCH + "everywhere('cutoff_digest', lambda value, **_: value_digest(value))"
ALL_VALUES_ALIKE = _SWITCH + "everywhere('cutoff_digest', lambda value, **_: bytes(16))"
UNCACHED_LIKE_CACHED = (
    _SWITCH
    + """
from ezpyp.execution.plan import token_of
everywhere("token_of", lambda result, cached, id_: token_of(result, cached=True, id_=id_))
"""
)
NO_INPUT_KEYS = """
import os
from ezpyp.graph.program import Program
Program.input_key = lambda *_: os.urandom(16)
"""
NO_ORDER = """
from dataclasses import replace
from ezpyp.graph.program import Program
with_order = Program.input_key
def input_key(self, position, token):
    nothing = ((),) * len(self)
    return with_order(replace(self, declared=nothing, orders=nothing), position, token)
Program.input_key = input_key
"""


def everywhere(name: str, replacement: object) -> None:
    """Put something else in the place of a function of ezpyp, wherever it was imported."""
    importers = [module for key, module in sys.modules.items() if key.startswith("ezpyp.") and hasattr(module, name)]
    assert importers, f"nothing imports {name}"
    for module in importers:
        setattr(module, name, replacement)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One edit."""

    name: str
    script: str
    old: str
    new: str
    runs: str
    off: str


def scenario(name: str, old: str, new: str, runs: str, off: str, script: str) -> Scenario:
    """Put one together."""
    assert script.count(old) == 1, f"{name}: {old!r} stands {script.count(old)} times in the script"
    return Scenario(name, HEAD + expanded(script) + TAIL, old, new, runs, off)


def produced(name: str, body: tuple[str, str], runs: str, off: str, consumer: str = "value") -> Scenario:
    """A producer whose code is edited from one line to another, and a consumer of what it gives."""
    script = f"""
step make(): {body[0]}
step use(value): return str({consumer})

use(make())
"""
    return scenario(name, body[0], body[1], runs, off, script)


CUT_OFF = [
    produced("a number", ("return 4", "return len('four')"), "make", NO_CUT_OFF),
    produced("an array", ("return np.arange(3)", "return np.array([0, 1, 2])"), "make", NO_CUT_OFF),
    produced("a large array", ("return np.arange(9999)", "return np.arange(0, 9999)"), "make", NO_CUT_OFF),
    produced("a set", ("return {'a', 'b', 'c'}", "return {'c', 'b', 'a'} | set('a')"), "make", NO_CUT_OFF),
    produced("another number", ("return 4", "return 5"), "make use", ALL_VALUES_ALIKE),
    produced("an equal number of another type", ("return 4", "return 4.0"), "make use", ALL_VALUES_ALIKE),
    produced("another order in a dict", ("return {1: 2, 3: 4}", "return {3: 4, 1: 2}"), "make use", ALL_VALUES_ALIKE),
    produced("nothing", ("return None", "print(end=''); return None"), "make use", FILES_BY_NAME),
    produced("a function", ("return abs", "print(end=''); return abs"), "make", NO_CUT_OFF),
    scenario("a chain is cut on the way", "return x * 2", "return x * 4", "first second", NO_CUT_OFF, """
step first(x): return x * 2
step second(x): return x % 2
step third(x): return -x
step fourth(x): return x

fourth(third(second(first(3))))
"""),
    scenario("one of two upstreams changed in value", "return 2", "return 3", "left both", ALL_VALUES_ALIKE, """
step left(): return 2
step right(): return 5
step both(a, b): return a + b
step other(b): return b

both(left(), right())
other(right())
"""),
    scenario("two upstreams changed, neither in value", "return N", "return N + 0", "left right", NO_CUT_OFF, """
N = 2

def helper():
    return N

step left(): return helper()
step right(): return -helper()
step both(a, b): return a + b

both(left(), right())
"""),
    scenario("two upstreams that swap their values", "SWAPPED = False", "SWAPPED = True", "left right both",
             ALL_VALUES_ALIKE, """
SWAPPED = False

step left(): return 1 if SWAPPED else 2
step right(): return 2 if SWAPPED else 1
step both(a, b): return a - b

both(left(), right())
"""),
    scenario("members of a set that swap their values", "SWAPPED = False", "SWAPPED = True", "one two", NO_CUT_OFF, """
SWAPPED = False

step one(): return 1 if SWAPPED else 2
step two(): return 2 if SWAPPED else 1
step total(parts): return sum(parts)

total({one(), two()})
"""),
    scenario("a picked part, where another part changed", "'std': 1", "'std': 2", "moments use", ALL_VALUES_ALIKE, """
step moments(): return {'mean': 3, 'std': 1}
step use(mean): return mean

use(PlaceHolder(moments())["mean"])
"""),
    scenario("a helper of a method, deep in a result", "return 2 * x", "return 3 * x", "fit use", VALUES_ALONE, """
def helper(x):
    return 2 * x

class Model:
    def predict(self, x):
        return helper(x)

step fit(): return {"best": [Model()]}
step use(models): return models["best"][0].predict(4)

use(fit())
"""),
    scenario("a class handed over by a step that does not name it", "return 1", "return 2", "fit wrap use",
             VALUES_ALONE, """
class Model:
    def predict(self):
        return 1

step fit(): return Model()
step wrap(model): return [model]
step use(models): return models[0].predict()

use(wrap(fit()))
"""),
]  # fmt: skip

WRITES = "(FOLDER / 'out').write_text({}); "
FILE = "return File(FOLDER / 'out')"
_FORMS = {
    "nothing": "",
    "its path as text": "return str(FOLDER / 'out')",
    "its path as bytes": "return bytes(FOLDER / 'out')",
    "its Path": "return FOLDER / 'out'",
    "a dict that holds its path": "return {'rows': 3, 'path': str(FOLDER / 'out')}",
    "a dict with its path as a key": "return {str(FOLDER / 'out'): 3}",
    "a list of its Path": "return [FOLDER / 'out']",
    "its path in an array": "return np.array([str(FOLDER / 'out')])",
    "its path in an array of objects": "return np.array([str(FOLDER / 'out')], dtype=object)",
    "its path in an instance": "import types; return types.SimpleNamespace(path=str(FOLDER / 'out'))",
    "its folder": "return str(FOLDER)",
    "its path relative to here": "import os; return os.path.relpath(FOLDER / 'out')",
}
FILES = [
    produced(
        f"a file is written, and the step gives {what}",
        (WRITES.format("'one'") + form, WRITES.format("'two'") + form),
        "make use",
        FILES_BY_NAME,
        "(FOLDER / 'out').read_text()",
    )
    for what, form in _FORMS.items()
] + [
    produced(
        "a File of the same content is cut off",
        (WRITES.format("'one'") + FILE, WRITES.format("str('one')") + FILE),
        "make",
        NO_CUT_OFF,
        "open(value).read()",
    ),
    produced(
        "a File of other content is not",
        (WRITES.format("'one'") + FILE, WRITES.format("'two'") + FILE),
        "make use",
        ALL_VALUES_ALIKE,
        "open(value).read()",
    ),
    scenario("an order-only dependency is edited", "'one'", "'two'", "write read", NO_ORDER, """
step write(): (FOLDER / "out").write_text('one'); return 1

step(depends_on=[write()]) read(): return (FOLDER / "out").read_text()

read()
"""),
    scenario("an order-only dependency below an equal one", "'one'", "'two'", "write check read", NO_ORDER, """
step write(): (FOLDER / "out").write_text('one')

step(depends_on=[write()]) check(): return True
step(depends_on=[check()]) read(): return (FOLDER / "out").read_text()

read()
"""),
]  # fmt: skip

UNCACHED = [
    scenario(f"cache=False, {name}", f"{old}  # edited", f"{new}  # edited", runs, off, f"""
step(cache=False, version=1) fetch(): {old}  # edited
step use(value): return len(str(value))
step below(size): return -size

below(use(fetch()))
""")
    for name, old, new, runs, off in (
        ("same code, same value", "return 3", "return 3", "fetch", NO_INPUT_KEYS),
        ("other code, same value", "return 3", "return len('one')", "fetch", NO_CUT_OFF),
        ("another value", "return 3", "return 4", "fetch use", ALL_VALUES_ALIKE),
        ("another value further down", "return 3", "return 33", "fetch use below", ALL_VALUES_ALIKE),
        ("nothing", "return None", "return None", "fetch use", UNCACHED_LIKE_CACHED),
        ("a path", "return __file__", "return __file__", "fetch use", UNCACHED_LIKE_CACHED),
        ("a Path", "return FOLDER", "return FOLDER", "fetch use", UNCACHED_LIKE_CACHED),
    )
]  # fmt: skip

SCENARIOS = CUT_OFF + FILES + UNCACHED
