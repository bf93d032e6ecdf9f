"""Edits of what the body of a step leads to: globals, helpers, modules, classes, wrappers."""

from tests.hashing._edits import must

# -- globals, closures, defaults ---------------------------------------------------------------------------------------

must(
    "global number",
    "globals",
    "RATE = 2",
    "RATE = 3",
    """
    RATE = 2

    def step(x):
        return x * RATE
""",
)
must(
    "global of other type",
    "globals",
    "RATE = 1",
    "RATE = True",
    """
    RATE = 1

    def step(x):
        return [x, RATE]
""",
)
must(
    "global nested dict",
    "globals",
    "'b': 1",
    "'b': 2",
    """
    CONFIG = {'a': [1, {'b': 1}]}

    def step(x):
        return x * CONFIG['a'][1]['b']
""",
)
must(
    "order of a global dict",
    "globals",
    "{'a': 1, 'b': 2}",
    "{'b': 2, 'a': 1}",
    """
    CONFIG = {'a': 1, 'b': 2}

    def step(x):
        return list(CONFIG)
""",
)
must(
    "global read in nested code",
    "globals",
    "RATE = 2",
    "RATE = 3",
    """
    RATE = 2

    def step(x):
        return [(lambda: y * RATE)() for y in range(x)]
""",
)
must(
    "two globals exchanged",
    "globals",
    "A, B = 1, 2",
    "A, B = 2, 1",
    """
    A, B = 1, 2

    def step(x):
        return x * A + B
""",
)
must(
    "global that shadows a builtin",
    "globals",
    "\n\n\ndef step",
    "\n\n\ndef len(x):\n    return 7\n\n\ndef step",
    """
    import math


    def step(x):
        return len(x)
""",
)
must(
    "closure value",
    "closures",
    "make(2)",
    "make(3)",
    """
    def make(rate):
        def step(x):
            return x * rate
        return step

    step = make(2)
""",
)
must(
    "closure function",
    "closures",
    "z + 1",
    "z + 2",
    """
    def make(rate):
        def step(x):
            return rate(x)
        return step

    step = make(lambda z: z + 1)
""",
)
must(
    "helper",
    "globals",
    "y + 1",
    "y + 2",
    """
    def helper(y):
        return y + 1

    def step(x):
        return helper(x)
""",
)
must(
    "helper replaced by another of the same name",
    "globals",
    "helper = first",
    "helper = second",
    """
    def first(y):
        return y + 1

    def second(y):
        return y - 1

    helper = first

    def step(x):
        return helper(x)
""",
)
must(
    "helper's default",
    "defaults",
    "by=1",
    "by=2",
    """
    def helper(y, by=1):
        return y + by

    def step(x):
        return helper(x)
""",
)
must(
    "helper's keyword-only default",
    "defaults",
    "by=1",
    "by=2",
    """
    def helper(y, *, by=1):
        return y + by

    def step(x):
        return helper(x)
""",
)
must(
    "helper's default is a helper",
    "defaults",
    "z + 1",
    "z + 2",
    """
    def inner(z):
        return z + 1

    def helper(y, by=inner):
        return by(y)

    def step(x):
        return helper(x)
""",
)
must(
    "helper of a helper",
    "globals",
    "z + 1",
    "z + 2",
    """
    def inner(z):
        return z + 1

    def helper(y):
        return inner(y) * 2

    def step(x):
        return helper(x)
""",
)
must(
    "mutual recursion",
    "globals",
    "n - 1",
    "n - 2",
    """
    def even(n):
        return True if n <= 0 else odd(n - 1)

    def odd(n):
        return False if n <= 0 else even(n)

    def step(x):
        return even(x)
""",
)
must(
    "recursion through a helper",
    "globals",
    "n - 1",
    "n - 2",
    """
    def helper(n):
        return step(n - 1)

    def step(x):
        return x if x < 0 else helper(x)
""",
)
must(
    "global that appears",
    "globals",
    "# here",
    "EXTRA = 1",
    """
    # here

    def step(x):
        try:
            return x + EXTRA
        except NameError:
            return x
""",
)
must(
    "attribute of a function",
    "function attributes",
    "helper.rate = 1",
    "helper.rate = 2",
    """
    def helper(y):
        return y * helper.rate

    helper.rate = 1

    def step(x):
        return helper(x)
""",
)

# -- modules -----------------------------------------------------------------------------------------------------------

