"""Each rank starts child processes in four ways, and each child connects."""

import multiprocessing
import os
import subprocess
import sys

from ezpyp.execution.mpi.connect import connect


def child(rank: int, how: str) -> None:
    communicator = connect()
    sys.stdout.write(f"{rank} {how} {communicator.rank} of {communicator.size}\n")
    sys.stdout.flush()


def main() -> None:
    rank = connect().rank
    for how in ("fork", "spawn"):
        multiprocessing.set_start_method(how, force=True)
        process = multiprocessing.Process(target=child, args=(rank, how))
        process.start()
        process.join()
        assert process.exitcode == 0
    if (pid := os.fork()) == 0:
        child(rank, "os.fork")
        sys.exit(5)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
    code = f"import sys; sys.path.insert(0, {os.path.dirname(__file__)!r}); import children"
    subprocess.run([sys.executable, "-c", f"{code}; children.child({rank}, 'subprocess')"], check=True)
    # The children's ends, sys.exit() after a fork too, must not have ended this rank's MPI.
    connect().collect(None)
    connect().share(None)


if __name__ == "__main__":
    main()
