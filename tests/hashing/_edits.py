"""The table of edits: pairs of scripts, and whether a step must run again after the edit.

Each script defines ``step`` (what is decorated) and, where inputs are the point, ``args``. ``old`` in the files is
replaced by ``new`` to make the edited version. ``rule`` names the rule that sees the edit; with that rule switched off
(see ``_rules.py``) the edit must go unseen, which shows that the scenario tests it.
"""

from dataclasses import dataclass, field
from textwrap import dedent


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
