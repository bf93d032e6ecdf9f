"""Bad input: each a clear error of ours, and nothing written or lost."""

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
    OptionError,
    PipelineMismatchError,
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

class Other:
    pass

"""
BAD = [
    ("pipeline.initialize_schema(); pipeline.get_result('nope')", UnknownStepError, "nope"),
    ("pipeline.initialize_schema(); pipeline.get_status('nope')", UnknownStepError, "nope"),
    ("pipeline.initialize_schema(); pipeline.get_result('alhpa')", UnknownStepError, "alpha"),
    ("pipeline.initialize_schema(); pipeline.get_result('alpha', y=1)", UnknownStepError, "y"),
    (
        "show(elsewhere)",
        DeclarationError,
        "another pipeline|other pipeline|study.*elsewhere|elsewhere.*study",
    ),
    ("show([PlaceHolder(elsewhere)])", DeclarationError, "pipeline"),
    ("as_pickle_step(pipeline, depends_on=[elsewhere])(print)", DeclarationError, "pipeline"),
    ("show(1, threading.Lock())", UnhashableValueError, r"args\[1\].*lock"),
    ("show(1, Holder())", UnhashableValueError, r"args\[1\]\.model\.w\b"),
    ("show(x=[1, {'k': threading.Lock()}])", UnhashableValueError, r"kwargs\['x'\]\[1\]\['k'\]"),
    ("show(number for number in [1])", UnhashableValueError, r"args\[0\].*generator"),
    ("show(open('/dev/null'))", UnhashableValueError, r"args\[0\]"),
    ("alpha.map([1, threading.Lock()])", UnhashableValueError, r"args\[0\]|\bx\b"),
    ("as_pickle_step(pipeline, depends_on=[alpha])", DeclarationError, "alpha"),
    ("as_pickle_step(pipeline, depends_on=[print])", DeclarationError, "print"),
    ("as_pickle_step(pipeline, depends_on=alpha)", DeclarationError, "depends_on"),
    ("as_pickle_step(pipeline, depends_on=['alpha'])", DeclarationError, "alpha"),
    ("as_pickle_step(lambda x: x)", DeclarationError, r"as_pickle_step\(pipeline"),
    ("Pipeline(None, 'study')", OptionError, "cache_location must be the path of a folder.*not None"),
    ("Pipeline(b'cache', 'study')", OptionError, "cache_location must be the path of a folder"),
    ("as_pickle_step()", DeclarationError, r"as_pickle_step\(pipeline"),
    ("as_numpy_step(lambda x: x)", DeclarationError, r"as_numpy_step\(pipeline"),
    ("as_cloudpickle_step(lambda x: x)", DeclarationError, r"as_cloudpickle_step\(pipeline"),
    ("as_step(lambda x: x)", DeclarationError, r"as_step\(pipeline"),
    ("as_pickle_step('cache')", DeclarationError, "Pipeline"),
    ("as_pickle_step(pipeline)(3)", DeclarationError, "3|int"),
    ("alpha()", TypeError, "x"),
    ("alpha(1, 2, 3)", TypeError, "alpha"),
    ("alpha(y=1)", TypeError, "y"),
    ("alpha.grid(y=[1])", TypeError, "y"),
    ("alpha.map(3)", TypeError, "int|iterable"),
    ("one + 1", NotEvaluatedError, "not evaluated yet"),
    ("float(one)", NotEvaluatedError, "not evaluated yet"),
    ("alpha(one + 1)", NotEvaluatedError, "not evaluated yet"),
    ("PlaceHolder(3)", EzpypError, "3|int"),
    ("PlaceHolder(alpha)", EzpypError, "alpha"),
    ("one.get_result()", EzpypError, "execute|initialize_schema"),
]
TWO_FUNCTIONS = """
def alpha(x):
    return -x

as_pickle_step(pipeline)(alpha)(3)
pipeline.initialize_schema()
"""


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


def test_a_bad_call_leaves_no_step(location: Path) -> None:
    source = GOOD + "import threading\ntry:\n    alpha(threading.Lock())\nexcept TypeError:\n    pass\n"

    pipeline = executed(location, source)

    assert [step.name for step in pipeline.steps] == ["alpha"]


def test_two_functions_of_one_name(finished: Path) -> None:
    with pytest.raises(DuplicateNameError, match=r"alpha[^\0]*script\.py[^\0]*script\.py"):
        declared(finished, GOOD + TWO_FUNCTIONS)


def test_another_pipeline_id(finished: Path) -> None:
    with pytest.raises(PipelineMismatchError, match="study"):
        executed(finished, GOOD, pipeline_id="another")


@pytest.mark.parametrize("existing", [b"", b"somebody's notes\n", b"SQLite format 3\0 but not really"])
def test_a_location_that_is_a_file(location: Path, bodies: Bodies, existing: bytes) -> None:
    location.write_bytes(existing)

    with pytest.raises(StoreError, match=r"cache[^\0]*\bfile\b"):
        executed(location, GOOD)

    assert location.read_bytes() == existing
    assert bodies.take() == []


def test_a_location_below_a_file(tmp_path: Path, bodies: Bodies) -> None:
    (tmp_path / "notes").write_text("mine")

    with pytest.raises(StoreError, match="notes"):
        executed(tmp_path / "notes" / "cache", GOOD)

    assert (tmp_path / "notes").read_text() == "mine"


def test_an_index_that_is_not_one(location: Path) -> None:
    location.mkdir()
    (location / "ezpyp.sqlite").write_bytes(b"no index at all" * 1000)

    with pytest.raises(StoreError, match=r"ezpyp\.sqlite"):
        executed(location, GOOD)
    with pytest.raises(StoreError, match=r"ezpyp\.sqlite"):
        ezpyp.open_cache(location)

    assert (location / "ezpyp.sqlite").read_bytes() == b"no index at all" * 1000


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


@pytest.mark.parametrize("argument", ["3", "4"])
def test_a_location_that_is_read_only(location: Path, tmp_path: Path, bodies: Bodies, argument: str) -> None:
    executed(location, GOOD)
    bodies.take()
    before = snapshot(location)
    for path in [*location.rglob("*"), location]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    script = tmp_path / "reader.py"
    script.write_text(READ_ONLY.format(location=str(location), argument=argument))

    process = launch(script, env={"TRACE_FILE": str(bodies.path)}, before=obey_permissions)

    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith("StoreError ")
    assert str(location) in process.stdout
    assert bodies.take() == []
    for path in [location, *location.rglob("*")]:
        path.chmod(0o755)
    assert snapshot(location) == before


def test_a_location_in_a_read_only_folder(tmp_path: Path) -> None:
    folder = tmp_path / "shut"
    folder.mkdir()
    folder.chmod(0o555)
    script = tmp_path / "reader.py"
    script.write_text(READ_ONLY.format(location=str(folder / "cache"), argument="3"))

    process = launch(script, before=obey_permissions)

    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith("StoreError ")
    assert str(folder / "cache") in process.stdout
    assert os.listdir(folder) == []


@pytest.mark.parametrize("pipeline_id", ["", 3, None])
def test_a_pipeline_id_that_is_no_name(location: Path, pipeline_id: object) -> None:
    with pytest.raises(EzpypError, match="pipeline_id"):
        Pipeline(location, pipeline_id)  # type: ignore[arg-type]  # that is the point

    assert not location.exists()


def test_declaring_alone_makes_no_location(location: Path) -> None:
    declared(location, GOOD)

    assert not location.exists()
