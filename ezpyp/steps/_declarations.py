"""The steps that one pipeline holds, as they are declared."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from ezpyp.errors import DeclarationError, DuplicateNameError, InitializationError
from ezpyp.hashing import BY_THE_RULE, Tracking

if TYPE_CHECKING:
    from ezpyp.steps._function import StepFunction
    from ezpyp.steps._step import Step


class ResultSource(Protocol):
    """What a step asks for its result: the pipeline."""

    def get_result(self, step: Step, /) -> object:
        """The step's result."""

    def get_status(self, step: Step, /) -> int:
        """The step's status."""

    def get_results(self, steps: Sequence[Step]) -> list[object]:
        """The results of several steps."""

    def table_rows(self, steps: Sequence[Step]) -> list[dict[str, object]]:
        """Parameters, name, status, seconds and result of each step."""


class RunningFlag:
    """Whether a step's body is running in this process, where a decorated function is the plain function.

    One for the process and not one a thread: a body that starts threads of its own calls plain functions there
    too, and the body of a step may well use what was decorated for another pipeline.
    """

    __slots__ = ("depth",)

    def __init__(self) -> None:
        self.depth = 0

    def __enter__(self) -> None:
        self.depth += 1

    def __exit__(self, *exception: object) -> None:
        self.depth -= 1


RUNNING = RunningFlag()


class Declarations:
    """The steps of one pipeline, in order of declaration.

    Args:
        source: Where results come from.
        label: The pipeline's id, for messages.
        tracking: How packages count, unless a step says otherwise.
    """

    def __init__(self, source: ResultSource, label: str, tracking: Tracking = BY_THE_RULE) -> None:
        self.source = source
        self.label = label
        self.tracking = tracking
        self.steps: list[Step] = []
        self.frozen = False
        self._functions: dict[str, StepFunction] = {}

    def refuse_while_frozen(self, name: str) -> None:
        """Raise `InitializationError` between freezing and the end of ``execute()``."""
        if self.frozen:
            raise InitializationError(
                f"{name!r} cannot become a step of pipeline {self.label!r} now: the schema is frozen. "
                "Declare steps before initialize_schema(), or after execute()"
            )

    def adopt(self, function: StepFunction) -> None:
        """Register a function when its first step is declared.

        Raises:
            DuplicateNameError: Another function has that name already.
        """
        known = self._functions.setdefault(function.name, function)
        if known is function or known.is_same_function(function):
            return
        if not is_interactive():
            raise DuplicateNameError(
                f"two functions are called {function.name!r}: {known.place} and {function.place}: "
                "rename one, or give it a name of its own with name="
            )
        self._functions[function.name] = function

    def redefine(self, function: StepFunction) -> None:
        """In an interactive session a new definition drops the steps of the older one."""
        known = self._functions.get(function.name)
        if known is None or known.function is function.function or not is_interactive():
            return
        self.refuse_while_frozen(function.name)
        self._drop(function.name)
        del self._functions[function.name]

    def _drop(self, name: str) -> None:
        """Drop the steps of a function, and those that depend on them: their upstream is no step any more."""
        dropped: set[int] = set()
        for step in self.steps:
            upstreams = [slot.step for slot in step.slots] + list(step.function.options.depends_on)
            if step.function.name == name or any(id(upstream) in dropped for upstream in upstreams):
                dropped.add(id(step))
        self.steps = [step for step in self.steps if id(step) not in dropped]

    def check_own(self, step: Step, user: str) -> None:
        """Raise `DeclarationError` for a step of another pipeline."""
        if step.function.declarations is not self:
            raise DeclarationError(
                f"{user!r} of pipeline {self.label!r} was given {step!r}, a step of pipeline "
                f"{step.function.declarations.label!r}: pass its get_result() instead"
            )


def is_interactive() -> bool:
    """Whether functions are redefined by hand: a prompt, ``python -i`` or a notebook."""
    return hasattr(sys, "ps1") or bool(sys.flags.interactive) or _in_ipython()


def _in_ipython() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None
