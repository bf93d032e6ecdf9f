"""Each rank starts child processes in three ways, and each child connects."""

import multiprocessing
import os
import subprocess
import sys

from ezpyp.execution._connect import connect


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
    code = f"import sys; sys.path.insert(0, {os.path.dirname(__file__)!r}); import children"
    subprocess.run([sys.executable, "-c", f"{code}; children.child({rank}, 'subprocess')"], check=True)


if __name__ == "__main__":
    main()
