"""What is expected of a step: its own time, then its function's, and what this run shows."""

import pytest

from ezpyp.execution.scheduler import Durations


def test_nothing_is_known_of_a_new_function() -> None:
    durations = Durations(["f", "g"], {})

    assert durations.longest(0) is None
    assert durations.usual() == [1.0, 1.0]


def test_a_step_counts_by_itself_and_a_new_one_by_its_function() -> None:
    durations = Durations(["f", "f", "f", "g"], {0: 1.0, 1: 3.0})

    assert durations.usual() == [1.0, 3.0, 2.0, 2.0]
    assert [durations.longest(position) for position in range(4)] == [1.0, 3.0, 3.0, None]


def test_the_longest_of_this_run_is_what_may_be_expected_of_new_steps() -> None:
    durations = Durations(["f"] * 3, {})
    durations.took(0, 0.5)
    durations.took(1, 0.1)

    assert durations.longest(2) == pytest.approx(0.4)


def test_one_hiccup_is_forgotten_after_some_twenty_steps() -> None:
    durations = Durations(["f"] * 40, dict.fromkeys(range(38), 1e-5))
    durations.took(0, 0.5)
    for position in range(1, 38):
        durations.took(position, 1e-5)

    assert max(durations.longest(38) or 9, durations.longest(37) or 9) < 2e-4


def test_steps_that_take_longer_than_before_warn_of_the_others_of_their_function() -> None:
    """The machine may be slower today, or the data larger: nothing may wait long behind a step that was short once."""
    durations = Durations(["f", "f", "g"], {0: 0.001, 1: 0.002, 2: 0.001})
    durations.took(0, 9.001)

    assert durations.longest(1) == pytest.approx(9.002)
    assert durations.longest(2) == 0.001


def test_a_step_that_takes_less_than_before_changes_nothing() -> None:
    durations = Durations(["f", "f"], {0: 2.0, 1: 1.0})
    durations.took(0, 0.1)

    assert durations.longest(1) == 1.0
