"""One call of one decorated function, declared and not evaluated."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn, Protocol, overload

from ezpyp.describe import Hole
from ezpyp.errors import DeclarationError, InitializationError, NotEvaluatedError
from ezpyp.hashing.code.packages import BY_THE_RULE, Tracking
from ezpyp.steps.binding import Binder

# What a Step and a PlaceHolder have in common: they stand for a value that is not there yet.

_PLAIN_VALUES = (int, float, complex, str, bytes, type(None))

# Every way in which Python asks an object for its value. `__iter__` stands here although it looks needless:
# `__getitem__` alone would let `for part in step` count up for ever.
_VALUE_USES = """
    bool len iter next reversed contains call int float complex index round trunc floor ceil abs neg pos
    invert array array_ufunc array_function add radd sub rsub mul rmul matmul rmatmul truediv rtruediv
    floordiv rfloordiv mod rmod divmod rdivmod pow rpow lshift rlshift rshift rrshift and rand or ror xor rxor
    lt le gt ge iadd isub imul itruediv setitem delitem enter aenter await aiter
""".split()


class Reference:
    """Base of what can be passed to a step in place of a value.

    Using one as if it were the value raises `NotEvaluatedError`; ``reference[part]`` picks a part.
    """

    __slots__ = ()
    __ezpyp_untracked__ = True
    # Among arguments a step is found, and replaced by its result, before anything is hashed.
    __ezpyp_refusal__ = (
        "a step inside an object of this kind cannot be replaced by its result; give it as an argument of its own, or "
        "in a list, tuple, set, dict or dataclass"
    )

    step: Step
    path: tuple[tuple[str, object], ...]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, _PLAIN_VALUES) and other is not None:
            _refuse(self, "==")
        return self is other

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __format__(self, specification: str) -> str:
        if specification:
            _refuse(self, f"format({specification!r})")
        return str(self)

    def __reduce__(self) -> NoReturn:
        _refuse(self, "pickle")


def _refuse(reference: Reference, use: str) -> NoReturn:
    raise NotEvaluatedError(
        f"{use} on {reference!r}, which is not evaluated yet: pass it to a step, or use get_result() after execute()"
    )


def _refusal(use: str) -> Any:
    def method(self: Reference, *_: object, **__: object) -> NoReturn:
        _refuse(self, use)

    method.__name__ = f"__{use}__"
    return method


for _use in _VALUE_USES:
    setattr(Reference, f"__{_use}__", _refusal(_use))


def refuse_fspath(self: Reference) -> NoReturn:
    """`open(step)` and `Path(step)` ask for a path; a step has none yet."""
    _refuse(self, os.fspath.__name__)


Reference.__fspath__ = refuse_fspath  # type: ignore[attr-defined]  # added like the uses above


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


class Options(NamedTuple):
    """How the steps of a function are to be treated; see `as_step`."""

    depends_on: tuple[Step, ...] = ()
    codec: str = "pickle"
    title: str = "Pickle"
    name: str | None = None
    version: str | None = None
    ignore: tuple[str, ...] = ()
    cache: bool = True
    tracking: Tracking = BY_THE_RULE
    observe: bool = True


class Home(Protocol):
    """The pipeline's declarations, as far as a step knows of them."""

    @property
    def source(self) -> ResultSource:
        """Where results come from."""

    @property
    def label(self) -> str:
        """The pipeline's id, for messages."""

    def check_own(self, step: Step, user: str) -> None:
        """Raise `DeclarationError` for a step of another pipeline."""


class Decorated(Protocol):
    """What a step knows of its function; `ezpyp.steps.function.StepFunction` is what there is of it."""

    name: str
    title: str
    function: Callable[..., object]
    options: Options
    binder: Binder
    takes_files: bool
    is_async: bool

    @property
    def declarations(self) -> Home:
        """Where its steps are declared."""

    @property
    def place(self) -> str:
        """File and line of the function, for messages."""

    def is_same_function(self, other: Decorated) -> bool:
        """Whether both were made by one ``def``."""

    def __hash__(self) -> int:
        """A function is a key of tables."""

    def encoded(
        self, values: tuple[object, ...], given: tuple[int, tuple[str, ...]] = (0, ()), *, by_name: bool = False
    ) -> bytes:
        """Canonical bytes of bound values."""


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
        "kept",
        "slots",
        "twin",
        "values",
    )

    def __init__(  # noqa: PLR0917 - made by one caller, once a call; keywords would cost a tenth of it
        self,
        function: Decorated,
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
        self.kept: bytes | None = None  # the pickle that the last run stored, if it was small: not to be read back
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
        self.kept = None

    @property
    def known_as(self) -> tuple[str, bytes] | None:
        """Name and key, once freezing has given them: what the index finds its row by."""
        return None if self._key is None or self._name is None else (self._name, self._key)

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


# Many calls of one function, kept together.


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
