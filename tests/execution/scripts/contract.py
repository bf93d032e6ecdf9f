"""What every communicator must do: called by tests for serial and local ranks, run as a script under MPI."""

import sys
from pathlib import Path
from typing import Any

from ezpyp.execution.mpi.communicator import Backoff, Communicator


def next_message(communicator: Communicator) -> tuple[int, Any]:
    backoff = Backoff()
    while (message := communicator.receive()) is None:
        backoff.wait()
    return message


def rank_is_one_of_size(communicator: Communicator) -> None:
    assert 0 <= communicator.rank < communicator.size
    assert communicator.host


def share_gives_the_value_of_rank_0_to_every_rank(communicator: Communicator) -> None:
    for value in (None, {"options": [1, 2.5]}, bytes(300_000)):
        mine = value if communicator.rank == 0 else "not looked at"
        assert communicator.share(mine) == value


def collect_gives_all_values_to_rank_0_in_order(communicator: Communicator) -> None:
    for round_ in range(3):
        values = communicator.collect((communicator.rank, round_))
        expected = [(rank, round_) for rank in range(communicator.size)]
        assert values == (expected if communicator.rank == 0 else None)


def share_and_collect_in_turn_keep_their_values_apart(communicator: Communicator) -> None:
    for number in range(50):
        assert communicator.share(number if communicator.rank == 0 else -1) == number
        values = communicator.collect(number)
        assert values is None or values == [number] * communicator.size


def receive_gives_none_at_once_when_nothing_came(communicator: Communicator) -> None:
    assert communicator.receive() is None
    communicator.collect(None)
    communicator.share(None)


def messages_of_one_rank_come_in_order(communicator: Communicator) -> None:
    """Long ones among short ones too, though short ones need no answer from the other side."""
    sizes = [0, 10, 1_000_000, 3, 200_000, 1, 300_000, 0]
    if communicator.rank:
        for number, size in enumerate(sizes):
            communicator.post(0, (number, bytes(size)))
        communicator.flush()
    else:
        came: dict[int, list[tuple[int, int]]] = {rank: [] for rank in range(1, communicator.size)}
        for _ in range(len(sizes) * (communicator.size - 1)):
            source, message = next_message(communicator)
            number, data = message
            came[source].append((number, len(data)))
        assert all(messages == list(enumerate(sizes)) for messages in came.values())
    communicator.share("all received")


def rank_0_and_each_other_rank_answer_each_other(communicator: Communicator) -> None:
    if communicator.rank:
        for number in range(20):
            communicator.post(0, ("question", number))
            assert next_message(communicator) == (0, ("answer", number))
    else:
        for _ in range(20 * (communicator.size - 1)):
            source, message = next_message(communicator)
            communicator.post(source, ("answer", message[1]))
    communicator.flush()
    communicator.share("all answered")


def a_posted_message_is_the_state_of_its_moment(communicator: Communicator) -> None:
    values = [1]
    dest = (communicator.rank + 1) % communicator.size if communicator.rank == 0 else 0
    if communicator.rank < 2 and communicator.size > 1:
        communicator.post(dest, values)
        values.append(2)
        communicator.flush()
        assert next_message(communicator) == (dest, [1])
    communicator.collect(None)
    communicator.share(None)


def a_message_to_oneself_comes_back(communicator: Communicator) -> None:
    communicator.post(communicator.rank, "note")
    assert next_message(communicator) == (communicator.rank, "note")
    communicator.collect(None)
    communicator.share(None)


def what_was_posted_before_a_collective_call_never_comes_after_it(communicator: Communicator) -> None:
    """A run that was broken off leaves messages behind: they must not be taken for those of the next one."""
    peer = 0 if communicator.rank else min(1, communicator.size - 1)
    if communicator.rank < 2:
        communicator.post(peer, "old")
    communicator.collect(None)
    communicator.share(None)
    if communicator.rank < 2:
        communicator.post(peer, "new")
        assert next_message(communicator) == (peer, "new")
    communicator.collect(None)
    communicator.share(None)


CONTRACT = [
    rank_is_one_of_size,
    share_gives_the_value_of_rank_0_to_every_rank,
    collect_gives_all_values_to_rank_0_in_order,
    share_and_collect_in_turn_keep_their_values_apart,
    receive_gives_none_at_once_when_nothing_came,
    messages_of_one_rank_come_in_order,
    rank_0_and_each_other_rank_answer_each_other,
    a_posted_message_is_the_state_of_its_moment,
    a_message_to_oneself_comes_back,
    what_was_posted_before_a_collective_call_never_comes_after_it,
]


def main() -> None:
    from ezpyp.execution.mpi.connect import connect

    communicator = connect()
    assert connect() is communicator
    for check in CONTRACT:
        check(communicator)
    # Again with messages cut into pieces, as those of more than a gigabyte are.
    if communicator.size > 1:
        communicator._transport._piece_bytes = 70_000  # type: ignore[attr-defined]
        messages_of_one_rank_come_in_order(communicator)
        share_gives_the_value_of_rank_0_to_every_rank(communicator)
    folder = Path(sys.argv[1])
    (folder / f"rank{communicator.rank}").write_text(f"of {communicator.size}")


if __name__ == "__main__":
    main()
