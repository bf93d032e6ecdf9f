"""What a run prints: header, pairs of lines, cached steps, failures, skips, and how much of it."""

import io
import re
import sys
from pathlib import Path

import pytest

from .tools import Bodies, edit, executed

SWEEP = """
@as_pickle_step(pipeline)
def simulate(seed):
    return seed

@as_pickle_step(pipeline)
def total(parts):
    return sum(parts)

total(simulate.map(range({size})))
"""
FAILING = """
import json

@as_pickle_step(pipeline)
def parse(text):
    value = 1
    return json.loads(text)  # the user's own line

@as_pickle_step(pipeline)
def below(value):
    return value

@as_pickle_step(pipeline)
def lowest(value):
    return value

lowest(below(parse("{")))
"""
Captured = pytest.CaptureFixture[str]


def printed(capfd: Captured, location: Path, source: str, **options: object) -> str:
    """Execute a script and give what it printed to standard output."""
    capfd.readouterr()
    executed(location, source, **options)
    return capfd.readouterr().out


def test_the_header_counts_and_names_the_absolute_location(
    tmp_path: Path, capfd: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for size, counts in (
        (3, "revision 1: 4 steps, 0 cached, 4 to run"),
        (5, "revision 2: 6 steps, 3 cached, 3 to run"),
    ):
        out = printed(capfd, Path("cache"), SWEEP.format(size=size))
        assert out.splitlines()[0] == f"Pipeline 'study' @ {tmp_path}/cache, {counts}"


def test_a_serial_run_goes_phase_by_phase_in_order_of_declaration(location: Path, capfd: Captured) -> None:
    source = """
    @as_pickle_step(pipeline)
    def one(x):
        return x

    @as_pickle_step(pipeline)
    def two(x):
        return x

    one(two(one(1)))
    two(8), one(9)
    """

    out = printed(capfd, location, source)

    phases = re.findall(r"component of phase (\d\d)\]", out)
    assert phases == ["00", "00", "00", "01", "02"]
    assert re.findall(r"\[PASS\] '(.*)'", out)[1:3] == ["two[x=8]", "one[x=9]"]


@pytest.mark.parametrize("size", [19, 20, 21, 300])
def test_up_to_twenty_cached_steps_of_a_phase_have_a_line_each_and_more_have_one(
    location: Path, capfd: Captured, size: int
) -> None:
    printed(capfd, location, SWEEP.format(size=size))

    out = printed(capfd, location, SWEEP.format(size=size))

    cached = re.findall(r"\[CACHED\] (.*)", out)
    each = [f"'simulate[seed={seed}]'" for seed in range(size)]
    assert cached == [*(each if size <= 20 else [f"{size} steps"]), "'total'"]
    assert ("seed=7" in out) == (size <= 20)


def test_a_failure_shows_the_user_s_own_line_and_the_way_to_the_traceback_and_a_skip_what_it_needs(
    location: Path, capfd: Captured
) -> None:
    out = printed(capfd, location, FAILING)

    start, told = out.split("[FAIL]")
    assert start.splitlines()[-1] == "  ╰─> "
    assert re.match(r" 'parse'[^\0]*JSONDecodeError[^\0]*Expecting property name", told)
    assert re.search(r"script\.py\D{1,10}7\b", told)
    assert "decoder.py" not in told
    assert re.search(rf"python -m ezpyp\.inspect {re.escape(str(location))} \w+ '?parse", told)
    skips = re.findall(r"\[SKIP\] '(below|lowest)'.*\b(parse|below)\b", told)
    assert skips in ([("below", "parse"), ("lowest", "parse")], [("below", "parse"), ("lowest", "below")])
    assert "[PASS]" not in out


@pytest.mark.parametrize("by", ["script", "environment"])
@pytest.mark.parametrize(("output", "lines", "begins"), [("steps", 4, True), ("summary", 0, True), ("none", 0, False)])
def test_output_says_how_much_is_printed_and_the_environment_beats_the_script(
    location: Path, capfd: Captured, monkeypatch: pytest.MonkeyPatch, by: str, output: str, lines: int, begins: bool
) -> None:
    if by == "environment":
        monkeypatch.setenv("EZPYP_OUTPUT", output)
    other = "none" if output == "steps" else "steps"

    out = printed(capfd, location, SWEEP.format(size=3), output=output if by == "script" else other)

    assert (out.count("[PASS]"), "Pipeline 'study' @" in out, bool(out)) == (lines, begins, begins)


def test_an_unknown_output_is_an_error_before_anything_runs(location: Path, bodies: Bodies) -> None:
    source = edit(SWEEP.format(size=3), ("return seed", "ran('simulate'); return seed"))

    with pytest.raises(ValueError, match="loud"):
        executed(location, source, output="loud")

    assert bodies.take() == []


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", None])
def test_a_stream_that_cannot_show_a_line_or_is_not_there_does_not_end_the_run(
    location: Path, monkeypatch: pytest.MonkeyPatch, encoding: str | None
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding) if encoding else None)

    pipeline = executed(location, SWEEP.format(size=3))

    assert pipeline.get_result("total") == 3
    assert written.getvalue().count(b"[PASS]") == (4 if encoding else 0)
