"""Configuration objects of which code reads plain attributes: only those that it reads count."""

from types import MemberDescriptorType, SimpleNamespace

from ezpyp.hashing._uses import Chain

_NOTHING = object()
# Its type in C has a slot of its own, which does what that of every object does.
_PLAIN_READING: tuple[object, ...] = (object.__getattribute__, SimpleNamespace.__getattribute__)


def fields_read(value: object, chains: tuple[Chain, ...]) -> dict[str, object]:
    """Return the attributes that code reads of a configuration object, with their values.

    Args:
        value: Anything.
        chains: Attributes that are read of it.

    Returns:
        Nothing where the whole must count: it is no configuration, is used as a thing, or has code that answers.

    Example:
        >>> fields_read(SimpleNamespace(beta=2, verbose=0), (("beta",), ("beta", "real")))
        {'beta': 2}
    """
    if not chains or not all(chains) or not _is_configuration(type(value)):
        return {}
    found = {chain[0]: _field(value, chain[0]) for chain in chains}
    return {} if any(field is _NOTHING for field in found.values()) else found


def _is_configuration(kind: type) -> bool:
    plain = kind is SimpleNamespace or (kind.__module__, kind.__qualname__) == ("argparse", "Namespace")
    if not plain and "__dataclass_fields__" not in kind.__dict__:
        return False
    return kind.__getattribute__ in _PLAIN_READING and not hasattr(kind, "__getattr__")


def _field(value: object, name: str) -> object:
    """Return an attribute that is data; a property, a method or a default of the class is none."""
    answer = getattr(type(value), name, None)
    if isinstance(answer, MemberDescriptorType):
        return getattr(value, name, _NOTHING)
    if hasattr(answer, "__get__"):
        return _NOTHING
    return getattr(value, "__dict__", {}).get(name, _NOTHING)
