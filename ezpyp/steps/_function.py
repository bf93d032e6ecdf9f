"""A decorated function: calling it declares a step."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ezpyp.errors import DeclarationError
from ezpyp.hashing import BY_THE_RULE, FILE_DIGESTS, Tracking, encode
from ezpyp.steps._binding import Binder
from ezpyp.steps._collect import BARE_TYPES, PLAIN_TYPES, collect
from ezpyp.steps._declarations import RUNNING, Declarations
from ezpyp.steps._reference import Reference
from ezpyp.steps._step import Slot, Step
from ezpyp.steps._sweep import Sweep


@dataclass(frozen=True, slots=True)
class Options:
    """How the steps of a function are to be treated; see `as_step`."""

    depends_on: tuple[Step, ...] = ()
    codec: str = "pickle"
    title: str = "Pickle"
    name: str | None = None
    version: str | None = None
    ignore: tuple[str, ...] = ()
    cache: bool = True
    tracking: Tracking = BY_THE_RULE


class StepFunction:
    """A function whose calls declare steps of a pipeline.

    Inside a running step it is the plain function, which `function` always is.

    Args:
        declarations: Where its steps are declared.
        function: The plain function.
        options: How its steps are treated.
    """

    def __init__(self, declarations: Declarations, function: Callable[..., object], options: Options) -> None:
        functools.update_wrapper(self, function, updated=())
        self.declarations = declarations
        self.function = function
        self.options = options
        self.name = options.name or str(getattr(function, "__name__", type(function).__name__))
        self.title = options.title
        self.binder = Binder(function)
        self._ignored = self._ignored_positions()
        self._adopted = False
        self.takes_files = False  # whether a call was given an ezpyp.File
        for upstream in options.depends_on:
            declarations.check_own(upstream, self.name)
        declarations.redefine(self)

    @property
    def __ezpyp_function__(self) -> Callable[..., object]:
        """What counts when another function uses this one as a helper."""
        return self.function

    @property
    def place(self) -> str:
        """File and line of the function, for messages."""
        code = getattr(self.function, "__code__", None)
        return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(self.function)

    def is_same_function(self, other: StepFunction) -> bool:
        """Whether both were made by one ``def``, such as one in a loop or in a function called twice."""
        code = getattr(self.function, "__code__", self.function)
        return bool(code == getattr(other.function, "__code__", other.function) and self.place == other.place)

    def __call__(self, /, *args: object, **kwargs: object) -> Step:
        """Declare a step, or inside a running step call the plain function.

        Raises:
            DeclarationError: The arguments do not fit, or hold a step of another pipeline.
            UnhashableValueError: An argument has no stable content.
            InitializationError: The schema is frozen.
        """
        if RUNNING.depth:
            return self.function(*args, **kwargs)  # type: ignore[return-value]  # in a body, where nobody has a Step
        return self._declare(args, kwargs, bracketed=False)

    def map(self, /, *iterables: Iterable[object], **named: Iterable[object]) -> Sweep:
        """Declare one step for each position of the iterables, which must have one length.

        Example:
            ``simulate.map([1, 2, 3], seed=[7, 8, 9])`` declares three steps.
        """
        columns = [self._listed(values) for values in (*iterables, *named.values())]
        if len({len(column) for column in columns}) > 1:
            lengths = ", ".join(str(len(column)) for column in columns)
            raise DeclarationError(f"{self.name}.map zips its iterables, and these have lengths {lengths}")
        return self._sweep(zip(*columns, strict=True), len(iterables), tuple(named))

    def grid(self, /, *iterables: Iterable[object], **named: Iterable[object]) -> Sweep:
        """Declare one step for each combination; the last parameter varies fastest.

        Example:
            ``simulate.grid(x=[0.1, 0.2], seed=range(10))`` declares twenty steps.
        """
        columns = [self._listed(values) for values in (*iterables, *named.values())]
        return self._sweep(itertools.product(*columns), len(iterables), tuple(named))

    def _listed(self, values: Iterable[object]) -> list[object]:
        if isinstance(values, (Reference, str)) or not isinstance(values, Iterable):
            raise DeclarationError(f"map and grid of {self.name!r} take iterables of values, not {values!r}")
        return list(values)

    def _sweep(self, rows: Iterable[tuple[object, ...]], positional: int, names: tuple[str, ...]) -> Sweep:
        return Sweep(
            [
                self._declare(row[:positional], dict(zip(names, row[positional:], strict=True)), bracketed=True)
                for row in rows
            ]
        )

    def _declare(self, args: tuple[object, ...], kwargs: dict[str, object], *, bracketed: bool) -> Step:
        declarations = self.declarations
        if declarations.frozen or not self._adopted:
            self._enter()
        values = self.binder.bind(args, kwargs)
        given = (len(args), tuple(kwargs) if kwargs else ())
        slots: tuple[Slot, ...] = ()
        if PLAIN_TYPES.issuperset(map(type, values)):
            encoding = self.encoded(values) if self._ignored else encode(values, ())
        else:
            values, slots = collect(values)
            for slot in slots:
                if slot.step.function.declarations is not declarations:
                    declarations.check_own(slot.step, self.name)
            FILE_DIGESTS.met.clear()
            encoding = self.encoded(values, given)
            self.takes_files |= bool(FILE_DIGESTS.met)
        step = Step(self, values, given, encoding, slots, bracketed)
        declarations.steps.append(step)
        return step

    def _enter(self) -> None:
        """Once a function, and while frozen: a check at every call would cost a tenth of the call."""
        self.declarations.refuse_while_frozen(self.name)
        self.declarations.adopt(self)
        self._adopted = True

    def encoded(
        self,
        values: tuple[object, ...],
        given: tuple[int, tuple[str, ...]] = (0, ()),
        *,
        by_name: bool = False,
    ) -> bytes:
        """Canonical bytes of bound values, those of ignored parameters left out."""
        if self._ignored:
            values = tuple(value for i, value in enumerate(values) if i not in self._ignored)
        if BARE_TYPES.issuperset(map(type, values)):
            return encode(values, ())  # nothing in it can be refused, so nothing needs a name
        roots = self.binder.roots(given)
        kept = [root for i, root in enumerate(roots) if i not in self._ignored]
        tracking = BY_THE_RULE if by_name else self.options.tracking  # a name has no code in it
        return encode(values, kept, by_name=by_name, tracking=tracking)

    def _ignored_positions(self) -> frozenset[int]:
        unknown = set(self.options.ignore) - set(self.binder.parameters)
        if unknown:
            raise DeclarationError(
                f"ignore= of {self.name!r} names {sorted(unknown)}, but its parameters are "
                f"{', '.join(self.binder.parameters) or 'none'}"
            )
        return frozenset(self.binder.parameters.index(name) for name in self.options.ignore)

    def __repr__(self) -> str:
        return f"{self.title} Step Function {self.name!r} of {self.place}"
