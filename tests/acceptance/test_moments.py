"""When things count: what changes between the call and the run is an error, what a step changes stays its own."""

import re
from pathlib import Path

import pytest

from .cutoffs import HEAD
from .forks import Ended, run_scripts
from .tools import expanded

REFUSED = {
    "a list that a helper reads": (
        """
TABLE = [1, 2]

def helper(x):
    return TABLE[x]

step alpha(x): return helper(x)

alpha(1)
pipeline.initialize_schema()
TABLE.append(3)
""",
        r"StateChangedError: 'alpha' changed .*TABLE.*3",
    ),
    "a method of a class": (
        """
class Model:
    def predict(self):
        return 1

step alpha(): return Model().predict()

alpha()
pipeline.initialize_schema()
Model.predict = lambda self: 2
""",
        r"StateChangedError: 'alpha' changed .*(predict|Model)",
    ),
    "an array after freezing": (
        """
field = np.zeros(100_000)

step alpha(field, x=1): return field.sum()

alpha(field)
pipeline.initialize_schema()
field[-1] = 1
""",
        r"ArgumentMutatedError: argument field of 'alpha' .* was changed in place",
    ),
    "an attribute deep in an argument": (
        """
from types import SimpleNamespace
options = {"model": SimpleNamespace(rates=[0.1])}

step alpha(options): return options

alpha(options)
options["model"].rates[0] = 0.2
""",
        r"ArgumentMutatedError: argument options of 'alpha' .* was changed in place",
    ),
}
OWN = {
    "an argument": """
values, table, field = [1], {"a": [1]}, np.zeros(3)

@step
def alpha(n, values, table, field):
    values.append(n); table["a"].append(n); field += n
    return values, table, field.tolist()

parts = [alpha(n, values, table, field) for n in (5, 6)]
pipeline.execute(output="none")
print([part.get_result() for part in parts], values, table, field.tolist())
# ([1, 5], {'a': [1, 5]}, [5.0, 5.0, 5.0]), ([1, 6], {'a': [1, 6]}, [6.0, 6.0, 6.0])] [1] {'a': [1]} [0.0, 0.0, 0.0]
""",
    "a large array": """
field = np.zeros(500_000)

step alpha(n, field): field += n; return float(field.sum())

parts = [alpha(n, field) for n in (1, 2)]
pipeline.execute(output="none")
print([part.get_result() for part in parts], field.sum())
# [500000.0, 1000000.0] 0.0
""",
    "one object given twice": """
values = [1]

step alpha(one, other, pair): one.append(2); return one is other, pair[0] is one, values_of(pair)

def values_of(pair):
    return [list(part) for part in pair]

whole = alpha(values, values, (values, [1]))
pipeline.execute(output="none")
print(whole.get_result(), values)
# (True, True, [[1, 2], [1]]) [1]
""",
    "a mutable default": """
step alpha(n, seen=[]): seen.append(n); return list(seen)

sweep = alpha.map([1, 2, 3])
pipeline.execute(output="none")
print(sweep.results())
# [[1], [2], [3]]
""",
    "a result that a consumer changes": """
step make(): return {"a": [1]}
step use(n, made): made["a"].append(n); return made["a"]

made = make()
parts = [use(n, made) for n in (5, 6)]
pipeline.execute(output="none")
print([part.get_result() for part in parts], made.get_result())
# [[1, 5], [1, 6]] {'a': [1]}
""",
    "a large result that a consumer changes": """
step make(): return np.zeros(500_000)
step use(n, made): made += n; return float(made.sum())

made = make()
parts = [use(n, made) for n in (1, 2)]
pipeline.execute(output="none")
print([part.get_result() for part in parts], made.get_result().sum())
# [500000.0, 1000000.0] 0.0
""",
    "a result that the caller changes": """
step make(): return [1]
step use(made): return made

made = make()
pipeline.execute(output="none")
made.get_result().append(2)
later = use(made)
pipeline.execute(output="none")
print(made.get_result(), later.get_result())
# [1] [1]
""",
    "an argument that is handed through": """
values = [1]

step through(values): return values
step use(values): values.append(2); return values

first = through(values)
second = use(first)
third = through(first)
pipeline.execute(output="none")
print(first.get_result(), second.get_result(), third.get_result(), values)
# [1] [1, 2] [1] [1]
""",
}


def run_all(folder: Path, bodies: dict[str, str]) -> dict[str, Ended]:
    scripts = [folder / str(number) / "script.py" for number in range(len(bodies))]
    for script, body in zip(scripts, bodies.values(), strict=True):
        script.parent.mkdir()
        script.write_text(HEAD + expanded(body))
    return dict(zip(bodies, run_scripts(scripts, seed=3), strict=True))


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    scripts = {name: f"{script}\npipeline.execute()\n" for name, (script, _) in REFUSED.items()}
    return run_all(tmp_path_factory.mktemp("refused"), scripts)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    return run_all(tmp_path_factory.mktemp("own"), OWN)


@pytest.mark.parametrize("what", REFUSED)
def test_what_changes_between_the_call_and_the_run_is_named(refused: dict[str, Ended], what: str) -> None:
    assert refused[what].code == 1
    assert re.search(REFUSED[what][1], refused[what].output), refused[what].output
    assert "[PASS]" not in refused[what].output


@pytest.mark.parametrize("what", OWN)
def test_what_a_step_changes_is_its_own(own: dict[str, Ended], what: str) -> None:
    expected = OWN[what].rpartition("# ")[2].strip()
    assert own[what].code == 0, own[what].output
    assert own[what].output.strip().splitlines()[-1].endswith(expected)