HELPER = """
    RATE = 1
    TABLE = {"a": [1]}

    def helper(y, by=1):
        return y * RATE + by

    def other(y):
        return y
"""
must(
    "from module import helper",
    "globals",
    "y * RATE",
    "y / RATE",
    """
    from tools import helper

    def step(x):
        return helper(x)
""",
    tools=HELPER,
)
must(
    "global of another module",
    "globals",
    "RATE = 1",
    "RATE = 2",
    """
    from tools import helper

    def step(x):
        return helper(x)
""",
    tools=HELPER,
)
must(
    "module.helper",
    "modules",
    "y * RATE",
    "y / RATE",
    """
    import tools

    def step(x):
        return tools.helper(x)
""",
    tools=HELPER,
)
must(
    "module.constant",
    "modules",
    "RATE = 1",
    "RATE = 2",
    """
    import tools

    def step(x):
        return x * tools.RATE
""",
    tools=HELPER,
)
must(
    "module as other name",
    "modules",
    "y * RATE",
    "y / RATE",
    """
    import tools as t

    def step(x):
        return [t.helper(y) for y in range(x)]
""",
    tools=HELPER,
)
must(
    "package.module.helper",
    "modules",
    "y * RATE",
    "y / RATE",
    """
    import package.inner.tools

    def step(x):
        return package.inner.tools.helper(x)
""",
    package__slash____init__="",
    package__slash__inner__slash____init__="",
    package__slash__inner__slash__tools=HELPER,
)
must(
    "name re-exported by a package",
    "globals",
    "y * RATE",
    "y / RATE",
    """
    from package import helper

    def step(x):
        return helper(x)
""",
    package__slash____init__="from package.tools import *",
    package__slash__tools=HELPER,
)
must(
    "relative import in a package",
    "globals",
    "y * RATE",
    "y / RATE",
    """
    from package.face import face

    def step(x):
        return face(x)
""",
    package__slash____init__="",
    package__slash__tools=HELPER,
    package__slash__face="""
    from .tools import helper

    def face(x):
        return helper(x)
""",
)
must(
    "import inside the body",
    "imports",
    "y * RATE",
    "y / RATE",
    """
    def step(x):
        import tools
        return tools.helper(x)
""",
    tools=HELPER,
)
must(
    "from import inside the body",
    "imports",
    "y * RATE",
    "y / RATE",
    """
    def step(x):
        from tools import helper
        return helper(x)
""",
    tools=HELPER,
)
must(
    "import as inside the body",
    "imports",
    "y * RATE",
    "y / RATE",
    """
    def step(x):
        import package.tools as t
        return [t.helper(y) for y in range(x)]
""",
    package__slash____init__="",
    package__slash__tools=HELPER,
)
must(
    "module imported from a package inside the body",
    "imports",
    "y * RATE",
    "y / RATE",
    """
    def step(x):
        from package import tools
        return tools.helper(x)
""",
    package__slash____init__="",
    package__slash__tools=HELPER,
)
must(
    "relative import inside a body",
    "imports",
    "y * RATE",
    "y / RATE",
    """
    from package.face import face

    def step(x):
        return face(x)
""",
    package__slash____init__="",
    package__slash__tools=HELPER,
    package__slash__face="""
    def face(x):
        from .tools import helper
        return helper(x)
""",
)
must(
    "import inside a helper inside a class",
    "imports",
    "y * RATE",
    "y / RATE",
    """
    class Model:
        def run(self, x):
            from tools import helper
            return helper(x)

    def step(x):
        return Model().run(x)
""",
    tools=HELPER,
)
must(
    "constant getattr of a module",
    "modules",
    "y * RATE",
    "y / RATE",
    """
    import tools

    def step(x):
        return getattr(tools, "helper")(x)
""",
    tools=HELPER,
)
must(
    "computed getattr of a module",
    "whole modules",
    "return y\n",
    "return y + 1\n",
    """
    import tools

    def step(x):
        return getattr(tools, "oth" + x)(1)
""",
    tools=HELPER,
)
must(
    "module passed on",
    "whole modules",
    "y * RATE",
    "y / RATE",
    """
    import tools

    def run(module, x):
        return module.helper(x)

    def step(x):
        return run(tools, x)
""",
    tools=HELPER,
)
must(
    "module with __getattr__",
    "modules",
    "y + 1",
    "y + 2",
    """
    import lazy

    def step(x):
        return lazy.helper(x)
""",
    lazy="""
    def __getattr__(name):
        if name == "helper":
            return lambda y: y + 1
        raise AttributeError(name)
""",
)
must(
    "the user's function put into a library",
    "modules",
    "y + 1",
    "y + 2",
    """
    import statistics

    def mine(y):
        return y + 1

    statistics.mean = mine

    def step(x):
        return statistics.mean(x)
""",
)
must(
    "setting of a library",
    "modules",
    "json.FLAG = True",
    "json.FLAG = False",
    """
    import json
    json.FLAG = True

    def step(x):
        return x if json.FLAG else 0
""",
)
must(
    "command line",
    "modules",
    "['script.py', '1']",
    "['script.py', '2']",
    """
    import sys
    sys.argv = ['script.py', '1']

    def step(x):
        return x + int(sys.argv[1])
""",
)

