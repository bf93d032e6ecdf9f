"""What differs between two recorded identities without counting in the key: shown beside what made a step run."""

from collections.abc import Iterator

from ezpyp.hashing._change import Change
from ezpyp.hashing._identity import FunctionIdentity


def circumstances(old: FunctionIdentity, new: FunctionIdentity) -> tuple[Change, ...]:
    """Return what changed around a function from one identity to another and counts in no key.

    Args:
        old: The earlier identity.
        new: The later one; its digest may be the same.

    Returns:
        Changes of kind "environment" (a variable that the code reads by a constant name; ``old`` and ``new`` are
        digests of its values, "" where it was not set) and "library" (the version of a library that the code leads to).

    Example:
        >>> import os
        >>> from ezpyp.hashing import function_identity
        >>> def area(r):
        ...     return float(os.environ["EZPYP_DOC_PI"]) * r * r
        >>> os.environ["EZPYP_DOC_PI"] = "3"
        >>> old = function_identity(area)
        >>> os.environ["EZPYP_DOC_PI"] = "3.1"
        >>> [str(change) for change in circumstances(old, function_identity(area))]
        ['environment variable EZPYP_DOC_PI changed']
        >>> del os.environ["EZPYP_DOC_PI"]
    """
    return (*_environment(old, new), *_libraries(old, new))


def _environment(old: FunctionIdentity, new: FunctionIdentity) -> Iterator[Change]:
    before = {part.name: part.digest for part in old.parts if part.kind == "environment"}
    for part in new.parts:
        # A variable that is read for the first time came with the code that reads it.
        if part.kind == "environment" and before.get(part.name, part.digest) != part.digest:
            yield Change("environment", part.name, "", 0, before[part.name], part.digest)


def _libraries(old: FunctionIdentity, new: FunctionIdentity) -> Iterator[Change]:
    counted = {part.name for part in old.parts if part.kind == "version"}
    counted &= {part.name for part in new.parts if part.kind == "version"}
    before = {part.name: part.text for part in old.parts if part.kind == "library" and part.name not in counted}
    for part in new.parts:
        was = before.get(part.name)
        if part.kind == "library" and was and part.text and was != part.text:
            yield Change("library", part.name, "", 0, was, part.text)
