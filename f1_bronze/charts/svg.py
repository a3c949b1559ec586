"""SVG text from a few shapes, with paths in tenths of a pixel so that charts stay small.

The standard library escapes and keeps it well-formed (docs/adr/0014).
"""

import re
import zlib
from collections.abc import Iterable
from urllib.parse import quote
from xml.etree import ElementTree

from f1_bronze.charts.palette import CARD, MUTED, TEXT

WIDTH = 920
"""Pixels: the dialog of the Dagster UI shows a chart at its own size, and this fits a laptop."""

TITLE_HEIGHT = 58
"""Where the space below title and subtitle begins."""

MARGIN = 16
_FONT = "system-ui,-apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif"

_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Point = tuple[float, float]


class Drawing:
    """A dark card of fixed width that reads the same in the UI's light and dark theme."""

    def __init__(self, *, height: float, title: str, subtitle: str) -> None:
        # A page that holds several charts must not draw one with what another has defined.
        self._own = f"{zlib.crc32(title.encode('utf-8', 'replace')):x}"
        self._root = ElementTree.Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                "width": number(WIDTH),
                "height": number(height),
                "viewBox": f"0 0 {number(WIDTH)} {number(height)}",
                "font-family": _FONT,
                "font-size": "11",
                "stroke-linejoin": "round",
                "stroke-linecap": "round",
                "role": "img",
                "aria-label": _clean(title),
            },
        )
        self.box(0, 0, WIDTH, height, CARD, radius=8)
        self.text(MARGIN, 27, title, size=17, bold=True)
        self.text(MARGIN, 46, subtitle, size=12, colour=MUTED)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 11,
        colour: str = TEXT,
        anchor: str = "start",
        bold: bool = False,
    ) -> None:
        """One line of text, its baseline at y; nothing for an empty one."""
        if not text:
            return
        attributes = {"x": number(x), "y": number(y), "fill": colour}
        if size != 11:
            attributes["font-size"] = number(size)
        if anchor != "start":
            attributes["text-anchor"] = anchor
        if bold:
            attributes["font-weight"] = "700"
        ElementTree.SubElement(self._root, "text", attributes).text = _clean(text)

    def box(
        self, x: float, y: float, width: float, height: float, fill: str, *, radius: float = 0
    ) -> None:
        """A filled rectangle."""
        attributes = {
            "x": number(x),
            "y": number(y),
            "width": number(width),
            "height": number(height),
            "fill": fill,
        }
        if radius:
            attributes["rx"] = number(radius)
        ElementTree.SubElement(self._root, "rect", attributes)

    def line(self, path: str, colour: str, *, width: float = 1, dashes: str = "") -> None:
        """The strokes of a path, with round ends; nothing for an empty path."""
        if not path:
            return
        attributes = {"d": path, "fill": "none", "stroke": colour, "stroke-width": number(width)}
        if dashes:
            attributes["stroke-dasharray"] = dashes
        ElementTree.SubElement(self._root, "path", attributes)

    def shape(self, path: str, fill: str) -> None:
        """The filled inside of a path; nothing for an empty one."""
        if path:
            ElementTree.SubElement(self._root, "path", {"d": path, "fill": fill})

    def define(self, name: str, path: str, colour: str) -> None:
        """Name strokes without drawing them, for `place`."""
        attributes = {"id": f"{name}-{self._own}", "d": path, "fill": "none", "stroke": colour}
        ElementTree.SubElement(ElementTree.SubElement(self._root, "defs"), "path", attributes)

    def place(self, name: str, x: float, y: float) -> None:
        """Draw defined strokes here: they are written once and the same in every panel."""
        attributes = {"href": f"#{name}-{self._own}", "x": number(x), "y": number(y)}
        ElementTree.SubElement(self._root, "use", attributes)

    def legend(self, y: float, entries: Iterable[tuple[str, str]]) -> None:
        """Labels with their colours, in one line that ends at the right margin.

        A label without a colour contains its own sign.
        """
        x = float(WIDTH - MARGIN)
        for label, colour in reversed(list(entries)):
            x -= _text_width(label)
            self.text(x, y, label, colour=MUTED)
            if colour:
                x -= 15
                self.box(x, y - 8, 10, 8, colour, radius=2)
            x -= 12

    def to_svg(self) -> str:
        """The drawing as ASCII text, so that no encoding has to be guessed."""
        data: bytes = ElementTree.tostring(self._root, "us-ascii", xml_declaration=False)
        return data.decode("ascii")


