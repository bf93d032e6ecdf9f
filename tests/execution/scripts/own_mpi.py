"""A script that uses MPI itself, in several ways, beside ezpyp: ``own_mpi.py HOW``."""

import sys


def main(how: str) -> None:
    import mpi4py

    if how == "initializes late":
        mpi4py.rc.initialize = False
    from mpi4py import MPI

    from ezpyp.execution.mpi.connect import connect

    communicator = connect()
    assert communicator.share(communicator.rank) == 0

    # A message of the user's, with ezpyp's tags, is not ezpyp's.
    MPI.COMM_WORLD.isend("user's", dest=0, tag=1)
    assert communicator.receive() is None
    if communicator.rank == 0:
        for _ in range(communicator.size):
            assert MPI.COMM_WORLD.recv(tag=1) == "user's"
    communicator.collect(None)
    communicator.share(None)
    if how == "finalizes":
        MPI.Finalize()
    sys.stdout.write("ok\n")


if __name__ == "__main__":
    main(sys.argv[1])
