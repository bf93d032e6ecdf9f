"""Every example of every help, pasted as it is printed, works."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ezpyp.inspect.cli import VERBS, cli
from tests.inspect import build
from tests.inspect.test_command import ENVIRON
from tests.inspect.test_damage import sound


def examples(help_text: str) -> list[str]:
    """The lines that follow the word, as far as they are set off."""
    _, _, after = help_text.partition("Example:\n")
    lines = after.splitlines()
    return [line.strip() for line in lines if line.startswith("  ")]


def printed_help(verb: str) -> str:
    words = [verb, "--help"] if verb else ["--help"]
    return CliRunner().invoke(cli, words, prog_name="python -m ezpyp.inspect", terminal_width=80).stdout


@pytest.fixture
def folder(tmp_path) -> Path:
    """Holds a sound cache of two revisions that is called as in the examples."""
    cache = sound(tmp_path / "cache")
    cache.insert("revisions", revision=2, digest=b"2", recorded_at=build.START, steps=3, note="grown")
    cache.insert("schema_changes", step=cache.step("delta"), revision=2, present=1)
    cache.close()
    return tmp_path


@pytest.mark.parametrize("verb", ["", *sorted(VERBS)])
def test_an_example_works_as_it_is_printed(verb, folder):
    commands = examples(printed_help(verb))

    assert commands
    for command in commands:
        assert command.startswith("python -m ezpyp.inspect cache" + (f" {verb}" if verb else ""))
        typed = command.replace("python", sys.executable, 1)
        environ = ENVIRON | {"XDG_CONFIG_HOME": str(folder / "config")}
        done = subprocess.run(
            ["bash", "-c", typed], cwd=folder, env=environ, capture_output=True, text=True, timeout=60
        )  # fmt: skip
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        assert "Error" not in done.stderr
