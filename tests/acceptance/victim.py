"""A run to be killed: every body notes its step's name in a file before it works."""

import os
import time
from collections.abc import Iterable

SEEDS = range(40)
ANSWER = sum(3 * seed for seed in SEEDS)


def note(path: str, word: object) -> None:
    """Append one whole line to the file that an environment variable names."""
    handle = os.open(os.environ[path], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, f"{word}\n".encode())
    os.close(handle)


def expected(name: str) -> object:
    """Give the right result of a step by its name."""
    if name == "total":
        return ANSWER
    seed = int(name.partition("=")[2].rstrip("]"))
    return drawn(seed) if name.startswith("draw") else 3 * seed


def drawn(seed: int) -> tuple[int, bytes]:
    """Give a small or a large value: every fifth is a file of its own."""
    return seed, bytes([seed]) * (40_000 if seed % 5 == 0 else 10)


def main() -> None:
    """Declare, run and answer."""
    # Here, not above: whoever imports the names above needs no ezpyp.
    from ezpyp import Pipeline, as_pickle_step

    note("PID_FILE", os.getpid())
    pipeline = Pipeline(os.environ["LOCATION"], "victim")

    @as_pickle_step(pipeline)
    def draw(seed: int) -> tuple[int, bytes]:
        note("TRACE_FILE", f"draw[seed={seed}]")
        time.sleep(0.001 * (seed % 7))
        return drawn(seed)

    @as_pickle_step(pipeline)
    def triple(part: tuple[int, bytes]) -> int:
        note("TRACE_FILE", f"triple[seed={part[0]}]")
        time.sleep(0.001 * (part[0] % 3))
        return 3 * part[0]

    @as_pickle_step(pipeline)
    def total(parts: Iterable[int]) -> int:
        note("TRACE_FILE", "total")
        return sum(parts)

    step = total([triple(draw(seed)) for seed in SEEDS])
    pipeline.execute()
    if pipeline.is_root:
        print(f"answer {step.get_result()}")


if __name__ == "__main__":
    main()
