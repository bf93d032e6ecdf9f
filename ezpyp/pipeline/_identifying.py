"""From declared steps to a program: what each function is, and whether it still is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from ezpyp.errors import ArgumentMutatedError, DuplicateNameError, StateChangedError
from ezpyp.graph import Builder, Program
from ezpyp.hashing import KEY_FORMAT, LARGE_BUFFERS, FunctionIdentity, difference, function_identity
from ezpyp.steps import BARE_TYPES, Step, StepFunction
from ezpyp.store import get_codec


def build_program(steps: Sequence[Step]) -> Program:
    """Freeze declared steps.

    Raises:
        DuplicateNameError: Two different functions or steps have one name.
        ArgumentMutatedError: They have because an argument was changed in place between two calls.
    """
    try:
        return Builder(_identifier(), _prefix).build(steps)
    except DuplicateNameError:
        with LARGE_BUFFERS.checking():
            for step in steps:
                _check(step, step.function.name)
        raise


def _identifier() -> Callable[[StepFunction], FunctionIdentity]:
    """What each function is at this moment.

    One function may be decorated for every step of an order-only chain: it is walked once, not 10,000 times.
    """
    known: dict[tuple[object, ...], FunctionIdentity] = {}

    def identify(function: StepFunction) -> FunctionIdentity:
        what = (id(function.function), function.options.tracking)
        if what not in known:
            known[what] = _identify(function)
        return known[what]

    return identify


def _identify(function: StepFunction) -> FunctionIdentity:
    tracking = function.options.tracking
    return function_identity(
        function.function,
        track=tracking.track,
        no_track=tracking.no_track,
        track_versions=tracking.track_versions,
        versions_where_used=tracking.versions_where_used,
    )


def _prefix(function: StepFunction, identity: FunctionIdentity) -> bytes:
    """What every key of a function begins with, each part after its length."""
    options = function.options
    codec = get_codec(options.codec)
    version = "-" if options.version is None else f"={options.version}"
    parts: list[str | bytes] = [
        f"ezpyp {KEY_FORMAT}", sys.implementation.cache_tag or "", identity.digest, codec.name, str(codec.version),
        version, *options.ignore,
    ]  # fmt: skip
    encoded = [part if isinstance(part, bytes) else part.encode() for part in parts]
    framed = b"".join(len(part).to_bytes(4, "little") + part for part in encoded)
    return len(encoded).to_bytes(4, "little") + framed


def check_functions(program: Program) -> None:
    """Digest functions and what they read again.

    Raises:
        StateChangedError: One differs from what was frozen; the message names what.
    """
    identify = _identifier()
    for function, frozen in program.identities.items():
        now = identify(function)
        if now.digest != frozen.digest:
            changes = "; ".join(map(str, difference(frozen, now))) or "its code"
            raise StateChangedError(
                f"{function.name!r} changed after the schema was frozen: {changes}. Change code and globals before "
                "initialize_schema(), or pass what varies as an argument"
            )


def changed_by_steps(program: Program) -> dict[str, str]:
    """What a run changed of what its functions read: a name -> words for a warning.

    Functions that read no data are not looked at again.
    """
    identify = _identifier()
    found: dict[str, str] = {}
    for function, frozen in program.identities.items():
        if not any(part.kind in _STATE for part in frozen.parts):
            continue
        for change in difference(frozen, identify(function)):
            # Of a table with many changes one is enough.
            found.setdefault(change.name.partition("[")[0], f"{change}, which {function.name!r} reads")
    return found


_STATE = frozenset({"global", "closure", "class", "default"})


def check_arguments(program: Program) -> None:
    """Digest mutable arguments again.

    Raises:
        ArgumentMutatedError: One differs from what it was when its step was declared.
    """
    with LARGE_BUFFERS.checking():
        for step, name in zip(program.steps, program.names, strict=True):
            if not BARE_TYPES.issuperset(map(type, step.values)):
                _check(step, name)


def _check(step: Step, name: str) -> None:
    if step.function.encoded(step.values, step.given) != step.encoding:
        binder = step.function.binder
        mutable = [p for p, value in zip(binder.parameters, step.values, strict=True) if type(value) not in BARE_TYPES]
        raise ArgumentMutatedError(
            f"argument {' or '.join(mutable)} of {name!r} (a call of {step.function.place}) was changed in place "
            "after the step was declared: pass a copy, or declare the step after the change"
        )
