"""What a run prints: header, pairs of lines, cached steps, failures, skips, and how much of it."""

import io
import re
import sys
from pathlib import Path

import pytest

from .tools import HEADER, Bodies, edit, executed, header

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


def test_the_header_counts(location: Path, capfd: Captured) -> None:
    out = printed(capfd, location, SWEEP.format(size=3))
    assert out.splitlines()[0] == f"Pipeline 'study' @ {location}, revision 1: 4 steps, 0 cached, 4 to run"

    out = printed(capfd, location, SWEEP.format(size=5))
    assert out.splitlines()[0] == f"Pipeline 'study' @ {location}, revision 2: 6 steps, 3 cached, 3 to run"


def test_a_relative_location_is_printed_absolute(
    tmp_path: Path, capfd: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    executed(Path("cache"), SWEEP.format(size=2))

    assert header(capfd.readouterr().out)["location"] == str(tmp_path / "cache")


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


@pytest.mark.parametrize("size", [19, 20])
def test_up_to_twenty_cached_steps_of_a_phase_have_a_line_each(location: Path, capfd: Captured, size: int) -> None:
    printed(capfd, location, SWEEP.format(size=size))

    out = printed(capfd, location, SWEEP.format(size=size))

    cached = [line for line in out.splitlines() if "[CACHED]" in line]
    assert len(cached) == size + 1
    assert sum("'simulate[seed=7]'" in line for line in cached) == 1


@pytest.mark.parametrize("size", [21, 300])
def test_more_than_twenty_cached_steps_of_a_phase_are_one_line(location: Path, capfd: Captured, size: int) -> None:
    printed(capfd, location, SWEEP.format(size=size))

    out = printed(capfd, location, SWEEP.format(size=size))

    cached = [line for line in out.splitlines() if "[CACHED]" in line]
    assert len(cached) == 2
    assert sum(re.search(rf"\b{size}\b", line) is not None for line in cached) == 1
    assert sum("'total'" in line for line in cached) == 1
    assert "seed=7" not in out


def test_a_failure_shows_type_message_and_the_user_s_own_line(location: Path, capfd: Captured) -> None:
    out = printed(capfd, location, FAILING)

    start, told = out.split("[FAIL]")
    assert start.splitlines()[-1] == "  ╰─> "
    assert re.match(r" 'parse'[^\0]*JSONDecodeError[^\0]*Expecting property name", told)
    assert re.search(r"script\.py\D{1,10}7\b", told)
    assert "decoder.py" not in told


def test_a_failure_shows_the_command_for_the_traceback(location: Path, capfd: Captured) -> None:
    out = printed(capfd, location, FAILING)

    assert re.search(rf"python -m ezpyp\.inspect {re.escape(str(location))} \w+ '?parse", out)


def test_a_skip_names_the_dependency(location: Path, capfd: Captured) -> None:
    out = printed(capfd, location, FAILING)

    skips = [line for line in out.splitlines() if "[SKIP]" in line]
    assert len(skips) == 2
    assert re.search(r"\[SKIP\] 'below'.*\bparse\b", skips[0])
    assert re.search(r"\[SKIP\] 'lowest'.*\b(parse|below)\b", skips[1])


def test_a_step_that_failed_is_not_passed(location: Path, capfd: Captured) -> None:
    assert "[PASS]" not in printed(capfd, location, FAILING)


@pytest.mark.parametrize("output", ["steps", "summary", "none"])
def test_output_says_how_much_is_printed(location: Path, capfd: Captured, output: str) -> None:
    out = printed(capfd, location, SWEEP.format(size=3), output=output)

    assert (len(re.findall(r"\[PASS\]", out)), "Pipeline 'study' @" in out) == {
        "steps": (4, True),
        "summary": (0, True),
        "none": (0, False),
    }[output]
    if output == "none":
        assert out == ""


@pytest.mark.parametrize("output", ["steps", "summary", "none"])
def test_the_environment_says_it_too_and_beats_the_script(
    location: Path, capfd: Captured, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    monkeypatch.setenv("EZPYP_OUTPUT", output)

    out = printed(capfd, location, SWEEP.format(size=3), output="none" if output == "steps" else "steps")

    assert len(re.findall(r"\[PASS\]", out)) == (4 if output == "steps" else 0)
    assert bool(out) == (output != "none")


def test_an_unknown_output_is_an_error_before_anything_runs(location: Path, bodies: Bodies) -> None:
    source = edit(SWEEP.format(size=3), ("return seed", "ran('simulate'); return seed"))

    with pytest.raises(ValueError, match="loud"):
        executed(location, source, output="loud")

    assert bodies.take() == []


def test_every_line_is_one_that_is_documented(location: Path, capfd: Captured) -> None:
    first, *lines = printed(capfd, location, SWEEP.format(size=3)).splitlines()

    assert HEADER.fullmatch(first)
    for line in lines:
        assert re.fullmatch(
            r"\[MPI process 00\] \[Running component of phase 0[01]\] \[Executing Pickle Step Object '.+'\]"
            r"|  ╰─> \[PASS\] '.+'",
            line,
        )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_stream_that_cannot_show_a_line_does_not_end_the_run(
    location: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))

    pipeline = executed(location, SWEEP.format(size=3))

    assert pipeline.get_result("total") == 3
    assert written.getvalue().count(b"[PASS]") == 4


def test_no_standard_output_at_all_does_not_end_the_run(location: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)

    pipeline = executed(location, SWEEP.format(size=3))

    assert pipeline.get_result("total") == 3
