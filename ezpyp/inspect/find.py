"""Find the step that a person names on the command line."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import click

from ezpyp.describe import plain
from ezpyp.errors import DamagedIndexError, UnknownStepError
from ezpyp.graph.lookup import find_names
from ezpyp.inspect.output import Decorator, one_line
from ezpyp.store.reader import Reader
from ezpyp.store.rows import StepView, View
from ezpyp.store.schema_rows import ALL_PRESENT

KEY_PREFIX = re.compile("[0-9a-f]{4,32}")


def name_words(*, required: bool = True) -> Decorator:
    """The argument of a verb that is about one step."""
    return click.argument("words", metavar="NAME [PARAM=VALUE]...", nargs=-1, required=required)


@dataclass(frozen=True, slots=True)
class Found:
    """A step, and whether the revision that was asked about still has it."""

    step: StepView
    view: View
    is_present: bool = True


def find_step(reader: Reader, words: tuple[str, ...], view: View) -> Found:
    """The step meant by a name with PARAM=VALUE words, a glob, a prefix or the start of a key.

    Names that only earlier revisions had are found too.
    """
    wanted, *rest = words
    params = dict(_param(word) for word in rest)
    exact = None if params else reader.step(view, "s.name = :name", {"name": wanted})
    if exact is not None:
        return Found(exact, view)
    query = f"SELECT s.name, s.params FROM steps s WHERE {ALL_PRESENT} ORDER BY s.phase, s.id"
    recorded: dict[str, str] = dict(reader.ask(query, {"revision": view.revision}))
    wanted = _as_recorded(wanted, recorded)
    try:
        name = find_names(wanted, recorded, params, lambda name: _texts(reader, recorded[name]))
    except UnknownStepError:
        other = None if params else _by_key(reader, view, wanted) or _left_out(reader, wanted)
        if other is None:
            raise
        return other
    return _found(reader, reader.step(view, "s.name = :name", {"name": name}), view)


def _as_recorded(wanted: str, recorded: Mapping[str, str]) -> str:
    """The name itself, of one that was copied from where its control characters stand escaped."""
    if "\\" not in wanted or wanted in recorded:
        return wanted
    found = [name for name in recorded if one_line(name) == wanted]
    return found[0] if len(found) == 1 else wanted


def _texts(reader: Reader, params: str) -> dict[str, str]:
    return {param: plain(text) for param, text in reader.load(params).items()}


def _found(reader: Reader, step: StepView | None, view: View, *, is_present: bool = True) -> Found:
    if step is None:
        raise DamagedIndexError(f"{reader.file} is damaged: the index of its names and its rows disagree")
    return Found(step, view, is_present)


def _param(word: str) -> tuple[str, str]:
    param, equals, value = word.partition("=")
    if not equals:
        raise click.UsageError(f"{word!r} after the name is no PARAM=VALUE; quote a name that holds blanks")
    return param, value


def _by_key(reader: Reader, view: View, wanted: str) -> Found | None:
    """Steps of any revision whose key starts so; the one of this revision goes first."""
    if not KEY_PREFIX.fullmatch(wanted.lower()):
        return None
    rows = list(reader.ask("SELECT name, id FROM steps WHERE lower(hex(key)) GLOB ?", [wanted.lower() + "*"]))
    if len(rows) > 1:
        names = tuple(name for name, _ in rows[:10])
        message = f"key {wanted}... is that of {len(rows)} steps: {', '.join(names)}; give more of it"
        raise UnknownStepError(message, name=wanted, candidates=names)
    return _by_id(reader, view, rows[0][1]) if rows else None


def _left_out(reader: Reader, wanted: str) -> Found | None:
    """A step that only earlier revisions had, in the newest of them."""
    query = "SELECT id FROM steps JOIN schema_changes ON step = id WHERE name = ? ORDER BY revision DESC"
    row = reader.one(query, [wanted])
    return _by_id(reader, reader.view(), row[0]) if row else None


def _by_id(reader: Reader, view: View, step: int) -> Found | None:
    here = reader.step(view, "s.id = :step", {"step": step})
    if here is not None:
        return Found(here, view)
    row = reader.one("SELECT max(revision) FROM schema_changes WHERE step = ? AND present = 1", [step])
    if row is None or row[0] is None:
        return None
    earlier = reader.view(revision=row[0])
    return _found(reader, reader.step(earlier, "s.id = :step", {"step": step}), earlier, is_present=False)
