"""What may be written down of an argument besides its text: digests, and the code that it brings along."""

from types import FunctionType

from ezpyp.hashing._identity import FunctionIdentity, function_identity
from ezpyp.hashing._ownership import Ownership


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
