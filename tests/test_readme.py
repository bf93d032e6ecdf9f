"""The README is true: its scripts run, its commands print what it shows, its two lines are what CI runs."""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mpi import clean_environ

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def blocks(text: str) -> list[tuple[str, str]]:
    """The fenced blocks: language and text."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def of_language(language: str) -> list[str]:
    return [text for kind, text in blocks(README) if kind == language]


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


def play(story: str, folder: Path) -> None:
    """Save the scripts and run the commands, in the order of the text."""
    for language, text in blocks(story):
        if language == "python":
            name = re.match(r"# (\w+\.py)\n", text)
            assert name, f"the first line of a script in the README names its file:\n{text}"
            (folder / name[1]).write_text(text)
        elif language == "console":
            parts = re.split(r"^\$ (.*)\n", text, flags=re.MULTILINE)[1:]
            for command, shown in zip(parts[::2], parts[1::2], strict=True):
                assert_prints(shown, run(command, folder), command)


@pytest.mark.timeout(180)
def test_every_script_and_command_prints_what_the_readme_shows(tmp_path: Path) -> None:
    play(README, tmp_path)


def test_the_examples_on_what_is_tracked_hold(tmp_path: Path) -> None:
    examples = [text for kind, text in blocks((ROOT / "docs/tracking.md").read_text()) if kind == "python"]
    (tmp_path / "examples.py").write_text("\n".join(examples))
    assert len(examples) == 3
    assert "Error" not in run("python examples.py", tmp_path)


def test_a_wrong_output_in_the_readme_would_be_seen(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="echo two"):
        play("```console\n$ echo one\none\n$ echo two\none\n```\n", tmp_path)


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    assert {language for language, _ in blocks(README)} <= {"python", "console", "bash", "text"}
    # A text block is shown again, and compared, as the output of a command.
    assert all(any(text in output for output in of_language("console")) for text in of_language("text"))


def test_two_lines_serve_a_fresh_clone_and_ci_runs_the_very_same() -> None:
    lines = [text.strip() for text in of_language("bash")]
    assert len(lines) == 2
    assert all(line.startswith("python3 -m venv") and "\n" not in line for line in lines)

    # --lines prints what the script has taken out of the README, and what it runs.
    listed = subprocess.run(["bash", str(ROOT / ".ci/run"), "--lines"], capture_output=True, text=True, check=True)
    assert listed.stdout.splitlines() == lines
