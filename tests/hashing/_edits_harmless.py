"""Edits after which nothing may run again."""

from tests.hashing._edits import must_not, must_not_files

SCRIPT = '''
    """What this script does."""
    import functools
    import math
    import numpy as np

    RATE = 0.5
    UNUSED = 1


    def helper(values, by=2):
        """Scale."""
        # the plain way
        total = 0
        for value in values:
            total += value * RATE
        if total > 10 and by > 1 or total < -10:
            total = total / by
        return [total + value for value in values]


    class Model:
        """A model."""

        def fit(self, values):
            self.mean = sum(values) / 10
            return self

        def predict(self, x):
            """Predict."""
            return self.mean * x


    @functools.lru_cache
    def cached(x):
        return math.sqrt(x)


    def unused():
        return UNUSED


    def step(x, y=1):
        """Do it."""
        first = helper([x, y])
        try:
            model = Model().fit(first)
        except (ValueError, TypeError):
            return None
        kinds = {"a", "b", "c"}
        def inner(z):
            sum_ = z * first[0]
            return sum_ + x
        return model.predict(x), np.sum(first), cached(4), "a" in kinds, inner(2), x in {1, 2, 300, "x"}


    args = (3, [1, 2], {"b": 1})
'''


def edit(name, old, new):
    """An edit of the script above."""
    must_not(name, old, new, SCRIPT)


edit("comment in a body", "# the plain way", "# the plain and slow way")
edit("comment above the step", "def step", "# the step\ndef step")
edit("comment at the end of a line", "total = 0", "total = 0  # start")
edit("blank lines", "def helper", "\n\n\ndef helper")
edit("docstring of the step", '"""Do it."""', '"""Do it well."""')
edit("docstring removed", '    """Do it."""\n', "")
edit("docstring added", "def fit(self, values):\n", 'def fit(self, values):\n        """Fit."""\n')
edit("docstring of a helper", '"""Scale."""', '"""Scale it."""')
edit("docstring of a class", '"""A model."""', '"""The model."""')
edit("docstring of the script", "What this script does", "What that script does")
edit("local variable renamed", "total", "result")
edit("captured local variable renamed", "first", "zfirst")
edit("variable of a nested function renamed", "sum_", "product")
edit("annotations of the step", "def step(x, y=1):", "def step(x: float, y: int = 1) -> tuple:")
edit("annotations of a helper", "def helper(values, by=2):", "def helper(values: list, by: int = 2) -> list:")
edit("annotation of a local variable", "total = 0", "total: float = 0")
edit("annotations of a method", "def predict(self, x):", "def predict(self, x: int) -> int:")
edit("lazy annotations", "import functools\n", "from __future__ import annotations\nimport functools\n")
edit(
    "condition over several lines",
    "if total > 10 and by > 1 or total < -10:",
    "if (\n            total > 10\n            and by > 1\n            or total < -10\n    ):",
)
edit(
    "call over several lines", "helper([x, y])", "helper(\n        [\n            x,\n            y,\n        ]\n    )"
)
edit(
    "result over several lines",
    "return [total + value for value in values]",
    "return [\n        total + value\n        for value in values\n    ]",
)
edit("parentheses", "total / by", "(total / by)")
edit("number written otherwise", "300", "0x12C")
edit("number with underscores", "/ 10", "/ 1_0")
edit("folded constant", "/ 10", "/ (5 * 2)")
edit("quotes", '"a"', "'a'")
edit("order of a constant set", '{1, 2, 300, "x"}', '{300, 1, "x", 2}')
edit("order of a set", '{"a", "b", "c"}', '{"b", "c", "a"}')
edit("global that is not read", "UNUSED = 1", "UNUSED = 2")
edit("function that is not called", "return UNUSED", "return UNUSED + 1")
edit("function added", "def unused", "def more():\n    return 1\n\n\ndef unused")
edit("import added", "import math", "import math\nimport json")
edit("imports reordered", "import functools\nimport math", "import math\nimport functools")
edit("import as other name", "np", "numpy_")
edit("step renamed", "def step", "def renamed")
edit("helper renamed", "helper", "assist")
edit("global renamed", "RATE", "SPEED")
edit("default of the step", "y=1", "y=2")
edit("print of the module", "args = ", "print(step)\nargs = ")
edit("cache of a helper in use", "args = ", "cached(9)\nargs = ")
edit("pass", "        return None", "        pass\n        return None")
must_not(
    "methods reordered",
    "@A",
    "@B",
    """
    class Model:
        pass

    def a(self):
        return 1

    def b(self):
        return 2

    for name in "ab" if "@A"[1] == "A" else "ba":
        setattr(Model, name, globals()[name])

    def step(x):
        return Model().a() + Model().b()
""",
)
must_not(
    "functions reordered",
    "def a():\n    return b()\n\n\ndef b():\n    return 1",
    "def b():\n    return 1\n\n\ndef a():\n    return b()",
    """
    def a():
        return b()


    def b():
        return 1


    def step(x):
        return a()
""",
)
must_not(
    "attribute of a configuration that is not read",
    "verbose=False",
    "verbose=True",
    """
    from argparse import Namespace
    args_ = Namespace(beta=1, verbose=False)

    def step(x):
        return x * args_.beta + helper()

    def helper():
        return args_.beta
""",
)
must_not(
    "field of a configuration that is not read",
    "verbose=False",
    "verbose=True",
    """
    from dataclasses import dataclass

    @dataclass
    class Config:
        beta: int
        verbose: bool

    CONFIG = Config(1, verbose=False)

    def step(x):
        return x * CONFIG.beta
""",
)
must_not(
    "level of a logger",
    "WARNING",
    "DEBUG",
    """
    import logging
    LOG = logging.getLogger("x")
    LOG.setLevel("WARNING")

    def step(x):
        LOG.info("%s", x)
        return x
""",
)
must_not(
    "environment",
    "HOME='a'",
    "HOME='b'",
    """
    import os
    os.environ.update(HOME='a')

    def step(x):
        return x, os.environ["HOME"], os.getenv("USER")
""",
)
must_not(
    "member of a module that is not read",
    "OTHER = 1",
    "OTHER = 2",
    """
    import tools

    def step(x):
        return tools.helper(x)
""",
    tools="""
    OTHER = 1

    def helper(x):
        return x
""",
)
must_not(
    "lock and open file",
    "'w'",
    "'a'",
    """
    import threading
    LOCK = threading.Lock()
    FILE = open("/dev/null", 'w')

    def step(x):
        with LOCK:
            FILE.write(x)
        return x
""",
)
must_not(
    "state of a thread pool",
    "# use",
    "POOL.submit(len, '').result()",
    """
    from concurrent.futures import ThreadPoolExecutor
    POOL = ThreadPoolExecutor(1)
    # use

    def step(x):
        return POOL.submit(len, x).result()
""",
)


