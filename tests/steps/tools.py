"""Steps without a pipeline: declarations that nothing stands behind."""

from types import SimpleNamespace
from typing import Any

from ezpyp.steps import as_step
from ezpyp.steps.function import Declarations


def study(label: str = "study") -> Any:
    """As much of a pipeline as the decorators need."""
    return SimpleNamespace(declarations=Declarations(SimpleNamespace(), label))  # type: ignore[arg-type]


def source(x: object = 0) -> object:
    """Something to depend on."""
    return x


def steps(count: int) -> list[Any]:
    """Different steps of one function."""
    declare = as_step(study())(source)
    return [declare(x) for x in range(count)]
