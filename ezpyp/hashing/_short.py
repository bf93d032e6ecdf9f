"""What stands for the content of a part of a value where its text does not say all."""

from xxhash import xxh3_64_hexdigest

from ezpyp.errors import EzpypError
from ezpyp.hashing._registry import REGISTRY
from ezpyp.hashing._values import encode


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
        >>> from ezpyp.hashing import File
        >>> says_itself(File), says_itself(list)
        (True, False)
    """
    return any("__ezpyp_digest__" in base.__dict__ or REGISTRY.is_registered(base) for base in kind.__mro__)
