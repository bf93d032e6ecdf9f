"""The table of edits: pairs of scripts, and whether a step must run again after the edit.

Each script defines ``step`` (what is decorated) and, where inputs are the point, ``args``. ``rule`` names the rule that
sees the edit; with that rule switched off (see ``_rules.py``) the edit must go unseen, which shows that the scenario
tests it.

The files ``edits/*.txt`` hold most of the table, one family a file. ``«old|new»`` marks what is edited (``«old‖new»``
where a bar stands in it). A scenario of its own begins with ``--- NAME [RULE]``; ``@@ FILE`` begins another file of it.
Scenarios that share a script stand as ``> NAME [RULE]: TEXT`` below it: of a ``=== base`` the marked text is edited, a
``=== template`` is filled with the pieces of the text between ``;;``, marks in either. Without a rule an edit is
harmless.
"""

import re
from dataclasses import dataclass
from pathlib import Path

_MARK = re.compile(r"«(.*?)(‖|\|)(.*?)»", re.DOTALL)
_HEAD = re.compile(r"(.+?)(?: \[([^\]]+)\])?")
_ROW = re.compile(r"> (.+?)(?: \[([^\]]+)\])?: (.*)")
_DEFAULTS = ("pass", "THING")

Files = dict[str, str]
"""The text of each file of a scenario."""


@dataclass(frozen=True)
class Edit:
    """One edit of a script, or of a file beside it; ``rule`` says what makes it count or, of a place, be left out."""

    name: str
    rule: str | None
    before: Files
    after: Files

    @property
    def numpy(self) -> bool:
        """Whether the scenario imports NumPy."""
        return "numpy" in "".join(self.before.values())


MUST: list[Edit] = []
MUST_NOT: list[Edit] = []


def add(name: str, rule: str | None, before: Files, after: Files, *, counts: bool) -> None:
    """Add an edit after which the step must run again, or must not."""
    assert before != after, name
    (MUST if counts else MUST_NOT).append(Edit(name, rule, before, after))


def sides(text: str) -> tuple[str, str]:
    """Return a marked text as it was and as it is."""
    before = _MARK.sub(lambda mark: _split(mark)[0], text)
    return before, _MARK.sub(lambda mark: _split(mark)[1], text)


def _split(mark: re.Match[str]) -> tuple[str, str]:
    inner = mark[0][1:-1]
    old, _, new = inner.partition("‖" if "‖" in inner else "|")
    return old, new


def _read_table(path: Path) -> None:
    for block in re.split(r"^(?==== |--- )", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
        head, _, rest = block.partition("\n")
        if head.startswith("==="):
            _add_shared(rest, is_template=head.endswith("template"))
        elif head:
            name, rule = _HEAD.fullmatch(head[4:]).groups()
            _add_sides(name, rule, {file: sides(part) for file, part in _parts(rest.rstrip("\n") + "\n").items()})


def _add_shared(text: str, *, is_template: bool) -> None:
    lines = text.splitlines(keepends=True)
    files = _parts("".join(line for line in lines if not line.startswith("> ")).rstrip() + "\n")
    for row in (line.rstrip("\n") for line in lines if line.startswith("> ")):
        name, rule, value = _ROW.fullmatch(row).groups()
        value = value.replace("\\n", "\n")
        if is_template:
            pieces = value.split(" ;; ")
            pieces += _DEFAULTS[len(pieces) - 1 :]
            _add_sides(name, rule, {file: sides(part.format(*pieces)) for file, part in files.items()})
        else:
            old, new = sides(value)
            _add_sides(name, rule, {file: (part, part.replace(old, new)) for file, part in files.items()})


def _add_sides(name: str, rule: str | None, files: dict[str, tuple[str, str]]) -> None:
    before, after = ({file: part[side] for file, part in files.items()} for side in (0, 1))
    add(name, rule, before, after, counts=rule is not None)


def _parts(text: str) -> Files:
    script, *others = re.split(r"^@@ (.+)\n", text, flags=re.MULTILINE)
    return {"script.py": script, **dict(zip(others[::2], others[1::2], strict=True))}


for _path in sorted((Path(__file__).parent / "edits").glob("*.txt")):
    _read_table(_path)
