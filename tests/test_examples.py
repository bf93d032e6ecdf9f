"""The examples run as they stand, serially and under mpirun, and a grown sweep runs only what is new."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.mpi import mpirun, python

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
QUICKSTART, DIGITS = EXAMPLES / "quickstart.py", EXAMPLES / "digits.py"
FEW = ("--strengths", "0.1", "1")

SEED_LINES = """\
[MPI process 00] [Running component of phase 00] [Executing Pickle Step Object 'alpha']
  ╰─> [PASS] 'alpha'
[MPI process 00] [Running component of phase 00] [Executing Pickle Step Object 'beta']
  ╰─> [PASS] 'beta'
[MPI process 00] [Running component of phase 01] [Executing Pickle Step Object 'gamma']
  ╰─> [PASS] 'gamma'
Pipeline result for gamma: 1.125
"""


def stdout(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def counts(text: str) -> tuple[int, int, int]:
    """Steps, cached and to run, as the header line says."""
    found = re.search(r"(\d+) steps, (\d+) cached, (\d+) to run", text)
    assert found, text
    steps, cached, to_run = map(int, found.groups())
    return steps, cached, to_run


def test_quickstart_prints_the_seed_s_lines_and_runs_nothing_the_second_time(tmp_path: Path) -> None:
    first, again = (stdout(python(QUICKSTART, str(tmp_path / "cache"))) for _ in range(2))

    assert first.partition("\n")[2] == SEED_LINES
    assert counts(again) == (3, 3, 0)
    assert "[PASS]" not in again
    assert again.endswith("Pipeline result for gamma: 1.125\n")


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Location and output of a serial run of the digits example."""
    location = tmp_path_factory.mktemp("digits") / "cache"
    return location, stdout(python(DIGITS, str(location), *FEW))


def table(text: str) -> list[str]:
    """The table that the example prints at its end."""
    return text[text.index("\nmodel") :].splitlines()[1:-2]


def test_digits_is_a_sweep_a_reduce_a_table_and_a_picture(digits: tuple[Path, str]) -> None:
    location, text = digits

    assert counts(text) == (39, 0, 39)
    assert len(table(text)) == 1 + 3 * 2
    assert (location.parent / "cache.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.mpi
def test_digits_gives_the_same_under_mpirun(digits: tuple[Path, str], tmp_path: Path) -> None:
    location, text = digits
    parallel = stdout(mpirun(4, DIGITS, str(tmp_path / "cache"), *FEW))

    assert table(parallel) == table(text)
    assert len(set(re.findall(r"\[MPI process (\d+)\]", parallel))) == 4
    assert (tmp_path / "cache.png").read_bytes() == (location.parent / "cache.png").read_bytes()


def test_digits_grown_runs_the_new_scores_and_the_reduce(digits: tuple[Path, str]) -> None:
    location, _ = digits
    grown = stdout(python(DIGITS, str(location), *FEW, "3"))

    assert counts(grown) == (57, 37, 20)
    assert len(table(grown)) == 1 + 3 * 3


@pytest.mark.parametrize("script", ["batch.slurm", "batch.pbs"])
def test_batch_scripts_are_sound_and_name_files_that_exist(script: str) -> None:
    subprocess.run(["bash", "-n", EXAMPLES / script], check=True)

    for name in re.findall(r"examples/[\w.]+", (EXAMPLES / script).read_text()):
        assert (EXAMPLES.parent / name).is_file()
