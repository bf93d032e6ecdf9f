"""What may be written down of an argument besides its text: digests, and the code that it brings along."""

from types import FunctionType

from xxhash import xxh3_64_hexdigest

from ezpyp.errors import EzpypError
from ezpyp.hashing._identity import FunctionIdentity, function_identity
from ezpyp.hashing._ownership import Ownership
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


def code_identity(value: object) -> FunctionIdentity | None:
    """Return what a function or class of the user's is; None for a library's and for anything else.

    Example:
        >>> code_identity(len) is None
        True
    """
    policy = Ownership()
    is_users = policy.owns_function(value) if isinstance(value, FunctionType) else (
        isinstance(value, type) and not policy.is_library(value)
    )  # fmt: skip
    return function_identity(value) if is_users else None
