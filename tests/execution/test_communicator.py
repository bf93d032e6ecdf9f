"""The communicator's contract: serial, over local ranks, and over real MPI."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ezpyp.errors import RankLeftError, RanksDisagreeError
from ezpyp.execution.mpi.communicator import Backoff, Communicator, SerialCommunicator
from ezpyp.execution.mpi.ranks import RankCommunicator
from tests.execution.local_ranks import JobAborted, run_ranks
from tests.execution.scripts.contract import CONTRACT, next_message
from tests.mpi import mpirun, python

SCRIPTS = Path(__file__).parent / "scripts"
Check = Callable[[Communicator], None]


@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
def test_serial_and_local_ranks_keep_the_contract(check: Check) -> None:
    check(SerialCommunicator())
    for size in (1, 2, 4, 7):
        assert run_ranks(size, check) == [None] * size


@pytest.mark.mpi
def test_mpi_ranks_keep_the_contract(tmp_path: Path) -> None:
    job = mpirun(4, SCRIPTS / "contract.py", str(tmp_path))

    assert (job.returncode, job.stderr) == (0, "")
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {f"rank{rank}": "of 4" for rank in range(4)}


def test_a_script_without_a_launcher_is_serial(tmp_path: Path) -> None:
    job = python(SCRIPTS / "contract.py", str(tmp_path))

    assert (job.returncode, job.stderr) == (0, "")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["of 1"]


@pytest.mark.parametrize("call", ["share", "receive", "flush"])
def test_waiting_for_rank_0_ends_when_it_has_left(call: str) -> None:
    calls = {"share": lambda one: one.share(None), "receive": next_message, "flush": lambda one: one.flush()}

    def main(communicator: RankCommunicator) -> None:
        if communicator.rank:
            communicator._transport.unsent = lambda: [0]  # type: ignore[method-assign]  # as if 0 took nothing
            try:
                calls[call](communicator)
            finally:
                del communicator._transport.unsent

    for other in run_ranks(3, main)[1:]:
        assert isinstance(other, RankLeftError)
        assert other.ranks == (0,)
        assert str(other).startswith("rank 0 on host host0 ended the script")
        assert call in str(other)


@pytest.mark.parametrize("call", ["share", "collect", "receive"])
def test_rank_0_names_every_rank_that_left(call: str) -> None:
    def main(communicator: RankCommunicator) -> None:
        communicator.collect(None)
        while communicator.rank not in (1, 3):
            if call == "receive":
                communicator.receive()
            elif call == "collect":
                communicator.collect(None)
            communicator.share(None)

    outcomes = run_ranks(5, main)

    assert isinstance(outcomes[0], RankLeftError)
    assert set(outcomes[0].ranks) <= {1, 3}
    assert "on host host" in str(outcomes[0])
    # The others waited for rank 0, which left because of its own error.
    assert [getattr(outcomes[rank], "ranks", None) for rank in (2, 4)] == [(0,), (0,)]


def test_what_a_rank_said_before_it_left_is_received_first() -> None:
    def main(communicator: RankCommunicator) -> object:
        values = communicator.collect(communicator.rank)
        if communicator.rank:
            communicator.post(0, "result")
            return None
        first = next_message(communicator)
        with pytest.raises(RankLeftError, match="rank 1 on host host1 ended the script"):
            next_message(communicator)
        return values, first

    assert run_ranks(2, main) == [([0, 1], (1, "result")), None]


def test_ranks_out_of_step_are_told_so() -> None:
    def main(communicator: RankCommunicator) -> None:
        if communicator.rank == 1:
            communicator.collect("one call more than the others")
        communicator.share(None)
        communicator.collect(None)

    outcomes = run_ranks(2, main)

    assert [type(outcome) for outcome in outcomes] == [RanksDisagreeError, RanksDisagreeError]
    assert "every rank must make the same calls" in str(outcomes[0])


def test_abort_says_why_and_ends_the_job(capfd: pytest.CaptureFixture[str]) -> None:
    (outcome,) = run_ranks(1, lambda communicator: communicator.abort("disk full on rank 0", 4))
    assert isinstance(outcome, JobAborted)
    assert outcome.args == (4,)
    with pytest.raises(SystemExit, match="4"):
        SerialCommunicator().abort("disk full", 4)

    assert capfd.readouterr().err == "disk full on rank 0\ndisk full\n"


def test_a_serial_run_has_no_other_rank_to_post_to() -> None:
    with pytest.raises(ValueError, match="no rank 1"):
        SerialCommunicator().post(1, "message")


def test_backoff_waits_longer_and_longer_up_to_its_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    sleeps: list[float] = []
    monkeypatch.setattr("time.sleep", sleeps.append)
    backoff = Backoff()

    for _ in range(200):
        backoff.wait()
    backoff.reset()
    backoff.wait()

    assert sleeps[:3] == [20e-6, 40e-6, 80e-6]
    assert sleeps[:-1] == sorted(sleeps[:-1])
    assert 8e-3 <= sleeps[-2] < 8.3e-3
    assert sleeps[-1] == 20e-6
    # An answer is seen soon, compared with the time that was waited for it.
    assert all(sleep <= 2 * sum(sleeps[:number]) for number, sleep in enumerate(sleeps[:-1]) if number)
