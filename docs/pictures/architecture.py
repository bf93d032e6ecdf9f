"""Draws `architecture.svg`: the rooms of the package as layers, and which room imports from which.

Everything is read from the code's imports, so that the picture cannot say what the code does not:
``python docs/pictures/architecture.py`` writes it anew.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PICTURE = Path(__file__).with_suffix(".svg")

ROOMS = {
    "inspect": "questions about a cache: read-only, nothing is unpickled",
    "pipeline": "Pipeline and open_cache, the face",
    "execution": "plan, ready queue, serial and MPI runs, rows and lines",
    "schema": "what a location promises, and what conflicts with it",
    "graph": "dependencies to phases, names and their look-up",
    "steps": "Step, PlaceHolder, Sweep, the decorators",
    "store": "codecs, objects, the SQLite index, its one reader",
    "explain": "a function or value as a tree, two trees as a difference",
    "hashing": "code and values to digests",
    "describe": "short texts of values, secrets masked",
    "errors": "every exception, drawn as a tree",
}
"""From the roof to the ground; a room imports from those below it alone: nothing is left of the diagonal."""

LEFT, ROOM_WIDTH, ROOM_HEIGHT, GAP, HEAD, CELL = 16, 520, 30, 6, 92, 34


def imports() -> set[tuple[str, str]]:
    """Which room imports from which."""
    found = set()
    for path in sorted((ROOT / "ezpyp").rglob("*.py")):
        room = path.relative_to(ROOT / "ezpyp").with_suffix("").parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ezpyp."):
                found.add((room, str(node.module).split(".")[1]))
    return {(room, other) for room, other in found if room != other and room in ROOMS and other in ROOMS}


def drawn() -> str:
    """The picture, as the text of an SVG file."""
    rooms = list(ROOMS)
    width = LEFT + ROOM_WIDTH + 24 + CELL * len(rooms) + 30
    height = HEAD + len(rooms) * (ROOM_HEIGHT + GAP) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="{HEAD - 14}" font-size="13" fill="#555">a room imports what is marked in its row</text>',
    ]
    known = imports()
    for place, room in enumerate(rooms):
        parts += [_head(room, place), _room(room, place)]
        parts += [_cell(place, other, known) for other in range(len(rooms))]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _column(place: int) -> float:
    return LEFT + ROOM_WIDTH + 24 + CELL * (place + 0.5)


def _row(place: int) -> float:
    return HEAD + place * (ROOM_HEIGHT + GAP)


def _head(room: str, place: int) -> str:
    x, y = _column(place), HEAD - 14
    turned = f'transform="rotate(-45 {x:g} {y})"'
    return f'<text x="{x:g}" y="{y}" font-size="13" fill="#1d3347" {turned}>{room}</text>'


def _room(room: str, place: int) -> str:
    top = _row(place)
    middle = top + ROOM_HEIGHT / 2 + 5
    return (
        f'<rect x="{LEFT}" y="{top}" width="{ROOM_WIDTH}" height="{ROOM_HEIGHT}" rx="5" fill="#e8f0f8" '
        'stroke="#44617f"/>'
        f'<text x="{LEFT + 12}" y="{middle:g}" font-size="15" font-weight="bold" fill="#1d3347">{room}</text>'
        f'<text x="{LEFT + 108}" y="{middle:g}" font-size="13" fill="#333333">{ROOMS[room]}</text>'
    )


def _cell(row: int, column: int, known: set[tuple[str, str]]) -> str:
    rooms = list(ROOMS)
    x, y = _column(column), _row(row) + ROOM_HEIGHT / 2
    if row == column:
        return f'<circle cx="{x:g}" cy="{y:g}" r="3" fill="#44617f"/>'
    if (rooms[row], rooms[column]) in known:
        return f'<rect x="{x - 11:g}" y="{y - 11:g}" width="22" height="22" rx="4" fill="#5b8db8"/>'
    return f'<circle cx="{x:g}" cy="{y:g}" r="1.5" fill="#cccccc"/>'


if __name__ == "__main__":
    PICTURE.write_text(drawn(), encoding="utf-8")
