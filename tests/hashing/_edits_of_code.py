"""Edits inside the body of a step or of the code that it calls directly."""

from tests.hashing._edits import must

BODY = """
    def step(x):
        y = x * 3
        return {expression}
"""


def body(name, rule, old, new):
    """A step whose last line holds ``old``, or ``new``."""
    must(name, rule, f"return {old}", f"return {new}", BODY.format(expression=old))


body("constant int", "constants", "y ** 2", "y ** 4")
body("constant int becomes float", "constants", "y + 7", "y + 7.0")
body("constant True becomes 1", "constants", "(y, True)", "(y, 1)")
body("constant string", "constants", "'a' + str(y)", "'b' + str(y)")
body("constant string becomes bytes", "constants", "[y, 'a']", "[y, b'a']")
body("constant tuple", "constants", "y in (1, 2)", "y in (1, 3)")
body("constant tuple of other types", "constants", "(y, (1, 2))", "(y, (1, 2.0))")
body("constant set", "constants", "y in {1, 2}", "y in {1, 3}")
body("constant minus zero", "constants", "y * 0.0", "y * -0.0")
body("constant complex", "constants", "y * 2j", "y * 3j")
body("constant None becomes False", "constants", "[y, None]", "[y, False]")
body("constant slice", "constants", "[y, 1, 2][:2]", "[y, 1, 2][:1]")
body("big integer", "constants", "y + 10**30", "y + 10**31")
body("operator", "code", "y + x", "y - x")
body("augmented operand order", "code", "y - x", "x - y")
body("comparison", "code", "y < x", "y <= x")
body("is becomes ==", "code", "y is x", "y == x")
body("and becomes or", "code", "y and x", "y or x")
body("not", "code", "-y", "not y")
body("builtin called", "globals", "min(x, y)", "max(x, y)")
body("attribute read", "attribute names", "x.real", "x.imag")
body("method called", "attribute names", "str(x).upper()", "str(x).lower()")
body("keyword name", "constants", "dict(a=y)", "dict(b=y)")
body("lambda inside", "constants", "(lambda z: z + 1)(y)", "(lambda z: z + 2)(y)")
body("comprehension inside", "constants", "[z * 2 for z in (x, y)]", "[z * 5 for z in (x, y)]")
body("generator inside", "constants", "sum(z * 2 for z in (x, y))", "sum(z * 5 for z in (x, y))")
body("condition in comprehension", "code", "[z for z in (x, y) if z]", "[z for z in (x, y) if not z]")
body("f-string format", "constants", "f'{y:.2f}'", "f'{y:.3f}'")
body("f-string conversion", "code", "f'{y!s}'", "f'{y!r}'")
body("other local variable", "code", "y + y", "x + y")
body("unpacked argument", "code", "max(*[x, y])", "max([x, y])")

must(
    "branch taken the other way",
    "code",
    "if x > 2:\n        y = 1",
    "if x > 2:\n        z = 1",
    """
    def step(x):
        y = z = 0
        if x > 2:
            y = 1
        return y - z
""".replace("\n    ", "\n"),
)
must(
    "statement moved out of a loop",
    "code",
    "        y += 1\n        z = y\n",
    "        y += 1\n    z = y\n",
    """
def step(x):
    y = z = 0
    for _ in range(x):
        y += 1
        z = y
    return z
""",
)
must(
    "break becomes continue",
    "code",
    "break",
    "continue",
    """
    def step(x):
        y = 0
        for i in range(x):
            if i == 3:
                break
            y += i
        return y
""",
)
must(
    "statement moved out of try",
    "code",
    "        z = 1\n        y = int(x)\n",
    "        y = int(x)\n        z = 1\n",
    """
def step(x):
    z = 0
    try:
        z = 1
        y = int(x)
    except ValueError:
        y = z
    return y
""",
)
must(
    "finally becomes after",
    "code",
    "    try:\n        y.append(1 / x)\n    finally:\n        y.append(2)\n",
    "    y.append(1 / x)\n    y.append(2)\n",
    """
def step(x):
    y = []
    try:
        y.append(1 / x)
    finally:
        y.append(2)
    return y
""",
)
must(
    "exception caught",
    "globals",
    "except ValueError",
    "except KeyError",
    """
    def step(x):
        try:
            return int(x)
        except ValueError:
            return 0
""",
)
must(
    "pattern of match",
    "constants",
    "case [1, _]",
    "case [2, _]",
    """
    def step(x):
        match x:
            case [1, _]:
                return "one"
            case _:
                return "other"
""",
)
must(
    "positional becomes keyword-only",
    "signatures",
    "def step(x, y=2)",
    "def step(x, *, y=2)",
    """
    def step(x, y=2):
        return x * y
""",
)
must(
    "parameter renamed in a helper called by keyword",
    "signatures",
    "rate",
    "speed",
    """
    def helper(**k):
        return inner(**k)

    def inner(rate=1, scale=2):
        return rate * scale

    def step(x):
        return helper(scale=x)
""",
)
must(
    "generator becomes list",
    "code",
    "yield x",
    "return [x]",
    """
    def step(x):
        yield x
""",
)
must(
    "async helper",
    "constants",
    "x + 1",
    "x + 2",
    """
    import asyncio

    async def helper(x):
        return x + 1

    def step(x):
        return asyncio.run(helper(x))
""",
)
must(
    "nested function",
    "constants",
    "return z + 1",
    "return z + 2",
    """
    def step(x):
        def inner(z):
            def innermost():
                return z + 1
            return innermost()
        return inner(x)
""",
)
must(
    "default of a nested function",
    "constants",
    "z=1",
    "z=2",
    """
    def step(x):
        def inner(z=1):
            return x + z
        return inner()
""",
)
must(
    "class inside the step",
    "constants",
    "return 1",
    "return 2",
    """
    def step(x):
        class Local:
            def value(self):
                return 1
        return Local().value() + x
""",
)
must(
    "name of a class inside the step",
    "constants",
    "Local",
    "Other",
    """
    def step(x):
        class Local:
            pass
        return repr(Local)
""",
)
must(
    "code made by exec",
    "constants",
    "x * 2",
    "x * 3",
    """
    space = {}
    exec("def step(x): return x * 2", space)
    step = space["step"]
""",
)
must(
    "local name seen by locals()",
    "local names",
    "y",
    "z",
    """
    def step(x):
        y = 2
        return sorted(locals())
""",
)
must(
    "docstring that is read",
    "asked of one",
    "first",
    "second",
    '''
    def helper():
        """first"""

    def step(x):
        return helper.__doc__
''',
)
must(
    "assert",
    "code",
    "assert x > 1",
    "assert x < 1",
    """
    def step(x):
        assert x > 1
        return x
""",
)
must(
    "lambda as step",
    "constants",
    "x + 1",
    "x + 2",
    """
    step = lambda x: x + 1
""",
)
must(
    "own default where the step calls itself",
    "own defaults",
    "by=1",
    "by=2",
    """
    def step(x, by=1):
        return x if x <= 0 else step(x - by)
""",
)
must(
    "which of two equal globals a helper reads",
    "bindings",
    "return A",
    "return B",
    """
    A = 0
    B = 0

    def helper():
        return A

    def step(x):
        global A
        A = x
        return helper()
""",
)
