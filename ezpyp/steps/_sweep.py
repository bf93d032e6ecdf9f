"""Many calls of one function, kept together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from ezpyp.steps._step import Step


class Sweep(Sequence[Step]):
    """The steps that ``map`` or ``grid`` made, in order; as an argument it is the list of their results.

    Example:
        >>> from tempfile import mkdtemp
        >>> from ezpyp import Pipeline, as_pickle_step
        >>> pipeline = Pipeline(mkdtemp(), "doc")
        >>> @as_pickle_step(pipeline)
        ... def square(x):
        ...     return x**2
        >>> @as_pickle_step(pipeline)
        ... def total(parts):
        ...     return sum(parts)
        >>> sweep = square.map([1, 2, 3])
        >>> everything = total(sweep)
        >>> report = pipeline.execute(output="none")
        >>> sweep.results(), everything.get_result()
        ([1, 4, 9], 14)
        >>> {name: sweep.table()[1][name] for name in ("name", "x", "status", "result")}
        {'name': 'square[x=2]', 'x': 2, 'status': 0, 'result': 4}
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = tuple(steps)

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> Sweep: ...
    def __getitem__(self, index: int | slice) -> Step | Sweep:
        return Sweep(self._steps[index]) if isinstance(index, slice) else self._steps[index]

    def __len__(self) -> int:
        return len(self._steps)

    def __repr__(self) -> str:
        name = self._steps[0].function.name if self._steps else "nothing"
        return f"Sweep of {len(self)} steps of {name!r}"

    def results(self) -> list[object]:
        """The results, in order.

        Raises:
            ResultUnavailableError: A step has none; the message says which and why.
        """
        return self._steps[0].function.declarations.source.get_results(self._steps) if self._steps else []

    def table(self) -> list[dict[str, object]]:
        """One row a step: its parameters, then name, status, seconds and result; ``pandas.DataFrame`` takes it.

        The result of a step that has none is None; its status says why.
        """
        return self._steps[0].function.declarations.source.table_rows(self._steps) if self._steps else []
