"""What a step is: code and values to digests.

Two laws. Never stale: whatever can change a result and can be seen, changes the digest. Never needless: what cannot
change it leaves the digest alone. Where they fight, never-stale wins.
"""

from collections.abc import Callable

from ezpyp.hashing.registry import REGISTRY

__all__ = ["register"]


def register(kind: type, function: Callable[[object], object]) -> None:
    """Let ``function`` say what counts of the instances of a class, its subclasses included.

    Args:
        kind: The class.
        function: Takes an instance and returns a value to hash in its place.

    Example:
        >>> from ezpyp.hashing.encode import value_digest
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
