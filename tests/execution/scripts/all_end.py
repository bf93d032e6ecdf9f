"""All ranks end alike: ``all_end.py HOW``; prints how long each took to leave, and how idle waiting was."""

import atexit
import sys
import time

from ezpyp.execution.mpi.communicator import Communicator


def together(communicator: Communicator) -> None:
    communicator.collect(None)
    communicator.share(None)


def main(how: str) -> None:
    ended = 0.0
    # Before ezpyp's own exit handler is registered, so that it runs after it.
    atexit.register(lambda: sys.stdout.write(f"left after {time.perf_counter() - ended:.4f} s\n"))
    from ezpyp.execution.mpi.connect import connect

    communicator = connect()
    together(communicator)
    if how == "idle":
        wall, processor = time.perf_counter(), time.process_time()
        time.sleep(0 if communicator.rank else 1)
        communicator.share(None)
        share = (time.process_time() - processor) / (time.perf_counter() - wall)
        sys.stdout.write(f"rank {communicator.rank} used {share:.4f}\n")
    together(communicator)
    ended = time.perf_counter()
    if how == "rank 0 works on":
        if communicator.rank == 0:
            time.sleep(0.5)
            print("rank 0 is done", flush=True)
        sys.exit(3)


if __name__ == "__main__":
    main(sys.argv[1])