# -- tables, wrappers, callables ---------------------------------------------------------------------------------------

TWO = """
    def one(y):
        return y + 1

    def two(y):
        return y * 2
"""
must(
    "dispatch table: function",
    "globals",
    "y * 2",
    "y * 3",
    TWO
    + """
    TABLE = {"one": one, "two": two}

    def step(x):
        return TABLE["two"](x)
""",
)
must(
    "dispatch table: entries exchanged",
    "globals",
    '{"one": one, "two": two}',
    '{"one": two, "two": one}',
    TWO
    + """
    TABLE = {"one": one, "two": two}

    def step(x):
        return TABLE["two"](x)
""",
)
must(
    "list of functions",
    "globals",
    "y * 2",
    "y * 3",
    TWO
    + """
    STAGES = [one, two]

    def step(x):
        for stage in STAGES:
            x = stage(x)
        return x
""",
)
must(
    "functions registered by a decorator",
    "globals",
    "y * 2",
    "y * 3",
    """
    TABLE = {}

    def register(function):
        TABLE[function.__name__] = function
        return function

    @register
    def two(y):
        return y * 2

    def step(x):
        return TABLE["two"](x)
""",
)
must(
    "annotation that a registry sees",
    "annotations+asked of any",
    "y: int",
    "y: float",
    """
    TABLE = []

    def register(function):
        TABLE.append(function)
        return function

    @register
    def two(y: int):
        return y

    def step(x):
        return [f for f in TABLE if f.__annotations__["y"] is type(x)]
""",
)
must(
    "global lambda",
    "globals",
    "y + 1",
    "y + 2",
    """
    helper = lambda y: y + 1

    def step(x):
        return helper(x)
""",
)
must(
    "argument of a partial",
    "partials",
    "one, 1",
    "one, 2",
    """
    from functools import partial

    def one(y, z):
        return y + z

    helper = partial(one, 1)

    def step(x):
        return helper(x)
""",
)
must(
    "function of a partial",
    "globals",
    "y + z",
    "y - z",
    """
    from functools import partial

    def one(y, z):
        return y + z

    helper = partial(one, 1)

    def step(x):
        return helper(x)
""",
)
must(
    "partial as the step",
    "partials",
    "z=1",
    "z=2",
    """
    from functools import partial

    def one(y, z):
        return y + z

    step = partial(one, z=1)
""",
)
must(
    "cached helper",
    "wrappers",
    "y + 1",
    "y + 2",
    """
    from functools import lru_cache

    @lru_cache(maxsize=None)
    def helper(y):
        return y + 1

    def step(x):
        return helper(x)
""",
)
WRAPS = """
    from functools import wraps

    def twice(factor):
        def decorate(function):
            @wraps(function)
            def wrapper(*args):
                return function(*args) * factor + 0
            return wrapper
        return decorate

    @twice(2)
    @twice(3)
    def helper(y):
        return y + 1

    def step(x):
        return helper(x)
"""
must("wrapped function", "closures+function attributes", "y + 1", "y + 2", WRAPS)
must("wrapper", "globals", "factor + 0", "factor + 1", WRAPS)
must("argument of a decorator", "closures", "@twice(2)", "@twice(4)", WRAPS)
must(
    "step under a decorator of the user's",
    "closures+function attributes",
    "y + 1",
    "y + 2",
    """
    from functools import wraps

    def logged(function):
        @wraps(function)
        def wrapper(*args):
            return function(*args)
        return wrapper

    @logged
    def step(y):
        return y + 1
""",
)
must(
    "context manager made by a library's decorator",
    "library closures",
    "yield 1",
    "yield 2",
    """
    from contextlib import contextmanager

    @contextmanager
    def helper():
        yield 1

    def step(x):
        with helper() as y:
            return x + y
""",
)
must(
    "single dispatch",
    "library closures",
    "return 'int'",
    "return 'integer'",
    """
    from functools import singledispatch

    @singledispatch
    def helper(y):
        return 'any'

    @helper.register(int)
    def _(y):
        return 'int'

    def step(x):
        return helper(x)
""",
)
must(
    "vectorized by NumPy",
    "globals",
    "y + 1",
    "y + 2",
    """
    import numpy as np

    @np.vectorize
    def helper(y):
        return y + 1

    def step(x):
        return helper(x)
""",
)
must(
    "library function that is given a helper",
    "globals",
    "y + 1",
    "y + 2",
    """
    def helper(y):
        return y + 1

    def step(x):
        return list(map(helper, [x]))
""",
)
must(
    "decorated step as a helper",
    "decorated steps",
    "y + 1",
    "y + 2",
    """
    class Made:
        def __init__(self, function):
            self.__ezpyp_function__ = function
            self.calls = 0
        def __call__(self, x):
            self.calls += 1
            return self.__ezpyp_function__(x)

    @Made
    def helper(y):
        return y + 1

    def step(x):
        return helper(x)
""",
)

