"""Changes of arguments that must run a step again."""

from tests.hashing._edits import must

VALUE = """
    {setup}

    def step(*values):
        return values

    args = ({value},)
"""


def value(name, old, new, setup="pass", rule="values"):
    """An argument written as ``old``, or as ``new``."""
    must(name, rule, f"args = ({old},)", f"args = ({new},)", VALUE.format(setup=setup, value=old))


value("1 and True", "1", "True")
value("1 and 1.0", "1", "1.0")
value("minus zero", "0.0", "-0.0")
value("text and bytes", "'a'", "b'a'")
value("list and tuple", "[1, 2]", "(1, 2)")
value("nesting", "[[1], 2]", "[[1, 2]]")
value("split of texts", "['ab', 'c']", "['a', 'bc']")
value("text and list of texts", "'ab'", "['a', 'b']")
value("None and text", "None", "'None'")
value("order of a dict", "{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}")
value("key of a dict", "{'a': 1}", "{'b': 1}")
value("member of a set", "{1, 2}", "{1, 3}")
value("set and frozenset", "{1, 2}", "frozenset({1, 2})")
value("shared list", "(lambda x: [x, x])([1])", "[[1], [1]]")
value("cycle", "cycle(1)", "cycle(2)", setup="def cycle(n):\n        a = [n]\n        a.append(a)\n        return a")
value("Decimal exponent", "D('1.0')", "D('1.00')", setup="from decimal import Decimal as D")
value(
    "time zone",
    "d(2020, 1, 1, tzinfo=Z('Europe/Berlin'))",
    "d(2020, 1, 1, tzinfo=Z('Europe/Paris'))",
    setup="from datetime import datetime as d; from zoneinfo import ZoneInfo as Z",
)
value("fold of a time", "d(2020, 1, 1, fold=0)", "d(2020, 1, 1, fold=1)", setup="from datetime import datetime as d")
value("kind of path", "P('a')", "Q('a')", setup="from pathlib import Path as P, PurePosixPath as Q")
value("flags of a pattern", "re.compile('a')", "re.compile('a', re.I)", setup="import re")
value("seed of a generator", "random.Random(1)", "random.Random(2)", setup="import random")
value(
    "attribute of an instance", "C(1)", "C(2)", setup="class C:\n        def __init__(self, a):\n            self.a = a"
)
value("default factory", "D(int)", "D(float)", setup="from collections import defaultdict as D")
value("Counter and dict", "C('a')", "dict(C('a'))", setup="from collections import Counter as C")
value("length of a deque", "D([1], 2)", "D([1], 3)", setup="from collections import deque as D")
value("function", "(lambda x: x + 1)", "(lambda x: x + 2)")
value("argument of a partial in an argument", "p(max, 1)", "p(max, 2)", setup="from functools import partial as p")
value("library function", "math.sin", "math.cos", setup="import math")
value("type code", "a('i', [1])", "a('l', [1])", setup="from array import array as a")
value("bytearray", "bytearray(b'a')", "bytearray(b'b')")
value("named tuple and tuple", "N(1)", "(1,)", setup="from collections import namedtuple; N = namedtuple('N', 'a')")
value("string subclass", "S('a')", "'a'", setup="class S(str): pass")
must(
    "class of an argument",
    "class contents",
    "return 1",
    "return 2",
    """
    class Model:
        def run(self):
            return 1

    def step(model):
        return model.run()

    args = (Model(),)
""",
)
must(
    "content of a File",
    "values",
    "'old'",
    "'new'",
    """
    from ezpyp.hashing.files import File
    from pathlib import Path

    data = Path(__file__).with_name("data.txt")
    data.write_text('old')

    def step(file):
        return open(file).read()

    args = (File(data),)
""",
)

NP = "import numpy as np"
value("dtype", "np.zeros(3)", "np.zeros(3, 'f4')", NP)
value("byte order", "np.ones(3)", "np.ones(3, '>f8')", NP)
value("shape", "np.zeros((2, 3))", "np.zeros((3, 2))", NP)
value("empty shapes", "np.zeros((0, 3))", "np.zeros((3, 0))", NP)
value("Fortran order", "np.eye(3, 2)", "np.asfortranarray(np.eye(3, 2))", NP)
value("one element", "np.arange(9)", "np.arange(9) - (np.arange(9) == 8)", NP)
value("0-d array and scalar", "np.array(1.0)", "np.float64(1.0)", NP)
value("NumPy scalar and float", "np.float64(1.0)", "1.0", NP)
value("object array", "np.array([1, 'a'], object)", "np.array([1, 'b'], object)", NP)
value("structured array", "np.array([(1, 2.0)], 'i4,f8')", "np.array([(1, 3.0)], 'i4,f8')", NP)
value("field names", "np.zeros(1, [('a', 'f8')])", "np.zeros(1, [('b', 'f8')])", NP)
value("unit of times", "np.array(['2020'], 'M8[Y]')", "np.array(['2020'], 'M8[D]')", NP)
value("mask", "np.ma.array([1, 2], mask=[0, 1])", "np.ma.array([1, 2], mask=[1, 0])", NP)
value("matrix", "np.eye(2)", "np.asmatrix(np.eye(2))", NP)
value("state of a NumPy generator", "np.random.default_rng(1)", "np.random.default_rng(2)", NP)
value("strided view", "np.arange(9)[::2]", "np.arange(9)[::3]", NP)
