"""The table of edits: pairs of scripts, and whether a step must run again after the edit.

Each script defines ``step`` (what is decorated) and, where inputs are the point, ``args``. ``rule`` names the rule that
sees the edit; with that rule switched off (see ``_rules.py``) the edit must go unseen, which shows that the scenario
tests it.

The files ``edits/*.txt`` hold most of the table, one family a file. ``«old|new»`` marks what is edited (``«old‖new»``
where a bar stands in it). A scenario of its own begins with ``--- NAME [RULE]``; ``@@ FILE`` begins another file of it.
Scenarios that share a script stand as ``> NAME [RULE]: TEXT`` below it: of a ``=== base`` the marked text is edited, a
``=== template`` is filled with the pieces of the text between ``;;``. Without a rule an edit is harmless.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

_MARK = re.compile(r"«(.*?)(‖|\|)(.*?)»", re.DOTALL)
_LONG_MARK = re.compile(r"«([^»]*)‖([^»]*)»")
_HEAD = re.compile(r"(.+?)(?: \[([^\]]+)\])?")
_ROW = re.compile(r"> (.+?)(?: \[([^\]]+)\])?: (.*)")
_DEFAULTS = ("pass", "THING")


@dataclass(frozen=True)
class Edit:
    """One edit of a script, or of a file beside it."""

    name: str
    old: str
    new: str
    files: dict[str, str]
    rule: str | None = None
    numpy: bool = False
    changed_files: dict[str, str] = field(default_factory=dict)

    def before(self) -> dict[str, str]:
        """Return the files of the unedited version."""
        return self.files

    def after(self) -> dict[str, str]:
        """Return the files of the edited version."""
        if self.changed_files:
            return self.changed_files
        edited = {name: text.replace(self.old, self.new) for name, text in self.files.items()}
        assert edited != self.files, f"{self.name}: {self.old!r} is in no file"
        return edited


MUST: list[Edit] = []
MUST_NOT: list[Edit] = []


def _files(script: str, others: dict[str, str]) -> dict[str, str]:
    named = {name.replace("__slash__", "/") + ".py": dedent(text).lstrip("\n") for name, text in others.items()}
    return {"script.py": dedent(script).lstrip("\n"), **named}


def must(name: str, rule: str, old: str, new: str, script: str, **others: str) -> None:
    """Add an edit after which the step must run again."""
    files = _files(script, others)
    MUST.append(Edit(name, old, new, files, rule, numpy="numpy" in "".join(files.values())))


def must_not(name: str, old: str, new: str, script: str, **others: str) -> None:
    """Add an edit after which the step must not run again."""
    files = _files(script, others)
    MUST_NOT.append(Edit(name, old, new, files, numpy="numpy" in "".join(files.values())))


def must_not_files(name: str, before: dict[str, str], after: dict[str, str]) -> None:
    """Add a harmless change of whole files."""
    MUST_NOT.append(Edit(name, "", "", before, changed_files=after))


def sides(text: str) -> tuple[str, str]:
    """Return a marked text as it was and as it is."""
    before = _MARK.sub(lambda mark: _split(mark)[0], text)
    return before, _MARK.sub(lambda mark: _split(mark)[1], text)


def _split(mark: re.Match[str]) -> tuple[str, str]:
    inner = mark[0][1:-1]
    old, _, new = inner.partition("‖" if "‖" in inner else "|")
    return old, new


def read_table(path: Path) -> Iterator[Edit]:
    """Return the scenarios of one file."""
    for block in re.split(r"^(?==== |--- )", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
        if block.strip():
            head, _, rest = block.partition("\n")
            yield from _shared(head[4:], rest) if head.startswith("===") else [_single(head[4:], rest)]


def _single(head: str, text: str) -> Edit:
    files = _parts(text.rstrip("\n") + "\n")
    marked = {name: sides(part) for name, part in files.items()}
    return _edit(head, {n: old for n, (old, _) in marked.items()}, {n: new for n, (_, new) in marked.items()})


def _shared(kind: str, text: str) -> Iterator[Edit]:
    rows = [line for line in text.splitlines() if line.startswith("> ")]
    files = _parts(
        "".join(line for line in text.splitlines(keepends=True) if not line.startswith("> ")).rstrip() + "\n"
    )
    for row in rows:
        name, rule, value = _ROW.fullmatch(row).groups()
        head = f"{name} [{rule}]" if rule else name
        if kind == "template":
            pieces = [piece.replace("\\n", "\n") for piece in value.split(" ;; ")]
            pieces += _DEFAULTS[len(pieces) - 1 :]
            old, new = (files["script.py"].format(side, *pieces[1:]) for side in sides(pieces[0]))
            yield _edit(head, {"script.py": old}, {"script.py": new})
        else:
            old, new = sides(value.replace("\\n", "\n"))
            yield _edit(head, files, {name: part.replace(old, new) for name, part in files.items()})


def _parts(text: str) -> dict[str, str]:
    script, *others = re.split(r"^@@ (.+)\n", text, flags=re.MULTILINE)
    return {"script.py": script, **dict(zip(others[::2], others[1::2], strict=True))}


def _edit(head: str, before: dict[str, str], after: dict[str, str]) -> Edit:
    name, rule = _HEAD.fullmatch(head).groups()
    assert before != after, name
    return Edit(name, "", "", before, rule, "numpy" in "".join(before.values()), after)


for _path in sorted((Path(__file__).parent / "edits").glob("*.txt")):
    for _found in read_table(_path):
        (MUST if _found.rule else MUST_NOT).append(_found)
