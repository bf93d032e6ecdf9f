"""What differs between two recorded steps, as the rows of an index tell it."""

from dataclasses import dataclass, replace
from functools import lru_cache

from ezpyp.errors import DamagedIndexError
from ezpyp.hashing import FunctionIdentity, circumstances
from ezpyp.inspect._facts import trees_of, unpacked
from ezpyp.inspect._reader import Reader
from ezpyp.schema import (
    Cause,
    Changed,
    Recorded,
    Upstream,
    causes_of,
    changed_upstreams,
    function_causes,
    upstream_of,
)
from ezpyp.store import CIRCUMSTANCES, circumstances_at, shared_text


@dataclass(frozen=True, slots=True)
class Known:
    """A step's row with its edges; ``function`` is the row of its function."""

    step: int
    function: int
    recorded: Recorded


class Differ:
    """Compares recorded steps; what it has read of a function it keeps, since a sweep shares one."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.identity = lru_cache(maxsize=None)(self._identity)
        self._functions = lru_cache(maxsize=None)(self._function_causes)
        self._argument_code = lru_cache(maxsize=None)(self._code_of_argument)

    def recorded(self, step: int) -> Known:
        """A step as it was recorded."""
        row = self._reader.must(
            "SELECT s.name, lower(hex(s.key)), s.codec, s.params, s.settings, s.function, f.python, s.args, s.kwargs,"
            " f.file, f.line FROM steps s JOIN functions f ON f.id = s.function WHERE s.id = ?",
            [step],
        )
        name, key, codec, params, settings, function, python, *call = row
        edges = self._reader.ask(
            "SELECT e.slot, u.id, u.name, lower(hex(u.key)) FROM step_edges e"
            " JOIN steps u ON u.id = e.upstream WHERE e.step = ? ORDER BY e.ordinal",
            [step],
        )
        upstream = upstream_of((slot, Upstream(*other)) for slot, *other in edges)
        load = self._reader.load
        made_of = load(params), trees_of(self._reader, step), load(settings)
        return Known(step, function, Recorded(name, key, codec, *made_of, python, upstream, *call))

    def causes(self, old: Known, new: Known) -> list[Cause]:
        """What differs, the most telling first; empty where the keys are the same."""
        functions = self._functions(old.function, new.function)
        return causes_of(old.recorded, new.recorded, functions, self._argument_code)

    def followed(self, old: Known, new: Known) -> list[Changed]:
        """The upstreams that changed."""
        return list(changed_upstreams(old.recorded.upstream, new.recorded.upstream))

    def circumstances(self, old: Known, then: int, new: Known, now: int) -> list[Cause]:
        """What changed around the function from one run to another and counts in no key.

        Environment variables that the code reads by a constant name, versions of libraries.
        """
        before, after = self._identity_at(old.function, then), self._identity_at(new.function, now)
        changes = circumstances(before, after) if before and after else ()
        return [Cause(c.kind, str(c), c.name, c.file, c.line, c.old, c.new) for c in changes]

    def not_tracked(self, known: Known) -> tuple[str, ...]:
        """What counts by its type only, so that a change in it is not seen."""
        identity = self.identity(known.function)
        return identity.not_tracked if identity else ()

    def _identity(self, function: int) -> FunctionIdentity | None:
        (data,) = self._reader.must("SELECT identity FROM functions WHERE id = ?", [function])
        return self._read(unpacked(data))

    def _identity_at(self, function: int, run: int) -> FunctionIdentity | None:
        """A function with what was around it in a run; it is recorded but once."""
        identity = self.identity(function)
        with self._reader.translated():
            around = circumstances_at(self._reader.connection, function, run)
        if identity is None or around is None:
            return identity
        own = tuple(part for part in identity.parts if part.kind not in CIRCUMSTANCES)
        return replace(identity, parts=(*own, *around))

    def _code_of_argument(self, digest: str) -> FunctionIdentity | None:
        with self._reader.translated():
            text = shared_text(self._reader.connection, digest)
        return self._read(text)

    def _read(self, text: str | None) -> FunctionIdentity | None:
        try:
            return FunctionIdentity.from_json(text) if text else None
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedIndexError(
                f"{self._reader.file} is damaged: what it says of a function means nothing"
            ) from error

    def _function_causes(self, old: int, new: int) -> tuple[Cause, ...]:
        return () if old == new else function_causes(self.identity(old), self.identity(new))
