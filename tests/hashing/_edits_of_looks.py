"""Edits of what code asks of functions and classes beside what they do, and of code that is reached by other roads."""

from tests.hashing._edits import must, must_not

# -- names -------------------------------------------------------------------------------------------------------------

must(
    "name of a helper that is read",
    "asked of one",
    "work",
    "toil",
    """
    def work(x):
        return x

    def step(x):
        return work.__name__
""",
)
must(
    "name of a function of a table that is read",
    "asked of any",
    "work",
    "toil",
    """
    def work(x):
        return x

    METHODS = [work]

    def step(x):
        return {method.__name__: method(x) for method in METHODS}
""",
)
must(
    "name of a function that a helper reads",
    "asked of any",
    "work",
    "toil",
    """
    def label(function):
        return getattr(function, "__name__", "?")

    def work():
        pass

    def step(x):
        return label(work)
""",
)
must(
    "name of a nested function that is read",
    "asked of any",
    "inner",
    "outer",
    """
    def step(x):
        def inner():
            pass

        return inner.__name__
""",
)
must(
    "module of a class that is read",
    "asked of one",
    "tools",
    "utils",
    """
    import sys, types

    Model = type("Model", (), {"__module__": "tools"})

    def step(x):
        return Model.__module__
""",
)
must(
    "own name that is read through a module",
    "asked of any",
    "work",
    "toil",
    """
    import tools

    def step(x):
        return [f.__qualname__ for f in tools.TABLE]
""",
    tools="def work():\n    pass\n\nTABLE = (work,)\n",
)
must_not(
    "name of a helper beside the name of a class",
    "helper",
    "other",
    """
    class Model:
        def __repr__(self):
            return type(self).__name__ + self.__class__.__name__

    def helper(x):
        return x

    def step(x):
        return helper(repr(Model()))
""",
)
must_not(
    "name of a helper while another's is read",
    "helper",
    "other",
    """
    def work(x):
        return x

    def helper(x):
        return x

    def step(x):
        return work.__name__, helper(x)
""",
)

# -- docstrings, annotations, lines, source ----------------------------------------------------------------------------

must(
    "docstring of a function of a table that is read",
    "asked of any",
    "one",
    "two",
    """
    def work(x):
        "one"

    TABLE = {1: work}

    def step(x):
        return TABLE[x].__doc__
""",
)
must(
    "docstring that a library reads",
    "asked of any",
    "one",
    "two",
    """
    import inspect

    def work(x):
        "one"

    def step(x):
        return inspect.getdoc(work)
""",
)
must(
    "annotation of a helper that is read",
    "asked of one",
    "y: int",
    "y: str",
    """
    def work(y: int):
        pass

    def step(x):
        return work.__annotations__
""",
)
must(
    "annotation that a library reads",
    "asked of any",
    "y: int",
    "y: str",
    """
    from typing import get_type_hints as hints

    def work(y: int):
        pass

    def step(x):
        return hints(work)
""",
)
must(
    "annotation in a signature",
    "asked of any",
    "y: int",
    "y: str",
    """
    def work(y: int):
        pass

    def step(x):
        import inspect
        return str(inspect.signature(work))
""",
)
must(
    "name of *args in a signature",
    "asked of any",
    "rest",
    "others",
    """
    from inspect import signature

    def work(*rest):
        pass

    def step(x):
        return str(signature(work))
""",
)
must(
    "local name in code that is read",
    "asked of one",
    "total",
    "summed",
    """
    def work(y):
        total = y
        return total

    def step(x):
        return work.__code__.co_varnames
""",
)
must(
    "line of a function that is read",
    "asked of one",
    "\n\ndef work",
    "\n\n\n\ndef work",
    """
    A = 1

    def work(y):
        return y

    def step(x):
        return work.__code__.co_firstlineno
""",
)
must(
    "comment in source that is read",
    "asked of any",
    "# one",
    "# two",
    """
    import inspect

    def work(y):
        return y  # one

    def step(x):
        return inspect.getsource(work)
""",
)
must_not(
    "annotation of a function that is handed on",
    "y: int",
    "y: float",
    """
    def work(y: int):
        return y

    def step(x):
        return list(map(work, x))
""",
)

# -- modules that are imported by a constant name ----------------------------------------------------------------------

for title, body in {
    "import_module": "import importlib; return importlib.import_module('lab.core').work(x)",
    "import_module under its own name": "from importlib import import_module; return import_module('lab.core').work(x)",
    "import_module into a variable": "import importlib; c = importlib.import_module('lab.core'); return c.work(x)",
    "__import__": "return __import__('lab.core').core.work(x)",
    "sys.modules": "import sys; return sys.modules['lab.core'].work(x)",
    "import_module of a package": "import importlib; return importlib.import_module('lab').core.work(x)",
}.items():
    must(
        f"module reached by {title}",
        "imports",
        "y + 1",
        "y + 2",
        f"""
    import lab.core

    def step(x):
        {body}
""",
        lab__slash____init__="",
        lab__slash__core="def work(y):\n    return y + 1\n\n\ndef other(y):\n    return y - 1\n",
    )
    must_not(
        f"unread function of a module reached by {title}",
        "y - 1",
        "y - 2",
        f"""
    import lab.core

    def step(x):
        {body}
""",
        lab__slash____init__="",
        lab__slash__core="def work(y):\n    return y + 1\n\n\ndef other(y):\n    return y - 1\n",
    )

# -- the user's code on a library's classes ----------------------------------------------------------------------------

must(
    "method set on a library's class",
    "monkeypatches",
    "98",
    "99",
    """
    from fractions import Fraction

    Fraction.half = lambda self: 98

    def step(x):
        return Fraction(3).half()
""",
)
must(
    "property set on the class of a library's object",
    "monkeypatches",
    "98",
    "99",
    """
    from fractions import Fraction

    Fraction.half = property(lambda self: 98)
    ONE = Fraction(1)

    def step(x):
        one = ONE
        return one.half
""",
)
must(
    "accessor registered with a library",
    "monkeypatches",
    "98",
    "99",
    """
    from fractions import Fraction

    class Accessor:
        def __init__(self, accessor):
            self.accessor = accessor

        def __get__(self, instance, owner):
            return self.accessor(instance)

    Accessor.__module__ = "fractions"

    class Half:
        def __init__(self, value):
            self.value = value

        def go(self):
            return 98

    Fraction.half = Accessor(Half)

    def step(x):
        return Fraction(1).half.go()
""",
)
must_not(
    "method set on a library's class and not read",
    "98",
    "99",
    """
    from fractions import Fraction

    Fraction.half = lambda self: 98

    def step(x):
        return Fraction(3).numerator
""",
)
