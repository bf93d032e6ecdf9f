"""Values to digests: the arguments of a call, one value, and which values a cut-off may pass through."""

from collections.abc import Sequence

from xxhash import xxh3_64_hexdigest

from ezpyp.describe import Hole
from ezpyp.errors import EzpypError, UnhashableValueError
from ezpyp.hashing.code.packages import BY_THE_RULE, Ownership, Tracking, tracked, versions_as_bytes
from ezpyp.hashing.files import File, name_existing_files
from ezpyp.hashing.large_arrays import LARGE_BUFFERS, LargeBuffers
from ezpyp.hashing.plain import (
    SCALARS,
    count,
    digest,
    dumps,
    plain_bytes,
    plain_sequence,
    scalars_are_short,
    tag,
    texts_in,
)
from ezpyp.hashing.registry import REGISTRY, leaf_hole
from ezpyp.hashing.walk import UnwalkableError, Walker, path_of, sum_up

_ARGUMENTS = tag("arguments")
_HOLES = tag("holes")
_VALUE = tag("value")
_HOLE_PARTS = SCALARS | {Hole}
_NUMBERS = frozenset({int, float, bool, complex})


def encode(
    values: Sequence[object], names: Sequence[str], *, by_name: bool = False, tracking: Tracking = BY_THE_RULE
) -> bytes:
    """Return the canonical bytes of argument values; equal arguments give equal bytes, others do not.

    Args:
        values: Argument values in parameter order, Holes included.
        names: For each value, how an error names it, such as ``args[1]``.
        by_name: Let functions and classes count by name, not by content.
        tracking: How packages count; tracked versions count where a value is no plain data.

    Returns:
        At most 64 bytes; longer encodings are replaced by a tagged digest.

    Raises:
        UnhashableValueError: A part has no stable content; ``path`` says where it stands.

    Example:
        >>> encode([1], ["args[0]"]) == encode([True], ["args[0]"])
        False
        >>> encode([{1, 2}], ["args[0]"]) == encode([{2, 1}], ["args[0]"])
        True
    """
    kinds = set(map(type, values))
    if kinds <= SCALARS and (kinds.isdisjoint(_TEXTS) or scalars_are_short(values)):
        return sum_up(dumps(tuple(values), 2))
    if kinds <= _HOLE_PARTS and scalars_are_short(values):
        parts = [leaf_hole(value) if type(value) is Hole else dumps(value, 2) for value in values]
        return sum_up(_HOLES + count(len(parts)) + b"".join(parts))
    data = plain_sequence(tuple(values))
    if data is None:
        walker = Walker(REGISTRY, _ownership(tracking), by_name=by_name, buffers=LARGE_BUFFERS)
        data = _ARGUMENTS + count(len(values)) + _write(walker, values, names) + _versions(tracking)
    return sum_up(data)


_TEXTS = frozenset({str, bytes})


def _ownership(tracking: Tracking) -> Ownership:
    return Ownership(tracking.track, tracking.no_track)


def _versions(tracking: Tracking) -> bytes:
    """Any tracked library may have made a value that is no plain data, and its code runs where that is used."""
    if not tracking.track_versions and not tracking.versions_where_used:
        return b""
    return versions_as_bytes(tracked((*tracking.track_versions, *tracking.versions_where_used), (), frozenset()))


def _write(walker: Walker, values: Sequence[object], names: Sequence[str]) -> bytes:
    try:
        return walker.write(*values)
    except UnwalkableError as caught:
        path = path_of(caught, values, names)
        kind = type(caught.value)
        name = f"{kind.__module__}.{kind.__qualname__}"
        advice = "" if type(caught.value) is File else _ADVICE
        raise UnhashableValueError(
            f"{path} cannot be hashed: {name}: {caught.reason}{advice}", path=path, type_name=name
        ) from None


_ADVICE = (
    ". Pass what it is made from instead, or say what counts with ezpyp.hashing.register or a __ezpyp_digest__ method"
)


def value_digest(value: object) -> bytes:
    """Return the digest of one value, by type and content.

    Args:
        value: Anything with stable content.

    Returns:
        16 bytes.

    Raises:
        UnhashableValueError: A part has no stable content.

    Example:
        >>> value_digest([1, 2]) == value_digest((1, 2))
        False
    """
    return _digest_by(None, value)


def _digest_by(buffers: LargeBuffers | None, value: object) -> bytes:
    data = plain_bytes(value)
    if data is None:
        data = _VALUE + _write(Walker(REGISTRY, Ownership(), buffers=buffers), (value,), ("value",))
    return digest(data)


def digest_as_checked(value: object) -> bytes:
    """Return the digest of an argument in which large arrays count as they did when they were last checked.

    A copy that is to stand for the argument has this digest, however the original was changed meanwhile.

    Args:
        value: Anything with stable content.

    Returns:
        16 bytes, those of `value_digest` where nothing changed.

    Raises:
        UnhashableValueError: A part has no stable content.
    """
    with LARGE_BUFFERS.as_checked():
        return _digest_by(LARGE_BUFFERS, value)


def cutoff_digest(value: object, *, tracking: Tracking = BY_THE_RULE) -> bytes | None:
    """Return the digest of a result, or None where nothing may be cut off through it.

    Args:
        value: A result.
        tracking: How packages count for the step that gave it, as for `encode`.

    Returns:
        16 bytes; None for None, for what cannot be walked, and for anything that holds a ``Path`` or the name of an
        existing file, whose content may have changed though the name did not.

    Example:
        >>> cutoff_digest(3) == value_digest(3)
        True
        >>> cutoff_digest(None) is None
        True
    """
    if type(value) in _NUMBERS:
        return digest(dumps(value, 2))
    if value is None:
        return None
    try:
        data = plain_bytes(value)
        if data is not None:
            texts = texts_in((value,))
        else:
            walker = Walker(REGISTRY, _ownership(tracking))
            walker.texts = texts = []
            data = _VALUE + walker.write(value) + _versions(tracking)
        return None if texts and name_existing_files(texts) else digest(data)
    except Exception:  # noqa: BLE001  # a result that cannot be walked is no error: nothing is cut off through it
        return None


# What stands for the content of a part of a value where its text does not say all.


def short_digest(value: object) -> str:
    """Return 16 hex characters that change when ``value`` does; "" where it has no stable content.

    Args:
        value: An argument or a part of one, Holes included.

    Example:
        >>> len(short_digest([1, 2])), short_digest([1, 2]) == short_digest([2, 1])
        (16, False)
    """
    try:
        # Short encodings are the value itself, so they are digested once more: a digest gives nothing away.
        return xxh3_64_hexdigest(encode((value,), ("value",)))
    except EzpypError:
        return ""


def says_itself(kind: type) -> bool:
    """Tell whether instances say themselves what counts of them, so that their attributes mean nothing.

    Example:
        >>> from ezpyp.hashing.files import File
        >>> says_itself(File), says_itself(list)
        (True, False)
    """
    return any("__ezpyp_digest__" in base.__dict__ or REGISTRY.is_registered(base) for base in kind.__mro__)
