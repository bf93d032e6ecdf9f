"""The decorators that turn functions into steps."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypedDict, Unpack

from ezpyp.errors import DeclarationError, OptionError, UnknownCodecError
from ezpyp.hashing.code.packages import Tracking, version_of
from ezpyp.steps.function import Declarations, StepFunction
from ezpyp.steps.step import Options, PlaceHolder, Step, Sweep
from ezpyp.store.codecs.encoded import get_codec

# The packages that the options of a pipeline or a step name.


def names_of(option: str, names: Iterable[str]) -> tuple[str, ...]:
    """The names that an option was given, one string counting as one name; sorted, each once.

    Raises:
        OptionError: Something among them is no name.
    """
    try:
        found = (names,) if isinstance(names, str) else tuple(names)
    except TypeError:
        found = (names,)  # type: ignore[assignment]  # no iterable, and refused below
    if not all(isinstance(name, str) and name for name in found):
        raise OptionError(f"{option} takes names, not {names!r}")
    return tuple(sorted(set(found)))


def tracking_of(
    track: Iterable[str] = (),
    no_track: Iterable[str] = (),
    track_versions: Iterable[str] = (),
    versions_where_used: Iterable[str] = (),
) -> Tracking:
    """The settings that options say.

    Raises:
        OptionError: An option names something that is not installed: counting for nothing, it would go unnoticed.
    """
    return Tracking(
        _packages_of("track", track),
        _packages_of("no_track", no_track),
        _with_versions(track_versions),
        _with_versions(versions_where_used),
    )


def _packages_of(option: str, names: Iterable[str]) -> tuple[str, ...]:
    packages = names_of(option, names)
    missing = [name for name in packages if not _is_there(name.partition(".")[0])]
    if missing:
        raise OptionError(
            f"{option}= names {', '.join(map(repr, missing))}, which cannot be imported here: "
            "write the name as in `import NAME`, or install the package"
        )
    return packages


def _is_there(module: str) -> bool:
    if module in sys.modules:
        return True
    from importlib.util import find_spec

    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _with_versions(names: Iterable[str]) -> tuple[str, ...]:
    packages = names_of("track_versions", names)
    for package in packages:
        version_of(package)  # an error here, not when hours of declarations are frozen
    return packages


class StepOptions(TypedDict, total=False):
    """The options of `as_step` that every decorator takes."""

    name: str | None
    version: str | int | None
    ignore: Iterable[str]
    cache: bool
    observe: bool | None
    track: Iterable[str]
    no_track: Iterable[str]
    track_versions: Iterable[str]


class AllStepOptions(StepOptions, total=False):
    """All options of `as_step`."""

    depends_on: Iterable[Step]
    codec: str


Decorator = Callable[[Callable[..., object]], StepFunction]


class HasDeclarations(Protocol):
    """What the decorators need of a pipeline."""

    declarations: Declarations


# Forgetting the pipeline is an error that shows the right spelling, not a TypeError about arguments.
_MISSING: Any = object()


def as_step(  # noqa: PLR0913 - each option is a word of the user's, and all but two are keyword-only
    pipeline: HasDeclarations = _MISSING,
    depends_on: Iterable[Step] = (),
    codec: str = "pickle",
    *,
    name: str | None = None,
    version: str | int | None = None,
    ignore: Iterable[str] = (),
    cache: bool = True,
    observe: bool | None = None,
    track: Iterable[str] = (),
    no_track: Iterable[str] = (),
    track_versions: Iterable[str] = (),
) -> Decorator:
    """Make a decorator that turns a function into steps of a pipeline.

    Args:
        pipeline: The pipeline that the steps belong to.
        depends_on: Steps that must be done before, also where no value is passed (effects through files).
            Naming the highest step is enough. They count in the key.
        codec: How results become bytes: ``pickle``, ``cloudpickle``, ``numpy``, ``json`` or a registered one.
        name: Name of the steps; the function's own by default.
        version: Added to the key, never instead of the code: raise it to run again.
        ignore: Parameters that do not count in the key, such as ``verbose``.
        cache: Whether a result may be used again. ``cache=False`` runs in every run.
        observe: Whether files, folders and environment variables that the body reads are observed, and a result is
            used again only while they are the same; as the pipeline says by default.
        track: Packages whose code counts by content although they are installed.
        no_track: Packages whose code counts by name although it is yours.
        track_versions: Libraries whose version counts in the key, such as ``numpy``. This and the two before add to
            those of the pipeline; one string is one name.

    Returns:
        A decorator; what it returns declares a step when it is called.

    Raises:
        DeclarationError: The pipeline is missing, or ``depends_on`` holds something that is no step.
        OptionError: An option has a value that it cannot have, or names a package that is not installed.

    Example:
        >>> from tempfile import mkdtemp
        >>> from ezpyp import Pipeline, as_step
        >>> pipeline = Pipeline(mkdtemp(), "doc")
        >>> @as_step(pipeline, codec="json", version="2", ignore=["verbose"])
        ... def alpha(x, verbose=False):
        ...     return {"x": x}
        >>> step = alpha(3, verbose=True)
        >>> report = pipeline.execute(output="none")
        >>> step.get_result()
        {'x': 3}
    """
    declarations = _declarations_of(pipeline, "as_step")
    options = Options(
        _steps_of(depends_on), codec, _title_of(codec), _name_of(name), _version_of(version),
        names_of("ignore", ignore), flag("cache", cache),
        declarations.tracking.with_own(tracking_of(track, no_track, track_versions)),
        declarations.observe if observe is None else flag("observe", observe),
    )  # fmt: skip

    def decorate(function: Callable[..., object]) -> StepFunction:
        if isinstance(function, StepFunction):
            function = function.function
        if not callable(function):
            raise DeclarationError(f"only functions become steps, not {function!r}")
        return StepFunction(declarations, function, options)

    return decorate


def as_pickle_step(
    pipeline: HasDeclarations = _MISSING, depends_on: Iterable[Step] = (), **options: Unpack[StepOptions]
) -> Decorator:
    """`as_step` with results stored by pickle, protocol 5; falls back to cloudpickle.

    Args:
        pipeline: The pipeline that the steps belong to.
        depends_on: Steps that must be done before.
        **options: Those of `as_step` but ``codec``.

    Example:
        >>> from tempfile import mkdtemp
        >>> from ezpyp import Pipeline, as_pickle_step
        >>> pipeline = Pipeline(mkdtemp(), "doc")
        >>> @as_pickle_step(pipeline)
        ... def alpha(x):
        ...     return x**2
        >>> alpha(3)
        Pickle Step Object 'alpha(...)'
    """
    _declarations_of(pipeline, "as_pickle_step")
    return as_step(pipeline, depends_on, "pickle", **options)


def as_cloudpickle_step(
    pipeline: HasDeclarations = _MISSING, depends_on: Iterable[Step] = (), **options: Unpack[StepOptions]
) -> Decorator:
    """`as_step` with results stored by cloudpickle: lambdas, local classes, closures.

    Args:
        pipeline: The pipeline that the steps belong to.
        depends_on: Steps that must be done before.
        **options: Those of `as_step` but ``codec``.

    Example:
        >>> from tempfile import mkdtemp
        >>> from ezpyp import Pipeline, as_cloudpickle_step
        >>> pipeline = Pipeline(mkdtemp(), "doc")
        >>> @as_cloudpickle_step(pipeline)
        ... def adder(n):
        ...     return lambda x: x + n
        >>> step = adder(2)
        >>> report = pipeline.execute(output="none")
        >>> step.get_result()(40)
        42
    """
    _declarations_of(pipeline, "as_cloudpickle_step")
    return as_step(pipeline, depends_on, "cloudpickle", **options)


def as_numpy_step(
    pipeline: HasDeclarations = _MISSING, depends_on: Iterable[Step] = (), **options: Unpack[StepOptions]
) -> Decorator:
    """`as_step` with results stored in the ``.npy`` format; what is no plain array falls back to pickle.

    Args:
        pipeline: The pipeline that the steps belong to.
        depends_on: Steps that must be done before.
        **options: Those of `as_step` but ``codec``.

    Example:
        >>> from tempfile import mkdtemp
        >>> import numpy
        >>> from ezpyp import Pipeline, as_numpy_step
        >>> pipeline = Pipeline(mkdtemp(), "doc")
        >>> @as_numpy_step(pipeline)
        ... def ramp(n):
        ...     return numpy.arange(n)
        >>> step = ramp(3)
        >>> report = pipeline.execute(output="none")
        >>> step.get_result().tolist()
        [0, 1, 2]
    """
    _declarations_of(pipeline, "as_numpy_step")
    return as_step(pipeline, depends_on, "numpy", **options)


def _declarations_of(pipeline: object, decorator: str) -> Declarations:
    declarations = getattr(pipeline, "declarations", None)
    if isinstance(declarations, Declarations) and not isinstance(pipeline, StepFunction):
        return declarations
    if pipeline is _MISSING:
        raise DeclarationError(f"the decorator needs its pipeline: write @{decorator}(pipeline)")
    if callable(pipeline):
        raise DeclarationError(
            f"the decorator was used without its pipeline on {getattr(pipeline, '__name__', pipeline)!r}: "
            f"write @{decorator}(pipeline)"
        )
    raise DeclarationError(f"{decorator}(pipeline): the first argument must be a Pipeline, not {pipeline!r}")


def _steps_of(depends_on: object) -> tuple[Step, ...]:
    if isinstance(depends_on, (Step, PlaceHolder)):
        raise DeclarationError(f"depends_on takes a list of steps: write depends_on=[{depends_on!r}]")
    if not isinstance(depends_on, Iterable) or isinstance(depends_on, str):
        raise DeclarationError(f"depends_on takes a list of steps, not {depends_on!r}")
    steps: list[Step] = []
    for item in depends_on:
        if isinstance(item, (Sweep, list, tuple)):
            steps.extend(_steps_of(item))
        elif isinstance(item, (Step, PlaceHolder)):
            steps.append(item.step)
        else:
            raise DeclarationError(_no_step(item))
    return tuple(steps)


def _no_step(item: object) -> str:
    if isinstance(item, StepFunction) or callable(item):
        name = getattr(item, "__name__", repr(item))
        return f"depends_on was given the function {name!r}, not a step: a step is what calling it returns, {name}(...)"
    return f"depends_on takes steps, not {item!r}"


def _title_of(codec: str) -> str:
    try:
        return get_codec(codec).title
    except UnknownCodecError:
        raise
    except TypeError:
        raise OptionError(f"codec must be the name of a codec, not {codec!r}") from None


def _is_text(name: str) -> bool:
    return name == name.encode("utf-8", "ignore").decode()


def _name_of(name: object) -> str | None:
    if name is not None and (not isinstance(name, str) or not name.strip() or not _is_text(name)):
        raise OptionError(f"name must be a string that is not empty and that UTF-8 can spell, not {name!r}")
    return name


def flag(option: str, value: object) -> bool:
    """The value of an option that is on or off.

    Raises:
        OptionError: It is neither.
    """
    if not isinstance(value, bool):
        raise OptionError(f"{option} must be True or False, not {value!r}")
    return value


def _version_of(version: object) -> str | None:
    if version is not None and (not isinstance(version, (str, int)) or isinstance(version, bool)):
        raise OptionError(f"version must be a string or a whole number, not {version!r}")
    return None if version is None else str(version)
