"""Programs without a pipeline: functions declared as steps, then frozen with identities of the test's own."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from ezpyp.graph.program import Builder, Program
from ezpyp.hashing.code.identity import FunctionIdentity
from ezpyp.steps import Step, as_step
from ezpyp.steps.function import Declarations, StepFunction


class Study:
    """Declares steps of functions made on the spot, and freezes them."""

    def __init__(self) -> None:
        self.declarations = Declarations(SimpleNamespace(), "study")  # type: ignore[arg-type]
        self.versions: dict[str, int] = {}
        """Stands for the code of each function; one that is raised is an edit."""

    def function(self, name: str, code: Callable[..., object] | None = None, **options: Any) -> StepFunction:
        """A function of that name, with parameters ``x=None, y=0, *parts``."""

        def declared(x=None, y=0, *parts):
            return x

        return as_step(self, name=name, **options)(code or declared)  # type: ignore[arg-type]

    def freeze(self, steps: Sequence[Step] | None = None) -> Program:
        """Freeze the steps declared so far, or others."""
        return Builder(self._identify, self._prefix).build(self.declarations.steps if steps is None else steps)

    def _identify(self, function: StepFunction) -> FunctionIdentity:
        digest = f"{function.name} {self.versions.get(function.name, 0)}".encode().ljust(16, b".")
        return FunctionIdentity(digest, function.name, function.name, (), (), (), {})

    def _prefix(self, function: StepFunction, identity: FunctionIdentity) -> bytes:
        return identity.digest
