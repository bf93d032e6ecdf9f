"""Random functions, changed in one node: the digest changes if and only if the compiled code does."""

import ast
import dis
import random
from types import CodeType

import pytest

from ezpyp.hashing.code.identity import function_identity

CHUNKS = 20
IN_A_CHUNK = 50
OPERATORS = [ast.Add, ast.Sub, ast.Mult, ast.Mod, ast.BitXor]
COMPARISONS = [ast.Lt, ast.Gt, ast.Eq, ast.Is, ast.In]
CONSTANTS = [0, 1, 2, 1.0, True, None, "a", "b", b"a", -0.0, 0.0, 2j, 10**20]
NAMES = ["a", "b", "c", "len", "helper"]


class Maker:
    """Makes random functions of statements and expressions; no condition is constant, and no handler without a call, so
    that nothing is dead code."""

    def __init__(self, rng):
        self.rng = rng

    def function(self):
        body = [self.statement(3) for _ in range(self.rng.randint(1, 4))]
        lines = "\n".join(f"    {line}" for part in body for line in part.split("\n"))
        return f"def f(a, b=1, *c, d=2):\n{lines}\n    return {self.expression(2)}\n"

    def statement(self, depth):
        kind = self.rng.choice(["assign", "augment", "if", "for", "while", "try", "with", "expression", "def"])
        if depth == 0 or kind in ("assign", "augment", "expression"):
            head = {"assign": "x = ", "augment": "a += "}.get(kind, "")
            return head + self.expression(2)
        body = "\n".join(f"    {line}" for line in self.statement(depth - 1).split("\n"))
        if kind == "if":
            return f"if a({self.expression(1)}):\n{body}\nelse:\n    pass"
        if kind == "for":
            return f"for x in {self.expression(1)}:\n{body}\n    break"
        if kind == "while":
            return f"while a({self.expression(1)}):\n{body}\n    break"
        if kind == "try":
            return f"try:\n    a(b)\n{body}\nexcept (ValueError, KeyError) as e:\n    x = e\nfinally:\n    a = 1"
        if kind == "with":
            return f"with {self.expression(0)} as x:\n{body}"
        return f"def g(b, z={self.expression(0)}):\n{body}\n    return z"

    def expression(self, depth):
        if depth == 0:
            return self.rng.choice([*NAMES, *map(repr, CONSTANTS)])
        one, two = self.expression(depth - 1), self.expression(depth - 1)
        forms = [
            f"({one} + {two})",
            f"({one} if a[{two}] else a)",
            f"({one} < {two})",
            f"(a[{one}] and {two})",
            f"(not {one})",
            f"helper({one}, key={two})",
            f"b.real.{self.rng.choice(['imag', 'real'])}",
            f"[{one} for y in {two} if y]",
            f"(lambda y: y + {one})",
            f"{{{one}: {two}}}",
            f"({one}, {two})",
            f"b[{one}:{two}]",
            f"f'{{{self.rng.choice(NAMES)}!r}} b'",
        ]
        return self.rng.choice(forms)


# What may become of a node: its field, and the values of which it gets one.
CHANGES = {
    ast.Constant: ("value", lambda: CONSTANTS),
    ast.Name: ("id", lambda: NAMES),
    ast.Attribute: ("attr", lambda: ["real", "imag"]),
    ast.BinOp: ("op", lambda: [kind() for kind in OPERATORS]),
    ast.Compare: ("ops", lambda: [[kind()] for kind in COMPARISONS]),
    ast.keyword: ("arg", lambda: ["key", "other"]),
}


def changed(source, rng):
    """The tree of a source with one node changed."""
    tree = ast.parse(source)
    in_texts = {part for text in ast.walk(tree) if isinstance(text, ast.JoinedStr) for part in ast.walk(text)}
    nodes = [
        node
        for node in ast.walk(tree)
        if type(node) in CHANGES and node not in in_texts and not isinstance(getattr(node, "ctx", None), ast.Store)
    ]
    if nodes:
        node = rng.choice(nodes)
        field, values = CHANGES[type(node)]
        setattr(node, field, rng.choice(values()))
    return tree


def function_of(tree):
    space = {}
    exec(compile(ast.unparse(tree), "<fuzz>", "exec"), space)
    return space["f"]


def raw(code):
    """Everything of a compiled function that could matter, in the words of ``dis``."""
    operations = []
    for instruction in dis.get_instructions(code):
        value = instruction.argval
        if instruction.opname == "KW_NAMES":
            value = code.co_consts[instruction.arg]
        value = raw(value) if isinstance(value, CodeType) else (type(value).__name__, repr(value))
        operations.append((instruction.opname, value))
    return (operations, code.co_varnames[: code.co_argcount], code.co_exceptiontable)


@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_digest_changes_if_and_only_if_the_compiled_code_does(chunk):
    rng = random.Random(chunk)
    count = 0
    for _ in range(IN_A_CHUNK):
        source = Maker(rng).function()
        before = function_of(ast.parse(source))
        tree = changed(source, rng)
        after = function_of(tree)
        same_code = raw(before.__code__) == raw(after.__code__)
        same_digest = function_identity(before).digest == function_identity(after).digest
        assert same_code == same_digest, f"{source}\n---\n{ast.unparse(tree)}"
        count += not same_code
    assert count > IN_A_CHUNK // 3


@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("chunk", range(5))
def test_layout_of_the_source_does_not_count(chunk):
    rng = random.Random(1000 + chunk)
    for _ in range(40):
        source = Maker(rng).function()
        one = function_of(ast.parse(source))
        spread = source.replace("(", "(\n").replace(", ", ",\n").replace(" + ", " +\n")
        try:
            code = compile("x = (\n1)\n# comment\n" + spread, "other.py", "exec")
        except SyntaxError:
            continue
        space = {}
        exec(code, space)
        assert function_identity(one).digest == function_identity(space["f"]).digest, source
