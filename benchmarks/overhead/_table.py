"""Show measurements to people."""

from collections.abc import Sequence
from itertools import groupby

from benchmarks.overhead._measure import Row

TITLES = ("tool", "cold us", "warm us", "cold ratio", "warm ratio", "start ms", "files", "kB")


def table(rows: Sequence[Row]) -> str:
    """One block for each shape and number of steps; ratios are to the first tool of the block."""
    blocks = []
    for (shape, steps), block in groupby(rows, key=lambda row: (row.shape, row.steps)):
        blocks.append(f"{shape}, {steps:,} steps; microseconds a step\n{_block(list(block))}")
    return "\n\n".join(blocks)


def _block(rows: list[Row]) -> str:
    cells = [TITLES, *(_cells(row, rows[0]) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(_aligned(line, widths)).rstrip() for line in cells)


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    first, *rest = (cell.rjust(width) for cell, width in zip(line, widths, strict=True))
    return [first.strip().ljust(widths[0]), *rest]


def _cells(row: Row, first: Row) -> tuple[str, ...]:
    return (
        row.tool,
        f"{row.cold_us:.1f}",
        f"{row.warm_us:.1f}",
        f"{row.cold_us / first.cold_us:.2f}",
        f"{row.warm_us / first.warm_us:.2f}",
        f"{row.start_ms:.0f}",
        str(row.files),
        f"{row.size_bytes / 1e3:.0f}",
    )
