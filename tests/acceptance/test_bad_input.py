"""Bad input: each a clear error of ours, and nothing written or lost.

What calls, options and look-ups refuse one by one is tested in ``tests/steps`` and ``tests/graph``.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import ezpyp
from ezpyp import Pipeline
from ezpyp.errors import (
    DeclarationError,
    DuplicateNameError,
    EzpypError,
    NotEvaluatedError,
    StoreError,
    UnhashableValueError,
    UnknownStepError,
)

from .tools import Bodies, declared, executed, launch, obey_permissions, snapshot

GOOD = """
step alpha(x): return x ** 2
step show(*args, **kwargs): return repr((args, kwargs))

one = alpha(3)
"""
HOLDERS = """
import threading

class Layer:
    def __init__(self, w):
        self.w = w

class Holder:
    def __init__(self):
        self.model = Layer(threading.Lock())

"""
TWO_FUNCTIONS = """
def alpha(x):
    return -x

as_pickle_step(pipeline)(alpha)(3)
pipeline.initialize_schema()
"""
BAD = [
    ("pipeline.initialize_schema(); pipeline.get_result('alhpa')", UnknownStepError, "alpha"),
    ("pipeline.initialize_schema(); pipeline.get_status('alpha', y=1)", UnknownStepError, "y"),
    ("show([PlaceHolder(elsewhere)])", DeclarationError, "'study'.*'elsewhere'"),
    ("show(1, Holder())", UnhashableValueError, r"args\[1\]\.model\.w\b"),
    ("show(x=[1, {'k': threading.Lock()}])", UnhashableValueError, r"kwargs\['x'\]\[1\]\['k'\].*lock"),
    ("show(number for number in [1])", UnhashableValueError, r"args\[0\].*generator"),
    ("as_pickle_step(pipeline, depends_on=[alpha])", DeclarationError, "alpha"),
    ("as_cloudpickle_step(lambda x: x)", DeclarationError, r"as_cloudpickle_step\(pipeline"),
    ("alpha(y=1)", TypeError, "y"),
    ("alpha.grid(y=[1])", TypeError, "y"),
    ("alpha(one + 1)", NotEvaluatedError, "not evaluated yet"),
    ("one.get_result()", EzpypError, "execute|initialize_schema"),
    (TWO_FUNCTIONS, DuplicateNameError, r"alpha[^\0]*script\.py:\d+[^\0]*script\.py:\d+"),
]


@pytest.fixture
def finished(location: Path, bodies: Bodies) -> Iterator[Path]:
    """A location with a result, of which nothing may be written or lost."""
    executed(location, GOOD)
    bodies.take()
    before = snapshot(location)
    yield location
    assert snapshot(location) == before
    assert ezpyp.open_cache(location).get_result("alpha") == 9
    assert bodies.take() == []


@pytest.mark.parametrize(("statement", "error", "said"), BAD, ids=[statement for statement, *_ in BAD])
def test_bad_declarations(finished: Path, tmp_path: Path, statement: str, error: type[Exception], said: str) -> None:
    elsewhere = f"elsewhere = as_pickle_step(Pipeline({str(tmp_path / 'elsewhere')!r}, 'elsewhere'))(lambda: 1)()\n"
    source = HOLDERS + GOOD + "from ezpyp.steps import PlaceHolder\n" + elsewhere + statement

    with pytest.raises(error, match=said) as caught:
        declared(finished, source)

    assert isinstance(caught.value, EzpypError)


@pytest.mark.parametrize(
    ("file", "existing", "below", "said"),
    [
        ("cache", b"", "cache", r"cache[^\0]*\bfile\b"),
        ("notes", b"mine", "notes/cache", "notes"),
        ("ezpyp.sqlite", b"no index at all" * 1000, ".", r"ezpyp\.sqlite"),
    ],
)
def test_a_file_that_is_no_cache_is_refused_and_kept(
    tmp_path: Path, bodies: Bodies, file: str, existing: bytes, below: str, said: str
) -> None:
    (tmp_path / file).write_bytes(existing)

    for ask in (lambda: executed(tmp_path / below, GOOD), lambda: ezpyp.open_cache(tmp_path / below)):
        with pytest.raises(StoreError, match=said):
            ask()

    assert (tmp_path / file).read_bytes() == existing
    assert bodies.take() == []


READ_ONLY = """
import sys
from ezpyp import Pipeline, as_pickle_step
from ezpyp.errors import StoreError
from tests.acceptance.tools import ran

try:
    pipeline = Pipeline({location!r}, "study")

    @pipeline.step
    def alpha(x):
        ran("alpha")
        return x ** 2

    alpha({argument})
    pipeline.execute()
except StoreError as error:
    print(type(error).__name__, str(error).splitlines()[0])
"""


def refused(folder: Path, location: Path, argument: int, bodies: Bodies) -> None:
    """A fresh process that obeys permissions is refused with the location's name, and runs nothing."""
    script = folder / "reader.py"
    script.write_text(READ_ONLY.format(location=str(location), argument=argument))

    process = launch(script, env={"TRACE_FILE": str(bodies.path)}, before=obey_permissions)

    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith("StoreError ")
    assert str(location) in process.stdout
    assert bodies.take() == []


@pytest.mark.parametrize("argument", [3, 4])
def test_a_location_that_is_read_only(location: Path, tmp_path: Path, bodies: Bodies, argument: int) -> None:
    executed(location, GOOD)
    bodies.take()
    before = snapshot(location)
    for path in [*location.rglob("*"), location]:
        path.chmod(0o555 if path.is_dir() else 0o444)

    refused(tmp_path, location, argument, bodies)

    for path in [location, *location.rglob("*")]:
        path.chmod(0o755)
    assert snapshot(location) == before


def test_a_location_in_a_read_only_folder(tmp_path: Path, bodies: Bodies) -> None:
    folder = tmp_path / "shut"
    folder.mkdir(0o555)

    refused(tmp_path, folder / "cache", 3, bodies)

    assert os.listdir(folder) == []


def test_a_pipeline_id_that_is_no_name_and_declaring_alone_make_no_location(location: Path) -> None:
    for pipeline_id in ("", 3, None):
        with pytest.raises(EzpypError, match="pipeline_id"):
            Pipeline(location, pipeline_id)  # type: ignore[arg-type]  # that is the point
    declared(location, GOOD)

    assert not location.exists()
