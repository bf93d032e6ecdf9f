"""Functions and classes whose digests are pinned; in no test module, since pytest rewrites the asserts of those."""

from collections import namedtuple
from enum import Enum
from functools import lru_cache

import numpy as np

Point = namedtuple("Point", "x y")


class Colour(Enum):
    RED = 1


RATE = 3


def helper(x, by=2):
    """Add."""
    return x * RATE + by


@lru_cache
def cached(x):
    return helper(x)


class Model:
    """A model."""

    rate: int = 2

    def __init__(self, x):
        self.x = x

    @property
    def double(self):
        return self.x * 2


def branches(x):
    try:
        for y in range(x):
            if y > 3 and x:
                continue
            yield from [z for z in (1, 2) if z in {1, 2}]
    except (ValueError, KeyError) as error:
        raise TypeError from error
    finally:
        x = None


def everything(x, *args, key=None, **kwargs):
    import json

    def inner(z):
        return x + z

    with open(x) as file:
        text = f"{file.read()!r:>3} {x=}"
    assert x is not None
    return (
        Model(x).double,
        cached(1),
        np.sqrt(2),
        json.dumps(text),
        inner(1),
        Colour.RED,
        Point(1, 2),
        args,
        kwargs,
        key,
    )
