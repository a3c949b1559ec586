"""SVG text from a few shapes, in whole half pixels and with shared styles, so that it is small.

The standard library escapes and keeps it well-formed (docs/adr/0014).
"""

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from urllib.parse import quote
from xml.etree import ElementTree

from f1_bronze.charts.palette import CARD, MUTED, TEXT

WIDTH = 920
"""Pixels: the dialog of the Dagster UI shows a chart at its own size, and this fits a laptop."""

TITLE_HEIGHT = 58
"""Where the space below title and subtitle begins."""

MARGIN = 16

_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue002-\ufffd\U00010000-\U0010ffff]")
_QUOTES = {'"': ("\ue000", "&quot;"), "'": ("\ue001", "&#39;")}
"""What stands for a quotation mark until all is written, and then: the library leaves them as they
are in a text."""

Point = tuple[float, float]
_Edges = tuple[float, float, float, float]


class Drawing:
    """A dark card of fixed width that reads the same in the UI's light and dark theme.

    Lengths are pixels, in the SVG half pixels. What has one style is one element: texts lie above
    everything else, and a box may lie below lines that were drawn before it.
    """

    def __init__(self, *, height: float, title: str, subtitle: str) -> None:
        # A page that holds several charts must not draw one with what another has defined.
        self._own = f"{zlib.crc32(title.encode('utf-8', 'replace')):x}"
        self._root = ElementTree.Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                "width": f"{WIDTH}",
                "height": f"{height:g}",
                "viewBox": f"0 0 {number(WIDTH)} {number(height)}",
                "font-family": "system-ui,sans-serif",
                "font-size": number(11),
                "fill": "none",
                "stroke-width": number(1),
                "stroke-linejoin": "round",
                "stroke-linecap": "round",
                "role": "img",
                "aria-label": _clean(title),
            },
        )
        self._boxes: list[tuple[ElementTree.Element, list[str], list[_Edges]]] = []
        self._texts: dict[tuple[float, str, bool], list[tuple[str, dict[str, str], str]]] = {}
        self._defined = ElementTree.Element("g", {"id": f"p{self._own}"})
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
        attributes = {"y": number(y)}
        if colour != MUTED:
            attributes["fill"] = colour
        alike = self._texts.setdefault((size, anchor, bold), [])
        alike.append((number(x), attributes, _clean(text)))

    def box(
        self, x: float, y: float, width: float, height: float, fill: str, *, radius: float = 0
    ) -> None:
        """A filled rectangle, above all boxes that it covers."""
        edges = x, y, x + width, y + height
        box = _box(x, y, width, height, fill, radius)
        path, *style = box.values()
        for element, other_style, drawn in reversed(self._boxes):
            if style == other_style:
                element.set("d", element.attrib["d"] + path)
                drawn.append(edges)
                return
            if any(_overlap(edges, other) for other in drawn):
                break
        element = ElementTree.SubElement(self._root, "path", box)
        self._boxes.append((element, style, [edges]))

    def line(self, path: str, colour: str, *, width: float = 1, dashes: str = "") -> None:
        """The strokes of a path, with round ends; nothing for an empty path."""
        if not path:
            return
        group = self._root[-1] if len(self._root) else None
        if group is None or group.tag != "g" or group.attrib["stroke-width"] != number(width):
            group = ElementTree.SubElement(self._root, "g", {"stroke-width": number(width)})
        attributes = {"d": path, "stroke": colour}
        if dashes:
            attributes["stroke-dasharray"] = " ".join(number(float(one)) for one in dashes.split())
        ElementTree.SubElement(group, "path", attributes)

    def shape(self, path: str, fill: str) -> None:
        """The filled inside of a path; nothing for an empty one."""
        if path:
            ElementTree.SubElement(self._root, "path", {"d": path, "fill": fill})

    def define_box(self, width: float, height: float, fill: str, *, radius: float = 0) -> None:
        """Add a filled rectangle to what `place` draws."""
        ElementTree.SubElement(self._defined, "path", _box(0, 0, width, height, fill, radius))

    def define(self, path: str, colour: str) -> None:
        """Add strokes to what `place` draws; nothing for an empty path."""
        if path:
            ElementTree.SubElement(self._defined, "path", {"d": path, "stroke": colour})

    def place(self, x: float, y: float) -> None:
        """Draw here what was defined: it is written once and the same in every panel."""
        if self._root.find("defs") is None:
            ElementTree.SubElement(self._root, "defs").append(self._defined)
        attributes = {"href": f"#p{self._own}", "x": number(x), "y": number(y)}
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
        """The drawing as ASCII text, so that no encoding has to be guessed.

        Quotation marks are nowhere but around attributes.
        """
        whole = ElementTree.Element(self._root.tag, self._root.attrib)
        whole.extend([*self._root, *self._groups_of_texts()])
        data: bytes = ElementTree.tostring(whole, "us-ascii", xml_declaration=False)
        text = data.decode("ascii").replace(" />", "/>")
        for sign, written in _QUOTES.values():
            text = text.replace(f"&#{ord(sign)};", written)
        return text

    def _groups_of_texts(self) -> Iterator[ElementTree.Element]:
        """A group for each style, and in it one for each column of texts."""
        for (size, anchor, bold), alike in self._texts.items():
            style = {"fill": MUTED}
            if size != 11:
                style["font-size"] = number(size)
            if anchor != "start":
                style["text-anchor"] = anchor
            if bold:
                style["font-weight"] = "700"
            group = ElementTree.Element("g", style)
            rows = Counter(x for x, _, _ in alike)
            columns = {
                x: ElementTree.SubElement(group, "g", {"transform": f"translate({x})"})
                for x, number_of_rows in rows.items()
                if number_of_rows > 3
            }
            for x, attributes, text in alike:
                at = {} if x in columns else {"x": x}
                parent = columns.get(x, group)
                ElementTree.SubElement(parent, "text", at | attributes).text = text
            yield group


