"""What pydantic, attrs and numba make of a user's class or function: what the user wrote counts, in every process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hashing._edits import sides
from tests.mpi import clean_environ

MODEL = """
import pydantic, pydantic.dataclasses
from typing import Annotated, Optional

class Inner(pydantic.BaseModel):
    a: int = 1

class Conf(Inner):
    lr: float = 0.1
    inner: Inner = Inner()
    names: Annotated[list[str], pydantic.Field(max_length=3)] = []
    model_config = pydantic.ConfigDict(frozen=True)

    @pydantic.field_validator("lr")
    @classmethod
    def check(cls, value):
        if value < 0:
            raise ValueError(value)
        return value

    def twice(self):
        return self.lr * 2

@pydantic.dataclasses.dataclass
class Point:
    x: int = 3

def step(n):
    return Conf(lr=n).twice() + Point().x

VALUES = [Conf(lr=5), Point(4)]
"""
ATTRS = """
import attrs

def made():
    return [1]

@attrs.frozen(slots=True, order=True)
class At:
    x: int = 1
    y: list = attrs.field(factory=list, validator=attrs.validators.instance_of(list))

    def total(self):
        return self.x + len(self.y)

def step(n):
    return At(n).total() + (At(1) < At(2))

VALUES = [At(5)]
"""
NUMBA = """
import functools
import numba

@numba.njit(fastmath=True, cache=False)
def helper(x):
    return x * 2

@numba.vectorize
def each(x):
    return x + 1

@numba.guvectorize(["void(float64[:], float64[:])"], "(n)->(n)")
def rows(a, b):
    for i in range(a.shape[0]):
        b[i] = a[i] + 1

later = functools.partial(helper, 2)

def step(n):
    return helper(n) + each(n) + later() + rows(n)

VALUES = [helper, later]
"""
SCRIPTS = {"pydantic": MODEL, "attrs": ATTRS, "numba": NUMBA}
COUNT = {
    "pydantic": [
        "a: int = «1|2»", "lr: float = «0.1|0.2»", "lr: «float|int» = 0.1", "inner: Inner = Inner(«|a=2»)",
        "max_length=«3|4»", "frozen=«True|False»", 'field_validator("lr"«|, mode="before"»)', "if value «<|<=» 0",
        "self.lr * «2|3»", "x: int = «3|4»", "class Conf(«Inner|pydantic.BaseModel»)",
        "= [«|'a'»]",
    ],
    "attrs": [
        "x: int = «1|2»", "x: «int|float» = 1", "order=«True|False»", "slots=«True|False»", "factory=«list|made»",
        "instance_of(«list|object»)", "self.x «+|-»", "attrs.«frozen|define»(slots",
    ],
    "numba": ["x * «2|3»", "fastmath=«True|False»", "x + «1|2»", "a[i] + «1|2»", "(helper, «2|3»)"],
}  # fmt: skip
HARMLESS = {
    "pydantic": ["    def twice(self):\n«|        # half of four\n»"],
    "attrs": ["    def total(self):\n«|        # both\n»"],
    "numba": ["def helper(x):\n«|    # twice\n»", "cache=«False|True»"],
}
DIGESTS = """
import importlib.util, json, sys
from ezpyp.hashing.code.identity import function_identity
from ezpyp.hashing.encode import encode

found = []
for path in sys.argv[1:]:
    spec = importlib.util.spec_from_file_location("study", path)
    study = sys.modules["study"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(study)
    values = [encode((value,), ("x",)).hex() for value in study.VALUES]
    found.append([function_identity(study.step).digest.hex(), *values])
print(json.dumps(found))
"""


def digests(folder: Path, scripts: list[str], seed: int) -> list[list[str]]:
    """The step's identity and the values' digests, for each script."""
    paths = []
    for number, script in enumerate(scripts):
        paths.append(folder / str(number) / "study.py")
        paths[-1].parent.mkdir(exist_ok=True)
        paths[-1].write_text(script)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DIGESTS, *map(str, paths)],
        env=clean_environ({"PYTHONHASHSEED": str(seed)}), capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: list[list[str]] = json.loads(done.stdout)
    return found


def edited(script: str, edit: str) -> str:
    old, new = sides(edit)
    assert old in script, old
    return script.replace(old, new, 1)


@pytest.mark.parametrize("library", SCRIPTS)
def test_what_the_user_wrote_counts_and_nothing_else(tmp_path: Path, library: str) -> None:
    script, count, harmless = SCRIPTS[library], COUNT[library], HARMLESS[library]
    scripts = [script, *(edited(script, edit) for edit in [*count, *harmless])]

    first, second = (digests(tmp_path, scripts, seed) for seed in (1, 2))

    assert first == second, "a digest is another in every process"
    base = first[0]
    unseen = [edit for edit, found in zip(count, first[1:], strict=False) if found[0] == base[0]]
    assert unseen == []
    assert [found == base for found in first[1 + len(count) :]] == [True] * len(harmless)
