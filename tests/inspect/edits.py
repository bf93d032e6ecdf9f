"""A study with thirty seeded edits: each `«old|new»` in its two files is one, and each changes one step."""

import re

HELPERS = '''\
"""What the study imports."""
import dataclasses
import enum
import functools

RATE = «2|3»
TABLE = {"low": 1, "high": «10|20»}


def scale(x):
    return x * «5|6»


def shift(x, by=«1|2»):
    return x + by


def maker(step):
    def inner(x):
        return x + step
    return inner


class Model:
    factor = «2|4»


class Layer:
    def __init__(self, width):
        self.width = width


class Machine:
    def run(self, x):
        return x - «7|8»


@dataclasses.dataclass
class Settings:
    width: int = «3|9»


class Mode(enum.Enum):
    FAST = «1|5»


def times(n):
    def wrap(function):
        @functools.wraps(function)
        def call(x):
            return n * function(x)
        return call
    return wrap


@times(«2|7»)
def decorated(x):
    return x


def power(base, exponent):
    return base ** exponent


squared = functools.partial(power, exponent=«2|3»)
'''

STUDY = """\
import os
import sys

import numpy as np

import helpers
from ezpyp import Pipeline, as_step
from ezpyp.errors import SchemaConflictError

ONE, TWO, THREE, FOUR = (Pipeline(f"cache{n}", f"study{n}") for n in range(1, 5))
added = helpers.maker(«10|11»)


@as_step(ONE)
def constant(x):
    return x + «100|200»

@as_step(ONE)
def helper_constant(x):
    return helpers.scale(x)

@as_step(ONE)
def helper_default(x):
    return helpers.shift(x)

@as_step(ONE)
def global_scalar(x):
    return x * helpers.RATE

@as_step(ONE)
def global_key(x):
    return x * helpers.TABLE["high"]

@as_step(ONE)
def closure(x):
    return added(x)

@as_step(ONE)
def method(x):
    return helpers.Machine().run(x)

@as_step(ONE)
def class_attribute(x):
    return x * helpers.Model.factor

@as_step(ONE)
def field_default(x):
    return helpers.Settings().width * x

@as_step(ONE)
def enum_member(x):
    return helpers.Mode.FAST.value * x

@as_step(TWO)
def decorator(x):
    return helpers.decorated(x)

@as_step(TWO)
def partial(x):
    return helpers.squared(x)

@as_step(TWO)
def scalar(x):
    return x

@as_step(TWO)
def item(x):
    return x

@as_step(TWO)
def key(config):
    return config

@as_step(TWO)
def attribute(model):
    return 1

@as_step(TWO)
def array_values(a):
    return 1

@as_step(TWO)
def array_dtype(a):
    return 1

@as_step(TWO)
def array_shape(a):
    return 1

@as_step(TWO)
def type_only(x):
    return x

@as_step(THREE)
def more(x«|, y=4»):
    return x + 1000

@as_step(THREE)
def fewer(x«, y=4|»):
    return x + 2000

@as_step(THREE, version="«1|2»")
def version(x):
    return x

@as_step(THREE, codec="«pickle|json»")
def codec(x):
    return x

@as_step(THREE, ignore=(«|"y",»))
def ignored(x, y=2):
    return x

@as_step(THREE)
def source(x):
    return x * «3|4»

@as_step(THREE)
def below(x):
    return x

@as_step(FOUR)
def given(x):
    return x

@as_step(FOUR)
def below_argument(x):
    return x

@as_step(FOUR)
def other(x):
    return x

@as_step(FOUR)
def first(x):
    return x + 3000

@as_step(FOUR, track_versions=("labtools",))
def tracked(x):
    return x

@as_step(FOUR)
def function_argument(f):
    return f(1)

@as_step(FOUR)
def environment(x):
    return os.environ["STUDY_MODE"] and x * «3|4»


for step in (constant, helper_constant, helper_default, global_scalar, global_key, closure, method,
             class_attribute, field_default, enum_member, decorator, partial, more, fewer, version, codec, ignored):
    step(1)
scalar(«3|4»)
item([1, 2, «3|4»])
key({"lr": «0.1|0.2», "n": 1})
attribute(helpers.Layer({"inner": helpers.Layer(«1|2»)}))
array_values(np.full((3, 4), «0.0|1.0»))
array_dtype(np.zeros(3, «"f8"|"f4"»))
array_shape(np.zeros(«3|4»))
type_only(«1|1.0»)
below(source(1))
upstream = given(«1|2»)
below_argument(upstream)
earlier, later = other(1), first(1)

@as_step(FOUR, depends_on=[«earlier|later»])
def ordered(x):
    return x

ordered(1)
tracked(1)
environment(1)
function_argument(helpers.scale)

for pipeline in (ONE, TWO, THREE, FOUR):
    try:
        report = pipeline.execute(output="none")
    except SchemaConflictError as error:
        print(error)
"""

_EDIT = re.compile(r"«([^|»]*)\|([^»]*)»")


def edited(template: str, version: int) -> str:
    """A file before its edits (0), or after them (1)."""
    return _EDIT.sub(lambda edit: edit[1 + version], template)


def line_of(template: str, text: str) -> int:
    """The line in which a text of a template stands."""
    return template[: template.index(text)].count("\n") + 1
