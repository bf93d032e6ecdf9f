"""Arguments bound to parameters, so that ``f(3)``, ``f(x=3)`` and a default of 3 are one step."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter

from ezpyp.describe import describe, is_secret
from ezpyp.errors import DeclarationError

# Parameter.empty is a class, hence ``type``.
_PLAIN_DEFAULTS = frozenset({int, float, complex, bool, str, bytes, type(None), type})
_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


class Binder:
    """Binds calls of one function.

    Args:
        function: Any callable; one without a readable signature counts as ``(*args, **kwargs)``.
    """

    def __init__(self, function: Callable[..., object]) -> None:
        self._label = getattr(function, "__name__", repr(function))
        self._signature = _signature_of(function)
        parameters = list(self._signature.parameters.values())
        self.parameters = tuple(parameter.name for parameter in parameters)
        self.kinds = tuple(parameter.kind for parameter in parameters)
        self.defaults: tuple[object, ...] = tuple(parameter.default for parameter in parameters)
        self.only_positional = all(kind in _POSITIONAL for kind in self.kinds)
        self.secret = frozenset(filter(is_secret, self.parameters))
        """Parameters whose values are not shown."""
        self._count = len(parameters)
        self._defaults_are_plain = all(type(default) in _PLAIN_DEFAULTS for default in self.defaults)
        self._required = sum(default is Parameter.empty for default in self.defaults)

    def bind(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> tuple[object, ...]:
        """Values in the order of the parameters, defaults applied.

        Raises:
            DeclarationError: The call does not fit the function.
        """
        if self.only_positional and not kwargs and self._required <= len(args) <= self._count:
            # Signature.bind takes 3 us; this path 0.2.
            return args + self.defaults[len(args) :]
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            given = ", ".join([*map(describe, args), *(f"{name}={describe(value)}" for name, value in kwargs.items())])
            raise DeclarationError(
                f"{self._label}({given}) does not fit {self._label}{self._signature}: {error}"
            ) from None
        bound.apply_defaults()
        return tuple(bound.arguments.values())

    def arguments(
        self, values: tuple[object, ...], given: tuple[int, tuple[str, ...]]
    ) -> tuple[Sequence[object], Mapping[str, object]]:
        """Positional and keyword arguments for a call of the function with bound values.

        Defaults that cannot change are left to the function: some builtins refuse their own when they are spelled
        out. Others are handed over, as the step's own copies.
        """
        if self._defaults_are_plain:
            if self.only_positional and not given[1]:
                return values[: given[0]], {}
            return self.as_given(values, given)
        args: list[object] = []
        kwargs: dict[str, object] = {}
        for name, kind, value in zip(self.parameters, self.kinds, values, strict=True):
            if kind in _POSITIONAL:
                args.append(value)
            elif kind is Parameter.VAR_POSITIONAL:
                args.extend(value)  # type: ignore[arg-type]  # what *args collected
            elif kind is Parameter.VAR_KEYWORD:
                kwargs.update(value)  # type: ignore[call-overload]  # what **kwargs collected
            else:
                kwargs[name] = value
        return args, kwargs

    def as_given(
        self, values: tuple[object, ...], given: tuple[int, tuple[str, ...]]
    ) -> tuple[list[object], dict[str, object]]:
        """Split bound values again into positional and keyword arguments, as the call had them."""
        count, names = given
        args: list[object] = []
        kwargs: dict[str, object] = {}
        for name, kind, value in zip(self.parameters, self.kinds, values, strict=True):
            if kind is Parameter.VAR_POSITIONAL:
                args.extend(value)  # type: ignore[arg-type]  # what *args collected
            elif kind is Parameter.VAR_KEYWORD:
                kwargs.update(value)  # type: ignore[call-overload]  # what **kwargs collected
            elif name in names and kind is not Parameter.POSITIONAL_ONLY:
                kwargs[name] = value
            elif len(args) < count:
                args.append(value)
        return args, kwargs

    def roots(self, given: tuple[int, tuple[str, ...]]) -> tuple[str, ...]:
        """How each parameter's argument is called in messages: ``args[0]`` or ``kwargs['x']``."""
        return tuple(
            f"args[{i}]" if i < given[0] and kind in _POSITIONAL else name
            if kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD) else f"kwargs[{name!r}]"
            for i, (name, kind) in enumerate(zip(self.parameters, self.kinds, strict=True))
        )  # fmt: skip


def _signature_of(function: Callable[..., object]) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except (ValueError, TypeError):
        # Some builtins have no readable signature.
        return inspect.Signature(
            [Parameter("args", Parameter.VAR_POSITIONAL), Parameter("kwargs", Parameter.VAR_KEYWORD)]
        )
