"""Thirty edits between two runs: a conflict and ``why`` name each exactly, by file, line, name, old and new."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ezpyp.inspect.cli import cli
from tests.inspect.edits import HELPERS, STUDY, edited, line_of

ROOT = Path(__file__).absolute().parents[2]
KEY = "a key"


def helpers(text):
    return "helpers.py", line_of(HELPERS, text)


def study(text):
    return "study.py", line_of(STUDY, text)


NOWHERE = ("", 0)

# Step -> kind, name, place, old, new of each cause, in order.
EXPECTED = {
    "constant": [("constant", "constant", study("x + «100"), "100", "200")],
    "helper_constant": [("constant", "scale", helpers("x * «5"), "5", "6")],
    "helper_default": [("default", "shift(by)", helpers("def shift"), "1", "2")],
    "global_scalar": [("global", "helpers.RATE", helpers("RATE ="), "2", "3")],
    "global_key": [("global", "helpers.TABLE['high']", helpers("TABLE ="), "10", "20")],
    "closure": [("closure", "step", helpers("def inner"), "10", "11")],
    "method": [("constant", "Machine.run", helpers("x - «7"), "7", "8")],
    "class_attribute": [("class", "Model.factor", helpers("factor ="), "2", "4")],
    "field_default": [("class", "Settings.width", helpers("width: int"), "3", "9")],
    "enum_member": [("class", "Mode.FAST", helpers("FAST ="), "1", "5")],
    "decorator": [("closure", "n", helpers("@functools.wraps"), "2", "7")],
    "partial": [("global", "helpers.squared.keywords['exponent']", helpers("squared ="), "2", "3")],
    "scalar": [("argument", "x", NOWHERE, "3", "4")],
    "item": [("argument", "x[2]", NOWHERE, "3", "4")],
    "key": [("argument", "config['lr']", NOWHERE, "0.1", "0.2")],
    "attribute": [("argument", "model.width['inner'].width", NOWHERE, "1", "2")],
    "array_values": [("argument", "a", NOWHERE, "ndarray float64 (3, 4)", "ndarray float64 (3, 4)")],
    "array_dtype": [("argument", "a", NOWHERE, "ndarray float64 (3,)", "ndarray float32 (3,)")],
    "array_shape": [("argument", "a", NOWHERE, "ndarray float64 (3,)", "ndarray float64 (4,)")],
    "type_only": [("argument", "x", NOWHERE, "1", "1.0")],
    "more": [
        ("signature", "more", study("@as_step(THREE)\ndef more"), "def more(x)", "def more(x, y)"),
        ("argument", "y", NOWHERE, "", "4"),
    ],
    "fewer": [
        ("signature", "fewer", study("@as_step(THREE)\ndef fewer"), "def fewer(x, y)", "def fewer(x)"),
        ("argument", "y", NOWHERE, "4", ""),
    ],
    "version": [("setting", "version", NOWHERE, "'1'", "'2'")],
    "codec": [("codec", "codec", NOWHERE, "pickle", "json")],
    "ignored": [("setting", "ignore", NOWHERE, "", "['y']")],
    "source": [("constant", "source", study("x * «3|4»\n\n@as_step(THREE)\ndef below"), "3", "4")],
    "below": [("upstream", "source", NOWHERE, KEY, KEY)],
    "given": [("argument", "x", NOWHERE, "1", "2")],
    "below_argument": [("upstream", "given", NOWHERE, KEY, KEY)],
    "ordered": [("dependency", "first", NOWHERE, "other", "first")],
    "tracked": [("version", "labtools", NOWHERE, "1.0", "1.1")],
    "environment": [("constant", "environment", study('os.environ["STUDY_MODE"]'), "3", "4")],
    "function_argument": [("argument", "f", helpers("x * «5"), "5", "6")],
}  # fmt: skip


def run(folder, version, **environ):
    """One run of the study as it stands before or after the edits, in a process of its own."""
    for name, template in (("helpers.py", HELPERS), ("study.py", STUDY)):
        (folder / name).write_text(edited(template, version))
    package = folder / "lib" / "labtools.dist-info"
    package.mkdir(parents=True, exist_ok=True)
    (package / "METADATA").write_text(f"Metadata-Version: 2.1\nName: labtools\nVersion: 1.{version}\n")
    (folder / "lib" / "labtools.py").write_text(f"__version__ = '1.{version}'\n")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("EZPYP_")}
    inherited |= {"PYTHONPATH": f"{ROOT}{os.pathsep}{folder / 'lib'}", "STUDY_MODE": str(version)}
    done = subprocess.run(
        [sys.executable, "study.py"], cwd=folder, env=inherited | environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What the conflicts said of each step, and what ``why`` says after the edits were let through."""
    folder = tmp_path_factory.mktemp("study")
    assert run(folder, 0) == ""
    said = dict(re.findall(r"^  (\w+): (.*)$", run(folder, 1), re.MULTILINE))
    assert run(folder, 1, EZPYP_REVISE="1") == ""
    return said, {name: why(folder, name, "--format", "json") for name in EXPECTED}, folder


def why(folder, name, *options):
    cache = next(path for path in sorted(folder.glob("cache*")) if _holds(path, name))
    done = CliRunner().invoke(cli, [str(cache), "why", name, *options], prog_name="ezpyp")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout) if options else done.stdout


def _holds(cache, name):
    return f'"name": "{name}"' in (cache / "pipeline.schema").read_text()


def _short(cause):
    values = [KEY if re.fullmatch("[0-9a-f]{32}", cause[side]) else cause[side] for side in ("old", "new")]
    return cause["kind"], cause["name"], (os.path.basename(cause["file"]), cause["line"]), *values


@pytest.mark.parametrize("step", EXPECTED)
def test_why_names_the_edit_exactly(told, step):
    found = told[1][step]
    assert found["kind"] == "changed"
    assert [_short(cause) for cause in found["causes"]] == EXPECTED[step]


@pytest.mark.parametrize("step", EXPECTED)
def test_conflict_says_the_same_before_anything_runs(told, step):
    said, whys, _ = told
    assert said[step] == "; ".join(cause["text"] for cause in whys[step]["causes"])


def test_what_does_not_count_is_told_apart(told):
    (beside,) = told[1]["environment"]["circumstances"]
    assert (beside["kind"], beside["name"]) == ("environment", "STUDY_MODE")
    text = why(told[2], "environment")
    assert "Changed as well, but in no key\n  environment variable STUDY_MODE changed" in text


def test_why_shows_the_recorded_sources_that_changed_plain_to_a_pipe(told):
    text = why(told[2], "helper_constant")
    assert "Recorded source of scale\n--- before\n+++ now\n" in text
    assert "-    return x * 5\n+    return x * 6" in text
    assert "Recorded source of helper_constant" not in text
    assert "\x1b" not in text


def test_why_goes_down_to_the_root_of_an_upstream(told):
    assert re.search(r"\n  upstream source changed \(x\)\n    constant 3 -> 4 in source", why(told[2], "below"))
