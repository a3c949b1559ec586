"""Sessions as tables, and charts as what one sees in them."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import pyarrow as pa

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.lake.records import to_rows
from f1_bronze.simulator.invented import InventedSeasons

BY_NAME = {dataset.name: dataset for dataset in DATASETS}
SVG = "{http://www.w3.org/2000/svg}"
RACE = SessionPartition.parse("2026/australian/race")
QUALIFYING = SessionPartition.parse("2026/australian/qualifying")
PRACTICE = SessionPartition.parse("2026/australian/practice_1")

Tables = Mapping[str, pa.Table]


def table(name: str, *records: Mapping[str, Any], session_key: int = 1) -> pa.Table:
    """Rows of a dataset with the given fields; the rest is null."""
    common = {"session_key": session_key}
    return to_rows(BY_NAME[name], [common | dict(record) for record in records]).table


def invented(seasons: InventedSeasons, year: int, location: str, name: str) -> Tables:
    """Every table of a simulated session."""
    key = next(
        s["session_key"]
        for s in seasons.sessions()
        if (s["year"], s["location"], s["session_name"]) == (year, location, name)
    )
    return {
        dataset.name: to_rows(dataset, seasons.rows(dataset.endpoint, key)).table
        for dataset in DATASETS[1:]
    }


def elements(svg: str, tag: str) -> list[ElementTree.Element]:
    """All elements of a kind; raises where the chart is no XML."""
    return list(ElementTree.fromstring(svg).iter(SVG + tag))


def texts(svg: str, *, right_of: float = 0) -> list[str]:
    """Every text from so many pixels on as it is read: line by line, from the left."""
    found = [
        (int(one.attrib["y"]), int(one.attrib.get("x", _left(group))), one.text or "")
        for group in elements(svg, "g")
        for one in group.findall(SVG + "text")
    ]
    lines: list[list[tuple[int, str]]] = []
    line_at = -10
    for y, x, text in sorted(found):
        if y > line_at + 4:
            line_at = y
            lines.append([])
        if x >= 2 * right_of:
            lines[-1].append((x, text))
    return [text for line in lines for _, text in sorted(line)]


def _left(group: ElementTree.Element) -> str:
    """Where the texts of a column are."""
    return group.attrib.get("transform", "translate(0)")[len("translate(") : -1]


def boxes(svg: str, fill: str) -> list[tuple[float, float]]:
    """Left edge and width in pixels of every rectangle of a colour, its round corners included."""
    found = []
    for path in elements(svg, "path"):
        if path.attrib.get("fill") == fill:
            around = int(path.attrib.get("stroke-width", 0))
            for left, width in re.findall(r"M(\d+) \d+h(\d+)v\d+h-\d+z", path.attrib["d"]):
                found.append(((int(left) - around / 2) / 2, (int(width) + around) / 2))
    return found


def strokes(svg: str, colour: str) -> list[str]:
    """The paths that are drawn in a colour."""
    return [
        p.attrib["d"]
        for p in elements(svg, "path")
        if p.attrib.get("stroke") == colour and "fill" not in p.attrib
    ]


def svg_in(markdown: str) -> str:
    """The chart that the Markdown holds."""
    return unquote(markdown.split("(<data:image/svg+xml,", 1)[1].removesuffix(">)"))
