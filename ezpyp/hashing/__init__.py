"""What a step is: code and values to digests.

Two laws. Never stale: whatever can change a result and can be seen, changes the digest. Never needless: what cannot
change it leaves the digest alone. Where they fight, never-stale wins.
"""

from collections.abc import Callable

from ezpyp.hashing._arguments import code_identity
from ezpyp.hashing._change import Change
from ezpyp.hashing._circumstances import circumstances
from ezpyp.hashing._describe import describe
from ezpyp.hashing._difference import changed_sources, difference
from ezpyp.hashing._file import File
from ezpyp.hashing._file_memo import FILE_DIGESTS
from ezpyp.hashing._framing import KEY_FORMAT
from ezpyp.hashing._hole import Hole
from ezpyp.hashing._identity import FunctionIdentity, function_identity
from ezpyp.hashing._large import LARGE_BUFFERS, LARGE_BYTES
from ezpyp.hashing._long import apart, sketch, whereabouts
from ezpyp.hashing._record import Part
from ezpyp.hashing._registry import REGISTRY
from ezpyp.hashing._secrets import SECRET, is_secret, without_secrets
from ezpyp.hashing._short import says_itself, short_digest
from ezpyp.hashing._tracking import BY_THE_RULE, Tracking
from ezpyp.hashing._values import cutoff_digest, digest_as_checked, encode, value_digest
from ezpyp.hashing._versions import version_of

__all__ = [
    "FILE_DIGESTS",
    "BY_THE_RULE",
    "KEY_FORMAT",
    "LARGE_BUFFERS",
    "LARGE_BYTES",
    "SECRET",
    "Change",
    "File",
    "FunctionIdentity",
    "Hole",
    "Part",
    "Tracking",
    "apart",
    "changed_sources",
    "circumstances",
    "code_identity",
    "cutoff_digest",
    "describe",
    "difference",
    "digest_as_checked",
    "encode",
    "function_identity",
    "is_secret",
    "register",
    "says_itself",
    "short_digest",
    "sketch",
    "value_digest",
    "version_of",
    "whereabouts",
    "without_secrets",
]


def register(kind: type, function: Callable[[object], object]) -> None:
    """Let ``function`` say what counts of the instances of a class, its subclasses included.

    Args:
        kind: The class.
        function: Takes an instance and returns a value to hash in its place.

    Example:
        >>> class Session:
        ...     def __init__(self, url):
        ...         self.url, self.calls = url, 0
        >>> register(Session, lambda session: session.url)
        >>> one, two = Session("db"), Session("db")
        >>> one.calls = 7
        >>> value_digest(one) == value_digest(two)
        True
    """
    REGISTRY.register(kind, function)