def number(value: float) -> str:
    """A length in whole half pixels, as the SVG has it.

    >>> number(3.0), number(0.46), number(-12.25)
    ('6', '1', '-24')
    """
    return str(round(value * 2))


def polyline(points: Iterable[Point | None]) -> str:
    """A line through the points; None interrupts it, a point alone becomes a dot.

    Relative steps: a third of the length of absolute coordinates.

    >>> polyline([(0, 1), (2, 3.5), (2.5, 3), None, (9, 9)])
    'M0 2l4 5 1-1M18 18h0'
    """
    parts: list[str] = []
    for is_gap, run in groupby(points, key=lambda point: point is None):
        if is_gap:
            continue
        (x, y), *others = [(round(p[0] * 2), round(p[1] * 2)) for p in run if p]
        parts.append(f"M{_pair(x, y)}" if others else f"M{_pair(x, y)}h0")
        sign = "l"
        for to_x, to_y in others:
            step = _pair(to_x - x, to_y - y)
            parts.append(step if step[0] == "-" and sign == " " else f"{sign}{step}")
            x, y, sign = to_x, to_y, " "
    return "".join(parts)


def dots(points: Iterable[Point]) -> str:
    """A dot for each point, as a path that round line ends make visible.

    >>> dots([(1, 2), (3.5, 1)])
    'M2 4h0m5-2h0'
    """
    parts: list[str] = []
    x_before = y_before = 0
    for x, y in ((round(x * 2), round(y * 2)) for x, y in points):
        parts.append(f"{'m' if parts else 'M'}{_pair(x - x_before, y - y_before)}h0")
        x_before, y_before = x, y
    return "".join(parts)


def horizontal_lines(y_values: Iterable[float], x: float, width: float) -> str:
    """Horizontal lines as a path.

    >>> horizontal_lines([5, 7], 1, 10)
    'M2 10h20M2 14h20'
    """
    return "".join(f"M{number(x)} {number(y)}h{number(width)}" for y in y_values)


def vertical_lines(x_values: Iterable[float], top: float, bottom: float) -> str:
    """Vertical lines as a path.

    >>> vertical_lines([5], 1, 10)
    'M10 2V20'
    """
    return "".join(f"M{number(x)} {number(top)}V{number(bottom)}" for x in x_values)


def triangles(x_values: Iterable[float], y: float) -> str:
    """Triangles of 6 by 5 pixels with their points at these places, as a path.

    >>> triangles([5], 1)
    'M10 2l6 10h-12z'
    """
    return "".join(f"M{number(x)} {number(y)}l6 10h-12z" for x in x_values)


def _box(
    x: float, y: float, width: float, height: float, fill: str, radius: float
) -> dict[str, str]:
    if min(width, height) <= 2 * radius:
        radius = 0
    inner = (x + radius, y + radius, width - 2 * radius, height - 2 * radius)
    left, top, across, down = map(number, inner)
    attributes = {"d": f"M{left} {top}h{across}v{down}h-{across}z", "fill": fill}
    if radius:  # a round stroke of the same colour makes round corners
        attributes |= {"stroke": fill, "stroke-width": number(2 * radius)}
    return attributes


def _overlap(one: _Edges, other: _Edges) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _text_width(text: str) -> float:
    """About how many pixels a text of size 11 takes; fonts differ.

    >>> _text_width("hard"), _text_width("medium")
    (24.5, 45.3)
    """
    return round(sum(3.8 if c in "fijlrt" else 10.4 if c in "mw" else 6.9 for c in text), 1)


def _pair(x: int, y: int) -> str:
    """Two numbers; a minus separates them as well as a space does.

    >>> _pair(25, -5), _pair(30, 4)
    ('25-5', '30 4')
    """
    return f"{x}{y}" if y < 0 else f"{x} {y}"


def _clean(text: str) -> str:
    """The text without what XML cannot hold, not even escaped."""
    text = _NO_XML.sub("", text)
    for mark, (sign, _) in _QUOTES.items():
        text = text.replace(mark, sign)
    return text


_ENCODED = {sign: quote(sign, safe="") for sign in "%<>#{}|\\^`\t\n\r"}
"""What a Markdown address between `<` and `>` may not contain, `%` first; the UI encodes the
rest."""


def as_markdown(svg: str, alt: str) -> str:
    """A `Drawing.to_svg` as an image for `MetadataValue.md`: nothing is fetched to show it.

    Attributes stand between apostrophes, which JSON keeps as they are.

    >>> print(as_markdown('<svg fill="#fff"/>', "Laps [of a race]"))
    ![Laps (of a race)](<data:image/svg+xml,%3Csvg fill='%23fff'/%3E>)
    """
    svg = svg.replace('"', "'")
    words = " ".join(alt.replace("[", "(").replace("]", ")").replace("\\", "/").split())
    for sign, encoded in _ENCODED.items():
        svg = svg.replace(sign, encoded)
    return f"![{words}](<data:image/svg+xml,{svg}>)"
