"""Edits of things whose content no protocol of Python's tells, or tells too much of."""

from tests.hashing._edits import must, must_not

READING = """
    {setup}

    THING = {value}

    def step(x):
        return {read}
"""


def thing(name, rule, old, new, setup="pass", read="THING"):
    """A global that is written as ``old``, or as ``new``."""
    must(name, rule, f"THING = {old}", f"THING = {new}", READING.format(setup=setup, value=old, read=read))


for each, first, second, preparation in (
    ("format of a Struct", "Struct('<i')", "Struct('>i')", "from struct import Struct"),
    ("view of keys", "{1: 2}.keys()", "{3: 2}.keys()", "pass"),
    ("view of values", "{1: 2}.values()", "{1: 3}.values()", "pass"),
    ("view of items", "{1: 2}.items()", "{1: 3}.items()", "pass"),
    ("text in memory", "StringIO('a')", "StringIO('b')", "from io import StringIO"),
    ("bytes in memory", "BytesIO(b'a')", "BytesIO(b'b')", "from io import BytesIO"),
    (
        "place in bytes in memory",
        "at(0)",
        "at(1)",
        "import io\n    def at(n):\n        b = io.BytesIO(b'a'); b.seek(n); return b",
    ),
    ("count", "count(1)", "count(2)", "from itertools import count"),
    (
        "default of a context variable",
        "V('v', default=1)",
        "V('v', default=2)",
        "from contextvars import ContextVar as V",
    ),
    (
        "value of a context variable",
        "made(1)",
        "made(2)",
        "from contextvars import ContextVar as V\n    def made(n):\n        v = V('v'); v.set(n); return v",
    ),
    (
        "target of a weak reference",
        "made(1)",
        "made(2)",
        "import weakref\n    class C: pass\n    def made(n):\n        C.c = C(); C.c.k = n; return weakref.ref(C.c)",
    ),
):
    # What the node of its own does not tell, the walk over instances refuses.
    thing(each, "states", first, second, preparation)

for each, first, second in (
    ("iterator of a list", "iter([1])", "iter([2])"),
    ("place of an iterator", "begun(0)", "begun(1)"),
    ("zip", "zip([1], [2])", "zip([1], [3])"),
    ("enumerate", "enumerate([1], 1)", "enumerate([1], 2)"),
    ("reversed", "reversed([1, 2])", "reversed([1, 3])"),
    ("map", "map(lambda y: y + 1, [1])", "map(lambda y: y + 2, [1])"),
):
    thing(
        each,
        "iterators",
        first,
        second,
        "def begun(n):\n        i = iter([1, 2]); [next(i) for _ in range(n)]; return i",
    )

# -- what says that it is a global -------------------------------------------------------------------------------------

must(
    "function of np.frompyfunc",
    "made of",
    "v + 1",
    "v + 2",
    """
    import numpy as np

    def work(v):
        return v + 1

    ALL = np.frompyfunc(work, 1, 1)

    def step(x):
        return ALL([x])
""",
)
must(
    "function of np.frompyfunc as an argument",
    "made of",
    "v + 1",
    "v + 2",
    """
    import numpy as np

    def step(x):
        return x([1])

    args = (np.frompyfunc(lambda v: v + 1, 1, 1),)
""",
)
must(
    "bound of a type variable",
    "type variables",
    "bound=int",
    "bound=str",
    """
    from typing import TypeVar

    T = TypeVar("T", bound=int)

    def step(x):
        return T.__bound__
""",
)
must(
    "class of an object that says that it is a global",
    "globals that say so",
    "return 1",
    "return 2",
    """
    class Missing:
        def __reduce__(self):
            return "MISSING"

        def value(self):
            return 1

    MISSING = Missing()

    def step(x):
        return MISSING.value()
""",
)
must(
    "boundary of a flag",
    "class contents",
    "STRICT",
    "KEEP",
    """
    import enum

    class Colour(enum.Flag, boundary=enum.STRICT):
        RED = 1

    def step(x):
        return Colour(x)
""",
)
must(
    "class registered with an abstract class",
    "registered classes",
    "register(int)",
    "register(str)",
    """
    import abc

    class Number(abc.ABC):
        pass

    Number.register(int)
    Number.register(float)

    def step(x):
        return isinstance(x, Number)
""",
)

# -- configuration objects ---------------------------------------------------------------------------------------------

CONFIGURATIONS = {
    "SimpleNamespace": "from types import SimpleNamespace; {name} = SimpleNamespace(beta=2, verbose=0)",
    "Namespace": "from argparse import Namespace; {name} = Namespace(beta=2, verbose=0)",
    "dataclass": "from conf import Made; {name} = Made(beta=2, verbose=0)",
    "dataclass with slots": "from conf import Slotted; {name} = Slotted(beta=2, verbose=0)",
}
CLASSES = """
    from dataclasses import dataclass

    @dataclass
    class Made:
        beta: int
        verbose: int

    @dataclass(slots=True)
    class Slotted:
        beta: int
        verbose: int
"""
for kind, made in CONFIGURATIONS.items():
    for how, setup, read in (
        ("", made.format(name="ARGS"), "ARGS.beta"),
        (" by getattr", made.format(name="ARGS"), "getattr(ARGS, 'beta')"),
        (" behind a module", "import tools", "tools.ARGS.beta"),
        (" imported inside", "pass", "(lambda: __import__('tools').ARGS.beta)()"),
        (
            " that is nested",
            made.format(name="IN") + "; from types import SimpleNamespace as N; ARGS = N(a=IN)",
            "ARGS.a.beta",
        ),
    ):
        script = f"""
    {setup}

    def step(x):
        return x * {read}
"""
        files = {"conf": CLASSES, "tools": made.format(name="ARGS") + "\n"}
        must(f"field of a {kind}{how} that is read", "globals+imports", "beta=2", "beta=3", script, **files)
        must_not(f"field of a {kind}{how} that is not read", "verbose=0", "verbose=1", script, **files)
must(
    "field of a SimpleNamespace that a computed name may read",
    "globals",
    "verbose=0",
    "verbose=1",
    """
    from types import SimpleNamespace

    ARGS = SimpleNamespace(beta=2, verbose=0)

    def step(x):
        return ARGS.beta + getattr(ARGS, "verb" + x)
""",
)

# -- what tells too much -----------------------------------------------------------------------------------------------

must_not(
    "global random states, which differ in every process",
    "import random  #",
    "import random; random.random(); np.random.random()  #",
    """
    import numpy as np
    from random import gauss
    from numpy.random import normal
    import random  # shared by all

    SHARED = np.random.mtrand._rand

    def step(x):
        return gauss(0, 1), normal(), SHARED.normal()
""",
)
must_not(
    "docstring of a class inside a body",
    "one",
    "two",
    '''
    def step(x):
        class Inner:
            """one"""

            k = 1

        return Inner().k
''',
)
must_not(
    "docstring of a class inside a body removed",
    '        """one"""\n',
    "",
    '''
    def step(x):
        class Inner:
            """one"""

            k = 1

        return Inner().k
''',
)
must(
    "docstring of a class inside a body that is read",
    "asked of any",
    "one",
    "two",
    '''
    def step(x):
        class Inner:
            """one"""

        return Inner.__doc__
''',
)
