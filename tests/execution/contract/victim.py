"""A job in which one rank comes to an end in some way: ``victim.py LOCATION WHERE WHO HOW``.

Every rank finishes a few steps, then runs a long one. WHERE is ``step``, or the place in the script where rank WHO
does HOW; the others would go on for a minute.
"""

import hashlib
import os
import resource
import signal
import sys
import time

if __name__ == "__main__":
    location, where, who, how = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]

    def rank() -> int:
        # Not a global: it would be part of the steps' identity, and differ.
        return int(os.environ.get("PMI_RANK") or os.environ.get("OMPI_COMM_WORLD_RANK") or 0)

    def end() -> None:
        match how:
            case "SIGKILL" | "SIGTERM":
                os.kill(os.getpid(), signal.Signals[how])
                time.sleep(60)
            case "os._exit(0)" | "os._exit(3)":
                os._exit(int(how[-2]))
            case "KeyboardInterrupt":
                raise KeyboardInterrupt
            case "MPI.Finalize()":
                from mpi4py import MPI

                MPI.Finalize()
            case "raises":
                raise RuntimeError("only here")
            case "leaves":
                sys.exit(0)
            case "index removed":
                os.unlink(os.path.join(location, "ezpyp.sqlite"))
            case "full disk":
                resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))

    def at(place: str) -> None:
        if (place, rank()) == (where, who):
            end()

    at("before joining")
    from ezpyp import Pipeline, as_pickle_step

    pipeline = Pipeline(location, "victim")

    @as_pickle_step(pipeline)
    def quick(x):
        return x

    @as_pickle_step(pipeline)
    def held(x):
        print(f"held by process {os.getpid()} of rank {rank()}", flush=True)
        time.sleep(1.2 if where == "step" and how != "index removed" else 0.0)  # its row says by then where it runs
        at("step")
        if how == "nothing, in C code":
            hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)  # lets go of the interpreter, but runs no handler
        time.sleep(60 if where == "step" else 0.0)
        return bytes(100_000)

    quick.map(range(20))
    pipeline.initialize_schema()
    pipeline.execute()
    held.map(range(pipeline.size))
    at("between two runs")
    try:
        pipeline.execute()
    except KeyboardInterrupt:
        if how != "catches Ctrl-C":
            raise
        sys.exit(0)
    at("at the end")
    print("went on")
