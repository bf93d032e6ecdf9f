"""Random functions, changed in one node: the digest changes if and only if the compiled code does."""

import ast
import dis
import random
from types import CodeType, FunctionType

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


class Mutator(ast.NodeTransformer):
    """Changes the n-th node that can be changed."""

    def __init__(self, rng, place):
        self.rng = rng
        self.place = place
        self.count = 0

    def turn(self):
        self.count += 1
        return self.count - 1 == self.place

    def visit_Constant(self, node):
        if self.turn():
            node.value = self.rng.choice(CONSTANTS)
        return node

    def visit_JoinedStr(self, node):
        return node

    def visit_Name(self, node):
        if isinstance(node.ctx, ast.Load) and self.turn():
            node.id = self.rng.choice(NAMES)
        return node

    def visit_Attribute(self, node):
        self.generic_visit(node)
        if self.turn():
            node.attr = self.rng.choice(["real", "imag"])
        return node

    def visit_BinOp(self, node):
        self.generic_visit(node)
        if self.turn():
            node.op = self.rng.choice(OPERATORS)()
        return node

    def visit_Compare(self, node):
        self.generic_visit(node)
        if self.turn():
            node.ops = [self.rng.choice(COMPARISONS)()]
        return node

    def visit_keyword(self, node):
        self.generic_visit(node)
        if self.turn():
            node.arg = self.rng.choice(["key", "other"])
        return node


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
    changed = 0
    for _ in range(IN_A_CHUNK):
        source = Maker(rng).function()
        before = function_of(ast.parse(source))
        counter = Mutator(rng, -1)
        counter.visit(ast.parse(source))
        tree = Mutator(rng, rng.randrange(max(counter.count, 1))).visit(ast.parse(source))
        after = function_of(tree)
        same_code = raw(before.__code__) == raw(after.__code__)
        same_digest = function_identity(before).digest == function_identity(after).digest
        assert same_code == same_digest, f"{source}\n---\n{ast.unparse(tree)}"
        changed += not same_code
    assert changed > IN_A_CHUNK // 3


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


def test_raw_code_tells_types_of_constants():
    one, two = (function_of(ast.parse(f"def f(): return {text}")) for text in ("1", "True"))
    assert isinstance(one, FunctionType)
    assert raw(one.__code__) != raw(two.__code__)
