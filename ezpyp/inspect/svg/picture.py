"""A picture as the text of an SVG file: boxes, lines and text; any browser shows it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape

from ezpyp.inspect.output import one_line, width

# In a monospaced font a text is as wide as it has cells, whoever shows it; 0.6 of the size is the widest in use.
MONO = "'DejaVu Sans Mono', Menlo, Consolas, 'Noto Sans Mono', monospace"
SIZE = 12.0
INK, FAINT, RULE = "#24292f", "#6e7781", "#d0d7de"
# Two characters that XML forbids and one_line() lets through.
_FORBIDDEN = re.compile("[\ufffe\uffff]")


def text_width(text: str, size: float = SIZE) -> float:
    """Pixels that a text takes at most."""
    return width(text) * size * 0.61


def elided(text: str, cells: int) -> str:
    """Text that is at most so many cells wide, its middle left out."""
    if width(text) <= cells:
        return text
    head, tail = "", ""
    while width(head) + width(tail) < cells - 2:
        if width(head) <= width(tail):
            head += text[len(head)]
        else:
            tail = text[-len(tail) - 1] + tail
    return f"{head}…{tail}"


@dataclass(slots=True)
class Picture:
    """What has been drawn so far; places in pixels from the upper left corner."""

    parts: list[str] = field(default_factory=list)

    def box(self, x: float, y: float, size: tuple[float, float], fill: str, *, style: str = "", tip: str = "") -> None:
        """A rectangle; ``tip`` is shown where the pointer rests on it."""
        place = f'x="{x:.2f}" y="{y:.2f}" width="{size[0]:.2f}" height="{size[1]:.2f}" fill="{fill}"'
        inner = f"><title>{_clean(tip)}</title></rect>" if tip else "/>"
        self.parts.append(f"<rect {place}{' ' if style else ''}{style}{inner}")

    def write(
        self, x: float, y: float, text: str, *, size: float = SIZE, fill: str = INK, style: str = "", tip: str = ""
    ) -> None:
        """A line of text that starts at x; ``y`` is its middle."""
        inner = f"<title>{_clean(tip)}</title>" if tip else ""
        place = f'x="{x:.1f}" y="{y + size * 0.35:.1f}" font-size="{size:g}" fill="{fill}"'
        self.parts.append(f"<text {place}{' ' if style else ''}{style}>{inner}{_clean(text)}</text>")

    def line(self, path: str, *, stroke: str = RULE, style: str = "") -> None:
        """A line along a path, in SVG's notation."""
        self.parts.append(f'<path d="{path}" fill="none" stroke="{stroke}"{" " if style else ""}{style}/>')

    def legend(self, x: float, y: float, entries: Iterable[tuple[str, str]]) -> float:
        """Colours with what they mean, in a row; where the row ends."""
        for fill, label in entries:
            self.box(x, y - 6, (12, 12), fill, style=f'rx="2" stroke="{FAINT}" stroke-width="0.5"')
            self.write(x + 18, y, label, size=11)
            x += 18 + text_width(label, 11) + 18
        return x

    def file(self, wide: float, high: float, title: str) -> Iterable[str]:
        """The file, line by line; ASCII, so that no encoding on its way can harm it."""
        size = f'width="{wide:.0f}" height="{high:.0f}" viewBox="0 0 {wide:.0f} {high:.0f}"'
        yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{MONO}" role="img">'
        yield f"<title>{_ascii(_clean(title))}</title>"
        yield '<rect width="100%" height="100%" rx="6" fill="#ffffff"/>'
        yield from map(_ascii, self.parts)
        yield "</svg>"


def _clean(text: str) -> str:
    return escape(_FORBIDDEN.sub("\ufffd", one_line(text)))


def _ascii(text: str) -> str:
    return text.encode("ascii", "xmlcharrefreplace").decode()


# Fill and edge of each status; a sign tells them apart for who sees no colours.
FILLS = {
    "done": ("#dcf3e0", "#2da44e"),
    "failed": ("#ffd8d3", "#cf222e"),
    "killed": ("#fbd5ea", "#bf3989"),
    "skipped": ("#fdf0c2", "#bf8700"),
    "pending": ("#eceef1", "#8c959f"),
    "running": ("#d4ebff", "#0969da"),
}
SIGNS = {"failed": "✗", "killed": "†", "skipped": "-", "pending": "…", "running": "▸"}

# Distinct for people who see red and green alike (Okabe and Ito, "Color Universal Design", 2008), but the black.
SERIES = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#0072b2", "#f0e442", "#d55e00")
OTHERS = "#b0b7bf"
