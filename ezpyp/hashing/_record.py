"""What is written down of a walk, so that a later difference can be named."""

from dataclasses import dataclass
from types import CodeType, FunctionType

from ezpyp.hashing._code import Form


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a function's identity is made of.

    Attributes:
        kind: "code", "default", "global", "closure", "class", "library", "environment", ...
        name: Name as a reader of the code knows it.
        file: Where it is defined; "" where that is unknown.
        line: First line there; 0 where that is unknown.
        digest: Hex digest of the part by itself.
        text: Short text of its value.
        tokens: Operations of code as (kind, text, line).
        source: Source text of code, where it is the source of that code.
    """

    kind: str
    name: str
    file: str = ""
    line: int = 0
    digest: str = ""
    text: str = ""
    tokens: tuple[tuple[str, str, int], ...] = ()
    source: str | None = None


class Recorder:
    """Collects the parts of one walk, in the order in which it meets them."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.not_tracked: dict[str, None] = {}
        self.reading: list[str] = []

    def function(self, function: FunctionType, form: Form, kind: str) -> None:
        """Note the code of a function."""
        code = function.__code__
        tokens = tuple((token.kind, token.text, token.line) for token in form.tokens)
        self.parts.append(
            Part(
                kind,
                function.__qualname__,
                code.co_filename,
                code.co_firstlineno,
                form.digest.hex(),
                "",
                tokens,
            )
        )

    def value(self, kind: str, name: str, file: str, data: bytes, text: str) -> None:
        """Note a value that code reads."""
        self.parts.append(Part(kind, name, file, 0, data.hex(), text))

    def untracked(self, what: str) -> None:
        """Note that something counts by its type only."""
        name = self.reading[-1] if self.reading else ""
        self.not_tracked[f"{name} ({what})" if name else what] = None


def file_of(code: CodeType) -> str:
    """Return the file that a code object was compiled from."""
    return code.co_filename
