"""A decorated function: calling it declares a step."""

from __future__ import annotations

import functools
import inspect
import itertools
import sys
from collections.abc import Callable, Iterable

from ezpyp.errors import DeclarationError, DuplicateNameError, InitializationError
from ezpyp.hashing.code.packages import BY_THE_RULE, Tracking
from ezpyp.hashing.encode import encode
from ezpyp.hashing.files import FILE_DIGESTS
from ezpyp.steps.arguments import BARE_TYPES, PLAIN_TYPES, collect
from ezpyp.steps.binding import Binder
from ezpyp.steps.step import Decorated, Options, Reference, ResultSource, Slot, Step, Sweep


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
    """The steps of one pipeline, in order of declaration."""

    def __init__(
        self, source: ResultSource, label: str, tracking: Tracking = BY_THE_RULE, *, observe: bool = True
    ) -> None:
        self.source = source
        self.label = label
        self.tracking = tracking
        self.observe = observe
        self.steps: list[Step] = []
        self.frozen = False
        self._functions: dict[str, Decorated] = {}

    def refuse_while_frozen(self, name: str) -> None:
        """Raise `InitializationError` between freezing and the end of ``execute()``."""
        if self.frozen:
            raise InitializationError(
                f"{name!r} cannot become a step of pipeline {self.label!r} now: the schema is frozen. "
                "Declare steps before initialize_schema(), or after execute()"
            )

    def adopt(self, function: Decorated) -> None:
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

    def redefine(self, function: Decorated) -> None:
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


class StepFunction:
    """A function whose calls declare steps of a pipeline.

    Inside a running step it is the plain function, which `function` always is.
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
        self.is_async = inspect.iscoroutinefunction(function)
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise DeclarationError(
                f"{self.name!r} of {self.place} is a generator function, which gives its items once, and a step gives "
                "one value for ever: return a list of them, or let map() make a step of each"
            )
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

    def is_same_function(self, other: Decorated) -> bool:
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
