"""One difference between two identities, as data and in a line."""

from dataclasses import dataclass
from os.path import basename


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two identities.

    Attributes:
        kind: "constant", "operator", "name", "keyword" (of a call), "variable", "code", "signature", "default",
            "global", "closure", "class", "helper", "method", "version" (of a tracked package), "python"; of
            ``circumstances``, "environment" and "library".
        name: The function, global, default or class attribute that changed.
        file: Where it is defined now; "" where that is unknown.
        line: Line of the change there; 0 where that is unknown.
        old: What it was; "" for what is new.
        new: What it is; "" for what is gone.
        within: "code" for the function itself, "helper" or "method" for code that it leads to, else "".
        before: Its earlier name, where it has another one now; else "".
        shown: How the line names the file; "" for its last part.
        words: What is said of a value that changed, behind its name; "" for old and new.
        is_vague: Whether all that is known is that something changed somewhere inside.
    """

    kind: str
    name: str
    file: str
    line: int
    old: str
    new: str
    within: str = ""
    before: str = ""
    shown: str = ""
    words: str = ""
    is_vague: bool = False

    def __str__(self) -> str:
        if self.kind == "python":
            return f"Python {self.old} -> {self.new}"
        if self.kind == "environment":
            # Values are recorded by digest: they may be passwords.
            how = "changed" if self.old and self.new else "is set now" if self.new else "is not set any more"
            return f"environment variable {self.name} {how}"
        what = self._what()
        if self.within == "code":
            return f"{self.kind} {what} in {self._named()}"
        if self.within:
            return f"{self.within} {self._named()}: {self.kind} {what}"
        kind = "version of" if self.kind in ("version", "library") else self.kind
        if self.words and not self.before:
            return f"{kind} {self._named()}{self.words}"
        return f"{kind} {self._named()}{':' if self.before else ''} {what}"

    def _named(self) -> str:
        file = self.shown or basename(self.file)
        place = f"{file}:{self.line}" if self.line else file
        return f"{self.name}{f' ({place})' if place else ''}{f', before {self.before}' if self.before else ''}"

    def _what(self) -> str:
        if not self.old or not self.new:
            return f"is new: {self.new}" if self.new else f"is gone: {self.old}" if self.old else "changed"
        return f"{self.old} -> {self.new}" if self.old != self.new else f"changed somewhere in {self.new}"
