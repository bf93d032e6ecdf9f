"""One call of one decorated function, declared and not evaluated."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ezpyp.errors import DeclarationError, InitializationError
from ezpyp.hashing import Hole
from ezpyp.steps._reference import Reference

if TYPE_CHECKING:
    from ezpyp.steps._function import StepFunction


class Slot(NamedTuple):
    """Where an upstream's result goes in the arguments of a step.

    Members of one set share a ``group``, because a set has no order that could be part of an identity.
    """

    step: Step
    path: tuple[tuple[str, object], ...]
    group: int | None
    hole: Hole


class Step(Reference):
    """A step: one call of one decorated function, not evaluated yet.

    Steps are made by calling a decorated function, never by hand. A step can be passed to other steps, as it
    is or in containers, and ``step[part]`` passes a part of its result.

    Example:
        >>> from tempfile import mkdtemp
        >>> from ezpyp import Pipeline, as_pickle_step
        >>> pipeline = Pipeline(mkdtemp(), "doc")
        >>> @as_pickle_step(pipeline)
        ... def double(x):
        ...     return 2 * x
        >>> step = double(21)
        >>> report = pipeline.execute(output="none")
        >>> step.name, step.phase, step.status, step.get_result()
        ('double', 0, 0, 42)
    """

    # Not a dataclass: one is made for every call, and plain slot assignment is three times as fast.
    __slots__ = (
        "_key",
        "_name",
        "_phase",
        "bracketed",
        "encoding",
        "function",
        "given",
        "slots",
        "twin",
        "values",
    )

    def __init__(  # noqa: PLR0917 - made by one caller, once a call; keywords would cost a tenth of it
        self,
        function: StepFunction,
        values: tuple[object, ...],
        given: tuple[int, tuple[str, ...]],
        encoding: bytes,
        slots: tuple[Slot, ...],
        bracketed: bool,
    ) -> None:
        self.function = function
        self.values = values  # bound to the parameters, in their order; holes where upstream results go
        self.given = given  # how many were positional, and the names of those that were not
        self.encoding = encoding
        self.slots = slots
        self.bracketed = bracketed
        self.twin: Step | None = None  # the earlier step that the very same call made
        self._name: str | None = None
        self._key: bytes | None = None
        self._phase = -1

    @property
    def step(self) -> Step:  # type: ignore[override]  # read-only here
        """The step itself: a bare step is a reference to its whole result."""
        return self

    @property
    def path(self) -> tuple[tuple[str, object], ...]:  # type: ignore[override]  # read-only here
        """Nothing is picked."""
        return ()

    @property
    def name(self) -> str:
        """The step's name; known once the schema is frozen."""
        if self._name is None:
            raise self._not_frozen("name")
        return self._name

    @property
    def key(self) -> str:
        """The step's identity: XXH3-128, 32 hex characters; known once the schema is frozen."""
        if self._key is None:
            raise self._not_frozen("key")
        return self._key.hex()

    @property
    def phase(self) -> int:
        """Length of the longest dependency chain below; known once the schema is frozen."""
        if self._key is None:
            raise self._not_frozen("phase")
        return self._phase

    @property
    def status(self) -> int:
        """0 done, 1 failed, 2 skipped, -1 never run, -2 running."""
        return self.function.declarations.source.get_status(self)

    def get_result(self) -> object:
        """The result, loaded from the cache.

        Raises:
            ResultUnavailableError: The step failed, was skipped or has not run; the message says which.
        """
        return self.function.declarations.source.get_result(self)

    def settle(self, name: str, key: bytes, phase: int) -> None:
        """Take what freezing found out."""
        self._name, self._key, self._phase = name, key, phase

    @property
    def is_settled(self) -> bool:
        """Whether freezing has given it a name and a key."""
        return self._key is not None

    @property
    def settled_name(self) -> str | None:
        """The name if freezing has given one already: it stays in this process."""
        return self._name if self.twin is None else None

    def _not_frozen(self, what: str) -> InitializationError:
        return InitializationError(
            f"the {what} of a step of {self.function.name!r} is known once the schema is frozen: "
            "call pipeline.initialize_schema() or pipeline.execute() first"
        )

    def __getitem__(self, part: object) -> PlaceHolder:
        return PlaceHolder(self)[part]

    def __repr__(self) -> str:
        label = self._name or f"{self.function.name}(...)"
        return f"{self.function.title} Step Object {label!r}"


class PlaceHolder(Reference):
    """Stands for the result of a step, or for a part of it, in the arguments of another step.

    Args:
        step: The step whose result is meant.

    Example:
        >>> from tempfile import mkdtemp
        >>> from ezpyp import Pipeline
        >>> pipeline = Pipeline(mkdtemp(), "doc")
        >>> moments = pipeline.step(lambda xs: {"sum": sum(xs), "count": len(xs)}, name="moments")([1, 2, 6])
        >>> mean = pipeline.step(lambda s, n: s / n, name="mean")
        >>> step = mean(PlaceHolder(moments)["sum"], PlaceHolder(moments)["count"])
        >>> report = pipeline.execute(output="none")
        >>> step.get_result()
        3.0
    """

    __slots__ = ("path", "step")

    def __init__(self, step: Reference) -> None:
        if not isinstance(step, Reference):
            raise DeclarationError(
                f"PlaceHolder takes a step, not {step!r}: pass what calling a decorated function returned"
            )
        self.step = step.step
        self.path = step.path

    def __getitem__(self, part: object) -> PlaceHolder:
        if isinstance(part, Reference):
            raise DeclarationError(f"{self!r}[...]: a part is picked by a plain value, not by another step's result")
        picked = PlaceHolder(self)
        picked.path = (*self.path, ("item", part))
        return picked

    def __repr__(self) -> str:
        parts = "".join(f"[{part!r}]" for _, part in self.path)
        return f"PlaceHolder({self.step!r}){parts}"
