"""Run the command in this process, and name the caches that most questions are put to."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from ezpyp.inspect.cli import cli
from tests.inspect import build


@dataclass(frozen=True)
class Answer:
    """What the command said, and with which exit code it ended."""

    out: str
    err: str
    code: int

    @property
    def rows(self) -> list[dict[str, object]]:
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Ask = Callable[..., Answer]


@pytest.fixture
def ask() -> Ask:
    """``ask(cache, "steps", "--status", "failed")``; an exception that escapes fails the test."""

    def ask(cache: Path, *words: str, code: int = 0) -> Answer:
        result = CliRunner().invoke(cli, [str(cache), *words], prog_name="python -m ezpyp.inspect")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return Answer(result.stdout, result.stderr, result.exit_code)

    return ask


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    return build.finished(tmp_path / "cache").close()


@pytest.fixture
def failed(tmp_path: Path) -> Path:
    return build.failed(tmp_path / "cache").close()


@pytest.fixture
def declared(tmp_path: Path) -> Path:
    return build.declared(tmp_path / "cache").close()


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    return build.running(tmp_path / "cache", build.dead_owner()).close()
