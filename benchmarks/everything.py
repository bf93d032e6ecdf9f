"""ezpyp beside its peers, all in one run: a Markdown table of ratios to the floors, and a picture of it.

``python -m benchmarks`` runs this. Small steps are held against bare SQLite (one commit and one select a step), an
array against np.save and np.load, two ranks against one process, start-up against SQLite's; every value is read.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.overhead._measure import Row, measure
from benchmarks.overhead.subjects import installed
from benchmarks.parallel import two_cores

CASES: tuple[tuple[str, int, str], ...] = (
    ("independent", 1_000, "1,000 independent steps"),
    ("independent", 10_000, "10,000 independent steps"),
    ("chain", 1_000, "a chain of 1,000"),
    ("fan-in", 1_000, "1,000 steps into one"),
    ("independent", 100_000, "100,000 independent steps"),
    ("array", 256, "an array of 256 MiB, and one number of it"),
    ("start-up", 1, "one step, whole process"),
)
SLOW = {"redun", "hamilton", "joblib", "jug", "pipefunc-map"}
"""Left out from 10,000 steps on: they would take minutes, or leave 300,000 files."""


def parser() -> argparse.ArgumentParser:
    """The options of ``python -m benchmarks everything``."""
    options = argparse.ArgumentParser(prog="python -m benchmarks everything", description=__doc__)
    options.add_argument("--rounds", type=int, default=3, metavar="N", help="the median of N counts")
    options.add_argument("--divide", type=int, default=1, metavar="N", help="one N-th of the steps, for a quick look")
    options.add_argument("--only", nargs="+", default=installed(), metavar="TOOL")
    options.add_argument(
        "--save", type=Path, metavar="FOLDER", help="write the numbers, the table and the picture there"
    )
    return options


def main(arguments: Sequence[str]) -> None:
    """Measure, print the table, and save everything where that was asked for."""
    asked = parser().parse_args(arguments)
    rows: dict[str, list[Row]] = {}
    for shape, steps, title in CASES:
        tools = [tool for tool in asked.only if not (steps >= 10_000 and tool in SLOW)]
        rows[title] = measure(tools, [shape], [max(1, steps // asked.divide)], rounds=asked.rounds)
    ranks = two_cores(asked.rounds)
    text = "\n".join([*_table(rows), "", *_ranks_table(ranks)])
    print(text)
    if asked.save is not None:
        numbers = {"steps": {title: [asdict(row) for row in found] for title, found in rows.items()}, "ranks": ranks}
        (asked.save / "benchmarks.json").write_text(json.dumps(numbers, indent=1) + "\n")
        (asked.save / "benchmarks.txt").write_text(text + "\n")
        _draw(rows[CASES[0][2]], asked.save)


def _table(rows: dict[str, list[Row]]) -> list[str]:
    """A line for each case, a column for each tool: cold and warm, as ratios to the floor of that case."""
    tools = list(dict.fromkeys(row.tool for found in rows.values() for row in found if row is not found[0]))
    lines = [f"| cold / warm, x floor | floor | {' | '.join(tools)} |", "|---" * (len(tools) + 2) + "|"]
    for title, found in rows.items():
        floor, cells = found[0], {row.tool: row for row in found}
        ratios = [_ratio(cells.get(tool), floor) for tool in tools]
        lines.append(f"| {title} | {_floor(floor)} | {' | '.join(ratios)} |")
    return lines


def _ratio(row: Row | None, floor: Row) -> str:
    return "" if row is None else f"{row.cold_s / floor.cold_s:.2f} / {row.warm_s / floor.warm_s:.2f}"


def _floor(row: Row) -> str:
    if row.shape in {"array", "start-up"}:
        return f"{row.cold_s * 1e3:.1f} / {row.warm_s * 1e3:.1f} ms"
    return f"{row.cold_s / row.steps * 1e6:.1f} / {row.warm_s / row.steps * 1e6:.1f} us"


def _ranks_table(ranks: dict[str, float]) -> list[str]:
    return [
        "| 200 steps of 10 ms on two cores | x one process |",
        "|---|---|",
        *(f"| {name} | {ratio:.2f} |" for name, ratio in ranks.items()),
    ]


def _draw(rows: list[Row], folder: Path) -> None:
    """Bars of the first case, cold and warm, from the quickest tool to the slowest."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    floor, *others = rows
    others.sort(key=lambda row: row.cold_s, reverse=True)
    figure, axes = plt.subplots(1, 2, figsize=(9, 0.35 * len(others) + 1.2), sharey=True, layout="constrained")
    for which, (axis, title) in enumerate(zip(axes, ("cold: run, store, read", "warm: find, read"), strict=True)):
        ratios = [(row.warm_s / floor.warm_s) if which else (row.cold_s / floor.cold_s) for row in others]
        _bars(axis, [row.tool for row in others], ratios)
        axis.set(title=title, xscale="log", xlabel="times bare SQLite, a trivial step")
    for ending in ("svg", "png"):
        figure.savefig(folder / f"benchmarks.{ending}", dpi=150, metadata={"Date": None} if ending == "svg" else None)


def _bars(axis: Any, tools: list[str], ratios: list[float]) -> None:
    colours = ["#c44e52" if tool.startswith("ezpyp") else "#8c9bab" for tool in tools]
    axis.bar_label(axis.barh(tools, ratios, color=colours), [f" {ratio:.1f}" for ratio in ratios], fontsize=8)
    axis.axvline(1, color="black", linewidth=0.8)
    axis.spines[["top", "right"]].set_visible(False)
    axis.margins(x=0.15)
