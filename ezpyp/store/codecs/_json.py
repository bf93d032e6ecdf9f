"""JSON: text for other programs, only where it gives the same value back."""

import json
from collections.abc import Iterator, Sequence

from ezpyp.store.codecs._protocol import Buffer

_LEAVES = frozenset({str, int, float, bool, type(None)})


class JsonCodec:
    """Plain dicts with string keys, lists, strings, finite numbers, booleans and None."""

    name = "json"
    version = 1
    suffix = ".json"
    title = "Json"

    def encode(self, value: object) -> Sequence[Buffer]:
        """Write the text, once it is sure that reading gives the same value."""
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        for problem in _problems(value, "result"):
            raise TypeError(problem)
        return [text.encode()]

    def decode(self, data: memoryview) -> object:
        """Read the text."""
        return json.loads(bytes(data))


def _problems(value: object, path: str) -> Iterator[str]:
    """What JSON would silently turn into something else: tuples, number keys, subclasses."""
    kind = type(value)
    if kind is list:
        for index, item in enumerate(value):  # type: ignore[arg-type]  # kind says so
            yield from _problems(item, f"{path}[{index}]")
    elif kind is dict:
        for key, item in value.items():  # type: ignore[attr-defined]  # kind says so
            if type(key) is not str:
                yield f"{path} has the key {key!r}, and JSON keys are strings"
            yield from _problems(item, f"{path}[{key!r}]")
    elif kind not in _LEAVES:
        yield f"{path} is a {kind.__qualname__}, which JSON would not give back"
