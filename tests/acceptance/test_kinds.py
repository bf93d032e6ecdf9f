"""Kinds of steps and of arguments that are not plain: taken, told apart, kept; or refused where they are declared."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.dataset
import pyarrow.parquet
import pytest
from PIL import Image

from ezpyp import Pipeline
from ezpyp.errors import DeclarationError, StepFailedError, UnhashableValueError
from ezpyp.execution.output import Report
from tests.mpi import python

PAIRS = {
    "dtypes": (np.dtype("f4"), np.dtype("f8")),
    "byte orders": (np.dtype("<i4"), np.dtype(">i4")),
    "records": (np.dtype([("a", "i4")]), np.dtype([("b", "i4")])),
    "types of numpy": (np.float32, np.float64),
    "views of bytes": (memoryview(b"abc"), memoryview(b"abd")),
    "views of an array": (memoryview(np.arange(6).reshape(2, 3)), memoryview(np.arange(6).reshape(3, 2))),
    "layouts": (struct.Struct("<i"), struct.Struct("<q")),
    "huge integers": (10**5000, 10**5000 + 1),
    "huge integers in a list": ([10**5000], [10**5000 + 1]),
    "huge negative integers": (-(10**5000), -(10**5000) - 1),
}


def is_given(value: object) -> str:
    return type(value).__name__


def ran(location: Path, *values: object) -> tuple[Pipeline, int]:
    pipeline = Pipeline(location, "study")
    pipeline.step(is_given).map(values)
    report = pipeline.execute(output="none", check=True)
    return pipeline, report.cached


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_an_argument_is_taken_and_told_apart(tmp_path: Path, pair: tuple[object, object]) -> None:
    pipeline, _ = ran(tmp_path / "cache", *pair)
    assert [step.get_result() for step in pipeline.steps] == [type(value).__name__ for value in pair]
    assert len({step.name for step in pipeline.steps}) == 2
    assert ran(tmp_path / "cache", *pair)[1] == 2


LAZY = {
    "a scan": lambda: pl.scan_csv("t.csv"),
    "a filtered scan": lambda: pl.scan_parquet("t.parquet").filter(pl.col("x") > 1),
    "a dataset": lambda: pyarrow.dataset.dataset("t.parquet"),
    "a scanner": lambda: pyarrow.dataset.dataset("t.parquet").scanner(),
    "a reader": lambda: pyarrow.parquet.ParquetFile("t.parquet"),
}


@pytest.mark.parametrize("make", LAZY.values(), ids=LAZY)
def test_what_reads_files_later_is_refused_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[], object]
) -> None:
    monkeypatch.chdir(tmp_path)
    pl.DataFrame({"x": [1]}).write_csv("t.csv")
    pl.DataFrame({"x": [1]}).write_parquet("t.parquet")
    with pytest.raises(UnhashableValueError, match=r"pass ezpyp\.File\(path\)"):
        Pipeline("cache", "study").step(is_given)(make())


def test_what_is_mapped_or_opened_but_not_read_counts_by_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def cached(number: int) -> int:
        Path("mapped").write_bytes(bytes([number]))
        Image.new("L", (1, 1), number).save("image.png")
        return ran(tmp_path / "cache", np.memmap("mapped", "u1", "r"), Image.open("image.png"))[1]

    assert (cached(1), cached(1), cached(2)) == (0, 2, 0)


def test_a_library_s_class_counts_by_name_whether_its_module_is_loaded_or_not(tmp_path: Path) -> None:
    script = tmp_path / "study.py"
    source = """
import sys
import numpy as np
import ezpyp
pipeline = ezpyp.Pipeline("cache", "study")

@pipeline.step
def check():
    return isinstance(np.zeros(2), np.recarray), np.rec.array([1, 2]).tolist()

check()
print(pipeline.execute(output="none").cached, "numpy.rec" in sys.modules)
"""
    script.write_text(source)
    assert python("-W", "error::UserWarning", script, cwd=tmp_path).stdout == "0 True\n"
    script.write_text("import numpy.rec" + source)
    assert python(script, cwd=tmp_path).stdout == "1 True\n"


def test_a_view_is_the_step_s_own(tmp_path: Path) -> None:
    def spoil(view: memoryview) -> bytes:
        view[0] = 9
        return bytes(view)

    data = bytearray(b"abc")
    pipeline = Pipeline(tmp_path / "cache", "study")
    step = pipeline.step(spoil)(memoryview(data))
    pipeline.execute(output="none", check=True)
    assert (step.get_result(), data) == (b"\tbc", b"abc")


async def doubled(x: int) -> int:
    await asyncio.sleep(0)
    if x < 0:
        raise ValueError(x)
    return 2 * x


@pytest.mark.parametrize("where", ["script", "notebook"])
def test_an_async_function_is_run_to_its_end_also_where_a_loop_runs_already(tmp_path: Path, where: str) -> None:
    pipeline = Pipeline(tmp_path / "cache", "study")
    two, failing = pipeline.step(doubled).map([1, -1])
    four = pipeline.step(doubled, name="again")(two)

    async def cell() -> Report:
        return pipeline.execute(output="none")

    report = pipeline.execute(output="none") if where == "script" else asyncio.run(cell())

    assert (report.done, four.get_result()) == (2, 4)
    with pytest.raises(StepFailedError, match="failed with ValueError: -1"):
        failing.get_result()


def items(count: int) -> Iterator[int]:
    yield from range(count)


async def later_items(count: int) -> AsyncIterator[int]:
    yield count


@pytest.mark.parametrize("function", [items, later_items])
def test_a_generator_function_is_refused_where_it_is_made_a_step(tmp_path: Path, function: object) -> None:
    with pytest.raises(DeclarationError, match=r"is a generator function.* return a list of them"):
        Pipeline(tmp_path / "cache", "study").step(function)  # type: ignore[call-overload]  # that is the point


def test_the_password_of_a_url_is_written_nowhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    urls = [f"https://user:pa55w0rd{n}@host/x" for n in range(2)]
    pipeline = Pipeline(tmp_path / "cache", "study")
    pipeline.step(len, name="alone")(urls[0])
    pipeline.step(is_given, name="many").map([*urls, {"url": urls[0]}, [urls[1]], "x" * 40 + urls[0]])
    assert pipeline.execute(check=True).done == 6  # two passwords are two steps
    shown = "".join(capfd.readouterr()) + "".join(step.name for step in pipeline.steps)
    for file in (tmp_path / "cache").iterdir():
        shown += file.read_bytes().decode("latin-1")
    assert "pa55w0rd" not in shown
    assert "https://user:<secret>@host/x" in shown
