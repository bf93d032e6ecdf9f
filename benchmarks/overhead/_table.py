"""Show measurements to people."""

from collections.abc import Sequence
from itertools import groupby

from benchmarks.overhead._measure import Row

UNITS = {"array": (1e3, "ms; steps are MiB"), "start-up": (1e3, "ms for the whole process")}
TITLES = ("tool", "cold", "warm", "cold ratio", "warm ratio", "files", "kB")


def table(rows: Sequence[Row]) -> str:
    """One block for each shape and number of steps; ratios are to the first tool of the block, the floor."""
    blocks = []
    for (shape, steps), block in groupby(rows, key=lambda row: (row.shape, row.steps)):
        factor, unit = UNITS.get(shape, (1e6 / steps, "microseconds a step"))
        blocks.append(f"{shape}, {steps:,} steps; {unit}\n{_block(list(block), factor)}")
    return "\n\n".join(blocks)


def _block(rows: list[Row], factor: float) -> str:
    cells = [TITLES, *(_cells(row, rows[0], factor) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(_aligned(line, widths)).rstrip() for line in cells)


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    first, *rest = (cell.rjust(width) for cell, width in zip(line, widths, strict=True))
    return [first.strip().ljust(widths[0]), *rest]


def _cells(row: Row, first: Row, factor: float) -> tuple[str, ...]:
    return (
        row.tool,
        f"{row.cold_s * factor:.1f}",
        f"{row.warm_s * factor:.1f}",
        f"{row.cold_s / first.cold_s:.2f}",
        f"{row.warm_s / first.warm_s:.2f}",
        str(row.files),
        f"{row.size_bytes / 1e3:.0f}",
    )
