"""Rank 0 leaves a collective call by an exception that its script catches: the others do not wait for ever."""

import pytest

from ezpyp.errors import ParallelError, RankLeftError
from ezpyp.pipeline.collective import Ranks
from tests.execution.local_ranks import run_ranks


def interrupt():
    raise KeyboardInterrupt


def catches(call):
    with pytest.raises(KeyboardInterrupt):
        call()


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("how", ["from_root", "side_by_side"])
@pytest.mark.parametrize("then", ["from_root", "side_by_side", "agree"])
def test_the_next_call_is_an_error_on_every_rank(size, how, then):
    calls = {
        "from_root": lambda ranks, act: ranks.from_root(act),
        "side_by_side": lambda ranks, act: ranks.side_by_side(act, lambda: None),
        "agree": lambda ranks, act: ranks.agree("execute", lambda: b"", lambda: None),
    }

    def main(communicator):
        if communicator.rank == 0:
            catches(lambda: calls[how](Ranks(communicator), interrupt))
            calls[then](Ranks(communicator), lambda: "never")  # of another pipeline, for example
        else:
            calls[how](Ranks(communicator), interrupt)

    errors = run_ranks(size, main)
    assert {type(error) for error in errors} == {ParallelError}
    assert all("rank 0 left a call by KeyboardInterrupt" in str(error) and error.collective for error in errors)


def test_a_script_that_ends_after_it_says_so_itself():
    def main(communicator):
        if communicator.rank == 0:
            catches(lambda: Ranks(communicator).from_root(interrupt))
        else:
            Ranks(communicator).from_root(interrupt)

    assert {type(error) for error in run_ranks(3, main)[1:]} == {RankLeftError}