# -- classes -----------------------------------------------------------------------------------------------------------

CLASS = """
    from functools import cached_property

    class Meta(type):
        def factor(cls):
            return 1

    class Base(metaclass=Meta):
        def offset(self):
            return 2

    class Model(Base):
        rate = 3

        def __init__(self, y):
            self.y = y + 4

        def run(self):
            return self.y * self.rate + self.offset() + self.extra + self.shared() + self.own() + self.lazy

        @property
        def extra(self):
            return 5

        @staticmethod
        def shared():
            return 6

        @classmethod
        def own(cls):
            return 7 * cls.factor()

        @cached_property
        def lazy(self):
            return 8

        def __add__(self, other):
            return 9

    def step(x):
        return Model(x).run() + (Model(x) + 1)
"""
must("method of a metaclass", "class bases", "return 1", "return 11", CLASS)
must("method of a base class", "class bases", "return 2", "return 12", CLASS)
must("class attribute", "class contents", "rate = 3", "rate = 13", CLASS)
must("constructor", "class contents", "y + 4", "y + 14", CLASS)
must("property", "descriptors", "return 5", "return 15", CLASS)
must("static method", "descriptors", "return 6", "return 16", CLASS)
must("class method", "descriptors", "return 7", "return 17", CLASS)
must("cached property", "descriptors", "return 8", "return 18", CLASS)
must("operator method", "class contents", "return 9", "return 19", CLASS)
must("base class exchanged", "class bases", "class Model(Base)", "class Model(Base, dict)", CLASS)
must(
    "method becomes property",
    "descriptors",
    "@staticmethod\n    def shared():",
    "@classmethod\n    def shared(cls=0):",
    CLASS,
)
must(
    "name of a class",
    "class names+asked of one",
    "Model",
    "Machine",
    """
    class Model:
        pass

    def step(x):
        return Model.__name__
""",
)
must(
    "dataclass default",
    "class contents",
    "rate: int = 1",
    "rate: int = 2",
    """
    from dataclasses import dataclass

    @dataclass
    class Point:
        rate: int = 1

    def step(x):
        return Point().rate * x
""",
)
must(
    "dataclass default factory",
    "class contents",
    "return [1]",
    "return [2]",
    """
    from dataclasses import dataclass, field

    def make():
        return [1]

    @dataclass
    class Point:
        rate: list = field(default_factory=make)

    def step(x):
        return Point().rate * x
""",
)
must(
    "order of dataclass fields",
    "class contents",
    "a: int\n    b: int",
    "b: int\n    a: int",
    """
    from dataclasses import dataclass

    @dataclass
    class Point:
        a: int
        b: int

    def step(x):
        return Point(1, 2)
""",
)
must(
    "annotation of a class",
    "class contents",
    "a: int",
    "a: float",
    """
    class Point:
        a: int

    def step(x):
        return Point.__annotations__
""",
)
must(
    "enum value",
    "enums",
    "RED = 1",
    "RED = 3",
    """
    from enum import Enum

    class Colour(Enum):
        RED = 1
        BLUE = 2

    def step(x):
        return Colour.RED.value
""",
)
must(
    "enum order",
    "enums",
    "RED = 1\n    BLUE = 2",
    "BLUE = 2\n    RED = 1",
    """
    from enum import Enum

    class Colour(Enum):
        RED = 1
        BLUE = 2

    def step(x):
        return list(Colour)
""",
)
must(
    "enum method",
    "class contents",
    "return 1",
    "return 2",
    """
    from enum import IntEnum

    class Colour(IntEnum):
        RED = 1

        def weight(self):
            return 1

    def step(x):
        return Colour.RED.weight()
""".replace("RED = 1", "RED = 5"),
)
must(
    "named tuple fields",
    "class contents",
    '"a b"',
    '"b a"',
    """
    from collections import namedtuple

    Point = namedtuple("Point", "a b")

    def step(x):
        return Point(1, 2).a
""",
)
must(
    "subclass hook",
    "class bases+class contents",
    "cls.rate = 1",
    "cls.rate = 2",
    """
    class Base:
        def __init_subclass__(cls):
            cls.rate = 1

    class Model(Base):
        pass

    def step(x):
        return Model.rate
""",
)
must(
    "descriptor of the user's",
    "class contents",
    "return 1",
    "return 2",
    """
    class Field:
        def __get__(self, obj, kind=None):
            return 1

    class Model:
        field = Field()

    def step(x):
        return Model().field
""",
)
must(
    "attribute of a global instance",
    "instances",
    "Model(1)",
    "Model(2)",
    """
    class Model:
        def __init__(self, rate):
            self.rate = rate

        def run(self, x):
            return x * self.rate

    MODEL = Model(1)

    def step(x):
        return MODEL.run(x)
""",
)
must(
    "slot of a global instance",
    "instances",
    "Model(1)",
    "Model(2)",
    """
    class Model:
        __slots__ = ("rate",)

        def __init__(self, rate):
            self.rate = rate

    MODEL = Model(1)

    def step(x):
        return x * MODEL.rate
""",
)
must(
    "bound method as a helper",
    "instances",
    "Model(1)",
    "Model(2)",
    """
    class Model:
        def __init__(self, rate):
            self.rate = rate

        def run(self, x):
            return x * self.rate

    run = Model(1).run

    def step(x):
        return run(x)
""",
)
must(
    "callable instance as the step",
    "instances",
    "Model(1)",
    "Model(2)",
    """
    class Model:
        def __init__(self, rate):
            self.rate = rate

        def __call__(self, x):
            return x * self.rate

    step = Model(1)
""",
)
must(
    "code of a callable instance",
    "class contents",
    "x * self",
    "x / self",
    """
    class Model:
        def __init__(self, rate):
            self.rate = rate

        def __call__(self, x):
            return x * self.rate

    step = Model(1)
""",
)
must(
    "method as the step",
    "globals",
    "RATE = 3",
    "RATE = 4",
    """
    RATE = 3

    class Model:
        def run(self, x):
            return x + RATE

    step = Model().run
""",
)
must(
    "super method",
    "class bases",
    "return 1",
    "return 2",
    """
    class Base:
        def run(self):
            return 1

    class Model(Base):
        def run(self):
            return super().run() + 5

    def step(x):
        return Model().run()
""",
)
must(
    "attribute of a configuration that is read",
    "globals",
    "beta=1",
    "beta=2",
    """
    from argparse import Namespace
    conf = Namespace(beta=1, verbose=False)

    def step(x):
        return x * conf.beta
""",
)
must(
    "configuration passed on whole",
    "globals",
    "verbose=False",
    "verbose=True",
    """
    from types import SimpleNamespace
    conf = SimpleNamespace(beta=1, verbose=False)

    def helper(config):
        return config.verbose

    def step(x):
        return helper(conf)
""",
)
must(
    "configuration with a property",
    "class contents",
    "self.a * 2",
    "self.a * 3",
    """
    from dataclasses import dataclass

    @dataclass
    class Config:
        a: int = 1

        @property
        def beta(self):
            return self.a * 2

    CONFIG = Config()

    def step(x):
        return x * CONFIG.beta
""",
)
must(
    "global array",
    "globals",
    "np.arange(3)",
    "np.arange(3) + 1",
    """
    import numpy as np
    TABLE = np.arange(3)

    def step(x):
        return x * TABLE
""",
)
must(
    "helper stored in an instance beside a lock",
    "globals",
    "y + 1",
    "y + 2",
    """
    import threading

    def helper(y):
        return y + 1

    class Service:
        def __init__(self):
            self.lock = threading.Lock()
            self.helper = helper

    SERVICE = Service()

    def step(x):
        return SERVICE.helper(x)
""",
)
must(
    "class attribute set from outside",
    "class contents",
    "Model.rate = 1",
    "Model.rate = 2",
    """
    class Model:
        pass

    Model.rate = 1

    def step(x):
        return Model.rate
""",
)
must(
    "decorators exchanged",
    "code",
    "@first\n@second",
    "@second\n@first",
    """
    from functools import wraps

    def first(function):
        @wraps(function)
        def wrapper(y):
            return function(y) + 1
        return wrapper

    def second(function):
        @wraps(function)
        def wrapper(y):
            return function(y) * 2
        return wrapper

    @first
    @second
    def helper(y):
        return y

    def step(x):
        return helper(x)
""",
)
