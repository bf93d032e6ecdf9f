"""The README is true: its scripts run, its commands print what it shows, its two lines are what CI runs."""

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.mpi import clean_environ

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


@dataclass(frozen=True)
class Block:
    """One fenced block: its language and its text."""

    language: str
    text: str


def blocks(text: str) -> list[Block]:
    return [Block(*found) for found in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)]


def commands(block: Block) -> list[tuple[str, str]]:
    """The commands of a console block, each with the output shown below it."""
    parts = re.split(r"^\$ (.*)\n", block.text, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def fresh_clone_lines() -> list[str]:
    return [block.text.strip() for block in blocks(README) if block.language == "bash"]


def run(command: str, folder: Path) -> str:
    """What a command prints in `folder`, which the README calls /home/you."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", f"{command} 2>&1"],
        cwd=folder,
        env=clean_environ({"PATH": path}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    return done.stdout.replace(str(folder), "/home/you")


def assert_prints(shown: str, got: str, command: str) -> None:
    """Compare as doctest does: ``...`` stands for anything, and columns have any width."""
    checker = doctest.OutputChecker()
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.REPORT_NDIFF
    if not checker.check_output(shown, got, options):
        pytest.fail(f"$ {command}\n{checker.output_difference(doctest.Example(command, shown), got, options)}")


def play(story: Sequence[Block], folder: Path) -> None:
    """Save the scripts and run the commands, in the order of the text."""
    for block in story:
        if block.language == "python":
            name = re.match(r"# (\w+\.py)\n", block.text)
            assert name, f"the first line of a script in the README names its file:\n{block.text}"
            (folder / name[1]).write_text(block.text)
        elif block.language == "console":
            for command, shown in commands(block):
                assert_prints(shown, run(command, folder), command)


@pytest.mark.timeout(180)
def test_every_script_and_command_prints_what_the_readme_shows(tmp_path: Path) -> None:
    play(blocks(README), tmp_path)


def test_the_examples_on_what_is_tracked_hold(tmp_path: Path) -> None:
    examples = [block.text for block in blocks((ROOT / "docs/tracking.md").read_text()) if block.language == "python"]
    (tmp_path / "examples.py").write_text("\n".join(examples))
    assert len(examples) == 3
    assert "Error" not in run("python examples.py", tmp_path)


def test_a_wrong_output_in_the_readme_would_be_seen(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="echo two"):
        play(blocks("```console\n$ echo one\none\n$ echo two\none\n```\n"), tmp_path)


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    # A text block is shown again, and compared, as the output of a command.
    assert {block.language for block in blocks(README)} <= {"python", "console", "bash", "text"}
    outputs = [block.text for block in blocks(README) if block.language == "console"]
    assert all(any(block.text in output for output in outputs) for block in blocks(README) if block.language == "text")


def test_two_lines_serve_a_fresh_clone() -> None:
    assert len(fresh_clone_lines()) == 2
    assert all(line.startswith("python3 -m venv") and "\n" not in line for line in fresh_clone_lines())


def test_ci_runs_the_very_lines_of_the_readme() -> None:
    # --lines prints what the script has taken out of the README, and what it runs.
    listed = subprocess.run(["bash", str(ROOT / ".ci/run"), "--lines"], capture_output=True, text=True, check=True)

    assert listed.stdout.splitlines() == fresh_clone_lines()
