"""An edit of a script is named as it was made: kind, name, file, line, old and new.

``edits.txt`` holds the table. Below ``=== FAMILY`` stand the files of a study (``@@ FILE``), then its edits: a line
``> NAME: «old|new»``, and below it the lines that the difference must say. ``\\n`` is a line break.
"""

import re
from pathlib import Path

import pytest

from ezpyp.explain.function_diff import changed_sources, difference
from ezpyp.explain.record import FunctionRecord, record_of
from tests.hashing._harness import run, write

TABLE = Path(__file__).with_name("edits.txt").read_text()
_EDIT = re.compile(r"«(.*?)\|(.*?)»")


def families():
    """The families of the table: name -> files, and name of an edit -> its replacements and the lines expected."""
    for text in TABLE.split("=== ")[1:]:
        studied, *rows = text.split("\n> ")
        name, *parts = studied.split("@@ ")
        files = {file.partition("\n")[0]: file.partition("\n")[2].rstrip("\n") + "\n" for file in parts}
        edits = {}
        for row in rows:
            head, *lines = row.rstrip("\n").split("\n")
            title, _, marks = head.partition(": ")
            edits[title] = _EDIT.findall(marks.replace("\\n", "\n").replace("\n", "\0")), [line[2:] for line in lines]
        yield name.strip(), files, edits


FAMILIES = {name: (files, edits) for name, files, edits in families()}
CASES = [(family, name) for family, (_, edits) in FAMILIES.items() for name in edits]


def edited(files, replacements):
    for old, new in replacements:
        before = files
        files = {name: text.replace(*(part.replace("\0", "\n") for part in (old, new))) for name, text in files.items()}
        assert files != before, old
    return files


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Family -> the record before, and name of an edit -> the record after."""
    found = {}
    for family, (files, edits) in FAMILIES.items():
        folder = tmp_path_factory.mktemp(family)
        scripts = [write(folder / "before", files)]
        scripts += [write(folder / str(n), edited(files, edit)) for n, (edit, _) in enumerate(edits.values())]
        answers = run([{"script": script, "identity": True} for script in scripts], 1, numpy=True)
        before, *after = [FunctionRecord.from_json(answer["identity"]) for answer in answers]
        found[family] = before, dict(zip(edits, after, strict=True))
    return found


@pytest.mark.parametrize(("family", "name"), CASES)
def test_edit_is_named_exactly(records, family, name):
    before, after = records[family]
    assert [str(change) for change in difference(before, after[name])] == FAMILIES[family][1][name][1]


@pytest.mark.parametrize(("family", "name"), CASES)
def test_edit_undone_is_named_without_operations_of_the_machine(records, family, name):
    before, after = records[family]
    found = difference(after[name], before)
    assert found
    for change in found:
        assert change.old or change.new
        assert not {"LOAD", "STORE", "CALL", "RESUME", "POP"} & set(str(change).replace("_", " ").split())


def test_equal_records_have_no_difference_and_survive_json(records):
    for before, _ in records.values():
        assert difference(before, before) == ()
        assert FunctionRecord.from_json(before.to_json()) == before


def test_sources_that_changed_are_those_of_the_code_that_changed(records):
    before, after = records["code"]
    [(name, was, now)] = changed_sources(before, after["builtin of one of two of a name"])
    assert (name, "min(v)" in was, "max(v)" in now) == ("norm", True, True)


def compiled(text, path="<string>"):
    space = {}
    exec(compile(text, str(path), "exec"), space)
    return space["f"]


@pytest.mark.parametrize(
    ("after", "line"),
    [
        ("def f(x):\n    a = x + 1\n    b = a * 3\n    return b\n", "constant 2 -> 3 in f (<string>:3)"),
        ("def f(x):\n    a = x + 1\n    b = [a, x]\n    return b\n", "code changed in f (<string>:3)"),
    ],
)
def test_without_a_source_only_what_is_sure_is_named(after, line):
    before = compiled("def f(x):\n    a = x + 1\n    b = a * 2\n    return b\n")
    assert [str(change) for change in difference(record_of(before), record_of(compiled(after)))] == [line]


def test_source_is_not_recorded_when_the_file_was_edited_since(tmp_path):
    path = tmp_path / "script.py"
    path.write_text("def f(x):\n    return x + 1\n")
    function = compiled(path.read_text(), path)
    path.write_text("def f(x):\n    return x + 2\n")
    assert record_of(function).source is None