def value(name, old, new, setup="pass"):
    """An argument written in two ways that are one value."""
    must_not(
        name,
        f"args = ({old},)",
        f"args = ({new},)",
        f"""
    {setup}

    def step(*values):
        return values

    args = ({old},)
""",
    )


NP = "import numpy as np"
value("equal copies", "(1, ('a', 2.0))", "tuple([1, tuple(['a', 2.0])])")
value("shared immutable parts", "(lambda t: [t, t])((1, 'x'))", "[(1, 'x'), tuple([1, 'x'])]")
value("order of set members", "{'a', 'b', 'c', (1, 'd')}", "{(1, 'd'), 'c', 'b', 'a'}")
value("sets of instances", "{F(1), F(2)}", "{F(2), F(1)}", setup="from fractions import Fraction as F")
value("text made in two ways", "'abc' * 3", "'abcabcabc'")
value("path made in two ways", "P('a', 'b')", "P('a/b')", setup="from pathlib import Path as P")
value("array and view", "np.arange(9)[2:5]", "np.array([2, 3, 4])", NP)
value("strided view and copy", "np.arange(9)[::2]", "np.arange(9)[::2].copy()", NP)
value("read-only array", "np.arange(3)", "(lambda a: a.setflags(write=False) or a)(np.arange(3))", NP)
value(
    "padding of a record",
    "np.zeros(2, T)",
    "pad()",
    setup="""import numpy as np
    T = np.dtype([('a', 'i1'), ('b', 'f8')], align=True)
    def pad():
        raw = np.full(2 * T.itemsize, 7, 'u1').view(T)
        raw['a'] = raw['b'] = 0
        return raw""",
)
value(
    "copied instance",
    "C(1)",
    "copy.deepcopy(C(1))",
    setup="""import copy
    class C:
        def __init__(self, a):
            self.a = a""",
)
value(
    "pickled value",
    "V",
    "pickle.loads(pickle.dumps(V))",
    setup="""import collections, datetime, decimal, pickle
    V = [decimal.Decimal('1.5'), datetime.date(2020, 1, 2), collections.OrderedDict(a={1, 2}), 1j, b'x', range(3)]""",
)
must_not_files(
    "script renamed and moved",
    {"script.py": "def step(x):\n    return x + 1\n"},
    {"deeper/other.py": "def step(x):\n    return x + 1\n"},
)
must_not_files(
    "helper moved to another module",
    {"script.py": "def helper(x):\n    return x + 1\n\n\ndef step(x):\n    return helper(x)\n"},
    {
        "script.py": "from tools import helper\n\n\ndef step(x):\n    return helper(x)\n",
        "tools.py": "def helper(x):\n    return x + 1\n",
    },
)