def number(value: float) -> str:
    """A length with at most one decimal.

    >>> number(3.0), number(0.46), number(-12.25)
    ('3', '0.5', '-12.2')
    """
    return f"{value:.1f}".removesuffix(".0")


def polyline(points: Iterable[Point | None]) -> str:
    """A line through the points; None interrupts it, a point alone becomes a dot.

    Relative steps in tenths: half the length of absolute coordinates.

    >>> polyline([(0, 1), (2, 3.5), None, (9, 9)])
    'M0 1l2 2.5M9 9h0'
    """
    parts: list[str] = []
    before: tuple[int, int] | None = None
    alone = False
    for point in (*points, None):
        if point is None:
            if alone:
                parts.append("h0")
            before, alone = None, False
            continue
        x, y = round(point[0] * 10), round(point[1] * 10)
        if before is None:
            parts.append(f"M{_pair(x, y)}")
            alone = True
        else:
            parts.append(f"l{_pair(x - before[0], y - before[1])}")
            alone = False
        before = x, y
    return "".join(parts)


def dots(points: Iterable[Point]) -> str:
    """A dot for each point, as a path that round line ends make visible.

    >>> dots([(1, 2), (3.5, 1)])
    'M1 2h0m2.5-1h0'
    """
    parts: list[str] = []
    x_before = y_before = 0
    for x, y in ((round(x * 10), round(y * 10)) for x, y in points):
        parts.append(f"{'m' if parts else 'M'}{_pair(x - x_before, y - y_before)}h0")
        x_before, y_before = x, y
    return "".join(parts)


def horizontal_lines(y_values: Iterable[float], x: float, width: float) -> str:
    """Horizontal lines as a path.

    >>> horizontal_lines([5, 7], 1, 10)
    'M1 5h10M1 7h10'
    """
    return "".join(f"M{number(x)} {number(y)}h{number(width)}" for y in y_values)


def _text_width(text: str) -> float:
    """About how many pixels a text of size 11 takes; fonts differ.

    >>> _text_width("hard"), _text_width("medium")
    (24.5, 45.3)
    """
    return round(sum(3.8 if c in "fijlrt" else 10.4 if c in "mw" else 6.9 for c in text), 1)


def _pair(x: int, y: int) -> str:
    """Two lengths given in tenths; a minus separates them as well as a space does.

    >>> _pair(25, -5), _pair(30, 4)
    ('2.5-0.5', '3 0.4')
    """
    return f"{x / 10:g}{y / 10:g}" if y < 0 else f"{x / 10:g} {y / 10:g}"


def _clean(text: str) -> str:
    """The text without what XML cannot hold, not even escaped."""
    return _NO_XML.sub("", text)


_ENCODED = {sign: quote(sign, safe="") for sign in "%<>#{}|\\^`\t\n\r"}
"""What a Markdown address between `<` and `>` may not contain, `%` first; the UI encodes the
rest."""


def as_markdown(svg: str, alt: str) -> str:
    """An image for `MetadataValue.md`: nothing is fetched when it is shown.

    >>> as_markdown('<svg fill="#fff"/>', "Laps [of a race]")
    '![Laps (of a race)](<data:image/svg+xml,%3Csvg fill="%23fff"/%3E>)'
    """
    words = " ".join(alt.replace("[", "(").replace("]", ")").replace("\\", "/").split())
    for sign, encoded in _ENCODED.items():
        svg = svg.replace(sign, encoded)
    return f"![{words}](<data:image/svg+xml,{svg}>)"
