"""One rank ends in some way while the others wait for it: ``one_rank_ends.py WAIT VICTIM HOW``."""

import atexit
import os
import sys
import time


def end(how: str) -> None:
    time.sleep(0.1)
    match how:
        case "later hook":
            sys.excepthook = lambda kind, error, trace: sys.stderr.write(f"later hook saw {error!r}\n")
            raise ValueError("broken script")
        case "exit":
            sys.exit(0)
        case "exit handler":
            atexit.register(lambda: 1 / 0)


def main(wait: str, victim: int, how: str) -> None:
    rank = int(os.environ.get("PMI_RANK") or os.environ["OMPI_COMM_WORLD_RANK"])

    from ezpyp.execution.mpi.connect import connect

    communicator = connect()
    communicator.collect(None)
    communicator.share(None)
    sys.stdout.write(f"joined {communicator.rank}\n")
    sys.stdout.flush()
    if rank == victim:
        return end(how)
    while wait == "calls":
        communicator.collect(rank)
        communicator.share(rank)
        time.sleep(0.01)
    while wait == "receive":
        communicator.receive()
        time.sleep(0.01)
    while wait == "flush":
        # Too long to be sent before the other side takes it.
        communicator.post(victim, bytes(50_000_000))
        communicator.flush()
    return None


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
