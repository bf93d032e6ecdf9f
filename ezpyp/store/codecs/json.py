"""JSON: text for other programs, only where it gives the same value back."""

import json
from collections.abc import Iterator, Sequence

from ezpyp.errors import CodecError
from ezpyp.store.codecs.protocol import Buffer

_LEAVES = frozenset({str, int, float, bool, type(None)})


class JsonCodec:
    """Plain dicts with string keys, lists, strings, finite numbers, booleans and None."""

    name = "json"
    version = 1
    suffix = ".json"
    title = "Json"

    def encode(self, value: object) -> Sequence[Buffer]:
        """Write the text, where it is sure that reading gives the same value."""
        # First of all, because it ends at a value that holds itself, and the walk below would not.
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        for problem in _problems(value, "the result"):
            raise CodecError(f"{problem}, which JSON would not give back")
        return [text.encode()]

    def decode(self, data: memoryview) -> object:
        """Read the text."""
        return json.loads(bytes(data))


def _problems(value: object, path: str) -> Iterator[str]:
    """What JSON silently turns into something else: tuples, keys that are numbers, subclasses."""
    kind = type(value)
    if kind is list and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _problems(item, f"{path}[{index}]")
    elif kind is dict and isinstance(value, dict):
        for key, item in value.items():
            if type(key) is not str:
                yield f"{path} has the key {key!r}"
            yield from _problems(item, f"{path}[{key!r}]")
    elif kind not in _LEAVES:
        yield f"{path} is a {kind.__qualname__}"
