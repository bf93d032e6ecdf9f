"""A conflict and ``why`` name each edit between two runs by place, old and new; `«old|new»` marks what is edited."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ezpyp.inspect.__main__ import cli

ROOT = Path(__file__).absolute().parents[2]
KEY = "a key"

HELPERS = """\
RATE = «2|3»
TABLE = {"low": 1, "high": «10|20»}


def scale(x):
    return x * «5|6»


class Layer:
    def __init__(self, width):
        self.width = width
"""

STUDY = """\
import os

import numpy as np

import helpers
from ezpyp import Pipeline, as_step
from ezpyp.errors import SchemaConflictError

ONE, TWO = (Pipeline(f"cache{n}", f"study{n}") for n in (1, 2))


@as_step(ONE)
def constant(x, rate=«0.1|0.2»):
    return x + «100|200»

@as_step(ONE)
def helper_constant(x):
    return helpers.scale(x)

@as_step(ONE)
def global_key(x):
    return x * helpers.TABLE["high"]

@as_step(ONE)
def attribute(model):
    return 1

@as_step(ONE)
def array_values(a):
    return 1

@as_step(ONE)
def more(x«|, y=4»):
    return x + 1000

@as_step(ONE, version="«1|2»", codec="«pickle|json»", ignore=(«|"y",»))
def settings(x, y=2):
    return x

@as_step(ONE)
def function_argument(f):
    return f(1)

@as_step(TWO)
def source(x):
    return x * «3|4»

@as_step(TWO)
def below(x):
    return x

@as_step(TWO)
def other(x):
    return x

@as_step(TWO)
def first(x):
    return x + 3000

@as_step(TWO, track_versions=("labtools",))
def tracked(x):
    return x

@as_step(TWO)
def environment(x):
    return os.environ["STUDY_MODE"] and x * helpers.RATE


for step in (constant, helper_constant, global_key, more, settings, tracked, environment):
    step(1)
attribute(helpers.Layer({"inner": helpers.Layer(«1|2»)}))
array_values(np.full((3, 4), «0.0|1.0»))
function_argument(helpers.scale)
below(source(1))
earlier, later = other(1), first(1)

@as_step(TWO, depends_on=[«earlier|later»])
def ordered(x):
    return x

ordered(1)

for pipeline in (ONE, TWO):
    try:
        report = pipeline.execute(output="none")
    except SchemaConflictError as error:
        print(error)
"""

_EDIT = re.compile(r"«([^|»]*)\|([^»]*)»")


def edited(template: str, version: int) -> str:
    """A file before its edits (0), or after them (1)."""
    return _EDIT.sub(lambda edit: edit[1 + version], template)


def line_of(template: str, text: str) -> int:
    """The line in which a text of a template stands."""
    return template[: template.index(text)].count("\n") + 1


def helpers(text):
    return "helpers.py", line_of(HELPERS, text)


def study(text):
    return "study.py", line_of(STUDY, text)


NOWHERE = ("", 0)

# Step -> kind, name, place, old, new of each cause, in order.
EXPECTED = {
    "constant": [
        ("constant", "constant", study("x + «100"), "100", "200"),
        ("default", "rate", study("@as_step(ONE)\ndef constant"), "0.1", "0.2"),
    ],
    "helper_constant": [("constant", "scale", helpers("x * «5"), "5", "6")],
    "global_key": [("global", "helpers.TABLE['high']", helpers("TABLE ="), "10", "20")],
    "attribute": [("argument", "model.width['inner'].width", NOWHERE, "1", "2")],
    "array_values": [("argument", "a", NOWHERE, "ndarray float64 (3, 4)", "ndarray float64 (3, 4)")],
    "more": [
        ("signature", "more", study("@as_step(ONE)\ndef more"), "def more(x)", "def more(x, y)"),
        ("argument", "y", NOWHERE, "", "4"),
    ],
    "settings": [
        ("codec", "settings", NOWHERE, "pickle", "json"),
        ("setting", "ignore", NOWHERE, "", "['y']"),
        ("setting", "version", NOWHERE, "'1'", "'2'"),
    ],
    "function_argument": [("argument", "f", helpers("x * «5"), "5", "6")],
    "source": [("constant", "source", study("x * «3|4»"), "3", "4")],
    "below": [("upstream", "source", NOWHERE, KEY, KEY)],
    "ordered": [("dependency", "first", NOWHERE, "other", "first")],
    "tracked": [("version", "labtools", NOWHERE, "1.0", "1.1")],
    "environment": [("global", "helpers.RATE", helpers("RATE ="), "2", "3")],
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
def runs(tmp_path_factory):
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
def test_why_names_the_edit_exactly(runs, step):
    found = runs[1][step]
    assert found["kind"] == "changed"
    assert [_short(cause) for cause in found["causes"]] == EXPECTED[step]


@pytest.mark.parametrize("step", EXPECTED)
def test_conflict_says_the_same_before_anything_runs(runs, step):
    said, whys, _ = runs
    assert said[step] == "; ".join(cause["text"] for cause in whys[step]["causes"])


def test_what_does_not_count_is_named_apart(runs):
    (beside,) = runs[1]["environment"]["circumstances"]
    assert (beside["kind"], beside["name"]) == ("environment", "STUDY_MODE")
    text = why(runs[2], "environment")
    assert "Changed as well, but in no key\n  environment variable STUDY_MODE changed" in text


def test_why_shows_the_recorded_sources_that_changed_plain_to_a_pipe(runs):
    text = why(runs[2], "helper_constant")
    assert "Recorded source of scale\n--- before\n+++ now\n" in text
    assert "-    return x * 5\n+    return x * 6" in text
    assert "Recorded source of helper_constant" not in text
    assert "\x1b" not in text


def test_why_goes_down_to_the_root_of_an_upstream(runs):
    assert re.search(r"\n  upstream source changed \(x\)\n    constant 3 -> 4 in source", why(runs[2], "below"))
