"""All ranks end alike: ``all_end.py HOW``; prints how long each took to leave, and how idle waiting was."""

import atexit
import sys
import time


def main(how: str) -> None:
    ended = 0.0

    def left() -> None:
        sys.stdout.write(f"left after {time.perf_counter() - ended:.4f} s\n")

    # Before ezpyp's own exit handler is registered, so that it runs after it.
    atexit.register(left)
    from ezpyp.execution.mpi.connect import connect

    communicator = connect()
    communicator.collect(None)
    communicator.share(None)
    if how == "idle":
        wall, processor = time.perf_counter(), time.process_time()
        if communicator.rank == 0:
            time.sleep(1)
        communicator.share(None)
        share = (time.process_time() - processor) / (time.perf_counter() - wall)
        sys.stdout.write(f"rank {communicator.rank} used {share:.4f}\n")
    communicator.collect(None)
    communicator.share(None)
    ended = time.perf_counter()
    if how == "rank 0 works on":
        if communicator.rank == 0:
            time.sleep(0.5)
            print("rank 0 is done", flush=True)
        sys.exit(3)


if __name__ == "__main__":
    main(sys.argv[1])
